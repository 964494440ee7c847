"""The declarations of the method: each KPI counted from tickets and calls whose answer is known beforehand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from small_study import small_study

from cxkit.errors import MeasureError, StudyError
from cxkit.lang import LANGS, has
from cxkit.measures import estimates, missing, registry, rivals, waterfall
from cxkit.measures.kinds import FAMILIES
from cxkit.study.settings import checked

OPENED = pd.Timestamp("2026-01-05 09:00")
DAY = 86_400.0


def later(**amounts):
    return OPENED + pd.Timedelta(**amounts)


def headline(study, measure):
    table = estimates(study, measure)
    return table[table["stat"] == measure.headline].iloc[0]


def of(study, kpi, definition=None):
    """Value and n of a KPI's headline, in one of its definitions."""
    known = rivals(study, kpi)
    found = headline(study, known[definition] if definition else next(iter(known.values())))
    return found["value"], found["n"]


def settings(**parts):
    """A study's settings, as read from study.toml."""
    return checked({"time_zone": "UTC", **parts}, "s")


# --- calls ---


@pytest.fixture
def icmi(tmp_path):
    """1,000 answered calls, 860 of them within 20 seconds; 60 abandoned, 10 within 5 seconds and 20 within 20."""
    waits = [10.0] * 860 + [45.0] * 140 + [3.0] * 10 + [12.0] * 10 + [90.0] * 40
    outcomes = ["answered"] * 1000 + ["abandoned"] * 60
    calls = pd.DataFrame({"call_id": np.arange(1060).astype(str), "arrived_at": OPENED, "wait_seconds": waits})
    config = settings(calls={"short_abandon_seconds": 5, "answer_within_seconds": 20})
    return small_study(tmp_path, "2026-02-01", {"calls": calls.assign(outcome=outcomes)}, config=config)


def test_the_formulas_of_service_level_differ_by_five_points(icmi):
    """ICMI's example as callcentrehelper.com prints it: AN=1000, AB=60, AN20=860, AB20=20, AB5=10."""
    found = {name: round(100 * of(icmi, "service_level", name)[0], 2) for name in rivals(icmi, "service_level")}
    assert found == {
        "drop_short": 81.90,
        "with_abandons": 83.02,
        "answered_only": 86.00,
        "all_offered": 81.13,
        "late_abandons": 82.69,
        "short_as_kept": 82.08,
    }
    assert next(iter(found)) == "drop_short"
    assert "within 20 seconds" in registry(icmi)["service_level"].definition.text("en")


def test_a_short_abandon_leaves_both_numerator_and_denominator(icmi):
    """K12: with a threshold of 5 seconds 50 of 1,050 calls are abandoned, without one 60 of 1,060."""
    assert of(icmi, "abandonment") == (pytest.approx(50 / 1050), 1050)
    said = registry(icmi)["abandonment"].definition.text("en")
    assert "Calls abandoned in less than 5 seconds are not counted at all." in said
    free = dataclasses.replace(icmi, config={})
    assert of(free, "abandonment") == (pytest.approx(60 / 1060), 1060)
    assert of(icmi, "abandoned_wait") == (pytest.approx((10 * 12 + 40 * 90) / 50), 50)


def test_patience_is_longer_than_the_waits_of_those_who_hung_up(tmp_path):
    """lifelines' Kaplan-Meier: a caller who was answered would have waited longer (Brown et al. 2005, JASA 100)."""
    rng = np.random.default_rng(5)
    patience, offered = rng.exponential(300, 800).round(), rng.exponential(200, 800).round()
    gone = patience < offered
    waits = np.where(gone, patience, offered)
    calls = pd.DataFrame({"call_id": np.arange(800).astype(str), "arrived_at": OPENED, "wait_seconds": waits})
    calls["outcome"] = np.where(gone, "abandoned", "answered")
    study = small_study(tmp_path, "2026-02-01", {"calls": calls})
    in_queue = waits > 0
    oracle = KaplanMeierFitter().fit(waits[in_queue], gone[in_queue])
    assert of(study, "patience")[0] == oracle.median_survival_time_
    assert of(study, "patience")[0] > 1.4 * np.median(waits[gone])


