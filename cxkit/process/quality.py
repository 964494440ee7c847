"""May this log carry questions about the process? What is in it, and what would mislead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cxkit.calendars import month_edges
from cxkit.contract import Gate
from cxkit.figures import ACCENT, CATEGORIES, finish, legend, own_axes
from cxkit.lang import Sentence, frame_line, month, say
from cxkit.process.core import EventLog, Rows, ties, traces
from cxkit.process.doubts import DAY, chosen_by_end, extract_windows, tie_sensitivity
from cxkit.process.log import StudyLog, lacking, study_log
from cxkit.result import Result, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study

MIDNIGHT = 0.05  # more stamps at exactly midnight than this share: days, not moments, were recorded
STILL_OPEN = 0.3  # more open cases than this share: most answers rest on what has not happened yet
LABELS = 8  # month names along the axis


@dataclass(frozen=True, eq=False)
class Audit(Result):
    """What the log holds and what would mislead: one row per check, `n` of `out_of`, with a level of its own.

    Levels: fact (a plain count), pass, note (use with care), refuse (no statements on cases by their opening date).
    """

    span: tuple[pd.Timestamp, ...] = ()
    months: pd.DataFrame = field(default_factory=pd.DataFrame)  # month (its first day), starts, ends

    formats: ClassVar = {
        "audit_check": "code",
        "n": "count",
        "out_of": "count",
        "share": "share",
        "audit_level": "code",
    }

    @property
    def level(self) -> str:
        """The gravest level of all checks: pass, note or refuse."""
        return next((level for level in ("refuse", "note") if (self.table["audit_level"] == level).any()), "pass")

    def sentences(self) -> tuple[Sentence, ...]:
        """The gravest level, and what the log holds."""
        n = self.table.set_index("audit_check")["n"]
        facts = {name: int(n[name]) for name in ("events", "cases", "activities", "variants")}
        first, last = self.span
        return (
            Sentence(f"process.audit.level.{self.level}"),
            Sentence("process.audit.facts", {**facts, "first": first, "last": last}),
        )

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Cases that begin and cases that end, month by month: the two should follow each other."""
        ax = own_axes(ax, lang, self.size)
        months = self.months
        place = np.arange(len(months))
        ax.plot(
            place,
            self.months["starts"],
            color=ACCENT,
            marker="o",
            markersize=4,
            label=say("process.audit.starts", lang),
        )
        ax.plot(
            place,
            months["ends"],
            color=CATEGORIES[1],
            marker="s",
            markersize=4,
            label=say("process.audit.ends", lang),
        )
        step = -(-len(place) // LABELS)
        names = [frame_line(month(day, lang, short=True), lang) for day in months["month"][::step]]
        ax.set_ylim(bottom=0)
        ax.set_ylabel(say("process.axis.cases", lang))
        legend(ax, lang)
        finish(ax, lang, kind="series", unit="count")
        ax.set_xticks(place[::step], names, rotation=30, ha="right")
        return ax


def audit(study: Study) -> Result:
    """The audit of a study's events: run it before any number about the process is believed."""
    if lacks := lacking(study):
        return not_answerable("process.question.audit", lacks)
    log = study_log(study)
    checks = _checks(study, log)
    rows = [*_facts(log.events), *(check[:4] for check in checks)]
    table = pd.DataFrame(rows, columns=["audit_check", "n", "out_of", "audit_level"])
    table.insert(3, "share", table["n"] / table["out_of"])
    notes = tuple(note for _, _, _, level, note in checks if level != "pass" and note is not None)
    return Audit(table, notes, span=_span(log.events), months=_months(study, log))


def _facts(events: EventLog) -> list[tuple[str, float, float, str]]:
    variants = len(traces(events).cases)
    facts = {"events": events.size, "cases": events.n_cases, "activities": len(events.activities), "variants": variants}
    return [(name, n, float("nan"), "fact") for name, n in facts.items()]


Check = tuple[str, float, float, str, Sentence | None]


def _checks(study: Study, log: StudyLog) -> list[Check]:
    """Every check: its name, count, base, level, and what to say when it does not pass."""
    events = log.events
    return [
        *_repeats(study, events),
        _counted("incomplete_events", events.dropped, events.size + events.dropped),
        *_order_of_ties(events),
        *([_counted("backward_numbers", events.backwards, events.size)] if events.ordered else []),
        _window(log),
        _midnight(events, study.time_zone),
        *_open(log),
    ]


def _counted(check: str, n: int, base: int) -> Check:
    """A check that any row breaks."""
    return (
        check,
        n,
        base,
        "note" if n else "pass",
        Sentence(f"process.audit.note.{check}", {"n": n, "share": n / max(base, 1)}),
    )


def _repeats(study: Study, events: EventLog) -> list[Check]:
    """Source rows that repeat another whole, as intake counted them, and events that do; told once where they agree."""
    gate = study.intake.get("gate")
    in_source = [
        _counted("source_repeats", found.n or 0, found.base or 0)
        for found in (Gate.from_dict(gate).findings if gate else ())
        if found.rule == "duplicate_rows" and found.table == "events"
    ]
    check, n, base, level, note = _counted("repeated_events", repeated_events(events), events.size)
    return [*in_source, (check, n, base, level, None if n in [m for _, m, *_ in in_source] else note)]


def repeated_events(events: EventLog) -> int:
    """Events that repeat an earlier one of the same case in activity, time, resource and team."""
    tied = ties(events)
    tied[1:] |= tied[:-1].copy()
    near = np.flatnonzero(tied)
    columns: dict[str, NDArray[np.integer] | None] = {
        "case": events.case,
        "at": events.at,
        "activity": events.activity,
        "resource": events.resource,
        "team": events.team,
    }
    return int(pd.DataFrame({k: c[near] for k, c in columns.items() if c is not None}).duplicated().sum())


def _order_of_ties(events: EventLog) -> list[Check]:
    tied, changed, variants = tie_sensitivity(events)
    level = "note" if changed and not events.ordered else "pass"
    note = Sentence("process.note.tie_order", {"cases": changed, "variants": variants})
    return [("tied_events", tied, events.size, "pass", None), ("tie_order", changed, events.n_cases, level, note)]


def _window(log: StudyLog) -> Check:
    ends, starts = extract_windows(log)
    level = "refuse" if chosen_by_end(log) else "pass"
    note = Sentence("process.note.chosen_by_end", {"ends": ends / DAY, "starts": starts / DAY})
    return "extract_window", ends / DAY, starts / DAY, level, note


def _midnight(events: EventLog, time_zone: str) -> Check:
    at = pd.DatetimeIndex(events.at.astype("datetime64[us]"), tz="UTC")
    n = max(int((day == day.normalize()).sum()) for day in (at, at.tz_convert(time_zone)))
    share = n / max(events.size, 1)
    return (
        "midnight",
        n,
        events.size,
        "note" if share > MIDNIGHT else "pass",
        Sentence("process.audit.note.midnight", {"share": share}),
    )


def _open(log: StudyLog) -> list[Check]:
    """Cases that are not closed at `as_of`; none to say where no closed activity is declared."""
    if not log.knows_end:
        return []
    n = int(log.is_open.sum())
    share = n / max(log.events.n_cases, 1)
    note = Sentence("process.audit.note.open", {"n": n, "share": share})
    return [("open", n, log.events.n_cases, "note" if share > STILL_OPEN else "pass", note)]


def _span(events: EventLog) -> tuple[pd.Timestamp, pd.Timestamp]:
    return pd.Timestamp(int(events.at.min()), unit="us"), pd.Timestamp(int(events.at.max()), unit="us")


def _months(study: Study, log: StudyLog) -> pd.DataFrame:
    """Cases that begin and finished cases that end, by local month of the study's calendar."""
    calendar = study.config.get("calendar", {}).get("months", "gregorian")
    periods = month_edges(*_span(log.events), study.time_zone, calendar)
    edges = np.array([p.start_at for p in periods] + [periods[-1].end_at], dtype="datetime64[us]").astype(np.int64)

    def counted(moments: Rows) -> Rows:
        return np.histogram(moments, edges)[0]

    events, done = log.events, ~log.is_open
    starts, ends = counted(events.at[events.first]), counted(events.at[events.last][done])
    return pd.DataFrame({"month": [p.first_on for p in periods], "starts": starts, "ends": ends})
