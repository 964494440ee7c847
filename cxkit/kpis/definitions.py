"""What each number means: its definition in words, its fingerprint, and whom it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from cxkit import measures
from cxkit.lang import Coded, Sentence
from cxkit.result import Format, Result, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True, eq=False)
class Definitions(Result):
    """One row a KPI: its words, its fingerprint, and the columns that are missing, if any."""

    declared: Mapping[str, measures.Measure] = field(default_factory=dict)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The definition is spoken by the measure itself, with its numbers."""
        words: Format = ("c", lambda row, lang: self.declared[row["kpi"]].definition.text(lang))
        return {"kpi": "code", "definition": words, "fingerprint": "text", "needs": "text"}

    def sentences(self) -> tuple[Sentence, ...]:
        """How many of the KPIs these data can carry."""
        carried = int((self.table["needs"] == "").sum())
        return (Sentence("kpis.definitions.carried", {"n": carried, "total": len(self.table)}),)


def definitions(study: Study) -> Definitions:
    """Every KPI of the registry with its definition, whether these data carry it or not."""
    declared = measures.registry(study)
    rows = [
        {
            "kpi": name,
            "definition": measure.variant or "default",
            "fingerprint": measure.definition_hash,
            "needs": ", ".join(measures.missing(measure, study)),
        }
        for name, measure in declared.items()
    ]
    return Definitions(pd.DataFrame(rows), (), declared)


@dataclass(frozen=True, eq=False)
class Population(Result):
    """One row a rule: rows that it leaves out, and those left afterwards."""

    kpi: str = ""

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Rules are named by the catalogue."""
        return {"rule": "code", "removed": "count", "left": "count"}

    def sentences(self) -> tuple[Sentence, ...]:
        """How many rows count, of how many."""
        total, left = int(self.table["left"].iloc[0]), int(self.table["left"].iloc[-1])
        return (Sentence("kpis.population.left", {"kpi": Coded("kpi", self.kpi), "n": left, "total": total}),)


def population(study: Study, kpi: str = "resolution_time") -> Result:
    """Whom `kpi` counts: the rows of its table, less those each rule leaves out."""
    measure = measures.registry(study)[kpi]
    if gaps := measures.missing(measure, study):
        return not_answerable(measure.question, gaps)
    return Population(measures.waterfall(study, measure), (), kpi)
