"""The texts of one source column into the type of one canonical column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxkit.errors import IntakeError
from cxkit.intake.cells import Cells, Mask
from cxkit.intake.dates import read_dates, to_utc
from cxkit.intake.fold import fold, shown
from cxkit.intake.mapping import UNITS, ColumnRule
from cxkit.intake.numerals import BIDI_MARKS, clean, cleaned, to_numbers, to_seconds
from cxkit.lang import Sentence

ARROW = {
    "text": pa.string(),
    "choice": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "seconds": pa.float64(),
    "count": pa.int64(),
    "number": pa.float64(),
    "bool": pa.bool_(),
}
_UNREAD_STOPS = 0.05  # share of a column's values that cannot be read above which the mapping must be wrong
_CODE_SHOWN_FROM = 5  # rows a code needs before a message may show it: a rare one could be somebody's name
_FREE_TEXT = ("text", "subject")
_BIDI = dict.fromkeys(map(ord, BIDI_MARKS))
_BOOLS = {
    **dict.fromkeys(("true", "yes", "y", "t", "1", "1.0", "on", "نعم", "اجل", "بله", "آری", "بلی"), "true"),
    **dict.fromkeys(("false", "no", "n", "f", "0", "0.0", "off", "لا", "کلا", "خیر", "نه"), "false"),
}


@dataclass(frozen=True)
class Zone:
    """The time zone of texts without an offset, and who stated it: export, file, mapping, study or none."""

    name: str | None
    source: str


@dataclass
class Converted:
    """A canonical column, one value a row, with what was noticed on the way."""

    array: pa.Array
    notes: list[Sentence] = field(default_factory=list)
    zone: Zone | None = None  # where one was needed


def convert(cells: Cells, rule: ColumnRule, zone: Zone, base: pa.Array | None = None) -> Converted:
    """The canonical column that `rule` makes of `cells`; what is empty stays empty.

    A value that cannot be read becomes empty and is counted in a note; more than one in twenty raise IntakeError.
    base: for durations that are added to a canonical timestamp (`after`), that timestamp.
    """
    cells = _without(cells, rule.empty)
    if rule.after is not None:
        return _added(cells, rule, base)
    return _BY_TYPE[rule.target.type](cells, rule, zone)


def _without(cells: Cells, empty: frozenset[str]) -> Cells:
    """The cells with the mapping's own words for "nothing" emptied."""
    if not empty:
        return cells
    words = [None if fold(word) in empty else word for word in cells.values.to_pylist()]
    return Cells(
        cells.file, cells.column, pa.array([word or "" for word in words], pa.string()), cells.codes, cells.rows
    )


def _text(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    tidy: Callable[[str], str]
    if rule.target.name in _FREE_TEXT:
        tidy = str.strip
    elif rule.target.name.endswith("_id"):
        tidy = clean
    else:
        tidy = _label
    words = np.array([tidy(word) or None for word in cells.values.to_pylist()], dtype=object)
    return Converted(_words(cells, words))


def _label(text: str) -> str:
    """A name as it was written, without marks of direction and double spaces."""
    return " ".join(text.translate(_BIDI).split())


def _words(cells: Cells, words: NDArray[np.object_]) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(cells.codes))


