"""One export, by its mapping, into rows of canonical tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxkit.contract import SOURCE_FILE, SOURCE_ROW, load
from cxkit.errors import IntakeError, nearest
from cxkit.intake.cells import Cells
from cxkit.intake.config import checked_zone
from cxkit.intake.convert import ARROW, Zone, convert, note_unread, tagged
from cxkit.intake.fold import fold, shown
from cxkit.intake.mapping import ColumnRule, ExportMapping, Item, TableRule
from cxkit.intake.numerals import to_numbers
from cxkit.intake.source import Source
from cxkit.lang import Coded, Sentence

ITEMS_TABLE = "survey_answers"


@dataclass
class Reading:
    """What one file gave: canonical rows per table, each with its place in the file, and what was noticed."""

    source: Source
    mapping: ExportMapping
    zones: tuple[Zone, ...]  # of times without offset, as stated outside the file
    tables: dict[str, pa.Table] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)  # "table.column" -> source column
    missing: list[str] = field(default_factory=list)
    notes: list[Sentence] = field(default_factory=list)
    zones_used: dict[Zone, None] = field(default_factory=dict)  # in the order in which they were needed
    used: set[int] = field(default_factory=set)  # places of the source columns that something was made of

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Source columns that nothing was made of."""
        return tuple(shown(header) for i, header in enumerate(self.source.headers) if i not in self.used and header)


def read_export(source: Source, mapping: ExportMapping, zones: tuple[Zone, ...] = ()) -> Reading:
    """The canonical rows of `source`.

    zones: the time zones of texts without an offset that the study states for this export, the mapping, and the study;
    what the file itself says of a column (Qualtrics) comes after the first of these.
    IntakeError when the file has none of the columns that identify the mapping's tables, and for every column whose
    texts cannot be read safely.
    """
    reading = Reading(source, mapping, zones, notes=list(source.notes))
    _drop(reading)
    ready = [table for table in mapping.tables if _fits(source, table, mapping.items)]
    if not ready:
        raise _misfit(reading)
    for table in mapping.tables:
        if table not in ready:
            reading.notes.append(Sentence("intake.note.table_skipped", {"table": Coded("table", table.name)}))
        elif table.name == ITEMS_TABLE and mapping.items:
            reading.tables[table.name] = _answers(reading, table)
        else:
            reading.tables[table.name] = _rows(reading, table)
    return reading


def _drop(reading: Reading) -> None:
    for drop in reading.mapping.drops:
        for place in reading.source.find(drop.sources)[:1]:
            reading.used.add(place)
            cells = _cells(reading, (place,))
            out = np.array([fold(text) in drop.words for _, text in cells.words()], dtype=bool)
            reading.source.keep(~cells.spread(out), drop.rule)


def _fits(source: Source, table: TableRule, items: Sequence[Item]) -> bool:
    """Whether the file has what names a row of the table (and, for answers, at least one question)."""
    first = load().tables[table.name].required[0]
    named = any(
        rule.constant is not None or _places(source, rule) for rule in table.columns if rule.target.name == first
    )
    asked = table.name != ITEMS_TABLE or not items or any(source.find(item.sources) for item in items)
    return named and asked


def _misfit(reading: Reading) -> IntakeError:
    wanted = [
        rule.names[0]
        for table in reading.mapping.tables
        for rule in table.columns
        if rule.target.required and rule.names
    ]
    headers = [shown(header) for header in reading.source.headers[:40]]
    near = next((found for name in wanted if (found := nearest(name, headers))), None)
    names = {
        "mapping": reading.mapping.name,
        "wanted": ", ".join(dict.fromkeys(wanted)),
        "near": near or "none",
        "has": ", ".join(headers),
    }
    return IntakeError("intake_misfit", file=reading.source.file, **names)


def _places(source: Source, rule: ColumnRule) -> tuple[int, ...]:
    """Where the rule's source columns are; empty when one that it needs is not there."""
    if rule.equal:
        found = (source.find((a,)) + source.find((b,)) for a, b in rule.equal)
        return next((pair for pair in found if len(pair) == 2), ())
    if rule.join:
        parts = [source.find((name,)) for name in rule.join]
        return tuple(part[0] for part in parts) if all(parts) else ()
    return _first_filled(source, source.find(rule.sources))


