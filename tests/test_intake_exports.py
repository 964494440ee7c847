"""Each kind of export, from files with the real headers; and the same rows from every way of writing them."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import IntakeError
from cxkit.intake import Account, examine, find_mapping
from cxkit.intake.convert import Zone
from cxkit.intake.queue_log import read_queue_log
from cxkit.intake.read import read_export
from cxkit.intake.source import read_table
from tests.exports import FOLDER, MAPPINGS, PROCESS, export_study

LATIN = "0123456789"
SCRIPTS = {"latin": LATIN, "arabic": "٠١٢٣٤٥٦٧٨٩", "persian": "۰۱۲۳۴۵۶۷۸۹"}
RIYADH = (Zone("Asia/Riyadh", "study"),)
CANARY = "canary@example.com 05512345678"


def tables_of(name: str, raw: bytes | None = None) -> dict[str, pa.Table]:
    mapping = find_mapping(MAPPINGS[name])
    raw = (FOLDER / name).read_bytes() if raw is None else raw
    source = read_queue_log(raw, name) if mapping.layout == "queue_log" else read_table(raw, name, mapping.header_rows)
    return read_export(source, mapping, RIYADH).tables


def column(table: pa.Table, name: str) -> list[object]:
    return table.column(name).to_pylist()


def moments(table: pa.Table, name: str) -> list[str | None]:
    return [at and at.isoformat(" ", "minutes") for at in column(table, name)]


def test_zendesk_tickets_become_tickets():
    """Counted and computed by hand from the fixture; local times are three hours ahead of UTC."""
    tickets = tables_of("zendesk_tickets.csv")["tickets"]
    assert column(tickets, "ticket_id") == [str(n) for n in range(1001, 1010)]
    assert moments(tickets, "opened_at")[:2] == ["2024-04-30 06:15", "2024-05-01 10:40"]
    assert moments(tickets, "first_replied_at")[:4] == [
        "2024-04-30 07:00",
        "2024-05-01 12:15",
        "2024-05-02 13:08",
        None,
    ]
    assert moments(tickets, "first_solved_at")[:3] == ["2024-05-01 08:15", "2024-05-01 20:40", None]
    assert moments(tickets, "solved_at")[:3] == ["2024-05-01 08:15", "2024-05-02 05:05", None]
    assert column(tickets, "channel") == [
        "email", "web", "chat", "phone", "email", "social", "in_person", "self_service", "other",
    ]  # fmt: skip
    assert column(tickets, "language") == ["ar", "fa", "en", "en", None, "ar", "en", "fa", "other"]
    assert column(tickets, "created_by") == ["customer", "customer", "customer", "agent", *["customer"] * 5]
    assert column(tickets, "status")[4:9] == ["deleted", "closed", "closed", "hold", "new"]
    assert column(tickets, "satisfaction")[:4] == ["good", "bad", "offered", "unoffered"]
    assert column(tickets, "reopens")[:5] == [0, 1, 0, 0, None]
    flags = {
        name: [i for i, yes in enumerate(column(tickets, name)) if yes] for name in ("escalated", "is_spam", "is_test")
    }
    assert flags == {"escalated": [1], "is_spam": [4], "is_test": [6]}
    assert column(tickets, "merged_into") == [None] * 5 + ["merged"] + [None] * 3


def test_a_qualtrics_survey_becomes_invitations_and_answers():
    """Three header rows; the last one states Denver, six hours behind UTC in May, for Qualtrics' own times only."""
    tables = tables_of("qualtrics_survey.csv")
    surveys, answers = tables["surveys"], tables["survey_answers"].to_pandas()
    assert column(surveys, "response_id") == ["R_1aAbBcC", "R_2aAbBcC", "R_4aAbBcC", "R_5aAbBcC"]
    assert moments(surveys, "answered_at")[0] == "2024-05-02 09:10"
    assert moments(surveys, "sent_at")[0] == "2024-05-01 22:00"  # an embedded field: the study's own zone
    assert column(surveys, "finished") == [True, True, False, True]
    assert column(surveys, "language") == ["ar", "fa", "en", "en"]
    scores = answers.pivot(index="response_id", columns="item", values="value")
    assert scores["csat"].tolist() == [5, 2, 5, 4]  # a number, a Persian phrase, an English phrase, an Arabic digit
    assert scores["nps"].fillna(-1).tolist() == [9, 3, -1, 8]
    assert scores["ces"].fillna(-1).tolist() == [7, 2, -1, 6]
    assert answers.loc[answers["item"] == "comment", "text"].tolist() == [
        "شكرًا على السرعة",
        "پول من هنوز برنگشته، چرا؟",
        'Fine, but "slow",\nand the form lost my text',
    ]
    scales = answers.groupby("item")[["scale_min", "scale_max"]].first()
    assert scales.loc[["ces", "csat", "nps"]].to_numpy().tolist() == [[1, 7], [1, 5], [0, 10]]


