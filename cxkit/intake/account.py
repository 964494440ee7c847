"""The intake account: what was read, what was left out and why, and what a careful reader should doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxkit.contract import Gate, RowNumbers
from cxkit.lang import Coded, Sentence, has, say

_ROWS_NAMED = 5


@dataclass(frozen=True)
class Rejected:
    """Records of one file that one rule left out."""

    rule: str
    rows_n: int
    first_rows: tuple[int, ...]

    @classmethod
    def of(cls, rule: str, rows: NDArray[np.int64]) -> Rejected:
        """The records with these numbers, left out by `rule`."""
        return cls(rule, len(rows), tuple(int(row) for row in rows[:_ROWS_NAMED]))

    def text(self, lang: str | None = None) -> str:
        """Why they were left out; a rule of the study's own mapping is named as it is written there."""
        key = f"intake.rule.{self.rule}"
        return say(key, lang) if has(key, lang) else self.rule


@dataclass(frozen=True)
class FileAccount:
    """What became of one file. Records read = kept + rejected."""

    file: str
    mapping: str
    encoding: str
    separator: str
    rows: int
    kept: int
    rejected: tuple[Rejected, ...] = ()
    feeds: Mapping[str, int] = field(default_factory=dict)  # canonical table -> rows from this file
    columns: Mapping[str, str] = field(default_factory=dict)  # "table.column" -> source column it was read from
    missing: tuple[str, ...] = ()  # "table.column" for which the mapping found no source column
    unmapped: tuple[str, ...] = ()  # source columns that nothing was made of
    repeats: int = 0
    time_zone: str | None = None
    time_zone_source: str = "none"  # study, export, mapping, file, several, none
    notes: tuple[Sentence, ...] = ()


@dataclass(frozen=True)
class Account:
    """What became of all exports of a study, with the gate's findings."""

    files: tuple[FileAccount, ...]
    tables: Mapping[str, int]  # canonical table -> rows written
    span: tuple[str, str] | None  # first and last observed moment, naive UTC
    gate: Gate
    derived: tuple[Sentence, ...] = ()  # columns worked out from other tables

    def to_dict(self) -> dict[str, Any]:
        """The account, ready for JSON."""
        return {
            "files": [_file_dict(one) for one in self.files],
            "tables": dict(self.tables),
            "span": list(self.span) if self.span else None,
            "derived": [_sentence_dict(note) for note in self.derived],
            "gate": self.gate.to_dict(),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Account:
        """The account that `to_dict` wrote."""
        return cls(
            files=tuple(_file(one) for one in kept["files"]),
            tables=kept["tables"],
            span=tuple(kept["span"]) if kept["span"] else None,
            gate=Gate.from_dict(kept["gate"]),
            derived=_sentences(kept["derived"]),
        )


def _file_dict(one: FileAccount) -> dict[str, Any]:
    plain = {name: entry for name, entry in vars(one).items() if name not in ("rejected", "notes")}
    rejected = [{"rule": r.rule, "rows_n": r.rows_n, "first_rows": list(r.first_rows)} for r in one.rejected]
    return {**plain, "rejected": rejected, "notes": [_sentence_dict(note) for note in one.notes]}


def _file(kept: Mapping[str, Any]) -> FileAccount:
    rejected = tuple(Rejected(r["rule"], r["rows_n"], tuple(r["first_rows"])) for r in kept["rejected"])
    lists = {name: tuple(kept[name]) for name in ("missing", "unmapped")}
    return FileAccount(**{**kept, **lists, "rejected": rejected, "notes": _sentences(kept["notes"])})


def _sentence_dict(note: Sentence) -> dict[str, Any]:
    plain = note.to_dict()
    return {**plain, "params": {k: list(v) if isinstance(v, tuple) else v for k, v in dict(plain["params"]).items()}}  # type: ignore[call-overload]


def _sentences(kept: Iterable[Mapping[str, Any]]) -> tuple[Sentence, ...]:
    return tuple(Sentence(one["code"], {k: _param(k, v) for k, v in one["params"].items()}) for one in kept)


def _param(name: str, kept: Any) -> Any:
    """A sentence's parameter from JSON: lists are row numbers, and tables have a word in each language."""
    if isinstance(kept, list):
        return RowNumbers(tuple(kept))
    return Coded("table", kept) if name == "table" else kept
