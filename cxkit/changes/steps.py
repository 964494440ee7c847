"""A KPI step by step: its value on each day, or in each block of seven days, and what else those days had.

Blocks of seven days are counted from the change to either side, so that none straddles it and each has every weekday
once. A step is known when all of its rows can be: days on which a wait could not yet have reached the horizon, or a
return its last day, are left out by the calendar, never by what came of their rows.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxkit.calendars import Clock, special_days
from cxkit.changes.estimands import Estimand, Horizon, estimands, horizon_of, row_values
from cxkit.changes.lines import Ground
from cxkit.changes.sides import Sides, moment_at
from cxkit.changes.words import local_time
from cxkit.errors import ParameterError
from cxkit.measures import Count, Duration, Measure, Score, Share, estimates
from cxkit.measures.expressions import AS_OF
from cxkit.measures.groups import members_of
from cxkit.stats import influence, kaplan_meier
from cxkit.stats.inputs import summed

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Freq = Literal["auto", "day", "week"]

LEAST_CASES = 5  # a step of fewer cases is a gap
TYPICAL_CASES = 20  # a day of fewer is too thin to speak for itself
TYPICAL_COUNT = 10
WEEK = 7
_DAY = pd.Timedelta(days=1)
_AHEAD = 28  # days among which half must have rows where a series begins
_LUMPS = 0.5  # share of steps without a row from which a series is one of bookings, not of days
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Steps:
    """One series: a row a step, and the row from which on the change is in force.

    `table` has the columns step (first local day, or the label that came with a series), value (NaN: a gap), n (rows).
    `left_out` counts what is not in it: thin and unsettled steps, rows of stragglers before it begins.
    """

    table: pd.DataFrame
    at: int
    unit: Literal["day", "week", "row"]
    estimand: Estimand
    log: bool
    left_out: Mapping[str, int] = field(default_factory=dict)
    settled: pd.Timestamp | None = None  # the last day on which every row could be known; None: all days

    @property
    def value(self) -> Floats:
        """The values in their order."""
        return self.table["value"].to_numpy(np.float64)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which steps have a value."""
        return np.isfinite(self.value)

    @property
    def label(self) -> Any:
        """The first step with the change: its day, or the label that came with it."""
        return self.table["step"].iloc[self.at] if self.at < len(self.table) else None

    @property
    def days(self) -> int:
        """Days in a step."""
        return WEEK if self.unit == "week" else 1


