"""How the KPIs of a study are spoken and written in its results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxkit.disclosure import HIDDEN
from cxkit.kpis.judging import WIDE, widened
from cxkit.kpis.shielding import N_HIDDEN
from cxkit.lang import Amount, Coded, Range, Sentence, Several, Word, say, value, write
from cxkit.result import Format, Row, by_unit, span

# how the columns that many tables of KPIs have are written
ESTIMATE: Mapping[str, Format] = {
    "stat": "code",
    "value": by_unit("value"),
    "interval": span(),
    "n": "count",
    "open": "count",
}
_SURE = 0.99
_NUMBERS = {"count": "n", "share": "n", "number2": "n", "points": "n", "seconds": "d"}


def thin_note(row: Mapping[str, Any], group: Word | None = None) -> Sentence:
    """The note on an estimate that rests on fewer than thirty cases."""
    return Sentence("common.small_n", {"n": int(row["n"]), "group": group or Coded("kpi", row["kpi"])})


def shielded(formats: Mapping[str, Format]) -> dict[str, Format]:
    """`formats` that say "hidden" for the numbers of rows that disclosure hides: not zero, and not missing."""
    return {column: _shielded(column, kind) for column, kind in formats.items()}


def _shielded(column: str, kind: Format) -> Format:
    if isinstance(kind, str):
        if kind not in _NUMBERS:
            return kind
        marks = (HIDDEN, N_HIDDEN) if kind == "count" else (HIDDEN,)
        return (_NUMBERS[kind], _unless_hidden(lambda row, lang: write(row[column], kind, lang), marks))
    css, speak = kind
    return (css, _unless_hidden(speak, (HIDDEN,)))


def _unless_hidden(speak: Callable[[Row, str], str], marks: Sequence[str]) -> Callable[[Row, str], str]:
    return lambda row, lang: say("kpis.hidden.cell", lang) if any(map(row.get, marks)) else speak(row, lang)


def hidden_note(table: pd.DataFrame, least: int) -> list[Sentence]:
    """The note on the groups that a table hides; none where it hides none."""
    n = sum(int(table[mark].sum()) for mark in (HIDDEN, N_HIDDEN) if mark in table)
    return [Sentence("kpis.hidden.note", {"n": n, "least": least})] if n else []


def _named(row: Row, lang: str) -> str:
    name = value("kpi", row["kpi"], lang)
    return name if row["headline"] else f"{name} · {value('stat', row['stat'], lang)}"


# a KPI; a statistic that is not its headline is named with it
NAME: Format = ("c", _named)


def headline_name(kpi: str, stat: str, lang: str | None) -> str:
    """A KPI with its statistic, as titles write it."""
    return f"{value('kpi', kpi, lang)} · {value('stat', stat, lang)}"


def value_of(row: Mapping[str, Any]) -> Sentence:
    """A KPI with the interval that is judged, in one sentence."""
    unit = str(row["unit"])
    facts = {"kpi": Coded("kpi", row["kpi"]), "value": Amount(float(row["value"]), unit)}
    if math.isnan(row["low"]) and math.isnan(row["high"]):  # a stock was counted, not estimated
        return Sentence("kpis.card.counted", facts)
    return Sentence("kpis.card.value", {**facts, "interval": Range(*widened(row), unit)})


@dataclass(frozen=True)
class Judged(Word):
    """A KPI with the interval that is judged, in a list."""

    kpi: str
    interval: Range

    @property
    def code(self) -> list[object]:  # type: ignore[override]
        """KPI and both ends, for JSON."""
        return [self.kpi, *self.interval.code]

    def text(self, lang: str | None = None) -> str:
        """The KPI with its interval in `lang`."""
        return say("kpis.scorecard.judged", lang, kpi=value("kpi", self.kpi, lang), interval=self.interval.text(lang))


def clustered_notes(rows: Sequence[Mapping[str, Any]]) -> list[Sentence]:
    """How the likeness of an agent's tickets widens the intervals of `rows`; none where it hardly does."""
    wide = [row for row in rows if row["widening"] > WIDE]
    if not wide:
        return []
    words = tuple(Judged(str(row["kpi"]), Range(*widened(row), str(row["unit"]))) for row in wide)
    clusters = max(int(row["clusters"]) for row in wide)
    return [Sentence("kpis.scorecard.clustered", {"clusters": clusters, "intervals": Several(words)})]


@dataclass(frozen=True)
class Change(Word):
    """A difference inside a sentence, with its sign: of shares and nets in percentage points, else in its unit."""

    code: float
    unit: str
    signed: bool = True

    def text(self, lang: str | None = None) -> str:
        """The difference in `lang`."""
        if self.unit in ("share", "points"):
            points = round(self.code * 100, 1) + 0.0
            return say(f"kpis.change.{'signed_' if self.signed else ''}points", lang, x=points)
        size = Amount(abs(self.code), self.unit).text(lang)
        if not self.signed or not self.code:
            return size
        return say("kpis.change.more" if self.code > 0 else "kpis.change.less", lang, size=size)


@dataclass(frozen=True)
class Chance(Word):
    """A chance inside a sentence or a cell; never written as certain."""

    code: float

    def text(self, lang: str | None = None) -> str:
        """The chance in `lang`."""
        if self.code > _SURE:
            return say("kpis.chance.over", lang, share=_SURE)
        return (
            say("kpis.chance.under", lang, share=1 - _SURE)
            if self.code < 1 - _SURE
            else write(self.code, "share0", lang)
        )


CHANCE: Format = ("n", lambda row, lang: "–" if math.isnan(row["chance"]) else Chance(row["chance"]).text(lang))
