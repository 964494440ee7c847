"""What the gate found: rules, tables, rows and counts, never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cxkit.lang import Coded, Named, Sentence, Word, is_rtl, label, say

RLM = "\u200f"  # a list of numbers has no direction of its own
ROWS_NAMED = 5  # row numbers given with a finding


@dataclass(frozen=True)
class RowNumbers(Word):
    """Row numbers inside a sentence, in the digits of its language."""

    code: tuple[int, ...]

    def text(self, lang: str | None = None) -> str:
        """The numbers, joined and ordered as the language reads a list."""
        mark = RLM if is_rtl(lang) else ""
        return mark + f"{say('common.comma', lang)} ".join(label(row, lang) for row in self.code)


@dataclass(frozen=True)
class Finding:
    """One rule that some table breaks."""

    rule: str
    table: str
    severity: str  # warn or stop
    columns: tuple[str, ...] = ()
    n: int | None = None  # rows that break the rule
    base: int | None = None  # rows that were looked at
    rows: tuple[int, ...] = ()  # the first of them, counted as in the source file
    file: str | None = None  # where `rows` are counted, when several files make the table
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """Share (0-1) of the rows looked at that break the rule; None where rows are not counted."""
        return None if self.n is None or not self.base else self.n / self.base

    @property
    def says(self) -> Sentence:
        """What is wrong, as a code with parameters."""
        counts = {"n": self.n or 0, "base": self.base or 0, "share": self.share or 0.0}
        names = {"table": Coded("table", self.table), "columns": ", ".join(self.columns)}
        means = Named(f"contract.means.{self.columns[0]}" if self.columns else "contract.no_column")
        words = {name: Coded("table", entry) if name == "target" else entry for name, entry in self.params.items()}
        return Sentence(f"contract.rule.{self.rule}.says", {**counts, **names, "means": means, **words})

    @property
    def mend(self) -> Sentence:
        """What the analyst can do about it."""
        return Sentence(f"contract.rule.{self.rule}.mend")

    @property
    def where(self) -> Sentence | None:
        """The first rows concerned, if they are known."""
        if not self.rows:
            return None
        if self.file is None:
            return Sentence("contract.where", {"rows": RowNumbers(self.rows)})
        return Sentence("contract.where_in_file", {"rows": RowNumbers(self.rows), "file": self.file})

    def text(self, lang: str | None = None) -> str:
        """What is wrong, where, and how to mend it."""
        parts = (self.says, self.where, self.mend)
        return " ".join(part.text(lang) for part in parts if part is not None)

    def to_dict(self) -> dict[str, Any]:
        """The finding, ready for JSON."""
        return {
            "rule": self.rule,
            "table": self.table,
            "severity": self.severity,
            "columns": list(self.columns),
            "n": self.n,
            "base": self.base,
            "share": self.share,
            "rows": list(self.rows),
            "file": self.file,
            "params": dict(self.params),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Finding:
        """The finding that `to_dict` wrote."""
        plain = {name: entry for name, entry in kept.items() if name != "share"}
        return cls(**{**plain, "columns": tuple(kept["columns"]), "rows": tuple(kept["rows"])})


@dataclass(frozen=True)
class Listed(Word):
    """Findings inside a sentence, one a line."""

    code: tuple[Finding, ...]

    def text(self, lang: str | None = None) -> str:
        """One line a finding: what is wrong, where, and how to mend it."""
        return "\n".join(f"- {finding.text(lang)}" for finding in self.code)


@dataclass(frozen=True)
class Gate:
    """Whether tables may be used, with everything that speaks against it."""

    findings: tuple[Finding, ...] = ()

    @property
    def level(self) -> str:
        """stop, warn or pass: the gravest of the findings."""
        severities = {finding.severity for finding in self.findings}
        return "stop" if "stop" in severities else "warn" if "warn" in severities else "pass"

    @property
    def stops(self) -> tuple[Finding, ...]:
        """The findings that forbid using the data."""
        return tuple(finding for finding in self.findings if finding.severity == "stop")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that a reader must know."""
        return tuple(finding for finding in self.findings if finding.severity == "warn")

    @property
    def verdict(self) -> Sentence:
        """The level with its counts, as a code with parameters."""
        return Sentence(f"contract.level.{self.level}", {"stops": len(self.stops), "warnings": len(self.warnings)})

    @property
    def listed(self) -> Listed:
        """The findings that forbid using the data, as a parameter of a refusal."""
        return Listed(self.stops)

    def text(self, lang: str | None = None) -> str:
        """The verdict, then one line a finding, stops first."""
        lines = Listed(self.findings).text(lang)
        return f"{self.verdict.text(lang)}\n{lines}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Level and findings, ready for JSON."""
        return {"level": self.level, "findings": [finding.to_dict() for finding in self.findings]}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Gate:
        """The gate that `to_dict` wrote."""
        return cls(tuple(Finding.from_dict(finding) for finding in kept["findings"]))