def test_two_zones_in_one_file_are_told(tmp_path):
    _, account = examine(export_study(tmp_path, "qualtrics_survey.csv"))
    assert (account.files[0].time_zone, account.files[0].time_zone_source) == ("Asia/Riyadh, America/Denver", "several")
    same = (FOLDER / "qualtrics_survey.csv").read_bytes().replace(b"America/Denver", b"Asia/Riyadh")
    _, account = examine(export_study(tmp_path / "same", ("s.csv", same, "qualtrics_survey")))
    assert (account.files[0].time_zone, account.files[0].time_zone_source) == ("Asia/Riyadh", "file")


def test_a_queue_log_becomes_one_row_per_stay_in_a_queue():
    """Computed by hand from the fixture; the first call began before the log."""
    calls = tables_of("queue_log")["calls"].to_pandas().set_index("call_id")
    assert calls["outcome"].fillna("-").tolist() == [
        "answered", "answered", "abandoned", "timed_out", "answered", "answered", "other", "answered", "-",
    ]  # fmt: skip
    assert calls["wait_seconds"].fillna(-1).tolist() == [15, 12, 47, 300, 9, 6, 30, 5, -1]
    assert calls["talk_seconds"].fillna(-1).tolist() == [105, 180, -1, -1, 120, 60, -1, -1, -1]
    assert calls["wrap_seconds"].fillna(-1).tolist() == [0, 42, -1, -1, 0, 0, -1, -1, -1]
    assert str(calls.loc["1714557580.10", "arrived_at"]) == "2024-05-01 09:59:40"
    assert calls.index[calls["transferred"].eq(True)].tolist() == ["1714558200.15/2", "1714558700.17"]
    assert calls.loc["1714558900.20", "ended_at"] is pd.NaT
    assert calls.loc["1714557900.12", "agent_id"] == "SIP/2002"


def test_only_a_pause_for_writing_right_after_a_call_is_work_on_it():
    """Lunch is no work on a call, nor is a pause that begins a minute later, nor the end of another one."""
    call = "1714557{0}|1714557{0}.1|q|A1|COMPLETEAGENT|5|{1}|1\n"
    log = call.format("100", 60) + "1714557100|NONE|q|A1|PAUSE|lunch\n1714557400|NONE|q|A1|UNPAUSE|\n"
    log += call.format("500", 70) + "1714557561|NONE|q|A1|PAUSE|acw\n1714557600|NONE|q|A1|UNPAUSE|\n"
    log += call.format("700", 80) + "1714557702|NONE|q|A1|PAUSE|ACW\n1714557730|NONE|q|A2|UNPAUSE|\n"
    log += "1714557750|NONE|q|A1|UNPAUSE|ACW\n"
    log += call.format("800", 90) + "1714557805|NONE|q|A1|PAUSE|wrapup\n"
    source = read_queue_log(log.encode(), "queue_log")
    assert [tuple(one.values()) for one in source.cells.select([str(source.headers.index("wrap"))]).to_pylist()] == [
        ("0",), ("0",), ("48",), ("",),
    ]  # fmt: skip
    assert [(one.rule, one.rows_n) for one in source.rejected] == [("not_a_call", 5)]


def test_a_log_without_pauses_knows_nothing_of_the_writing():
    tables = tables_of("queue_log", b"1699286265|1699286234.123|8000|7140|COMPLETECALLER|6|25|1\n")
    assert column(tables["calls"], "wrap_seconds") == [None]


def test_the_example_of_the_asterisk_documentation_is_read():
    """exports.md R10: held 6 s, talked 25 s, so the caller entered at 1699286234, as the call's own id says."""
    tables = tables_of("queue_log", b"1699286265|1699286234.123|8000|7140|COMPLETECALLER|6|25|1\n")
    call = tables["calls"].to_pylist()[0]
    assert (pd.Timestamp(call["arrived_at"]) - pd.Timestamp(0)).total_seconds() == 1699286234
    assert (call["wait_seconds"], call["talk_seconds"], call["outcome"]) == (6, 25, "answered")