def _first_filled(source: Source, places: tuple[int, ...]) -> tuple[int, ...]:
    """The first of these columns that is not empty from top to bottom (exports keep columns that nobody fills)."""
    filled = (
        place
        for place in places
        if pc.any(pc.not_equal(pc.utf8_trim_whitespace(source.column(place)), ""), min_count=0).as_py()
    )
    return (next(filled, places[0]),) if places else ()


def _cells(reading: Reading, places: tuple[int, ...], glue: str = "-") -> Cells:
    source = reading.source
    parts = [source.column(place) for place in places]
    texts = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, glue)
    if len(parts) > 1:  # put together only where every part is there
        texts = pc.if_else(_all_filled(parts), texts, "")
    name = " + ".join(shown(source.headers[place]) for place in places)
    return Cells.of(source.file, name, texts, source.rows)


def _all_filled(parts: list[pa.Array]) -> pa.Array:
    whole = pc.not_equal(parts[0], "")
    for part in parts[1:]:
        whole = pc.and_(whole, pc.not_equal(part, ""))
    return whole


def _rows(reading: Reading, table: TableRule) -> pa.Table:
    """The rows of one canonical table, one a record."""
    made: dict[str, pa.Array] = {}
    for rule in sorted(table.columns, key=_waits):  # what is added to comes first
        array = _column(reading, table.name, rule, made)
        if array is not None:
            made[rule.target.name] = array
    order = [name for name in load().tables[table.name].columns if name in made]
    out = pa.table({name: made[name] for name in order} | _origin(reading.source.file, reading.source.rows))
    if table.only_with is not None:
        for place in reading.source.find((table.only_with,)):
            out = out.filter(pc.not_equal(pc.utf8_trim_whitespace(reading.source.column(place)), ""))
    return out.combine_chunks()


def _waits(rule: ColumnRule) -> bool:
    return any(one.after is not None for one in _chain(rule))


def _origin(file: str, rows: NDArray[np.int64]) -> dict[str, pa.Array]:
    return {SOURCE_ROW: pa.array(rows, pa.int64()), SOURCE_FILE: pa.repeat(pa.scalar(file, pa.string()), len(rows))}


def _column(reading: Reading, table: str, rule: ColumnRule, made: dict[str, pa.Array]) -> pa.Array | None:
    """The canonical column of a rule and its fallbacks; None, and noted as missing, when none has a source column."""
    found = [(one, array) for one in _chain(rule) if (array := _one_column(reading, one, made)) is not None]
    name = f"{table}.{rule.target.name}"
    if not found:
        reading.missing.append(name)
        return None
    reading.columns[name] = ", ".join(_source_name(reading.source, one) for one, _ in found)
    return pc.coalesce(*(array for _, array in found))


def _chain(rule: ColumnRule | None) -> Iterator[ColumnRule]:
    while rule is not None:
        yield rule
        rule = rule.fallback


def _source_name(source: Source, rule: ColumnRule) -> str:
    return " + ".join(shown(source.headers[place]) for place in _places(source, rule)) or "="


def _one_column(reading: Reading, rule: ColumnRule, made: dict[str, pa.Array]) -> pa.Array | None:
    source = reading.source
    places = _places(source, rule)
    if rule.constant is not None and not places:
        return pa.repeat(pa.scalar(rule.constant, pa.string()), len(source.rows)).cast(ARROW[rule.target.type])
    if not places or (rule.after is not None and rule.after not in made):
        return None
    reading.used.update(places)
    if rule.equal:
        return _equal(source, places, rule)
    cells = _cells(reading, places, rule.glue)
    if rule.tags:
        return tagged(cells, rule)
    converted = convert(cells, rule, _zone(reading, rule, places[0]), made.get(rule.after) if rule.after else None)
    reading.notes.extend(converted.notes)
    if converted.zone is not None:
        reading.zones_used[converted.zone] = None
    return converted.array


