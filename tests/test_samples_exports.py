"""The sample's files: as real tools write them, true to one another, the same bytes for the same seed."""

import csv
import datetime as dt
import hashlib
import io
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict

import numpy as np
import pytest

from cxkit.errors import ParameterError
from cxkit.intake import recognise
from cxkit.samples import make_sample, simulate, study_files
from cxkit.samples.cells import UNREADABLE, toml

SIZE = 1500
# the header of a Zendesk ticket export, all its standard columns
ZENDESK = """\
Summation column,Id,Requester,Requester id,Requester external id,Requester email,Requester domain,Submitter,Assignee,\
Group,Subject,Tags,Status,Priority,Via,Ticket type,Created at,Updated at,Assigned at,Organization,Due date,\
Initially assigned at,Solved at,Resolution time,Satisfaction Score,Group stations,Assignee stations,Reopens,Replies,\
First reply time in minutes,First reply time in minutes within business hours,First resolution time in minutes,\
First resolution time in minutes within business hours,Full resolution time in minutes,\
Full resolution time in minutes within business hours,Agent wait time in minutes,\
Agent wait time in minutes within business hours,Requester wait time in minutes,\
Requester wait time in minutes within business hours,On hold time in minutes,\
On hold time in minutes within business hours"""
# the columns that every Qualtrics export begins with
QUALTRICS = """\
StartDate,EndDate,Status,IPAddress,Progress,Duration (in seconds),Finished,RecordedDate,ResponseId,RecipientLastName,\
RecipientFirstName,RecipientEmail,ExternalReference,LocationLatitude,LocationLongitude,DistributionChannel,UserLanguage"""
DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("sample") / "study", seed=11, tickets=SIZE)


def rows(folder, name, encoding="utf-8-sig"):
    text = (folder / "exports" / name).read_bytes().decode(encoding)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def answers(folder):
    return rows(folder, "survey.csv")[4:]  # two more header rows and two previews


@pytest.fixture(scope="module")
def tickets(folder):
    return {row["Id"]: row for row in rows(folder, "tickets.csv")}


@pytest.fixture(scope="module")
def events(folder):
    found = defaultdict(list)
    seen = set()
    for row in rows(folder, "events.csv", "utf-8"):
        if (key := (row["Case ID"], row["Order"])) not in seen:
            seen.add(key)
            found[row["Case ID"]].append(row)
    return found


def local(stamp):
    return dt.datetime.fromisoformat(stamp).replace(tzinfo=None)


def digests(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


# --- the same bytes ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hash_seed", "locale", "zone"), [("0", "C", "UTC"), ("4711", "C.UTF-8", "America/Los_Angeles")]
)
def test_same_seed_same_bytes_whatever_the_machine_is_set_to(folder, tmp_path, hash_seed, locale, zone):
    """A fresh interpreter with another hash seed, locale and time zone."""
    code = "import sys, pathlib, cxkit.samples as s; s.make_sample(pathlib.Path(sys.argv[1]), seed=11, tickets=1500)"
    setting = {**os.environ, "PYTHONHASHSEED": hash_seed, "LC_ALL": locale, "TZ": zone, "PYTHONUTF8": "0"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "study")], check=True, env=setting)
    assert digests(tmp_path / "study") == digests(folder)


def test_another_seed_gives_other_files(folder, tmp_path):
    other = digests(make_sample(tmp_path / "study", seed=12, tickets=SIZE))
    mine = digests(folder)
    assert {name for name in mine if other[name] == mine[name]} == {"mappings/invitations.toml", "study.toml"} | {
        "exports/agents.csv",  # the team has names of its own
        "exports/changes.csv",  # and its changes their days
    }


def test_lines_end_alike_everywhere(folder):
    for file in (folder / "exports").iterdir():
        assert b"\r" not in file.read_bytes(), file.name


# --- formats ---