def test_handle_time_is_talk_hold_and_wrap_over_answered_calls(tmp_path):
    """K07 by hand: (100 + 20 + 30 + 200 + 0 + 10) / 2; a call without after-call work and a lost one do not count."""
    calls = pd.DataFrame({"call_id": list("abcd"), "arrived_at": OPENED, "agent_id": ["x", "y", "x", None]})
    calls["outcome"] = ["answered"] * 3 + ["abandoned"]
    calls["talk_seconds"], calls["hold_seconds"] = [100.0, 200, 300, None], [20.0, None, 5, None]
    calls["wrap_seconds"] = [30.0, 10, None, None]
    study = small_study(tmp_path, "2026-02-01", {"calls": calls})
    assert of(study, "aht") == (180.0, 2)
    assert of(study, "aht", "without_hold") == (170.0, 2)


def test_handle_time_is_refused_where_after_call_work_is_not_recorded(tmp_path):
    """K07: talk time is no handle time, and from opening to closing is none either."""
    known = {"call_id": ["a"], "arrived_at": OPENED, "outcome": "answered", "talk_seconds": 100.0}
    study = small_study(tmp_path, "2026-02-01", {"calls": pd.DataFrame(known)})
    assert missing(registry(study)["aht"], study) == ("calls.hold_seconds", "calls.wrap_seconds")
    with pytest.raises(MeasureError) as refused:
        estimates(study, registry(study)["aht"])
    assert refused.value.text("en") == (
        "Average handle time (AHT) is not answerable with these data: it needs calls.hold_seconds, calls.wrap_seconds."
    )


# --- first contact, returns ---


@pytest.fixture
def sqm(tmp_path):
    """400 customers whose ticket was solved within the hour; 120 of them open another one three days later."""
    first = pd.DataFrame({"ticket_id": [f"a{i}" for i in range(400)], "opened_at": OPENED})
    first["first_solved_at"], first["customer_id"] = later(hours=1), [f"c{i}" for i in range(400)]
    first["topic"], first["replies"], first["agent_stations"] = "refund", 1, 1
    first["reopened_at"], first["solved_first_contact"] = pd.NaT, True
    again = first.head(120).assign(ticket_id=[f"b{i}" for i in range(120)], opened_at=later(days=3))
    again["first_solved_at"], again["topic"] = pd.NaT, ["refund"] * 50 + ["delivery"] * 70
    both = pd.concat([first, again], ignore_index=True)
    both.loc[0, "reopened_at"] = later(days=20)  # somebody comes back to the old ticket, but late
    both["resolvable"] = [True] * 200 + [False] * 200 + [True] * 120
    return small_study(tmp_path, "2026-03-01", {"tickets": both})


def test_first_contact_resolution_of_280_in_400_is_70_percent(sqm):
    """SQM's worked example: 280 / 400 = 70 %, where an issue counts as solved if the customer does not call again."""
    assert of(sqm, "fcr", "no_repeat") == (0.70, 400)


def test_the_other_definitions_stand_beside_it(sqm):
    """By hand from the fixture: 50 of 400 come back on the same topic; 120 of the first 200 could be solved at once."""
    found = {name: of(sqm, "fcr", name) for name in rivals(sqm, "fcr") if not missing(rivals(sqm, "fcr")[name], sqm)}
    assert found["no_reopen"] == found["one_touch"] == found["one_agent"] == found["agent_flagged"] == (1.0, 400)
    assert found["no_repeat_topic"] == (350 / 400, 400)
    assert found["no_repeat_net"] == (pytest.approx(80 / 200), 200)
    assert "reported" not in found


def test_customers_may_be_asked_whether_it_was_solved_at_once(tmp_path):
    """K08 e: three of four answer yes."""
    surveys = pd.DataFrame({"response_id": list("abcd"), "answered_at": later(days=1)})
    answers = surveys[["response_id"]].assign(item="fcr", value=[1.0, 1, 1, 0])
    study = small_study(tmp_path, "2026-02-01", {"surveys": surveys, "survey_answers": answers})
    assert of(study, "fcr", "reported") == (0.75, 4)


