"""What [calendar] of study.toml may say, read aloud; every mistake is refused with the nearest right word."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxkit.calendars import check_calendar, declared, declared_schedules, periods
from cxkit.errors import StudyError
from cxkit.lang import LANGS
from cxkit.study import open_study
from cxkit.study.begin import settings_text
from cxkit.study.settings import checked


def of(text: str) -> dict[str, Any]:
    """The table [calendar] of a text."""
    table: dict[str, Any] = tomllib.loads(text)["calendar"]
    return table


def example() -> dict[str, Any]:
    """The example of the module's own docstring."""
    block = re.search(r"::\n\n((?:    .*\n|\n)+)", str(declared.__doc__))
    assert block
    return of(re.sub(r"^    ", "", block[1], flags=re.MULTILINE))


def hours_of(calendar: dict[str, Any], day: str, name: str = "usual", zone: str = "Asia/Riyadh") -> str:
    """The open spans of a local day of Riyadh, Dubai or UTC, as an analyst writes them."""
    clock = declared_schedules(calendar, zone).clock(name)
    (period,) = periods(pd.Timestamp(f"{day} 12:00"), pd.Timestamp(f"{day} 12:00"), clock.opening.time_zone, "day")
    minutes = pd.date_range(period.start_at, period.end_at, freq="min")
    positions = clock.position(minutes)
    open_ = [b > a for a, b in itertools.pairwise(positions)]
    edges = [at for at, (a, b) in enumerate(zip([False, *open_], [*open_, False], strict=True)) if a != b]
    return " ".join(
        f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


# --- what it says ---


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2025-12-01", "09:00-12:00 13:00-17:00"),  # Monday of the old week
        ("2025-12-04", "09:00-13:00"),  # Thursday of the old week
        ("2026-01-08", "09:00-17:00"),  # Thursday of the new one
        ("2026-01-09", ""),  # Friday
        ("2026-01-10", "20:00-24:00"),  # Saturday, whose night ends on Sunday
        ("2026-01-11", "00:00-02:00 09:00-17:00"),
        ("2026-02-18", "09:00-17:00"),  # by the table the first of Ramadan, which was sighted a day later
        ("2026-02-19", "10:00-15:00"),
        ("2026-02-20", ""),  # a Friday in Ramadan
        ("2026-02-22", "10:00-15:00"),  # Founding Day in Ramadan, worked
        ("2026-03-22", ""),  # Eid
        ("2026-04-15", ""),  # stocktaking
        ("2026-09-23", ""),  # National Day
    ],
)
def test_the_example_holds_what_it_says(day: str, hours: str) -> None:
    """The docstring of cxkit.calendars.declared; holidays of Saudi Arabia by the package `holidays`."""
    assert hours_of(example(), day) == hours


def test_a_schedule_takes_over_what_it_does_not_say() -> None:
    """The night desk knows no holidays; the team in Dubai keeps those of [calendar]; neither has hours in Ramadan."""
    found = declared_schedules(example(), "Asia/Riyadh")
    assert (found.names, found.column, found.known_on) == (("usual", "night", "dubai"), "team", dt.date(2026, 6, 1))
    assert [found.of(team) for team in ("vip", "night desk", "dubai", "night", None, "sales")] == [
        *("night", "night", "dubai"),
        *("usual", "usual", "usual"),
    ]
    assert [hours_of(example(), "2026-02-24", name) for name in ("night", "dubai")] == ["00:00-24:00", "09:00-18:00"]
    assert [hours_of(example(), "2026-09-23", name) for name in ("night", "dubai")] == ["00:00-24:00", ""]
    assert [hours_of(example(), "2026-04-15", name) for name in ("night", "dubai")] == ["", ""]
    assert found.clock("dubai").opening.time_zone == "Asia/Dubai"


def test_a_schedule_without_hours_of_its_own_keeps_the_seasons() -> None:
    """Only the holidays differ."""
    calendar = of("""
        [calendar]
        column = "team"
        weekend = ["friday", "saturday"]
        hours = "09:00-17:00"
        seasons = [{ season = "ramadan", hours = "10:00-15:00" }]
        schedules.duty = { holidays = "SA" }
        """)
    assert [hours_of(calendar, "2026-02-22", name) for name in ("usual", "duty")] == ["10:00-15:00", ""]


