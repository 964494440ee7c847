"""Business time: open seconds between moments, exact to the second, from the edges of every open span."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cxkit.calendars.months import FIRST_YEAR, LAST_YEAR
from cxkit.calendars.periods import Period
from cxkit.calendars.zones import DAY, Ints, day_number, day_of, local_day, local_midnight
from cxkit.errors import StudyError

Bools = NDArray[np.bool_]

ORIGIN = day_number(dt.date(2000, 1, 1))  # positions count open seconds from the first moment (UTC) of this day
FIRST_DAY = day_number(dt.date(FIRST_YEAR, 1, 1))
LAST_DAY = day_number(dt.date(LAST_YEAR, 12, 31))
_SECOND = 1_000_000  # microseconds, the resolution of every table
_DAY = DAY * _SECOND
_YEAR = 366  # days
_HALF_DAY = pd.Timedelta(hours=12)


class Opening(Protocol):
    """What a clock must know of a service."""

    @property
    def time_zone(self) -> str:
        """The zone of its wall clock."""

    def open_spans(self, first: int, last: int) -> tuple[Ints, Ints]:
        """UTC seconds at which it opens and closes on the UTC days `first` to `last` (since 1970)."""

    def is_open(self, first: int, last: int) -> Bools:
        """Whether it opens on each of the local days `first` to `last` (since 1970)."""


@dataclass(frozen=True, eq=False)
class _Timeline:
    """The open spans of the UTC days from `first` to `last`, in microseconds since 1970."""

    first: int
    last: int
    opens: Ints  # with a last one that never comes
    closes: Ints
    before: Ints  # open microseconds from the origin to each opening
    of_day: Ints  # for each day, the last span that opened before it, or -1
    most: int  # spans that open on one day

    def position(self, at: Ints) -> Ints:
        """Open microseconds from the origin to each moment `at` of these days."""
        if not len(self.closes):
            return np.zeros_like(at)
        span = self.of_day[at // _DAY - self.first]  # a few steps from the day on: five times faster than a search
        for _ in range(self.most):
            span = span + (self.opens[span + 1] <= at)
        span = np.maximum(span, 0)  # before the first span nothing was open
        found: Ints = np.clip(at, self.opens[span], self.closes[span]) - (self.opens[:-1] - self.before)[span]
        return found

    def moment(self, position: Ints) -> tuple[Ints, Bools]:
        """The first moment of each position, and whether these days reach it."""
        after = self.before + (self.closes - self.opens[:-1])
        span = np.searchsorted(after, position, side="left")
        reached = np.asarray(span < len(after))
        if not len(after):
            return np.zeros_like(position), reached
        span = np.minimum(span, len(after) - 1)
        return self.opens[span] + (position - self.before[span]), reached


def _timeline(opening: Opening, first: int, last: int) -> _Timeline:
    """The timeline of some days, of which the origin must be one."""
    opens, closes = (edges * _SECOND for edges in opening.open_spans(first, last))
    before = np.cumsum(closes - opens) - (closes - opens)
    of_day = np.searchsorted(opens, np.arange(first, last + 2) * _DAY, side="left") - 1
    most = int(np.diff(of_day).max(initial=0))
    opens = np.append(opens, np.iinfo(np.int64).max)
    found = _Timeline(first, last, opens, closes, before, of_day, most)
    return replace(found, before=before - found.position(np.array([ORIGIN * _DAY])))


class Clock:
    """The business clock of one service.

    Moments are naive UTC: a timestamp, an array or a column of them; results are numbers or arrays of the same length.
    What is missing stays missing. StudyError for a moment before 1900 or after 2149.
    """

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self._known: _Timeline | None = None

    def seconds(self, start: Any, stop: Any) -> Any:
        """Open seconds from `start` to `stop`; negative where it stops before it starts, NaN where one is missing."""
        (begins, unbegun), (ends, unended) = _microseconds(start), _microseconds(stop)
        open_ = self._over(ends, unended).position(ends) - self._over(begins, unbegun).position(begins)
        return np.where(unbegun | unended, np.nan, open_ / _SECOND)[()]

    def position(self, at: Any) -> Any:
        """Open seconds from the first moment of 2000 (UTC) to `at`; negative before it."""
        times, missing = _microseconds(at)
        return np.where(missing, np.nan, self._over(times, missing).position(times) / _SECOND)[()]

    def add(self, at: Any, seconds: ArrayLike) -> Any:
        """The moment at which `seconds` of open time have passed since `at`: when a promise falls due.

        The first such moment: what ends with the working day is due at its end, not on the next morning. `at` itself
        for 0 seconds; NaT where one of the two is missing, or the service does not open that long any more.
        """
        times, missing = _microseconds(at)
        wanted = np.asarray(seconds, dtype=np.float64)
        times, missing, wanted = np.broadcast_arrays(times, missing | np.isnan(wanted), wanted)
        timeline = self._over(times, missing)
        target = timeline.position(times) + np.round(np.where(missing, 0.0, wanted) * _SECOND).astype(np.int64)
        found, reached = timeline.moment(target)
        while not np.all(reached | missing) and timeline.last < LAST_DAY:
            years = max(timeline.last - timeline.first, _YEAR)
            timeline = self._covering(timeline.first, min(timeline.last + years, LAST_DAY))
            found, reached = timeline.moment(target)
        found = np.where(wanted >= 0, np.maximum(found, times), found)
        return np.where(missing | ~reached, np.datetime64("NaT", "us"), found.astype("datetime64[us]"))[()]

    def open_seconds(self, period: Period) -> int:
        """Open seconds of `period`: what volumes of unequal months are divided by."""
        return int(self.seconds(period.start_at, period.end_at))

    def open_days(self, period: Period) -> int:
        """Days of `period`, by this service's own wall clock, on which it opens."""
        zone = self.opening.time_zone
        first, last = local_day(period.start_at, zone), local_day(period.end_at, zone)
        # In another zone than the period's, a day belongs to the period that holds its noon.
        first += dt.timedelta(days=int(local_midnight(first, zone) + _HALF_DAY < period.start_at))
        last -= dt.timedelta(days=int(local_midnight(last, zone) + _HALF_DAY >= period.end_at))
        return int(self.opening.is_open(day_number(first), day_number(last)).sum())

    def day_table(self, first: dt.date, last: dt.date) -> pd.DataFrame:
        """One row a UTC day from `first` to `last`, from which a database finds positions by an equality join.

        Columns: day; before: open seconds from 2000 to its first moment; from_1, to_1, from_2, to_2 ...: its open
        spans in seconds after that moment, both 0 where a day has fewer. All whole numbers (int64). With s seconds of
        the day gone, position = before + sum over k of clip(s - from_k, 0, to_k - from_k).
        """
        low, high = day_number(first), day_number(last)
        timeline = self._covering(low, high)
        days = np.arange(low, high + 1, dtype=np.int64)
        row, opens, closes = _by_day(timeline.opens[:-1] // _SECOND, timeline.closes // _SECOND, low, high)
        place = np.arange(len(row)) - np.searchsorted(row, row)  # which span of its day it is
        table = pd.DataFrame({"day": [day_of(day) for day in days.tolist()]})
        table["before"] = timeline.position(days * _DAY) // _SECOND
        for k in range(1 + int(place.max(initial=0))):
            for name, edges in ((f"from_{k + 1}", opens), (f"to_{k + 1}", closes)):
                column = np.zeros(len(days), dtype=np.int64)
                column[row[place == k]] = edges[place == k]
                table[name] = column
        return table

    def _over(self, times: Ints, missing: Bools) -> _Timeline:
        """The timeline over all `times` that are not missing."""
        if np.all(missing):
            return self._covering(ORIGIN, ORIGIN)
        there = times if not np.any(missing) else times[~missing]
        return self._covering(int(there.min()) // _DAY, int(there.max()) // _DAY)

    def _covering(self, low: int, high: int) -> _Timeline:
        """The timeline of the days `low` to `high` and perhaps more; it grows by whole years."""
        for day in (low, high):
            if not FIRST_DAY <= day <= LAST_DAY:
                raise StudyError("calendar_reach", year=_year(day))
        known = self._known
        if known is None or low < known.first or high > known.last:
            edges = (ORIGIN, ORIGIN) if known is None else (known.first, known.last)
            first = edges[0] if low >= edges[0] else max(low - _YEAR, FIRST_DAY)
            last = edges[1] if high <= edges[1] else min(high + _YEAR, LAST_DAY)
            self._known = known = _timeline(self.opening, first, last)
        return known


def _year(day: int) -> str:
    """The year of a day since 1970, as it is called."""
    return str(np.datetime64(day, "D").astype("datetime64[Y]"))


def _microseconds(at: Any) -> tuple[Ints, Bools]:
    """Moments as microseconds since 1970, and which are missing (they count as the origin)."""
    if isinstance(at, pd.Series | pd.Index):
        at = at.to_numpy(dtype="datetime64[us]")
    times = np.asarray(None if at is pd.NaT else at, dtype="datetime64[us]")
    missing = np.asarray(np.isnat(times))
    numbers = times.astype(np.int64)
    return (np.where(missing, ORIGIN * _DAY, numbers) if np.any(missing) else numbers), missing


def _by_day(opens: Ints, closes: Ints, low: int, high: int) -> tuple[Ints, Ints, Ints]:
    """Spans cut at each UTC midnight: the day after `low`, and the two edges in seconds after its midnight."""
    opens, closes = np.maximum(opens, low * DAY), np.minimum(closes, (high + 1) * DAY)
    held = opens < closes
    opens, closes = opens[held], closes[held]
    first, pieces = opens // DAY, (closes - 1) // DAY - opens // DAY + 1
    span = np.repeat(np.arange(len(opens)), pieces)
    day = first[span] + np.arange(len(span)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = np.maximum(opens[span], day * DAY) - day * DAY
    ends = np.minimum(closes[span], (day + 1) * DAY) - day * DAY
    return day - low, starts, ends
