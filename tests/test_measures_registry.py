"""The KPIs of the method: what each counts, what it needs, and which variant a study's columns can carry."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from small_study import small_study
from statsmodels.stats.weightstats import DescrStatsW

from cxkit.errors import MeasureError
from cxkit.lang import has
from cxkit.measures import estimates, missing, registry, rivals, waterfall

OPENED = pd.Timestamp("2026-01-05 09:00")


def days(*numbers):
    return [pd.NaT if d is None else OPENED + pd.Timedelta(days=d) for d in numbers]


@pytest.fixture
def service(tmp_path):
    """Eight tickets of one morning, three months ago, and their surveys."""
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"t{i}" for i in range(8)],
            "opened_at": OPENED,
            "channel": ["email", "chat", "phone", "email", "self_service", "email", "email", "chat"],
            "agent_id": list("abcdefgh"),
            "first_replied_at": days(0.1, 0.2, 0.3, None, 0.01, 0.4, 0.5, None),
            "first_solved_at": days(1, 2, 3, 4, 5, 6, 7, None),
            "reopened_at": days(3, 20, 40, None, None, None, None, None),
            "reopens": [1, 1, 2, 0, 0, 0, 0, 0],
            "group_stations": [1, 2, 3, 1, 1, 1, 1, None],
            "escalated": [True, False, True, False, False, False, False, False],
            "satisfaction": ["good", "bad", "offered", "good", None, "unoffered", "good", None],
        }
    )
    surveys = pd.DataFrame({"response_id": list("abcd"), "ticket_id": ["t0", "t1", "t2", "t3"]})
    surveys["answered_at"] = OPENED + pd.Timedelta(days=8)
    answers = pd.DataFrame({"response_id": list("abcd") * 3, "item": np.repeat(["csat", "nps", "ces"], 4)})
    answers["value"] = [5.0, 4, 3, 1, 10, 9, 8, 2, 7, 5, 4, 1]
    answers["scale_min"], answers["scale_max"] = np.repeat([1.0, 0, 1], 4), np.repeat([5.0, 10, 7], 4)
    tables = {"tickets": tickets, "surveys": surveys, "survey_answers": answers}
    return small_study(tmp_path, "2026-04-01", tables, targets={"resolution_time": 3 * 86_400.0, "csat": 0.8})


def answerable(study):
    """The measures that the study's tables can carry: these have no calls."""
    return {kpi: measure for kpi, measure in registry(study).items() if not missing(measure, study)}


def headlines(study):
    measures = answerable(study)
    table = estimates(study, measures)
    heads = table[[measures[k].headline == s for k, s in zip(table["kpi"], table["stat"], strict=True)]]
    return heads.set_index("kpi")


def test_headlines_are_those_counted_by_hand(service):
    """Counted from the table above.

    CSAT: 5 and 4 of four. NPS: two promoters and one detractor of four. CES: 7 and 5 of four. Replies: of the seven not
    from self-service five were answered, one was solved unanswered on day 4, one waits; 4/7 wait after 0.3 days, 3/7
    after 0.4. Solved: seven of eight, the fourth on day 4. FCR: of seven solved one came back within a week; return:
    two within thirty days. Escalated: two of eight.
    """
    found = headlines(service)["value"]
    assert found["csat"] == 0.5
    assert found["nps"] == 0.25
    assert found["ces"] == 0.5
    assert found["first_reply_time"] == pytest.approx(0.4 * 86_400, abs=1)
    assert found["resolution_time"] == 4 * 86_400
    assert found["fcr"] == pytest.approx(6 / 7)
    assert found["return_rate"] == pytest.approx(2 / 7)
    assert found["escalation"] == pytest.approx(2 / 8)
    assert found["volume"] == 8


@pytest.mark.slow
def test_all_at_once_are_the_same_as_one_by_one(service):
    measures = answerable(service)
    for by in ((), ("channel",), ("month",), ("channel", "month")):
        together = estimates(service, measures, by)
        alone = pd.concat([estimates(service, measure, by) for measure in measures.values()], ignore_index=True)
        pd.testing.assert_frame_equal(together, alone)


