"""How one KPI moved from month to month, with the month that is not over yet set apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.calendars import local_midnight
from cxkit.kpis.scorecard import with_targets
from cxkit.lang import Amount, Coded, Range, Sentence, month, say, value
from cxkit.measures import begins_at, estimates, missing, registry
from cxkit.result import Result, by_unit, not_answerable, span

if TYPE_CHECKING:
    from cxkit.study import Study

THIN = 30


@dataclass(frozen=True, eq=False)
class Trend(Result):
    """One row a month: value, interval, n, still open, and whether the month was complete at `as_of`."""

    kpi: str = ""
    target: float = float("nan")

    formats = {
        "month": "month",
        "value": by_unit("value"),
        "interval": span(),
        "n": "count",
        "open": "count",
        "complete": "yesno",
    }

    @property
    def complete(self) -> pd.DataFrame:
        """The months that were over at `as_of` and have an estimate."""
        return self.table[self.table["complete"] & self.table["value"].notna()]

    def sentences(self) -> tuple[Sentence, ...]:
        """The last complete month with its interval, and the range of the complete months with enough cases.

        A month whose median is not reached is the slowest of all: it is said, not skipped.
        """
        whole = self.complete
        if whole.empty:
            return (Sentence("kpis.trend.none", {"kpi": Coded("kpi", self.kpi)}),)
        last, solid = whole.iloc[-1], whole[(whole["n"] >= THIN) | (whole["kind"] == "count")]
        unit = str(last["unit"])
        said = [
            Sentence(
                "kpis.trend.last",
                {
                    "kpi": Coded("kpi", self.kpi),
                    "month": Amount(last["month"], "month"),
                    "value": Amount(float(last["value"]), unit),
                    "interval": Range(float(last["low"]), float(last["high"]), unit),
                },
            )
        ]
        if len(solid) > 1:
            ordered = solid.sort_values("value", kind="stable")
            lowest, highest = ordered.iloc[0], ordered.iloc[-1]
            said.append(
                Sentence(
                    "kpis.trend.range",
                    {
                        "n": len(solid),
                        "lowest": Amount(float(lowest["value"]), unit),
                        "lowest_month": Amount(lowest["month"], "month"),
                        "highest": Amount(float(highest["value"]), unit),
                        "highest_month": Amount(highest["month"], "month"),
                    },
                )
            )
        return tuple(said)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Line with its interval; an incomplete month is a hollow dot; the target is a dashed line."""
        ax = figures.own_axes(ax, lang, self.size)
        shown = self.table[np.isfinite(self.table["value"])]
        at = np.flatnonzero(np.isfinite(self.table["value"]))
        low, high = shown["low"].to_numpy(float), shown["high"].to_numpy(float)
        high = np.where(np.isfinite(high), high, np.nanmax([*shown["value"], *high[np.isfinite(high)]], initial=0))
        ax.fill_between(at, low, high, color=figures.ACCENT, alpha=0.18, linewidth=0)
        whole = shown["complete"].to_numpy(bool)
        ax.plot(at[whole], shown["value"][whole], "-o", color=figures.ACCENT, markersize=5)
        ax.plot(at[~whole], shown["value"][~whole], "o", color=figures.ACCENT, markerfacecolor=figures.PAPER)
        if pd.notna(self.target):
            ax.axhline(self.target, color=figures.INK, linestyle="--", linewidth=1.2, label=say("column.target", lang))
            figures.legend(ax, lang, loc="best")
        ax.set_xticks(range(len(self.table)), [month(m, lang, short=True) for m in self.table["month"]], rotation=45)
        unit = str(self.table["unit"].iloc[0]) if len(self.table) else "number2"
        ax.set_title(f"{value('kpi', self.kpi, lang)} · {value('stat', _stat(self), lang)}")
        return figures.finish(ax, lang, "series", figures.axis_unit(unit), "y")


def _stat(trend: Trend) -> str:
    return str(trend.table["stat"].iloc[0]) if len(trend.table) else ""


def trend(study: Study, kpi: str, level: float = 0.95) -> Result:
    """The headline statistic of `kpi` in every month of the study's calendar.

    A month is complete when the data cover it and it was over at `as_of`; a fall in another is no finding.
    """
    measures = registry(study)
    measure = measures[kpi]
    if gaps := missing(measure, study):
        return not_answerable(measure.question, gaps)
    found = with_targets(estimates(study, [measure], by=("month",), level=level), study, measures)
    table = found[found["headline"]].sort_values("month").reset_index(drop=True)
    # A month is settled when it was over, and when none of its yes-or-no cases still waits for its follow-up.
    undecided = table["kind"].eq("share") & table["open"].gt(0)
    # The first month is settled when the data begin with it, give or take a long weekend.
    begins = begins_at(study, measure) - pd.Timedelta(days=4)
    late = [local_midnight(pd.Timestamp(m).date(), study.time_zone) < begins for m in table["month"]]
    table["complete"] = ~table["partial"] & ~undecided & ~np.array(late, dtype=bool)
    thin = table[(table["n"] < THIN) & table["value"].notna()]
    notes = [Sentence("kpis.trend.thin", {"n": len(thin), "least": THIN})] if len(thin) else []
    if not table["complete"].all():
        notes.append(Sentence("kpis.trend.incomplete"))
    target = float(study.targets.get(kpi, float("nan")))
    return Trend(table, tuple(notes), kpi, target)