def test_tickets_have_zendesks_header_and_times_without_offset(folder, tickets):
    raw = (folder / "exports" / "tickets.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    header = next(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    standard = ZENDESK.split(",")
    assert header[: len(standard)] == standard
    assert all(name.endswith(("[list]", "[txt]", "[int]", "[flag]")) for name in header[len(standard) :])
    for row in tickets.values():
        dt.datetime.strptime(row["Created at"], "%Y-%m-%d %H:%M")  # noqa: DTZ007 -- the export has no offset
    assert [row["Summation column"] for row in tickets.values()] == [str(i + 1) for i in range(len(tickets))]


def test_survey_has_three_header_rows_and_the_time_zone_in_the_third(folder):
    text = (folder / "exports" / "survey.csv").read_text("utf-8-sig")
    names, words, places = (next(csv.reader([line])) for line in text.splitlines()[:3])
    assert ",".join(names).startswith(QUALTRICS)
    assert words[names.index("CSAT")].startswith("How satisfied")
    assert json.loads(places[0]) == {"ImportId": "startDate", "timeZone": "Asia/Riyadh"}
    assert json.loads(places[names.index("NPS")]) == {"ImportId": "QID2"}


def test_nps_groups_are_qualtrics_codes(folder):
    """Qualtrics: 1, 2, 3 are detractor, passive, promoter (8 is 2)."""
    for row in answers(folder):
        if row["NPS"]:
            score = int(row["NPS"].translate(DIGITS))
            assert row["NPS_NPS_GROUP"] == ("1" if score <= 6 else "2" if score <= 8 else "3")


def test_customers_are_in_the_code_page_of_arabic_windows(folder):
    found = rows(folder, "customers.csv", "cp1256")
    assert {row["Language"] for row in found} == {"Arabic", "Persian", "English"}
    names = " ".join(row["Customer name"] for row in found)
    assert "محمد" in names or "عبدالله" in names
    assert "ی" not in names  # U+06CC is not in cp1256
    assert "ي" in names


def test_some_answers_are_typed_in_arabic_and_persian_digits(folder):
    typed = "".join(row["CSAT"] + row["NPS"] + row["CES"] for row in answers(folder))
    amounts = "".join(row["Order amount [int]"] for row in rows(folder, "tickets.csv"))
    assert any(sign in amounts for sign in "٠١٢٣٤٥٦٧٨٩")
    assert any(sign in amounts for sign in "۰۱۲۳۴۵۶۷۸۹")
    assert set(typed) - set("0123456789") - set(UNREADABLE) <= set("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹")


def test_the_queue_log_follows_asterisk(folder):
    """docs.asterisk.org, Queue Logs: number of fields behind the name of each event."""
    fields = {
        "QUEUESTART": 1, "ADDMEMBER": 1, "PAUSE": 1, "UNPAUSE": 1, "ENTERQUEUE": 3, "RINGNOANSWER": 1, "CONNECT": 3,
        "COMPLETEAGENT": 3,
        "COMPLETECALLER": 3, "BLINDTRANSFER": 5, "ABANDON": 3, "EXITWITHKEY": 4, "EXITWITHTIMEOUT": 3,
    }  # fmt: skip
    lines = [line.split("|") for line in (folder / "exports" / "queue_log").read_text("ascii").splitlines()]
    assert {line[4] for line in lines} <= set(fields)
    assert all(len(line) == 5 + fields[line[4]] for line in lines)
    assert [int(line[0]) for line in lines] == sorted(int(line[0]) for line in lines)


# --- true to one another ---


def test_zendesks_minutes_are_the_minutes_of_the_change_log(tickets, events):
    compared = Counter()
    for number, row in tickets.items():
        steps = [step for step in events[number] if step["Timestamp"] != UNREADABLE]
        if len(steps) < int(events[number][-1]["Order"]) or "spam" in row["Tags"]:
            continue
        first = {}
        for step in steps:
            first.setdefault(step["Activity"], local(step["Timestamp"]))
        opened = local(row["Created at"])
        assert first["New"] == opened
        for column, activity in (
            ("First reply time in minutes", "In progress"),
            ("First resolution time in minutes", "Solved"),
        ):
            if row[column] and activity in first:
                assert int(row[column]) == (first[activity] - opened).total_seconds() / 60
                compared[column] += 1
        assert int(row["Reopens"]) == sum(step["Activity"] == "Reopened" for step in steps)
        assert local(row["Updated at"]) == local(steps[-1]["Timestamp"])
    assert min(compared.values()) > 0.8 * SIZE


def test_status_and_solve_agree_with_the_last_step(tickets, events):
    status = {"New": "New", "Waiting for customer": "Pending", "On hold": "Hold", "Solved": "Solved"}
    status |= dict.fromkeys(("Closed", "Merged", "Marked as spam"), "Closed")
    for number, row in tickets.items():
        assert row["Status"] == status.get(events[number][-1]["Activity"], "Open")
        assert bool(row["Solved at"]) == (row["Status"] in ("Solved", "Closed"))


def test_every_reference_leads_somewhere(folder, tickets):
    customers = {row["Customer ID"] for row in rows(folder, "customers.csv", "cp1256")}
    agents = {row["Agent ID"] for row in rows(folder, "agents.csv", "utf-8")}
    log = (folder / "exports" / "queue_log").read_text("ascii")
    for row in tickets.values():
        assert row["Requester external id"] in customers | {""}
        assert row["Agent id [txt]"] in agents | {""}
        assert (row["Via"] == "Phone call (inbound)") == bool(row["Call id [txt]"])
        assert not row["Call id [txt]"] or f"|{row['Call id [txt]']}|" in log
        assert row["Merged into [int]"] in tickets or not row["Merged into [int]"]
    of_ticket = {"invitations.csv": "ticket_id", "comments.csv": "Ticket ID", "events.csv": "Case ID"}
    for name, column in {**of_ticket, "priority_changes.csv": "Ticket ID"}.items():
        assert {row[column] for row in rows(folder, name, "utf-8")} <= set(tickets)
    for name in ("orders.csv", "help_centre.csv"):
        assert {row["Customer ID"] for row in rows(folder, name, "utf-8")} <= customers | {""}
    followed = {row["Follow-up of [int]"] for row in tickets.values()} - {""}
    assert len(followed) > 20
    assert followed <= set(tickets)
    invited = {row["ticket_id"] for row in rows(folder, "invitations.csv", "utf-8") if row["status"] != "Success"}
    assert {row["ticket_id"] for row in answers(folder)} == invited


def test_merged_tickets_follow_the_one_they_went_into(tickets):
    twice = [row for row in tickets.values() if row["Merged into [int]"]]
    assert len(twice) > 5
    for row in twice:
        into = tickets[row["Merged into [int]"]]
        assert into["Requester external id"] == row["Requester external id"]
        assert into["Created at"] <= row["Created at"]
        assert "closed_by_merge" in row["Tags"]


def test_nothing_in_the_files_happens_after_as_of(folder):
    as_of = tomllib.loads((folder / "study.toml").read_text("utf-8"))["as_of"]
    end = as_of.astimezone(dt.timezone(dt.timedelta(hours=3))).strftime("%Y-%m-%d %H:%M")
    assert end == "2026-07-01 00:00"
    for name, columns in {
        "tickets.csv": ("Created at", "Updated at", "Solved at", "Initially assigned at"),
        "comments.csv": ("Created at",),
        "survey.csv": ("RecordedDate", "sent_at"),
    }.items():
        for row in rows(folder, name):
            for column in columns:
                assert row[column][:2] != "20" or row[column].replace("T", " ")[:16] < end
    last = (folder / "exports" / "queue_log").read_text("ascii").splitlines()[-1]
    assert int(last.split("|")[0]) < as_of.timestamp()


def test_automatic_answers_are_no_replies(folder, tickets):
    """The first reply is public and human; the bot answers at once, the notes are internal."""
    first_agent = {}
    for row in rows(folder, "comments.csv", "utf-8"):
        if row["Author role"] == "Agent" and row["Public"] == "True":
            first_agent.setdefault(row["Ticket ID"], local(row["Created at"]))
        if row["Author role"] == "Bot":
            assert row["Created at"] == tickets[row["Ticket ID"]]["Created at"]
    assert len(first_agent) > SIZE / 3
    for number, at in first_agent.items():
        row = tickets[number]
        minutes = (at - local(row["Created at"])).total_seconds() / 60
        assert minutes == int(row["First reply time in minutes"])


# --- truth ---


def test_truth_is_the_complete_data(folder):
    """Recomputed from the simulated lives, without the simulator's own truth."""
    told = tomllib.loads((folder / "truth.toml").read_text("utf-8"))
    sample = simulate(11, SIZE)
    email = sample.of_kind("customer") & (sample.tickets.channel == 0)
    hours = np.sort(60 * (sample.lives.first_solved - sample.tickets.opened)[email])
    block = told["kpi"]["resolution_time"]["year"]["email"]
    assert block["n"] == len(hours)
    assert block["median"] == hours[(len(hours) + 1) // 2 - 1]
    assert block["within"] == pytest.approx((hours <= 259_200).mean(), abs=1e-6)
    assert block["open"] == (sample.lives.first_solved[email] >= sample.end).sum()
    assert block["closed_only_median"] <= block["median"]
    real = sample.of_kind("customer")
    assert told["kpi"]["csat"]["year"]["all"]["top_share"] == pytest.approx(
        (sample.scores.csat[real] >= 4).mean(), abs=1e-6
    )


def test_truth_tells_what_the_survey_says_and_what_it_misses(folder):
    told = tomllib.loads((folder / "truth.toml").read_text("utf-8"))
    scores = [int(row["CSAT"].translate(DIGITS)) for row in answers(folder) if row["CSAT"].translate(DIGITS).isdigit()]
    block = told["kpi"]["csat"]["year"]["all"]
    assert block["answers"] == len(scores) + told["faults"]["survey"]["unreadable_cells"]
    assert np.mean(np.array(scores) >= 4) == pytest.approx(block["among_answers"], abs=0.01)
    assert block["among_answers"] > block["top_share"]


def test_truth_counts_the_faults_that_were_made(folder):
    told = tomllib.loads((folder / "truth.toml").read_text("utf-8"))["faults"]
    log = [tuple(row.values()) for row in rows(folder, "events.csv", "utf-8")]
    assert len(log) - len(set(log)) == told["events"]["duplicate_rows"] == 12
    for name, column, encoding in (
        ("tickets", "Initially assigned at", "utf-8-sig"),
        ("events", "Timestamp", "utf-8"),
        ("customers", "Customer since", "cp1256"),
        ("survey", "CSAT", "utf-8-sig"),
    ):
        cells = [row[column] for row in rows(folder, f"{name}.csv", encoding)]
        assert cells.count(UNREADABLE) == told[name]["unreadable_cells"]


def test_truth_has_the_themes_of_each_language(folder):
    told = tomllib.loads((folder / "truth.toml").read_text("utf-8"))["themes"]
    written = Counter(row["UserLanguage"].lower() for row in answers(folder) if row["Comment"])
    for lang in ("ar", "fa", "en"):
        assert told[lang]["comments"] == written[lang]
        assert sum(told[lang]["main_share"].values()) == pytest.approx(1, abs=1e-5)
        assert all(told[lang]["share"][theme] >= share for theme, share in told[lang]["main_share"].items())


def test_truth_names_the_change_and_what_it_left_alone(folder):
    changes = tomllib.loads((folder / "truth.toml").read_text("utf-8"))["changes"]
    assert {name for name, change in changes.items() if change["tickets"]} == {
        "web_form",
        "chat_closing",
        "email_triage",
    }
    assert (
        changes["chat_closing"]["return_rate"]["share_with"] > changes["chat_closing"]["return_rate"]["share_without"]
    )
    change = changes["email_triage"]
    assert change["on"] == dt.date(2026, 2, 1)
    assert change["first_reply_time"]["working_time_factor"] == 0.75
    assert change["first_reply_time"]["with"]["median"] < change["first_reply_time"]["without"]["median"]
    assert change["csat"]["top_share_with"] >= change["csat"]["top_share_without"]
    assert change["ces"]["top_share_with"] <= change["ces"]["top_share_without"]
    assert set(change["unchanged"]) == {"resolution_time", "nps", "fcr", "return_rate", "escalation", "handle_time"}
    assert set(changes["web_form"]) == {"on", "channel", "tickets", "unchanged"}


# --- the study ---


def test_the_study_names_every_export_and_every_step(folder):
    study = tomllib.loads((folder / "study.toml").read_text("utf-8"))
    assert {entry["file"] for entry in study["export"]} == {f"exports/{f.name}" for f in (folder / "exports").iterdir()}
    process = study["process"]
    named = {*process["stages"], *process["closed"], *process["resolved"]}
    assert {row["Activity"] for row in rows(folder, "events.csv", "utf-8")} <= named
    assert set(study["title"]) == {"en", "ar", "fa"}


def test_every_export_is_recognised_by_its_header(folder):
    study = tomllib.loads((folder / "study.toml").read_text("utf-8"))
    assert {one["file"]: recognise(folder / one["file"], folder) for one in study["export"]} == {
        one["file"]: one["mapping"] for one in study["export"]
    }


def test_half_a_sample_is_no_study(tmp_path, monkeypatch):
    """Broken off before the last file, even where a whole sample lay before."""
    make_sample(tmp_path, tickets=200)
    monkeypatch.setattr(study_files, "write_truth", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_sample(tmp_path, tickets=300)
    assert not (tmp_path / "study.toml").exists()


@pytest.mark.parametrize("tickets", [0, 199, 1_000_001])
def test_a_size_that_cannot_be_is_refused(tmp_path, tickets):
    with pytest.raises(ParameterError) as refusal:
        make_sample(tmp_path / "study", tickets=tickets)
    assert refusal.value.text("en") == (
        f"A sample study has between 200 and 1,000,000 tickets; {tickets:,} were asked for."
    )
    assert not (tmp_path / "study").exists()


def test_a_study_that_is_no_sample_is_left_alone(tmp_path, lang):
    (tmp_path / "study.toml").write_text('time_zone = "Asia/Riyadh"\n', encoding="utf-8")
    with pytest.raises(ParameterError) as refusal:
        make_sample(tmp_path, tickets=200)
    assert tmp_path.name in refusal.value.text(lang)
    assert [file.name for file in tmp_path.iterdir()] == ["study.toml"]


def test_the_smallest_sample_is_whole(tmp_path):
    folder = make_sample(tmp_path, tickets=200)
    assert len(rows(folder, "tickets.csv")) == pytest.approx(200, abs=12)
    assert len(rows(folder, "survey.csv")) > 4


def test_toml_is_read_back_as_it_was_meant():
    table = {
        "a": 1,
        "b": 0.1,
        "c": 'say "x"',
        "on": dt.date(2026, 2, 1),
        "d": {"In progress": [1, 2]},
        "e": [{"f": True}],
    }
    assert tomllib.loads(toml(table)) == table
