"""Counts and estimates: against numbers by hand, against plain pandas, and rows against tallies."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import small_study

from cxkit.errors import MeasureError
from cxkit.measures import (
    Count,
    Duration,
    Score,
    Share,
    closed_only,
    estimates,
    estimates_of,
    registry,
    tally,
    tally_rows,
    waterfall,
)

AS_OF = "2026-03-31 21:00"  # midnight in Riyadh
RESOLUTION = Duration("solve", start="opened_at", stop="first_solved_at", target_seconds=86_400, better="lower")
SOLVED_FAST = Share("solved fast", where="first_solved_at - opened_at <= days(1)")


def at(*moments):
    return pd.to_datetime(list(moments), format="ISO8601")


@pytest.fixture
def ten_tickets(tmp_path):
    """Ten tickets of March, one open, and one row for each rule that takes tickets out."""
    hours = [2, 4, 6, 8, 12, 20, 30, 40, 50, None]
    opened = pd.Timestamp("2026-03-02 08:00")
    solved = [opened + pd.Timedelta(hours=h) if h else pd.NaT for h in hours]
    kept = pd.DataFrame({"opened_at": opened, "first_solved_at": solved})
    out = pd.DataFrame({"opened_at": [opened] * 6, "first_solved_at": [opened + pd.Timedelta(hours=1)] * 6})
    tickets = pd.concat([kept, out], ignore_index=True)
    tickets["ticket_id"] = [f"t{i}" for i in range(16)]
    tickets["channel"] = ["email"] * 6 + ["chat"] * 4 + ["email"] * 6
    tickets["agent_id"] = [f"a{i % 5}" for i in range(16)]
    tickets["is_spam"] = pd.array([False] * 9 + [None, True] + [False] * 5, dtype="boolean")
    tickets["is_test"] = [i == 11 for i in range(16)]
    tickets["merged_into"] = pd.array([None] * 12 + ["t1"] + [None] * 3, dtype="string")
    tickets["status"] = ["solved"] * 13 + ["deleted"] + ["solved"] * 2
    tickets["created_by"] = ["customer"] * 8 + ["bot", None] + ["customer"] * 4 + ["agent", "customer"]
    tickets.loc[15, "opened_at"] = pd.Timestamp("2026-04-02")
    return small_study(tmp_path, AS_OF, {"tickets": tickets}, time_zone="Asia/Riyadh")


def row(table, stat, **group):
    keep = table["stat"].eq(stat)
    for column, wanted in group.items():
        keep &= table[column].eq(wanted)
    (found,) = table[keep].to_dict("records")
    return found


def test_open_tickets_count_and_left_out_ones_do_not(ten_tickets):
    """By hand: nine of ten solved; the fifth smallest is 12 h, the ninth 50 h; six within a day."""
    table = estimates(ten_tickets, RESOLUTION)
    assert list(table["stat"]) == ["median", "p90", "within"]
    assert row(table, "median")["value"] == 12 * 3600
    assert row(table, "p90")["value"] == 50 * 3600
    assert row(table, "within")["value"] == pytest.approx(0.6)
    assert (table["n"] == 10).all()
    assert (table["open"] == 1).all()
    assert (table["clusters"] == 5).all()


def test_waterfall_counts_every_rule_once_and_ends_at_n(ten_tickets):
    """One planted row for each rule; an empty is_spam and an empty created_by take nothing out."""
    table = waterfall(ten_tickets, RESOLUTION)
    assert table.to_dict("list") == {
        "rule": ["all", "entry", "spam", "test", "merged", "deleted", "agent_created", "open", "missing"],
        "removed": [0, 1, 1, 1, 1, 1, 1, 0, 0],
        "left": [16, 15, 14, 13, 12, 11, 10, 10, 10],
    }


def test_a_rule_can_be_lifted_and_a_population_narrowed(ten_tickets):
    assert estimates(ten_tickets, Count("all tickets", exclude=()))["value"].tolist() == [15]
    assert estimates(ten_tickets, Count("chats", among="channel == 'chat'"))["value"].tolist() == [4]


def test_closed_only_numbers_leave_the_open_ticket_out(ten_tickets):
    """By hand: median of the nine solved tickets is 12 h, their P90 50 h; six of nine within a day."""
    table = closed_only(ten_tickets, RESOLUTION)
    assert (row(table, "median")["value"], row(table, "p90")["value"]) == (12 * 3600, 50 * 3600)
    assert row(table, "within")["value"] == pytest.approx(6 / 9)
    assert (table["n"] == 9).all()


def test_an_earlier_as_of_sees_only_what_had_happened(ten_tickets):
    """At 20:00 of the opening day four tickets were solved (the one of 12 h in that very second), one more... five."""
    earlier = dataclasses.replace(ten_tickets, as_of=pd.Timestamp("2026-03-02 20:00"))
    table = estimates(earlier, RESOLUTION)
    assert (table["open"] == 5).all()
    assert row(table, "median")["value"] == 12 * 3600
    assert row(table, "p90")["value"] == math.inf
    assert math.isnan(row(table, "within")["value"])


def test_a_ticket_that_left_is_watched_until_then(tmp_path):
    """Closed without a reply after 1 h: not answered, and not waiting for ten days either."""
    opened = pd.Timestamp("2026-03-01")
    tickets = pd.DataFrame(
        {
            "opened_at": [opened] * 3,
            "first_replied_at": [opened + pd.Timedelta(hours=2), pd.NaT, pd.NaT],
            "closed_at": [pd.NaT, opened + pd.Timedelta(hours=1), pd.NaT],
        }
    )
    study = small_study(tmp_path, "2026-03-11", {"tickets": tickets})
    reply = Duration("reply", start="opened_at", stop="first_replied_at", until=("closed_at", "no_such_column"))
    counts = tally(study, reply).sort_values("value")
    assert counts["value"].tolist() == [3600, 7200, 10 * 86_400]
    assert counts["observed"].tolist() == [False, True, False]


def test_a_row_that_stops_before_it_starts_is_missing_not_fast(tmp_path):
    opened = pd.Timestamp("2026-03-01")
    solved = [opened - pd.Timedelta(hours=1), opened + pd.Timedelta(hours=1)]
    study = small_study(tmp_path, AS_OF, {"tickets": pd.DataFrame({"opened_at": opened, "first_solved_at": solved})})
    found = row(estimates(study, RESOLUTION), "median")
    assert (found["value"], found["n"], found["missing"], found["open"]) == (3600, 1, 1, 0)
    assert waterfall(study, RESOLUTION).set_index("rule")["removed"]["missing"] == 1


def test_months_are_those_of_the_study_clock_and_calendar(tmp_path):
    """22:00 UTC of 31 January is February in Riyadh; 20 March 2026, 21:00 UTC, is 1 Farvardin 1405 in Tehran."""
    opened = at("2026-01-31 20:00", "2026-01-31 22:00", "2026-03-20 20:00", "2026-03-20 21:00")
    tickets = pd.DataFrame({"opened_at": opened})
    riyadh = small_study(tmp_path, AS_OF, {"tickets": tickets}, time_zone="Asia/Riyadh")
    table = estimates(riyadh, Count("volume"), by=("month",))
    assert dict(zip(table["month"], table["value"], strict=True)) == {
        pd.Timestamp("2026-01-01"): 1,
        pd.Timestamp("2026-02-01"): 1,
        pd.Timestamp("2026-03-01"): 2,
    }
    assert not table["partial"].any()
    tehran = dataclasses.replace(riyadh, time_zone="Asia/Tehran", config={"calendar": {"months": "jalali"}})
    table = estimates(tehran, Count("volume"), by=("month",))
    assert table["month"].tolist() == list(at("2026-01-21", "2026-02-20", "2026-03-21"))
    assert table["value"].tolist() == [2, 1, 1]
    assert table["partial"].tolist() == [False, False, True]


def test_young_rows_are_not_decided_and_old_ones_are(tmp_path):
    """At midnight of 11 March a week has passed since 4 March 00:00, to the second."""
    solved = at("2026-03-04 00:00:00", "2026-03-04 00:00:01", "2026-03-01")
    reopened = at("2026-03-05", "2026-03-05", None)
    tickets = pd.DataFrame({"opened_at": solved, "first_solved_at": solved, "reopened_at": reopened})
    study = small_study(tmp_path, "2026-03-11", {"tickets": tickets})
    found = row(estimates(study, registry()["fcr"]), "share")
    assert (found["value"], found["n"], found["open"]) == (0.5, 2, 1)


def test_an_unknown_condition_is_missing_and_an_unknown_population_is_out(tmp_path):
    tickets = pd.DataFrame({"opened_at": at(*["2026-03-01"] * 4), "vip": pd.array([True, None, True, True], "boolean")})
    tickets["escalated"] = pd.array([True, True, None, False], "boolean")
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    found = row(estimates(study, Share("up", where="escalated", among="vip")), "share")
    assert (found["value"], found["n"], found["missing"]) == (0.5, 2, 1)


@pytest.fixture
def surveyed(tmp_path):
    """Six answers; what the survey leaves empty its ticket says; one invitation was answered after as_of."""
    tickets = pd.DataFrame(
        {
            "ticket_id": ["t1", "t2", "t3"],
            "opened_at": at("2026-02-01", "2026-02-01", "2026-02-01"),
            "channel": ["email", "chat", "phone"],
            "topic": ["bill", "bill", "repair"],
        }
    )
    surveys = pd.DataFrame(
        {
            "response_id": ["r1", "r2", "r3", "r4", "r5"],
            "ticket_id": ["t1", "t2", "t3", None, "t1"],
            "channel": [None, "web", None, None, None],
            "answered_at": at("2026-02-03", "2026-03-03", "2026-03-03", "2026-03-04", "2026-05-01"),
        }
    )
    answers = pd.DataFrame({"response_id": ["r1", "r2", "r3", "r4", "r5"] * 2, "item": ["csat"] * 5 + ["nps"] * 5})
    answers["value"] = [5.0, 4.0, 2.0, None, 1.0, 10.0, 9.0, 7.0, 3.0, 0.0]
    answers["scale_min"], answers["scale_max"] = [1.0] * 5 + [0.0] * 5, [5.0] * 5 + [10.0] * 5
    return small_study(tmp_path, AS_OF, {"tickets": tickets, "surveys": surveys, "survey_answers": answers})


def test_answers_find_their_survey_and_its_ticket(surveyed):
    """By hand. r2 says web itself; r1 and r3 take their ticket's channel; r4 has none; r5 answers too late."""
    table = estimates(surveyed, registry()["csat"], by=("channel",))
    tops = table[table["stat"] == "top_share"]
    assert dict(zip(tops["channel"], tops["value"], strict=True)) == {"email": 1.0, "phone": 0.0, "web": 1.0}
    topics = estimates(surveyed, registry()["csat"], by=("topic", "month")).query("stat == 'mean'")
    assert topics[["topic", "month", "value"]].values.tolist() == [
        ["bill", pd.Timestamp("2026-02-01"), 5.0],
        ["bill", pd.Timestamp("2026-03-01"), 4.0],
        ["repair", pd.Timestamp("2026-03-01"), 2.0],
    ]


