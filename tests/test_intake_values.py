"""Numbers and dates: digits of three scripts, calendars, clock changes; what is not safe is refused."""

from __future__ import annotations

import datetime as dt

import jdatetime
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import IntakeError
from cxkit.intake import jalali
from cxkit.intake.cells import Cells
from cxkit.intake.dates import DateRule, read_dates, to_utc
from cxkit.intake.numerals import to_numbers, to_seconds
from cxkit.lang import jalali as icu_jalali

SCRIPTS = ("0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹")


def cells(*texts: str) -> Cells:
    return Cells.of("exports/a.csv", "Created at", pa.array(texts, pa.string()), np.arange(len(texts)) + 2)


def utc(*texts: str, zone: str = "UTC", **rule) -> list[str]:
    column = cells(*texts)
    moment = read_dates(column, DateRule(**rule))
    return [str(at)[:19] for at in column.spread(to_utc(column, moment, zone))]


def refusal(*texts: str, **rule) -> str:
    with pytest.raises(IntakeError) as caught:
        read_dates(cells(*texts), DateRule(**rule))
    assert caught.value.text("ar") != caught.value.text("fa")
    return caught.value.text("en")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12), (" 12 ", 12), ("+7", 7), ("1,234", 1234), ("1,234.5", 1234.5), ("1.234,5", 1234.5),
        ("1 234", 1234), ("1'234", 1234), ("12,34,567", 1234567), ("-3", -3), ("−3", -3), ("3-", -3),
        ("(1,200)", -1200), ("85%", 0.85),
        ("1e3", 1000), ("٣", 3), ("٠١٢", 12), ("١٢٣٤", 1234), ("١٬٢٣٤", 1234), ("١٬٢٣٤٫٥", 1234.5), ("٪٨٥", 0.85),
        ("٨٥٪", 0.85), ("−٣٫٥", -3.5), ("\u200f٣", 3), ("۱۲", 12), ("۱۲٫۵", 12.5),
        ("۱٬۲۳۴٬۵۶۷", 1234567), ("۸۵٪", 0.85),
        ("\u202b۱۲\u202c", 12), ("\u2067۱۲\u2069", 12), ("-۳", -3), ("۳-", -3), ("１２", 12),
        ("3.", 3), (".5", 0.5), ("1\u00a0234", 1234),
    ],
)  # fmt: skip
def test_numbers_of_three_scripts_are_read(text, number):
    """36 forms of locale.md 5.3, of which float() reads 11 and pandas.to_numeric 5."""
    assert to_numbers(pa.array([text])).tolist() == [pytest.approx(number)]


@pytest.mark.parametrize(
    "text", ["", "-", "n/a", "abc", "1_000", "0x10", "inf", "nan", "True", "1.2.3", "1-2", "12 days"]
)
def test_what_is_no_number_is_none(text):
    assert np.isnan(to_numbers(pa.array([text]))).all()


def test_a_lone_comma_is_a_decimal_sign_when_its_column_shows_so():
    assert to_numbers(pa.array(["1,234", "2"])).tolist() == [1234, 2]
    assert to_numbers(pa.array(["1,234", "3,75", "1.234", "2"])).tolist() == [1.234, 3.75, 1234, 2]
    assert to_numbers(pa.array(["1,234"]), decimal=",").tolist() == [1.234]


@given(st.integers(-(10**12), 10**12), st.sampled_from(SCRIPTS), st.booleans())
def test_every_whole_number_is_read_in_every_script(number, digits, grouped):
    text = (f"{number:,}" if grouped else str(number)).translate(str.maketrans("0123456789", digits))
    assert to_numbers(pa.array([text])).tolist() == [number]


def test_durations_on_a_clock_are_seconds():
    assert to_seconds(pa.array(["26:05:10", "05:10", "-1:00", "۰۰:۰۱:۳۰"])).tolist() == [93910, 18600, -3600, 90]
    assert np.isnan(to_seconds(pa.array(["1:75", "soon", ""]))).all()


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01 10:32:00", "2024-05-01T10:32:00Z", "2024-05-01T13:32:00+03:00", "2024-05-01 14:02+0330",
        "2024/5/1 10:32",
        "2024/05/01 10:32:00.000", "2024-05-01 10:32 UTC", "٢٠٢٤-٠٥-٠١ ١٠:٣٢", "۲۰۲۴/۰۵/۰۱ ۱۰:۳۲",
        "\u200f2024-05-01 10:32",
        "1 May 2024 10:32", "May 1, 2024 10:32 AM", "01-May-2024 10:32:00",
        "١ مايو ٢٠٢٤ ١٠:٣٢ ص", "2024-05-01 10:32 ق.ظ",
    ],
)  # fmt: skip
def test_safe_forms_are_read_without_being_told(text):
    assert utc(text) == ["2024-05-01T10:32:00"]


@pytest.mark.parametrize(
    ("text", "hour"), [("12:05 AM", "00"), ("12:05 PM", "12"), ("1:05 م", "13"), ("11:05 ب.ظ", "23")]
)
def test_halves_of_the_day_are_understood(text, hour):
    assert utc(f"2024-05-01 {text}") == [f"2024-05-01T{hour}:05:00"]


def test_day_first_or_month_first_is_decided_by_the_column_or_refused():
    assert utc("01/02/2024", "13/02/2024") == ["2024-02-01T00:00:00", "2024-02-13T00:00:00"]
    assert utc("01/02/2024", "02/13/2024") == ["2024-01-02T00:00:00", "2024-02-13T00:00:00"]
    assert utc("01/02/2024", order="dmy") == ["2024-02-01T00:00:00"]
    assert refusal("01/02/2024", "03/04/2024") == (
        "exports/a.csv, column “Created at”: in all 2 dates day and month are twelve or less, so either may come "
        'first. First rows: 2, 3. State order = "dmy" or order = "mdy" for this column in the mapping.'
    )
    assert refusal("13/02/2024", "02/13/2024") == (
        "exports/a.csv, column “Created at”: some dates can only have the day first (rows 2), others only the month "
        "first (rows 3). Export the column with the year first."
    )


