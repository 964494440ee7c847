"""A study is read whole or not at all; what one table knows and another lacks is worked out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cxkit.errors import CxkitError, IntakeError
from cxkit.intake import examine, run_intake
from tests.exports import FOLDER, MAPPINGS, PROCESS, export_study

ALL = tuple(name for name in MAPPINGS if "zendesk_tickets_" not in name)


def bytes_of(study: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((study / "tables").iterdir())}


def test_all_tables_are_written_with_the_types_of_the_contract(tmp_path):
    study = export_study(tmp_path, *ALL, more=PROCESS)
    account = run_intake(study)
    assert dict(account.tables) == {
        "tickets": 9, "events": 9, "messages": 5, "surveys": 4, "survey_answers": 13, "calls": 9,
        "customers": 4, "agents": 3, "orders": 4, "qa_reviews": 3, "kb_sessions": 3, "costs": 4, "priority_changes": 4,
        "changes": 2,
    }  # fmt: skip
    schema = pq.read_schema(study / "tables" / "tickets.parquet")
    kinds = {name: str(schema.field(name).type) for name in ("ticket_id", "opened_at", "reopens", "escalated")}
    assert kinds == {"ticket_id": "string", "opened_at": "timestamp[us]", "reopens": "int64", "escalated": "bool"}
    assert not {"source_row", "source_file"} & set(schema.names)
    assert account.span == ("2024-04-30T05:58:00", "2024-05-07T09:00:00")
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_reading_again_gives_the_same_bytes(tmp_path):
    one, two = (export_study(tmp_path / name, *ALL, more=PROCESS) for name in ("one", "two"))
    run_intake(one)
    run_intake(two)
    before = bytes_of(one)
    run_intake(one)
    assert before == bytes_of(one) == bytes_of(two)


def test_solves_and_reopenings_come_from_the_event_log(tmp_path):
    """Ticket 1002 was solved at 20:40, reopened at 04:55 and solved again: by hand from event_log.csv."""
    tables, account = examine(export_study(tmp_path, "zendesk_tickets.csv", "event_log.csv", more=PROCESS))
    tickets = tables["tickets"].to_pandas().set_index("ticket_id")
    assert str(tickets.loc["1002", "reopened_at"]) == "2024-05-02 04:55:00"
    assert tickets["reopened_at"].notna().sum() == 1
    assert str(tickets.loc["1001", "closed_at"]) == "2024-05-03 07:00:00"
    assert [note.text("en") for note in account.derived] == [
        "tickets.reopened_at was worked out from the table events for 1 row.",
        "tickets.closed_at was worked out from the table events for 1 row.",
    ]


def test_a_reopening_in_the_same_second_as_the_solve_is_seen(tmp_path):
    steps = ("1,Reopened,{day},2", "1,Solved,{day},1", "2,Reopened,{day},1", "2,Solved,{day},2")
    log = "\n".join(("case,activity,time,order", *steps)).format(day="2024-01-02")
    tickets = "Id,Created at,Via,Reopens\n1,2024-01-01,Mail,1\n2,2024-01-01,Mail,0\n"
    files = (("t.csv", tickets.encode(), "zendesk_tickets"), ("e.csv", log.encode(), "event_log"))
    found = examine(export_study(tmp_path, *files, more=PROCESS))[0]["tickets"].column("reopened_at").to_pylist()
    assert [at is not None for at in found] == [True, False]


def test_a_survey_without_channel_takes_it_from_its_ticket(tmp_path):
    survey = (FOLDER / "qualtrics_survey.csv").read_text("utf-8-sig").replace(",channel,", ",x,")
    study = export_study(tmp_path, "zendesk_tickets.csv", ("s.csv", survey.encode(), "qualtrics_survey"))
    tables, _ = examine(study)
    assert tables["surveys"].column("channel").to_pylist() == ["email", "web", "chat", "social"]


def test_two_exports_feed_one_table(tmp_path):
    half = (FOLDER / "event_log.csv").read_bytes()
    study = export_study(tmp_path, "event_log.csv", ("more.csv", half.replace(b"\n100", b"\n200"), "event_log"))
    tables, account = examine(study)
    assert len(tables["events"]) == 18
    assert [one.kept for one in account.files] == [9, 9]


def test_records_that_lack_what_is_required_are_left_out_and_counted(tmp_path):
    rows = [f"{i},a,2024-01-{1 + i % 28:02d}" for i in range(100)] + [",a,2024-01-01", "7,b,someday", "Total: 102,,"]
    raw = "case,activity,time\n" + "\n".join(rows)
    tables, account = examine(export_study(tmp_path, ("a.csv", raw.encode(), "event_log")))
    file = account.files[0]
    assert (file.rows, file.kept, len(tables["events"])) == (103, 100, 100)
    assert [(one.rule, one.rows_n, one.first_rows) for one in file.rejected] == [("required_empty", 3, (102, 103, 104))]


def test_of_overlapping_exports_the_newest_version_is_kept_when_the_mapping_says_so(tmp_path):
    head = b"Id,Created at,Via,Reopens,Updated at,Status\n"
    may = head + b"1,2024-05-01,Mail,0,2024-05-02,Open\n2,2024-05-03,Mail,0,2024-05-03,New\n"
    june = head + b"1,2024-05-01,Mail,0,2024-06-02,Closed\n3,2024-06-03,Mail,0,2024-06-03,New\n"
    study = export_study(tmp_path, ("june.csv", june, "own"), ("may.csv", may, "own"))
    (study / "mappings").mkdir()
    own = 'extends = "zendesk_tickets"\n[tables.tickets]\nnewest_by = "updated_at"\n'
    (study / "mappings" / "own.toml").write_text(own, "utf-8")
    account = run_intake(study)
    status = pq.read_table(study / "tables" / "tickets.parquet").select(["ticket_id", "status"]).to_pylist()
    assert sorted((row["ticket_id"], row["status"]) for row in status) == [("1", "closed"), ("2", "new"), ("3", "new")]
    assert [[(one.rule, one.first_rows) for one in file.rejected] for file in account.files] == [
        [],
        [("older_version", (2,))],
    ]


def test_a_gate_that_stops_writes_nothing_and_says_everything(tmp_path):
    tickets = "Id,Via,Reopens,Solved at\n" + "\n".join(f"{i % 4},Mail,0," for i in range(8))
    study = export_study(tmp_path, ("a.csv", tickets.encode(), "zendesk_tickets"))
    with pytest.raises(IntakeError) as caught:
        run_intake(study)
    assert caught.value.exit_code == 3
    assert caught.value.text("en") == (
        "The data are stopped at the gate and nothing was written.\n"
        "- Table “tickets” has no opened_at (when the ticket was opened), and is of no use without it. Name the source "
        "column in the mapping; if the export has none, export it again with that column.\n"
        "- Table “tickets”: 4 of 8 rows repeat the ticket_id of an earlier row and would be counted twice. First rows "
        "of exports/a.csv: 6, 7, 8, 9. Export once without overlap, or let the mapping keep only the newest row of "
        "each key."
    )
    assert "«" in caught.value.text("ar")
    assert not (study / "tables").exists()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["write", "sync", "rename"])
def test_whatever_fails_while_writing_the_old_tables_stay(place, tmp_path, monkeypatch):
    """Every write, every sync and every rename fails once, as on a full disk."""
    study = export_study(tmp_path, *ALL, more=PROCESS)
    run_intake(study)
    before = bytes_of(study)
    (study / "exports" / "agents.csv").write_bytes(
        (FOLDER / "agents.csv").read_bytes() + b"A4,New,Care,1,2024-01-01,,en\n"
    )
    target, name = {"write": (pq, "write_table"), "sync": (os, "fsync"), "rename": (os, "rename")}[place]
    real, failed = getattr(target, name), 0
    for k in range(20):
        calls = iter(range(100))

        def fail(*args, k=k, calls=calls, **kwargs):
            if next(calls) == k:
                raise OSError(28, "No space left on device")
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(target, name, fail)
            try:
                run_intake(study)
            except OSError:
                failed += 1
                assert bytes_of(study) == before
            else:
                break
    assert failed >= {"write": 8, "sync": 9, "rename": 2}[place]
    assert len(json.loads((study / "tables" / "intake.json").read_text("utf-8"))["files"]) == len(ALL)
    assert bytes_of(study) != before
    assert sorted(one.name for one in study.iterdir()) == ["exports", "study.toml", "tables"]


def test_a_run_that_was_killed_between_the_two_renames_is_mended(tmp_path):
    study = export_study(tmp_path, *ALL, more=PROCESS)
    run_intake(study)
    before = bytes_of(study)
    (study / "tables").rename(study / ".tables-old")
    (study / ".tables-new-x").mkdir()
    (study / "exports" / "agents.csv").write_text("Agent ID\n", "utf-8")
    with pytest.raises(IntakeError):
        run_intake(study)
    assert bytes_of(study) == before
    assert sorted(one.name for one in study.iterdir()) == ["exports", "study.toml", "tables"]


@pytest.mark.parametrize(
    ("export", "says"),
    [
        ('file = "exports/agent.csv"', "exports/agent.csv is not there. Did you mean “agents.csv”?"),
        ('file = "../secret.csv"', "../secret.csv lies outside the study. Copy it into the folder exports."),
        ('file = "/etc/passwd"', "/etc/passwd lies outside the study. Copy it into the folder exports."),
        ('mapping = "agents"', "A part [[export]] of study.toml names no file."),
        (
            'file = "exports/agents.csv"\nencodin = "utf-8"',
            "study, export: “encodin” is not known. Did you mean “encoding”? "
            "There are: file, mapping, time_zone, encoding, separator.",
        ),
        (
            'file = "exports/agents.csv"\ntime_zone = "Asia/Riad"',
            "exports/agents.csv: there is no time zone “Asia/Riad”. Use a name such as Asia/Riyadh.",
        ),
    ],
)
def test_an_export_that_cannot_be_meant_is_named(export, says, tmp_path):
    study = export_study(tmp_path, "agents.csv")
    (study / "study.toml").write_text(f"[[export]]\n{export}\n", "utf-8")
    with pytest.raises(IntakeError) as caught:
        run_intake(study)
    assert caught.value.text("en") == says


def test_a_link_out_of_the_study_is_not_followed(tmp_path):
    (tmp_path / "secret.csv").write_bytes((FOLDER / "agents.csv").read_bytes())
    study = export_study(tmp_path / "study", "agents.csv")
    (study / "exports" / "agents.csv").unlink()
    (study / "exports" / "agents.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(IntakeError) as caught:
        run_intake(study)
    assert caught.value.code == "intake_outside"


def test_a_study_without_exports_or_settings_is_named(tmp_path):
    with pytest.raises(CxkitError, match=r"study\.toml"):
        run_intake(tmp_path)
    (tmp_path / "study.toml").write_text('time_zone = "UTC"\n')
    with pytest.raises(IntakeError, match="names no exports"):
        run_intake(tmp_path)


def test_a_mapping_of_the_study_and_an_override_of_its_export_are_used(tmp_path):
    raw = "Nr;Zeit;Was\n1;01.02.2024 10:00;Größe\n1;02.02.2024 11:00;Farbe\n".encode("latin-1")
    study = export_study(tmp_path, ("log.csv", raw, "own"))
    (study / "mappings").mkdir()
    (study / "mappings" / "own.toml").write_text(
        '[tables.events]\ncase_id = "Nr"\nactivity = "Was"\nat = { column = "Zeit", formats = ["%d.%m.%Y %H:%M"] }\n',
        "utf-8",
    )
    with (study / "study.toml").open("a", encoding="utf-8") as file:
        file.write('encoding = "latin-1"\ntime_zone = "Europe/Berlin"\n')
    tables, account = examine(study)
    assert tables["events"].column("activity").to_pylist() == ["Größe", "Farbe"]
    assert [at.isoformat() for at in tables["events"].column("at").to_pylist()] == [
        "2024-02-01T09:00:00",
        "2024-02-02T10:00:00",
    ]
    file = account.files[0]
    assert (file.encoding, file.separator, file.time_zone, file.time_zone_source) == (
        "latin-1",
        ";",
        "Europe/Berlin",
        "export",
    )


def test_the_cases_of_a_lone_event_log_count_as_tickets(tmp_path):
    """Written out by hand: A is solved after two days and comes back, B is still open."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "log.csv").write_text(
        "case,activity,time,resource\n"
        "A,Open,2025-03-01 08:00,x\nA,Solve,2025-03-03 08:00,y\nA,Work,2025-03-04 08:00,x\nA,Solve,2025-03-05 08:00,z\n"
        "B,Open,2025-03-02 08:00,x\nB,Work,2025-03-02 09:00,w\n"
    )
    (tmp_path / "study.toml").write_text(
        'name = "log"\ntime_zone = "UTC"\n[process]\nresolved = ["Solve"]\nclosed = ["Close"]\n'
        '[[export]]\nfile = "exports/log.csv"\nmapping = "event_log"\n'
    )
    tables, account = examine(tmp_path)
    tickets = tables["tickets"].to_pandas().set_index("ticket_id").astype(object)
    assert tickets.loc["A", ["opened_at", "first_solved_at", "reopened_at", "agent_id"]].astype(str).tolist() == [
        "2025-03-01 08:00:00",
        "2025-03-03 08:00:00",
        "2025-03-04 08:00:00",
        "y",
    ]
    assert tickets.loc["B", "agent_id"] == "w"
    assert str(tickets.loc["B", "first_solved_at"]) == "NaT"
    assert [note.key for note in account.derived] == ["intake.cases_as_tickets"]