def test_fcr_and_return_rate_are_no_complements(service):
    """K08, K09: a ticket that came back after 18 days was solved at first contact, and returned."""
    found = headlines(service)["value"]
    assert found["fcr"] + found["return_rate"] > 1


def test_a_promise_in_the_study_gives_the_share_within_it(service):
    table = estimates(service, registry(service)["resolution_time"]).set_index("stat")
    assert table.loc["within", "value"] == pytest.approx(3 / 8)
    assert "within" not in estimates(service, registry(service)["first_reply_time"])["stat"].tolist()


def test_self_service_is_left_out_of_replies_only(service):
    measures = registry(service)
    assert waterfall(service, measures["first_reply_time"]).set_index("rule")["removed"]["self_service"] == 1
    assert "self_service" not in waterfall(service, measures["volume"])["rule"].tolist()


def test_counts_of_reopenings_stand_in_for_their_moment(service, tmp_path):
    counted = _again(service, tmp_path, drop=["reopened_at", "escalated"])
    found, measures = headlines(counted)["value"], registry(counted)
    assert found["fcr"] == pytest.approx(4 / 7)
    assert found["return_rate"] == pytest.approx(3 / 7)
    assert found["escalation"] == pytest.approx(2 / 7)
    assert (measures["fcr"].variant, measures["escalation"].variant) == ("counted", "stations")
    assert measures["fcr"].definition_hash != registry()["fcr"].definition_hash
    assert "does not say when a ticket was reopened" in measures["fcr"].definition.text("en")


def test_ratings_of_the_help_desk_stand_in_for_a_survey(service, tmp_path):
    """Three good and one bad; offered and unoffered are no answers."""
    rated = _again(service, tmp_path, tables=["tickets"])
    assert registry(rated)["csat"].kind == "share"
    found = estimates(rated, registry(rated)["csat"]).loc[0]
    assert (found["value"], found["n"]) == (0.75, 4)


def test_ratings_stand_in_where_the_survey_asks_for_other_things(service, tmp_path):
    """A survey about effort does not hide that the help desk knows who was satisfied."""
    again = tmp_path / "effort"
    again.mkdir()
    frames = {name: pd.read_parquet(service.folder / f"{name}.parquet") for name in ("tickets", "surveys")}
    frames["survey_answers"] = pd.read_parquet(service.folder / "survey_answers.parquet").query("item == 'ces'")
    rated = small_study(again, "2026-04-01", frames)
    assert registry(rated)["csat"].variant == "good_bad"
    assert list(rivals(rated, "csat")) == ["good_bad", "top_box"]


def test_what_is_missing_is_named(service, tmp_path):
    drop = ["reopened_at", "reopens", "first_replied_at", "satisfaction"]
    bare = _again(service, tmp_path, tables=["tickets"], drop=drop)
    lacking = {kpi: missing(measure, bare) for kpi, measure in registry(bare).items()}
    assert {kpi: gaps for kpi, gaps in lacking.items() if not gaps} == dict.fromkeys(
        ("resolution_time", "escalation", "volume", "solved_volume", "backlog", "backlog_age"), ()
    ) | {"self_service_rate": ()}
    named = {
        "csat": ("surveys.answered_at", "survey_answers.item", "survey_answers.value"),
        "nps": ("surveys.answered_at", "survey_answers.item", "survey_answers.value"),
        "ces": ("surveys.answered_at", "survey_answers.item", "survey_answers.value"),
        "survey_coverage": ("surveys.ticket_id", "surveys.sent_at"),
        "first_reply_time": ("tickets.first_replied_at",),
        "first_reply_time_business": ("tickets.first_replied_at", "study.toml: calendar.hours"),
        "resolution_time_business": ("study.toml: calendar.hours",),
        "resolution_sla": ("study.toml: promises.resolution",),
        "reply_sla": ("tickets.first_replied_at", "study.toml: promises.first_reply"),
        "fcr": ("tickets.reopened_at",),
        "return_rate": ("tickets.reopened_at",),
        "follow_up_rate": ("tickets.follow_up_of",),
        "repeat_contact_rate": ("tickets.customer_id",),
        "abandonment": ("calls.arrived_at", "calls.outcome"),
        "asa": ("calls.arrived_at", "calls.outcome", "calls.wait_seconds"),
        "contact_rate": ("orders.ordered_at",),
        "deflection": (
            "kb_sessions.customer_id",
            "kb_sessions.session_id",
            "kb_sessions.started_at",
            "tickets.customer_id",
        ),
        "qa_score": ("qa_reviews.reviewed_at", "qa_reviews.sampling_weight", "qa_reviews.score_share"),
        "retention": ("customers.left_on", "customers.since_on"),
        "cost_per_resolution": ("costs.amount", "costs.booked_on"),
    }
    assert {kpi: lacking[kpi] for kpi in named} == named