def test_promoters_less_detractors(surveyed):
    """By hand: 10 and 9 promote, 7 is passive, 3 detracts; a missing group key is a group of its own."""
    found = row(estimates(surveyed, registry()["nps"]), "net")
    assert (found["value"], found["n"]) == (pytest.approx(0.25), 4)
    channels = estimates(surveyed, registry()["nps"], by=("channel",))
    assert channels["channel"].isna().tolist() == [False, False, False, True]
    assert channels["value"].tolist() == [1, 0, 1, -1]


def test_several_items_in_one_pass_are_the_items_alone(surveyed):
    both = [registry()["csat"], registry()["nps"]]
    alone = pd.concat([estimates(surveyed, m, by=("channel",)) for m in both], ignore_index=True)
    pd.testing.assert_frame_equal(estimates(surveyed, both, by=("channel",)), alone)


def test_mixed_scales_are_refused_by_name(surveyed):
    wide = Score("csat", of="survey_answers", item="csat", scale=(1, 7), top=(6, 7), at="answered_at")
    with pytest.raises(MeasureError) as refused:
        estimates(surveyed, wide)
    assert refused.value.text("en") == (
        "Customer satisfaction (CSAT) is declared on the scale 1–7, but the answers were given on: 1–5. Scales are "
        "never mixed: declare the right one under [scales] in study.toml, or convert the answers in the export."
    )


