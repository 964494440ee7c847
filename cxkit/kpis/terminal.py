"""The KPIs for the terminal: no line wider than a hundred columns, whatever the language."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any

import pandas as pd

from cxkit.kpis.card import Card, card
from cxkit.kpis.overview import check_family
from cxkit.kpis.scorecard import Scorecard, scorecard
from cxkit.kpis.words import Chance
from cxkit.lang import interval, say, value, write
from cxkit.result import Result, heading, records

if TYPE_CHECKING:
    from cxkit.study import Study

WIDTH = 100
_COLUMNS = {"kpi": 26, "value": 12, "interval": 27, "n": 7, "open": 6, "target": 8, "chance": 8}


def scorecard_lines(study: Study, lang: str, family: str = "") -> Iterator[str]:
    """The scorecard family by family, what it says, and what is missing for the KPIs that it lacks."""
    check_family(family)
    found = scorecard(study)
    table = found.table[found.table["family"] == family] if family else found.table
    if not family:
        yield from _wrapped(found.verdict(lang))
    yield ""
    yield from _laid([heading(column, lang) for column in _COLUMNS])
    for name, rows in groupby(records(table), key=lambda row: row["family"]):
        yield f"\n{value('family', name, lang)}"
        for row in rows:
            yield from _laid(_cells(row, lang))
    yield from _lacking(found, family, lang)


def _lacking(found: Scorecard, family: str, lang: str) -> Iterator[str]:
    """The KPIs that the data cannot carry, each with what is missing."""
    names = [name for name in found.unanswered if not family or found.families[name] == family]
    if names:
        yield f"\n{say('column.needs', lang)}:"
    for name in names:
        yield from _wrapped(f"- {value('kpi', name, lang)}: {', '.join(found.unanswered[name])}", "  ")


def card_lines(study: Study, kpi: str, lang: str) -> Iterator[str]:
    """One KPI: what it says, its statistics, its definition, whom it counts, what to doubt."""
    found = card(study, kpi)
    yield from _wrapped(found.verdict(lang))
    if not isinstance(found, Card) or found.measure is None:
        return
    for row in records(found.table):
        yield f"\n{value('stat', row['stat'], lang)}"
        yield from (f"  {heading(name, lang)}: {text}" for name, text in _facts(row, lang))
    yield f"\n{say('column.definition', lang)} ({found.measure.definition_hash})"
    yield from _wrapped(found.measure.definition.text(lang), "  ", "  ")
    if found.population is not None:
        yield f"\n{say('kpis.card.population', lang)}"
        for row in records(found.population.short.table):
            yield from _wrapped(f"{value('rule', row['rule'], lang)}: {_count(row, lang)}", "    ", "  ")
    yield from _notes(found, lang)


def _count(row: dict[str, Any], lang: str) -> str:
    return write(row["left"] if row["rule"] == "all" else -row["removed"], "count", lang)


def _facts(row: dict[str, Any], lang: str) -> Iterator[tuple[str, str]]:
    """The numbers of a statistic with the names of their columns."""
    yield "value", write(row["value"], row["unit"], lang)
    yield "interval", interval(row["low"], row["high"], lang, row["unit"])
    yield "widened", interval(row["wide_low"], row["wide_high"], lang, row["unit"])
    yield "n", write(row["n"], "count", lang)
    if not pd.isna(row["clusters"]):
        yield "clusters", write(row["clusters"], "count", lang)
    yield "share_open", write(row["share_open"], "share", lang)
    if row["standing"] != "no_target":
        yield "target", write(row["target"], row["unit"], lang)
        yield "standing", value("standing", row["standing"], lang)
        yield "chance", Chance(row["chance"]).text(lang)


def _notes(found: Result, lang: str) -> Iterator[str]:
    if found.notes:
        yield f"\n{say('common.notes', lang)}"
    for note in found.notes:
        yield from _wrapped(f"- {note.text(lang)}", "  ")


def _cells(row: dict[str, Any], lang: str) -> list[str]:
    name = value("kpi", row["kpi"], lang)
    stat = "" if row["headline"] else f" · {value('stat', row['stat'], lang)}"
    return [
        f"{name}{stat}",
        write(row["value"], row["unit"], lang),
        interval(row["low"], row["high"], lang, row["unit"]),
        write(row["n"], "count", lang),
        write(row["open"], "count", lang),
        write(row["target"], row["unit"], lang),
        "–" if pd.isna(row["chance"]) else Chance(row["chance"]).text(lang),
    ]


def _laid(cells: Sequence[str]) -> Iterator[str]:
    """Cells side by side; what is too long for its column goes on below."""
    parts = [_lines(cell, width) for cell, width in zip(cells, _COLUMNS.values(), strict=True)]
    for line in zip_longest(*parts, fillvalue=""):
        first, *others = (
            _filled(text, width, left=not place)
            for place, (text, width) in enumerate(zip(line, _COLUMNS.values(), strict=True))
        )
        yield " ".join([first, *others]).rstrip()


def _filled(text: str, width: int, left: bool) -> str:
    """`text` in a column of `width`."""
    room = " " * (width - _room(text))
    return f"{text}{room}" if left else f"{room}{text}"


def _wrapped(text: str, later: str = "", first: str = "") -> list[str]:
    lines = _lines(text, WIDTH - max(len(later), len(first)))
    return [f"{later if place else first}{line}" for place, line in enumerate(lines)]


def _lines(text: str, width: int) -> list[str]:
    """`text` broken between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _room(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _room(text: str) -> int:
    """Columns that a text takes: marks of direction and vowels take none."""
    return sum(unicodedata.category(letter) not in ("Cf", "Mn") for letter in text)
