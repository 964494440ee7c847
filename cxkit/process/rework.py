"""How often a solution does not hold: cases that go back to work after they were resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.figures import ACCENT, CATEGORIES, finish, own_axes
from cxkit.lang import Sentence, say, value
from cxkit.process.core import Mask, has_next, per_case, seconds_to_next
from cxkit.process.log import CLOSED, StudyLog, after_first_resolve, lacking, study_log
from cxkit.result import Result, not_answerable, span
from cxkit.stats.intervals import wilson

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True, eq=False)
class Reopens(Result):
    """Cases whose first solution did not hold, under the readings that are in use; shares are of all cases."""

    formats: ClassVar = {
        "reading": "code",
        "cases": "count",
        "share": "share",
        "interval": span(kind="share"),
        "times": "count",
        "median_seconds": "seconds",
    }
    size: ClassVar = (8.0, 2.8)

    def sentences(self) -> tuple[Sentence, ...]:
        """How many cases came back to work, and what the wide reading adds."""
        row = {r["reading"]: r for r in self.table.to_dict("records")}
        said = [
            Sentence(
                "process.reopens.verdict",
                {"cases": int(row["reopened"]["cases"]), "share": float(row["reopened"]["share"])},
            )
        ]
        if row["not_held"]["cases"] > row["reopened"]["cases"]:
            said.append(
                Sentence(
                    "process.reopens.wide",
                    {
                        "cases": int(row["not_held"]["cases"]),
                        "share": float(row["not_held"]["share"]),
                        "again": int(row["resolved_again"]["cases"]),
                    },
                )
            )
        return tuple(said)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Share of cases under each reading, with its interval."""
        ax = own_axes(ax, lang, self.size)
        shown = self.table[::-1]
        place = np.arange(len(shown))
        ax.barh(place, shown["share"], color=ACCENT, height=0.55)
        width = np.vstack([shown["share"] - shown["low"], shown["high"] - shown["share"]])
        ax.errorbar(shown["share"], place, xerr=width, fmt="none", ecolor=CATEGORIES[6], capsize=3)
        ax.set_yticks(place, [value("reading", r, lang) for r in shown["reading"]])
        ax.set_xlabel(say("process.axis.share_of_cases", lang))
        ax.set_xlim(left=0)
        return finish(ax, lang, kind="categories", unit="percent", value_axis="x")


def reopens(study: Study) -> Result:
    """Reopenings of a study, under three readings.

    reopened: once resolved or closed, back to an activity that is neither, nor declared as "after" (such as a survey
    that is sent). resolved_again: a resolve right after a resolve, often the same click recorded twice. not_held: a
    resolve followed by anything but a close, the reading of tools that look only at what follows a resolve.
    """
    if lacks := lacking(study, "resolved"):
        return not_answerable("process.question.reopens", lacks)
    log = study_log(study)
    notes = () if log.knows_end else (Sentence("process.note.no_closed_reopens", CLOSED),)
    return Reopens(_reopen_table(log), notes)


def _reopen_table(log: StudyLog) -> pd.DataFrame:
    events = log.events
    goes_on = has_next(events)
    after = np.roll(events.activity, -1)  # its last entry belongs to no pair: `goes_on` is False there
    resolved, closed = np.isin(events.activity, log.resolved), np.isin(events.activity, log.closed)
    then_resolved, then_closed = np.isin(after, log.resolved), np.isin(after, log.closed)
    quiet = np.isin(events.activity, events.codes_of(tuple(a for a in events.activities if log.kind(a) == "after")))
    quiet |= resolved | closed
    was_done = quiet & after_first_resolve(log, np.arange(events.size))
    readings: dict[str, Mask] = {
        "reopened": goes_on & was_done & ~np.roll(quiet, -1),
        "resolved_again": goes_on & resolved & then_resolved,
        "not_held": goes_on & resolved & ~then_closed,
    }
    gap = seconds_to_next(events)
    rows = []
    for reading, mask in readings.items():
        cases = int((per_case(events, mask) > 0).sum())
        median = float(np.median(gap[mask])) if mask.any() else float("nan")
        rows.append((reading, cases, *wilson(cases, events.n_cases), int(mask.sum()), median))
    return pd.DataFrame(rows, columns=["reading", "cases", "share", "low", "high", "times", "median_seconds"])
