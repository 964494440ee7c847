"""What happens at each stage: who reaches it, how long a visit lasts, how much of all time it takes, where it leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.figures import ACCENT, CATEGORIES, GOOD, INK, MUTED, WARN, axis_name, finish, own_axes
from cxkit.lang import Coded, Lasting, Sentence, duration, is_rtl, percent, say, value
from cxkit.process.core import Rows, hand_offs_from, reach, rows_by_code, stations, transitions
from cxkit.process.doubts import doubts
from cxkit.process.drawing import legend_below
from cxkit.process.log import (
    KINDS,
    NOTHING,
    StudyLog,
    Visits,
    activity_word,
    after_first_resolve,
    lacking,
    study_log,
    visits,
)
from cxkit.result import Result, Row, not_answerable, span
from cxkit.stats.survival import KaplanMeier, kaplan_meier

if TYPE_CHECKING:
    from cxkit.study import Study

KIND_COLOURS = dict(zip(KINDS, (ACCENT, WARN, CATEGORIES[1], CATEGORIES[3], GOOD, MUTED), strict=True))


@dataclass(frozen=True, eq=False)
class Stages(Result):
    """How long each stage takes: one row per activity, in the order in which cases usually reach it.

    Times are in seconds (Kaplan-Meier: visits that still go on count as "at least so long"); `time_share` is the part
    of all recorded time, `before_share` and `after_share` the parts of the time before and after the first resolve.
    """

    min_cases: int = 30

    formats: ClassVar = {
        "activity": "code",
        "cases": "count",
        "median_seconds": "seconds",
        "median_interval": span("median_low", "median_high", kind="seconds"),
        "p90_seconds": "seconds",
        "open": "count",
        "time_share": "share",
        "before_share": "share",
    }
    size: ClassVar = (8.5, 4.6)

    def sentences(self) -> tuple[Sentence, ...]:
        """The stage that takes most of the time until the first resolve (of all time where none is declared)."""
        timed = self.table[self.table["time_share"] > 0]
        if timed.empty:
            return (Sentence("process.stages.nothing"),)
        known = timed["before_share"].notna().any()
        top = timed.sort_values("before_share" if known else "time_share", ascending=False).iloc[0]
        params = {
            "stage": Coded("activity", top["activity"]),
            "share": float(top["before_share"] if known else top["time_share"]),
            "median": Lasting(float(top["median_seconds"])),
            "p90": Lasting(float(top["p90_seconds"])),
        }
        return (Sentence("process.stages.most_before" if known else "process.stages.most", params),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """F1: median time of each stage with its interval, a tick at P90, coloured by kind of stage."""
        ax = own_axes(ax, lang, self.size)
        shown = self.table[self.table["median_seconds"].notna() & (self.table["cases"] >= self.min_cases)][::-1]
        unit, size = time_unit(shown["p90_seconds"])
        place = np.arange(len(shown))
        median = shown["median_seconds"].to_numpy() / size
        for kind in (k for k in KINDS if (shown["stage_kind"] == k).any()):
            of_kind = (shown["stage_kind"] == kind).to_numpy()
            ax.barh(
                place[of_kind],
                _finite(median[of_kind]),
                color=KIND_COLOURS[kind],
                height=0.6,
                label=value("stage_kind", kind, lang),
            )
        bounds = np.vstack([median - shown["median_low"] / size, shown["median_high"] / size - median])
        ax.errorbar(_finite(median), place, xerr=_finite(bounds), fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
        p90 = shown["p90_seconds"].to_numpy() / size
        ax.plot(
            p90[np.isfinite(p90)],
            place[np.isfinite(p90)],
            "|",
            color=INK,
            markersize=11,
            label=say("process.stages.p90", lang),
        )
        for y, row in zip(place, shown.to_dict("records"), strict=True):
            _write_median(ax, float(y), row, size, lang)
        ax.set_yticks(place, [axis_name(activity_word(a, lang)) for a in shown["activity"]])
        ax.set(xlabel=say(f"process.axis.{unit}_in_stage", lang), ylabel="")
        ax.set_xlim(left=0)
        ax.margins(x=0.12)
        legend_below(ax, lang, drop=0.17)
        return finish(ax, lang, kind="categories", unit="number", value_axis="x")


def _next_text(row: Row, lang: str) -> str:
    if not isinstance(row["next_activity"], str):
        return NOTHING
    name, share = activity_word(row["next_activity"], lang), percent(row["next_share"], lang, 0)
    return say("process.stages.next", lang, stage=name, share=share)


@dataclass(frozen=True, eq=False)
class Moves(Result):
    """How cases move through each stage: visits, returns, hand-offs right after a visit, and the usual next stage."""

    min_cases: int = 30

    formats: ClassVar = {
        "activity": "code",
        "cases": "count",
        "visits_per_case": "number2",
        "repeat_share": "share",
        "hand_offs_per_visit": "number2",
        "next_activity": ("c", _next_text),
    }

    def sentences(self) -> tuple[Sentence, ...]:
        """The stage that cases come back to most, and the one after which they change hands most."""
        known = self.table[self.table["cases"] >= self.min_cases]
        said = []
        for column, key in (("repeat_share", "process.moves.again"), ("hand_offs_per_visit", "process.moves.hands")):
            ranked = known[known[column] > 0].sort_values(column, ascending=False, kind="stable")
            if len(ranked):
                top = ranked.iloc[0]
                said.append(Sentence(key, {"stage": Coded("activity", top["activity"]), "value": float(top[column])}))
        return tuple(said) or (Sentence("process.moves.straight"),)


def time_unit(seconds: pd.Series) -> tuple[str, float]:
    """The unit for an axis that must hold `seconds`, and its length: days beyond two of them, else hours."""
    finite = seconds[np.isfinite(seconds)]
    return ("days", 86_400.0) if len(finite) and finite.max() > 2 * 86_400 else ("hours", 3_600.0)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, 0.0)


def _write_median(ax: Axes, y: float, row: Mapping[Any, Any], size: float, lang: str | None) -> None:
    """The median beside its bar, on the side of the reader's end of the line."""
    ends = [x / size for x in (row["median_seconds"], row["median_high"]) if np.isfinite(x)]
    ax.annotate(
        duration(row["median_seconds"], lang),
        (max(ends, default=0.0), y),
        xytext=(-6 if is_rtl(lang) else 6, 11),
        textcoords="offset points",
        ha="right" if is_rtl(lang) else "left",
        va="center",
        fontsize=8.5,
        color=INK,
    )