def test_lists_of_customers_and_agents_and_comments_are_read():
    customers = tables_of("customers.csv")["customers"]
    assert [str(day) for day in column(customers, "since_on")] == [
        "2019-12-31",
        "2021-03-05",
        "2023-02-01",
        "2024-02-28",
    ]
    assert column(customers, "language") == ["ar", "fa", "en", "other"]
    assert column(tables_of("agents.csv")["agents"], "tier") == [1, 2, 1]
    messages = tables_of("ticket_comments.csv")["messages"]
    assert column(messages, "author") == ["customer", "agent", "customer", "agent", "bot"]
    assert column(messages, "public") == [True, True, True, False, True]
    assert column(messages, "text")[3] == "Internal: bank asks\nfor the IBAN"


def test_orders_are_read_without_the_cancelled_ones_and_the_drafts():
    """By hand from the fixture: one time with an offset, one amount in Persian digits, one order of a guest."""
    orders = tables_of("orders.csv")["orders"]
    assert column(orders, "order_id") == ["SO-1", "SO-2", "SO-4", "SO-6"]
    assert column(orders, "customer_id") == ["501", "502", None, "501"]
    assert column(orders, "amount") == [1250, 450.5, 99.95, 75]
    assert moments(orders, "ordered_at")[:2] == ["2024-04-30 07:00", "2024-05-01 15:30"]
    assert column(orders, "channel") == ["App", "Website", "Branch", "App"]


def test_reviews_visits_costs_priorities_and_changes_are_read():
    reviews = tables_of("qa_reviews.csv")["qa_reviews"]
    assert column(reviews, "score_share") == [0.87, 0.92, 0.8]
    assert column(reviews, "sampling_weight") == [2.5, 4, 4]
    visits = tables_of("help_centre.csv")["kb_sessions"]
    assert column(visits, "session_id") == ["V1", "V2", "V4"]  # the robot is left out
    assert column(visits, "language") == ["ar", "fa", "other"]
    assert column(visits, "articles") == [3, 1, 2]
    costs = tables_of("costs.csv")["costs"]
    assert column(costs, "amount") == [12500, 8000, -450.5, 1200]  # a credit note stands in brackets
    assert column(costs, "channel") == ["phone", "email", "phone", None]
    assert {str(day) for day in column(costs, "booked_on")} == {"2024-05-31"}
    assert column(tables_of("priority_changes.csv")["priority_changes"], "priority") == [
        "normal", "normal", "high", "urgent",
    ]  # fmt: skip
    changes = tables_of("changes.csv")["changes"]
    assert moments(changes, "happened_at") == ["2024-04-30 21:00", "2024-05-31 21:00"]
    assert column(changes, "value") == ["email", None]


@pytest.mark.parametrize("score", ["87", "87%", "٨٧٪", "87.0"])
def test_a_percent_is_a_share_with_its_sign_and_without(score, tmp_path):
    (tmp_path / "mappings").mkdir()
    text = 'extends = "qa_reviews"\n[tables.qa_reviews]\nscore_share = { column = "IQS", unit = "percent" }\n'
    (tmp_path / "mappings" / "ours.toml").write_text(text, "utf-8")
    raw = f"Scorecard ID,Conversation ID,Review date,IQS\n1,2,2024-05-03 10:00,{score}\n".encode()
    tables = read_export(read_table(raw, "qa.csv"), find_mapping("ours", tmp_path), RIYADH).tables
    assert column(tables["qa_reviews"], "score_share") == [pytest.approx(0.87)]


def written(rows: list[list[str]], encoding: str, separator: str, digits: str, ending: str) -> bytes:
    """The rows as another tool would write them; addresses keep their digits."""
    table = str.maketrans(LATIN, SCRIPTS[digits])
    cells = [rows[0]] + [[cell if "@" in cell else cell.translate(table) for cell in row] for row in rows[1:]]
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator=ending).writerows(cells)
    return stream.getvalue().encode(encoding)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1256"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_same_rows_come_from_every_way_of_writing_them(encoding, separator):
    """5 encodings, 4 separators, 3 scripts of digits, 3 line ends: one table (cp1256 has Latin digits only)."""
    rows = list(csv.reader(io.StringIO((FOLDER / "zendesk_tickets.csv").read_text("utf-8"), newline="")))
    plain = tables_of("zendesk_tickets.csv")["tickets"]
    for digits in ["latin"] if encoding == "cp1256" else SCRIPTS:
        for ending in ("\n", "\r\n", "\r"):
            raw = written(rows, encoding, separator, digits, ending)
            assert tables_of("zendesk_tickets.csv", raw)["tickets"] == plain, (digits, ending)


