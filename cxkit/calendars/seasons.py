"""The special days that move demand and opening hours: Ramadan, the two feasts, Nowruz."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping

import pandas as pd

from cxkit.calendars.months import FIRST_YEAR, LAST_YEAR, Moves, month_first, moves_of, next_month, year_month_day

# Calendar, month, first day and number of days; 0 days: to the end of the month.
SEASONS = {
    "ramadan": ("hijri", 9, 1, 0),
    "eid_fitr": ("hijri", 10, 1, 3),
    "eid_adha": ("hijri", 12, 10, 4),
    "nowruz": ("jalali", 1, 1, 13),
}

Days = tuple[dt.date, dt.date]  # first and last day, both included


def season_days(name: str, first: dt.date, last: dt.date, moves: Moves | None = None) -> list[Days]:
    """First and last day of each season `name` of SEASONS that touches the days from `first` to `last`."""
    moves = moves or {}
    return [
        span
        for span in _seasons(name, first.year, last.year, tuple(sorted(moves.items())))
        if span[0] <= last and first <= span[1]
    ]


@functools.lru_cache(maxsize=256)
def _seasons(name: str, first_year: int, last_year: int, moved: tuple[Days, ...]) -> tuple[Days, ...]:
    calendar, month, day, length = SEASONS[name]
    moves, found = dict(moved), []
    # A Hijri year is eleven days shorter than ours, so that one year can hold two seasons of a name.
    at = month_first(dt.date(first_year, 1, 1) - dt.timedelta(days=45), calendar, moves)
    while at.year <= last_year:
        following = next_month(at, calendar, moves)
        if year_month_day(at + dt.timedelta(days=14), calendar)[1] == month:
            opens = at + dt.timedelta(days=day - 1)
            found.append((opens, opens + dt.timedelta(days=length - 1) if length else following - dt.timedelta(days=1)))
        at = following
    return tuple(found)


def special_days(first: dt.date, last: dt.date, sighted: Mapping[str, dt.date] | None = None) -> pd.DataFrame:
    """One row a day from `first` to `last`, with a flag for each special season.

    Columns: day, ramadan, eid_fitr, eid_adha, nowruz. The Hijri seasons follow the Umm al-Qura calendar; a sighting can
    move them by a day, which `sighted` says, such as {"1447-09": 2026-02-19}. LookupError beyond the years of the
    calendars.
    """
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        raise LookupError(f"special days are known from {FIRST_YEAR} to {LAST_YEAR}")
    days = pd.date_range(first, last, freq="D")
    table = pd.DataFrame({"day": days.date})
    moves = moves_of(sighted or {})
    for name in SEASONS:
        spans = season_days(name, first, last, moves)
        table[name] = [any(a <= day <= b for a, b in spans) for day in table["day"]]
    return table
