"""Units through time: the value of a KPI for each team or agent, in each period and on either side of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxkit.changes.estimands import Estimand
from cxkit.changes.lines import Data, Ground, ground, lines_of, local_days
from cxkit.changes.sides import moment_at, sides
from cxkit.changes.steps import LEAST_CASES, settled_until, told_of, values_by
from cxkit.changes.words import local_time
from cxkit.errors import ParameterError, nearest
from cxkit.measures import Count, Duration, Measure, Ratio
from cxkit.measures.expressions import known_column
from cxkit.stats.inputs import summed

Floats = NDArray[np.float64]
LENGTHS = (7, 14, 28)  # days of a period, the shortest in which a typical unit has cases enough
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Rows:
    """The lines of a KPI by unit: `unit` numbers them, `when` is the day (or the period's label) of each line."""

    place: Ground
    measure: Measure
    estimand: Estimand
    lines: pd.DataFrame
    units: list[Any]
    unit: NDArray[np.int64]
    when: pd.Series[Any]
    period: str  # the column that holds periods; empty: days
    settled: pd.Timestamp | None

    @property
    def counted(self) -> bool:
        """Whether the KPI is a number of arrivals."""
        return isinstance(self.measure, Count)

    def values(self, group: NDArray[np.int64], groups: int) -> tuple[Floats, Floats]:
        """The KPI in each group of lines (-1: in none), and its number of rows; arrivals as they were counted."""
        if self.counted:
            inside = group >= 0
            n = summed(group[inside], self.lines["n"].to_numpy(np.float64)[inside], groups)
            return n, n
        return values_by(self.estimand, self.measure, self.lines, group, groups)


@dataclass(frozen=True, eq=False)
class Panel:
    """A row a unit and a column a period: values (NaN: no case), cases, and the first day or label of each period."""

    units: list[Any]
    labels: pd.Index[Any]
    values: Floats
    n: Floats
    days: int  # of a period; 0 where the table says what a period is
    log: bool


def rows_of(
    data: Data,
    measure: Measure,
    unit: str,
    *,
    at: Any,
    where: str = "",
    dated: str = "",
    period: str = "",
    horizon: float | None = None,
    estimand: str = "",
    beside: Sequence[str] = (),
    as_of: Any = None,
) -> Rows:
    """The lines of `measure` by `unit`; `at` is a moment of change, for the time up to which waits are counted."""
    if isinstance(measure, Ratio) and measure.per:
        raise ParameterError("panel_per", kpi=measure.spoken)
    if isinstance(measure, Count) and measure.spells:
        raise ParameterError("changes_stock", kpi=measure.spoken)
    place = ground(data, measure, as_of)
    known = place.columns(measure.of)
    for column in (unit, *([period] if period else []), *beside):
        known_column(column, known, measure.of if place.study is not None else "DataFrame")
    columns = tuple(dict.fromkeys([unit, *beside, *([period] if period else [])]))
    lines = lines_of(place, measure, columns, where=where, dated=dated, days=not period)
    lines = lines[lines["value"].notna() & lines[unit].notna()].reset_index(drop=True)
    told = _told(data, measure, at, where, dated, horizon, estimand, period, as_of)
    settled = None if period else settled_until(place, measure, told)
    if not period:
        last = settled if settled is not None else last_whole(place)
        lines = lines[lines["day"] <= last].reset_index(drop=True) if last is not None else lines
    if lines.empty:
        raise ParameterError("stats_no_rows")
    number, units = pd.factorize(lines[unit].astype(object))
    when = lines[period or "day"]
    return Rows(place, measure, told, lines, list(units), np.asarray(number, np.int64), when, period, settled)


def _told(
    data: Data,
    measure: Measure,
    at: Any,
    where: str,
    dated: str,
    horizon: float | None,
    estimand: str,
    period: str,
    as_of: Any,
) -> Estimand:
    """What is followed; of a wait, up to the time that both sides of the change reach."""
    if isinstance(measure, Duration) and not period:
        both = sides(data, measure, at=at, where=where, dated=dated, cluster="", as_of=as_of)
        return told_of(measure, estimand, both, horizon)
    return told_of(measure, estimand, None, horizon)


def last_whole(place: Ground) -> pd.Timestamp | None:
    """The last day before the one that `as_of` of a study cuts short."""
    if place.study is None:
        return None
    today = local_days([int(place.as_of.timestamp())], place.time_zone)[0]
    return pd.Timestamp(today) - _DAY


def treated_units(rows: Rows, unit: str, treated: Any) -> NDArray[np.bool_]:
    """Which units got the change: a value, several of them, or a condition's worth of names."""
    named = [treated] if isinstance(treated, str) or not isinstance(treated, Sequence) else list(treated)
    known = {str(u): u for u in rows.units}
    for name in named:
        if str(name) not in known:
            near = nearest(str(name), known) or "none"
            raise ParameterError("panel_no_unit", unit=unit, given=str(name)[:40], near=near, n=len(known))
    chosen = set(map(str, named))
    return np.array([str(u) in chosen for u in rows.units], dtype=bool)


def split_at(rows: Rows, at: Any) -> tuple[NDArray[np.int64], tuple[float, float]]:
    """Side of each line (0 before, 1 after, -1 on the day within which the change came), and the days of each side."""
    if rows.period:
        labels = _as_label(rows.when, at)
        side = (rows.when >= labels).to_numpy(np.int64)
        return side, tuple(float(rows.when[side == i].nunique()) for i in (0, 1))  # type: ignore[return-value]
    change = _local(rows.place, at)
    first, last = rows.when.min(), rows.when.max()
    side = np.where(rows.when < change.floor("D"), 0, np.where(rows.when >= change.ceil("D"), 1, -1))
    days = (change.floor("D") - first) / _DAY, (last - change.ceil("D")) / _DAY + 1
    return side.astype(np.int64), (max(float(days[0]), 0.0), max(float(days[1]), 0.0))


def _as_label(when: pd.Series[Any], at: Any) -> Any:
    try:
        return pd.Timestamp(at) if pd.api.types.is_datetime64_any_dtype(when) else type(when.iloc[0])(at)
    except (TypeError, ValueError):
        raise ParameterError("steps_at", given=str(at)[:40]) from None


def _local(place: Ground, at: Any) -> pd.Timestamp:
    return local_time(moment_at(at, place.time_zone), place.time_zone)


def panel_of(rows: Rows, start: Any, days: int = 0) -> Panel:
    """Each unit in each period: blocks of `days` days counted from `start`, or the table's own periods.

    days 0: the shortest of one, two and four weeks in which a typical unit that has cases has five of them.
    """
    if rows.period:
        labels = pd.Index(sorted(rows.when.unique()))
        return _filled(rows, labels.get_indexer(pd.Index(rows.when)), labels, 0)
    for length in (days,) if days else LENGTHS:
        panel = _blocks(rows, _local(rows.place, start), length)
        filled = panel.n[panel.n > 0]
        if days or (len(filled) and float(np.median(filled)) >= LEAST_CASES):
            return panel
    return panel


def _blocks(rows: Rows, start: pd.Timestamp, days: int) -> Panel:
    """Whole blocks of days on either side of `start`; a change within a day leaves that day out."""
    before, after = start.floor("D"), start.ceil("D")
    since = np.where(
        rows.when < before, (rows.when - before) // _DAY // days, (rows.when - after) // _DAY // days
    ).astype(np.int64)
    first = -int(((before - rows.when.min()) / _DAY) // days)
    size = int((((rows.when.max() - after) / _DAY) + 1) // days) - first
    mixed = ((rows.when >= before) & (rows.when < after)).to_numpy(bool)
    place = np.where(mixed | (since < first) | (since >= first + size), -1, since - first)
    if size < 1:
        raise ParameterError("did_panel")
    steps = np.arange(first, first + size)
    labels = pd.DatetimeIndex([(before if s < 0 else after) + int(s) * days * _DAY for s in steps])
    return _filled(rows, place, labels, days)


def _filled(rows: Rows, place: NDArray[np.int64], labels: pd.Index[Any], days: int) -> Panel:
    shape = (len(rows.units), len(labels))
    group = np.where(place < 0, -1, rows.unit * shape[1] + place)
    value, n = (x.reshape(shape) for x in rows.values(group, shape[0] * shape[1]))
    log = False
    if rows.counted:
        value, log = _arrivals(value, max(days, 1))
    return Panel(rows.units, labels, np.where(n > 0, value, value if rows.counted else np.nan), n, days, log)


def _arrivals(count: Floats, days: int) -> tuple[Floats, bool]:
    """Arrivals a day in logarithms, if there is no period without any; nobody arrives before a unit is first seen."""
    seen = count > 0
    begun = np.maximum.accumulate(seen, axis=1) & np.maximum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    rate = np.where(begun, count / days, np.nan)
    if (rate[begun] > 0).all():
        return np.log(rate), True
    return rate, False


def starts_of(rows: Rows, unit: str, starts: Mapping[Any, Any] | pd.Series[Any] | str) -> dict[Any, Any]:
    """When each unit got the change, as a local day or label; units that never did are not in it."""
    if isinstance(starts, str):
        told = rows.lines[[unit, starts]].dropna().drop_duplicates()
        twice = int(told[unit].duplicated().sum())
        if twice:
            raise ParameterError("panel_starts_vary", column=starts, n=twice)
        given: Mapping[Any, Any] = dict(zip(told[unit], told[starts], strict=True))
    else:
        given = dict(starts)
    known = {str(u): u for u in rows.units}
    lost = [name for name in given if str(name) not in known]
    if len(lost) == len(given):
        raise ParameterError("panel_no_starts", unit=unit, n=len(lost))
    found = {known[str(name)]: at for name, at in given.items() if str(name) in known and not pd.isna(at)}
    if rows.period:
        return {name: _as_label(rows.when, at) for name, at in found.items()}
    return {name: _local(rows.place, at) for name, at in found.items()}


def start_columns(panel: Panel, starts: Mapping[Any, Any]) -> tuple[Floats, Floats]:
    """The first whole period with the change of each unit (NaN: never), and the values without mixed periods."""
    first, values = np.full(len(panel.units), np.nan), panel.values.copy()
    for row, unit in enumerate(panel.units):
        if unit not in starts:
            continue
        at = starts[unit]
        column = int(np.searchsorted(panel.labels, at, side="left"))
        first[row] = column
        if panel.days and 0 < column <= len(panel.labels) and not _opens(panel, column, at):
            values[row, column - 1] = np.nan  # the period within which the change came
    return first, values


def _opens(panel: Panel, column: int, at: Any) -> bool:
    """Whether a change opens the period in `column`, rather than falling inside the one before it."""
    if column < len(panel.labels) and panel.labels[column] == at:
        return True
    return bool(at >= panel.labels[column - 1] + panel.days * _DAY)