def test_business_hours_can_be_one_line() -> None:
    """Every day outside the weekend."""
    plain = of('[calendar]\nweekend = ["friday"]\nhours = "09:00-17:00"')
    assert [hours_of(plain, f"2026-05-{day:02}", zone="UTC") for day in (7, 8, 9)] == ["09:00-17:00", "", "09:00-17:00"]


@pytest.mark.parametrize(
    ("written", "open_hours"),
    [
        ('"9:00-17:30"', "09:00-17:30"),
        ('"09:00 – 17:00"', "09:00-17:00"),
        ('"۰۹:۰۰-۱۷:۰۰"', "09:00-17:00"),
        ('"16:00-00:00"', "16:00-24:00"),
        ('["13:00-17:00", "09:00-12:00"]', "09:00-12:00 13:00-17:00"),
        ('["09:00-12:00", "12:00-17:00"]', "09:00-17:00"),
        ('"closed"', ""),
        ("[]", ""),
    ],
)
def test_hours_are_read_as_people_write_them(written: str, open_hours: str) -> None:
    """One digit or two, a dash of either length, digits of three scripts, midnight as 00:00."""
    calendar = of(f"[calendar.hours]\nthursday = {written}\nmonday = '09:00-10:00'")
    assert hours_of(calendar, "2026-05-07", zone="UTC") == open_hours


def test_a_day_named_alone_overrules_a_range_and_a_range_every_day() -> None:
    """Thursday 7 to Saturday 9 May 2026, whatever the order of the lines."""
    calendar = of("""
        [calendar.hours]
        friday = "closed"
        thursday-friday = "09:00-13:00"
        every_day = "09:00-17:00"
        """)
    assert [hours_of(calendar, f"2026-05-{day:02}", zone="UTC") for day in (7, 8, 9)] == [
        "09:00-13:00",
        "",
        "09:00-17:00",
    ]


def test_where_two_seasons_meet_the_later_entry_holds() -> None:
    """Own dates for one Ramadan, beside the table's; 18 February 2026 is the first of Ramadan."""
    calendar = of("""
        [calendar]
        weekend = ["friday", "saturday"]
        hours = "09:00-17:00"
        [[calendar.seasons]]
        season = "ramadan"
        until = 2026-02-28
        hours = "10:00-15:00"
        [[calendar.seasons]]
        from = 2026-02-22
        until = 2026-03-03
        hours = { sunday-thursday = "11:00-14:00", saturday = "11:00-12:00" }
        """)
    days = ("2026-02-19", "2026-02-22", "2026-02-28", "2026-03-02", "2026-03-04")
    found = [hours_of(calendar, day, zone="UTC") for day in days]
    assert found == ["10:00-15:00", "11:00-14:00", "11:00-12:00", "11:00-14:00", "09:00-17:00"]


def test_usual_hours_open_a_public_holiday() -> None:
    """23 September is the National Day of Saudi Arabia; 2026 it is a Wednesday."""
    calendar = of("""
        [calendar]
        weekend = ["friday", "saturday"]
        hours = "09:00-17:00"
        holidays = "SA"
        days = [{ on = 2026-09-23, hours = "usual" }, { on = 2026-09-22, hours = "09:00-12:00", name = "eve" }]
        """)
    assert [hours_of(calendar, f"2026-09-{day}") for day in (22, 23)] == ["09:00-12:00", "09:00-17:00"]
    del calendar["days"]
    assert hours_of(calendar, "2026-09-23") == ""


# --- what results print of it ---


def test_estimated_holidays_are_flagged() -> None:
    """holidays 0.109: of Egypt's days off in 2030 those that hang on the moon are marked as estimated."""
    calendar = of('[calendar]\nweekend = ["friday", "saturday"]\nhours = "09:00-17:00"\nholidays = "EG"')
    table = (
        declared_schedules(calendar, "Africa/Cairo")
        .holidays(dt.date(2030, 1, 1), dt.date(2030, 12, 31))
        .set_index("day")
    )
    assert not table.loc[dt.date(2030, 1, 7), "estimated"]  # Coptic Christmas
    named = table[table["estimated"]]["holiday"]
    assert named.str.contains("Eid al-Fitr").any() and named.str.contains("Eid al-Adha").any()
    assert not table["open"].any()


