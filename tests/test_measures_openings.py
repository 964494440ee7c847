"""Business time counted by the engine: the same seconds as the clock itself gives, schedule by schedule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_study import small_study

from cxkit.measures import Duration, Share, missing, tally_rows

AS_OF = pd.Timestamp("2024-06-01 12:34:56.5")
CALENDAR = {  # two schedules over a clock change, the short days of Ramadan and a night shift
    "weekend": ["friday", "saturday"],
    "column": "team",
    "hours": [{"every_day": ["09:00-12:30", "13:00-17:00"]}],
    "seasons": [{"season": "ramadan", "hours": "10:00-15:00"}],
    "schedules": {"night": {"for": ["night desk"], "hours": [{"every_day": "20:00-06:00"}]}},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    rng = np.random.default_rng(8)
    n = 2000
    opened = pd.Timestamp("2024-02-01") + pd.to_timedelta(rng.integers(0, 121 * 86_400_000_000, n), unit="us")
    solved = pd.Series(opened + pd.to_timedelta(rng.exponential(4 * 86_400, n), unit="s")).mask(rng.random(n) < 0.1)
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"t{k}" for k in range(n)],
            "opened_at": opened,
            "first_solved_at": solved,
            "team": pd.Series(rng.choice(["sales", "night desk"], n)).mask(rng.random(n) < 0.1),
        }
    )
    config = {"calendar": CALENDAR}
    folder = tmp_path_factory.mktemp("openings")
    return small_study(folder, str(AS_OF), {"tickets": tickets}, time_zone="Africa/Cairo", config=config)


def expected(study):
    """Seconds by the clock of each ticket's schedule, whole at both ends, open tickets up to the report."""
    tickets = pd.read_parquet(study.folder / "tickets.parquet")
    tickets = tickets[tickets["opened_at"] <= study.as_of]
    stop = tickets["first_solved_at"].where(tickets["first_solved_at"] <= study.as_of)
    ends = stop.fillna(study.as_of).dt.floor("s")
    night = (tickets["team"] == "night desk").to_numpy()
    starts = tickets["opened_at"].dt.floor("s")
    day, dark = (study.clock.clock(name).seconds(starts, ends) for name in ("usual", "night"))
    return np.where(night, dark, day), stop.notna().to_numpy()


def test_the_engine_counts_the_same_open_seconds_as_the_clock(study):
    solving = Duration("solving", start="opened_at", stop="first_solved_at", clock="business")
    rows = tally_rows(study, solving)
    seconds, done = expected(study)
    assert sorted(zip(rows["value"], rows["observed"], strict=True)) == sorted(zip(seconds, done, strict=True))


def test_working_time_in_a_condition_is_the_same(study):
    kept = Share("kept", where="working(opened_at, first_solved_at) <= hours(16)", among="first_solved_at is not None")
    seconds, done = expected(study)
    rows = tally_rows(study, kept)
    assert rows["value"].sum() == (seconds[done] <= 16 * 3600).sum()
    assert len(rows) == done.sum()
    late = Share("late", where="working(opened_at, as_of) > hours(16)", among="first_solved_at is None")
    rows = tally_rows(study, late)
    assert rows["value"].sum() == (seconds[~done] > 16 * 3600).sum()


def test_business_time_needs_declared_hours(tmp_path):
    """Nobody's working day is guessed."""
    tickets = pd.DataFrame({"ticket_id": ["a"], "opened_at": [AS_OF], "first_solved_at": [AS_OF]})
    study = small_study(tmp_path, str(AS_OF), {"tickets": tickets})
    solving = Duration("solving", start="opened_at", stop="first_solved_at", clock="business")
    assert missing(solving, study) == ("study.toml: calendar.hours",)