def test_answers_off_the_scale_are_refused(tmp_path):
    """A 0 that stands for "no answer" would read as the worst of all answers (P11)."""
    surveys = pd.DataFrame({"response_id": ["a", "b"], "answered_at": at("2026-03-01", "2026-03-02")})
    answers = pd.DataFrame({"response_id": ["a", "b"], "item": "csat", "value": [0.0, 5.0]})
    study = small_study(tmp_path, AS_OF, {"surveys": surveys, "survey_answers": answers})
    with pytest.raises(MeasureError) as refused:
        estimates(study, registry()["csat"])
    assert refused.value.text("en") == (
        "Customer satisfaction (CSAT): 1 answer lies outside the scale 1–5. If the question was asked on another "
        "scale, declare that one under [scales] in study.toml."
    )


def test_what_the_data_lack_is_named(ten_tickets):
    with pytest.raises(MeasureError) as refused:
        estimates(ten_tickets, registry()["fcr"])
    assert refused.value.text("en") == (
        "First contact resolution (FCR) is not answerable with these data: it needs tickets.reopened_at."
    )
    with pytest.raises(MeasureError) as refused:
        estimates(ten_tickets, Share("quick", where="first_solvd_at is not None"))
    assert "did you mean first_solved_at?" in refused.value.text("en")
    with pytest.raises(MeasureError) as refused:
        estimates(ten_tickets, RESOLUTION, by=("chanel",))
    assert "did you mean channel?" in refused.value.text("en")


