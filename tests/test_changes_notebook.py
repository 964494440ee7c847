"""Notebook 05: it tells the planted changes of the sample, says what other data lack, and counts its looks."""

from __future__ import annotations

import ast
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxkit.changes import Finding, Findings, question
from cxkit.intake import run_intake
from cxkit.lang import LANGS
from cxkit.report import Batch, run
from cxkit.samples import make_sample
from cxkit.study import Study, open_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("changes_notebook")]

NAME = "05_test_changes"
CLAIMS = ("improved", "worsened", "changed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample study as it is made, of 20,000 tickets."""
    made = make_sample(tmp_path_factory.mktemp("sample") / "study")
    run_intake(made)
    return made


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return open_study(folder)


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    planted: dict[str, Any] = tomllib.loads((folder / "truth.toml").read_text("utf-8"))["changes"]
    return planted


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of 1,500 tickets."""
    made = make_sample(tmp_path_factory.mktemp("small") / "study", tickets=1500)
    run_intake(made)
    return made


def report(
    study: Path, out: Path, parameters: dict[str, object] | None = None, langs: tuple[str, ...] = ("en",)
) -> Batch:
    batch = run(study, ["05"], parameters, langs=langs, out=out, progress=False)
    assert batch.exit_code == 0, [result.error for result in batch.failed]
    return batch


def results(batch: Batch, lang: str = "en") -> dict[str, dict[str, Any]]:
    """The first result of each cell."""
    document = json.loads((Path(batch.folder) / lang / f"{NAME}.json").read_text("utf-8"))
    found: dict[str, dict[str, Any]] = {}
    for result in document["results"]:
        found.setdefault(result["cell"], result)
    return found


# --- the notebook as it stands ---


def test_the_notebook_is_short_and_defines_nothing(root: Path) -> None:
    """style-guide.md: 20-35 small cells, one idea each, no `def`; a function worth writing is worth testing."""
    cells = json.loads((root / "notebooks" / f"{NAME}.ipynb").read_text("utf-8"))["cells"]
    assert len(cells) <= 35
    code = [("".join(c["source"]), c["metadata"].get("tags", [])) for c in cells if c["cell_type"] == "code"]
    for source, tags in code:
        body = ast.parse(source).body
        assert not any(isinstance(s, ast.FunctionDef | ast.ClassDef | ast.For | ast.If | ast.Try) for s in body)
        assert len(body) <= 4 or "parameters" in tags


# --- the sample's planted changes ---


@pytest.mark.parametrize(
    ("change", "kpi", "code"),
    [
        ("email_triage", "first_reply_time", "improved"),
        ("chat_closing", "return_rate", "worsened"),
        ("chat_closing", "first_reply_time", "no_evidence"),
        ("web_form", "first_reply_time", "no_evidence"),
    ],
)
def test_the_planted_changes_are_told(study: Study, change: str, kpi: str, code: str) -> None:
    """plan.toml: e-mail is answered a quarter sooner; more chats come back; the web form moves nothing."""
    answer = question(study, kpi, change=change).answer()
    assert isinstance(answer, Finding)
    assert answer.code == code


@pytest.mark.parametrize("change", ["email_triage", "web_form", "chat_closing"])
def test_no_guardrail_is_accused_that_the_change_left_alone(study: Study, truth: dict[str, Any], change: str) -> None:
    """truth.toml lists what each change left unchanged: beside the others none of these is called changed."""
    card = question(study, "first_reply_time", change=change).scorecard()
    assert isinstance(card, Findings)
    accused = {kpi for kpi, code in card.codes.items() if code in CLAIMS and kpi != card.primary}
    assert not accused & set(truth[change]["unchanged"])


def test_a_change_that_is_still_to_come_is_planned_and_not_judged(study: Study) -> None:
    asked = question(study, change="whatsapp")
    assert "“WhatsApp joins the inbox” is still to come: there is no “after” yet." in plain(asked.verdict("en"))
    assert asked.answer().verdict("en") == "No question could be put (see above), so there is nothing to tell here."
    assert len(asked.plan().table) > 3


def test_of_many_changes_the_latest_in_force_is_asked_about(study: Study) -> None:
    asked = question(study)
    assert asked.table.loc[asked.table["asked"], "change_id"].tolist() == ["email_triage"]
    assert asked.table["state"].tolist() == ["past", "past", "past", "planned"]


def test_a_margin_makes_the_same_of_what_was_only_not_shown(study: Study) -> None:
    """The same data without and with a margin: too little said, and shown to be the same."""
    bare = question(study, "first_reply_time", change="web_form").answer()
    told = question(study, "first_reply_time", change="web_form", margin="20 min")
    assert (bare.code, told.answer().code) == ("no_evidence", "equivalent")  # type: ignore[attr-defined]
    said = plain(told.ruled_out().verdict("en"))
    assert said.startswith("Shown to be the same, or not worse, by the margin: First response time.")


def test_several_names_are_told_with_commas_of_either_script(study: Study) -> None:
    """The front desk takes texts; guardrails are read in their order, each with its own margin."""
    told = {"guardrails": "csat, fcr، escalation", "guard_margins": "csat=0.2, escalation=0.1"}
    card = question(study, "first_reply_time", change="web_form", **told).scorecard()  # type: ignore[arg-type]
    assert isinstance(card, Findings)
    assert list(card.codes) == ["first_reply_time", "csat", "fcr", "escalation"]
    assert [card[kpi].margin for kpi in ("csat", "fcr", "escalation")] == [0.2, None, 0.1]
    assert card.codes["csat"] == card.codes["escalation"] == "equivalent"


def test_units_of_whom_some_got_the_change_are_held_against_the_others(study: Study) -> None:
    """Agents one by one: their cases are collapsed to one change each, and the two kinds of agents compared."""
    agents = ", ".join(sorted(study.frame("agents", ["agent_id"])["agent_id"])[:10])
    found = question(study, "resolution_time", change_on="2026-02-01", unit="agent_id", units=agents).beside()
    assert isinstance(found, Finding)
    assert (found.design.id, found.design.names) == ("did", ("without", "with"))
    assert found.code not in CLAIMS


def test_the_ways_of_asking_are_held_together(study: Study) -> None:
    """Both sides and the series see the triage; the difference to the other channels is less sure, and says so."""
    ways = question(study, "first_reply_time", change="email_triage").ways()
    assert ways.table["way"].tolist() == ["sides", "series", "beside"]
    assert ways.table["value"].lt(0).all()
    assert ways.sentences()[1].key in ("changes.ways.agree", "changes.ways.first_only")


def plain(text: str) -> str:
    """Words without the marks that keep numbers in their places."""
    return text.translate({ord(c): None for c in "\u2066\u2067\u2068\u2069\u200e\u200f\u061c"})


# --- the report ---


@pytest.fixture(scope="module")
def batch(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return report(
        small, tmp_path_factory.mktemp("out") / "reports", {"change": "chat_closing", "margin": "0.02"}, LANGS
    )


def test_the_three_languages_say_the_same_numbers(batch: Batch) -> None:
    """Verdicts are codes with parameters: without words the three documents are one."""
    bare = [
        [{k: v for k, v in r.items() if k not in ("lang", "verdict_text", "notes_text")} for r in found.values()]
        for found in (results(batch, lang) for lang in LANGS)
    ]
    assert len(bare[0]) == 12
    assert bare[0] == bare[1] == bare[2]


def test_a_report_holds_no_key_without_words(batch: Batch) -> None:
    for lang in LANGS:
        page = (Path(batch.folder) / lang / f"{NAME}.html").read_text("utf-8")
        assert not re.search(r"\b(changes|error|column|parameter)\.[a-z_]+\.[a-z_]+", page)


def test_a_study_without_a_list_of_changes_says_so_and_plans(small: Path, tmp_path: Path) -> None:
    bare = copied(small, tmp_path, without=("changes",))
    found = results(report(bare, tmp_path / "reports"))
    assert found["question"]["verdict"][0]["code"] == "error.asked_no_change"
    assert found["answer"]["verdict"][0]["code"] == "changes.asked.nothing"
    assert found["plan"]["result"] == "Plan"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"group": "colour"}, "error.group_unknown"),
        ({"change": "web_from"}, "error.changes_no_change"),
        ({"change_on": "soon"}, "error.changes_moment"),
        ({"margin": "a little"}, "error.study_duration"),
        ({"group": "language"}, "error.changes_many_groups"),
        ({"table": "nowhere.csv", "outcome": "solved"}, "error.own_missing"),
    ],
)
def test_a_slip_at_the_front_desk_is_named(small: Path, parameters: dict[str, Any], code: str) -> None:
    """No part fails; the question itself says what was wrong, and the rest stays quiet."""
    asked = question(open_study(small), **parameters)
    assert [s.key for s in asked.sentences() if s.key.startswith("error.")] == [code] or (
        asked.answer().sentences()[0].key == code
    )
    for way in ("audit", "answer", "scorecard", "ruled_out", "trend", "beside", "segments", "decompose", "ways"):
        assert getattr(asked, way)().verdict("fa")


def test_two_tickets_run_to_the_end(tmp_path: Path) -> None:
    """A study with hardly any data: every cell answers, and none claims anything."""
    made = tmp_path / "two"
    (made / "tables").mkdir(parents=True)
    (made / "study.toml").write_text('name = "two"\ntime_zone = "Asia/Riyadh"\n', "utf-8")
    opened = pd.to_datetime(["2026-01-02 10:00", "2026-03-02 10:00"]).astype("datetime64[us]")
    told = {"ticket_id": ["1", "2"], "channel": "email", "opened_at": opened, "first_reply_at": opened}
    pd.DataFrame(told).to_parquet(made / "tables" / "tickets.parquet")
    found = results(report(made, tmp_path / "reports", {"change_on": "2026-02-01"}))
    assert found["answer"].get("code", "invalid") == "invalid"


# --- a table of one's own ---


@pytest.fixture(scope="module")
def pilot(small: Path) -> str:
    """Two groups of 400 cases of 20 agents each, in which 60% and 72% are solved, as a CSV beside the study."""
    rows = pd.DataFrame({"way": ["old", "new"] * 400, "agent": [f"a{i % 40}" for i in range(800)]})
    rows["solved"] = [(i // 2) % 25 < (15 if i % 2 == 0 else 18) for i in range(800)]
    rows["minutes"] = [30 + i % 7 for i in range(800)]
    rows.to_csv(small / "pilot.csv", index=False)
    return "pilot.csv"


def test_any_table_of_two_groups_is_answered(small: Path, pilot: str, tmp_path: Path) -> None:
    """15 and 18 of every 25: shares of 60% and 72%, twelve points apart, by hand."""
    told = {"table": pilot, "outcome": "solved", "group": "way", "baseline": "old", "cluster": "agent"}
    found = results(report(small, tmp_path / "reports", told))
    answer = found["answer"]
    assert answer["code"] == "improved"
    assert answer["effects"][0]["found"]["value"] == pytest.approx(0.12, abs=1e-9)
    assert answer["design"]["names"] == ["old", "new"]
    assert found["scorecard"]["verdict"][0]["code"] == "changes.asked.alone"
    assert found["trend"]["verdict"][0]["code"] == "changes.asked.no_day"


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"outcome": ""}, "own_outcome"),
        ({"outcome": "sloved"}, "measure_no_column"),
        ({"outcome": "way", "kind": "amount"}, "own_numbers"),
        ({"outcome": "solved", "kind": "yesno"}, "own_kind"),
        ({"outcome": "solved", "group": ""}, "asked_nothing"),
        ({"outcome": "solved", "group": "", "change_on": "2026-01-01", "dated": "way"}, "own_dates"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_name(small: Path, pilot: str, told: dict[str, str], code: str) -> None:
    asked = question(open_study(small), **{"table": pilot, "group": "way", **told})
    assert asked.why_not is not None
    assert asked.why_not.code == code


# --- looks ---


def test_a_second_scheduled_run_is_a_second_look_with_wider_limits(small: Path, tmp_path: Path) -> None:
    """The first report asks once; a later one finds it in the manifest, and its limits hold at any number of looks."""
    out, told = tmp_path / "reports", {"change": "email_triage", "kpi": "first_reply_time"}
    early = results(report(small, out, {**told, "as_of": "2026-05-31"}))
    again = results(report(small, out, {**told, "as_of": "2026-05-31"}, ("en", "fa")))
    late = report(small, out, told)
    second = results(late)
    assert early["answer"]["look"] is None and again["answer"]["look"] is None
    assert second["answer"]["look"]["number"] == 2
    assert second["looks"]["verdict"][0]["code"] == "changes.looks.unplanned"
    assert [row[0] for row in second["looks"]["table"]["rows"]] == [1, 2]
    single = question(open_study(small), **told).answer()  # type: ignore[arg-type]
    assert isinstance(single, Finding)
    assert single.effect is not None
    widths = [f["high"] - f["low"] for f in (second["answer"]["effects"][0]["found"], single.effect.found._asdict())]
    assert widths[0] > widths[1] * 1.2
    record = json.loads((Path(late.folder) / "manifest.json").read_text("utf-8"))
    assert [look["number"] for entry in record["reports"] for look in entry["looks"]] == [2]


def test_planned_looks_are_counted_and_end(small: Path, tmp_path: Path) -> None:
    """Two looks planned: the first is look 1 of 2, the second 2 of 2, and a third is refused."""
    out, told = tmp_path / "reports", {"change": "email_triage", "kpi": "first_reply_time", "looks": 2}
    days = ("2026-04-30", "2026-05-31", "2026-06-30")
    found = [results(report(small, out, {**told, "as_of": day})) for day in days]
    assert [f["looks"].get("look", {}).get("number") for f in found[:2]] == [1, 2]
    assert found[2]["answer"]["verdict"][0]["code"] == "error.looks_over"


def test_a_report_made_over_an_earlier_one_does_not_forget_its_look(small: Path, tmp_path: Path) -> None:
    """Reports of one period folder replace each other; what was looked at stays counted."""
    out, told = tmp_path / "reports", {"change": "email_triage", "kpi": "first_reply_time"}
    for day in ("2026-05-31", "2026-06-30"):
        batch = run(small, ["05"], {**told, "as_of": day}, langs="en", out=out, period="latest", progress=False)
    entry = json.loads((Path(batch.folder) / "manifest.json").read_text("utf-8"))["reports"][0]
    assert [look["number"] for look in entry["looks"]] == [1, 2]


def copied(study: Path, folder: Path, without: tuple[str, ...]) -> Path:
    """A copy of a study without some of its exports and tables."""
    made = Path(shutil.copytree(study, folder / "study"))
    for name in without:
        (made / "tables" / f"{name}.parquet").unlink()
        settings = (made / "study.toml").read_text("utf-8")
        block = f'[[export]]\nfile = "exports/{name}.csv"\nmapping = "{name}"\n'
        assert block in settings
        (made / "study.toml").write_text(settings.replace(block, ""), "utf-8")
    return made
