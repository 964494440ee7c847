"""Days, weeks, halves of a month and months, as a team counts them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from cxkit.calendars.months import Moves, month_first, moves_of, next_month
from cxkit.calendars.zones import local_day, local_midnight
from cxkit.errors import ParameterError, nearest

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNITS = ("day", "week", "half_month", "month")
HALF = dt.timedelta(days=15)  # a first half has fifteen days, a second half what is left


@dataclass(frozen=True)
class Period:
    """One local period: its first day, and its span in UTC (start included, end excluded; naive timestamps)."""

    first_on: dt.date
    start_at: pd.Timestamp
    end_at: pd.Timestamp


@dataclass(frozen=True)
class _Rules:
    calendar: str
    week_start: str
    moves: Moves

    def day(self, day: dt.date) -> dt.date:
        return day

    def week(self, day: dt.date) -> dt.date:
        return day - dt.timedelta(days=(day.weekday() - DAYS.index(self.week_start)) % 7)

    def month(self, day: dt.date) -> dt.date:
        return month_first(day, self.calendar, self.moves)

    def half_month(self, day: dt.date) -> dt.date:
        first = self.month(day)
        return first if day < first + HALF else first + HALF

    def after(self, first: dt.date, unit: str) -> dt.date:
        """The first day of the period after the one that opens on `first`."""
        if unit in ("day", "week"):
            return first + dt.timedelta(days=1 if unit == "day" else 7)
        month = self.month(first)
        return month + HALF if unit == "half_month" and first == month else next_month(month, self.calendar, self.moves)


def periods(
    first: pd.Timestamp,
    last: pd.Timestamp,
    time_zone: str,
    unit: str = "month",
    calendar: str = "gregorian",
    week_start: str = "monday",
    sighted: Mapping[str, dt.date] | None = None,
) -> list[Period]:
    """The periods that hold the moments from `first` to `last` (naive UTC), one after the other without a gap.

    unit: "day", "week" (beginning on `week_start`), "half_month" (the first fifteen days, and the rest) or "month", the
    last two of `calendar`: "gregorian", "jalali" or "hijri" (Umm al-Qura, with the months of `sighted` as announced).
    """
    if unit not in UNITS:
        raise ParameterError("unknown_period", given=unit, near=nearest(unit, UNITS) or "month", known=", ".join(UNITS))
    rules = _Rules(calendar, week_start, moves_of(sighted or {}))
    opens: Callable[[dt.date], dt.date] = getattr(rules, unit)
    days = [opens(local_day(first, time_zone))]
    end = local_day(last, time_zone)
    while days[-1] <= end:
        days.append(rules.after(days[-1], unit))
    edges = [(day, local_midnight(day, time_zone)) for day in days]
    return [Period(day, start, end_at) for (day, start), (_, end_at) in itertools.pairwise(edges)]


def month_edges(first: pd.Timestamp, last: pd.Timestamp, time_zone: str, calendar: str = "gregorian") -> list[Period]:
    """The months of `calendar` that hold the moments from `first` to `last` (naive UTC)."""
    return periods(first, last, time_zone, "month", calendar)


def period_unit(unit: str, calendar: str = "gregorian") -> str:
    """The name under which `cxkit.lang.write` writes a period by its first day.

    >>> period_unit("day"), period_unit("month", "jalali"), period_unit("half_month", "hijri")
    ('date', 'month', 'hijri_half_month')
    """
    if unit == "day":
        return "date"
    return f"hijri_{unit}" if calendar == "hijri" and unit != "week" else unit
