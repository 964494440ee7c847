"""The two sides of a question: who stands where, on which days, and what is known of each row."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import SmallStudy, small_study

import cxkit as cx
from cxkit.changes import sides
from cxkit.changes.lines import ground, lines_of, local_days
from cxkit.changes.sides import moment_at, units_of
from cxkit.errors import MeasureError, ParameterError
from cxkit.measures import estimates, tally

SOLVED = cx.Share("fcr", where="solved", better="higher")
VOLUME = cx.Count("volume")


@pytest.fixture
def study(tmp_path: Path) -> SmallStudy:
    """120 tickets, one every six hours from 1 March 2026 in Riyadh (UTC+3), half of them chats; orders beside."""
    opened = pd.date_range("2026-02-28 21:00", periods=120, freq="6h")
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"T{i}" for i in range(120)],
            "opened_at": opened,
            "channel": ["chat", "email"] * 60,
            "agent_id": [f"A{i % 12}" for i in range(120)],
            "customer_id": [f"C{i % 50}" if i % 3 else None for i in range(120)],
            "first_solved_at": opened + pd.Timedelta(hours=5),
            "reopened_at": pd.Series(opened + pd.Timedelta(days=2)).where(np.arange(120) % 5 == 0),
            "is_spam": np.arange(120) == 0,
        }
    )
    days = pd.date_range("2026-02-28 22:00", periods=30, freq="D")
    orders = pd.DataFrame({"order_id": range(60), "customer_id": "C1", "ordered_at": days.repeat(2)})
    return small_study(
        tmp_path, "2026-03-30 20:59:59.999999", {"tickets": tickets, "orders": orders}, time_zone="Asia/Riyadh"
    )


def test_a_day_divides_at_its_local_midnight(study: SmallStudy) -> None:
    """16 March begins in Riyadh at 21:00 UTC on the 15th: fifteen days of four tickets each, spam left out."""
    found = sides(study, VOLUME, at="2026-03-16")
    assert found.at == pd.Timestamp("2026-03-15 21:00") and found.names == ("before", "after")
    assert (found.baseline.known, found.other.known) == (59, 60)
    assert found.days == ((dt.date(2026, 3, 1), dt.date(2026, 3, 15)), (dt.date(2026, 3, 16), dt.date(2026, 3, 30)))
    assert found.baseline.daily["count"].tolist() == [3.0] + [4.0] * 14


def test_a_moment_inside_a_day_leaves_that_day_to_nobody(study: SmallStudy) -> None:
    """Noon of 16 March: two tickets on either side, but whole days end on the 15th and begin on the 17th."""
    found = sides(study, VOLUME, at="2026-03-16 12:00")
    assert found.days == ((dt.date(2026, 3, 1), dt.date(2026, 3, 15)), (dt.date(2026, 3, 17), dt.date(2026, 3, 30)))


def test_a_window_keeps_as_many_days_on_either_side(study: SmallStudy) -> None:
    found = sides(study, VOLUME, at="2026-03-16", window_days=5)
    assert (found.baseline.known, found.other.known) == (20, 20)
    assert [len(side.daily) for side in found.pair] == [5, 5]


def test_the_seasons_that_the_calendar_declares_can_be_left_out_by_one_word(study: SmallStudy) -> None:
    """Ramadan 1447 ended on 19 March 2026, Eid al-Fitr on the 22nd: of thirty days of March eight are left."""
    declared = {"calendar": {"seasons": [{"season": "ramadan"}, {"season": "eid_fitr"}]}}
    found = sides(dataclasses.replace(study, config=declared), VOLUME, at="2026-03-25", without="declared")
    assert found.without == ("ramadan", "eid_fitr")
    assert [len(side.daily) for side in found.pair] == [2, 6]
    assert sides(study, VOLUME, at="2026-03-25", without="declared").without == ()


def test_days_without_arrivals_count_as_none() -> None:
    """Nothing came on the second and the third day."""
    rows = pd.DataFrame({"opened_at": pd.to_datetime(["2026-01-01", "2026-01-04", "2026-01-05", "2026-01-06"])})
    found = sides(rows, VOLUME, at="2026-01-05")
    assert found.baseline.daily["count"].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_two_tables_are_matched_day_by_day(study: SmallStudy) -> None:
    """Tickets per order: four to two, every day but the first, whose spam does not count."""
    found = sides(study, "contact_rate", at="2026-03-16")
    assert found.baseline.daily["under"].tolist() == [2.0] * 15
    assert found.other.daily["count"].tolist() == [4.0] * 15
    groups = cx.Ratio("contacts", top="1", per="orders", unit="number")
    with pytest.raises(MeasureError, match="orders has no column channel"):
        sides(study, groups, by="channel")


def test_rows_that_cannot_be_decided_yet_are_open(study: SmallStudy) -> None:
    """Reopened within seven days: those solved in the last seven days of March are too young to know."""
    found = sides(study, "fcr", at="2026-03-16")
    assert found.baseline.open == 0
    assert found.other.open == 28 and found.other.known == 32 and found.other.open_share == pytest.approx(28 / 60)


def test_the_units_that_repeat_are_those_that_measure_and_data_declare(study: SmallStudy) -> None:
    """Agents unless the measure says that they are an outcome, customers where they are known."""
    place, returned = ground(study), cx.Share("x", where="is_spam")
    assert units_of(place, returned, None) == ("agent_id", "customer_id")
    assert units_of(place, cx.Share("x", where="is_spam", cluster=""), None) == ("customer_id",)
    assert units_of(place, returned, "channel") == ("channel",) and units_of(place, returned, "") == ()
    with pytest.raises(MeasureError, match="did you mean agent_id"):
        units_of(place, returned, "agentid")
    with pytest.raises(ParameterError, match="3 were named"):
        units_of(place, returned, ("agent_id", "customer_id", "channel"))


def test_the_lines_are_those_of_the_tally(study: SmallStudy) -> None:
    """What `measures.tally` counts by channel and agent, in another arrangement."""
    measure = cx.Share("fcr", where="reopened_at is None")
    own = lines_of(ground(study), measure, ("channel", "agent_id"))
    theirs = tally(study, measure, ("channel",), clusters=True)
    sums = [t.groupby(["channel", c, "value"], observed=True)["n"].sum().tolist() for t, c in ((own, "agent_id"), (theirs, "cluster"))]  # fmt: skip  # noqa: E501
    assert sums[0] == sums[1]


def test_the_sides_add_up_to_the_estimates(study: SmallStudy) -> None:
    """The share of both sides together is that of `measures.estimates`."""
    measure = cx.Share("fcr", where="reopened_at is None")
    found = sides(study, measure, by="channel")
    (said,) = estimates(study, measure)["value"]
    hits = sum(float((side.value * side.n).sum()) for side in found.pair)
    assert hits / sum(side.known for side in found.pair) == pytest.approx(said)


def test_another_column_may_date_the_rows(study: SmallStudy) -> None:
    """Return rates are dated by the solution; five hours earlier, by the opening, one ticket is on the other side."""
    by_solution, by_opening = (sides(study, "fcr", at="2026-03-16", dated=dated) for dated in ("", "opened_at"))
    assert by_solution.baseline.known == 59 and by_opening.baseline.known == 59
    noon = "2026-03-16 04:00"
    early, late = (sides(study, "fcr", at=noon, dated=dated).baseline.known for dated in ("", "opened_at"))
    assert late == early + 1


@pytest.mark.parametrize(
    ("at", "zone", "utc"),
    [
        ("2026-03-29", "Europe/Berlin", "2026-03-28 23:00"),
        ("2026-03-30", "Europe/Berlin", "2026-03-29 22:00"),  # summer time has begun
        (dt.date(2026, 2, 1), "Asia/Riyadh", "2026-01-31 21:00"),
        (pd.Timestamp("2026-02-01 12:00", tz="UTC"), "Asia/Riyadh", "2026-02-01 12:00"),
        ("2026-02-01 12:00", "Asia/Riyadh", "2026-02-01 09:00"),
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29 01:00"),  # a time that no clock showed
    ],
)
def test_moments_are_read_in_the_study_s_own_time(at: Any, zone: str, utc: str) -> None:
    """IANA time zones: a day is its local midnight."""
    assert moment_at(at, zone) == pd.Timestamp(utc)


@given(
    st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1)), st.sampled_from(["Asia/Tehran", "Europe/Berlin"])
)
def test_local_days_are_those_of_pandas(at: dt.datetime, zone: str) -> None:
    """pandas' own conversion, row by row."""
    second = int(pd.Timestamp(at).floor("900s").timestamp())
    told = pd.Timestamp(second, unit="s", tz="UTC").tz_convert(zone).tz_localize(None).floor("D")
    assert pd.Timestamp(local_days([second], zone)[0]) == told


