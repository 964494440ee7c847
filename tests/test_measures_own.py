"""KPIs of a study's own, and targets: what study.toml may say, and what it is told otherwise."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import small_study

from cxkit.errors import MeasureError, ParameterError, StudyError
from cxkit.lang import LANGS, say, value
from cxkit.measures import Share, estimates, goal, registry, rivals
from cxkit.study import read_settings
from cxkit.study.settings import checked

OPENED = pd.Timestamp("2026-01-05 09:00")
TOML = """
time_zone = "Asia/Riyadh"

[kpis.refunded_fast]
kind = "share"
where = "refund_days <= 3"
among = "topic == 'refund'"
better = "higher"
follow_up_days = 3
name = { en = "Refunded within 3 days", ar = "استرداد خلال 3 أيام", fa = "بازپرداخت تا ۳ روز" }

[kpis.warmth]
kind = "score"
of = "survey_answers"
item = "warmth"
scale = [1, 5]
top = [4, 5]
name = "Warmth"

[kpis.advocacy]
kind = "net"
of = "survey_answers"
item = "warmth"
scale = [1, 5]
promoters = [5]
detractors = [1, 2]

[kpis.to_assignment]
kind = "duration"
start = "opened_at"
stop = "first_assigned_at"
until = ["closed_at"]
better = "lower"
horizon_seconds = "2 d"

[kpis.replies_per_ticket]
kind = "ratio"
top = "replies"
unit = "number"

[kpis.refunds]
kind = "count"
among = "topic == 'refund'"
exclude = []
definition = "Every ticket about a refund, spam included."

[targets]
refunded_fast = 0.8
to_assignment = { within = "6 h", share = 0.5 }
"""


@pytest.fixture
def service(tmp_path: Path):
    """Six tickets of one morning, four of them about refunds; one is spam; ten answers about warmth."""
    (tmp_path / "study.toml").write_text(TOML, encoding="utf-8")
    tickets = pd.DataFrame({"ticket_id": list("abcdef"), "opened_at": OPENED, "topic": ["refund"] * 4 + ["login"] * 2})
    tickets["refund_days"], tickets["replies"] = [1.0, 3, 9, 2, None, None], [1, 2, 3, 4, 5, 6]
    tickets["first_assigned_at"] = OPENED + pd.to_timedelta([1, 2, 3, 30, None, 8], unit="h")
    tickets["is_spam"], tickets["closed_at"] = [False] * 3 + [True] + [False] * 2, pd.NaT
    surveys = pd.DataFrame({"response_id": np.arange(10).astype(str), "answered_at": OPENED})
    answers = surveys[["response_id"]].assign(item="warmth", value=[5.0, 5, 5, 4, 4, 4, 3, 3, 2, 1])
    config = read_settings(tmp_path)
    tables = {"tickets": tickets, "surveys": surveys, "survey_answers": answers}
    return small_study(tmp_path, "2026-02-01", tables, config=config, targets=config["targets"])


def headline(study, kpi):
    measure = registry(study)[kpi]
    table = estimates(study, measure)
    return table[table["stat"] == measure.headline].iloc[0]


def test_an_analyst_declares_a_kpi_of_each_kind_in_study_toml(service):
    """Counted by hand from the fixture: a refund took more than three days once in three tickets that are no spam."""
    assert headline(service, "refunded_fast")["value"] == pytest.approx(2 / 3)
    assert headline(service, "warmth")["value"] == 0.6
    assert headline(service, "advocacy")["value"] == pytest.approx(0.3 - 0.2)
    assert headline(service, "to_assignment")["value"] == 3 * 3600
    assert headline(service, "replies_per_ticket")["value"] == pytest.approx((1 + 2 + 3 + 5 + 6) / 5)
    assert headline(service, "refunds")["value"] == 4
    assert {registry(service)[kpi].family for kpi in ("refunded_fast", "warmth", "advocacy", "refunds")} == {"own"}
    assert list(registry(service))[-6:] == [
        "refunded_fast", "warmth", "advocacy", "to_assignment", "replies_per_ticket", "refunds"
    ]  # fmt: skip


def test_its_name_is_spoken_in_the_languages_that_have_one(service):
    measure = registry(service)["refunded_fast"]
    assert [measure.spoken.text(lang) for lang in LANGS] == [
        "Refunded within 3 days", "استرداد خلال 3 أيام", "بازپرداخت تا ۳ روز"
    ]  # fmt: skip
    assert {value("kpi", "warmth", lang) for lang in LANGS} == {"Warmth"}
    assert registry(service)["refunds"].definition.text("en") == "Every ticket about a refund, spam included."
    assert "refund_days <= 3" in measure.definition.text("fa")
    assert "Left out: spam" in measure.definition.text("en")
    assert set(rivals(service, "warmth")) == {"default"}


def test_a_name_is_read_as_words_and_never_as_a_pattern(service):
    """An analyst's braces and quotes must not become placeholders."""
    odd = {"kpis": {"odd": {"kind": "count", "name": "It's {odd}, 100%"}}}
    measure = registry(dataclasses.replace(service, config=odd, targets={}))["odd"]
    assert measure.spoken.text("en") == "It’s (odd), 100%"
    assert "(odd)" in say("kpis.trend.none", "ar", kpi=measure.spoken.text("ar"))


