"""Which rows of a table belong to a measure, and what is counted in each, as Ibis expressions."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from cxkit.errors import MeasureError
from cxkit.measures.expressions import AS_OF, condition, numeric, open_place, whole_second
from cxkit.measures.grid import grid_step, on_grid
from cxkit.measures.kinds import SOURCES, Count, Duration, Measure, Net, Ratio, Score, Share
from cxkit.measures.sources import as_time, dated, left_out, moment

Steps = list[tuple[str, ir.BooleanValue]]  # (rule, true where a row stays), in order


def steps(measure: Measure, table: ir.Table, as_of: pd.Timestamp) -> Steps:
    """What narrows `table` to the measure's population, in the order of the waterfall; never unknown."""
    found: Steps = []
    if isinstance(measure, Score | Net) and measure.item:
        found.append(("item", (table["item"] == measure.item).fill_null(False)))
    entry = SOURCES[measure.of].entry
    if entry in table.columns:
        found.append(("entry", table[entry].notnull()))
    for rule in measure.rules:
        if (out := left_out(table, measure.of, rule)) is not None:
            found.append((rule, ~out))
    if measure.among:
        among = condition(measure.among, table, measure.of, moment(as_of))
        found.append(("among", among.fill_null(False)))
    if measure.dated_by and measure.dated_by != entry:
        found.append(("undated", dated(measure, table).notnull()))
    return found


def counted_value(measure: Measure, table: ir.Table, as_of: pd.Timestamp) -> tuple[ir.Value, ir.BooleanValue | None]:
    """What is counted in each row, and whether the row was observed to its end; None: every row was.

    Not observed means censored, or, where there is no value either, not yet decidable. Observed without a value: not
    known.
    """
    match measure:
        case Share():
            return _share(measure, table, as_of)
        case Score() | Net():
            return table[measure.value].cast("float64"), None
        case Ratio():
            return numeric(measure.top, table, measure.of, moment(as_of)).cast("float64"), None
        case Duration():
            return _duration(measure, table, as_of)
        case Count():
            return ibis.literal(1, type="int8"), None
    raise MeasureError("measure_no_kind", kpi=measure.spoken)


def bottom_value(measure: Ratio, table: ir.Table, as_of: pd.Timestamp) -> ir.NumericValue | None:
    """What a row adds underneath; None: it counts as one."""
    return numeric(measure.bottom, table, measure.of, moment(as_of)).cast("float64") if measure.bottom else None


def spell_edges(measure: Count, table: ir.Table) -> list[tuple[ir.TimestampColumn, ir.TimestampColumn]]:
    """When each row comes and goes, spell by spell; empty where it does not (yet).

    A spell whose end lies before its beginning has not ended: the end is that of an earlier one.
    """
    found = []
    left = [as_time(table[c]) for c in measure.until if c in table.columns]
    for start, stop in measure.spells:
        if start not in table.columns:
            continue
        comes = as_time(table[start])
        goes = as_time(table[stop]) if stop in table.columns else ibis.null("timestamp(6)")
        ends = [(end >= comes).ifelse(end, ibis.null("timestamp(6)")) for end in (goes, *left)]
        found.append((comes, _least(ends)))
    return found


def _least(times: Sequence[ir.TimestampColumn]) -> ir.TimestampColumn:
    """The earliest of the times that are known; empty where none is. Engines differ in what `least` does with gaps."""
    never = ibis.literal(pd.Timestamp("9999-01-01").to_pydatetime(), type="timestamp(6)")
    earliest = ibis.least(*(time.fill_null(never) for time in times))
    return (earliest < never).ifelse(earliest, ibis.null("timestamp(6)"))


def with_elapsed(table: ir.Table, measures: Sequence[Measure], as_of: pd.Timestamp) -> ir.Table:
    """`table` with the times of those `measures` that are durations, step by step: no engine works them out twice."""
    durations = [m for m in measures if isinstance(m, Duration) and not m.seconds]
    walled = [m for m in durations if m.clock == "wall"]
    read = dict.fromkeys(c for m in walled for c in (m.start, m.stop, *m.until) if c in table.columns)
    table = table.mutate(**{_second(c): whole_second(as_time(table[c])) for c in read})
    return table.mutate(**{_elapsed(m): _seconds(m, table, as_of) for m in durations})