# --- tables of one's own ---


def test_a_table_s_own_columns_mean_what_the_analyst_says() -> None:
    """A column `status` of numbers is no status of tickets, so no rule of tickets leaves rows out."""
    rows = pd.DataFrame({"group": list("aabb"), "status": [1, 0, 1, 1], "is_spam": True})
    found = sides(rows, cx.Share("x", where="status == 1"), by="group")
    assert (found.baseline.known, found.other.known) == (2, 2)
    named = cx.Share("x", where="status == 1", exclude=("spam",))
    assert lines_of(ground(rows), named).empty


def test_open_rows_of_a_table_are_watched_until_its_newest_time() -> None:
    """The last solution was on 5 January; who was not solved by then has waited that long."""
    rows = pd.DataFrame(
        {
            "opened_at": pd.to_datetime(["2026-01-01"] * 4),
            "first_solved_at": pd.to_datetime(["2026-01-02", None, "2026-01-05", None]),
            "group": list("aabb"),
        }
    )
    found = sides(rows, cx.Duration("t", start="opened_at", stop="first_solved_at"), by="group")
    assert found.baseline.value.tolist() == [86_400.0, 4 * 86_400.0]
    assert found.baseline.observed.tolist() == [True, False] and found.baseline.open == 1
    later = sides(rows, cx.Duration("t", start="opened_at", stop="first_solved_at"), by="group", as_of="2026-01-09")
    assert later.baseline.value.max() == 8 * 86_400.0


