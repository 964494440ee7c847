"""Whether two sides may be compared at all: each check in order, to be weighed, or a reason to stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_study import SmallStudy, small_study

import cxkit as cx
from cxkit.changes import Audit, audit, compare
from cxkit.errors import ParameterError
from cxkit.lang import LANGS, has, say

SOLVED = cx.Share("fcr", where="solved", better="higher")
AHT = cx.Ratio("aht", top="seconds", unit="seconds", better="lower")
WAIT = cx.Duration("first_reply_time", seconds="seconds", done="done", better="lower")


def table(n: int = 400, **columns: Any) -> pd.DataFrame:
    """Tickets of 40 agents in two groups that do not differ."""
    rng = np.random.default_rng(4)
    base = {
        "group": np.where(np.arange(n) % 2 == 0, "a", "b"),
        "solved": rng.random(n) < 0.6,
        "seconds": rng.exponential(300, n).round(),
        "done": rng.random(n) < 0.9,
        "agent_id": np.arange(n) % 40,
    }
    return pd.DataFrame({**base, **columns})


def level(found: Audit, code: str) -> str | None:
    return next((check.level for check in found.checks if check.code == code), None)


def test_everything_in_order_says_so(lang: str) -> None:
    """Groups drawn by lot, of even size, with many agents."""
    found = audit(table(), SOLVED, by="group", randomised=True)
    assert {check.level for check in found.checks} == {"ok"}
    assert found.sentences()[0].key == "changes.audit.ok"
    assert found.verdict(lang) and found.figure(lang).png and found._repr_html_(lang)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()


def test_every_check_has_its_words_at_every_level_that_it_can_have() -> None:
    """A name and a sentence in three languages."""
    for lang in LANGS:
        for code in CODES:
            assert has(f"changes.check.{code}.name", lang)
            assert any(has(f"changes.check.{code}.{level}", lang) for level in ("ok", "warn", "stop"))


CODES = [
    "control",
    "lot",
    "groups",
    "sample_ratio",
    "clusters",
    "no_clusters",
    "follow_up",
    "followed",
    "weekdays",
    "special_days",
    "response",
    "mix",
    "twice",
    "skewed",
    "missing",
    "one_look",
    "planned_look",
    "free_look",
]


@pytest.mark.parametrize(("a", "b", "level_of"), [(821_588, 815_482, "stop"), (100_000, 99_000, "ok")])
def test_a_declared_experiment_must_have_the_sizes_it_was_drawn_with(a: int, b: int, level_of: str) -> None:
    """Kohavi, Tang and Xu (2020): 821,588 to 815,482, p 1.8e-6, is an alarm; 100,000 to 99,000, p .025, is none."""
    rows = pd.DataFrame({"group": np.repeat(["a", "b"], [a, b]), "solved": np.arange(a + b) % 3 == 0})
    found = audit(rows, SOLVED, by="group", randomised=True)
    assert level(found, "sample_ratio") == level_of
    finding = compare(rows, SOLVED, by="group", randomised=True)
    assert (finding.code == "invalid") == (level_of == "stop")
    assert level(audit(rows, SOLVED, by="group"), "sample_ratio") is None  # no lot, no ratio to keep


def test_the_ratio_is_that_of_what_was_drawn() -> None:
    """Customers were drawn, 30 to 30; that one side's write more often is no fault of the lot."""
    who = np.r_[np.repeat(np.arange(30), 2), np.repeat(np.arange(30, 60), 10)]
    rows = pd.DataFrame({"customer_id": who, "group": np.where(who < 30, "a", "b"), "solved": np.arange(360) % 2 == 0})
    by_rows, by_customer = (compare(rows, SOLVED, by="group", randomised=drawn) for drawn in (True, "customer_id"))
    assert (by_rows.code, by_rows.judgement.stop.code) == ("invalid", "sample_ratio")
    assert by_customer.code != "invalid" and by_customer.design.manner == "due"


def test_another_share_may_be_meant() -> None:
    rows = pd.DataFrame({"group": np.repeat(["a", "b"], [900, 100]), "solved": np.arange(1000) % 3 == 0})
    assert level(audit(rows, SOLVED, by="group", randomised=True, expected=(0.9, 0.1)), "sample_ratio") == "ok"


@pytest.mark.parametrize(("agents", "level_of"), [(8, "stop"), (12, "warn"), (40, "ok")])
def test_clusters_are_counted_side_by_side(agents: int, level_of: str) -> None:
    """statistics.md, section 8: below 5 a side stop, below 10 warn."""
    found = audit(table(agent_id=np.arange(400) % agents), SOLVED, by="group")
    assert level(found, "clusters") == level_of