def _zone(reading: Reading, rule: ColumnRule, place: int) -> Zone:
    """The zone of the local times of one column."""
    stated = {zone.source: zone for zone in reading.zones}
    own = {"mapping": Zone(rule.time_zone, "mapping")} if rule.time_zone else {}
    in_file = {"file": Zone(zone, "file")} if (zone := _zone_in_file(reading.source, place)) else {}
    known = {**stated, **in_file, **own}
    return next((known[who] for who in ("export", "file", "mapping", "study") if who in known), Zone(None, "none"))


def _zone_in_file(source: Source, place: int) -> str | None:
    zone = source.time_zones[place] if place < len(source.time_zones) else None
    return checked_zone(source.file, zone)


def _equal(source: Source, places: tuple[int, ...], rule: ColumnRule) -> pa.Array:
    """`then` where both columns hold the same, `otherwise` where they differ, empty where one is empty."""
    a, b = (pc.utf8_trim_whitespace(source.column(place)) for place in places)
    both = pc.and_(pc.not_equal(a, ""), pc.not_equal(b, ""))
    text = pa.string()
    answer = pc.if_else(pc.equal(a, b), pa.scalar(rule.then, text), pa.scalar(rule.otherwise, text))
    return pc.if_else(both, answer, pa.scalar(None, text)).cast(ARROW[rule.target.type])


def _answers(reading: Reading, table: TableRule) -> pa.Table:
    """One row per answered question, in the order of the records and the questions."""
    source = reading.source
    key = next(rule for rule in table.columns if rule.target.name == "response_id")
    ids = _column(reading, table.name, key, {})
    parts = [part for item in reading.mapping.items if (part := _item(reading, item, ids)) is not None]
    rows = np.concatenate([part.column("place").to_numpy() for part in parts])
    answers = pa.concat_tables(parts).take(pa.array(np.argsort(rows, kind="stable")))
    origin = _origin(source.file, source.rows[np.sort(rows, kind="stable")])
    for name, array in origin.items():
        answers = answers.append_column(name, array)
    return answers.drop_columns(["place"]).combine_chunks()


def _item(reading: Reading, item: Item, ids: pa.Array | None) -> pa.Table | None:
    source, name = reading.source, f"{ITEMS_TABLE}.{item.name}"
    places = source.find(item.sources)[:1]
    if not places or ids is None:
        reading.missing.append(name)
        return None
    reading.used.update(places)
    reading.columns[name] = shown(source.headers[places[0]])
    cells = _cells(reading, places)
    value, text = _scored(reading, item, cells)
    answered = np.flatnonzero(np.asarray(pc.or_(value.is_valid(), text.is_valid())))
    low, high = item.scale or (None, None)
    n, number = len(answered), pa.float64()
    return pa.table(
        {
            "response_id": ids.take(pa.array(answered)),
            "item": pa.repeat(pa.scalar(item.name, pa.string()), n),
            "value": value.take(pa.array(answered)),
            "text": text.take(pa.array(answered)),
            "scale_min": pa.repeat(pa.scalar(low, number), n),
            "scale_max": pa.repeat(pa.scalar(high, number), n),
            "place": pa.array(answered, pa.int64()),
        }
    )


def _scored(reading: Reading, item: Item, cells: Cells) -> tuple[pa.Array, pa.Array]:
    """Values and texts per row. An answer that is no number and no known phrase keeps its words, without a value."""
    words = [text.strip() or None for text in cells.values.to_pylist()]
    take = pa.array(cells.codes)
    if item.text:
        return pa.nulls(len(cells.codes), pa.float64()), pa.array(words, pa.string()).take(take)
    numbers = to_numbers(cells.values)
    for i, word in cells.words():
        if item.values and (code := item.values.get(fold(word))) is not None:
            numbers[i] = float(code)
    unread = np.isnan(numbers) & np.array([word is not None for word in words], dtype=bool)
    reading.notes.extend(note_unread(cells, "number", unread))
    texts = pa.array([word if odd else None for word, odd in zip(words, unread, strict=True)], pa.string())
    return pa.array(numbers, pa.float64(), mask=np.isnan(numbers)).take(take), texts.take(take)