def test_times_with_a_zone_are_taken_in_utc() -> None:
    rows = pd.DataFrame({"opened_at": pd.date_range("2026-01-01", periods=4, tz="Asia/Riyadh"), "solved": True})
    assert sides(rows, SOLVED, at="2026-01-02").baseline.known == 2  # 31 December and 1 January, 21:00 UTC


@pytest.mark.parametrize(
    ("rows", "measure", "error", "words"),
    [
        (
            pd.DataFrame([[1, 2, "a"]], columns=["x", "x", "g"]),
            cx.Share("s", where="x == 1"),
            ParameterError,
            "1 column name stands",
        ),
        (pd.DataFrame({"g": ["a", "b"]}), cx.Ratio("c", top="1", per="orders"), MeasureError, "rows of another table"),
        (
            pd.DataFrame({"g": ["a", "b"], "opened_at": pd.Timestamp("2026-01-01"), "s": pd.Timestamp("2026-01-02")}),
            cx.Duration("d", start="opened_at", stop="s", clock="business"),
            MeasureError,
            "business hours",
        ),
    ],
)
def test_a_table_that_cannot_carry_the_measure_is_refused(
    rows: pd.DataFrame, measure: cx.measures.Measure, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        sides(rows, measure, by="g")


def test_answers_on_other_scales_are_refused() -> None:
    """A survey that went from 1-5 to 1-7 has no mean over both."""
    rows = pd.DataFrame({"value": [5, 7], "scale_min": [1, 1], "scale_max": [5, 7], "g": ["a", "b"]})
    score = cx.Score("csat", of="tickets", scale=(1, 5), top=(4, 5))
    with pytest.raises(MeasureError, match="1–5, 1–7"):
        sides(rows, score, by="g")
    with pytest.raises(MeasureError, match="1 answer lies outside"):
        sides(rows[["value", "g"]], score, by="g")


def test_a_group_that_is_not_there_is_refused_with_the_nearest_one() -> None:
    rows = pd.DataFrame({"g": ["old", "new"], "solved": [True, False]})
    with pytest.raises(ParameterError, match="did you mean “old”"):
        sides(rows, SOLVED, by="g", baseline="odl")
    assert sides(rows, SOLVED, by="g", treated="old").names == ("new", "old")
    assert sides(rows, SOLVED, by="g").names == ("old", "new")  # "old" is a baseline's name
