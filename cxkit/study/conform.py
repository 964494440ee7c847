"""A database's own column types brought to those of the contract, by the engine that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from cxkit.contract import load
from cxkit.errors import StudyError


def conformed(table: ir.Table, name: str) -> ir.Table:
    """`table` as the contract has table `name`: naive UTC in microseconds, whole numbers, floats, texts, yes or no.

    Empty texts and numbers that are none (NaN) are missing values. Columns that the contract does not know keep their
    sort; those that no measure could read are left out. StudyError if a required column is not there, or if a column
    is of another sort than the contract says.
    """
    spec = load().tables[name]
    lacking = [column for column in spec.required if column not in table.columns]
    if lacking:
        raise StudyError("study_table_columns", table=name, columns=", ".join(lacking), known=", ".join(table.columns))
    found: dict[str, ir.Value] = {}
    for column, kind in table.schema().items():
        known = spec.columns.get(column)
        sort = known.type if known else _sort(kind)
        value = _READ[sort](table[column]) if sort else None
        if value is not None:
            found[column] = value
        elif known:
            raise StudyError(
                "study_column_type", table=name, column=column, wanted=known.type, found=str(kind).rpartition("!")[2]
            )
    return table.select(**found)


def _sort(kind: dt.DataType) -> str | None:
    """The contract's word for a type; None if it has none."""
    sorts: tuple[tuple[bool, str], ...] = (
        (kind.is_string(), "text"),
        (kind.is_timestamp(), "timestamp"),
        (kind.is_date(), "date"),
        (kind.is_boolean(), "bool"),
        (kind.is_numeric(), "number"),
    )
    return next((sort for fits, sort in sorts if fits), None)


def _text(value: ir.Value) -> ir.Value | None:
    kind = value.type()
    if kind.is_string():
        return value.nullif("")
    return value.cast("string") if kind.is_integer() else None


def _timestamp(value: ir.Value) -> ir.Value | None:
    kind = value.type()
    if not (kind.is_timestamp() or kind.is_date()):
        return None
    return value.cast("timestamp(6)")  # sessions keep UTC, so a time with a zone loses nothing but the zone


def _date(value: ir.Value) -> ir.Value | None:
    kind = value.type()
    return value.cast("date") if kind.is_timestamp() or kind.is_date() else None


def number(value: ir.Value) -> ir.Value | None:
    """A number that is one: whole numbers stay whole, NaN is a missing value; None for what is no number."""
    kind = value.type()
    if kind.is_integer():
        return value.cast("int64")  # shorter ones overflow where another engine would widen them
    if kind.is_floating() or kind.is_decimal():
        real = value.cast("float64")
        return real.isnan().ifelse(ibis.null(), real)
    return None


def _yes_no(value: ir.Value) -> ir.Value | None:
    kind = value.type()
    if kind.is_boolean():
        return value
    return value != 0 if kind.is_integer() else None


_READ: Mapping[str, Callable[[ir.Value], ir.Value | None]] = {
    "text": _text,
    "choice": _text,
    "timestamp": _timestamp,
    "date": _date,
    "seconds": number,
    "count": number,
    "number": number,
    "bool": _yes_no,
}