def test_a_study_chooses_its_definition(sqm):
    chosen = dataclasses.replace(sqm, config={"definitions": {"fcr": "no_repeat"}})
    assert of(chosen, "fcr") == (0.70, 400)
    assert next(iter(rivals(chosen, "fcr"))) == "no_repeat"
    assert registry(chosen)["fcr"].definition_hash != registry(sqm)["fcr"].definition_hash
    for config, sentence in (
        (
            {"fcr": "no_repeats"},
            "study.toml: definitions.fcr cannot be “no_repeats” (did you mean “no_repeat”?). There are: no_reopen, "
            "one_touch, one_agent, no_repeat, no_repeat_topic, agent_flagged, reported, no_reopen_net, one_touch_net, "
            "one_agent_net, no_repeat_net, no_repeat_topic_net, agent_flagged_net.",
        ),
        (
            {"fcrr": "no_repeat"},
            "study.toml: definitions.fcrr names no KPI (did you mean “fcr”?). There are: csat",
        ),
    ):
        with pytest.raises(StudyError) as refused:
            registry(dataclasses.replace(sqm, config={"definitions": config}))
        assert refused.value.text("en").startswith(sentence)


def test_what_comes_back_is_counted_in_each_way_and_in_any(tmp_path):
    """By hand: of six solved tickets a is reopened, b goes on in another ticket, c's customer writes again on day 10.

    d is reopened only after 40 days. The follow-up and the second ticket of c are not solved, so they are not counted.
    """
    tickets = pd.DataFrame({"ticket_id": list("abcdefgh"), "customer_id": list("ABCDEFBC")})
    tickets["opened_at"] = [OPENED] * 6 + [later(days=5), later(days=11)]
    tickets["first_solved_at"] = [later(days=1)] * 6 + [pd.NaT] * 2
    tickets["reopened_at"] = [later(days=2), None, None, later(days=41), None, None, None, None]
    tickets["follow_up_of"] = [None] * 6 + ["b", None]
    tickets["reopens"] = [2, 0, 0, 1, 0, 0, 0, 0]
    study = small_study(tmp_path, "2026-04-01", {"tickets": tickets})
    assert of(study, "return_rate") == (pytest.approx(1 / 6), 6)
    assert of(study, "follow_up_rate") == (pytest.approx(1 / 6), 6)
    assert of(study, "repeat_contact_rate") == (pytest.approx(2 / 6), 6)
    assert of(study, "return_rate", "any") == (pytest.approx(3 / 6), 6)
    assert of(study, "reopens_per_ticket") == (pytest.approx(3 / 6), 6)
    said = rivals(study, "return_rate")["any"].definition.text("en")
    assert "reopened, continued in a follow-up ticket, the same customer wrote or called again" in said


# --- times and promises ---


@pytest.fixture
def promised(tmp_path):
    """Ten tickets of one morning, promised an hour where they were urgent and four hours elsewhere; seen at noon.

    a b are urgent: kept, broken. c d are normal: kept, broken. e was urgent when it came and is normal today: broken.
    f is urgent, open and overdue. g is normal, open and not yet due. h was solved without a reply after an hour, i the
    day before after ten. j is self-service.
    """
    hours = [0.5, 2, 3, 5, 3, None, None, None, None, 0.1]
    tickets = pd.DataFrame({"ticket_id": list("abcdefghij"), "opened_at": later(hours=-3)})
    tickets.loc[[3, 8], "opened_at"] = later(hours=-27)
    replied = tickets["opened_at"] + pd.to_timedelta(hours, unit="h")
    tickets["first_replied_at"] = replied
    tickets["first_solved_at"] = pd.NaT
    tickets.loc[7, "first_solved_at"] = tickets.loc[7, "opened_at"] + pd.Timedelta(hours=1)
    tickets.loc[8, "first_solved_at"] = tickets.loc[8, "opened_at"] + pd.Timedelta(hours=10)
    tickets["priority"] = ["urgent", "urgent", "normal", "normal", "normal", "urgent", *["normal"] * 4]
    tickets["channel"] = ["email"] * 9 + ["self_service"]
    changes = pd.DataFrame({"ticket_id": list("abcdefghij"), "at": tickets["opened_at"]})
    changes["priority"] = ["urgent", "urgent", "normal", "normal", "urgent", "urgent", *["normal"] * 4]
    changes = pd.concat([changes, pd.DataFrame({"ticket_id": ["e"], "at": [OPENED], "priority": ["normal"]})])
    changes["at"] = changes["at"].astype("datetime64[us]")
    config = settings(promises={"first_reply": {"default": "4 h", "urgent": "1 h"}})
    return small_study(tmp_path, str(OPENED), {"tickets": tickets, "priority_changes": changes}, config=config)


