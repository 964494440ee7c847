"""Months and special days."""

from __future__ import annotations

import datetime as dt
import itertools

import jdatetime
import pandas as pd
import pytest

from cxkit.calendars import local_day, month_edges, special_days


def test_months_start_at_local_midnight() -> None:
    """Riyadh is three hours ahead of UTC all year (tz database)."""
    months = month_edges(pd.Timestamp("2025-07-01"), pd.Timestamp("2025-09-30 21:30"), "Asia/Riyadh")
    assert [m.first_on for m in months] == [
        dt.date(2025, 7, 1),
        dt.date(2025, 8, 1),
        dt.date(2025, 9, 1),
        dt.date(2025, 10, 1),
    ]
    assert months[0].start_at == pd.Timestamp("2025-06-30 21:00")
    assert all(a.end_at == b.start_at for a, b in itertools.pairwise(months))


def test_a_month_with_a_clock_change_is_an_hour_shorter() -> None:
    """Cairo moved its clocks forward on 26 April 2024 (tz database)."""
    (april,) = month_edges(pd.Timestamp("2024-04-10"), pd.Timestamp("2024-04-20"), "Africa/Cairo")
    assert april.end_at - april.start_at == pd.Timedelta(days=30) - pd.Timedelta(hours=1)


def test_jalali_months_agree_with_jdatetime() -> None:
    """jdatetime 6.1 as the independent calendar, over ten years."""
    months = month_edges(pd.Timestamp("2020-01-01"), pd.Timestamp("2029-12-31"), "Asia/Tehran", "jalali")
    for month in months:
        assert jdatetime.date.fromgregorian(date=month.first_on).day == 1
    assert len({m.first_on for m in months}) == len(months)
    assert all(28 < (b.first_on - a.first_on).days < 32 for a, b in itertools.pairwise(months))


def test_special_days_are_those_of_the_umm_al_qura_calendar() -> None:
    """Umm al-Qura table of hijridate 2.6: Ramadan 1447 from 18 February to 19 March 2026, Eid al-Fitr on 20 March."""
    days = special_days(dt.date(2026, 2, 1), dt.date(2026, 4, 5)).set_index("day")
    assert days.index[days["ramadan"]].min() == dt.date(2026, 2, 18)
    assert days.index[days["ramadan"]].max() == dt.date(2026, 3, 19)
    assert days.loc[dt.date(2026, 3, 20), "eid_fitr"]
    assert days["nowruz"].sum() == 13
    with pytest.raises(LookupError):
        special_days(dt.date(2040, 1, 1), dt.date(2040, 2, 1))


def test_a_local_day_is_not_the_utc_day() -> None:
    """23:00 UTC is already tomorrow in Tehran."""
    assert local_day(pd.Timestamp("2026-01-01 23:00"), "Asia/Tehran") == dt.date(2026, 1, 2)
