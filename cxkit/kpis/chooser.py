"""Which KPI answers which question, what it needs, and which of them these data can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from cxkit.kpis.asked import declared, lacking
from cxkit.kpis.scorecard import in_families
from cxkit.lang import Coded, Sentence, say
from cxkit.measures import Measure
from cxkit.result import Format, Result

if TYPE_CHECKING:
    from cxkit.study import Study

# cases for an interval of five points to either side (of a count, of a tenth), at the spread that asks for most;
# of a median: for an interval that reaches from the fortieth to the sixtieth percentile
LEAST: Mapping[str, int] = {"share": 385, "score": 385, "net": 1537, "count": 385, "duration": 97}


@dataclass(frozen=True, eq=False)
class Chooser(Result):
    """One row a KPI: the question it answers, the columns it needs, how many cases, what biases it, is it carried."""

    measures: Mapping[str, Measure] = field(default_factory=dict)

    max_rows: ClassVar[int] = 80

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Words come from the measure itself."""
        return {
            "family": "code",
            "kpi": "code",
            "question": ("c", lambda row, lang: self.measures[row["kpi"]].question.text(lang)),
            "needs_columns": "text",
            "least": "count",
            "bias": ("c", lambda row, lang: _biases(self.measures[row["kpi"]], lang)),
            "answerable": "yesno",
            "needs": "text",
        }

    def sentences(self) -> tuple[Sentence, ...]:
        """How many KPIs these data carry, and which families they carry none of."""
        carried = self.table[self.table["answerable"]]
        said = [Sentence("kpis.definitions.carried", {"n": len(carried), "total": len(self.table)})]
        without = [name for name in dict.fromkeys(self.table["family"]) if name not in set(carried["family"])]
        return (*said, *(Sentence("kpis.chooser.without", {"family": Coded("family", name)}) for name in without))


def _biases(measure: Measure, lang: str) -> str:
    return " ".join(say(f"kpi.caveat.{code}", lang) for code in measure.caveats)


def chooser(study: Study) -> Chooser:
    """Every KPI of the registry with the question it answers, whether these data carry it or not."""
    measures = declared(study)
    rows = [
        {
            "family": measures[name].family,
            "kpi": name,
            "needs_columns": ", ".join(sorted(f"{measures[name].of}.{c}" for c in measures[name].required)),
            "least": LEAST.get(measures[name].kind, float("nan")),
            "answerable": not lacking(study, name),
            "needs": ", ".join(lacking(study, name)),
        }
        for name in in_families(measures, tuple(measures))
    ]
    return Chooser(pd.DataFrame(rows), (Sentence("kpis.chooser.least"),), measures)