def stages(study: Study, min_cases: int = 30) -> Result:
    """The stage card of a study; stages that fewer than `min_cases` cases reach are noted as thin.

    Without declared resolved activities the shares before and after the first resolve are missing.
    """
    if lacks := lacking(study):
        return not_answerable("process.question.stages", lacks)
    log = study_log(study)
    table = stage_table(log)
    thin = int((table["cases"] < min_cases).sum())
    notes = [Sentence("process.note.thin", {"n": thin, "least": min_cases})] if thin else []
    return Stages(table, (*doubts(log), *notes), min_cases=min_cases)


def moves(study: Study, min_cases: int = 30) -> Result:
    """How cases move through the stages of a study; the verdict leaves out stages of fewer than `min_cases` cases."""
    if lacks := lacking(study):
        return not_answerable("process.question.moves", lacks)
    return Moves(stage_table(study_log(study)), min_cases=min_cases)


def stage_table(log: StudyLog) -> pd.DataFrame:
    """One row per activity: the columns that `Stages` documents."""
    events, stays = log.events, visits(log)
    n = len(events.activities)
    cases, repeated = reach(events)
    visited = np.bincount(events.activity, minlength=n)
    curves = [kaplan_meier(stays.seconds[i], stays.ended[i]) for i in rows_by_code(stays.activity, n)]
    following = _next_stage(log)
    table = pd.DataFrame(
        {
            "activity": events.activities,
            "stage_kind": [log.kind(a) for a in events.activities],
            "cases": cases,
            "visits": visited,
            "visits_per_case": visited / cases,
            "repeat_share": repeated / cases,
            **_times(curves),
            "open": np.bincount(stays.activity[~stays.ended], minlength=n),
            **time_shares(log, stays),
            "hand_offs_per_visit": _hand_offs_per_visit(log),
            "next_activity": [name for name, _ in following],
            "next_share": [share for _, share in following],
        }
    )
    order = np.lexsort((table["activity"], _usual_place(log)))
    return table.iloc[order].reset_index(drop=True)


def _times(curves: list[KaplanMeier]) -> dict[str, list[float]]:
    medians = [c.quantile_interval(0.5) for c in curves]
    return {
        "median_seconds": [float(m.estimate) for m in medians],
        "median_low": [float(m.low) for m in medians],
        "median_high": [float(m.high) for m in medians],
        "p90_seconds": [c.quantile(0.9) for c in curves],
    }


def time_shares(log: StudyLog, stays: Visits) -> dict[str, np.ndarray]:
    """Recorded time of each activity as a share of all of it, of that before the first resolve, and of that after it.

    Recorded means visits that ended. Without a resolved activity the last two are NaN.
    """
    n = len(log.events.activities)
    weight = np.where(stays.ended, stays.seconds, 0.0)
    after = after_first_resolve(log, stays.row)

    def share(part: np.ndarray) -> np.ndarray:
        spent = np.bincount(stays.activity, part, minlength=n)
        return spent / spent.sum() if spent.sum() else np.full(n, np.nan)

    unknown = np.full(n, np.nan)
    known = len(log.resolved) > 0
    return {
        "time_share": share(weight),
        "before_share": share(weight * ~after) if known else unknown,
        "after_share": share(weight * after) if known else unknown,
    }


def _hand_offs_per_visit(log: StudyLog) -> np.ndarray:
    """Hand-offs right after a visit, per visit; by resource, else by team, else NaN."""
    events, holders = log.events, log.holders
    holder = holders.get("resource", holders.get("team"))
    visited = np.bincount(events.activity, minlength=len(events.activities))
    if holder is None:
        return np.full(len(visited), np.nan)
    return hand_offs_from(events, stations(events, holder)) / visited


def _next_stage(log: StudyLog) -> list[tuple[str | None, float]]:
    """The commonest next activity of each and its share of the visits that have one; ties by name."""
    events = log.events
    found = transitions(events)
    exits: dict[str, list[tuple[int, str]]] = {}
    for (start, end), n in zip(found.pairs, found.n.tolist(), strict=True):
        exits.setdefault(start, []).append((-n, end))
    best = {start: (min(ends)[1], min(ends)[0] / sum(n for n, _ in ends)) for start, ends in exits.items()}
    return [best.get(name, (None, float("nan"))) for name in events.activities]


def _usual_place(log: StudyLog) -> np.ndarray:
    """Mean place (0 first, 1 last) of each activity's events within their cases."""
    events = log.events
    place: Rows = np.arange(events.size) - np.repeat(events.first, events.length)
    relative = place / np.repeat(np.maximum(events.length - 1, 1), events.length)
    n = len(events.activities)
    mean = np.bincount(events.activity, relative, minlength=n) / np.bincount(events.activity, minlength=n)
    return np.round(mean, 9)
