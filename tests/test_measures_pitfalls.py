"""Pitfalls of naive dashboards (kpis.md, P01-P22) that lie in the definitions: the naive number, and ours beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_study import small_study

from cxkit.errors import MeasureError, StudyError
from cxkit.measures import closed_only, estimates, registry, rivals, waterfall
from cxkit.study.settings import checked

OPENED = pd.Timestamp("2026-01-05 09:00")
HOUR = 3600.0


def hours(*numbers):
    return [pd.NaT if n is None else OPENED + pd.Timedelta(hours=n) for n in numbers]


def tickets(**columns):
    n = len(next(iter(columns.values())))
    known = {"ticket_id": np.arange(n).astype(str), "opened_at": OPENED}
    return pd.DataFrame({**known, **columns})


def value(study, kpi, stat=None, definition=None, by=()):
    measure = rivals(study, kpi)[definition] if definition else registry(study)[kpi]
    table = estimates(study, measure, by)
    found = table[table["stat"] == (stat or measure.headline)]
    return found["value"].iloc[0] if not by else found.set_index(list(by))["value"].to_dict()


def test_open_tickets_are_not_dropped(tmp_path):
    """P01: four of ten are solved within hours and six wait for weeks; the closed ones alone would say two hours."""
    study = small_study(tmp_path, "2026-02-01", {"tickets": tickets(first_solved_at=hours(1, 2, 2, 3, *[None] * 6))})
    naive = closed_only(study, registry(study)["resolution_time"]).set_index("stat").loc["median", "value"]
    assert naive == 2 * HOUR
    assert value(study, "resolution_time") == np.inf


def test_a_few_slow_tickets_do_not_make_the_service_slow(tmp_path):
    """P02: nine answers within the hour and one after ten days; the mean would say 25 hours, the median says one."""
    replied = hours(*[1] * 9, 240)
    study = small_study(tmp_path, "2026-02-01", {"tickets": tickets(first_replied_at=replied)})
    assert np.mean([(at - OPENED).total_seconds() for at in replied]) == pytest.approx(24.9 * HOUR)
    assert value(study, "first_reply_time") == HOUR


def test_a_reopening_does_not_make_the_first_reply_slow(tmp_path):
    """P04: answered after an hour, reopened after three days and answered again: the first reply took an hour."""
    columns = {"first_replied_at": hours(1), "first_solved_at": hours(2), "reopened_at": hours(72)}
    study = small_study(tmp_path, "2026-02-01", {"tickets": tickets(**columns, solved_at=hours(80))})
    assert value(study, "first_reply_time") == HOUR
    assert value(study, "resolution_time") == 2 * HOUR
    assert value(study, "resolution_time", definition="full") == 80 * HOUR


def test_merged_spam_test_outbound_and_bot_tickets_are_left_out_and_counted(tmp_path):
    """P05, P06, P08: of eight rows three are customers' own; a dashboard of all of them would say eight."""
    frame = tickets(is_spam=[True, *[False] * 7])
    frame["is_test"], frame["merged_into"] = [False, True, *[False] * 6], [None, None, "9", *[None] * 5]
    frame["status"] = [*["open"] * 3, "deleted", *["open"] * 4]
    frame["created_by"] = [*["customer"] * 4, "agent", *["customer"] * 3]
    frame["bot_only"] = [*[False] * 5, True, False, False]
    frame["channel"] = [*["email"] * 6, "self_service", "email"]
    frame["first_replied_at"] = hours(*[1] * 8)
    study = small_study(tmp_path, "2026-02-01", {"tickets": frame})
    left_out = waterfall(study, registry(study)["volume"]).set_index("rule")["removed"]
    rules = ["spam", "test", "merged", "deleted", "agent_created", "bot_only"]
    assert left_out[rules].tolist() == [1] * 6
    assert value(study, "volume") == 2
    assert waterfall(study, registry(study)["first_reply_time"])["left"].iloc[-1] == 1  # nor self-service


def test_a_study_without_a_time_zone_is_refused():
    """P09: an export without its clock may be hours off, and nothing safe can be assumed."""
    with pytest.raises(StudyError) as refused:
        checked({"name": "desk"}, "desk")
    assert refused.value.text("en") == "study.toml does not say time_zone, and nothing safe can be assumed."