def test_holidays_speak_the_language_of_the_report() -> None:
    """Names by the package `holidays`, for Iran in Persian and English; Arabic it does not have for Iran."""
    calendar = of('[calendar]\nweekend = ["friday"]\nhours = "09:00-17:00"\nholidays = "IR"')
    found = declared_schedules(calendar, "Asia/Tehran")
    days = (dt.date(2026, 3, 21), dt.date(2026, 3, 21))
    said = {lang: found.holidays(*days, lang=lang)["holiday"].item() for lang in LANGS}
    assert said["en"] == said["ar"] and "نوروز" in said["fa"] and "Nowruz" in said["en"]


def test_notes_say_as_known_on_which_day_and_what_is_estimated() -> None:
    """Stamp, source and the number of days that the moon may move; in three languages."""
    found = declared_schedules({**example(), "holidays": {"country": "EG"}}, "Africa/Cairo")
    notes = found.notes(dt.date(2030, 1, 1), dt.date(2030, 12, 31))
    assert [note.key for note in notes] == ["calendar.known_on", "calendar.holidays", "calendar.estimated"]
    assert notes[0].text("en") == "Business hours are those of the calendar as known on 1 June 2026."
    assert re.fullmatch(r"Public holidays \(EG\) are those of the package holidays [\d.]+\.", notes[1].text("en"))
    table = found.holidays(dt.date(2030, 1, 1), dt.date(2030, 12, 31))
    assert notes[2].params["n"] == table["estimated"].sum() > 3
    assert all(note.text(lang) for note in notes for lang in LANGS)
    quiet = declared_schedules({"weekend": [], "hours": "09:00-17:00"}, "UTC")
    assert quiet.notes(dt.date(2030, 1, 1), dt.date(2030, 12, 31)) == ()