def test_a_promise_counts_the_overdue_and_not_those_still_in_time(promised):
    """K17 by hand: kept a c; broken b d e f i. g is not yet due, h needed no reply, j is not for an agent."""
    assert of(promised, "reply_sla") == (pytest.approx(2 / 7), 7)
    said = registry(promised)["reply_sla"].definition.text("en")
    assert "(urgent 60 minutes, all others 4 hours; around the clock)" in said
    assert "priority_now" not in registry(promised)["reply_sla"].caveats


def test_a_promise_is_held_to_the_priority_of_its_time(promised, tmp_path):
    """K17, after dbt's Zendesk package: e was urgent when it came in; today's priority would call its reply in time."""
    alone = tmp_path / "alone"
    alone.mkdir()
    tickets = promised.table("tickets").to_pandas()
    today = small_study(alone, str(OPENED), {"tickets": tickets}, config=promised.config)
    assert of(today, "reply_sla") == (pytest.approx(3 / 7), 7)
    assert "priority_now" in registry(today)["reply_sla"].caveats


def test_an_impossible_time_keeps_no_promise(promised, tmp_path):
    """A reply before the question is a fault of the export: of ticket a nothing is known."""
    again = tmp_path / "again"
    again.mkdir()
    tables = {name: promised.table(name).to_pandas() for name in ("tickets", "priority_changes")}
    tables["tickets"].loc[0, "first_replied_at"] = tables["tickets"].loc[0, "opened_at"] - pd.Timedelta(hours=1)
    tables["priority_changes"]["at"] = tables["priority_changes"]["at"].astype("datetime64[us]")
    study = small_study(again, str(OPENED), tables, config=promised.config)
    assert of(study, "reply_sla") == (pytest.approx(1 / 6), 6)


def test_a_priority_without_a_promise_is_not_judged(promised):
    only = dataclasses.replace(promised, config=settings(promises={"first_reply": {"urgent": "1 h"}}))
    assert of(only, "reply_sla") == (pytest.approx(1 / 4), 4)  # a kept; b e f broken


def test_without_a_promise_nothing_is_judged(promised):
    none = dataclasses.replace(promised, config={})
    assert missing(registry(none)["reply_sla"], none) == ("study.toml: promises.first_reply",)
    with pytest.raises(MeasureError) as refused:
        estimates(promised, registry()["reply_sla"])
    assert "promises.first_reply" in refused.value.text("en")


def test_the_last_cycle_alone_would_hide_a_broken_promise(tmp_path):
    """P04, Jira's last-cycle attainment. Promise: 2 days.

    a is solved in one. b is solved in one, reopened, and solved again after five. c takes four. d is solved in one and
    reopened, and waits for less than two days. e is open since ten days.
    """
    tickets = pd.DataFrame({"ticket_id": list("abcde"), "opened_at": later(days=-10)})
    tickets["first_solved_at"] = [later(days=d) for d in (-9, -9, -6, -9)] + [pd.NaT]
    tickets["reopened_at"] = [None, later(days=-8), None, later(days=-1), None]
    tickets["solved_at"] = [later(days=-9), later(days=-3), later(days=-6), None, None]
    config = settings(promises={"resolution": {"default": "2 d"}})
    study = small_study(tmp_path, str(OPENED), {"tickets": tickets}, config=config)
    assert of(study, "resolution_sla", "first_cycle") == (pytest.approx(3 / 5), 5)
    assert of(study, "resolution_sla", "every_cycle") == (pytest.approx(1 / 4), 4)


def test_waiting_for_the_customer_is_taken_off_where_the_promise_says_so(tmp_path):
    tickets = pd.DataFrame({"ticket_id": list("ab"), "opened_at": OPENED, "pending_seconds": [2 * DAY, None]})
    tickets["first_solved_at"] = later(days=3)
    promise = {"default": "2 d"}
    config = settings(promises={"resolution": promise})
    study = small_study(tmp_path, "2026-02-01", {"tickets": tickets}, config=config)
    assert of(study, "resolution_sla") == (0.0, 2)
    paused = settings(promises={"resolution": {**promise, "pauses": ["pending_seconds"]}})
    assert of(dataclasses.replace(study, config=paused), "resolution_sla") == (0.5, 2)
    said = registry(dataclasses.replace(study, config=paused))["resolution_sla"].definition.text("en")
    assert "(2 days; around the clock, less the time waiting for the customer)" in said