def test_another_study_may_give_the_same_id_another_name(service):
    for name in ("First", "Second"):
        config = {"kpis": {"same": {"kind": "count", "name": name}}}
        assert registry(dataclasses.replace(service, config=config, targets={}))["same"].spoken.text("fa") == name


def test_in_python_it_is_one_more_argument(service):
    own = Share("answered by the team twice", where="replies >= 2", better="lower")
    found = registry(service, extra=[own])
    assert found["answered by the team twice"] is own
    with pytest.raises(StudyError) as refused:
        registry(service, extra=[Share("fcr", where="replies >= 2")])
    assert refused.value.text("en") == (
        "There is a KPI fcr already. Give yours another name, or choose among the definitions of that one under "
        "[definitions] in study.toml."
    )


SHARE = {"kind": "share", "where": "a < 1"}
SCORE = {"kind": "score", "scale": [1, 5]}
WAIT = {"kind": "duration", "start": "opened_at", "stop": "solved_at"}
KINDS = "The kinds are: share, score, net, duration, ratio, count."
REFUSED = [
    ({**SHARE, "kind": "shares"}, f"study.toml: kpis.quick.kind is “shares” (did you mean “share”?). {KINDS}"),
    ({"where": "a < 1"}, "study.toml does not say kpis.quick.kind, and nothing safe can be assumed."),
    (
        {"kind": "share", "were": "a < 1"},
        "study.toml: kpis.quick has no setting were (did you mean “where”?). A KPI of the kind share takes: of, among, "
        "at, better, cluster, stratum, exclude, where, follow_up_days, name, question, definition.",
    ),
    (
        {"kind": "share"},
        "study.toml: kpis.quick also needs where: a KPI of the kind share cannot do without it.",
    ),
    (SCORE, "study.toml: kpis.quick also needs top: a KPI of the kind score cannot do without it."),
    ({**SCORE, "scale": [1], "top": [5]}, "study.toml: kpis.quick.scale is a list of two values, such as [1, 5]."),
    (
        {**SCORE, "top": 5},
        "study.toml: kpis.quick.top must be a list in square brackets, and not an empty one.",
    ),
    ({**SHARE, "where": 3}, "study.toml: kpis.quick.where must be a text in quotes."),
    ({**SHARE, "follow_up_days": "3"}, "study.toml: kpis.quick.follow_up_days must be a number."),
    (
        {**SHARE, "where": "a <"},
        'The condition “a <” cannot be read. Write it like channel == "email" and refund_days <= 3.',
    ),
    (
        {**WAIT, "horizon_seconds": "4"},
        "study.toml: kpis.quick.horizon_seconds is “4”. Write a length of time with its unit, like "
        '"90 min", "4 h" or "2 d"; a number without quotes counts seconds.',
    ),
    (
        {"kind": "count", "name": {"de": "Schnell"}},
        "study.toml has no setting kpis.quick.name.de. Here may stand: en, ar, fa.",
    ),
    ({"kind": "count", "name": ""}, "study.toml: kpis.quick.name must be a text in quotes."),
]


@pytest.mark.parametrize(("declared", "sentence"), REFUSED)
def test_what_is_written_wrongly_is_refused_with_the_right_word(service, declared, sentence):
    with pytest.raises((StudyError, MeasureError)) as refused:
        registry(dataclasses.replace(service, config={"kpis": {"quick": declared}}, targets={}))
    assert refused.value.text("en") == sentence
    assert len({refused.value.text(lang) for lang in LANGS}) == 3


def test_an_id_is_a_plain_word(service):
    with pytest.raises(StudyError) as refused:
        registry(dataclasses.replace(service, config={"kpis": {"Fast refunds": {"kind": "count"}}}, targets={}))
    assert refused.value.text("en") == (
        "study.toml: kpis.Fast refunds: the name of a KPI has small letters, digits and _, and begins with a letter. "
        "Its words for readers stand in name."
    )