@pytest.mark.parametrize(
    ("answers", "scale", "sentence"),
    [
        (
            [5.0, 7, 6],
            {},
            "Customer satisfaction (CSAT): 2 answers lie outside the scale 1–5. If the question was asked on another "
            "scale, declare that one under [scales] in study.toml.",
        ),
        (
            [5.0, 4, 6],
            {"scale_min": 1.0, "scale_max": 7.0},
            "Customer satisfaction (CSAT) is declared on the scale 1–5, but the answers were given on: 1–7. Scales are "
            "never mixed: declare the right one under [scales] in study.toml, or convert the answers in the export.",
        ),
    ],
)
def test_answers_on_another_scale_are_refused_with_what_to_do(tmp_path, answers, scale, sentence):
    """P11: seven points read as five would turn every 6 and 7 into something else."""
    surveys = pd.DataFrame({"response_id": list("abc"), "answered_at": OPENED})
    given = surveys[["response_id"]].assign(item="csat", value=answers, **scale)
    study = small_study(tmp_path, "2026-02-01", {"surveys": surveys, "survey_answers": given})
    with pytest.raises(MeasureError) as refused:
        estimates(study, registry(study)["csat"])
    assert refused.value.text("en") == sentence
    (tmp_path / "declared").mkdir()
    right = {"scales": {"csat": {"low": 1, "high": 7, "top": [6, 7]}}}
    tables = {"surveys": surveys, "survey_answers": given}
    declared = small_study(tmp_path / "declared", "2026-02-01", tables, config=right)
    assert value(declared, "csat") == pytest.approx(sum(a >= 6 for a in answers) / 3)


def test_an_answer_counts_in_the_month_in_which_it_was_given(tmp_path):
    """P12: the tickets are of January, the answers of January and February."""
    frame = tickets(channel=["email", "email"])
    surveys = pd.DataFrame({"response_id": list("ab"), "ticket_id": ["0", "1"]})
    surveys["answered_at"] = ["2026-01-20", "2026-02-03"]
    answers = pd.DataFrame({"response_id": list("ab"), "item": "csat", "value": [5.0, 1.0]})
    tables = {"tickets": frame, "surveys": surveys, "survey_answers": answers}
    study = small_study(tmp_path, "2026-03-01", tables)
    by_month = value(study, "csat", by=("month",))
    assert {month.month: share for month, share in by_month.items() if not np.isnan(share)} == {1: 1.0, 2: 0.0}


def test_a_busy_day_weighs_more_than_a_quiet_one(tmp_path):
    """P15: 98 calls of 10 seconds on one day, 2 of 60 on the other: 11 seconds, not the mean of the days' means."""
    calls = pd.DataFrame({"call_id": np.arange(100).astype(str), "outcome": "answered"})
    calls["arrived_at"] = [OPENED] * 98 + [OPENED + pd.Timedelta(days=1)] * 2
    calls["wait_seconds"] = [10.0] * 98 + [60.0] * 2
    study = small_study(tmp_path, "2026-02-01", {"calls": calls})
    assert value(study, "asa") == pytest.approx(11.0)
    assert calls.groupby("arrived_at")["wait_seconds"].mean().mean() == 35.0


def test_new_customers_do_not_hide_those_who_left(tmp_path):
    """P18: 100 at the start, 40 leave, 40 join: the head count is steady, and 60 % stayed."""
    since = [pd.Timestamp("2024-01-01").date()] * 100 + [pd.Timestamp("2025-07-01").date()] * 40
    left = [pd.Timestamp("2025-06-01").date()] * 40 + [None] * 100
    frame = pd.DataFrame({"customer_id": np.arange(140).astype(str), "since_on": since, "left_on": left})
    study = small_study(tmp_path, "2026-01-01", {"customers": frame})
    assert sum(day is None for day in left) / 100 == 1.0
    assert value(study, "retention") == pytest.approx(0.6)


def test_one_reply_is_not_the_same_as_no_further_question(tmp_path):
    """P19: every ticket gets one short reply, and half of the customers come back: 100 % beside 50 %."""
    first = tickets(customer_id=list("ABCD"), first_solved_at=hours(1, 1, 1, 1), replies=[1] * 4)
    again = pd.DataFrame({"ticket_id": ["x", "y"], "customer_id": ["A", "B"]})
    again["opened_at"] = OPENED + pd.Timedelta(days=2)
    both = pd.concat([first, again], ignore_index=True).assign(reopened_at=pd.NaT)
    study = small_study(tmp_path, "2026-03-01", {"tickets": both})
    assert value(study, "fcr", definition="one_touch") == 1.0
    assert value(study, "fcr", definition="no_repeat") == 0.5


def test_a_target_met_by_another_definition_has_another_fingerprint(tmp_path):
    """P22: a definition chosen in study.toml cannot pass for the old one."""
    study = small_study(tmp_path, "2026-03-01", {"tickets": tickets(first_solved_at=hours(1), replies=[1])})
    prints = {name: measure.definition_hash for name, measure in rivals(study, "fcr").items()}
    assert len(set(prints.values())) == len(prints)