def test_an_item_that_nobody_answered_is_missing(service):
    own = dataclasses.replace(registry()["csat"], name="warmth", item="warmth")
    assert missing(own, service) == ("survey_answers.item=warmth",)


def test_scales_come_from_the_study(service):
    seven = dataclasses.replace(service, config={"scales": {"csat": {"low": 1, "high": 7, "top": [6, 7]}}})
    assert registry(seven)["csat"].scale == (1, 7)
    with pytest.raises(MeasureError) as refused:
        registry(dataclasses.replace(service, config={"scales": {"csat": {"low": 1}}}))
    assert refused.value.text("en") == "[scales.csat] in study.toml also needs: high, top."


def test_the_first_version_of_ces_asks_for_effort(service):
    """K03: CES 1.0 runs from 1, very low effort, to 5; the good answers are the low ones."""
    first = registry(dataclasses.replace(service, config={"ces_version": "1.0"}))["ces"]
    assert (first.scale, first.top) == ((1, 5), (1, 2))
    assert "a low answer means little effort" in first.definition.text("en")
    with pytest.raises(MeasureError) as refused:
        registry(dataclasses.replace(service, config={"ces_version": "3"}))
    assert refused.value.text("en") == "ces_version is one of 1.0, 2.0; study.toml says 3."


def test_every_rule_and_statistic_has_its_word(service, lang):
    table = estimates(service, answerable(service))
    rules = {rule for measure in answerable(service).values() for rule in waterfall(service, measure)["rule"]}
    coded = {"stat": set(table["stat"]), "kpi": set(table["kpi"]), "rule": rules}
    assert [(c, code) for c, codes in coded.items() for code in codes if not has(f"value.{c}.{code}", lang)] == []


def _again(study, folder, tables=("tickets", "surveys", "survey_answers"), drop=()):
    """The study once more, from an export with fewer tables and columns."""
    again = folder / "again"
    again.mkdir()
    frames = {name: pd.read_parquet(study.folder / f"{name}.parquet") for name in tables}
    frames["tickets"] = frames["tickets"].drop(columns=list(drop))
    return small_study(again, str(study.as_of), frames)


def test_calls_give_the_abandonment_rate_and_the_average_speed_of_answer(tmp_path):
    """Calls as in callcentrehelper's example of ASA (total wait of answered calls over answered calls), by hand.

    Interval of the mean: statsmodels' DescrStatsW (Student's t), cut at 0 because nobody waits for less than no time.
    """
    waits = [10.0, 20.0, 30.0, 60.0, 5.0, 300.0]
    outcomes = ["answered"] * 4 + ["abandoned", "timed_out"]
    known = {"call_id": list("abcdef"), "arrived_at": "2026-03-01"}
    calls = pd.DataFrame({**known, "wait_seconds": waits, "outcome": outcomes})
    study = small_study(tmp_path, "2026-03-02", {"calls": calls})
    found = estimates(study, [registry(study)[kpi] for kpi in ("abandonment", "asa")]).set_index("kpi")
    assert found.loc["abandonment", ["value", "n"]].tolist() == [0.2, 5]
    assert found.loc["asa", ["stat", "value", "n"]].tolist() == ["mean_seconds", 30.0, 4]
    low, high = DescrStatsW(waits[:4]).tconfint_mean()
    assert low < 0
    assert found.loc["asa", ["low", "high"]].tolist() == pytest.approx([0, high])