def _second(column: str) -> str:
    """Name of the column that holds the whole seconds of timestamp `column`."""
    return f"cx_second_{column}"


def _elapsed(measure: Duration) -> str:
    """Name of the column that holds the time of a duration: the same for all that tell it in the same way."""
    return "_".join(("cx_elapsed", measure.clock, measure.start, measure.stop, *measure.until, "less", *measure.pauses))


def _share(measure: Share, table: ir.Table, as_of: pd.Timestamp) -> tuple[ir.Value, ir.BooleanValue | None]:
    holds = condition(measure.where, table, measure.of, moment(as_of))
    value = ibis.cases((holds, 1), (~holds, 0)).cast("int8")  # unknown stays empty; not every engine casts a yes
    if not measure.follow_up_days:
        return value, None
    decided = dated(measure, table) <= moment(as_of - pd.Timedelta(days=measure.follow_up_days))
    return decided.ifelse(value, ibis.null()), decided


def _duration(measure: Duration, table: ir.Table, as_of: pd.Timestamp) -> tuple[ir.Value, ir.BooleanValue]:
    if measure.seconds:
        return _told(measure, table, as_of)
    known = _elapsed(measure)
    value = table[known] if known in table.columns else _seconds(measure, table, as_of)
    # a row that stops before it starts does not wait: nothing is known of it
    observed = _place(measure, table, measure.stop, as_of).notnull() | value.isnull()
    return _cut(measure, value), observed


def _seconds(measure: Duration, table: ir.Table, as_of: pd.Timestamp) -> ir.IntegerValue:
    """How long a row took, or has been watched, less its pauses; empty where it stops before it starts."""
    last = _place(measure, table, AS_OF, as_of)
    left = [_place(measure, table, c, as_of).fill_null(last) for c in measure.until if c in table.columns]
    stop, start = (_place(measure, table, c, as_of) for c in (measure.stop, measure.start))
    seconds = ibis.coalesce(stop, ibis.least(*left, last) if left else last) - start
    return (seconds >= 0).ifelse(_without_pauses(measure, table, seconds), ibis.null())


def _place(measure: Duration, table: ir.Table, column: str, as_of: pd.Timestamp) -> ir.IntegerValue:
    """A timestamp in whole seconds on the measure's clock: both ends are cut to the second, on every engine."""
    if measure.clock == "business":
        return table[open_place(column)]
    if column == AS_OF:
        return whole_second(moment(as_of))
    known = _second(column)
    return table[known] if known in table.columns else whole_second(as_time(table[column]))


def _told(measure: Duration, table: ir.Table, as_of: pd.Timestamp) -> tuple[ir.Value, ir.BooleanValue]:
    """A duration that the data tell in seconds."""
    seconds = numeric(measure.seconds, table, measure.of, moment(as_of)).cast("float64").floor().cast("int64")
    value = (seconds >= 0).ifelse(_without_pauses(measure, table, seconds), ibis.null())
    done = condition(measure.done, table, measure.of, moment(as_of)) if measure.done else ibis.literal(True)
    observed = done.fill_null(True) | value.isnull()
    return _cut(measure, value), observed


def _without_pauses(measure: Duration, table: ir.Table, seconds: ir.IntegerValue) -> ir.IntegerValue:
    for column in measure.pauses:
        seconds = seconds - table[column].fill_null(0).cast("int64")
    return ibis.greatest(seconds, 0) if measure.pauses else seconds


def _cut(measure: Duration, seconds: ir.IntegerValue) -> ir.IntegerValue:
    """Times cut to the grid that the measure itself declares."""
    if not measure.precision:
        return seconds
    return on_grid(seconds, grid_step(seconds, measure.precision), measure.target_seconds)
