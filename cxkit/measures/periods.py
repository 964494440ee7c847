"""Days, weeks, halves of a month and months of a study, and in which of them a row lies."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from cxkit.calendars import Period, periods
from cxkit.errors import MeasureError
from cxkit.measures.facts import begins_at
from cxkit.measures.kinds import Measure
from cxkit.measures.sources import PERIODS, moment

if TYPE_CHECKING:
    from cxkit.study import Study

_RUN = 3  # periods of equal length in a row from which counting them is cheaper than comparing


@dataclass(frozen=True)
class _Run:
    """Periods of equal length in a row: the number of the first, how many, when it begins and how long each is."""

    first: int
    many: int
    start: pd.Timestamp
    length: pd.Timedelta


def units_of(by: Sequence[str]) -> tuple[str, ...]:
    """Those of `by` that name periods."""
    return tuple(unit for unit in by if unit in PERIODS)


def periods_of(study: Study, unit: str, first: pd.Timestamp | None = None) -> tuple[Period, ...]:
    """The periods of the study's calendar from `first` (or from `as_of` alone) up to `as_of`."""
    first = study.as_of if first is None else min(first, study.as_of)
    calendar = study.config.get("calendar", {})
    months, week_start = calendar.get("months", "gregorian"), calendar.get("week_start", "monday")
    found = periods(first, study.as_of, study.time_zone, unit, months, week_start, calendar.get("sighted"))
    return tuple(found)


def measured_periods(study: Study, measure: Measure, unit: str) -> tuple[Period, ...]:
    """The periods from the measure's earliest date up to `as_of`; MeasureError where its rows have no date."""
    if not measure.dated_by:
        raise MeasureError("measure_undated", kpi=measure.spoken, table=measure.of)
    return periods_of(study, unit, begins_at(study, measure))


def period_number(column: ir.Value, spans: Sequence[Period]) -> ir.Value:
    """Place of the period in `spans` in which a timestamp, or a local day, lies; the first one for all before it.

    Found by halving: a row is compared with few edges, not with all. Days in a row are counted, not compared.
    """
    daily = column.type().is_date()
    lengths = [(span.end_at - span.start_at).round("D") if daily else span.end_at - span.start_at for span in spans]
    starts = [pd.Timestamp(span.first_on) if daily else span.start_at for span in spans]
    runs = _runs([_Run(place, 1, *each) for place, each in enumerate(zip(starts, lengths, strict=True))])
    found: ir.Value = _halved(column.cast("timestamp(6)") if daily else column, runs).cast("int32")
    return found


def cut_short(study: Study, unit: str, firsts: pd.Series) -> pd.Series:
    """True for the period that is not over at `as_of`; `firsts` are the first days of periods."""
    current = periods_of(study, unit)[0]
    return firsts.eq(pd.Timestamp(current.first_on)) & (not is_over(study, current))


def is_over(study: Study, period: Period) -> bool:
    """Whether the last moment of a period has passed at `as_of`."""
    return bool(period.end_at <= study.as_of + pd.Timedelta(microseconds=1))


def first_days(spans: Sequence[Period]) -> pd.DatetimeIndex:
    """The local first days of periods, which name them in a table."""
    return pd.DatetimeIndex([pd.Timestamp(span.first_on) for span in spans])


def _runs(singles: Sequence[_Run]) -> list[_Run]:
    """Neighbours of equal length put together where there are enough of them to be counted."""
    found = []
    for _, group in itertools.groupby(singles, key=lambda run: run.length):
        together = list(group)
        first = together[0]
        found += [_Run(first.first, len(together), first.start, first.length)] if len(together) >= _RUN else together
    return found


def _halved(at: ir.TimestampColumn, runs: Sequence[_Run]) -> ir.IntegerValue:
    if len(runs) == 1:
        return _counted(at, runs[0])
    middle = len(runs) // 2
    return (at < moment(runs[middle].start)).ifelse(_halved(at, runs[:middle]), _halved(at, runs[middle:]))


def _counted(at: ir.TimestampColumn, run: _Run) -> ir.IntegerValue:
    if run.many == 1:
        return ibis.literal(run.first, type="int64")
    since = at.truncate("s").epoch_seconds().cast("float64") - run.start.timestamp()  # cut first: some engines round
    place = (since / run.length.total_seconds()).floor().cast("int64")
    return ibis.greatest(ibis.least(place, run.many - 1), 0) + run.first