def test_a_jalali_year_in_a_gregorian_column_stops_and_is_named():
    """pandas 3 reads 1403/02/12 as the year 1403 of our era, without a word (locale.md 5.4)."""
    assert refusal("2024-05-01", "1403/02/31", "۱۴۰۳/۰۲/۱۲") == (
        "exports/a.csv, column “Created at”: 2 values have years that no Gregorian date of a service has (below 1700). "
        "The likely calendar is Jalali (Persian solar). First rows: 3, 4. "
        'State calendar = "jalali" for this column in the mapping.'
    )


@pytest.mark.parametrize(
    ("text", "calendar"),
    [
        ("1445-09-01", "lunar Hijri"), ("01/09/1445 08:00", "lunar Hijri"), ("1404/06/31", "Jalali (Persian solar)"),
        ("12 May 1403", "Jalali (Persian solar)"), ("1601-01-01", "not one of those known here"),
        ("0001-01-01", "not one of those known here"),
    ],
)  # fmt: skip
def test_other_calendars_are_named(text, calendar):
    assert f"The likely calendar is {calendar}." in refusal(text)


def test_a_jalali_column_is_converted_when_the_mapping_says_so():
    jalali_day = ("1403/02/12 10:00", "۱۴۰۳-۰۲-۱۲", "12 اردیبهشت 1403")
    assert utc(*jalali_day, calendar="jalali") == ["2024-05-01T10:00:00", "2024-05-01T00:00:00", "2024-05-01T00:00:00"]
    assert utc("1403/12/30", "1402/12/30", calendar="jalali") == ["2025-03-20T00:00:00", "NaT"]  # 1402 was no leap year
    assert "Take calendar" in refusal("2024-05-01", calendar="jalali")


def test_jalali_agrees_with_icu_and_jdatetime():
    """Every ninth day of 1921-2099 (ICU) and of 1930-2060 (jdatetime)."""
    for first, last, known in ((1921, 2099, icu_jalali), (1930, 2060, _jdatetime)):
        days = np.arange(f"{first}-01-01", f"{last}-12-31", 9, dtype="datetime64[D]")
        parts = np.array([known(day) for day in days.tolist()])
        found = jalali.days_since_1970(parts[:, 0], parts[:, 1], parts[:, 2])
        assert (found.astype("datetime64[D]") == days).all()


def _jdatetime(day: dt.date) -> tuple[int, int, int]:
    found = jdatetime.date.fromgregorian(date=day)
    return found.year, found.month, found.day


def test_years_of_two_digits_are_refused_unless_the_mapping_states_the_format():
    assert refusal("2024-05-01", "12/Jan/24 3:45 PM", "01/05/24") == (
        "exports/a.csv, column “Created at”: 2 dates have years of two digits, so day, month and year cannot be told "
        "apart safely. First rows: 3, 4. State formats for this column in the mapping."
    )
    assert utc("12/Jan/24 3:45 PM", formats=("%d/%b/%y %I:%M %p",)) == ["2024-01-12T15:45:00"]
    assert utc("990201 7:02:47", formats=("%y%m%d %H:%M:%S",), zone="Asia/Jerusalem") == ["1999-02-01T05:02:47"]
    assert utc("99020107", "10:30 2024-02-01", formats=("%y%m%d%H", "%H:%M %Y-%m-%d")) == [
        "1999-02-01T07:00:00",
        "2024-02-01T10:30:00",
    ]


@pytest.mark.parametrize(
    "text", ["2024-02-30", "2024-13-01", "2024-05-01 25:00", "2024-05-01 13:00 PM", "1699286265", "soon", "2024-05"]
)
def test_what_is_no_date_is_unread(text):
    column = cells("2024-05-01", text)
    assert read_dates(column, DateRule()).unread.tolist() == [False, True]


def test_seconds_since_1970_need_no_time_zone():
    assert utc("1699286265", "۱۶۹۹۲۸۶۲۶۵", epoch="epoch_seconds", zone="Asia/Tehran") == ["2023-11-06T15:57:45"] * 2
    assert utc("1699286265000", epoch="epoch_milliseconds") == ["2023-11-06T15:57:45"]
    assert read_dates(cells("1699286265000"), DateRule(epoch="epoch_seconds")).unread.all()  # the year 55818


def test_local_times_go_through_clock_changes():
    """Cairo, 2024: clocks went from 00:00 to 01:00 on 26 April and from 24:00 back to 23:00 on 31 October."""
    column = cells("2024-04-26 00:30", "2024-10-31 23:30", "2024-07-01 12:00")
    moment = read_dates(column, DateRule())
    found = [str(at)[:16] for at in column.spread(to_utc(column, moment, "Africa/Cairo"))]
    assert found == ["2024-04-25T22:00", "2024-10-31T20:30", "2024-07-01T09:00"]
    assert [note.text("en") for note in moment.notes] == [
        "Column “Created at”: 2 times lie in an hour that the clocks of Africa/Cairo skipped or showed twice. "
        "First rows: 2, 3."
    ]


@given(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2060, 1, 1)), st.sampled_from(SCRIPTS), st.sampled_from("-/."))
def test_every_moment_reads_back(moment, digits, mark):
    text = moment.strftime(f"%Y{mark}%m{mark}%d %H:%M:%S.%f").translate(str.maketrans("0123456789", digits))
    column = cells(text)
    assert read_dates(column, DateRule()).local.tolist() == [moment]
