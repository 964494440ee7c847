"""The business clock: known cases, every minute by brute force, days without an hour, and the laws it keeps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import holidays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.calendars import Clock, Period, declared_schedules, local_midnight, month_edges, periods
from cxkit.errors import StudyError

NINE_TO_FIVE = "09:00-17:00"


def clock(time_zone: str, **calendar: Any) -> Clock:
    """The clock of a table [calendar]."""
    return declared_schedules(calendar, time_zone).clock()


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


# --- known cases ---


@pytest.mark.parametrize(
    ("days", "hours"),
    [("sunday-thursday", 1.5), ("monday-friday", 9.0), ("saturday-wednesday", 8.5), ("saturday-thursday", 9.5)],
)
def test_a_wrong_weekend_is_a_sixfold_error(days: str, hours: float) -> None:
    """Thursday 16:00 to Sunday 09:30, by hand: 65.5 hours on the wall, 1.5 to 9.5 open ones, by the week of the team.

    Sunday to Thursday: an hour on Thursday and half an hour on Sunday. Monday to Friday: one and eight. Saturday to
    Wednesday: eight on Saturday and half an hour. Saturday to Thursday: one, eight and half an hour.
    """
    team = clock("Asia/Riyadh", hours={days: NINE_TO_FIVE})
    start, stop = at("2026-05-07 13:00"), at("2026-05-10 06:30")  # three hours behind Riyadh
    assert (stop - start).total_seconds() / 3600 == 65.5
    assert team.seconds(start, stop) / 3600 == hours


LEVEL_1 = clock("America/Chicago", hours={"every_day": "07:00-21:00"})
LEVEL_2 = clock("America/Los_Angeles", hours={"monday-friday": "08:00-17:30"})


def test_two_schedules_of_a_ticket_of_fivetran() -> None:
    """Ticket 941606 of the DECISIONLOG.md of fivetran/dbt_zendesk, "Business Time Metrics".

    Opened on Tuesday 29 September 2020 at 17:01:38 UTC on the schedule "Level 1 Chicago", moved at 19:01:25 on the next
    day to "Level 2 San Francisco", answered 21 seconds later. Both schedules are printed there in minutes of the week
    in UTC: 720 to 1560 and so on (Chicago, every day), 2340 to 2910 and so on (San Francisco, Monday to Friday). With
    whole seconds both together make 960.13 minutes, the last one alone, as Zendesk counts, 690.13. (The page takes
    1:38 for two minutes and 1:25 for 1.25 minutes, and so prints 959.46 and 689.46.)
    """
    opened, moved, answered = at("2020-09-29 17:01:38"), at("2020-09-30 19:01:25"), at("2020-09-30 19:01:46")
    assert round(LEVEL_2.seconds(opened, answered) / 60, 2) == 690.13
    assert round((LEVEL_1.seconds(opened, moved) + LEVEL_2.seconds(moved, answered)) / 60, 2) == 960.13


def test_the_printed_minutes_of_the_week_are_those_of_the_two_cities() -> None:
    """The same page: the open minutes since Sunday 00:00 UTC of the week of 27 September 2020."""
    week = (dt.date(2020, 9, 27), dt.date(2020, 10, 4))
    for team, first in ((LEVEL_1, (720, 1560)), (LEVEL_2, (2340, 2910))):
        table = team.day_table(*week)
        opens = [day * 1440 + row[name] // 60 for day, row in table.iterrows() for name in table if "from" in name]
        closes = [day * 1440 + row[name] // 60 for day, row in table.iterrows() for name in table if name[:2] == "to"]
        assert first[0] in opens and first[1] in closes


def test_open_days_are_those_of_numpy() -> None:
    """numpy.busday_count, with two holidays, in each month of five years."""
    off = [dt.date(2023, 5, 1), dt.date(2025, 12, 25)]
    team = clock("UTC", hours={"monday-friday": NINE_TO_FIVE}, days=[{"on": off, "hours": "closed"}])
    for month in month_edges(at("2021-01-01"), at("2025-12-31"), "UTC"):
        expected = int(np.busday_count(month.start_at.date(), month.end_at.date(), holidays=off))
        assert team.open_days(month) == expected
        assert team.open_seconds(month) == expected * 8 * 3600


# --- every minute, by brute force ---

Rule = Callable[[dt.date], list[tuple[int, int]]]  # the open spans of a local day, in minutes


def brute_force(zone: str, first: str, last: str, rule: Rule) -> Any:
    """Open seconds since `first` at each UTC minute up to `last`, and whether each is open, by looking at every minute.

    A minute is open when a wall clock of `zone` (by pandas) shows one within a span of its day, or of a night begun the
    day before.
    """
    minutes = pd.date_range(first, last, freq="min", tz="UTC")
    local = minutes.tz_convert(zone).tz_localize(None)
    of_day = (local.hour * 60 + local.minute).to_numpy()
    day = local.normalize()
    open_ = np.zeros(len(minutes), dtype=bool)
    for shift in (0, 1):
        number, days = pd.factorize(day - pd.Timedelta(days=shift))
        grid = np.zeros((len(days), 2880), dtype=bool)
        for row, one in enumerate(days):
            for start, end in rule(one.date()):
                grid[row, start:end] = True
        open_ |= grid[number, of_day + 1440 * shift]
    return np.concatenate([[0], np.cumsum(open_) * 60]), open_


def differences(team: Clock, zone: str, first: str, last: str, rule: Rule, pairs: int = 20_000) -> int:
    """In how many of `pairs` random pairs of seconds the clock and the minutes disagree."""
    before, open_ = brute_force(zone, first, last, rule)
    rng = np.random.default_rng(20260501)
    seconds = rng.integers(0, (len(open_) - 1) * 60, (2, pairs))
    counted = before[seconds // 60] + open_[seconds // 60] * (seconds % 60)
    moments = np.datetime64(first, "us") + seconds * np.timedelta64(1, "s")
    return int((team.seconds(moments[0], moments[1]) != counted[1] - counted[0]).sum())


def spans(*hours: float) -> list[tuple[int, int]]:
    return [(int(a * 60), int(b * 60)) for a, b in zip(hours[::2], hours[1::2], strict=True)]


def in_cairo(day: dt.date) -> list[tuple[int, int]]:
    if day == dt.date(2024, 7, 1):
        return []
    if dt.date(2024, 3, 11) <= day <= dt.date(2024, 4, 9):  # Ramadan
        return spans(10, 15) if day.weekday() not in (4, 5) else []
    week = {6: spans(9, 12, 13, 17), 1: spans(0, 24), 4: [], 5: [], 3: spans(9, 13, 20, 26)}
    return week.get(day.weekday(), spans(9, 17))


CAIRO = {
    "hours": {
        "sunday": ["09:00-12:00", "13:00-17:00"],
        "monday-wednesday": NINE_TO_FIVE,
        "tuesday": "00:00-24:00",
        "thursday": ["09:00-13:00", "20:00-02:00"],  # its night meets the hour that the clocks skip on 26 April
    },
    "seasons": [{"season": "ramadan", "hours": {"sunday-thursday": "10:00-15:00"}}],
    "days": [{"on": dt.date(2024, 7, 1), "hours": "closed"}],
}


def in_riyadh(day: dt.date) -> list[tuple[int, int]]:
    if day in IN_SAUDI_ARABIA and day != dt.date(2024, 2, 22):
        return []
    if day < dt.date(2013, 6, 29):  # the weekend was Thursday and Friday
        return spans(8, 16) if day.weekday() not in (3, 4) else []
    return spans(8, 16) if day.weekday() not in (4, 5) else []


IN_SAUDI_ARABIA = holidays.country_holidays("SA", years=range(2012, 2026))
RIYADH = {
    "hours": [
        {"until": dt.date(2013, 6, 28), "saturday-wednesday": "08:00-16:00"},
        {"from": dt.date(2013, 6, 29), "sunday-thursday": "08:00-16:00"},
    ],
    "holidays": {"country": "SA", "worked": [dt.date(2024, 2, 22)]},
}


def in_tehran(day: dt.date) -> list[tuple[int, int]]:
    if (
        dt.date(day.year, 3, 21 if day.year == 2022 else 20)
        <= day
        <= dt.date(day.year, 3, 24 if day.year == 2022 else 23)
    ):
        return []
    thursday = spans(8, 12) if day.year == 2022 else []
    return {3: thursday, 4: []}.get(day.weekday(), spans(8, 16, 22, 25.5))


TEHRAN = {
    "hours": [
        {
            "until": dt.date(2022, 12, 31),
            "saturday-wednesday": ["08:00-16:00", "22:00-01:30"],
            "thursday": "08:00-12:00",
        },
        {"from": dt.date(2023, 1, 1), "saturday-wednesday": ["08:00-16:00", "22:00-01:30"]},
    ],
    "days": [
        {"from": dt.date(2022, 3, 21), "until": dt.date(2022, 3, 24), "hours": "closed"},
        {"from": dt.date(2024, 3, 20), "until": dt.date(2024, 3, 23), "hours": "closed"},
    ],
}


def in_dubai(day: dt.date) -> list[tuple[int, int]]:
    if day < dt.date(2022, 1, 1):
        return spans(8, 18) if day.weekday() not in (4, 5) else []
    return {4: spans(7.5, 12), 5: [], 6: []}.get(day.weekday(), spans(7.5, 15.5))


DUBAI = {
    "hours": [
        {"until": dt.date(2021, 12, 31), "sunday-thursday": "08:00-18:00"},
        {"from": dt.date(2022, 1, 1), "monday-thursday": "07:30-15:30", "friday": "07:30-12:00"},
    ]
}


def at_odd_hours(day: dt.date) -> list[tuple[int, int]]:
    odd = spans(0, 0.75, 1.5, 2.25, 9, 17)  # around the hours at which clocks are changed
    return {1: spans(0, 24), 4: spans(21, 29), 5: spans(6, 7)}.get(day.weekday(), odd)


ODD = {
    "hours": {
        "every_day": ["00:00-00:45", "01:30-02:15", "09:00-17:00"],
        "tuesday": "00:00-24:00",
        "friday": "21:00-05:00",
        "saturday": "06:00-07:00",
    }
}


@pytest.mark.parametrize(
    ("zone", "calendar", "rule", "first", "last"),
    [
        pytest.param(
            "Africa/Cairo", CAIRO, in_cairo, "2023-12-25", "2025-01-05", id="Cairo 2024, summer time, Ramadan"
        ),
        pytest.param("Asia/Riyadh", RIYADH, in_riyadh, "2013-01-01", "2014-01-01", id="Riyadh 2013, a new weekend"),
        pytest.param("Asia/Riyadh", RIYADH, in_riyadh, "2024-01-01", "2025-01-01", id="Riyadh 2024, public holidays"),
        pytest.param("Asia/Tehran", TEHRAN, in_tehran, "2022-01-01", "2022-12-30", id="Tehran 2022, summer time"),
        pytest.param("Asia/Tehran", TEHRAN, in_tehran, "2024-01-01", "2025-01-01", id="Tehran 2024, without"),
        pytest.param("Asia/Dubai", DUBAI, in_dubai, "2021-07-01", "2022-07-01", id="Dubai across the new weekend"),
        pytest.param("Asia/Beirut", ODD, at_odd_hours, "2023-01-01", "2024-01-01", id="Beirut, changed at midnight"),
        pytest.param("Africa/Casablanca", ODD, at_odd_hours, "2025-01-01", "2026-01-01", id="Casablanca in Ramadan"),
        pytest.param(
            "Australia/Lord_Howe", ODD, at_odd_hours, "2023-01-01", "2024-01-01", id="Lord Howe, half an hour"
        ),
        pytest.param("Pacific/Apia", ODD, at_odd_hours, "2011-06-01", "2012-06-01", id="Apia, without 30 December"),
    ],
)
def test_the_clock_agrees_with_every_minute(zone: str, calendar: Any, rule: Rule, first: str, last: str) -> None:
    """Looked at minute by minute, in 20,000 random pairs of seconds: not one differs."""
    assert differences(clock(zone, **calendar), zone, first, last, rule) == 0


# --- days that are no 24 hours long ---


@pytest.mark.parametrize(
    ("hours", "open_hours"),
    [
        ("00:00-24:00", 23),  # the day itself
        ("00:00-01:00", 0),  # the hour that no wall clock showed
        ("00:30-02:00", 1),
        (["00:15-00:45", "09:00-17:00"], 8),
    ],
)
def test_hours_that_the_clock_skips_are_not_open(hours: Any, open_hours: float) -> None:
    """Cairo went from 00:00 to 01:00 on Friday 26 April 2024 (tz database)."""
    team = clock("Africa/Cairo", hours={"friday": hours})
    assert team.seconds(at("2024-04-25 12:00"), at("2024-04-26 21:00")) == open_hours * 3600


@pytest.mark.parametrize(
    ("hours", "open_hours"),
    [
        ("00:00-24:00", 25),
        ("23:00-24:00", 2),  # the hour that came twice
        ("23:30-24:00", 1),  # twice half an hour
        ("22:00-23:30", 2),  # the second time, its half hour comes again
    ],
)
def test_hours_that_the_clock_shows_twice_are_open_twice(hours: Any, open_hours: float) -> None:
    """Cairo went from 24:00 back to 23:00 on Thursday 31 October 2024 (tz database)."""
    team = clock("Africa/Cairo", hours={"thursday": hours})
    assert team.seconds(at("2024-10-30 20:00"), at("2024-11-01 12:00")) == open_hours * 3600


def test_around_the_clock_every_second_counts() -> None:
    """Then business time is wall time, in any zone, over any clock change."""
    team = clock("Australia/Lord_Howe", hours={"every_day": "00:00-24:00"})
    rng = np.random.default_rng(1)
    moments = np.datetime64("2020-01-01", "us") + rng.integers(0, 5 * 365 * 86_400_000_000, (2, 1000))
    assert (team.seconds(moments[0], moments[1]) == (moments[1] - moments[0]) / np.timedelta64(1, "s")).all()
    assert (
        team.day_table(dt.date(2024, 4, 6), dt.date(2024, 4, 8))[["from_1", "to_1"]].to_numpy().tolist()
        == [[0, 86_400]] * 3
    )


# --- when promises fall due ---


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-05-07 13:00", 1, "2026-05-07 14:00"),  # Thursday, at the end of the day, not on Sunday morning
        ("2026-05-07 13:00", 1.5, "2026-05-10 06:30"),
        ("2026-05-08 12:00", 0, "2026-05-08 12:00"),  # nothing is due at once, closed or not
        ("2026-05-08 12:00", 8, "2026-05-10 14:00"),
        ("2026-05-10 06:30", -1.5, "2026-05-07 13:00"),
    ],
)
def test_a_promise_falls_due_after_so_many_open_hours(start: str, hours: float, due: str) -> None:
    """Riyadh, Sunday to Thursday 9 to 17, counted by hand; UTC is three hours behind."""
    team = clock("Asia/Riyadh", hours={"sunday-thursday": NINE_TO_FIVE})
    assert team.add(at(start), hours * 3600) == np.datetime64(due)


def test_what_never_opens_again_never_falls_due() -> None:
    """A desk that closed for good leaves open promises open."""
    team = clock("UTC", hours=[{"until": dt.date(2020, 12, 31), "monday-friday": NINE_TO_FIVE}])
    due = team.add(np.array(["2020-12-31T16:00", "2020-12-31T16:00", "NaT"], "datetime64[us]"), [3600, 3601, 1])
    assert due.astype(str).tolist() == ["2020-12-31T17:00:00.000000", "NaT", "NaT"]
    assert np.isnat(team.add(at("2020-01-01"), np.nan))


def test_a_promise_can_reach_far_ahead() -> None:
    """260 weeks of five days: the clock looks as far ahead as it must."""
    team = clock("UTC", hours={"monday-friday": NINE_TO_FIVE})
    assert team.add(at("2024-01-01"), 260 * 5 * 8 * 3600) == np.datetime64("2028-12-22T17:00")


# --- in a database ---


def by_interpolation(team: Clock, moments: np.ndarray) -> np.ndarray:
    """Positions from the edges of the open spans, by numpy.interp."""
    opens, closes = team.opening.open_spans(17_000, 20_500)
    edges = np.ravel([opens, closes], "F")
    lengths = np.cumsum(np.ravel([np.zeros(len(opens)), closes - opens], "F"))
    start = team.position(np.datetime64(int(opens[0]), "s"))
    return start + np.interp(moments.astype("datetime64[s]").astype(np.int64), edges, lengths)


@pytest.mark.parametrize(
    ("zone", "calendar"), [("Africa/Cairo", CAIRO), ("Asia/Tehran", TEHRAN), ("Asia/Riyadh", RIYADH)]
)
def test_the_table_of_days_gives_the_same_positions(zone: str, calendar: Any) -> None:
    """An equality join on the UTC day and sums of clipped seconds, against interpolation and the clock: all equal."""
    team = clock(zone, **calendar)
    table = team.day_table(dt.date(2021, 12, 1), dt.date(2025, 1, 31))
    assert [str(t) for t in table.dtypes] == ["object"] + ["int64"] * (len(table.columns) - 1)
    rng = np.random.default_rng(2)
    moments = np.datetime64("2021-12-01", "s") + rng.integers(0, len(table) * 86_400, 20_000)
    rows = table.set_index("day").loc[moments.astype("datetime64[D]").tolist()]
    gone = (moments - moments.astype("datetime64[D]")).astype(np.int64)
    position = rows["before"].to_numpy()
    for k in range(1, len(table.columns) // 2):
        start, end = rows[f"from_{k}"].to_numpy(), rows[f"to_{k}"].to_numpy()
        position = position + np.clip(gone - start, 0, end - start)
    assert (position == team.position(moments)).all()
    assert (position == by_interpolation(team, moments)).all()


def test_positions_are_the_same_whatever_was_asked_before() -> None:
    """Two clocks of one calendar, one of which looked far ahead and far back first."""
    calm, stirred = (clock("Africa/Cairo", **CAIRO) for _ in range(2))
    stirred.position(at("1985-03-01")), stirred.add(at("2030-01-01"), 10**9)
    moments = pd.Series(pd.date_range("2019-01-01", "2027-01-01", freq="37h"))
    assert (calm.position(moments) == stirred.position(moments)).all()
    assert calm.position(at("2000-01-01")) == 0


# --- edges ---


def test_what_is_missing_stays_missing() -> None:
    """NaN where either end is missing, in any shape."""
    team = clock("UTC", hours={"every_day": "00:00-24:00"})
    column = pd.Series(pd.to_datetime(["2024-01-01", None]))
    assert np.isnan(team.seconds(pd.NaT, at("2024-01-01")))
    assert np.isnan(team.seconds(None, None))
    assert team.seconds(at("2024-01-01"), column)[0] == 0
    assert np.isnan(team.seconds(column, at("2024-01-02"))).tolist() == [False, True]
    assert team.seconds(column[:0], column[:0]).shape == (0,)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_resolution_of_timestamps_is_read(unit: str) -> None:
    """A quarter of a second is kept where the resolution has it."""
    team = clock("UTC", hours={"every_day": NINE_TO_FIVE})
    stop = pd.Series(pd.to_datetime(["2024-01-01 10:00:00.250"])).astype(f"datetime64[{unit}]")
    assert team.seconds(at("2024-01-01"), stop)[0] == 3600 + (0.25 if unit != "s" else 0)


def test_a_time_of_another_century_is_refused() -> None:
    """No calendar of holidays reaches there."""
    with pytest.raises(StudyError) as refused:
        clock("UTC", hours={"every_day": NINE_TO_FIVE}).position(at("2200-01-01"))
    assert refused.value.text("en") == (
        "A time of the year 2200 lies beyond what the business clock knows, 1900 to 2149."
    )


def test_open_time_makes_unequal_months_comparable() -> None:
    """Riyadh by hand: 20 working days in February 2026 and 23 in March, each three hours shorter in Ramadan."""
    team = clock(
        "Asia/Riyadh",
        weekend=["friday", "saturday"],
        hours=NINE_TO_FIVE,
        seasons=[{"season": "ramadan", "hours": "10:00-15:00"}],
    )
    february, march = month_edges(at("2026-02-10"), at("2026-03-10"), "Asia/Riyadh")
    assert (team.open_days(february), team.open_days(march)) == (20, 23)
    # Ramadan 1447 ran from 18 February to 19 March 2026: 7 and 15 of these days.
    assert team.open_seconds(february) == (20 * 8 - 7 * 3) * 3600
    assert team.open_seconds(march) == (23 * 8 - 15 * 3) * 3600


def test_open_days_are_counted_by_the_wall_clock_of_the_service() -> None:
    """Auckland's days begin half a day before London's: each still belongs to one month."""
    team = clock("Pacific/Auckland", hours={"every_day": NINE_TO_FIVE})
    months = month_edges(at("2024-01-01"), at("2024-12-31"), "Europe/London")
    year = Period(dt.date(2024, 1, 1), months[0].start_at, months[-1].end_at)
    assert sum(team.open_days(month) for month in months) == team.open_days(year) == 366


# --- laws ---

ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/London",
    "UTC",
)


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    """A clock of random spans in a random zone, some of them over midnight."""
    hours = {}
    for day in draw(st.sets(st.sampled_from(["monday", "wednesday", "friday"]), min_size=1)):
        edges = sorted(draw(st.lists(st.integers(11, 1439), min_size=2, max_size=5, unique=True)))
        if len(edges) % 2:
            edges.append(draw(st.integers(0, 10)))  # of the next day
        times = [f"{edge // 60:02}:{edge % 60:02}" for edge in edges]
        hours[day] = [f"{start}-{end}" for start, end in zip(times[::2], times[1::2], strict=True)]
    return clock(draw(st.sampled_from(ZONES)), hours=hours)


MOMENTS = st.datetimes(dt.datetime(2019, 1, 1), dt.datetime(2027, 1, 1)).map(pd.Timestamp)


@given(clocks(), MOMENTS, MOMENTS, MOMENTS)
def test_open_time_adds_up(team: Clock, a: pd.Timestamp, b: pd.Timestamp, c: pd.Timestamp) -> None:
    """From a to c is from a to b and on to c, in whatever order they come."""
    assert team.seconds(a, c) == pytest.approx(team.seconds(a, b) + team.seconds(b, c), abs=1e-6)
    assert team.seconds(a, b) == -team.seconds(b, a)


@given(clocks(), MOMENTS, MOMENTS)
def test_open_time_never_runs_back_nor_faster_than_time(team: Clock, a: pd.Timestamp, b: pd.Timestamp) -> None:
    """Later is never less, and never more than what went by on the wall."""
    first, last = sorted((a, b))
    assert 0 <= team.seconds(first, last) <= (last - first).total_seconds()


@given(clocks(), MOMENTS, st.integers(1, 10_000_000))
def test_adding_open_time_undoes_counting_it(team: Clock, start: pd.Timestamp, seconds: int) -> None:
    """The moment that is found is exactly so far away, and no earlier one is."""
    due = team.add(start, seconds)
    assert team.seconds(start, due) == seconds
    assert team.seconds(start, due - np.timedelta64(1, "us")) < seconds


@given(clocks(), MOMENTS)
def test_periods_share_out_the_open_time(team: Clock, start: pd.Timestamp) -> None:
    """The open seconds of ten weeks are those of their days."""
    stop = start + pd.Timedelta(days=70)
    weeks = periods(start, stop, "Africa/Cairo", "week", week_start="saturday")
    days = periods(weeks[0].start_at, weeks[-1].end_at - pd.Timedelta(1, "us"), "Africa/Cairo", "day")
    assert sum(map(team.open_seconds, weeks)) == sum(map(team.open_seconds, days))
    assert weeks[0].start_at == local_midnight(weeks[0].first_on, "Africa/Cairo") <= start
