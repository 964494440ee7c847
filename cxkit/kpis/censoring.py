"""What the open tickets do to a duration: Kaplan-Meier beside the closed-only numbers of most dashboards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.errors import MeasureError
from cxkit.kpis.asked import declared, estimated, lacking
from cxkit.kpis.drawing import bar_of, edge_of
from cxkit.kpis.judging import UNITS
from cxkit.lang import Amount, Coded, Sentence, is_rtl, say, value
from cxkit.measures import Duration, closed_only
from cxkit.measures.once import once
from cxkit.result import Result, by_unit, not_answerable, records, span

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True, eq=False)
class Censoring(Result):
    """One row a statistic: with open tickets counted (value, low, high) and closed tickets only (naive)."""

    kpi: str = ""

    formats = {
        "stat": "code",
        "value": by_unit("value"),
        "interval": span(),
        "naive": by_unit("naive"),
        "n": "count",
        "open": "count",
    }
    size: ClassVar[tuple[float, float]] = (8.0, 2.6)

    def sentences(self) -> tuple[Sentence, ...]:
        """How much shorter the closed-only P90 looks, and how many tickets it leaves out."""
        tail = next((row for row in records(self.table) if row["stat"] == "p90"), None)
        if tail is None or not np.isfinite(tail["value"]):
            return (Sentence("kpis.censoring.none", {"kpi": Coded("kpi", self.kpi)}),)
        facts = {"value": Amount(tail["value"], "seconds"), "naive": Amount(tail["naive"], "seconds")}
        return (Sentence("kpis.censoring.tail", {"kpi": Coded("kpi", self.kpi), "open": int(tail["open"]), **facts}),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Median and P90, counted both ways."""
        ax = figures.own_axes(ax, lang, self.size)
        rows = self.table[self.table["unit"] == "seconds"].reset_index(drop=True)
        edge = edge_of(rows)
        for at, row in enumerate(records(rows)):
            bar_of(ax, at, row, edge, figures.ACCENT, lang)
        ax.plot([], [], "o", color=figures.ACCENT, label=say("column.with_open", lang))
        ax.plot(rows["naive"], rows.index, "D", color=figures.BAD, label=say("column.naive", lang))
        ax.set_yticks(list(rows.index), [value("stat", stat, lang) for stat in rows["stat"]])
        ax.set(ylim=(-0.7, len(rows) - 0.3), xlim=(0, None))
        ax.set_title(value("kpi", self.kpi, lang))
        figures.legend(ax, lang, loc="lower left" if is_rtl(lang) else "lower right")
        return figures.finish(ax, lang, "categories", "seconds", "x")


def censoring(study: Study, kpi: str = "resolution_time", level: float = 0.95) -> Result:
    """The duration `kpi` estimated with its open tickets censored at `as_of`, beside the closed-only numbers."""
    measure = declared(study)[kpi]
    if gaps := lacking(study, kpi):
        return not_answerable(measure.question, gaps)
    if not isinstance(measure, Duration):
        raise MeasureError("measure_not_duration", kpi=kpi)
    table = estimated(study, [kpi], (), level)
    naive = once(study, ("closed only", kpi), lambda: closed_only(study, measure)).set_index("stat")["value"]
    table["unit"] = table["stat"].map(UNITS)
    table["naive"] = table["stat"].map(naive).astype(float)
    return Censoring(pd.DataFrame(table), (Sentence("kpis.censoring.why"),), kpi)
