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
        special_days(dt.date(2149, 12, 1), dt.date(2150, 1, 1))


# First and last days as printed for 2023 to 2028 by hijridate 2.6 (Hijri) and as official holidays of Iran (Nowruz).
SEASONS = {
    "ramadan": "2023-03-23/04-20 2024-03-11/04-09 2025-03-01/03-29 2026-02-18/03-19 2027-02-08/03-08 2028-01-28/02-25",
    "eid_fitr": "2023-04-21/04-23 2024-04-10/04-12 2025-03-30/04-01 2026-03-20/03-22 2027-03-09/03-11 2028-02-26/02-28",
    "eid_adha": "2023-06-28/07-01 2024-06-16/06-19 2025-06-06/06-09 2026-05-27/05-30 2027-05-16/05-19 2028-05-05/05-08",
    "nowruz": "2023-03-21/04-02 2024-03-20/04-01 2025-03-21/04-02 2026-03-21/04-02 2027-03-21/04-02 2028-03-20/04-01",
}


@pytest.mark.parametrize("season", SEASONS)
def test_six_years_of_seasons_are_as_they_were_printed(season: str) -> None:
    """The table above, day by day."""
    days = special_days(dt.date(2023, 1, 1), dt.date(2028, 12, 31)).set_index("day")[season]
    spans = [span.split("/") for span in SEASONS[season].split()]
    expected = [pd.date_range(first, f"{first[:4]}-{last}").date for first, last in spans]
    assert list(days.index[days]) == list(itertools.chain(*expected))


def test_an_announced_month_moves_its_season() -> None:
    """Ramadan sighted a day later than the table has it, and Eid, too."""
    sighted = {"1447-09": dt.date(2026, 2, 19), "1447-10": dt.date(2026, 3, 21)}
    days = special_days(dt.date(2026, 2, 1), dt.date(2026, 4, 5), sighted).set_index("day")
    assert days.index[days["ramadan"]].min() == dt.date(2026, 2, 19)
    assert days.index[days["ramadan"]].max() == dt.date(2026, 3, 20)
    assert list(days.index[days["eid_fitr"]]) == [dt.date(2026, 3, 21), dt.date(2026, 3, 22), dt.date(2026, 3, 23)]


def test_a_local_day_is_not_the_utc_day() -> None:
    """23:00 UTC is already tomorrow in Tehran."""
    assert local_day(pd.Timestamp("2026-01-01 23:00"), "Asia/Tehran") == dt.date(2026, 1, 2)
