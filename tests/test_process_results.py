"""What the process topic answers: a small log with hand-computed answers, and logs that lack something."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cxkit import lang as words
from cxkit import process
from cxkit.process.clocks import Timers, concentration, timer_table
from cxkit.process.core import event_log
from cxkit.process.quality import Audit
from cxkit.result import NotAnswerable, Result
from cxkit.study import Study
from tests.event_study import START, event_study, events, log_of

HOUR = 3600.0
QUESTIONS: dict[str, Callable[[Study], Result]] = {name: getattr(process, name) for name in process.__all__}
ROLES = 'resolved = ["Solved"]\nclosed = ["Closed"]\n'
KINDS = '[process.stages]\nNew = "queue"\nWork = "touch"\nWait = "customer"\n'
# Case 1 is solved after 10 h, case 2 after 34 h and goes back to work, case 3 is still in work. Closing takes 96 h.
LOG = """
    1:New@0/ann 1:Work@2/bob 1:Solved@10/bob 1:Closed@106
    2:New@0/ann 2:Work@4/ann 2:Wait@6/ann 2:Work@30/ann 2:Solved@34/ann 2:Work@40/bob 2:Solved@46/bob 2:Closed@142
    3:New@0 3:Work@8/bob
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The log above, seen 200 hours after its first event."""
    folder = tmp_path_factory.mktemp("process") / "small"
    return event_study(folder, events(LOG), ROLES + KINDS, as_of="2026-01-12T08:00:00Z")


def row(result: Result, column: str, value: str) -> dict[str, object]:
    """The one row of a result whose `column` is `value`."""
    (found,) = result.table[result.table[column] == value].to_dict("records")
    return {str(k): v for k, v in found.items()}


def test_time_in_stage_counts_the_visit_that_still_goes_on(small: Study) -> None:
    """Work lasted 2, 4, 6 and 8 hours and, in case 3, at least 192: Kaplan-Meier's median of the five is 6 hours."""
    work = row(process.stages(small), "activity", "Work")
    assert (work["cases"], work["visits"], work["open"]) == (3, 5, 1)
    assert work["median_seconds"] == 6 * HOUR
    assert work["p90_seconds"] == np.inf
    assert work["repeat_share"] == pytest.approx(1 / 3)


def test_stage_shares_split_the_recorded_time_at_the_first_resolve(small: Study) -> None:
    """Recorded hours: New 14, Work 20 (6 after the resolve), Wait 24, Solved 198; 52 before, 204 after."""
    table = process.stages(small).table.set_index("activity")
    assert table["time_share"].to_dict() == pytest.approx(
        {"New": 14 / 256, "Work": 20 / 256, "Wait": 24 / 256, "Solved": 198 / 256, "Closed": 0.0}
    )
    assert table.at["Work", "before_share"] == pytest.approx(14 / 52)
    assert table.at["Work", "after_share"] == pytest.approx(6 / 204)
    assert table.at["Wait", "next_activity"] == "Work"


def test_stages_stand_in_the_order_in_which_cases_reach_them(small: Study) -> None:
    assert process.stages(small).table["activity"].tolist() == ["New", "Wait", "Work", "Solved", "Closed"]


def test_the_stage_verdict_names_where_the_time_before_the_resolve_goes(small: Study) -> None:
    """Wait holds 24 of the 52 hours: 46.2%."""
    said = process.stages(small).verdict("en")
    assert said == (
        "Until the first resolve, the largest part of the time is spent in “Wait”: 46.2%. "
        "Half of its visits end within 24 hours; one in ten takes longer than 24 hours."
    )


def test_resolution_stands_beside_closing(small: Study) -> None:
    """First resolve after 10 and 34 h, one still waiting: median 34, of the two 22. Closed after 106 and 142."""
    result = process.resolution(small)
    first, close = row(result, "moment", "first_resolve"), row(result, "moment", "close")
    assert (first["median_seconds"], first["finished_seconds"], first["open"]) == (34 * HOUR, 22 * HOUR, 1)
    assert (close["median_seconds"], close["finished_seconds"], close["open"]) == (142 * HOUR, 124 * HOUR, 1)
    assert "82.3% of the recorded time of resolved cases comes after their first resolve" in result.verdict("en")


