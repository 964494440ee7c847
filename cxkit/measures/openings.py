"""Places of timestamps on the business clock, looked up where the data live: a join on the UTC day, nothing more."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from cxkit.measures.expressions import AS_OF, open_place, whole_second

if TYPE_CHECKING:
    from cxkit.study import Study

_DAY = 86_400


def with_open_places(study: Study, table: ir.Table, columns: Sequence[str]) -> ir.Table:
    """`table` with the place of each of `columns` (timestamps, or `as_of`) in open seconds, as whole numbers.

    The difference of two places of one row is the open time between them. Rows of another schedule than the common one
    are told apart by the column that the study's calendar names.
    """
    first, last = _reach(study, table, columns)
    days = study.lookup("cx_open_days", _open_days(study, first, last))
    schedule = _schedule(study, table)
    at = ibis.literal(study.as_of.to_pydatetime(), type="timestamp(6)")
    for column in columns:
        second = whole_second(at if column == AS_OF else table[column])
        name = open_place(column)
        marked = table.mutate(cx_second=second, cx_schedule=schedule(table))
        marked = marked.mutate(cx_day=(marked["cx_second"] / _DAY).floor().cast("int64"))
        theirs = days.rename({"cx_of": "schedule", "cx_on": "day"})
        same = [marked["cx_schedule"] == theirs["cx_of"], marked["cx_day"] == theirs["cx_on"]]
        joined = marked.left_join(theirs, same)
        since = joined["cx_second"] - joined["cx_day"] * _DAY
        place = joined["before"]
        for span in range(sum(c.startswith("from_") for c in days.columns)):
            begins, ends = joined[f"from_{span + 1}"], joined[f"to_{span + 1}"]
            place = place + ibis.greatest(ibis.least(since, ends) - begins, 0)
        table = joined.mutate(**{name: place.cast("int64")}).select([*table.columns, name])
    return table


def _reach(study: Study, table: ir.Table, columns: Sequence[str]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The earliest of the timestamps, and `as_of`, which none can pass."""
    times = [table[c].min().name(c) for c in columns if c != AS_OF]
    if not times:
        return study.as_of, study.as_of
    (row,) = table.aggregate(times).to_pyarrow().to_pylist()
    known = [pd.Timestamp(at) for at in row.values() if at is not None]
    return min([*known, study.as_of]), study.as_of


def _open_days(study: Study, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The day tables of all schedules under one another, days as their number since 1970."""
    schedules = study.clock
    tables = []
    for name in schedules.names:
        days = schedules.clock(name).day_table(first.date(), last.date())
        number = (pd.to_datetime(days["day"]) - pd.Timestamp("1970-01-01")).dt.days.astype("int64")
        tables.append(days.assign(schedule=name, day=number))
    together = pd.concat(tables, ignore_index=True)
    whole = [c for c in together if c != "schedule"]
    return together.fillna(dict.fromkeys(whole, 0)).astype(dict.fromkeys(whole, "int64"))


def _schedule(study: Study, table: ir.Table) -> functools.partial[ir.Value]:
    """Which schedule a row keeps."""
    schedules = study.clock
    chosen = schedules.column if schedules.column in table.columns else ""
    names: dict[str, str] = {}
    if chosen:
        found = table.select(chosen).distinct().to_pyarrow().column(chosen).to_pylist()
        names = {value: schedules.of(value) for value in found if value is not None}
    return functools.partial(_named, column=chosen, names=names, common=schedules.of(None))


def _named(table: ir.Table, column: str, names: dict[str, str], common: str) -> ir.Value:
    others = [(table[column] == value, name) for value, name in names.items() if name != common]
    return ibis.cases(*others, else_=common) if others else ibis.literal(common)
