"""Where the numbers come from: which study, read how, as it stood when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from cxkit.lang import Coded, Sentence, count, moment
from cxkit.result import Result

if TYPE_CHECKING:
    from cxkit.study import Study

_DIGITS = 12  # of a fingerprint; enough to tell two apart


@dataclass(frozen=True, eq=False)
class Provenance(Result):
    """One row a fact: study, time zone, as_of, fingerprints of the exports and of the rules, rows of each table."""

    formats: ClassVar = {
        "fact": ("c", lambda row, lang: _fact(row, lang)),
        "told": ("t", lambda row, lang: _told(row, lang)),
    }

    def sentences(self) -> tuple[Sentence, ...]:
        """How many rows in how many tables."""
        rows = self.table[self.table["fact"] == "rows"]
        return (Sentence("check.provenance.rows", {"rows": int(rows["told"].sum()), "tables": len(rows)}),)


def _fact(row: Any, lang: str) -> str:
    return Coded("table", row["of"]).text(lang) if row["fact"] == "rows" else Coded("fact", row["fact"]).text(lang)


def _told(row: Any, lang: str) -> str:
    told = row["told"]
    if isinstance(told, pd.Timestamp):
        return moment(told, lang)
    return count(told, lang) if row["fact"] == "rows" else str(told)


def provenance(study: Study) -> Provenance:
    """What one needs to make the same numbers again; times in the study's own zone."""
    rules = resources.files("cxkit.contract").joinpath("contract.toml").read_bytes()
    facts: list[tuple[str, str, Any]] = [
        ("study", "", study.name),
        ("zone", "", study.time_zone),
        ("as_of", "", study.local(pd.Series([study.as_of]))[0]),
        ("exports", "", str(study.intake.get("digest", ""))[:_DIGITS] or "–"),
        ("rules", "", hashlib.sha256(rules).hexdigest()[:_DIGITS]),
        *(("rows", name, study.rows(name)) for name in study.tables),
    ]
    return Provenance(pd.DataFrame(facts, columns=["fact", "of", "told"], dtype=object))
