"""What the gate found in a study's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from cxkit import contract
from cxkit.contract import Finding, Gate
from cxkit.lang import Sentence
from cxkit.result import Format, Result

if TYPE_CHECKING:
    from cxkit.study import Study

_SAID = 3  # findings that the verdict repeats


def _finding(finding: Finding, lang: str) -> str:
    """What is wrong, and where."""
    return " ".join(part.text(lang) for part in (finding.says, finding.where) if part is not None)


@dataclass(frozen=True, eq=False)
class GateResult(Result):
    """One row a finding, stops first: rule, table, rows concerned, and how to mend it. Values are never shown."""

    found: Gate = Gate()  # noqa: RUF009 - frozen, so it can be shared

    max_rows: ClassVar = 80

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The words of a finding come from the finding itself."""
        return {
            "severity": "code",
            "finding": self._spoken(_finding),
            "mend": self._spoken(lambda finding, lang: finding.mend.text(lang)),
        }

    def _spoken(self, words: Callable[[Finding, str], str]) -> Format:
        return "c", lambda row, lang: words(self.found.findings[row["place"]], lang)

    @property
    def level(self) -> str:
        """pass, warn or stop."""
        return self.found.level

    def sentences(self) -> tuple[Sentence, ...]:
        """The level, and the gravest findings."""
        return (self.found.verdict, *(finding.says for finding in self.found.findings[:_SAID]))


def gate(study: Study) -> GateResult:
    """The gate's findings on a study, as its intake kept them; tables laid there by hand are checked now."""
    kept = study.intake.get("gate")
    if kept:
        return gate_result(Gate.from_dict(kept))
    found = contract.gate({name: study.table(name).to_pyarrow() for name in study.tables})
    return gate_result(found)


def gate_result(found: Gate) -> GateResult:
    """A gate as a result, for a notebook."""
    return GateResult(_table(found), found=found)


def _table(found: Gate) -> pd.DataFrame:
    columns = ["place", "severity", "rule", "table", "columns", "n", "base", "share", "first_rows", "file"]
    rows: list[tuple[Any, ...]] = [
        (i, f.severity, f.rule, f.table, f.columns, f.n, f.base, f.share, f.rows, f.file)
        for i, f in enumerate(found.findings)
    ]
    return pd.DataFrame(rows, columns=columns).astype({"n": "float", "base": "float", "share": "float"})