def test_rows_that_stand_there_twice_are_a_warning_and_many_are_a_stop() -> None:
    """The key of tickets is ticket_id: 1 of 400, then half of them."""
    once = table(ticket_id=np.arange(400))
    assert level(audit(once, SOLVED, by="group"), "twice") == "ok"
    assert level(audit(once.assign(ticket_id=np.arange(400).clip(1)), SOLVED, by="group"), "twice") == "warn"
    found = compare(once.assign(ticket_id=np.arange(400) // 2), SOLVED, by="group")
    assert (found.code, found.judgement.stop.code) == ("invalid", "twice")


@pytest.mark.parametrize(("sigma", "level_of"), [(0.3, "ok"), (2.5, "warn")])
def test_a_mean_made_by_few_rows_is_said(sigma: float, level_of: str) -> None:
    """Cochran (1977): |skewness| sqrt(1/n1 + 1/n2) beyond .2 spoils Student's t."""
    rng = np.random.default_rng(2)
    rows = table(seconds=rng.lognormal(5, sigma, 400))
    assert level(audit(rows, AHT, by="group"), "skewed") == level_of
    assert level(audit(rows, SOLVED, by="group"), "skewed") is None


@pytest.mark.parametrize(("gone", "level_of"), [(0.0, "ok"), (0.3, "warn")])
def test_values_missing_on_one_side_are_said(gone: float, level_of: str) -> None:
    """A third of the second side's values."""
    rows = table()
    rows.loc[(rows["group"] == "b") & (np.arange(400) % 10 < 10 * gone), "seconds"] = np.nan
    assert level(audit(rows, AHT, by="group"), "missing") == level_of


def test_a_side_watched_for_a_shorter_time_is_said() -> None:
    """Open on the second side: one in ten, then a half."""
    rows = table()
    assert level(audit(rows, WAIT, by="group"), "follow_up") == "ok"
    open_half = rows.assign(done=rows["done"] & ((rows["group"] == "a") | (np.arange(400) % 4 == 1)))
    assert level(audit(open_half, WAIT, by="group"), "follow_up") == "warn"
    assert level(audit(rows.assign(done=True), WAIT, by="group"), "followed") == "ok"


@pytest.mark.parametrize(("first", "level_of"), [("2026-04-06", "ok"), ("2026-04-11", "warn")])
def test_weekdays_of_both_stretches_are_compared(first: str, level_of: str) -> None:
    """Two weeks against two weeks; or a weekend and a Monday against two weeks."""
    before = pd.date_range(first, "2026-04-19", freq="D") if level_of == "ok" else pd.date_range(first, periods=3)
    after = pd.date_range("2026-04-20", periods=14, freq="D")
    days = before.append(after)
    rows = pd.DataFrame({"opened_at": days.repeat(10), "solved": np.arange(10 * len(days)) % 3 == 0})
    assert level(audit(rows, SOLVED, at="2026-04-20"), "weekdays") == level_of


def test_ramadan_on_one_side_is_said_and_can_be_left_out() -> None:
    """Ramadan 1447 ran from 18 February to 19 March 2026 (Umm al-Qura): 30 of the 59 days after 1 February."""
    days = pd.date_range("2025-12-01", "2026-03-31", freq="D")
    rows = pd.DataFrame({"opened_at": days.repeat(20), "solved": np.arange(20 * len(days)) % 3 == 0})
    found = audit(rows, SOLVED, at="2026-02-01")
    check = next(check for check in found.checks if check.code == "special_days")
    assert check.level == "warn" and check.params["season"].code == "ramadan"
    assert (check.params["first"].code, check.params["second"].code) == pytest.approx((0.0, 30 / 59))
    fair = audit(rows, SOLVED, at="2026-02-01", without=("ramadan", "eid_fitr", "nowruz"))
    assert level(fair, "special_days") in (None, "ok")
    left = compare(rows, SOLVED, at="2026-02-01", without="ramadan")
    assert left.table["n"].tolist() == [20 * 62, 20 * 29]
    assert left.notes[-1].key == "changes.note.without"
    with pytest.raises(ParameterError, match="did you mean “ramadan”"):
        compare(rows, SOLVED, at="2026-02-01", without="ramadhan")


def test_days_left_out_are_no_days_without_arrivals() -> None:
    """Ten tickets a day before and after, none counted in Ramadan: the rate stays ten a day."""
    days = pd.date_range("2025-12-01", "2026-03-31", freq="D")
    rows = pd.DataFrame({"opened_at": days.repeat(10)})
    found = compare(rows, cx.Count("volume"), at="2026-02-01", without="ramadan")
    assert found.table["value"].tolist() == [10, 10] and found.table["clusters"].tolist() == [62, 29]


def test_another_mix_is_said_by_the_column_that_moved_most() -> None:
    """Chats go from half to a tenth of the cases; languages stay."""
    channel = np.where(np.arange(400) % 20 < np.where(np.arange(400) % 2 == 0, 10, 2), "chat", "email")
    rows = table(channel=channel, language=np.where(np.arange(400) % 4 < 2, "en", "ar"))
    found = audit(rows, SOLVED, by="group")
    check = next(check for check in found.checks if check.code == "mix")
    assert check.level == "warn" and check.params["column"].code == "channel"
    even = audit(rows.assign(channel="chat"), SOLVED, by="group")
    assert level(even, "mix") == "ok"


@pytest.fixture
def surveyed(tmp_path: Path) -> SmallStudy:
    """A study in which a form makes e-mail customers answer half as often from March on; nobody thinks otherwise."""
    rng = np.random.default_rng(9)
    n = 4000
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 118 * 86_400, n)), unit="s")
    late, channel = opened >= pd.Timestamp("2026-03-01"), np.where(rng.random(n) < 0.5, "chat", "email")
    happy = rng.random(n) < np.where(channel == "chat", 0.9, 0.5)
    chance = np.where(channel == "chat", 0.5, np.where(late, 0.2, 0.5))
    answered = rng.random(n) < chance
    ids = np.array([f"T{i}" for i in range(n)])
    tickets = pd.DataFrame(
        {"ticket_id": ids, "opened_at": opened, "channel": channel, "agent_id": [f"A{i % 30}" for i in range(n)]}
    )
    at = pd.Series(opened + pd.Timedelta(hours=1)).where(answered)
    surveys = pd.DataFrame(
        {"response_id": ids, "ticket_id": ids, "sent_at": opened, "answered_at": at, "channel": channel}
    )
    value = np.where(happy, 5.0, 1.0)
    answers = pd.DataFrame({"response_id": ids, "item": "csat", "value": value, "answered_at": at})[answered]
    changes = pd.DataFrame(
        {
            "change_id": ["form"],
            "happened_at": [pd.Timestamp("2026-03-01")],
            "name": ["New form"],
            "column": ["channel"],
            "value": ["email"],
        }
    )
    frames = {"tickets": tickets, "surveys": surveys, "survey_answers": answers, "changes": changes}
    return small_study(tmp_path, "2026-04-30", frames)


