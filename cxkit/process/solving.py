"""How long until a case is first resolved, beside how long until it is closed: two times that are often mixed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.figures import ACCENT, CATEGORIES, finish, legend, own_axes, value_formatter
from cxkit.lang import Coded, Lasting, Sentence, say, value
from cxkit.process.clocks import timer_table
from cxkit.process.core import MICRO, Rows, case_seconds
from cxkit.process.doubts import DAY, doubts
from cxkit.process.log import StudyLog, lacking, study_log
from cxkit.result import Result, not_answerable, span
from cxkit.stats.survival import KaplanMeier, kaplan_meier

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True, eq=False)
class Resolution(Result):
    """Time from a case's first event to its first resolve, and to its first close.

    Kaplan-Meier with the cases that have not got there counted as still waiting at `as_of`; `finished_seconds` is the
    plain median of those that have, which is what most tools print. `after_share` is the part of the recorded time of
    resolved cases (first to last event) that comes after their first resolve.
    """

    after_share: float = float("nan")
    timers: tuple[Sentence, ...] = ()
    curves: tuple[KaplanMeier, ...] = ()

    formats: ClassVar = {
        "moment": "code",
        "cases": "count",
        "open": "count",
        "median_seconds": "seconds",
        "median_interval": span("median_low", "median_high", kind="seconds"),
        "p90_seconds": "seconds",
        "finished_seconds": "seconds",
    }

    def sentences(self) -> tuple[Sentence, ...]:
        """The time to first resolve, then that to close and how much of it no customer waited for."""
        median = {row["moment"]: row for row in self.table.to_dict("records")}
        first = median["first_resolve"]
        said = [
            Sentence(
                "process.resolution.first",
                {
                    "median": Lasting(first["median_seconds"]),
                    "finished": Lasting(first["finished_seconds"]),
                    "n": first["cases"] - first["open"],
                    "open": first["open"],
                },
            )
        ]
        if "close" in median:
            close = {"median": Lasting(median["close"]["median_seconds"]), "share": self.after_share}
            said.append(Sentence("process.resolution.close", close))
        return (*said, *self.timers)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Share of cases that got there within so many days."""
        ax = own_axes(ax, lang, self.size)
        end = 0.0
        for curve, moment, colour in zip(self.curves, self.table["moment"], (ACCENT, CATEGORIES[1]), strict=False):
            ax.step(
                np.append(0, curve.times / DAY),
                np.append(0, 1 - curve.survival),
                where="post",
                color=colour,
                linewidth=2,
                label=value("moment", moment, lang),
            )
            late = curve.quantile(0.98)
            end = max(end, late if np.isfinite(late) else curve.quantile(0.5) * 4)
        if 0 < end < np.inf:
            ax.set_xlim(0, 1.04 * end / DAY)
        ax.set_ylim(0, 1)
        ax.set(xlabel=say("process.axis.days_since_start", lang), ylabel=say("process.axis.share_there", lang))
        legend(ax, lang, loc="lower right")
        ax.xaxis.set_major_formatter(value_formatter("number", lang))
        return finish(ax, lang, kind="series", unit="percent")


def resolution(study: Study, share: float = 0.3, min_visits: int = 300) -> Result:
    """Time to first resolve beside time to close; `share` and `min_visits` as in `timers`.

    A case that is closed without a resolved activity counts as resolved when it is closed.
    """
    if lacks := lacking(study, "resolved"):
        return not_answerable("process.question.resolution", lacks)
    log = study_log(study)
    moments = {"first_resolve": log.first_resolve}
    if len(log.closed):
        moments["close"] = log.first_close
    curves, rows = [], []
    for moment, row in moments.items():
        curve, finished = _waiting(log, row)
        median = curve.quantile_interval(0.5)
        curves.append(curve)
        rows.append((moment, int(curve.n), int((row < 0).sum()), *median, curve.quantile(0.9), finished))
    columns = [
        "moment",
        "cases",
        "open",
        "median_seconds",
        "median_low",
        "median_high",
        "p90_seconds",
        "finished_seconds",
    ]
    return Resolution(
        pd.DataFrame(rows, columns=columns),
        doubts(log),
        after_share=after_resolve_share(log),
        timers=_timers_after_resolve(log, share, min_visits),
        curves=tuple(curves),
    )


def _waiting(log: StudyLog, row: Rows) -> tuple[KaplanMeier, float]:
    """The curve of the time until the event in `row` (-1: not yet), and the plain median of those that had it."""
    events = log.events
    reached = row >= 0
    until = np.where(reached, events.at[row], log.as_of)
    seconds = (until - events.at[events.first]) * MICRO
    finished = float(np.median(seconds[reached])) if reached.any() else float("nan")
    return kaplan_meier(seconds, reached), finished


def after_resolve_share(log: StudyLog) -> float:
    """Share of the recorded time of resolved cases that comes after their first resolve; NaN without such time."""
    events = log.events
    first = log.first_resolve
    resolved = first >= 0
    whole = case_seconds(events)[resolved].sum()
    after = ((events.at[events.last] - events.at[first]) * MICRO)[resolved].sum()
    return float(after / whole) if whole else float("nan")


def _timers_after_resolve(log: StudyLog, share: float, min_visits: int) -> tuple[Sentence, ...]:
    table, _ = timer_table(log.events, share, min_visits)
    names = {log.events.activities[code] for code in log.resolved}
    found = table[(table["timer_rule"] != "none") & table["from_activity"].isin(names)]
    return tuple(
        Sentence(
            "process.resolution.timer",
            {"start": Coded("activity", row.from_activity), "end": Coded("activity", row.to_activity)},
        )
        for row in found.itertuples()
    )