def test_a_case_closed_without_a_resolve_does_not_wait_for_one(tmp_path: Path) -> None:
    study = event_study(tmp_path / "s", events("1:New@0 1:Closed@5 2:New@0 2:Solved@7 2:Closed@9"), ROLES)
    first = row(process.resolution(study), "moment", "first_resolve")
    assert (first["finished_seconds"], first["open"]) == (6 * HOUR, 0)


def test_a_reopening_goes_back_to_work_and_a_second_click_does_not(tmp_path: Path) -> None:
    """Case 1 goes back to work, case 2 is resolved twice in a row, case 3 leaves a close, case 4 is plain."""
    log = """1:New@0 1:Solved@1 1:New@2 1:Solved@3 1:Closed@4   2:New@0 2:Solved@1 2:Solved@2 2:Closed@4
             3:New@0 3:Solved@1 3:Closed@2 3:New@3 3:Closed@4   4:New@0 4:Solved@1 4:Closed@2"""
    result = process.reopens(event_study(tmp_path / "s", events(log), ROLES))
    assert dict(zip(result.table["reading"], result.table["cases"], strict=True)) == {
        "reopened": 2,
        "resolved_again": 1,
        "not_held": 2,
    }
    assert result.table["share"].tolist() == [0.5, 0.25, 0.5]


def test_a_survey_after_a_solution_does_not_reopen_a_case(tmp_path: Path) -> None:
    """As the return rate counts (intake.derive): case 1 only gets a survey, case 2 comes back after its survey.

    Before any solution there is nothing to reopen (case 3).
    """
    log = """1:New@0 1:Solved@1 1:Survey@2 1:Closed@3   2:New@0 2:Solved@1 2:Survey@2 2:New@3 2:Solved@4
             3:Survey@0 3:New@1 3:Solved@2"""
    kinds = '[process.stages]\nSurvey = "after"\n'
    table = process.reopens(event_study(tmp_path / "s", events(log), ROLES + kinds)).table.set_index("reading")
    assert table.loc["reopened", ["cases", "times"]].tolist() == [1, 1]


def test_hand_offs_are_counted_between_known_people(small: Study) -> None:
    """ann to bob in case 1 and in case 2; case 3 has one known holder. None comes back."""
    result = process.handoffs(small)
    people = row(result, "holder", "resource")
    assert people["hand_offs_per_case"] == people["closing_per_case"] == pytest.approx(2 / 3)
    assert people["any_share"] == pytest.approx(2 / 3)
    assert people["ping_share"] == 0
    assert [note.key for note in result.notes] == ["process.note.no_holder"]


def test_being_handed_to_the_tool_that_closes_is_no_hand_off(tmp_path: Path) -> None:
    """ann to bob, and ann to eve who reopens: one each. With the bot that closes there are two and three."""
    log = "1:New@0/ann 1:Solved@1/bob 1:Closed@9/bot 2:New@0/ann 2:Closed@4/bot 2:New@5/eve 2:Closed@9/bot"
    people = row(process.handoffs(event_study(tmp_path / "s", events(log), ROLES)), "holder", "resource")
    assert (people["hand_offs_per_case"], people["closing_per_case"], people["ping_share"]) == (1.0, 2.5, 0.0)


def test_moves_name_the_stage_that_cases_come_back_to_and_leave_for_other_hands(small: Study) -> None:
    """One of the two solved cases is solved again; a hand-off follows one of three News and one of three solves."""
    result = process.moves(small, min_cases=2)
    assert result.table.set_index("activity")["hand_offs_per_visit"].to_dict() == pytest.approx(
        {"New": 1 / 3, "Wait": 0.0, "Work": 0.0, "Solved": 1 / 3, "Closed": 0.0}
    )
    assert result.verdict("en") == (
        "“Solved” is the stage that most cases come back to: 50.0% of those that reach it visit it again. "
        "Cases change hands most often after “New”: 0.33 hand-offs per visit."
    )