@dataclass(frozen=True)
class Grid:
    """Consecutive steps of `days` days: the first day of the first one, how many, and the first after the change."""

    first: pd.Timestamp
    days: int
    size: int
    at: int
    gap: int = 0  # days between the steps before and after: the day within which the change came

    def place(self, day: Any) -> Codes:
        """The step of each day; -1 outside, and on the day of the change itself."""
        since = ((pd.DatetimeIndex(day) - self.first) // _DAY).to_numpy(np.int64)
        before, edge = since // self.days, self.at * self.days
        after = self.at + (since - edge - self.gap) // self.days
        found = np.where(since < edge, before, np.where(since < edge + self.gap, -1, after))
        return np.where((found < 0) | (found >= self.size), -1, found)

    @property
    def firsts(self) -> pd.DatetimeIndex:
        """The first day of each step."""
        steps = np.arange(self.size)
        since = steps * self.days + np.where(steps >= self.at, self.gap, 0)
        return pd.DatetimeIndex(self.first + pd.to_timedelta(since, unit="D"))


def told_of(measure: Measure, stat: str, sides: Sides | None, horizon: float | None) -> Estimand:
    """What is followed through time: the statistic asked for, or the one that the KPI is known by.

    A chance that one answer is higher than another has no value of its own day by day; the share of favourable answers
    stands in for it.
    """
    if isinstance(measure, Duration) and measure.stop == AS_OF:
        raise ParameterError("steps_snapshot", kpi=measure.spoken)
    known_by = "top_share" if isinstance(measure, Score) else ""
    until, within = None, _NAN
    if isinstance(measure, Duration):
        refuse_all_open(measure, sides)
        until, within = _until(sides, horizon), float(measure.target_seconds or _NAN)
    found = estimands(measure, stat or known_by, until, within)[0]
    if not found.has_sides:
        raise ParameterError("steps_no_value", kpi=measure.spoken, stat=found.stat)
    return found


def refuse_all_open(measure: Measure, sides: Sides | None) -> None:
    """Where nothing has come to an end, no wait is known."""
    if sides is not None and isinstance(measure, Duration) and not any(side.observed.any() for side in sides.pair):
        raise ParameterError("changes_all_open", kpi=measure.spoken, n=int(sum(side.known for side in sides.pair)))


def _until(sides: Sides | None, horizon: float | None) -> Horizon:
    """Up to which time waits are counted."""
    if sides is not None:
        return horizon_of(sides, horizon)
    if horizon is None:
        raise ParameterError("steps_horizon")
    return Horizon(horizon, "given")


def values_by(
    estimand: Estimand, measure: Measure, lines: pd.DataFrame, group: Codes, groups: int
) -> tuple[Floats, Floats]:
    """The statistic in each of `groups` groups of lines (-1: in none), and how many rows it rests on."""
    inside = group >= 0
    lines, group = lines[inside], group[inside]
    n = lines["n"].to_numpy(np.float64)
    rows = summed(group, n, groups)
    if estimand.stat in ("capped_mean", "within", "quantile", "geometric_mean"):
        return _one_by_one(estimand, measure, lines, group, groups), rows
    amount = row_values(estimand, measure, lines["value"].to_numpy(np.float64))
    under = n * lines["bottom"].to_numpy(np.float64) if "bottom" in lines else n
    return _over(summed(group, n * amount, groups), group, under, groups), rows


def _over(top: Floats, group: Codes, under: Floats, groups: int) -> Floats:
    bottom = summed(group, under, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom != 0, top / bottom, np.nan)


def _one_by_one(estimand: Estimand, measure: Measure, lines: pd.DataFrame, group: Codes, groups: int) -> Floats:
    value, n = (lines[c].to_numpy(np.float64) for c in ("value", "n"))
    seen = lines["observed"].to_numpy(bool)
    waits, at = isinstance(measure, Duration), estimand.amount
    found = np.full(groups, np.nan)
    for place, rows in enumerate(members_of(group, groups)):
        if not len(rows):
            continue
        if estimand.stat == "geometric_mean":
            found[place] = influence.geometric_mean(value[rows], n[rows]).value
        elif not waits:
            found[place] = influence.quantile(value[rows], at, n[rows]).value
        elif estimand.stat == "capped_mean" and bool((seen[rows] | (value[rows] >= at)).all()):
            found[place] = np.average(np.minimum(value[rows], at), weights=n[rows])  # nobody left before the horizon
        else:
            curve = kaplan_meier(value[rows], seen[rows], n[rows])
            asked = {"capped_mean": curve.capped_mean, "within": curve.within}.get(estimand.stat)
            found[place] = curve.quantile(at) if asked is None else asked(at).estimate
    found[~np.isfinite(found)] = np.nan
    return found


def steps_from(sides: Sides, estimand: Estimand, freq: Freq = "auto") -> Steps:
    """The series of both sides: by days where a typical day has cases enough, else by blocks of seven days."""
    if freq not in ("auto", "day", "week"):
        raise ParameterError("steps_freq", given=str(freq)[:40])
    daily = sides.baseline.daily is not None
    days = _daily_rows(sides)
    settled = settled_until(sides.place, sides.measure, estimand)
    days, dropped = _begun(days, sides)
    if settled is not None:
        days = days[days.index <= settled]
    unit = freq if freq != "auto" else _fitting(days["n"], TYPICAL_COUNT if daily else TYPICAL_CASES)
    grid = _grid(sides, days.index, WEEK if unit == "week" else 1)
    value, n = _counted(sides, grid) if daily else _valued(sides, estimand, grid)
    thin = np.zeros(len(n), bool) if daily else (n < LEAST_CASES) & (n > 0)
    value = np.where(thin | (~np.isfinite(value)), np.nan, value)
    table = pd.DataFrame({"step": grid.firsts, "value": value, "n": n})
    left_out = {"thin": int(thin.sum()), "stragglers": dropped}
    log = isinstance(sides.measure, Count) and bool((value[np.isfinite(value)] > 0).all())
    return Steps(table, grid.at, unit, estimand, log, left_out, settled)  # type: ignore[arg-type]


def _daily_rows(sides: Sides) -> pd.DataFrame:
    """Rows on each whole day from the first to the last one of the sides."""
    (first, _), (_, last) = _spans(sides)
    days = pd.date_range(first, last, freq="D", unit="us")
    tables = [side.lines if side.daily is None else side.daily.rename(columns={"count": "n"}) for side in sides.pair]
    counted = pd.concat([table[["day", "n"]] for table in tables]).groupby("day")["n"].sum()
    return pd.DataFrame({"n": counted.reindex(days, fill_value=0.0)}, index=days)


def _spans(sides: Sides) -> tuple[tuple[dt.date, dt.date], tuple[dt.date, dt.date]]:
    """First and last whole day before the change, and from it on."""
    if sides.days is None:
        raise ParameterError("steps_undated", kpi=sides.measure.spoken)
    return sides.days


def _begun(days: pd.DataFrame, sides: Sides) -> tuple[pd.DataFrame, int]:
    """`days` from the first one after which half of the next ones have rows; and how many rows lie before it."""
    filled = (days["n"] > 0).to_numpy(np.float64)
    ahead = np.array([filled[i : i + _AHEAD].mean() for i in range(len(filled))])
    start = np.flatnonzero((filled > 0) & (ahead >= 0.5))
    change = pd.Timestamp(_spans(sides)[1][0])
    if not len(start) or days.index[start[0]] >= change:
        return days, 0
    return days.iloc[start[0] :], int(days["n"].iloc[: start[0]].sum())


def _fitting(n: pd.Series[float], enough: float) -> str:
    """Days, if a typical one that has cases at all has enough of them."""
    filled = n[n > 0]
    return "day" if len(filled) and float(filled.median()) >= enough else "week"


def _grid(sides: Sides, days: pd.Index[Any], length: int) -> Grid:
    """Steps of `length` days from the change to either side, as far as the days reach."""
    (_, end), (start, _) = _spans(sides)
    end_before, start_after = pd.Timestamp(end), pd.Timestamp(start)
    before = int(((end_before - days[0]) // _DAY) + 1) // length if len(days) and days[0] <= end_before else 0
    after = int(((days[-1] - start_after) // _DAY) + 1) // length if len(days) and days[-1] >= start_after else 0
    first = end_before + _DAY - before * length * _DAY
    return Grid(first, length, before + after, before, int((start_after - end_before) // _DAY) - 1)


def _counted(sides: Sides, grid: Grid) -> tuple[Floats, Floats]:
    """Arrivals a day, or per row of the other table, in each step."""
    both = pd.concat([side.daily for side in sides.pair if side.daily is not None])
    place = grid.place(both["day"])
    inside = place >= 0
    count = summed(place[inside], both["count"].to_numpy(np.float64)[inside], grid.size)
    if "under" not in both:
        return count / grid.days, count
    under = summed(place[inside], both["under"].to_numpy(np.float64)[inside], grid.size)
    if (count[under > 0] == 0).mean() > _LUMPS:
        raise ParameterError("steps_lumps", kpi=sides.measure.spoken)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate: Floats = np.where(under > 0, count / under, np.nan)
    return rate, count


def _valued(sides: Sides, estimand: Estimand, grid: Grid) -> tuple[Floats, Floats]:
    lines = pd.concat([side.lines for side in sides.pair], ignore_index=True)
    return values_by(estimand, sides.measure, lines, grid.place(lines["day"]), grid.size)


def settled_until(place: Ground, measure: Measure, estimand: Estimand) -> pd.Timestamp | None:
    """The last local day all of whose rows could be known by now; None where that is all days.

    A return within a week is known a week later, a wait up to the horizon when the horizon is over: in open time, where
    the measure counts that.
    """
    if isinstance(measure, Share) and measure.follow_up_days:
        return _last_before(place.as_of - pd.Timedelta(days=measure.follow_up_days), place.time_zone)
    if not isinstance(measure, Duration) or measure.seconds or not np.isfinite(estimand.amount):
        return None
    if estimand.stat not in ("capped_mean", "within"):
        return None
    if measure.clock == "business" and place.study is not None:
        schedules = place.study.clock
        return _last_open(place, [schedules.clock(name) for name in schedules.names], estimand.amount)
    return _last_before(place.as_of - pd.Timedelta(seconds=estimand.amount), place.time_zone)


def _last_before(moment: pd.Timestamp, time_zone: str) -> pd.Timestamp:
    """The last local day that was over at a moment in naive UTC."""
    return (local_time(moment, time_zone) + pd.Timedelta(microseconds=1)).floor("D") - _DAY


def _last_open(place: Ground, clocks: Sequence[Clock], seconds: float) -> pd.Timestamp:
    """The last local day at whose end every clock of the study had as much open time before it."""
    day = _last_before(place.as_of, place.time_zone)
    for _ in range(366):
        end = (day + _DAY).tz_localize(place.time_zone).tz_convert("UTC").tz_localize(None)
        if min(float(clock.seconds(end, place.as_of)) for clock in clocks) >= seconds:
            break
        day -= _DAY
    return day


# --- what waits, and a series that came as one ---


def steps_of_stock(place: Ground, measure: Count, at: Any, freq: Freq, where: str, window_days: float) -> Steps:
    """How many wait at the end of each day, or on the mean day of each block of seven."""
    if place.study is None:
        raise ParameterError("steps_stock_table", kpi=measure.spoken)
    among = f"({measure.among}) and ({where})" if measure.among and where else where or measure.among
    narrowed = dataclasses.replace(measure, among=among)
    found = estimates(place.study, narrowed, ("day",))
    whole = found[~found["partial"].to_numpy(bool)].set_index("day")["value"].sort_index()
    change = local_time(moment_at(at, place.time_zone), place.time_zone)
    before, after = whole[whole.index < change.floor("D")], whole[whole.index >= change.ceil("D")]
    if window_days:
        before, after = before.iloc[-int(window_days) :], after.iloc[: int(window_days)]
    if before.empty or after.empty:
        raise ParameterError("changes_one_period", before=len(before), after=len(after))
    length = WEEK if freq == "week" else 1
    sides = (before.iloc[len(before) % length :], after.iloc[: len(after) - len(after) % length])
    value = np.concatenate([side.to_numpy(np.float64).reshape(-1, length).mean(axis=1) for side in sides])
    first = np.concatenate([side.index.to_numpy()[::length] for side in sides])
    told = Estimand("stock", "number2", "number2", measure.better)
    table = pd.DataFrame({"step": pd.DatetimeIndex(first).as_unit("us"), "value": value, "n": value})
    unit: Literal["day", "week"] = "week" if length == WEEK else "day"
    return Steps(table, len(sides[0]) // length, unit, told, bool((value > 0).all()))


def steps_of_series(series: pd.Series[Any], at: Any, estimand: Estimand, log: bool) -> Steps:
    """The steps of a finished series, in the order of its index; `at` is the label from which on the change holds."""
    labels = series.index.to_timestamp() if isinstance(series.index, pd.PeriodIndex) else series.index
    ordered = pd.Series(series.to_numpy(dtype=np.float64, na_value=np.nan), index=labels).sort_index()
    if ordered.index.has_duplicates:
        raise ParameterError("steps_twice", n=int(ordered.index.duplicated().sum()))
    try:
        edge = pd.Timestamp(at) if isinstance(ordered.index, pd.DatetimeIndex) else type(ordered.index[0])(at)
        place = int((ordered.index < edge).sum())
    except (TypeError, ValueError, IndexError):
        raise ParameterError("steps_at", given=str(at)[:40]) from None
    value = ordered.to_numpy(np.float64)
    if np.isinf(value).any():
        raise ParameterError("stats_infinite", n=int(np.isinf(value).sum()))
    table = pd.DataFrame({"step": ordered.index, "value": value, "n": np.isfinite(value).astype(np.float64)})
    return Steps(table, place, "row", estimand, log)


# --- what the days had ---


def regressors(steps: Steps, season: Sequence[str], beside: pd.DataFrame | None) -> dict[str, Floats]:
    """Columns of what a step would do anyway, by name: weekdays, months, and the days of `beside` (flags a day)."""
    first = steps.table["step"]
    found: dict[str, Any] = {}
    if not pd.api.types.is_datetime64_any_dtype(first):
        if beside is not None or "month" in season:
            raise ParameterError("steps_no_dates")
        return found
    for name in season:
        if name not in ("weekday", "month"):
            raise ParameterError("steps_season", given=str(name)[:40])
    if "weekday" in season and (steps.unit == "day" or (steps.unit == "row" and _is_daily(first))):
        found |= {f"weekday_{k}": (first.dt.day_of_week == k).to_numpy(np.float64) for k in range(1, WEEK)}
    if "month" in season:
        months = (first + pd.Timedelta(days=steps.days // 2)).dt.month
        found |= {f"month_{k}": (months == k).to_numpy(np.float64) for k in range(2, 13)}
    if beside is not None:
        found |= _of_days(steps, first, beside)
    return found


def _is_daily(first: pd.Series[Any]) -> bool:
    return bool((first.diff().dropna() == _DAY).mean() > 0.5)


def _of_days(steps: Steps, first: pd.Series[Any], beside: pd.DataFrame) -> dict[str, Floats]:
    """The mean of each flag over the days of each step."""
    known = beside.set_index(pd.DatetimeIndex(beside["day"])).drop(columns="day").astype(np.float64)
    if known.index.has_duplicates:
        raise ParameterError("steps_twice", n=int(known.index.duplicated().sum()))
    parts = [
        known.reindex(first + k * _DAY, fill_value=0.0).fillna(0.0).to_numpy(np.float64) for k in range(steps.days)
    ]
    mean = np.mean(parts, axis=0)
    return {str(name): mean[:, i] for i, name in enumerate(known)}


def special_of(place: Ground, first: dt.date, last: dt.date) -> pd.DataFrame | None:
    """Flags of the study's special days, and of those on which it is closed beyond its week; None without a study."""
    if place.study is None:
        return None
    calendar = place.study.config.get("calendar", {})
    try:
        table = special_days(first, last, calendar.get("sighted"))
    except LookupError:  # beyond the years of the calendars
        return None
    if calendar.get("hours"):
        rules = [place.study.clock.rule(name) for name in place.study.clock.names]
        closed = [[not rule.opens_on(day) for rule in rules] for day in table["day"]]
        table["closed"] = np.mean(closed, axis=1)
    return table