def test_business_hours_leave_out_the_weekend(tmp_path):
    """Thursday 16:00 to Sunday 09:30 on a clock from 9 to 17, Sunday to Thursday: 1.5 hours; 65.5 around the clock."""
    tickets = pd.DataFrame({"ticket_id": ["a"], "opened_at": ["2026-01-08 16:00"]})
    tickets["first_replied_at"] = "2026-01-11 09:30"
    calendar = {"weekend": ["friday", "saturday"], "hours": "09:00-17:00"}
    promises = {"first_reply": {"clock": "business", "default": "2 h"}}
    config = settings(calendar=calendar, promises=promises)
    study = small_study(tmp_path, "2026-02-01", {"tickets": tickets}, config=config)
    assert of(study, "first_reply_time") == (65.5 * 3600, 1)
    assert of(study, "first_reply_time_business") == (1.5 * 3600, 1)
    assert of(study, "reply_sla") == (1.0, 1)
    assert registry(study)["first_reply_time_business"].target_seconds == 7200
    assert registry(study)["first_reply_time"].target_seconds is None


def test_without_hours_nothing_is_counted_in_them(promised):
    gaps = missing(registry(promised)["resolution_time_business"], promised)
    assert gaps == ("study.toml: calendar.hours",)


def test_resolution_is_first_or_full_from_opening_or_assignment(tmp_path):
    """K06 by hand: a is assigned after a day, solved on day 2, reopened, solved again on day 6; b is back and open."""
    tickets = pd.DataFrame({"ticket_id": list("ab"), "opened_at": OPENED, "first_assigned_at": later(days=1)})
    tickets["first_solved_at"] = [later(days=2), later(days=3)]
    tickets["reopened_at"] = [later(days=4), later(days=5)]
    tickets["solved_at"] = [later(days=6), pd.NaT]
    study = small_study(tmp_path, str(later(days=20)), {"tickets": tickets})
    last = {name: estimates(study, rivals(study, "resolution_time")[name]) for name in rivals(study, "resolution_time")}
    medians = {name: table.set_index("stat").loc["median", "value"] for name, table in last.items()}
    assert medians == {"first": 2 * DAY, "full": 6 * DAY, "first_assigned": DAY, "full_assigned": 5 * DAY}
    assert last["full"]["open"].iloc[0] == 1


# --- demand, self-service, customers ---


def test_the_age_of_the_backlog_is_that_of_the_open_tickets(tmp_path):
    """By hand: a waits for 3 days; b was reopened and waits since its opening 2 days ago; c is solved, d closed."""
    tickets = pd.DataFrame({"ticket_id": list("abcd"), "opened_at": [later(days=-d) for d in (3, 2, 9, 9)]})
    tickets["first_solved_at"] = [None, later(days=-1.5), later(days=-8), None]
    tickets["reopened_at"] = [None, later(days=-1), None, None]
    tickets["solved_at"] = [None, None, later(days=-8), None]
    tickets["closed_at"] = [None, None, None, later(days=-1)]
    study = small_study(tmp_path, str(OPENED), {"tickets": tickets})
    found = headline(study, registry(study)["backlog_age"])
    assert (found["value"], found["n"]) == (2 * DAY, 2)


def test_the_backlog_is_made_from_the_tickets_own_times(tmp_path):
    """K15 by hand. January ends with a b open, February with b (reopened) and c; d was closed unsolved in January."""
    tickets = pd.DataFrame({"ticket_id": list("abcd")})
    tickets["opened_at"] = ["2026-01-05", "2026-01-06", "2026-02-10", "2026-01-07"]
    tickets["first_solved_at"] = ["2026-02-03", "2026-02-01", None, None]
    tickets["reopened_at"], tickets["solved_at"] = [None, "2026-02-20", None, None], ["2026-02-03", None, None, None]
    tickets["closed_at"] = [None, None, None, "2026-01-20"]
    study = small_study(tmp_path, "2026-03-10", {"tickets": tickets})
    months = estimates(study, registry(study)["backlog"], by=("month",)).set_index("month")["value"]
    assert {month.month: value for month, value in months.items()} == {1: 2, 2: 2, 3: 2}
    assert of(study, "backlog")[0] == 2


