"""Long tables, added up by the engine, give the numbers of short ones, counted row by row."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from small_study import small_study

import cxkit.measures.engine as engine
from cxkit.errors import MeasureError
from cxkit.measures import (
    Count,
    Duration,
    Net,
    Ratio,
    Score,
    Share,
    closed_only,
    estimates,
    estimates_of,
    facts,
    missing,
    tally,
    tally_rows,
)

AS_OF = "2026-03-31 21:00"
SOLVE = Duration("solve", start="opened_at", stop="first_solved_at", until=("closed_at",), target_seconds=5 * 86_400)
MEASURES = (
    SOLVE,
    dataclasses.replace(SOLVE, name="capped", horizon_seconds=86_400 * 20, among="channel == 'email'"),
    Duration("handled", seconds="touch_seconds", done="escalated", cluster=""),
    Share("up", where="escalated", follow_up_days=14),
    Share("kept", where="first_solved_at is not None", among="channel is not None", cluster=""),
    Ratio("touch", top="touch_seconds"),
    Ratio("weighted", top="touch_seconds * weight", bottom="weight", unit="number"),
    Count("volume"),
)


@pytest.fixture
def long(monkeypatch):
    """Every table is a long one, and the grid is as fine as whole seconds."""
    monkeypatch.setattr(facts, "LARGE_ROWS", 0)
    monkeypatch.setattr(facts, "GRID", 2.0**-40)


def counted_both_ways(study, measures, by=(), make=estimates):
    """The estimates of a study taken for a short one, and for a long one."""
    with pytest.MonkeyPatch.context() as patch:
        short = make(dataclasses.replace(study), measures, by)
        patch.setattr(facts, "LARGE_ROWS", 0)
        patch.setattr(facts, "GRID", 2.0**-40)
        return short, make(dataclasses.replace(study), measures, by)


def some_tickets(n=600, seed=11):
    rng = np.random.default_rng(seed)
    opened = pd.Timestamp("2026-01-03") + pd.to_timedelta(rng.integers(0, 85 * 86_400, n), unit="s")
    solved = opened + pd.to_timedelta(np.exp(rng.normal(12, 1.5, n)).astype(int), unit="s")
    frame = pd.DataFrame({"ticket_id": [f"t{i}" for i in range(n)], "opened_at": opened})
    frame["first_solved_at"] = pd.Series(solved).where(rng.random(n) < 0.85)
    frame["closed_at"] = (frame["opened_at"] + pd.Timedelta(days=9)).where(rng.random(n) < 0.1)
    frame["channel"] = rng.choice(np.array(["email", "chat", "phone", None], dtype=object), n)
    frame["agent_id"] = rng.choice(np.array([*"abcdefgh", None], dtype=object), n)
    frame["escalated"] = pd.array(rng.choice(np.array([True, False, None], dtype=object), n), dtype="boolean")
    frame["touch_seconds"] = np.where(rng.random(n) < 0.9, np.round(np.exp(rng.normal(5, 1, n)), 3), np.nan)
    frame["weight"] = rng.choice([0.5, 1.0, 2.25], n)
    return frame


@pytest.fixture
def service(tmp_path):
    """Six hundred tickets with gaps everywhere."""
    return small_study(tmp_path, AS_OF, {"tickets": some_tickets()})


@pytest.mark.slow
@pytest.mark.parametrize("by", [(), ("channel",), ("escalated", "week"), ("channel", "month"), ("agent_id",)])
def test_sums_of_the_engine_are_the_sums_of_its_rows(service, by):
    """Two paths of ours: rows tallied and added in numpy; rows added by DuckDB, times joined back as moves."""
    short, long = counted_both_ways(service, MEASURES, by)
    assert len(short) > 10
    pd.testing.assert_frame_equal(short, long, rtol=1e-8, atol=1e-10)


def test_closed_tickets_alone_are_the_same_by_both_ways(service):
    short, long = counted_both_ways(service, SOLVE, ("channel",), closed_only)
    assert (short["open"] == 0).all()
    pd.testing.assert_frame_equal(short, long, rtol=1e-8, atol=1e-10)


def test_answers_are_the_same_by_both_ways_and_refused_by_both(tmp_path):
    rng = np.random.default_rng(5)
    surveys = pd.DataFrame({"response_id": [f"r{i}" for i in range(200)], "answered_at": "2026-03-01"})
    surveys["agent_id"] = rng.choice(list("abcd"), 200)
    answers = pd.DataFrame({"response_id": np.tile(surveys["response_id"], 2), "item": np.repeat(["csat", "nps"], 200)})
    answers["value"] = np.concatenate([rng.integers(1, 6, 200), rng.integers(0, 11, 200)]).astype(float)
    answers.loc[3, "value"] = np.nan
    study = small_study(tmp_path, AS_OF, {"surveys": surveys, "survey_answers": answers})
    both = [
        Score("csat", of="survey_answers", item="csat", scale=(1, 5), top=(4, 5), at="answered_at"),
        Net("nps", of="survey_answers", item="nps", at="answered_at"),
    ]
    short, long = counted_both_ways(study, both, ("agent_id",))
    pd.testing.assert_frame_equal(short, long, rtol=1e-8, atol=1e-10)
    narrow = dataclasses.replace(both[0], scale=(2, 5))
    said = []
    for rows in (200_000, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(facts, "LARGE_ROWS", rows)
            with pytest.raises(MeasureError) as refused:
                estimates(dataclasses.replace(study), narrow)
        said.append(refused.value.text("en"))
    assert said[0] == said[1]


def test_customers_too_many_to_be_told_apart_widen_as_they_do_one_by_one(tmp_path, long, monkeypatch):
    """Eighty customers: with more than sixty the corrections for few clusters no longer show on either way."""
    tickets = some_tickets(2_000).drop(columns="closed_at")
    tickets["customer_id"] = np.random.default_rng(2).choice([*(f"c{i}" for i in range(80)), None], 2_000)
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    alike = [dataclasses.replace(m, cluster="customer_id", stratum="") for m in MEASURES if m.cluster]
    told = estimates(dataclasses.replace(study), alike)
    monkeypatch.setattr(engine, "MANY_CLUSTERS", 0)
    pooled = estimates(dataclasses.replace(study), alike)
    assert told.loc[told["kind"] != "count", "design_effect"].notna().all()
    pd.testing.assert_frame_equal(told, pooled, rtol=1e-7, atol=1e-9)


def test_a_pooled_share_has_the_clustered_variance_of_statsmodels(tmp_path, long, monkeypatch):
    """statsmodels: OLS on a constant with cov_type="cluster" has the variance sum(s^2)/n^2 * G/(G-1) * (n-1)/(n-1)."""
    monkeypatch.setattr(engine, "MANY_CLUSTERS", 0)
    rng = np.random.default_rng(3)
    customer = rng.integers(0, 120, 900)
    escalated = rng.random(900) < np.linspace(0.05, 0.6, 120)[customer]
    tickets = pd.DataFrame({"escalated": escalated, "customer_id": customer.astype(str), "opened_at": "2026-03-01"})
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    (found,) = estimates(study, Share("up", where="escalated", cluster="customer_id", stratum="")).to_dict("records")
    y = escalated.astype(float)
    fitted = sm.OLS(y, np.ones(900)).fit(cov_type="cluster", cov_kwds={"groups": customer})
    assert found["clusters"] == 120
    assert found["design_effect"] == pytest.approx(fitted.bse[0] ** 2 / (y.mean() * (1 - y.mean()) / 900), rel=1e-9)


def test_small_numbers_keep_their_digits_beside_huge_ones(tmp_path, long):
    """Correctly rounded sums (math.fsum) of halalas, in a column that holds one amount of a quadrillion as well."""
    rng = np.random.default_rng(11)
    cents = 10.0 ** rng.uniform(-4, 1, 400)
    amounts = pd.DataFrame({"booked_on": pd.Timestamp("2026-02-10"), "amount": [*cents, 1e15], "kind": "licence"})
    amounts["channel"] = ["chat"] * 400 + ["email"]
    study = small_study(tmp_path, AS_OF, {"costs": amounts})
    cost = Ratio("cost", of="costs", top="amount", unit="number", cluster="")
    found = estimates(study, [cost], ("channel",)).set_index("channel")
    assert found.loc["chat", "value"] == pytest.approx(math.fsum(cents) / 400, rel=1e-14)
    assert found.loc["chat", "high"] - found.loc["chat", "value"] == pytest.approx(
        stats.t.ppf(0.975, 399) * stats.sem(cents), rel=1e-9
    )


@pytest.mark.slow
def test_the_order_of_rows_and_the_number_of_threads_change_no_digit(tmp_path, long):
    """Sums of floats depend on their order; the report of a shuffled export must not."""
    found = []
    for threads, order in ((1, 0), (4, 1), (4, 2)):
        folder = tmp_path / f"{threads}{order}"
        folder.mkdir()
        tickets = some_tickets(5_000).sample(frac=1, random_state=order) if order else some_tickets(5_000)
        study = small_study(folder, AS_OF, {"tickets": tickets})
        study.engine.raw_sql(f"SET threads = {threads}")
        found.append(estimates(study, MEASURES, ("channel", "month")))
    pd.testing.assert_frame_equal(found[0], found[1], check_exact=True)
    pd.testing.assert_frame_equal(found[0], found[2], check_exact=True)


def test_times_of_a_long_table_are_cut_by_less_than_they_say(service, monkeypatch):
    """The grid costs less than its relative error, and nothing at all of the share that kept the promise."""
    exact = estimates(dataclasses.replace(service), SOLVE).set_index("stat")
    monkeypatch.setattr(facts, "LARGE_ROWS", 100)
    cut = estimates(dataclasses.replace(service), SOLVE).set_index("stat")
    assert (exact["precision"] == 0).all()
    assert (cut["precision"] == 2.0**-8).all()
    assert 0 < 1 - cut.loc["median", "value"] / exact.loc["median", "value"] < 2.0**-8
    assert cut.loc["within", "n"] == exact.loc["within", "n"]
    assert cut.loc["within", "value"] == pytest.approx(exact.loc["within", "value"], abs=1e-3)


def test_no_time_that_misses_its_target_is_cut_to_one_that_keeps_it(tmp_path):
    """Times around four hours, whose step is 16 seconds at a relative error of 2^-9: 14,400 is one of the steps."""
    seconds = np.arange(14_380, 14_440)
    start = pd.Timestamp("2026-03-01")
    tickets = pd.DataFrame({"opened_at": start, "first_solved_at": start + pd.to_timedelta(seconds, unit="s")})
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    for target in (14_399, 14_400, 14_401.5, 14_415):
        promised = dataclasses.replace(SOLVE, target_seconds=target, precision=2.0**-9)
        found = estimates(study, promised).set_index("stat").loc["within", "value"]
        assert found == pytest.approx((seconds <= target).mean(), rel=1e-12)


def test_two_durations_told_alike_keep_their_own_targets(service, long):
    """They share the column of seconds, not the grid around their promises."""
    promises = {"soon": 3_600, "late": 900_000}
    soon, late = (dataclasses.replace(SOLVE, name=name, target_seconds=t) for name, t in promises.items())
    both = estimates(service, [soon, late])
    alone = pd.concat([estimates(service, [m]) for m in (soon, late)], ignore_index=True)
    pd.testing.assert_frame_equal(both, alone)
    values = both[both["stat"] == "within"]["value"].to_numpy()
    assert values[0] < values[1]


tickets_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.integers(0, 80),
            "solved_after": st.one_of(st.none(), st.integers(-2, 60)),
            "channel": st.sampled_from(["email", "chat", None]),
            "agent_id": st.sampled_from(["a", "b", "c", None]),
            "escalated": st.sampled_from([True, False, None]),
            "touch_seconds": st.one_of(st.none(), st.sampled_from([0.0, 0.1, 12.34, 5e5])),
            "weight": st.sampled_from([0.5, 1.0, 3.0]),
        }
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 4)
@given(tickets_strategy, st.sampled_from([(), ("channel",), ("channel", "month"), ("day",)]))
def test_drawn_tables_are_counted_alike_by_rows_by_tallies_and_by_the_engine(tmp_path_factory, drawn, by):
    """Frames with empty cells, ties, one row, all open: three paths of ours."""
    frame = pd.DataFrame(drawn)
    frame["opened_at"] = pd.Timestamp("2026-01-10 12:00") + pd.to_timedelta(frame["day"], unit="D")
    frame["first_solved_at"] = frame["opened_at"] + pd.to_timedelta(frame["solved_after"].astype(float), unit="D")
    frame["closed_at"] = pd.NaT
    tickets = frame.drop(columns=["day", "solved_after"])
    tickets = tickets.astype({"escalated": "boolean", "channel": "string", "agent_id": "string"})
    tickets["touch_seconds"] = tickets["touch_seconds"].astype(float)
    study = small_study(tmp_path_factory.mktemp("drawn"), AS_OF, {"tickets": tickets})
    answerable = [m for m in MEASURES if not missing(m, study)]  # a column without a single value is none
    short, long = counted_both_ways(study, answerable, by)
    pd.testing.assert_frame_equal(short, long, rtol=1e-7, atol=1e-9)
    for measure in answerable:
        rows, lines = (make(study, measure, by, clusters=True) for make in (tally_rows, tally))
        one_by_one, counted = (estimates_of(measure, table, by) for table in (rows, lines))
        pd.testing.assert_frame_equal(one_by_one, counted, rtol=1e-12, atol=1e-12)