def _choice(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    known = rule.values or {}
    texts = cleaned(cells.values).to_pylist()
    codes = [known.get(fold(text)) if text else None for text in texts]
    strange = np.array([text is not None and code is None for text, code in zip(texts, codes, strict=True)], dtype=bool)
    codes = [rule.otherwise if odd else code for code, odd in zip(codes, strange, strict=True)]
    notes = []
    if cells.count(strange):
        params = {
            "column": cells.column,
            "n": cells.count(strange),
            "codes": _codes_shown(cells, strange),
            "kept": rule.otherwise or "none",
        }
        notes.append(Sentence("intake.note.unmapped_codes", params))
    return Converted(_words(cells, np.array(codes, dtype=object)), notes)


def _codes_shown(cells: Cells, strange: Mask) -> str:
    """The codes that nobody mapped, most frequent first, as far as they cannot be a person's data."""
    n = cells.per_value()
    often = [i for i in np.argsort(-n, kind="stable") if strange[i] and n[i] >= _CODE_SHOWN_FROM]
    return ", ".join(f"{shown(cells.values[int(i)].as_py())} ({n[i]})" for i in often[:10]) or "none"


def _bool(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    known = {fold(word): code for word, code in _BOOLS.items()} | dict(rule.values or {})
    texts = cleaned(cells.values).to_pylist()
    codes = [known.get(fold(text)) if text else None for text in texts]
    unread = np.array([text is not None and code is None for text, code in zip(texts, codes, strict=True)], dtype=bool)
    flags = pa.array([None if code is None else code == "true" for code in codes], pa.bool_())
    return Converted(flags.take(pa.array(cells.codes)), _unread(cells, rule, unread))


def _timestamp(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    moment = read_dates(cells, rule.dates)
    notes = _unread(cells, rule, moment.unread)
    naive = np.isnan(moment.offset) & ~np.isnat(moment.local)
    if naive.any() and zone.name is None:
        raise IntakeError("intake_no_zone", file=cells.file, column=cells.column)
    utc = cells.spread(to_utc(cells, moment, zone.name or "UTC"))
    return Converted(pa.array(utc, pa.timestamp("us")), [*notes, *moment.notes], zone if naive.any() else None)


def _date(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    moment = read_dates(cells, rule.dates)
    days = cells.spread(moment.local).astype("datetime64[D]")
    return Converted(pa.array(days, pa.date32()), [*_unread(cells, rule, moment.unread), *moment.notes])


def _added(cells: Cells, rule: ColumnRule, base: pa.Array | None) -> Converted:
    """A moment that lies a duration after another one."""
    seconds, notes = _lasting(cells, rule)
    if base is None:
        return Converted(pa.nulls(len(cells.codes), pa.timestamp("us")), notes)
    lasting = pa.array(
        np.round(np.nan_to_num(seconds) * 1e6).astype(np.int64), pa.duration("us"), mask=np.isnan(seconds)
    )
    return Converted(pc.add(base, lasting), notes)


def _lasting(cells: Cells, rule: ColumnRule) -> tuple[NDArray[np.float64], list[Sentence]]:
    """Seconds per row."""
    clock = rule.unit == "clock"
    numbers = (
        to_seconds(cells.values) if clock else to_numbers(cells.values, rule.decimal) * UNITS[rule.unit or "seconds"]
    )
    return cells.spread(numbers), _unread(cells, rule, _filled(cells) & np.isnan(numbers))


def _seconds(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    numbers, notes = _lasting(cells, rule)
    return Converted(pa.array(numbers, pa.float64(), mask=np.isnan(numbers)), notes)


def _count(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    numbers = to_numbers(cells.values, rule.decimal)
    whole = np.equal(np.floor(numbers), numbers) & (np.abs(np.nan_to_num(numbers)) < 2**53)
    rows, right = cells.spread(numbers), cells.spread(whole)
    array = pa.array(np.where(right, rows, 0).astype(np.int64), pa.int64(), mask=~right)
    return Converted(array, _unread(cells, rule, _filled(cells) & ~whole))


def _number(cells: Cells, rule: ColumnRule, zone: Zone) -> Converted:
    numbers = to_numbers(cells.values, rule.decimal)
    if rule.unit == "percent":  # a percent sign has divided already
        signed = pc.match_substring_regex(cells.values, "[%٪％]").to_numpy(zero_copy_only=False)
        numbers = np.where(signed, numbers, numbers / 100)
    rows = cells.spread(numbers)
    return Converted(
        pa.array(rows, pa.float64(), mask=np.isnan(rows)), _unread(cells, rule, _filled(cells) & np.isnan(numbers))
    )


def _filled(cells: Cells) -> Mask:
    return np.asarray(cleaned(cells.values).is_valid(), dtype=bool)


def _unread(cells: Cells, rule: ColumnRule, unread: Mask) -> list[Sentence]:
    """A note on values that could not be read; IntakeError when they are too many to be slips."""
    return note_unread(cells, rule.target.type, unread)


def note_unread(cells: Cells, kind: str, unread: Mask) -> list[Sentence]:
    """A note on values that are no `kind` (a column type); IntakeError above one in twenty."""
    n = cells.count(unread)
    if not n:
        return []
    total = cells.count(_filled(cells))
    params = {"column": cells.column, "kind": kind, "n": n, "total": total, "rows": cells.first_rows(unread)}
    if n > _UNREAD_STOPS * total:
        raise IntakeError("intake_unreadable", file=cells.file, **params)
    return [Sentence("intake.note.unreadable", params)]


_BY_TYPE: dict[str, Callable[[Cells, ColumnRule, Zone], Converted]] = {
    "text": _text,
    "choice": _choice,
    "bool": _bool,
    "timestamp": _timestamp,
    "date": _date,
    "seconds": _seconds,
    "count": _count,
    "number": _number,
}


def tagged(cells: Cells, rule: ColumnRule) -> pa.Array:
    """Which rows carry one of the rule's tags (`*` stands for any letters): true or false, or `then` and empty."""
    either = "|".join(re.escape(tag.casefold()).replace(r"\*", r"[^\s,;]*") for tag in rule.tags)
    pattern = re.compile(rf"(?:^|[\s,;])(?:{either})(?:$|[\s,;])")
    found = np.array([bool(pattern.search(text.casefold())) for text in cells.values.to_pylist()], dtype=bool)
    if rule.target.type == "bool":
        return pa.array(cells.spread(found), pa.bool_())
    return _words(cells, np.array([rule.then if yes else rule.otherwise for yes in found], dtype=object))