def test_holidays_are_loaded_only_for_a_country() -> None:
    """A third of a second that a study without a country does not pay."""
    code = (
        "import sys, cxkit.calendars as c\n"
        "c.declared_schedules({'weekend': ['friday'], 'hours': '09:00-17:00'}, 'UTC').clock().position('2026-01-01')\n"
        "print('holidays' in sys.modules)\n"
        "c.check_calendar('calendar', {'weekend': [], 'hours': '09:00-17:00', 'holidays': 'IR'})\n"
        "print('holidays' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


# --- refusals ---

PLAIN = 'weekend = ["friday", "saturday"]\nhours = "09:00-17:00"\n'


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ('hours = "9-17"', "calendar_span", "did you mean “09:00-17:00”?"),
        ('hours = "9am to 5:30 pm"', "calendar_span", "did you mean “09:00-17:30”?"),
        ('hours = "09.00-17.00"', "calendar_span", "did you mean “09:00-17:00”?"),
        ('hours = "0900-1700"', "calendar_span", "did you mean “09:00-17:00”?"),
        (
            'hours = "morning"',
            "calendar_span",
            'Hours are written like "09:00-17:00", around the clock is "00:00-24:00".',
        ),
        ('hours = "09:00-25:00"', "calendar_span", "calendar.hours is “09:00-25:00”"),
        ('hours = "09:00-17:75"', "calendar_span", "“09:00-17:75”"),
        ('hours = "24:00-24:00"', "calendar_span", "“24:00-24:00”"),
        ('hours = "09:00-09:00"', "calendar_span_same", 'Around the clock is "00:00-24:00"'),
        ("hours = 9", "calendar_hours_type", "calendar.hours must be hours in quotes"),
        ('hours = ["09:00-12:00", "11:30-17:00"]', "calendar_overlap", "09:00-12:00 and 11:30-17:00 overlap"),
        ('hours = "09:00-17:00"', "calendar_weekend_missing", "Write calendar.weekend"),
        ('weekend = ["friday"]\nhours = "closed"', "calendar_never_open", "by calendar.hours the service never opens"),
        ("hours = {}", "calendar_never_open", "the service never opens"),
        ('hours = { sundy = "09:00-17:00" }', "calendar_day", "no day “sundy” (did you mean “sunday”?)"),
        ('hours = { sunday-thurs = "09:00-17:00" }', "calendar_day", "no day “thurs” (did you mean “thursday”?)"),
        ('hours = { a-b-c = "09:00-17:00" }', "calendar_day", "no day “a-b-c”. Days are"),
        (
            'hours = { sunday-tuesday = "09:00-17:00", tuesday-thursday = "10:00-16:00" }',
            "calendar_same_day",
            "calendar.hours: sunday-tuesday and tuesday-thursday name the same day",
        ),
        (
            'hours = { friday = "22:00-06:00", saturday = "05:00-09:00" }',
            "calendar_overlap",
            "calendar.hours.saturday: 22:00-06:00 and 05:00-09:00 overlap",
        ),
        (
            'hours = [{ until = 2026-01-31, monday = "09:00-17:00" }, { from = 2026-01-31, monday = "08:00-16:00" }]',
            "calendar_dates_overlap",
            "two entries of calendar.hours hold on the same day (2026-01-31)",
        ),
        (
            'hours = [{ monday = "09:00-17:00" }, { monday = "08:00-16:00" }]',
            "calendar_dates_overlap",
            "two entries of calendar.hours hold on the same day. Let one end",
        ),
        (
            'hours = [{ from = 2026-02-01, until = 2026-01-01, monday = "09:00-17:00" }]',
            "calendar_from_until",
            "calendar.hours[1] ends (2026-01-01) before it begins (2026-02-01)",
        ),
        (
            'hours = [{ from = "2026-02-01", monday = "09:00-17:00" }]',
            "study_setting_type",
            "hours[1].from must be a date",
        ),
        ('hours = ["09:00-12:00", { monday = "09:00-17:00" }]', "study_setting_type", "hours[1] must be a table"),
        (PLAIN + 'seasons = [{ season = "ramadhan", hours = "10:00-15:00" }]', "study_setting_word", "“ramadan”"),
        (PLAIN + 'seasons = [{ hours = "10:00-15:00" }]', "study_setting_missing", "calendar.seasons[1].season"),
        (PLAIN + 'seasons = [{ season = "ramadan" }]', "study_setting_missing", "calendar.seasons[1].hours"),
        (PLAIN + 'seasons = { season = "ramadan" }', "study_setting_type", "calendar.seasons must be a list"),
        (PLAIN + 'holidays = "SAU2"', "calendar_country", "no public holidays are known for “SAU2”"),
        (PLAIN + 'holidays = "sa"', "calendar_country", "did you mean “SA”?"),
        (PLAIN + 'holidays = { country = "US", subdivision = "CAL" }', "calendar_subdivision", "did you mean “CA”?"),
        (PLAIN + 'holidays = { country = "SA", subdivision = "X" }', "calendar_subdivision", "SA has no part “X”"),
        (PLAIN + 'holidays = { contry = "SA" }', "study_setting_unknown", "did you mean “country”?"),
        (PLAIN + "holidays = { worked = [2026-02-22] }", "study_setting_missing", "calendar.holidays.country"),
        (PLAIN + 'days = [{ on = 2026-02-22, hours = "9-12" }]', "calendar_span", "calendar.days[1].hours is “9-12”"),
        (PLAIN + 'days = [{ hours = "closed" }]', "study_setting_missing", "calendar.days[1].on"),
        (PLAIN + 'days = [{ on = 2026-02-22T10:00:00, hours = "closed" }]', "study_setting_type", "on must be a date"),
        (
            PLAIN + 'days = [{ on = 2026-02-22, hours = "closed" }, { on = [2026-02-22], hours = "usual" }]',
            "calendar_dates_overlap",
            "calendar.days hold on the same day (2026-02-22)",
        ),
        (PLAIN + "sighted = { 1447-9x = 2026-02-19 }", "calendar_month", "written as year and number, like 1447-09"),
        (PLAIN + "sighted = { 1447-09 = 2026-03-19 }", "calendar_sighted", "the Umm al-Qura calendar has 1447-10"),
        (
            PLAIN + "schedules.night = { holidays = 'none' }",
            "calendar_column_missing",
            "calendar.column and calendar.sched",
        ),
        (PLAIN + 'column = "team"', "calendar_column_missing", "go together"),
        (PLAIN + 'column = "team"\nschedules.usual = {}', "calendar_usual", "the usual hours are those of [calendar]"),
        (PLAIN + 'column = "team"\nschedules.a = { for = ["b"] }\nschedules.b = {}', "calendar_served_twice", "“b”"),
        (PLAIN + 'column = "team"\nschedules.a = { time_zone = "Dubai" }', "study_zone", "did you mean “Asia/Dubai”?"),
        (PLAIN + 'column = "team"\nschedules.a = { hours = "9-17" }', "calendar_span", "calendar.schedules.a.hours"),
        (PLAIN + 'known_on = "June"', "study_setting_type", "calendar.known_on must be a date"),
        (
            'seasons = [{ season = "ramadan", hours = "10:00-15:00" }]',
            "calendar_hours_missing",
            "Write the usual hours",
        ),
        ('weekend = ["fryday"]', "study_setting_word", "did you mean “friday”?"),
        ('months = "lunar"', "study_setting_word", "gregorian, jalali, hijri"),
        ('week_start = "sun"', "study_setting_word", "sunday"),
        ('weeks_start = "sunday"', "study_setting_unknown", "did you mean “week_start”?"),
    ],
)
def test_every_mistake_is_refused_with_the_nearest_right_word(text: str, code: str, says: str) -> None:
    """The code is for programs, the words are for the analyst, in three languages."""
    with pytest.raises(StudyError) as refused:
        check_calendar("calendar", of(f"[calendar]\n{text}"))
    assert refused.value.code == code
    assert says in refused.value.text("en")
    assert all("{" not in refused.value.text(lang) for lang in LANGS)


