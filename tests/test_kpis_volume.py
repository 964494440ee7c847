"""Volumes of unequal periods, the backlog with its age, and Little's law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import SmallStudy, small_study

from cxkit import kpis
from cxkit.kpis.backlog import little
from cxkit.lang import LANGS
from cxkit.result import NotAnswerable

HOUR = pd.Timedelta(hours=1)


def steady(tmp_path: Path, stay: float, last: str = "2026-03-31") -> SmallStudy:
    """A ticket every hour on the hour from 1 January 2026, each solved after `stay` hours."""
    as_of = pd.Timestamp(last) + pd.Timedelta(days=1)
    opened = pd.date_range("2026-01-01", as_of, freq="h", inclusive="left").as_unit("us")
    frame = pd.DataFrame({"ticket_id": map(str, range(len(opened))), "opened_at": opened})
    solved = pd.Series(opened + stay * HOUR)
    frame["first_solved_at"] = solved.where(solved <= as_of)
    return small_study(tmp_path, str(as_of), {"tickets": frame})


def test_littles_law_holds_where_work_in_and_work_out_balance(tmp_path: Path) -> None:
    """Little (1961): 24 arrivals a day that each stay 5 hours are 5 tickets waiting."""
    law = little(steady(tmp_path, 5.0))
    assert law is not None
    assert law.arrivals == pytest.approx(24, rel=0.01)
    assert law.stay == pytest.approx(5 * 3600)
    assert law.waiting == pytest.approx(5, rel=0.01)
    assert law.expected == pytest.approx(law.waiting, rel=0.02)
    assert law.agrees


def test_littles_law_sounds_where_the_backlog_grows(tmp_path: Path) -> None:
    """From March on nothing is solved any more: far more wait than arrivals and past stays explain."""
    study = steady(tmp_path, 5.0)
    tickets = study.table("tickets").to_pandas()
    tickets["first_solved_at"] = tickets["first_solved_at"].where(tickets["opened_at"] < pd.Timestamp("2026-03-10"))
    tickets.to_parquet(study.folder / "tickets.parquet")
    found = kpis.backlog(study)
    assert isinstance(found, kpis.Backlog) and found.law is not None
    assert (found.law.first, found.law.last) == (5, 22 * 24)
    assert [said.key for said in found.sentences()] == ["kpis.backlog.now", "kpis.backlog.moved"]


def test_the_backlog_is_counted_at_the_end_of_every_month(tmp_path: Path) -> None:
    """By hand: A open from 2 January to 10 February, B from 20 January on, C from 5 February to 5 March."""
    frame = pd.DataFrame({"ticket_id": list("ABC"), "opened_at": ["2026-01-02", "2026-01-20", "2026-02-05"]})
    frame["first_solved_at"] = ["2026-02-10", None, "2026-03-05"]
    found = kpis.backlog(small_study(tmp_path, "2026-04-01", {"tickets": frame}))
    assert isinstance(found, kpis.Backlog)
    assert found.table["value"].tolist() == [2, 2, 1]
    assert found.table["complete"].all()
    assert found.median == 71 * 86_400, "B waits since 20 January"
    assert found.ages is not None and found.ages.table["share"].tolist() == [1, 1, 1, 1]
    for code in LANGS:
        assert found.verdict(code)
        assert found.figure(code).png.startswith(b"\x89PNG")


def test_a_backlog_needs_tickets(tmp_path: Path) -> None:
    calls = pd.DataFrame({"call_id": ["a"], "arrived_at": "2026-01-02", "outcome": "answered", "wait_seconds": 3.0})
    assert isinstance(kpis.backlog(small_study(tmp_path, "2026-02-01", {"calls": calls})), NotAnswerable)


def test_months_of_unequal_length_compare_per_day(tmp_path: Path) -> None:
    """A ticket an hour is 24 a day in January's 31 days and in February's 28, though the months' numbers differ."""
    table = kpis.trend(steady(tmp_path, 1.0), "volume").table
    assert table["value"].tolist() == [31 * 24, 28 * 24, 31 * 24]
    assert table["exposure"].tolist() == [31, 28, 31]
    assert table["per_open"].tolist() == [24, 24, 24]
    shown = kpis.trend(steady(tmp_path, 1.0), "volume", per_open=True)
    assert shown.table["value"].tolist() == [24, 24, 24]
    assert shown.table["low"].iloc[0] < 24 < shown.table["high"].iloc[0]


def test_with_business_hours_volumes_compare_per_open_hour(tmp_path: Path) -> None:
    """January 2026 has 22 days from Monday to Friday, February 20: at eight hours 176 and 160 open hours."""
    study = steady(tmp_path, 1.0, "2026-02-28")
    study.config["calendar"] = {"hours": {"monday-friday": "09:00-17:00"}}
    found = kpis.trend(study, "volume")
    assert isinstance(found, kpis.Trend)
    assert found.table["exposure"].tolist() == [176, 160]
    assert found.table["per_open"].tolist() == pytest.approx([31 * 24 / 176, 28 * 24 / 160])
    assert "kpis.trend.per_open_hour" in [said.key for said in found.sentences()]


def test_weeks_that_the_data_do_not_cover_whole_are_set_apart(tmp_path: Path) -> None:
    """P21. 1 January 2026 was a Thursday: with weeks from Monday, the first holds 4 days and the last 6."""
    found = kpis.trend(steady(tmp_path, 1.0, "2026-01-31"), "volume", "week")
    assert isinstance(found, kpis.Trend)
    assert found.table["value"].tolist() == [4 * 24, 168, 168, 168, 6 * 24]
    assert found.table["complete"].tolist() == [False, True, True, True, False]
    assert found.sentences()[0].to_dict()["params"]["period"] == pd.Timestamp("2026-01-19")
    for code in LANGS:
        assert found.figure(code).png.startswith(b"\x89PNG")


def test_halves_of_a_month_are_fifteen_days_and_the_rest(tmp_path: Path) -> None:
    """January has 15 and 16 days, February 15 and 13."""
    table = kpis.trend(steady(tmp_path, 1.0, "2026-02-28"), "volume", "half_month").table
    assert table["value"].tolist() == [15 * 24, 16 * 24, 15 * 24, 13 * 24]
    assert table["complete"].all()


def test_a_kpi_of_this_moment_has_no_time_line(tmp_path: Path) -> None:
    """How old today's backlog is, by the month of opening, would fall by itself."""
    study = steady(tmp_path, 5.0)
    assert isinstance(kpis.trend(study, "backlog_age"), NotAnswerable)
    assert isinstance(kpis.card(study, "backlog_age"), kpis.Card)


def test_a_time_that_was_not_reached_is_marked_in_pictures(tmp_path: Path) -> None:
    """January is solved within hours, of February hardly anything: its median is a mark on the upper edge."""
    opened = pd.to_datetime(["2026-01-02"] * 60 + ["2026-02-03"] * 60)
    done = np.where(np.arange(120) < 60, True, np.arange(120) % 10 == 0)
    frame = pd.DataFrame({"ticket_id": map(str, range(120)), "opened_at": opened})
    frame["first_solved_at"] = pd.Series(opened + 3 * HOUR).where(done)
    found = kpis.trend(small_study(tmp_path, "2026-03-01", {"tickets": frame}), "resolution_time")
    assert np.isposinf(found.table["value"].iloc[1])
    ax = found.plot()
    marks = [line for line in ax.lines if line.get_marker() == "^"]
    assert [list(line.get_xdata()) for line in marks] == [[1]]
    assert "not reached" in [text.get_text() for text in ax.get_legend().get_texts()]