def test_other_answerers_are_said_and_weighing_takes_them_out(surveyed: SmallStudy) -> None:
    """Chat .9, e-mail .5, half of all tickets each: .7 before and after, whoever answers."""
    raw = compare(surveyed, "csat", at="2026-03-01", estimand="top_share")
    check = next(check for check in raw.checks if check.code == "response")
    assert check.level == "warn"
    assert raw.code == "improved" and raw.effect.found.value > 0.04
    fair = compare(surveyed, "csat", at="2026-03-01", population="channel")
    assert fair.effect.stat == "relative_effect" and fair.code == "no_evidence"  # within each channel
    assert fair.table.query("stat == 'top_share'")["value"].tolist() == pytest.approx([0.7, 0.7], abs=0.03)
    assert any(reason.code == "by_population" for reason in fair.method.because)


def test_a_change_of_the_study_says_when_and_for_whom(surveyed: SmallStudy) -> None:
    """The table of changes: from 1 March on, e-mail only."""
    found = compare(surveyed, "csat", change="form")
    assert found.design.at == pd.Timestamp("2026-03-01") and found.design.where == "channel == 'email'"
    narrowed = compare(surveyed, "csat", at="2026-03-01", where="channel == 'email'")
    assert found.effect.found == narrowed.effect.found
    with pytest.raises(ParameterError, match="There are: form"):
        compare(surveyed, "csat", change="forms")


def test_a_study_and_its_rows_give_the_same_finding(surveyed: SmallStudy) -> None:
    """Counted where the data live, or from a table of the same rows: equal to the last digit but one."""
    rows = surveyed.table("tickets").to_pandas().assign(fast=lambda t: np.arange(len(t)) % 3 == 0)
    measure = cx.Share("early", where="opened_at < as_of and agent_id < 'A2'", better="higher")
    one = compare(surveyed, measure, by="channel", baseline="chat")
    two = compare(rows, measure, by="channel", baseline="chat", as_of=surveyed.as_of)
    assert list(one.effect.found) == pytest.approx(list(two.effect.found), rel=1e-12)
    assert (one.method.id, one.method.clusters) == (two.method.id, two.method.clusters)


def test_the_checks_of_a_finding_are_those_of_the_audit(surveyed: SmallStudy) -> None:
    """One list, on the card and by itself."""
    question = {"at": "2026-03-01"}
    named = [check.code for check in audit(surveyed, "csat", **question).checks]
    assert [check.code for check in compare(surveyed, "csat", **question).checks] == [
        code for code in named if code != "clusters" or named.count("clusters") == 1
    ]
    assert say("changes.check.response.name", "en") in audit(surveyed, "csat", **question)._repr_html_("en")