def test_nothing_to_count_is_one_line_of_nothing_or_no_group(ten_tickets):
    nobody = dataclasses.replace(SOLVED_FAST, among="channel == 'fax'")
    found = row(estimates(ten_tickets, nobody), "share")
    assert (found["n"], found["low"], found["high"]) == (0, 0, 1)
    assert math.isnan(found["value"])
    assert estimates(ten_tickets, nobody, by=("channel",)).empty
    assert estimates(ten_tickets, nobody, by=("month",)).empty
    faxed = dataclasses.replace(RESOLUTION, among="channel == 'fax'")
    assert math.isnan(row(estimates(ten_tickets, faxed), "median")["value"])
    assert estimates(ten_tickets, faxed, by="channel").empty
    assert closed_only(ten_tickets, faxed, by=("channel", "month")).empty


def test_design_effect_is_the_clustered_over_the_plain_variance(tmp_path):
    """statsmodels: OLS on a constant with cov_type="cluster" has the variance sum(s^2)/n^2 * G/(G-1) * (n-1)/(n-1)."""
    rng = np.random.default_rng(3)
    agent = rng.integers(0, 12, 600)
    escalated = rng.random(600) < np.linspace(0.05, 0.6, 12)[agent]
    tickets = pd.DataFrame({"escalated": escalated, "agent_id": agent.astype(str)})
    tickets["opened_at"] = pd.Timestamp("2026-03-01")
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    found = row(estimates(study, Share("up", where="escalated")), "share")
    y = escalated.astype(float)
    fitted = sm.OLS(y, np.ones(600)).fit(cov_type="cluster", cov_kwds={"groups": agent})
    assert found["clusters"] == 12
    assert found["design_effect"] == pytest.approx(fitted.bse[0] ** 2 / (y.mean() * (1 - y.mean()) / 600), rel=1e-9)
    assert found["design_effect"] > 5


def test_agents_who_each_serve_one_channel_are_compared_within_it(tmp_path):
    """Each agent has exactly the share of the channel, 1 in 10 by phone, 5 in 10 by chat: nobody differs."""
    tickets = pd.DataFrame({"agent_id": np.repeat(list("abcdef"), 10), "channel": np.repeat(["phone", "chat"], 30)})
    tickets["escalated"] = [i % 10 < (1 if i < 30 else 5) for i in range(60)]
    tickets["opened_at"] = pd.Timestamp("2026-03-01")
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    share, blind = Share("up", where="escalated"), Share("up", where="escalated", stratum="")
    assert row(estimates(study, share), "share")["design_effect"] == pytest.approx(0, abs=1e-12)
    assert row(estimates(study, blind), "share")["design_effect"] > 2