def test_the_fixtures_in_other_encodings_hold_the_same_tickets():
    plain = tables_of("zendesk_tickets.csv")["tickets"].drop_columns("source_file")
    for name in (name for name in MAPPINGS if name.startswith("zendesk_tickets_")):
        assert tables_of(name)["tickets"].drop_columns("source_file") == plain


FIELDS = st.lists(st.text(st.sampled_from('ab ,;"\n\r۱٢سی'), max_size=6), min_size=1, max_size=4)
FIELDS = FIELDS.filter(lambda fields: fields != [""])  # a lone "" is a short record to us, a blank one to csv


@given(st.lists(FIELDS, min_size=1, max_size=30), st.sampled_from(["\n", "\r\n"]))
def test_records_read_are_records_kept_plus_records_rejected(records, ending):
    """Independent count: Python's csv module on the same bytes; a record without any content is none."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator=ending).writerows([["case", "activity", "time"], *records])
    raw = stream.getvalue().encode()
    there = [row for row in csv.reader(io.StringIO(raw.decode(), newline="")) if any(row)][1:]
    ragged = sum(len(row) != 3 for row in there)
    if not there or ragged > 0.05 * len(there):
        with pytest.raises(IntakeError, match=r"records|fields|intake_"):
            read_table(raw, "a.csv", separator=",")
        return
    source = read_table(raw, "a.csv", separator=",")
    assert (source.total, len(source.rows)) == (len(there), len(there) - ragged)


def test_row_numbers_are_those_of_a_spreadsheet(tmp_path):
    lines = ["case,activity,time", '1,"two\nlines",2024-01-01', "1,b", "", "1,c,2024-01-02,more", "1,d,someday"]
    lines += [f"2,e,2024-02-{1 + i % 28:02d}" for i in range(60)]
    source = read_table("\n".join(lines).encode(), "a.csv")
    assert [(one.rule, one.rows_n, one.first_rows) for one in source.rejected] == [
        ("too_few_fields", 1, (3,)),
        ("too_many_fields", 1, (5,)),
    ]
    assert source.rows.tolist() == [2, 6, *range(7, 67)]
    assert source.total == 64


def test_a_ragged_file_and_an_open_quote_are_refused():
    with pytest.raises(IntakeError) as caught:
        read_table(b"a,b\n1,2\n3\n", "x.csv")
    assert caught.value.text("en") == (
        "x.csv: 1 of 2 records do not have the 2 fields of the header. First rows: 3. Check the separator, and the "
        "quotation marks around texts that contain it."
    )
    with pytest.raises(IntakeError) as caught:
        read_table(b'a,b\n1,2\n3,"open\n5,6\n7,8\n', "x.csv")
    assert caught.value.text("en") == (
        "x.csv: a quotation mark that is opened in record 3 is never closed, and swallows the rest of the file. "
        "Close it, or export again."
    )
    with pytest.raises(IntakeError) as caught:
        read_table(b"a,b\n", "x.csv")
    assert caught.value.text("en") == "x.csv has no records behind its header."


def test_a_mapping_that_does_not_fit_is_refused_with_the_headers(tmp_path):
    study = export_study(tmp_path, ("a.csv", b"Idd,Created,0551234567\n1,2024-01-01,x\n", "zendesk_tickets"))
    with pytest.raises(IntakeError) as caught:
        examine(study)
    assert caught.value.text("en") == (
        "exports/a.csv does not fit the mapping “zendesk_tickets”: none of the columns Id, Created at is there. "
        "Did you mean “Idd”? It has: Idd, Created, (…)."
    )


def test_a_column_that_cannot_be_read_stops_with_rows_and_rule(tmp_path):
    raw = b"case,activity,time\n" + b"1,a,soon\n" * 3 + b"1,a,2024-01-01\n" * 20
    with pytest.raises(IntakeError) as caught:
        examine(export_study(tmp_path, ("a.csv", raw, "event_log")))
    assert caught.value.text("en") == (
        "exports/a.csv, column “time”: 3 of 23 values cannot be read as a date and time. First rows: 2, 3, 4. "
        "Check that the mapping names the right column, its unit and its format."
    )


def test_times_without_a_zone_are_refused_where_nobody_states_one(tmp_path):
    with pytest.raises(IntakeError) as caught:
        examine(export_study(tmp_path, "event_log.csv", time_zone=""))
    assert caught.value.text("en") == (
        "exports/event_log.csv, column “Complete Timestamp”: the times have no offset and nobody states their time "
        "zone. Write time_zone into study.toml."
    )


def test_words_that_no_mapping_knows_are_counted_and_kept_as_other(tmp_path):
    head = "Id,Created at,Via,Reopens\n"
    rows = [
        f"{i},2024-01-{1 + i % 28:02d} 10:00,{'Telex' if i < 7 else 'Owl' if i < 9 else 'Mail'},0" for i in range(60)
    ]
    study = export_study(tmp_path, ("a.csv", (head + "\n".join(rows)).encode(), "zendesk_tickets"))
    tables, account = examine(study)
    assert column(tables["tickets"], "channel").count("other") == 9
    assert account.files[0].notes[0].text("en") == (
        "Column “Via”: 9 rows have words that the mapping does not know; they count as “other”. "
        "The frequent ones: Telex (7)."
    )


def spoiled(name: str, place: int | None) -> bytes:
    """The fixture with a canary in one column from top to bottom, header included; None: in all cells of one row."""
    mapping, raw = find_mapping(MAPPINGS[name]), (FOLDER / name).read_bytes()
    text = raw.decode("cp1256" if name == "customers.csv" else "utf-8-sig")
    if mapping.layout == "queue_log":
        rows = [line.split("|") for line in text.splitlines()]
    else:
        separator = read_table(raw, name, mapping.header_rows).separator
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    bad = mapping.header_rows if mapping.layout == "table" else 3
    for i, row in enumerate(rows):
        for j in range(len(row)):
            if j == place or (place is None and i == bad):
                row[j] = CANARY
    if mapping.layout == "queue_log":
        return "\n".join("|".join(row) for row in rows).encode()
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode()


def all_that_is_said(study: Path) -> str:
    """The account, or the refusal in three languages with its parameters."""
    try:
        return json.dumps(examine(study)[1].to_dict(), ensure_ascii=False)
    except IntakeError as error:
        return "".join(error.text(lang) for lang in ("en", "ar", "fa")) + repr(error.params) + repr(error.args)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MAPPINGS if "zendesk_tickets_" not in name])
def test_nothing_a_customer_wrote_is_in_an_error_or_in_the_account(name, tmp_path):
    """safety.md 3.17: an address and a phone number, planted in every column in turn, never come out."""
    columns = 9 if name == "queue_log" else (FOLDER / name).read_bytes().splitlines()[0].count(b",") + 1
    for place in [None, *range(columns)]:
        study = export_study(tmp_path / str(place), ("x.csv", spoiled(name, place), MAPPINGS[name]))
        said = all_that_is_said(study)
        assert "canary" not in said
        assert "55123" not in said


def test_the_account_survives_json(tmp_path):
    _, account = examine(
        export_study(tmp_path, *(name for name in MAPPINGS if "zendesk_tickets_" not in name), more=PROCESS)
    )
    kept = Account.from_dict(json.loads(json.dumps(account.to_dict())))
    assert kept.to_dict() == account.to_dict()
    for lang in ("en", "ar", "fa"):
        notes = [[note.text(lang) for note in one.notes] for one in account.files]
        assert notes == [[note.text(lang) for note in one.notes] for one in kept.files]
        assert [note.text(lang) for note in kept.derived] == [note.text(lang) for note in account.derived]
        assert [[r.text(lang) for r in one.rejected] for one in kept.files]


@pytest.mark.slow
def test_damaged_files_are_read_or_refused_and_never_crash():
    """Each damage ends in whole tables or in a refusal that has its words and names the file, in every language."""
    rng, names, read = random.Random(7), list(MAPPINGS), 0
    refusals: list[IntakeError] = []
    for _ in range(150):
        name = rng.choice(names)
        raw = bytearray((FOLDER / name).read_bytes())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(raw) + 1)
            kind = rng.randrange(4)
            if kind == 0:
                del raw[at : at + rng.randint(1, 50)]
            elif kind == 1:
                raw[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 5)))
            elif kind == 2:
                raw[at:at] = rng.choice([b'"', b"\n", b"\r", b",", b";", b"\x00", b"\t", b"|", b'""', b"\xef\xbb\xbf"])
            else:
                raw = raw[:at]
        try:
            tables = tables_of(name, bytes(raw))
        except IntakeError as refusal:
            refusals.append(refusal)
        else:
            read += 1
            assert all(len(set(table.column_names)) == table.num_columns for table in tables.values())
    assert (read + len(refusals), min(read, len(refusals)) > 10) == (150, True)
    wordless = [one.code for one in refusals for lang in ("en", "ar", "fa") if one.code in one.text(lang)]
    assert wordless == []
