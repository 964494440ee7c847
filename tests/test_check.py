"""Notebook 00: what was read, what contradicts itself, how far the data reach, and what they can answer."""

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

import cxkit as cx
from cxkit import check, process
from cxkit.lang import LANGS, prose
from cxkit.result import Result
from cxkit.study import Study, new_study, open_study

NOTEBOOK = "00_check_data"
HOUR = pd.Timedelta(hours=1)
RESULTS = (
    check.files,
    check.left_out,
    check.gate,
    check.columns,
    check.span,
    check.orders,
    check.kpis,
    check.questions,
    check.provenance,
)


def times(start: str, n: int, every: str) -> pd.Series:
    return pd.Series(pd.date_range(start, periods=n, freq=every).astype("datetime64[us]"))


def some_tickets(n: int = 600, every: str = "7h", start: str = "2025-01-01 08:07") -> pd.DataFrame:
    opened = times(start, n, every)
    return pd.DataFrame(
        {
            "ticket_id": [f"T{i}" for i in range(n)],
            "opened_at": opened,
            "first_replied_at": opened + HOUR,
            "first_solved_at": opened + 2 * HOUR,
            "channel": ["email", "phone", "chat"] * (n // 3) + ["email"] * (n % 3),
        }
    )


def a_study(folder: Path, settings: str = "", **tables: pd.DataFrame) -> Study:
    """A study whose tables were laid there by hand."""
    (folder / "tables").mkdir(parents=True)
    (folder / "study.toml").write_text('time_zone = "Asia/Riyadh"\n' + settings, encoding="utf-8")
    for name, table in tables.items():
        table.to_parquet(folder / "tables" / f"{name}.parquet", index=False)
    return open_study(folder)


EVENTS = pd.DataFrame({"case_id": ["1", "1", "2"], "activity": ["a", "b", "a"], "at": times("2025-03-01", 3, "5h")})
CALLS = pd.DataFrame({"call_id": ["1", "2"], "arrived_at": times("2025-03-01", 2, "5h"), "wait_seconds": [3.0, None]})
SURVEYS = pd.DataFrame({"response_id": ["1", "2"], "sent_at": times("2025-03-01", 2, "5h")})
ANSWERS = pd.DataFrame({"response_id": ["1"], "item": ["csat"], "value": [4.0]})
AGENTS = pd.DataFrame({"agent_id": ["1"], "started_on": pd.to_datetime(["2025-01-01"])})
THIN = {
    "only events": {"events": EVENTS},
    "only calls": {"calls": CALLS},
    "only surveys": {"surveys": SURVEYS, "survey_answers": ANSWERS},
    "only agents": {"agents": AGENTS},
    "two tickets": {"tickets": some_tickets(2)},
    "tickets without times": {"tickets": some_tickets(5)[["ticket_id", "opened_at"]]},
    "an empty table": {"tickets": some_tickets(0), "calls": CALLS},
}


def spoken(result: Result, lang: str) -> str:
    """Everything that a reader of the result can read."""
    cx.use(lang)
    try:
        return json.dumps(result._repr_mimebundle_(), ensure_ascii=False)
    finally:
        cx.use("en")


# --- whatever the data, there is a printed answer ---


@pytest.mark.slow
@pytest.mark.parametrize("tables", THIN.values(), ids=THIN.keys())
def test_every_check_answers_whatever_tables_there_are(tables: dict[str, pd.DataFrame], tmp_path: Path, lang: str):
    study = a_study(tmp_path / "s", **tables)
    for make in (*RESULTS, process.audit, process.timers):
        result = make(study)
        assert result.verdict(lang).strip(), make.__name__
        assert spoken(result, lang)
        if lang == "ar":
            assert result.figure(lang).png


@pytest.mark.slow
def test_every_picture_is_drawn_in_every_language(tmp_path: Path, lang: str):
    tickets = some_tickets()
    tickets.loc[:9, "first_replied_at"] = tickets["opened_at"] - HOUR
    study = a_study(tmp_path / "s", tickets=tickets, calls=CALLS)
    for make in (check.columns, check.span, check.orders, check.kpis):
        assert make(study).figure(lang).alt == make(study).verdict(lang)


def test_numbers_are_the_same_in_every_language(tmp_path: Path):
    study = a_study(tmp_path / "s", tickets=some_tickets(), events=EVENTS)
    for make in RESULTS:
        result = make(study)
        told = {json.dumps(result.to_dict(), default=str) for lang in LANGS if spoken(result, lang)}
        assert len(told) == 1


HOSTILE = ["<script>alert(1)</script>", "=1+cmd|'/c calc'!A1", "ali@example.com", "\u202eevil", "{n, plural}"]


def test_nothing_that_stands_in_a_cell_is_ever_shown(tmp_path: Path, lang: str):
    text = (HOSTILE * 120)[:600]
    tickets = some_tickets().assign(subject=text, tags=text, team=text, channel=text, status=text, customer_id=text)
    tickets.loc[0, "first_replied_at"] = tickets.loc[0, "opened_at"] - HOUR
    study = a_study(tmp_path / "s", tickets=tickets)
    shown = "".join(spoken(make(study), lang) for make in RESULTS)
    for value in HOSTILE:
        assert value not in shown


# --- what was read and left out ---

CSV = """Case ID,Activity,Complete Timestamp,Note
1,Open,2025/03/01 08:00:00,x
1,Closed,2025/03/02 08:00:00,x
,Open,2025/03/03 08:00:00,x
2,Open,2025/03/04 08:00:00,x
2,Open,2025/03/04 08:00:00,x
""" + "".join(f"{i},Open,2025/03/05 08:{i}:00,x\n" for i in range(10, 45))


@pytest.fixture
def read_study(tmp_path: Path) -> Study:
    """Forty records: one without its case, one that repeats another, one column that nothing is made of."""
    (tmp_path / "log.csv").write_text(CSV, encoding="utf-8")
    return open_study(new_study("desk", [tmp_path / "log.csv"], into=tmp_path / "data", time_zone="Asia/Tehran"))


def test_records_read_are_records_kept_and_left_out(read_study: Study):
    files = check.files(read_study)
    assert files.table[["records", "kept", "left_out"]].to_numpy().tolist() == [[40, 39, 1]]
    assert files.verdict("en").startswith("1 file was read: 40 records, 39 kept, 1 left out.")
    assert files.table["time_zone"].tolist() == ["Asia/Tehran"]
    assert any("Note" in note.text("en") for note in files.notes)


def test_what_was_left_out_is_named_with_its_rule_and_row(read_study: Study):
    """The record without a case is row 4 of the spreadsheet."""
    out = check.left_out(read_study).table
    assert out[["drop_rule", "n"]].to_numpy().tolist() == [["required_empty", 1]]
    assert list(out["first_rows"][0]) == [4]


def test_the_gate_of_the_notebook_is_the_gate_of_the_intake(read_study: Study):
    gate = check.gate(read_study)
    assert gate.found.to_dict() == read_study.intake["gate"]
    assert set(gate.table["rule"]) >= {"required_empty", "duplicate_rows"}
    assert gate.table.set_index("rule").loc["duplicate_rows", "n"] == 1


def test_the_command_line_tells_the_same_account(read_study: Study):
    lines = check.account_lines(read_study.path)
    assert lines[0] == "exports/log.csv: 40 records read as “event_log”, 39 kept."
    assert any("1 record left out" in line for line in lines)


# --- what contradicts itself ---


def test_impossible_orders_agree_with_pandas_and_kept_ones_are_shown_too(tmp_path: Path):
    tickets = some_tickets()
    tickets.loc[:39, "first_replied_at"] = tickets["opened_at"] - HOUR
    tickets.loc[100:, "first_solved_at"] = pd.NaT
    orders = check.orders(a_study(tmp_path / "s", tickets=tickets)).table.set_index("order_rule")
    assert (tickets["first_replied_at"] < tickets["opened_at"]).sum() == 40
    assert orders.loc["replied_before_opened", ["n", "base", "order_verdict"]].tolist() == [40, 600, "many"]
    assert orders.loc["solved_before_reply", ["n", "base", "order_verdict"]].tolist() == [0, 100, "kept"]
    assert len(orders) == 3


def test_the_share_above_which_the_gate_stops_is_the_one_of_the_contract(tmp_path: Path):
    tickets = some_tickets(100)
    tickets.loc[:4, "first_replied_at"] = tickets["opened_at"] - HOUR
    study = a_study(tmp_path / "s", tickets=tickets)
    verdicts = check.orders(study).table.set_index("order_rule")["order_verdict"]
    assert verdicts["replied_before_opened"] == "some"
    assert check.gate(study).level == "warn"


# --- how far it reaches ---


def test_columns_are_full_partly_filled_empty_or_absent(tmp_path: Path):
    tickets = some_tickets().assign(closed_at=pd.Series(pd.NaT, index=range(600), dtype="datetime64[us]"))
    tickets.loc[:299, "first_solved_at"] = pd.NaT
    table = check.columns(a_study(tmp_path / "s", tickets=tickets)).table.set_index("column")
    assert table.loc["opened_at", ["fill", "n"]].tolist() == ["full", 600]
    assert table.loc["first_solved_at", ["fill", "share"]].tolist() == ["partly", 0.5]
    assert table.loc["closed_at", "fill"] == "empty"
    assert table.loc["team", "fill"] == "absent"


def test_a_missing_and_a_halved_month_stand_out_and_a_begun_one_does_not(tmp_path: Path):
    """One ticket in seven hours, from the middle of January: April is taken out, of June only every third is left."""
    tickets = some_tickets(1000, start="2025-01-15 08:07")
    month = (tickets["opened_at"] + 3 * HOUR).dt.month  # in Riyadh
    tickets = tickets[(month != 4) & ((month != 6) | (np.arange(1000) % 3 == 0))]
    span = check.span(a_study(tmp_path / "s", tickets=tickets))
    states = span.table.set_index("month")["month_state"]
    january_to_november = "partial usual usual gap usual low usual usual usual usual partial"
    assert states.tolist() == january_to_november.split()
    assert "2 months stand out, most of all April 2025" in span.verdict("en")
    assert span.table["n"].sum() == len(tickets)


def test_months_follow_the_clock_and_the_calendar_of_the_study(tmp_path: Path):
    """Nowruz 1404 began on 21 March 2025, 00:00 in Tehran, which is 20:30 UTC the day before."""
    tickets = some_tickets(2).assign(opened_at=pd.to_datetime(["2025-03-20 20:29", "2025-03-20 20:30"]))
    settings = '[calendar]\nmonths = "jalali"\n'
    folder = tmp_path / "s"
    a_study(folder, settings, tickets=tickets)
    text = (folder / "study.toml").read_text("utf-8").replace("Asia/Riyadh", "Asia/Tehran")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    months = check.span(open_study(folder)).table
    assert [str(day) for day in months["month"]] == ["2025-02-19", "2025-03-21"]
    assert months["n"].tolist() == [1, 1]


def test_rows_after_as_of_are_noted_and_not_counted(tmp_path: Path):
    a_study(tmp_path / "s", tickets=some_tickets())
    early = open_study(tmp_path / "s", as_of="2025-02-28")
    span = check.span(early)
    opened = some_tickets()["opened_at"]
    assert span.table["n"].sum() == (opened <= early.as_of).sum()
    assert [note.params["n"] for note in span.notes if "table" in note.params] == [(opened > early.as_of).sum()]


# --- what can be answered ---


def test_kpis_without_their_columns_name_what_they_need(tmp_path: Path, lang: str):
    """With openings, replies and solves alone: how long, how many, how many wait."""
    kpis = check.kpis(a_study(tmp_path / "s", tickets=some_tickets()))
    table = kpis.table.set_index("kpi")
    carried = ["first_reply_time", "resolution_time", "volume", "solved_volume", "backlog", "self_service_rate"]
    assert table.index[table["carried"] == "yes"].tolist() == carried
    assert table.index[table["carried"] == "empty"].tolist() == ["backlog_age"]  # all of them are solved
    assert table.loc["first_reply_time_business", "needs"] == ("study.toml: calendar.hours",)
    assert table.loc["csat", "needs"] == ("surveys", "survey_answers")
    assert table.loc["volume", "n"] == 600
    assert "first_reply_time" not in kpis.verdict(lang)


def test_a_finding_on_the_columns_of_a_question_asks_for_care(tmp_path: Path):
    tickets = some_tickets()
    tickets.loc[0, "first_replied_at"] = tickets.loc[0, "opened_at"] - HOUR
    table = check.questions(a_study(tmp_path / "s", tickets=tickets)).table.set_index("data_question")
    assert table.loc["waiting", "carried"] == "care"
    assert table.loc["channels", "carried"] == "yes"
    assert table.loc["queue", ["carried", "needs"]].tolist() == ["no", ("calls",)]


def test_every_question_names_columns_of_the_contract():
    from cxkit.check.questions import QUESTIONS
    from cxkit.contract import load

    for needs in QUESTIONS.values():
        for need in (choice for entry in needs for choice in entry.split("|")):
            table, _, column = need.partition(".")
            assert column in load().tables[table].columns


# --- the notebook ---


@pytest.mark.slow
@pytest.mark.parametrize(
    "tables", [{"tickets": some_tickets(), "events": EVENTS}, {"calls": CALLS}], ids=["desk", "calls"]
)
def test_the_notebook_runs_on_any_study_in_every_language(
    tables: dict[str, pd.DataFrame], tmp_path: Path, lang: str, root: Path
):
    study = a_study(tmp_path / "s", **tables)
    notebook = nbformat.read(root / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    names: dict[str, object] = {}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", []):
            names |= {"study": str(study.path), "lang": lang}
    cx.use("en")
    assert isinstance(names["gate"], check.gate(study).__class__)


def test_the_prose_of_the_notebook_is_whole_in_every_language():
    for lang in ("ar", "fa"):
        assert prose.status(NOTEBOOK, lang).complete