def test_cut_times_stay_below_their_declared_error(tmp_path):
    """A hundredth asks for 2^-7: at most 128 values an octave, and 26 octaves up to 5e7 seconds."""
    seconds = np.unique(np.geomspace(1, 5e7, 40_000).astype(int))
    start = pd.Timestamp("2020-01-01")
    tickets = pd.DataFrame({"opened_at": start, "first_solved_at": start + pd.to_timedelta(seconds, unit="s")})
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    exact = tally(study, RESOLUTION).sort_values("value")["value"].to_numpy()
    cut = dataclasses.replace(RESOLUTION, precision=0.01)
    coarse = tally_rows(study, cut).sort_values("value")["value"].to_numpy()
    assert (exact == seconds).all()
    assert ((seconds - coarse) >= 0).all()
    assert ((seconds - coarse) / seconds).max() < 0.01
    assert len(tally(study, cut)) <= 128 * 26 < len(seconds) / 5


tickets_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.integers(0, 80),
            "solved_after": st.one_of(st.none(), st.integers(0, 60)),
            "reopened_after": st.one_of(st.none(), st.integers(0, 20)),
            "channel": st.sampled_from(["email", "chat", None]),
            "agent_id": st.sampled_from(["a", "b", None]),
            "escalated": st.sampled_from([True, False, None]),
        }
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 2)
@given(tickets_strategy)
def test_rows_tallies_and_plain_pandas_give_the_same_numbers(tmp_path_factory, drawn):
    """Frames with empty cells, ties, one row, all open: two paths of ours and one written here."""
    start = pd.Timestamp("2026-01-10 12:00")
    frame = pd.DataFrame(drawn)
    frame["opened_at"] = start + pd.to_timedelta(frame["day"], unit="D")
    frame["first_solved_at"] = frame["opened_at"] + pd.to_timedelta(frame["solved_after"].astype(float), unit="D")
    frame["reopened_at"] = frame["first_solved_at"] + pd.to_timedelta(frame["reopened_after"].astype(float), unit="D")
    tickets = frame.astype({"escalated": "boolean", "channel": "string", "agent_id": "string"})
    tickets = tickets.drop(columns=["day", "solved_after", "reopened_after"])
    study = small_study(tmp_path_factory.mktemp("drawn"), AS_OF, {"tickets": tickets})
    kpis = registry()
    for measure, by in ((RESOLUTION, ("channel", "month")), (kpis["fcr"], ("channel",)), (kpis["escalation"], ())):
        one_by_one, counted = (make(study, measure, by, clusters=True) for make in (tally_rows, tally))
        assert counted["n"].sum() == len(one_by_one)
        from_rows, from_counts = (estimates_of(measure, table, by) for table in (one_by_one, counted))
        pd.testing.assert_frame_equal(from_rows, from_counts, rtol=1e-12, atol=1e-12)
    _agrees_with_pandas(study, tickets)


def _agrees_with_pandas(study, tickets):
    as_of = pd.Timestamp(AS_OF)
    solved = tickets["first_solved_at"].where(tickets["first_solved_at"] <= as_of)
    waited = (solved.fillna(as_of) - tickets["opened_at"]).dt.total_seconds()
    half = [t for t in np.sort(waited.unique()) if _still_waiting(waited, solved.notna(), t) <= 0.5 + 1e-12]
    found = tally_rows(study, RESOLUTION)
    table = estimates_of(RESOLUTION, found)
    assert row(table, "median")["value"] == (half[0] if half else math.inf)
    assert row(table, "median")["open"] == solved.isna().sum()
    settled = tickets[as_of - tickets["opened_at"] >= pd.Timedelta(days=14)]["escalated"].dropna()
    share = row(estimates_of(registry()["escalation"], tally_rows(study, registry()["escalation"])), "share")
    assert share["n"] == len(settled)
    assert share["value"] == pytest.approx(settled.astype(float).mean() if len(settled) else math.nan, nan_ok=True)


def _still_waiting(waited, done, t):
    """The product-limit estimate as its definition says it, one distinct time after the other."""
    left = 1.0
    for u in np.sort(waited[done & (waited <= t)].unique()):
        left *= 1 - (done & (waited == u)).sum() / (waited >= u).sum()
    return left