def test_an_unknown_kpi_is_refused_with_the_nearest_one(service):
    with pytest.raises(ParameterError) as refused:
        registry(service)["refunded_fst"]
    assert "There is no KPI “refunded_fst” (did you mean “refunded_fast”?)." in refused.value.text("en")


# --- targets ---


def test_a_target_of_a_duration_may_be_a_share_within_a_time(service):
    """By hand: of five tickets three were assigned within six hours; the target is half of them."""
    measure = registry(service)["to_assignment"]
    assert (measure.target_seconds, measure.target_share) == (6 * 3600, 0.5)
    assert goal(service, measure) == ("within", 0.5)
    table = estimates(service, measure).set_index("stat")
    assert table.loc["within", "value"] == pytest.approx(3 / 5)
    assert goal(service, registry(service)["refunded_fast"]) == ("share", 0.8)
    assert goal(service, registry(service)["csat"]) is None


def test_a_time_in_words_is_the_target_of_a_median(service):
    targets = checked({"time_zone": "UTC", "targets": {"resolution_time": "2 d"}}, "s")["targets"]
    timed = dataclasses.replace(service, targets=targets)
    assert goal(timed, registry(timed)["resolution_time"]) == ("median", 172_800)
    assert registry(timed)["resolution_time"].target_seconds == 172_800


PERCENT = "but it must lie between 0 and 1: 80% is written 0.80."


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (
            {"csat": {"within": 60.0, "share": 0.8}},
            "study.toml: targets.csat sets a time and a share, but only a duration has both. Write one number.",
        ),
        ({"fcr": 80.0}, f"study.toml: targets.fcr is 80, {PERCENT}"),
        ({"qa_score": 8.0}, f"study.toml: targets.qa_score is 8, {PERCENT}"),
        (
            {"refund_fast": 0.8},
            "study.toml: targets.refund_fast is the target of no KPI (did you mean “refunded_fast”?).",
        ),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused(service, targets, sentence):
    with pytest.raises(StudyError) as refused:
        registry(dataclasses.replace(service, targets=targets))
    assert refused.value.text("en").startswith(sentence)


REPLY, SOLVED = "promises.first_reply", "promises.resolution"
UNREAD = [
    (
        {"promises": {"first_reply": {"default": "4"}}},
        f"study.toml: {REPLY}.default is “4”. Write a length of time with its unit, like "
        '"90 min", "4 h" or "2 d"; a number without quotes counts seconds.',
    ),
    (
        {"promises": {"first_reply": {"clock": "wall"}}},
        f"study.toml does not say {REPLY}.default, and nothing safe can be assumed.",
    ),
    (
        {"promises": {"resolution": {"clock": "business", "urgent": "2 d"}}},
        f"study.toml: {SOLVED}.urgent is “2 d”, but on the business clock a day could mean eight hours or twenty-four. "
        "Write it in hours.",
    ),
    (
        {"promises": {"resolution": {"clock": "business", "default": "8 h", "pauses": ["pending_seconds"]}}},
        f"study.toml: {SOLVED} cannot take pauses off the business clock: the export counts them around the "
        'clock, nights included. Leave pauses out, or set clock = "wall".',
    ),
    (
        {"promises": {"first_reply": {"urgnt": "1 h"}}},
        f"study.toml has no setting {REPLY}.urgnt (did you mean “urgent”?). Here may stand: clock, pauses, default, "
        "low, normal, high, urgent.",
    ),
    (
        {"targets": {"aht": {"within": "4 h", "share": 80}}},
        "study.toml: targets.aht.share is 80, but a share lies above 0 and at most at 1: 80% is written 0.80.",
    ),
    ({"calls": {"answer_within_seconds": -1}}, "study.toml: calls.answer_within_seconds cannot be negative."),
    ({"retention": {"inactive_after_days": 0}}, "study.toml: retention.inactive_after_days must be more than 0."),
]


@pytest.mark.parametrize(("settings", "sentence"), UNREAD)
def test_what_study_toml_says_of_kpis_is_checked_when_it_is_read(settings, sentence):
    with pytest.raises(StudyError) as refused:
        checked({"time_zone": "UTC", **settings}, "s")
    assert refused.value.text("en") == sentence
    assert len({refused.value.text(lang) for lang in LANGS}) == 3


@pytest.mark.parametrize(
    ("written", "seconds"), [("90 min", 5400), ("4 h", 14_400), ("1.5 hours", 5400), ("2 d", 172_800), (20, 20)]
)
def test_lengths_of_time_are_read_in_their_unit(written, seconds):
    found = checked({"time_zone": "UTC", "calls": {"answer_within_seconds": written}}, "s")
    assert math.isclose(found["calls"]["answer_within_seconds"], seconds)