def test_variants_tell_how_many_ways_hold_most_cases(small: Study) -> None:
    said = process.variants(small).verdict("en")
    assert (
        said
        == "The 3 cases take 3 ways. The commonest has 4 steps and covers 33.3%; 3 variants cover 80% of the cases."
    )


def test_follows_gives_the_share_of_the_exits(small: Study) -> None:
    """Work is left five times: to Solved three times, to Wait once; case 3 is still in it."""
    table = process.follows(small).table.set_index(["from_activity", "to_activity"])
    assert table.at[("Work", "Solved"), "n"] == 3
    assert table.at[("Work", "Solved"), "from_share"] == 0.75


def test_shares_tell_whose_hands_the_time_lies_in(small: Study) -> None:
    """Before the resolve 28 hours of work and queue, 24 hours of waiting for the customer."""
    said = process.shares(small).verdict("en")
    assert "79.7% of all recorded time" in said
    assert "53.8% lies in the team’s own hands and 46.2% waits" in said


def test_focus_puts_the_teams_own_stages_first_and_names_a_longer_one(small: Study) -> None:
    result = process.focus(small)
    assert result.table["own"].tolist() == [True, True, False]
    assert [s.key for s in result.sentences()] == ["process.focus.own", "process.focus.others"]


def test_what_happened_after_as_of_has_not_happened(tmp_path: Path) -> None:
    """Twenty hours in, case 1 is solved and cases 2 and 3 are open in Wait and Work."""
    study = event_study(tmp_path / "s", events(LOG), ROLES, as_of="2026-01-04T20:00:00Z")
    table = process.stages(study).table.set_index("activity")
    assert table["open"].to_dict() == {"New": 0, "Work": 1, "Wait": 1, "Solved": 1}
    assert row(process.resolution(study), "moment", "first_resolve")["open"] == 2


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_study_without_events_is_told_what_it_needs(name: str, tmp_path: Path, lang: str) -> None:
    """A notebook must run to its end: the answer is a Result with a picture, never an exception."""
    result = QUESTIONS[name](event_study(tmp_path / "s", None))
    assert isinstance(result, NotAnswerable)
    assert "events.case_id" in result.verdict(lang)
    assert result.figure(lang).png.startswith(b"\x89PNG")
    assert words.say(f"process.question.{name}", lang) in result.verdict(lang)


@pytest.mark.parametrize("name", QUESTIONS)
def test_events_that_all_lie_after_as_of_are_no_events(name: str, tmp_path: Path) -> None:
    assert isinstance(QUESTIONS[name](event_study(tmp_path / "s", events(LOG), ROLES, "2025-12-31")), NotAnswerable)


def test_without_roles_the_rest_is_answered_and_says_what_it_lacks(tmp_path: Path) -> None:
    study = event_study(tmp_path / "s", events(LOG))
    for name in ("resolution", "reopens"):
        result = QUESTIONS[name](study)
        assert isinstance(result, NotAnswerable)
        assert "study.toml: [process] resolved" in result.verdict("en")
    stages = process.stages(study)
    assert [note.key for note in stages.notes[:2]] == ["process.note.no_closed", "process.note.no_resolved"]
    assert stages.table["open"].sum() == 0
    assert stages.sentences()[0].key == "process.stages.most"
    assert process.shares(study).table["time_part"].unique().tolist() == ["whole"]


def test_a_role_whose_activities_never_occur_is_no_role(tmp_path: Path) -> None:
    study = event_study(tmp_path / "s", events(LOG), 'resolved = ["Sloved"]\n')
    assert isinstance(process.resolution(study), NotAnswerable)


