"""Doubts: what gives reason to warn, and what does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from small_study import small_study

from cxkit.lang import LANGS
from cxkit.measures import doubts, registry

OPENED = pd.Timestamp("2026-01-05 09:00")


def survey(folder, items, **columns):
    """Surveys of one answer a day; `items`: name -> one value per response, NaN where it was left out."""
    n = len(next(iter(items.values())))
    surveys = pd.DataFrame({"response_id": np.arange(n).astype(str), "customer_id": np.arange(n).astype(str)})
    surveys["answered_at"] = OPENED + pd.to_timedelta(np.arange(n) % 90, unit="D")
    lines = [surveys[["response_id"]].assign(item=name, value=values) for name, values in items.items()]
    answers = pd.concat(lines, ignore_index=True).dropna(subset="value").assign(**columns)
    return small_study(folder, "2026-06-01", {"surveys": surveys, "survey_answers": answers})


def said(study, kpi):
    return [sentence.text("en") for sentence in doubts(study, registry(study)[kpi])]


def recommend(rng, n, low=0):
    """Answers of a usual spread: most high, some at the very bottom."""
    return rng.choice(np.arange(low, 11), n, p=_usual(11 - low))


def _usual(k):
    weights = np.array([4.0, 1, 1, 1, 1, 4, 5, 8, 14, 20, 41][-k:])
    return weights / weights.sum()


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_nothing_is_doubted_without_reason(tmp_path, rng):
    csat = rng.integers(1, 6, 600).astype(float)
    nps = np.clip(np.round(csat * 2 + rng.normal(0, 2, 600)), 0, 10)
    ces = np.clip(np.round(csat * 1.4 + rng.normal(0, 1, 600)), 1, 7)
    study = survey(tmp_path, {"csat": csat, "nps": nps, "ces": ces})
    assert [said(study, kpi) for kpi in ("csat", "nps", "ces")] == [[], [], []]


def test_a_question_asked_from_one_to_ten_shows(tmp_path, rng):
    """P11: on 1-10 nobody can answer 0, and a share of 4 in 101 of the usual answers moves up."""
    study = survey(tmp_path, {"nps": recommend(rng, 600, low=1)})
    assert said(study, "nps") == [
        "Not one of 600 answers is 0: the question may have been asked on a scale from 1 to 10, where the same "
        "customers give another NPS."
    ]
    (tmp_path / "few").mkdir()
    declared = survey(tmp_path / "few", {"nps": recommend(rng, 40, low=1)}, scale_min=1.0, scale_max=10.0)
    assert len(said(declared, "nps")) == 1
    (tmp_path / "usual").mkdir()
    assert said(survey(tmp_path / "usual", {"nps": recommend(rng, 600)}), "nps") == []


def test_a_zero_exported_as_blank_shows(tmp_path, rng):
    """P11: those who answered 0 seem not to have answered, and NPS rises."""
    nps = recommend(rng, 600).astype(float)
    blank = int((nps == 0).sum())
    study = survey(tmp_path, {"nps": np.where(nps == 0, np.nan, nps), "csat": np.full(600, 4.0)})
    assert said(study, "nps") == [
        f"Not one of {600 - blank} answers is 0, but {blank} are blank ({blank / 6:.1f}%): the survey tool may have "
        "exported 0 as an empty cell."
    ]
    (tmp_path / "kept").mkdir()
    some_blank = np.where(np.arange(600) % 10 == 0, np.nan, nps)
    assert said(survey(tmp_path / "kept", {"nps": some_blank, "csat": np.full(600, 4.0)}), "nps") == []


def test_a_reversed_effort_scale_shows(tmp_path, rng):
    """K03: the easier it was, the more satisfied; the other way round one of the scales is upside down."""
    csat = rng.integers(1, 6, 300).astype(float)
    easy = np.clip(np.round(csat * 1.4 + rng.normal(0, 1, 300)), 1, 7)
    study = survey(tmp_path, {"csat": csat, "ces": 8 - easy})
    (sentence,) = said(study, "ces")
    assert sentence.startswith(
        "Customers who are more satisfied by Customer satisfaction (CSAT) tend to be less so here"
    )
    assert f"{np.corrcoef(csat, 8 - easy)[0, 1]:.2f}".removeprefix("-0") in sentence
    effort = np.clip(6 - csat + rng.integers(-1, 2, 300), 1, 5)  # version 1.0: little effort is good, and low
    (tmp_path / "v1").mkdir()
    first = dataclasses.replace(survey(tmp_path / "v1", {"csat": csat, "ces": effort}), config={"ces_version": "1.0"})
    assert said(first, "ces") == []


def test_a_scale_that_changed_shows_in_the_months_without_its_highest_answer(tmp_path, rng):
    """P11: five points until February, seven since."""
    days = np.arange(900) % 90
    ces = np.where(days < 55, rng.integers(1, 6, 900), rng.integers(1, 8, 900)).astype(float)
    (sentence,) = said(survey(tmp_path, {"ces": ces}), "ces")
    assert sentence.startswith("In January 2026 none of 270 answers is 7, though")


def test_the_same_people_over_and_over_show(tmp_path, rng):
    """P12: 400 answers of 40 customers are not 400 opinions."""
    study = survey(tmp_path, {"csat": rng.integers(1, 6, 400).astype(float)})
    surveys = study.table("surveys").to_pandas()
    surveys["customer_id"] = [f"c{i % 40}" for i in range(400)]
    surveys.to_parquet(study.folder / "surveys.parquet")
    assert said(study, "csat") == [
        "400 answers come from 40 customers: those who answer often weigh more, and the interval takes no account of "
        "it."
    ]


@pytest.fixture
def tickets(rng):
    """300 e-mails, answered after hours and solved after days."""
    frame = pd.DataFrame({"ticket_id": np.arange(300).astype(str), "opened_at": OPENED, "channel": "email"})
    frame["first_replied_at"] = OPENED + pd.to_timedelta(rng.lognormal(9, 1, 300), unit="s")
    frame["first_solved_at"] = OPENED + pd.to_timedelta(rng.lognormal(11, 1, 300), unit="s")
    for column in ("is_spam", "is_test"):
        frame[column] = False
    return frame.assign(merged_into=None, status="solved", created_by="customer")


def test_automatic_replies_show(tmp_path, tickets):
    """P03: forty receipts within two seconds make the first reply look quick; on the phone that is nothing strange."""
    quick = tickets.head(40).index
    tickets.loc[quick, "first_replied_at"] = OPENED + pd.Timedelta(seconds=2)
    study = small_study(tmp_path, "2026-06-01", {"tickets": tickets})
    assert said(study, "first_reply_time") == [
        "13.3% of the first replies came within 10 seconds: automatic replies may have been counted as human ones."
    ]
    tickets.loc[quick, "channel"] = "phone"
    (tmp_path / "phone").mkdir()
    assert said(small_study(tmp_path / "phone", "2026-06-01", {"tickets": tickets}), "first_reply_time") == []


def test_a_timer_that_solves_tickets_shows(tmp_path, tickets):
    """P07: a third of the tickets is put to solved by a rule after 96 hours."""
    tickets.loc[::3, "first_solved_at"] = OPENED + pd.Timedelta(hours=96, minutes=5)
    study = small_study(tmp_path, "2026-06-01", {"tickets": tickets})
    (sentence,) = said(study, "resolution_time")
    assert sentence.endswith(
        "of the solved tickets were solved after the same 96 hours, give or take one: a timer may have closed them, "
        "and nobody solved them then."
    )
    assert said(study, "first_reply_time") == []


def test_tickets_that_cannot_be_told_from_the_rest_show(tmp_path, tickets):
    """P05, P06, P08: without the columns that mark them, spam and outbound tickets count."""
    bare = tickets.drop(columns=["is_spam", "created_by", "merged_into"])
    study = small_study(tmp_path, "2026-06-01", {"tickets": bare})
    assert said(study, "volume") == [
        "The export does not mark these tickets, so they could not be left out: spam, merged into another ticket, "
        "opened by an agent."
    ]


def test_costs_in_two_currencies_show(tmp_path, tickets):
    costs = pd.DataFrame({"booked_on": [OPENED.date()] * 2, "amount": [100.0, 900.0], "currency": ["SAR", "IRR"]})
    study = small_study(tmp_path, "2026-06-01", {"tickets": tickets, "costs": costs})
    assert said(study, "cost_per_contact") == ["The costs are in 2 currencies, added up as if they were one."]


def test_a_lifetime_made_of_survivors_shows(tmp_path):
    """P18: customers since 2016, but leavings recorded since 2025 only."""
    since = pd.Series(pd.date_range("2016-01-01", periods=100, freq="30D"))
    left = since.where(since.index % 10 == 0) + pd.Timedelta(days=4000)
    left = left.where(left < pd.Timestamp("2026-01-01"), pd.NaT)
    left[0] = pd.Timestamp("2025-06-01")
    customers = pd.DataFrame(
        {"customer_id": np.arange(100).astype(str), "since_on": since.dt.date, "left_on": left.dt.date}
    )
    study = small_study(tmp_path, "2026-06-01", {"customers": customers})
    assert said(study, "customer_lifetime") == [
        "The first customer known to have left did so on 1 June 2025, though customers are recorded since "
        "1 January 2016: whoever left earlier is missing, and old customers look more faithful than they were."
    ]


def test_every_doubt_is_said_in_three_languages(tmp_path, tickets, rng):
    tickets.loc[::3, "first_solved_at"] = OPENED + pd.Timedelta(hours=96)
    study = small_study(tmp_path, "2026-06-01", {"tickets": tickets.drop(columns="is_spam")})
    for sentence in doubts(study, registry(study)["resolution_time"]):
        assert len({sentence.text(lang) for lang in LANGS}) == 3
        assert all("{" not in sentence.text(lang) for lang in LANGS)
        assert sentence.to_dict()["code"].startswith("kpi.doubt.")


def test_what_cannot_be_counted_is_not_doubted(tmp_path, tickets):
    study = small_study(tmp_path, "2026-06-01", {"tickets": tickets})
    assert doubts(study, registry(study)["csat"]) == ()
