"""Days, weeks, halves and months in three calendars, and how three languages name them."""

from __future__ import annotations

import bisect
import csv
import datetime as dt
import itertools
from pathlib import Path

import jdatetime
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit import lang
from cxkit.calendars import UNITS, local_day, month_edges, period_unit, periods, year_month_day
from cxkit.calendars.months import month_first, moves_of, next_month
from cxkit.errors import CxkitError, ParameterError, StudyError

FIXTURES = Path(__file__).parent / "fixtures" / "calendars"


def months_of(name: str) -> dict[dt.date, tuple[int, int]]:
    """First day -> year and month, from a fixture with a line for each year."""
    with (FIXTURES / f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    found = {}
    for row in rows:
        first = dt.date.fromisoformat(row["first_on"])
        for number, length in enumerate(row["lengths"].split(), 1):
            found[first] = (int(row["year"]), number)
            first += dt.timedelta(days=int(length))
    return found


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


# --- calendars ---


@pytest.mark.parametrize(("calendar", "fixture"), [("jalali", "persian"), ("hijri", "umalqura")])
def test_every_day_of_250_years_lies_in_the_month_that_icu_says(calendar: str, fixture: str) -> None:
    """The ICU inside Node 20 (tests/fixtures/calendars), 1900 to 2149: 91,311 days, no difference."""
    golden = months_of(fixture)
    firsts = sorted(golden)
    differing, days = 0, pd.date_range("1900-01-01", "2149-12-31").date
    for day in days:
        first = firsts[bisect.bisect_right(firsts, day) - 1]
        differing += year_month_day(day, calendar) != (*golden[first], (day - first).days + 1)
    assert (differing, len(days)) == (0, 91_311)


@pytest.mark.parametrize(("calendar", "fixture"), [("jalali", "persian"), ("hijri", "umalqura")])
def test_the_months_of_250_years_open_on_the_days_that_icu_says(calendar: str, fixture: str) -> None:
    """As above: the months as periods, one after the other."""
    found = [month.first_on for month in month_edges(at("1900-01-01"), at("2149-12-31"), "UTC", calendar)]
    golden = sorted(months_of(fixture))
    assert found == golden[golden.index(found[0]) :][: len(found)]
    assert found[0] <= dt.date(1900, 1, 1) and found[-1] > dt.date(2149, 11, 30)


def test_jalali_days_agree_with_another_library() -> None:
    """jdatetime, every 11th day from 1900 to 2099."""
    for day in pd.date_range("1900-01-01", "2099-12-31", freq="11D").date:
        other = jdatetime.date.fromgregorian(date=day)
        assert year_month_day(day, "jalali") == (other.year, other.month, other.day)


def test_hijri_months_of_our_time_are_those_that_were_printed() -> None:
    """hijridate 2.6 holds the months as officially published; ICU those of King Abdulaziz City's own table.

    From 1420 to 1450 AH (April 1999 to May 2029) all 372 months are the same. Beyond, 740 of 1,896 differ by a day or
    two (dralshehri/hijridate, issue 26): before, because the rule was changed several times; after, where nothing is
    printed yet.
    """
    ours, printed = ({month: day for day, month in months_of(name).items()} for name in ("umalqura", "hijridate"))
    differing = {month for month, day in printed.items() if ours[month] != day}
    assert len(printed) == 1896 and len(differing) == 740
    assert not {month for month in differing if 1420 <= month[0] <= 1450}
    assert max(abs((ours[month] - printed[month]).days) for month in differing) == 2
    assert (printed[1420, 1], printed[1451, 1]) == (dt.date(1999, 4, 17), dt.date(2029, 5, 14))


def test_an_announced_month_begins_when_it_was_announced() -> None:
    """Ramadan 1447 by the table from 18 February 2026; here it was sighted a day later."""
    sighted = {"1447-09": dt.date(2026, 2, 19)}
    months = periods(at("2026-02-01"), at("2026-04-01"), "Asia/Riyadh", "month", "hijri", sighted=sighted)
    assert [month.first_on.isoformat() for month in months] == ["2026-01-20", "2026-02-19", "2026-03-20"]
    table = month_edges(at("2026-02-01"), at("2026-04-01"), "Asia/Riyadh", "hijri")
    assert [month.first_on.isoformat() for month in table] == ["2026-01-20", "2026-02-18", "2026-03-20"]
    halves = periods(at("2026-02-17"), at("2026-03-10"), "Asia/Riyadh", "half_month", "hijri", sighted=sighted)
    assert [half.first_on.isoformat() for half in halves] == ["2026-02-04", "2026-02-19", "2026-03-06"]


def test_the_day_before_a_late_month_still_belongs_to_the_old_one() -> None:
    """And the first of an early one already to the new."""
    late, early = moves_of({"1447-09": dt.date(2026, 2, 19)}), moves_of({"1447-09": dt.date(2026, 2, 17)})
    assert month_first(dt.date(2026, 2, 18), "hijri", late) == dt.date(2026, 1, 20)
    assert month_first(dt.date(2026, 2, 19), "hijri", late) == dt.date(2026, 2, 19)
    assert month_first(dt.date(2026, 2, 17), "hijri", early) == dt.date(2026, 2, 17)
    assert next_month(dt.date(2026, 1, 20), "hijri", early) == dt.date(2026, 2, 17)
    assert next_month(dt.date(2026, 2, 17), "hijri", early) == dt.date(2026, 3, 20)


@pytest.mark.parametrize(
    ("month", "day", "code"),
    [
        ("1447-13", dt.date(2026, 2, 19), "calendar_month"),
        ("Ramadan 1447", dt.date(2026, 2, 19), "calendar_month"),
        ("1447-09", dt.date(2026, 3, 20), "calendar_sighted"),
        ("1447-09", dt.date(2026, 2, 22), "calendar_sighted"),
    ],
)
def test_a_sighting_that_cannot_be_is_refused(month: str, day: dt.date, code: str) -> None:
    """A month of another year, or four days from the table's."""
    with pytest.raises(StudyError) as refused:
        moves_of({month: day})
    assert refused.value.code == code
    if day.month == 3:
        assert "has 1447-10" in refused.value.text("en")


# --- periods ---


def test_weeks_begin_on_the_day_of_the_study() -> None:
    """Friday 1 May 2026, in weeks from Saturday, Sunday and Monday."""
    for week_start, first in (("saturday", "2026-04-25"), ("sunday", "2026-04-26"), ("monday", "2026-04-27")):
        week, following = periods(at("2026-05-01 10:00"), at("2026-05-06"), "UTC", "week", week_start=week_start)
        assert week.first_on.isoformat() == first
        assert following.start_at == week.end_at == week.start_at + pd.Timedelta(days=7)


@pytest.mark.parametrize(
    ("calendar", "firsts"),
    [
        ("gregorian", ["2025-09-16", "2025-10-01", "2025-10-16"]),
        ("jalali", ["2025-09-23", "2025-10-08"]),  # Mehr 1404 began on 23 September
        ("hijri", ["2025-09-23", "2025-10-08"]),  # Rabi II 1447, too
    ],
)
def test_halves_of_a_month_are_fifteen_days_and_the_rest(calendar: str, firsts: list[str]) -> None:
    """First days by the three calendars (Jalali and Hijri ones from the fixtures)."""
    halves = periods(at("2025-09-24"), at("2025-10-17"), "Asia/Tehran", "half_month", calendar)
    assert [half.first_on.isoformat() for half in halves] == firsts


def test_a_half_of_february_may_have_thirteen_days() -> None:
    """16 to 28 February."""
    first, second = periods(at("2026-02-03"), at("2026-02-20"), "UTC", "half_month")
    assert (first.end_at - first.start_at, second.end_at - second.start_at) == (
        pd.Timedelta("15D"),
        pd.Timedelta("13D"),
    )


def test_a_day_that_begins_at_one_o_clock_begins() -> None:
    """Cairo, 26 April 2024: the clocks went from 00:00 to 01:00, and the day had 23 hours (tz database)."""
    before, day, _ = periods(at("2024-04-25 05:00"), at("2024-04-27 05:00"), "Africa/Cairo", "day")
    assert day.start_at == before.end_at == at("2024-04-25 22:00")
    assert day.end_at - day.start_at == pd.Timedelta(hours=23)


ZONES = ("Africa/Cairo", "Asia/Riyadh", "Asia/Tehran", "America/Sao_Paulo", "Pacific/Apia")
MOMENTS = st.datetimes(dt.datetime(2005, 1, 1), dt.datetime(2035, 1, 1)).map(pd.Timestamp)


@given(
    MOMENTS,
    st.integers(0, 120),
    st.sampled_from(ZONES),
    st.sampled_from(UNITS),
    st.sampled_from(["gregorian", "jalali", "hijri"]),
    st.sampled_from(["saturday", "sunday", "monday"]),
)
def test_periods_share_out_time_without_a_gap(
    first: pd.Timestamp, days: int, zone: str, unit: str, calendar: str, week_start: str
) -> None:
    """Every moment asked for lies in exactly one period, and each period opens at its own first local moment."""
    last = first + pd.Timedelta(days=days)
    found = periods(first, last, zone, unit, calendar, week_start)
    assert found[0].start_at <= first and last < found[-1].end_at
    assert len(found) == 1 or (first < found[0].end_at and found[-1].start_at <= last)
    assert all(a.end_at == b.start_at for a, b in itertools.pairwise(found))
    assert all(local_day(period.start_at, zone) == period.first_on for period in found if zone != "Pacific/Apia")


def test_an_unknown_unit_or_calendar_is_refused_with_the_nearest() -> None:
    """A word that is nearly right."""
    with pytest.raises(ParameterError) as refused:
        periods(at("2026-01-01"), at("2026-02-01"), "UTC", "halfmonth")
    assert refused.value.text("en") == (
        "There is no period “halfmonth” (did you mean “half_month”?). There are: day, week, half_month, month."
    )
    with pytest.raises(CxkitError, match=r"did you mean “jalali”\?"):
        month_edges(at("2026-01-01"), at("2026-02-01"), "UTC", "jalalli")


# --- how they are called ---


@pytest.mark.parametrize(
    ("unit", "day", "said"),
    [
        ("week", "2026-05-03", ("week of 3 May 2026", "أسبوع 3 مايو 2026", "هفتهٔ ۱۳ اردیبهشت ۱۴۰۵")),
        ("half_month", "2025-09-23", ("1–15 Mehr 1404", "من 1 إلى 15 مهر 1404", "۱ تا ۱۵ مهر ۱۴۰۴")),
        ("half_month", "2025-10-08", ("16–30 Mehr 1404", "من 16 إلى 30 مهر 1404", "۱۶ تا ۳۰ مهر ۱۴۰۴")),
        ("half_month", "2026-02-16", ("16–28 February 2026", "من 16 إلى 28 فبراير 2026", "۱۶ تا ۲۸ فوریهٔ ۲۰۲۶")),
        ("month", "2025-04-21", ("Ordibehesht 1404", "أرديبهشت 1404", "اردیبهشت ۱۴۰۴")),
        ("month", "2025-04-01", ("April 2025", "أبريل 2025", "آوریل ۲۰۲۵")),
        ("hijri_month", "2025-03-01", ("Ramadan 1446", "رمضان 1446", "رمضان ۱۴۴۶")),
        ("hijri_month", "2026-02-19", ("Ramadan 1447", "رمضان 1447", "رمضان ۱۴۴۷")),  # sighted a day late
        ("hijri_half_month", "2026-02-18", ("1–15 Ramadan 1447", "من 1 إلى 15 رمضان 1447", "۱ تا ۱۵ رمضان ۱۴۴۷")),
        ("hijri_half_month", "2026-03-05", ("from 16 Ramadan 1447", "من 16 رمضان 1447", "از ۱۶ رمضان ۱۴۴۷")),
    ],
)
def test_a_period_is_called_by_its_first_day(unit: str, day: str, said: tuple[str, str, str]) -> None:
    """English, Arabic, Persian; a Jalali month keeps its name everywhere, and a Gregorian one, too."""
    for language, words in zip(("en", "ar", "fa"), said, strict=True):
        assert lang.write(pd.Timestamp(day), unit, language) == words
        assert lang.write(dt.date.fromisoformat(day), unit, language) == words


def test_jalali_months_have_the_names_that_icu_gives_them_in_english_and_persian() -> None:
    """CLDR, through ICU; its Arabic names are left aside: no reader of Arabic calls a month أذربيهشت."""
    for first in list(months_of("persian"))[1500:1512]:
        for language, locale in (("en", "en-GB"), ("fa", "fa")):
            from_icu = lang.dates._when(first, "MMMM y", f"{locale}-u-ca-persian")
            assert lang.month(first, language) == from_icu


@pytest.mark.parametrize("calendar", ["gregorian", "jalali", "hijri"])
@pytest.mark.parametrize("unit", UNITS)
def test_every_period_of_a_year_has_a_name_of_its_own(unit: str, calendar: str, lang_: str) -> None:
    """Two bars of one name would be one to the reader."""
    found = periods(at("2025-06-10"), at("2026-06-10"), "UTC", unit, calendar)
    names = [lang.write(period.first_on, period_unit(unit, calendar), lang_) for period in found]
    assert len(set(names)) == len(names)


@pytest.fixture(params=["en", "ar", "fa"])
def lang_(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_missing_period_is_a_dash() -> None:
    """As every missing value."""
    assert {lang.write(None, unit, "fa") for unit in ("week", "half_month", "hijri_month")} == {"–"}
    assert lang.half_month(pd.NaT) == lang.week(None) == lang.month(np.datetime64("NaT")) == "–"
