"""Which rows of a table belong to a measure, what is counted in each, and in which month, as Ibis expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from cxkit.calendars import Period, month_edges
from cxkit.errors import MeasureError
from cxkit.measures.expressions import column_names, condition, seconds_between
from cxkit.measures.kinds import EXCLUSIONS, SOURCES, Count, Duration, Measure, Net, Ratio, Score, Share
from cxkit.measures.needs import home_of
from cxkit.measures.sources import dated, moment

if TYPE_CHECKING:
    from cxkit.study import Study

Steps = list[tuple[str, ir.BooleanValue]]  # (rule, true where a row stays), in order


def steps(measure: Measure, table: ir.Table) -> Steps:
    """What narrows `table` to the measure's population, in the order of the waterfall; never unknown."""
    found: Steps = []
    if isinstance(measure, Score | Net) and measure.item:
        found.append(("item", (table["item"] == measure.item).fill_null(False)))
    entry = SOURCES[measure.of].entry
    if entry in table.columns:
        found.append(("entry", table[entry].notnull()))
    for rule in measure.rules:
        if column_names(EXCLUSIONS[rule]) <= set(table.columns):
            found.append((rule, ~condition(EXCLUSIONS[rule], table, measure.of).fill_null(False)))
    if measure.among:
        found.append(("among", condition(measure.among, table, measure.of).fill_null(False)))
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
            return table[measure.top].cast("float64"), None
        case Duration():
            return _duration(measure, table, as_of)
        case Count():
            return ibis.literal(1, type="int8"), None
    raise MeasureError("measure_no_kind", kpi=measure.spoken)


def months_of(study: Study, measure: Measure | None = None) -> tuple[Period, ...]:
    """The months of the study's calendar from the measure's earliest date (or from `as_of`) up to `as_of`."""
    first = study.as_of if measure is None else min(begins_at(study, measure), study.as_of)
    calendar = study.config.get("calendar", {}).get("months", "gregorian")
    return tuple(month_edges(first, study.as_of, study.time_zone, calendar))


def begins_at(study: Study, measure: Measure) -> pd.Timestamp:
    """The earliest moment that rows of `measure` are attributed to; `as_of` where there is none."""
    home = study.table(home_of(study, measure.of, measure.dated_by))
    earliest = dated(measure, home).min().to_pandas()  # one column, before any join
    return study.as_of if pd.isna(earliest) else pd.Timestamp(earliest)


def month_number(at: ir.TimestampColumn, months: Sequence[Period]) -> ir.Value:
    """Place of the month in `months`, found by halving: a row is compared with few edges, not with all."""

    def between(first: int, last: int) -> ir.Value:
        if last - first == 1:
            return ibis.literal(first, type="int16")
        middle = (first + last) // 2
        return (at < moment(months[middle].start_at)).ifelse(between(first, middle), between(middle, last))

    return between(0, len(months))


def _share(measure: Share, table: ir.Table, as_of: pd.Timestamp) -> tuple[ir.Value, ir.BooleanValue | None]:
    value = condition(measure.where, table, measure.of).cast("int8")
    if not measure.follow_up_days:
        return value, None
    decided = dated(measure, table) <= moment(as_of - pd.Timedelta(days=measure.follow_up_days))
    return decided.ifelse(value, ibis.null()), decided


def _duration(measure: Duration, table: ir.Table, as_of: pd.Timestamp) -> tuple[ir.Value, ir.BooleanValue]:
    start, stop, last = table[measure.start], table[measure.stop], moment(as_of)
    left = [table[c].fill_null(last) for c in measure.until if c in table.columns]
    end = ibis.coalesce(stop, ibis.least(*left, last) if left else last)
    seconds = seconds_between(start, end)
    value = (seconds >= 0).ifelse(seconds, ibis.null())
    observed = (
        stop.notnull() | value.isnull()
    )  # a row that stops before it starts does not wait: nothing is known of it
    return (_on_grid(value, measure.precision) if measure.precision else value), observed


def _on_grid(seconds: ir.IntegerValue, precision: float) -> ir.IntegerValue:
    """`seconds` cut down to a log-linear grid: steps of 2^(k - bits) between 2^k and 2^(k + 1)."""
    bits = next(b for b in range(64) if 2.0**-b <= precision)
    octave = ibis.greatest(seconds, 1).cast("float64").log2().floor().cast("int64")
    step = (ibis.literal(2.0) ** ibis.greatest(octave - bits, 0)).cast("int64")
    return seconds - seconds % step
