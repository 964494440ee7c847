"""One KPI side by side for the channels, teams or any other groups of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.scorecard import WIDE, likeness_unknown, widened, with_targets
from cxkit.kpis.words import thin_note
from cxkit.lang import Amount, Coded, Sentence, value
from cxkit.measures import check_group, columns_of, estimates, missing, registry
from cxkit.result import Result, by_unit, not_answerable, records, span

if TYPE_CHECKING:
    from cxkit.study import Study

THIN = 30


@dataclass(frozen=True, eq=False)
class ByGroup(Result):
    """One row a group: value, interval, n and still open."""

    kpi: str = ""
    by: str = "channel"

    formats = {
        "channel": "code",
        "language": "code",
        "priority": "code",
        "team": "text",
        "topic": "text",
        "stat": "code",
        "value": by_unit("value"),
        "interval": span(),
        "n": "count",
        "open": "count",
    }
    size: ClassVar[tuple[float, float]] = (8.0, 3.6)

    def sentences(self) -> tuple[Sentence, ...]:
        """The highest and the lowest group with enough cases, and whether their intervals keep apart.

        The intervals allow for the likeness of an agent's tickets: groups are mostly served by different agents.
        """
        solid = self.table[(self.table["n"] >= THIN) & self.table["value"].notna()].sort_values("value", kind="stable")
        if len(solid) < 2:
            return (Sentence("kpis.groups.few", {"kpi": Coded("kpi", self.kpi), "least": THIN}),)
        top, bottom = solid.iloc[-1], solid.iloc[0]
        told = not (likeness_unknown(top) or likeness_unknown(bottom))
        apart = told and widened(top)[0] > widened(bottom)[1]
        key = "kpis.groups.apart" if apart else "kpis.groups.overlap"
        unit = str(top["unit"])
        return (
            Sentence(
                key,
                {
                    "kpi": Coded("kpi", self.kpi),
                    "highest": Coded(self.by, top[self.by]),
                    "highest_value": Amount(float(top["value"]), unit),
                    "lowest": Coded(self.by, bottom[self.by]),
                    "lowest_value": Amount(float(bottom["value"]), unit),
                },
            ),
        )

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """A dot with its interval for each group, the largest value on top."""
        ax = figures.own_axes(ax, lang, self.size)
        shown = self.table[np.isfinite(self.table["value"])].sort_values("value").reset_index(drop=True)
        for at, row in enumerate(records(shown)):
            high = row["high"] if np.isfinite(row["high"]) else row["value"]
            colour = figures.ACCENT if row["n"] >= THIN else figures.MUTED
            ax.hlines(at, row["low"], high, color=colour, linewidth=6, alpha=0.35)
            ax.plot(row["value"], at, "o", color=colour)
        ax.set_yticks(range(len(shown)), [figures.axis_name(value(self.by, group, lang)) for group in shown[self.by]])
        ax.set_ylim(-0.7, len(shown) - 0.3)
        unit = str(shown["unit"].iloc[0]) if len(shown) else "number2"
        stat = str(shown["stat"].iloc[0]) if len(shown) else ""
        ax.set_title(f"{value('kpi', self.kpi, lang)} · {value('stat', stat, lang)}")
        return figures.finish(ax, lang, "categories", figures.axis_unit(unit), "x")


def by_group(study: Study, kpi: str, by: str = "channel", level: float = 0.95) -> Result:
    """The headline statistic of `kpi` for each value of the column `by`; groups without cases are absent."""
    measures = registry(study)
    measure = measures[kpi]
    check_group(by, columns_of(study, measure.of))
    if gaps := missing(measure, study):
        return not_answerable(measure.question, gaps)
    if by not in columns_of(study, measure.of):
        return not_answerable(measure.question, (f"{measure.of}.{by}",))
    found = with_targets(estimates(study, [measure], by=(by,), level=level), study, measures)
    table = found[found["headline"]].reset_index(drop=True)
    table[by] = table[by].astype(object).where(table[by].notna(), "unknown")
    table = table.sort_values(["n", by], ascending=[False, True]).reset_index(drop=True)
    thin = [thin_note(row, Coded(by, row[by])) for row in records(table) if row["n"] < THIN]
    alike = [row for row in records(table) if likeness_unknown(row) or row["widening"] > WIDE]
    return ByGroup(table, (*thin, *([Sentence("kpis.groups.agents")] if alike else [])), kpi, by)