def test_contacts_visits_and_costs_are_set_against_those_of_the_same_period(tmp_path):
    """K15, K16 by hand: 6 tickets, spam apart, to 12 orders, 9 visits and costs of 300, of 4 that were solved."""
    tickets = pd.DataFrame({"ticket_id": list("abcdefg"), "opened_at": OPENED, "is_spam": [False] * 6 + [True]})
    tickets["first_solved_at"] = [later(days=1)] * 4 + [pd.NaT] * 3
    tables = {
        "tickets": tickets,
        "orders": pd.DataFrame({"order_id": np.arange(12).astype(str), "ordered_at": OPENED}),
        "kb_sessions": pd.DataFrame({"session_id": np.arange(9).astype(str), "started_at": OPENED}),
        "costs": pd.DataFrame({"booked_on": [OPENED.date()] * 2, "amount": [100.0, 200.0]}),
    }
    study = small_study(tmp_path, "2026-02-01", tables)
    assert of(study, "contact_rate")[0] == pytest.approx(6 / 12)
    assert of(study, "self_service_score")[0] == pytest.approx(9 / 6)
    assert of(study, "cost_per_contact")[0] == pytest.approx(300 / 6)
    assert of(study, "cost_per_resolution")[0] == pytest.approx(300 / 4)
    assert (registry(study)["cost_per_contact"].headline, registry(study)["contact_rate"].headline) == ("cost", "rate")


def test_a_review_weighs_as_many_tickets_as_it_stands_for(tmp_path):
    """Horvitz and Thompson (1952) by hand: (0.5 * 90 + 1 * 10) / 100 = 0.55, where the plain mean says 0.75."""
    reviews = pd.DataFrame({"review_id": list("ab"), "reviewed_at": OPENED, "score_share": [0.5, 1.0]})
    reviews["sampling_weight"], reviews["agent_id"] = [90.0, 10.0], ["x", "y"]
    study = small_study(tmp_path, "2026-02-01", {"qa_reviews": reviews})
    assert of(study, "qa_score")[0] == pytest.approx(0.55)
    assert of(study, "qa_score", "plain")[0] == pytest.approx(0.75)


def test_a_visit_spares_a_ticket_if_none_follows_within_two_days(tmp_path):
    """K16 by hand: A opens one after 30 hours, B after 60, C none; D is not known, E's visit is too young."""
    sessions = pd.DataFrame({"session_id": list("abcde"), "customer_id": ["A", "B", "C", None, "E"]})
    sessions["started_at"] = [OPENED] * 4 + [later(days=9.5)]
    tickets = pd.DataFrame({"ticket_id": list("xy"), "customer_id": list("AB")})
    tickets["opened_at"] = [later(hours=30), later(hours=60)]
    study = small_study(tmp_path, str(later(days=10)), {"kb_sessions": sessions, "tickets": tickets})
    assert of(study, "deflection") == (pytest.approx(2 / 3), 3)
    assert of(study, "deflection", "hours_24") == (pytest.approx(3 / 3), 3)


def test_contacts_without_an_agent_are_those_of_bots_and_self_service(tmp_path):
    """By hand: two of four; those that a bot answered are counted here, and left out of the volume."""
    tickets = pd.DataFrame({"ticket_id": list("abcd"), "opened_at": OPENED})
    tickets["channel"], tickets["bot_only"] = ["self_service", "chat", "email", "chat"], [False, True, False, None]
    study = small_study(tmp_path, "2026-02-01", {"tickets": tickets})
    assert of(study, "self_service_rate") == (0.5, 4)
    assert of(study, "volume")[0] == 3
    assert waterfall(study, registry(study)["volume"]).set_index("rule").loc["bot_only", "removed"] == 1


