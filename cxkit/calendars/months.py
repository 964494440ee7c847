"""Months of the Gregorian, the Jalali and the Hijri calendar: which day opens each."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping

from cxkit.errors import ParameterError, StudyError, nearest
from cxkit.lang import hijri, jalali

CALENDARS = ("gregorian", "jalali", "hijri")
# Where ICU's Persian arithmetic was compared day by day; its Umm al-Qura table reaches further both ways.
FIRST_YEAR, LAST_YEAR = 1900, 2149

Moves = Mapping[dt.date, dt.date]  # first day of a Hijri month by the table -> the day that was announced
_NO_MOVES: Moves = {}


def year_month_day(day: dt.date, calendar: str) -> tuple[int, int, int]:
    """Year, month and day of `day` in `calendar`; the Hijri one is Umm al-Qura, whatever was sighted.

    >>> year_month_day(dt.date(2026, 2, 18), "hijri"), year_month_day(dt.date(2026, 3, 21), "jalali")
    ((1447, 9, 1), (1405, 1, 1))
    """
    if calendar == "jalali":
        return jalali(day)
    if calendar == "hijri":
        return hijri(day)
    if calendar == "gregorian":
        return day.year, day.month, day.day
    near = nearest(calendar, CALENDARS) or CALENDARS[0]
    raise ParameterError("unknown_calendar", given=calendar, near=near, known=", ".join(CALENDARS))


@functools.lru_cache(maxsize=4096)
def _by_table(day: dt.date, calendar: str) -> dt.date:
    """The first day of the month that holds `day`, by arithmetic or table."""
    return day - dt.timedelta(days=year_month_day(day, calendar)[2] - 1)


def _next_by_table(first: dt.date, calendar: str) -> dt.date:
    # Every month of the three calendars has 28 to 31 days: 31 days on is in the next one, at most its fourth day.
    return _by_table(first + dt.timedelta(days=31), calendar)


def month_first(day: dt.date, calendar: str = "gregorian", moves: Moves = _NO_MOVES) -> dt.date:
    """The first day of the month that holds `day`."""
    first = _by_table(day, calendar)
    if moves.get(first, first) > day:  # announced later than the table has it: the old month goes on
        first = _by_table(first - dt.timedelta(days=1), calendar)
    else:
        following = _next_by_table(first, calendar)
        first = following if moves.get(following, following) <= day else first
    return moves.get(first, first)


def next_month(first: dt.date, calendar: str = "gregorian", moves: Moves = _NO_MOVES) -> dt.date:
    """The first day of the month after the one that opens on `first`."""
    # Half a month on is the same month by the table, however an announcement moved its first day.
    following = _next_by_table(_by_table(first + dt.timedelta(days=14), calendar), calendar)
    return moves.get(following, following)


def moves_of(sighted: Mapping[str, dt.date]) -> Moves:
    """First days of Hijri months as announced, such as {"1447-09": 2026-02-19}, by the day the table has instead.

    StudyError for what is no month of the Hijri calendar, or a day that is not within two days of the table's.
    """
    return {_of_table(month, day): day for month, day in sighted.items()}


def _of_table(month: str, announced: dt.date) -> dt.date:
    year, _, number = month.partition("-")
    if not (year.isdecimal() and number.isdecimal() and len(year) == 4 and 1 <= int(number) <= 12):
        raise StudyError("calendar_month", given=month)
    first = _by_table(announced + dt.timedelta(days=14), "hijri")
    found = year_month_day(first, "hijri")
    if found[:2] != (int(year), int(number)) or abs((announced - first).days) > 2:
        raise StudyError("calendar_sighted", month=month, given=str(announced), found=f"{found[0]}-{found[1]:02}")
    return first
