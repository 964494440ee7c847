"""How the answers to a survey question spread over its scale: what a mean or a top box leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.errors import MeasureError
from cxkit.kpis.asked import declared, lacking
from cxkit.lang import Amount, Coded, Sentence, number, value
from cxkit.measures import Net, Score, registry, tally
from cxkit.measures.once import once
from cxkit.result import Result, not_answerable, span
from cxkit.stats import wilson

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True, eq=False)
class Distribution(Result):
    """One row for each answer of the scale: count, share with Wilson's interval, and what it counts as."""

    kpi: str = ""

    formats = {"answer": "number0", "n": "count", "share": "share", "interval": span(kind="share"), "counts": "code"}
    size: ClassVar[tuple[float, float]] = (8.0, 3.2)

    def sentences(self) -> tuple[Sentence, ...]:
        """The commonest answer, and how many gave the two ends of the scale."""
        if not self.table["n"].sum():
            return (Sentence("kpis.distribution.none", {"kpi": Coded("kpi", self.kpi)}),)
        rows = self.table
        facts = {
            "kpi": Coded("kpi", self.kpi),
            "answer": int(rows["answer"].iloc[int(rows["n"].argmax())]),
            "share": Amount(float(rows["share"].max()), "share"),
            "lowest": Amount(float(rows["share"].iloc[0]), "share"),
            "highest": Amount(float(rows["share"].iloc[-1]), "share"),
        }
        return (Sentence("kpis.distribution.spread", facts),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """A bar for each answer, from the lowest to the highest; favourable ones in colour."""
        ax = figures.own_axes(ax, lang, self.size)
        colours = {"favourable": figures.GOOD, "unfavourable": figures.BAD, "between": figures.MUTED}
        at = np.arange(len(self.table))
        spread = [self.table["share"] - self.table["low"], self.table["high"] - self.table["share"]]
        ax.bar(at, self.table["share"], color=[colours[c] for c in self.table["counts"]], width=0.75)
        ax.errorbar(at, self.table["share"], yerr=spread, fmt="none", ecolor=figures.INK, elinewidth=1)
        ax.set_xticks(at, [number(answer, lang) for answer in self.table["answer"]])
        ax.set_title(value("kpi", self.kpi, lang))
        return figures.finish(ax, lang, "categories", "percent", "y")


def distribution(study: Study, kpi: str = "csat", level: float = 0.95) -> Result:
    """The answers behind a Score or Net KPI: every answer of the scale with its share, also those nobody gave."""
    measure = declared(study)[kpi]
    if gaps := lacking(study, kpi):
        return not_answerable(measure.question, gaps)
    if not isinstance(measure, Score | Net):
        if isinstance(asked := registry()[kpi], Score | Net):  # the help desk's own good-or-bad stands in for a survey
            return not_answerable(asked.question, (f"survey_answers.item={kpi}",))
        raise MeasureError("measure_not_scale", kpi=measure.spoken)
    counted = once(study, ("tally", kpi), lambda: tally(study, measure))
    given = counted.dropna(subset=["value"]).groupby("value")["n"].sum()
    low, high = measure.scale
    answers = np.arange(int(low), int(high) + 1)
    n = given.reindex(answers, fill_value=0).to_numpy(dtype=np.float64)
    shares = wilson(n, np.full_like(n, n.sum()), level)
    good = measure.promoters if isinstance(measure, Net) else measure.top
    bad = measure.detractors if isinstance(measure, Net) else ()
    counts = np.where(np.isin(answers, good), "favourable", np.where(np.isin(answers, bad), "unfavourable", "between"))
    ends = {"share": shares.estimate, "low": shares.low, "high": shares.high}
    table = pd.DataFrame({"answer": answers, "n": n.astype(np.int64), **ends, "counts": counts})
    return Distribution(table, (), kpi)