def test_a_study_that_says_only_its_weekend_has_no_business_hours() -> None:
    """Its clocks on the wall run on; who asks for business hours is told what to write."""
    table = check_calendar("calendar", {"weekend": ["friday", "saturday"]})
    with pytest.raises(StudyError) as refused:
        declared_schedules(table, "Asia/Riyadh")
    assert refused.value.text("en") == (
        "study.toml declares no business hours, so working time cannot be counted. "
        'Write, for example: [calendar.hours] and below it sunday-thursday = "09:00-17:00".'
    )


def test_an_unknown_schedule_is_refused_with_the_nearest() -> None:
    """A name that is nearly right."""
    with pytest.raises(StudyError, match=r"no schedule “nigth” \(did you mean “night”\?\)"):
        declared_schedules(example(), "Asia/Riyadh").clock("nigth")


# --- in a study ---


def test_study_toml_takes_the_whole_table() -> None:
    """Every key as it stands, with the defaults of the rest."""
    settings = checked({"time_zone": "Asia/Riyadh", "calendar": example()}, "s")
    assert settings["calendar"] == example()
    plain = checked({"time_zone": "UTC", "calendar": {"months": "hijri"}}, "s")["calendar"]
    assert plain == {"week_start": "monday", "weekend": ["saturday", "sunday"], "months": "hijri"}


def test_a_study_has_the_clocks_that_it_declares(tmp_path: Path) -> None:
    """Thursday 16:00 to Sunday 09:30 in Riyadh; without hours, the study opens and only business time is refused."""
    (tmp_path / "tables").mkdir()
    pd.DataFrame({"ticket_id": ["a"], "opened_at": pd.to_datetime(["2026-05-07"])}).to_parquet(
        tmp_path / "tables" / "tickets.parquet"
    )
    weekend = 'time_zone = "Asia/Riyadh"\n[calendar]\nweekend = ["friday", "saturday"]\n'
    (tmp_path / "study.toml").write_text(f'{weekend}hours = "09:00-17:00"\n', encoding="utf-8")
    study = open_study(tmp_path)
    assert study.clock is study.clock
    assert study.clock.clock().seconds(pd.Timestamp("2026-05-07 13:00"), pd.Timestamp("2026-05-10 06:30")) == 5400
    (tmp_path / "study.toml").write_text(weekend, encoding="utf-8")
    with pytest.raises(StudyError) as refused:
        assert open_study(tmp_path).clock
    assert refused.value.code == "calendar_no_hours"


def test_a_new_study_shows_how_hours_are_written(tmp_path: Path) -> None:
    """The lines that `cxkit new` leaves as comments are valid once the mark is taken away."""
    text = settings_text("s", "Asia/Riyadh", [], tmp_path)
    lines = re.sub(r"^# (hours|holidays)", r"\1", text, flags=re.MULTILINE)
    calendar = checked(tomllib.loads(lines), "s")["calendar"]
    assert (calendar["hours"], calendar["holidays"]) == ("09:00-17:00", "SA")


def test_the_column_that_picks_a_schedule_is_one_of_tickets() -> None:
    """The nearest column of the contract is named."""
    calendar = {**example(), "column": "teams"}
    with pytest.raises(StudyError, match=r"calendar\.column cannot be “teams” \(did you mean “team”\?\)"):
        checked({"time_zone": "Asia/Riyadh", "calendar": calendar}, "s")