def test_retention_counts_those_who_were_there_at_the_start(tmp_path):
    """K13, the textbook example: S = 1,000, N = 150 new ones, E = 1,020, so (E - N) / S = 87.0 %."""
    since = [pd.Timestamp("2024-05-01")] * 1000 + [pd.Timestamp("2025-09-01")] * 150
    left = [pd.Timestamp("2025-11-01")] * 130 + [pd.NaT] * 1020
    customers = pd.DataFrame({"customer_id": np.arange(1150).astype(str), "since_on": since, "left_on": left})
    customers[["since_on", "left_on"]] = customers[["since_on", "left_on"]].apply(lambda c: c.dt.date)
    study = small_study(tmp_path, "2026-01-01", {"customers": customers})
    assert of(study, "retention") == (0.87, 1000)
    assert of(study, "churn") == (pytest.approx(0.13), 1000)
    assert "365 days before the date of this report" in registry(study)["retention"].definition.text("en")


def test_without_a_contract_the_rule_of_inactivity_must_be_declared(tmp_path):
    """K13 by hand: A orders again after 20 days and then not for 60; B after 50 days; the last orders are too young."""
    orders = pd.DataFrame({"order_id": list("abcd"), "customer_id": list("AABB")})
    orders["ordered_at"] = [OPENED, later(days=20), OPENED, later(days=50)]
    study = small_study(tmp_path, str(later(days=80)), {"orders": orders})
    assert missing(registry(study)["retention"], study) == ("study.toml: retention.inactive_after_days",)
    declared = dataclasses.replace(study, config=settings(retention={"inactive_after_days": 30}))
    assert registry(declared)["retention"].variant == "orders"
    assert of(declared, "retention") == (0.25, 4)
    assert of(declared, "churn") == (0.75, 4)
    assert headline(dataclasses.replace(declared, as_of=later(days=70)), registry(declared)["churn"])["open"] == 1


def test_a_survey_has_time_to_go_out_to_be_seen_and_to_be_answered(tmp_path):
    """K18 by hand: of three tickets solved long ago two were asked about; of two old invitations one was answered."""
    tickets = pd.DataFrame({"ticket_id": list("abcd"), "opened_at": OPENED})
    tickets["first_solved_at"] = [OPENED] * 3 + [later(days=38)]
    surveys = pd.DataFrame({"response_id": list("xyz"), "ticket_id": list("abd"), "sent_at": later(days=1)})
    surveys.loc[2, "sent_at"] = later(days=39)
    surveys["viewed_at"] = [later(days=2), later(days=3), None]
    surveys["answered_at"] = [later(days=3), None, None]
    study = small_study(tmp_path, str(later(days=40)), {"tickets": tickets, "surveys": surveys})
    assert of(study, "survey_coverage") == (pytest.approx(2 / 3), 3)
    assert of(study, "survey_viewed") == (1.0, 2)
    assert of(study, "survey_response") == (0.5, 2)


# --- words ---


ALL = {(kpi, name): measure for kpi in registry() for name, measure in rivals(None, kpi).items()}


def test_every_kpi_of_the_method_is_declared():
    """The KPIs of the method's articles and of kpis.md K01-K19, but for ROI, which no column of an export can tell."""
    assert len(registry()) == 40
    assert {measure.family for measure in registry().values()} == set(FAMILIES) - {"own"}


def test_definitions_differ_in_their_fingerprints_and_share_their_name():
    hashes = {measure.definition_hash for measure in ALL.values()}
    assert len(hashes) == len(ALL) - 1  # without a threshold there are no short abandons to be dropped
    assert all(measure.id == kpi for (kpi, _), measure in ALL.items())


@pytest.mark.parametrize("key", ALL, ids="/".join)
def test_every_definition_speaks_for_itself(key, lang):
    """Its own words in each language, with every number filled in, and every doubt in words."""
    measure = ALL[key]
    own = f"kpi.{measure.name}.definition" + (f"_{measure.variant}" if measure.variant else "")
    assert measure.definition.key == own
    assert measure.question.key == f"kpi.{measure.name}.question"
    assert "{" not in measure.definition.text(lang)
    spoken = [f"kpi.caveat.{code}" for code in measure.caveats] + [f"value.family.{measure.family}"]
    spoken += [f"value.stat.{measure.headline}"] + ([f"value.variant.{measure.variant}"] if measure.variant else [])
    assert [code for code in spoken if not has(code, lang)] == []
    assert len({measure.definition.text(each) for each in LANGS}) == 3