def test_without_people_or_teams_hand_offs_are_not_answerable(tmp_path: Path) -> None:
    result = process.handoffs(event_study(tmp_path / "s", events("1:A@0 1:B@1")))
    assert isinstance(result, NotAnswerable)
    assert "events.resource, events.team" in result.verdict("en")
    stages = process.stages(event_study(tmp_path / "t", events("1:A@0 1:B@1")))
    assert stages.table["hand_offs_per_visit"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("log", ["1:A@0", "1:A@0 1:A@0 1:A@0", "1:A@0/x 2:A@0/x", "1:Closed@0 1:Closed@1"])
def test_tiny_logs_answer_everything_and_draw(log: str, tmp_path: Path, lang: str) -> None:
    """One event; one case of ties; cases of one event; nothing but closes."""
    study = event_study(tmp_path / "s", events(log), ROLES)
    for question in QUESTIONS.values():
        result = question(study)
        assert result.verdict(lang)
        assert result.figure(lang).png
        json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_answer_speaks_the_language_with_the_same_numbers(name: str, small: Study, lang: str) -> None:
    """Codes and values do not depend on the language; Arabic and Persian sentences hold no English word."""
    result = QUESTIONS[name](small)
    words.use(lang)
    shown = result._repr_html_(lang)
    words.use("en")
    assert 'class="cx-verdict"' in shown
    assert result.to_dict() == QUESTIONS[name](small).to_dict()
    kept = {
        *[
            "New",
            "Work",
            "Wait",
            "Solved",
            "Closed",
            "study",
            "toml",
            "process",
            "stages",
            "resolved",
            "closed",
            "touch",
            "queue",
            "customer",
            "vendor",
            "or",
            "after",
        ]
    }
    latin = set(re.findall("[A-Za-z]{2,}", " ".join([result.verdict(lang), *(n.text(lang) for n in result.notes)])))
    assert lang == "en" or latin <= kept
    heads = re.findall("<th[^>]*>([^<]*)</th>", shown)
    assert not any(re.fullmatch("[a-z_]+_[a-z_]+", head) for head in heads), heads


@pytest.mark.parametrize("name", sorted(QUESTIONS.keys() - {"focus", "moves"}))
def test_every_figure_draws_without_a_warning_and_turns_with_the_reader(
    name: str, small: Study, lang: str, recwarn: pytest.WarningsRecorder
) -> None:
    result = QUESTIONS[name](small)
    if isinstance(result, NotAnswerable) or (name == "timers" and result.table.empty):
        return
    ax = result.plot(Figure().add_subplot(), lang)
    turned = name not in {"audit", "resolution", "timers"} and lang != "en"
    assert ax.xaxis_inverted() == turned
    result.figure(lang)
    assert [str(w.message) for w in recwarn] == []


# --- timers -----------------------------------------------------------------------------------------------------------


def test_a_timer_of_the_clock_is_found_and_ordinary_work_is_not() -> None:
    """400 closings 96 h after the solve, at the next full hour; solving itself takes log-normal time."""
    rng = np.random.default_rng(7)
    work = rng.lognormal(2.5, 1.2, 400)
    closing = np.ceil(work + 96)
    rows = [
        (str(i), activity, START + pd.Timedelta(hours=float(h)))
        for i, (w, c) in enumerate(zip(work, closing, strict=True))
        for activity, h in (("New", 0.0), ("Solved", w), ("Closed", c))
    ]
    frame = pd.DataFrame(rows, columns=["case_id", "activity", "at"])
    table, seconds = timer_table(event_log(frame))
    rules = {(r["from_activity"], r["to_activity"]): r["timer_rule"] for r in table.to_dict("records")}
    assert rules == {("Solved", "Closed"): "clock", ("New", "Solved"): "none"}
    assert len(seconds[0]) == 400


def test_a_timer_that_runs_once_a_day_has_a_floor() -> None:
    """Finding 1 of the method notes: two thirds end in the eighth day, nearly none in the seventh, the rest at once."""
    rng = np.random.default_rng(3)
    days = np.concatenate([7 + rng.random(640), rng.random(360)])
    assert concentration(days * 86_400).rule(0.3) == "day"
    spread = np.concatenate([7 + rng.random(640), 6 + rng.random(100), rng.random(260)])
    assert concentration(spread * 86_400).rule(0.3) == "none"


def test_short_steps_and_rare_ones_are_no_timers() -> None:
    """Seconds are people clicking, and 299 visits are too few to judge."""
    assert concentration(np.full(500, 20.0)).rule(0.3) == "none"
    table, _ = timer_table(log_of(" ".join(f"{i}:A@0 {i}:B@15" for i in range(299))))
    assert table.empty


def test_the_timer_is_named_where_the_times_are_read(tmp_path: Path) -> None:
    log = " ".join(f"{i}:New@{i} {i}:Solved@{i + i % 9 + 1} {i}:Closed@{i + i % 9 + 97}" for i in range(300))
    study = event_study(tmp_path / "s", events(log), ROLES)
    assert "The step Solved → Closed runs by an administrative timer." in process.resolution(study).verdict("en")
    found = process.timers(study)
    assert isinstance(found, Timers)
    assert found.found["to_activity"].tolist() == ["Closed"]


# --- audit ------------------------------------------------------------------------------------------------------------


def level(study: Study, check: str) -> tuple[float, str]:
    """Number and level of one check."""
    found = row(process.audit(study), "audit_check", check)
    return float(str(found["n"])), str(found["audit_level"])


def test_an_extract_cut_by_when_cases_ended_is_refused(tmp_path: Path) -> None:
    """200 cases begin over 100 days and all end in days 100 to 110; the same cases ending 5 days later each pass."""
    cut = " ".join(f"{i}:New@{i * 12} {i}:Closed@{2400 + i % 240}" for i in range(200))
    fair = " ".join(f"{i}:New@{i * 12} {i}:Closed@{i * 12 + 120}" for i in range(200))
    refused = process.audit(event_study(tmp_path / "cut", events(cut), ROLES))
    assert isinstance(refused, Audit)
    assert refused.level == "refuse"
    assert "it was cut by when cases ended" in refused.verdict("en")
    stages = process.stages(event_study(tmp_path / "cut_too", events(cut), ROLES))
    assert stages.notes[0].key == "process.note.chosen_by_end"
    assert level(event_study(tmp_path / "fair", events(fair), ROLES), "extract_window")[1] == "pass"


def test_repeats_in_source_and_in_events_are_told_once(tmp_path: Path) -> None:
    """The intake counted one whole row twice; its event is the one that repeats another."""
    folder = tmp_path / "s"
    study = event_study(folder, events("1:A@0.5/x 1:A@0.5/x 1:B@1/x"))
    gate = {"rule": "duplicate_rows", "table": "events", "severity": "warn", "columns": [], "n": 1, "base": 3}
    gate |= {"share": 1 / 3, "rows": [3], "file": None, "params": {}}
    account = {"gate": {"level": "warn", "findings": [gate]}}
    (folder / "tables" / "intake.json").write_text(json.dumps(account), encoding="utf-8")
    assert level(study, "repeated_events") == (1.0, "note")
    again = process.audit(type(study)(**{**vars(study), "intake": account}))
    assert [n.key for n in again.notes] == ["process.audit.note.source_repeats"]
    assert row(again, "audit_check", "source_repeats")["n"] == 1


def test_the_order_of_ties_matters_until_a_column_settles_it(tmp_path: Path) -> None:
    frame = events("1:A@0 1:B@1 1:C@1 2:A@0 2:B@1")
    assert level(event_study(tmp_path / "a", frame, ROLES), "tie_order") == (1.0, "note")
    assert level(event_study(tmp_path / "b", frame.assign(order_no=[1, 2, 3, 1, 2]), ROLES), "tie_order") == (
        1.0,
        "pass",
    )


def test_days_instead_of_moments_are_noticed_on_the_studys_own_clock(tmp_path: Path) -> None:
    """Midnight in Riyadh is 21:00 UTC."""
    folder = tmp_path / "s"
    event_study(folder, events("1:A@21 1:B@45 2:A@69 2:B@100"), ROLES)
    settings = (folder / "study.toml").read_text("utf-8").replace('"UTC"', '"Asia/Riyadh"')
    (folder / "study.toml").write_text(settings, encoding="utf-8")
    from cxkit.study import open_study

    assert level(open_study(folder), "midnight") == (3.0, "note")


def test_the_audit_counts_cases_that_begin_and_end_by_month(small: Study) -> None:
    found = process.audit(small)
    assert isinstance(found, Audit)
    assert found.months.to_dict("list") == {"month": [START.date().replace(day=1)], "starts": [3], "ends": [2]}
    assert found.verdict("en").endswith("with 5 activities and 3 variants, from 4 January 2026 to 9 January 2026.")
