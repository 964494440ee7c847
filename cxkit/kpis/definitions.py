"""What each number means: its definition in words, its fingerprint, and whom it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from cxkit.kpis.asked import declared, lacking
from cxkit.lang import Coded, Sentence
from cxkit.measures import Measure, waterfall
from cxkit.measures.once import once
from cxkit.result import Format, Result, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True, eq=False)
class Definitions(Result):
    """One row a KPI: its words, its fingerprint, and the columns that are missing, if any."""

    measures: Mapping[str, Measure] = field(default_factory=dict)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The definition is spoken by the measure itself, with its numbers."""
        words: Format = ("c", lambda row, lang: self.measures[row["kpi"]].definition.text(lang))
        return {"kpi": "code", "definition": words, "fingerprint": "text", "needs": "text"}

    max_rows: ClassVar[int] = 80

    def sentences(self) -> tuple[Sentence, ...]:
        """How many of the KPIs these data can carry."""
        carried = int((self.table["needs"] == "").sum())
        return (Sentence("kpis.definitions.carried", {"n": carried, "total": len(self.table)}),)


def definitions(study: Study) -> Definitions:
    """Every KPI of the registry with its definition, whether these data carry it or not."""
    measures = declared(study)
    rows = [
        {
            "kpi": name,
            "definition": measure.variant or "default",
            "fingerprint": measure.definition_hash,
            "needs": ", ".join(lacking(study, name)),
        }
        for name, measure in measures.items()
    ]
    return Definitions(pd.DataFrame(rows), (), measures)


@dataclass(frozen=True, eq=False)
class Population(Result):
    """One row a rule: rows that it leaves out, and those left afterwards."""

    kpi: str = ""

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Rules are named by the catalogue."""
        return {"rule": "code", "removed": "count", "left": "count"}

    @property
    def short(self) -> Population:
        """The same without the rules that leave nothing out."""
        used = self.table[(self.table["removed"] > 0) | (self.table["rule"] == "all")]
        return Population(used.reset_index(drop=True), (), self.kpi)

    def sentences(self) -> tuple[Sentence, ...]:
        """How many rows count, of how many."""
        total, left = int(self.table["left"].iloc[0]), int(self.table["left"].iloc[-1])
        return (Sentence("kpis.population.left", {"kpi": Coded("kpi", self.kpi), "n": left, "total": total}),)


def population(study: Study, kpi: str = "resolution_time") -> Result:
    """Whom `kpi` counts: the rows of its table, less those each rule leaves out."""
    measure = declared(study)[kpi]
    if gaps := lacking(study, kpi):
        return not_answerable(measure.question, gaps)
    return counted(study, kpi)


def counted(study: Study, kpi: str) -> Population:
    """Whom a KPI that the data carry counts."""
    return Population(once(study, ("waterfall", kpi), lambda: waterfall(study, declared(study)[kpi])), (), kpi)
