"""How the exports write things down: times, numbers, rows, and the small faults of real files."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cxkit.samples.plan import LANGUAGES, Bools, Ints
from cxkit.samples.tickets import NEVER

UNREADABLE = "########"  # what a spreadsheet shows, and saves, when a column is too narrow
_NATIVE = {
    "ar": str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"),
    "fa": str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"),
}


def local_times(minutes: Ints, glue: str = " ", ending: str = "") -> list[str]:
    """Local minutes since 1970 as "2026-03-01 09:30"; empty for NEVER."""
    known = minutes < NEVER
    texts = np.datetime_as_string(np.where(known, minutes, 0).astype("datetime64[m]"), unit="m").tolist()
    return [
        text.replace("T", glue) + ending if there else "" for text, there in zip(texts, known.tolist(), strict=True)
    ]


def local_seconds(seconds: Ints) -> list[str]:
    """Local seconds since 1970 as "2026-03-01 09:30:15"; empty for negative numbers."""
    known = seconds >= 0
    texts = np.datetime_as_string(np.where(known, seconds, 0).astype("datetime64[s]"), unit="s").tolist()
    return [text.replace("T", " ") if there else "" for text, there in zip(texts, known.tolist(), strict=True)]


def dates(days: Ints, known: Bools) -> list[str]:
    """Days since 1970 as "2026-03-01"; empty where not known."""
    texts = np.datetime_as_string(np.where(known, days, 0).astype("datetime64[D]"), unit="D").tolist()
    return [text if there else "" for text, there in zip(texts, known.tolist(), strict=True)]


def numbers(values: Ints, empty: int = NEVER) -> list[str]:
    """Whole numbers; empty for the `empty` one."""
    return ["" if value == empty else str(value) for value in values.tolist()]


def codes(positions: Ints, names: Sequence[str]) -> list[str]:
    """The names at these positions; empty for negative ones."""
    return [names[p] if p >= 0 else "" for p in positions.tolist()]


def in_native_digits(texts: list[str], language: Ints, rows: Bools) -> list[str]:
    """`texts` with the digits of the customer's language in the chosen rows."""
    table = [_NATIVE.get(lang, {}) for lang in LANGUAGES]
    return [
        text.translate(table[lang]) if chosen else text
        for text, lang, chosen in zip(texts, language.tolist(), rows.tolist(), strict=True)
    ]


def spoiled(texts: list[str], rng: np.random.Generator, most: int) -> tuple[list[str], int]:
    """`texts` with up to `most` unreadable cells (never more than one in 400), and how many there are."""
    there = np.array([i for i, text in enumerate(texts) if text], dtype=np.int64)
    size = min(most, len(there) // 400)
    found = list(texts)
    for row in rng.choice(there, size, replace=False).tolist() if size else []:
        found[row] = UNREADABLE
    return found, size


def repeated(columns: dict[str, list[str]], rng: np.random.Generator, most: int) -> tuple[dict[str, list[str]], int]:
    """The table with up to `most` of its rows written a second time (never more than one in 400), and how many."""
    n = len(next(iter(columns.values())))
    size = min(most, n // 400)
    twice = np.sort(rng.choice(n, size, replace=False))
    order = np.sort(np.concatenate((np.arange(n), twice)), kind="stable").tolist()
    return {name: [column[i] for i in order] for name, column in columns.items()}, size


def write_csv(
    path: Path,
    columns: dict[str, list[str]],
    encoding: str = "utf-8",
    heads: Sequence[Sequence[str]] = (),
    separator: str = ",",
) -> None:
    """Write the columns, and further header rows below their names; UTF-16 begins with its mark of byte order."""
    text = io.StringIO("\ufeff" if encoding == "utf-16-le" else "", newline="")
    text.seek(0, io.SEEK_END)
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerows([list(columns), *heads])
    writer.writerows(zip(*columns.values(), strict=True))
    path.write_bytes(text.getvalue().encode(encoding))


def toml(table: dict[str, object], path: str = "") -> str:
    """`table` as TOML: plain values first, then its tables, then its lists of tables."""
    plain = [f"{_key(name)} = {_literal(value)}" for name, value in table.items() if not _is_table(value)]
    parts = ["\n".join([f"[{path}]", *plain] if path else plain)] if plain else []
    for name, value in table.items():
        below = f"{path}.{_key(name)}" if path else _key(name)
        if isinstance(value, dict):
            parts.append(toml(value, below))
        elif _is_table(value) and isinstance(value, list):
            parts += [toml(entry, below).replace(f"[{below}]", f"[[{below}]]", 1) for entry in value]
    return "\n\n".join(part for part in parts if part)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _literal(name)


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _literal(value: object) -> str:
    match value:
        case bool() | np.bool_():
            return "true" if value else "false"
        case int() | np.integer():
            return str(int(value))
        case float():
            return repr(round(float(value), 6))
        case dt.datetime():
            return value.isoformat() + "Z"
        case dt.date():
            return value.isoformat()
        case list() | tuple():
            return "[" + ", ".join(_literal(one) for one in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
