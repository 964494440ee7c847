"""Many small studies in one set of tables: every canonical table, filled at random by what the contract says of it.

A column `study_no` tells the studies apart; ids are their own, so that no row belongs to two of them. Values collide on
purpose: few distinct times, ties, gaps, times after the report, references to rows that are not there.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cxkit.contract import Column, Table, load

AS_OF = dt.datetime(2026, 3, 31, 12, 30, 0, 250_000)
SCALES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7), "fcr": (0, 1), "comment": (1, 5)}
_WORDS = ("a", "B", "é", "ب", "")
_MOSTLY_EMPTY = ("merged_into", "follow_up_of", "is_spam", "is_test", "left_on", "ended_on")


def random_tables(seed: int, studies: int, rows: int) -> dict[str, pa.Table]:
    """All canonical tables of so many studies, each with up to `rows` rows a table; some have none."""
    rng = np.random.default_rng(seed)
    ids = {
        name: [
            [f"{study}-{name[:3]}{place}" for place in range(int(rng.integers(0, rows + 1)))]
            for study in range(studies)
        ]
        for name in load().tables
    }
    return {name: _table(rng, spec, ids) for name, spec in load().tables.items()}


def _table(rng: np.random.Generator, spec: Table, ids: dict[str, list[list[str]]]) -> pa.Table:
    home = [(study, own) for study, mine in enumerate(ids[spec.name]) for own in mine]
    columns: dict[str, Any] = {"study_no": pa.array([study for study, _ in home], pa.int64())}
    for column in spec.columns.values():
        values = [_value(rng, spec, column, study, own, ids) for study, own in home]
        columns[column.name] = pa.array(values, _ARROW[column.type])
    if spec.name == "survey_answers":
        columns |= _answers(rng, len(home))
    return pa.table(columns)


def _value(rng: np.random.Generator, spec: Table, column: Column, study: int, own: str, ids: dict[str, Any]) -> Any:
    if spec.key and column.name == spec.key[0] and spec.name != "survey_answers":
        return own
    empty = 0.9 if column.name in _MOSTLY_EMPTY else 0.0 if column.required else 0.2
    if rng.random() < empty:
        return None
    if column.name == "follow_up_of" or column.references:
        table = column.references.partition(".")[0] if column.references else "tickets"
        pool = [*ids[table][study], f"{study}-elsewhere"][:6]
        return pool[rng.integers(len(pool))]
    return _OF_TYPE[column.type](rng, column)


def _pick(rng: np.random.Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _moment(rng: np.random.Generator, column: Column) -> dt.datetime:
    """Some days back on a grid of six hours, so that times meet; now and then beside the grid, or after the report."""
    at = AS_OF - dt.timedelta(hours=6 * int(rng.integers(-4, 4 * 45)))
    return at + _pick(
        rng, (dt.timedelta(0), dt.timedelta(0), dt.timedelta(microseconds=750_000), dt.timedelta(seconds=-1))
    )


def _number(rng: np.random.Generator, column: Column) -> float:
    if column.max == 1:
        return _pick(rng, (0.0, 0.25, 0.5, 1.0))
    return float(_pick(rng, (np.nan, 0, 1, 2, 5, 19.5, 20, 20.5, 60, 3_600, 90_000)))


_OF_TYPE = {
    "text": lambda rng, column: _pick(rng, _WORDS),
    "choice": lambda rng, column: _pick(rng, column.choices),
    "timestamp": _moment,
    "date": lambda rng, column: _moment(rng, column).date() - dt.timedelta(days=int(_pick(rng, (0, 300, 400)))),
    "seconds": _number,
    "count": lambda rng, column: int(rng.integers(0, 4)),
    "number": _number,
    "bool": lambda rng, column: bool(rng.integers(2)),
}
_ARROW = {
    "text": pa.string(),
    "choice": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "seconds": pa.float64(),
    "count": pa.int64(),
    "number": pa.float64(),
    "bool": pa.bool_(),
}


def _answers(rng: np.random.Generator, n: int) -> dict[str, pa.Array]:
    """Items with values on their own scale, which some rows leave unsaid."""
    items = [_pick(rng, list(SCALES)) for _ in range(n)]
    values = [float(rng.integers(SCALES[item][0], SCALES[item][1] + 1)) for item in items]
    said = rng.random(n) < 0.7
    ends = [
        [float(SCALES[item][end]) if say else None for item, say in zip(items, said, strict=True)] for end in (0, 1)
    ]
    gaps = [None if rng.random() < 0.1 else value for value in values]
    low, high = (pa.array(end, pa.float64()) for end in ends)
    return {"item": pa.array(items), "value": pa.array(gaps, pa.float64()), "scale_min": low, "scale_max": high}


def frames(tables: dict[str, pa.Table]) -> dict[str, pd.DataFrame]:
    """The tables with Python's own values, for a reader that knows no engine."""
    return {
        name: pd.DataFrame(table.to_pylist(), columns=table.column_names, dtype=object)
        for name, table in tables.items()
    }
