"""A study opens as it was declared, counts up to the right moment, and says what is wrong with its settings."""

import gc
import json
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import CxkitError, IntakeError, ParameterError, StudyError
from cxkit.study import find_study, new_study, open_study, prepare, read_settings, store
from cxkit.study.begin import CLOSED, NOT_YET, RESOLVED, quoted
from cxkit.study.settings import checked
from cxkit.study.store import _filled_by_count, _filled_by_footer

LOG = """Case ID,Activity,Complete Timestamp,Resource
1,Open,2025/03/01 08:00:00,Ann
1,Resolve ticket,2025/03/02 09:00:00,Ann
1,Closed,2025/03/17 09:00:00,Ann
2,Open,2025/03/03 10:00:00,Bea
2,Waiting for resolution,2025/03/04 10:00:00,Bea
2,Resolve ticket,2025/03/05 11:00:00,Bea
"""


def a_study(folder: Path, settings: str = 'time_zone = "Asia/Riyadh"', **tables: pd.DataFrame) -> Path:
    """A study whose tables were laid there by hand."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(settings, encoding="utf-8")
    for name, table in tables.items():
        table.to_parquet(folder / "tables" / f"{name}.parquet", index=False)
    return folder


def times(*texts: str | None) -> pd.Series:
    return pd.to_datetime(pd.Series(texts), format="ISO8601").astype("datetime64[us]")


def some_tickets() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ticket_id": ["a", "b", "c"],
            "opened_at": times("2025-03-01 08:00", "2025-03-02 09:00", "2025-03-05 10:30"),
            "solved_at": times("2025-03-01 20:00", None, None),
            "closed_at": times(None, None, None),
            "is_spam": pd.array([True, None, False], dtype="boolean"),
        }
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    file.write_text(LOG, encoding="utf-8")
    return file


# --- opening ---


def test_a_study_gives_its_tables_columns_and_rows(tmp_path: Path):
    study = open_study(a_study(tmp_path / "s", tickets=some_tickets()))
    assert (study.name, study.tables, study.rows("tickets"), study.rows("calls")) == ("s", ("tickets",), 3, 0)
    assert study.columns("tickets") == ("ticket_id", "opened_at", "solved_at", "closed_at", "is_spam")
    assert study.table("tickets").count().to_pyarrow().as_py() == 3
    frame = study.frame("tickets", ["opened_at", "is_spam"])
    assert [str(t) for t in frame.dtypes] == ["datetime64[us]", "boolean"]
    assert frame["opened_at"].tolist() == some_tickets()["opened_at"].tolist()


def test_a_column_without_any_value_is_not_there(tmp_path: Path):
    study = open_study(a_study(tmp_path / "s", tickets=some_tickets()))
    assert study.has("tickets") and study.has("tickets", "opened_at", "solved_at")
    assert not study.has("tickets", "closed_at")
    assert not study.has("tickets", "team")
    assert not study.has("calls")


def test_local_time_follows_the_clock_of_the_study(tmp_path: Path):
    """Berlin went from UTC+1 to UTC+2 on 30 March 2025."""
    study = open_study(a_study(tmp_path / "s", 'time_zone = "Europe/Berlin"', tickets=some_tickets()))
    local = study.local(times("2025-03-29 12:00", "2025-03-30 12:00", None))
    assert [str(at) for at in local] == ["2025-03-29 13:00:00", "2025-03-30 14:00:00", "NaT"]


def test_titles_are_spoken_in_their_language(tmp_path: Path):
    settings = 'time_zone = "UTC"\ntitle = { en = "Desk", fa = "میز کمک" }'
    study = open_study(a_study(tmp_path / "s", settings, tickets=some_tickets()))
    assert [study.title(lang) for lang in ("en", "fa", "ar")] == ["Desk", "میز کمک", "s"]


def test_a_study_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = a_study(tmp_path / "data" / "one", tickets=some_tickets())
    monkeypatch.chdir(tmp_path)
    assert find_study("data/one") == find_study(place) == place
    with pytest.raises(StudyError) as refused:
        find_study("data/on")
    assert refused.value.text("en") == "There is no study in “data/on” (did you mean “data/one”?)."


def test_a_table_or_column_that_is_not_there_is_named_with_its_neighbour(tmp_path: Path):
    study = open_study(a_study(tmp_path / "s", tickets=some_tickets()))
    with pytest.raises(StudyError) as refused:
        study.table("ticket")
    assert "did you mean “tickets”" in refused.value.text("en")
    with pytest.raises(StudyError) as refused:
        study.frame("tickets", ["opend_at"])
    assert "did you mean “opened_at”" in refused.value.text("en")


def test_one_study_can_be_asked_from_several_threads(tmp_path: Path):
    study = open_study(a_study(tmp_path / "s", tickets=some_tickets(), customers=pd.DataFrame({"customer_id": ["x"]})))
    counts: list[int] = []
    asked = [lambda: counts.append(len(study.frame("tickets"))), lambda: counts.append(len(study.frame("customers")))]
    workers = [threading.Thread(target=asked[i % 2]) for i in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(counts) == [1] * 10 + [3] * 10


def test_a_folder_without_tables_or_exports_is_refused(tmp_path: Path):
    with pytest.raises(StudyError, match="has no tables"):
        open_study(a_study(tmp_path / "s"))
    with pytest.raises(StudyError, match=r"no study\.toml"):
        open_study(tmp_path)


# --- the moment up to which the data count ---


def test_without_as_of_the_newest_observed_time_counts(tmp_path: Path):
    assert open_study(a_study(tmp_path / "s", tickets=some_tickets())).as_of == pd.Timestamp("2025-03-05 10:30")


def test_as_of_is_taken_from_the_call_then_from_the_settings(tmp_path: Path):
    settings = 'time_zone = "Asia/Riyadh"\nas_of = 2025-03-03'
    folder = a_study(tmp_path / "s", settings, tickets=some_tickets())
    assert open_study(folder).as_of == pd.Timestamp("2025-03-03 20:59:59.999999")
    assert open_study(folder, as_of="").as_of == pd.Timestamp("2025-03-03 20:59:59.999999")
    assert open_study(folder, as_of="2025-03-01").as_of == pd.Timestamp("2025-03-01 20:59:59.999999")


def test_a_lone_time_far_ahead_does_not_move_as_of(tmp_path: Path):
    """One closing in 2099 among two hundred tickets of 2025; with as few as fifty, nobody can tell."""
    opened = pd.Series(pd.date_range("2025-01-01", periods=200, freq="1h").astype("datetime64[us]"))
    tickets = pd.DataFrame({"ticket_id": [str(i) for i in range(200)], "opened_at": opened})
    tickets["closed_at"] = opened.where(opened.index > 0, pd.Timestamp("2099-01-01"))
    assert open_study(a_study(tmp_path / "s", tickets=tickets)).as_of == opened.iloc[-1]
    assert open_study(a_study(tmp_path / "t", tickets=tickets.head(25))).as_of.year == 2099


def test_zeros_and_nevers_are_no_newest_time(tmp_path: Path):
    tickets = some_tickets().assign(closed_at=times("1970-01-01", None, "9999-12-31"))
    assert open_study(a_study(tmp_path / "s", tickets=tickets)).as_of == pd.Timestamp("2025-03-05 10:30")


def test_dates_alone_also_tell_how_far_data_reach(tmp_path: Path):
    customers = pd.DataFrame({"customer_id": ["x", "y"], "since_on": pd.to_datetime(["2025-02-01", "2025-02-09"])})
    assert open_study(a_study(tmp_path / "s", customers=customers)).as_of == pd.Timestamp("2025-02-09")
    with pytest.raises(StudyError, match="as_of"):
        open_study(a_study(tmp_path / "t", customers=customers[["customer_id"]]))


# --- settings ---

MISTAKES = [
    ("", "study_setting_missing", "time_zone"),
    ('time_zone = "Asia/Ryadh"', "study_zone", "Asia/Riyadh"),
    ('time_zone = "Riyadh"', "study_zone", "Asia/Riyadh"),
    ('time_zone = "UTC"\ntarget = {}', "study_setting_unknown", "targets"),
    ('time_zone = "UTC"\n[calendar]\nweek_end = []', "study_setting_unknown", "weekend"),
    ('time_zone = "UTC"\n[calendar]\nmonths = "jalaly"', "study_setting_word", "jalali"),
    ('time_zone = "UTC"\n[calendar]\nweekend = ["fryday"]', "study_setting_word", "friday"),
    ('time_zone = "UTC"\nlanguages = []', "study_setting_type", "languages"),
    ('time_zone = "UTC"\n[targets]\ncsat = "high"', "study_setting_type", "targets.csat"),
    ('time_zone = "UTC"\n[targets]\ncsat = true', "study_setting_type", "targets.csat"),
    ('time_zone = "UTC"\n[process.stages]\nWait = "custmer"', "study_setting_word", "customer"),
    ('time_zone = "UTC"\n[[export]]\nfile = "a.csv"', "study_setting_missing", "export.mapping"),
    ('time_zone = "UTC"\nces_version = "3"', "study_setting_word", "ces_version"),
    ('time_zone = "UTC"\n[[export]]\nfile = "a"\nmapping = "b"\nseparator = ";;"', "study_setting_type", "separator"),
    ('time_zone = "UTC"\n[engine]\nurl = "postgresql://u:secret@h/d"', "study_engine_password", "env:"),
]


def test_nothing_is_suggested_where_nothing_is_near(tmp_path: Path):
    with pytest.raises(StudyError) as refused:
        checked({"time_zone": "UTC", "qqqq": 1}, "s")
    assert "did you mean" not in refused.value.text("en")
    with pytest.raises(StudyError) as refused:
        open_study(tmp_path / "qqqqqqqq")
    assert "did you mean" not in refused.value.text("en")


def test_a_study_may_be_named_by_its_settings_and_a_wrong_moment_is_a_wrong_parameter(tmp_path: Path):
    study = a_study(tmp_path, tickets=some_tickets())
    assert open_study(study / "study.toml").path == study.resolve()
    with pytest.raises(ParameterError):
        open_study(study, as_of="2026-13-01")
    with pytest.raises(StudyError):
        open_study(a_study(tmp_path, 'time_zone = "UTC"\nas_of = "2026-13-01"'))


@pytest.mark.parametrize(("text", "code", "named"), MISTAKES)
def test_a_mistake_in_study_toml_is_named_with_the_right_word(text: str, code: str, named: str, tmp_path: Path):
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as refused:
        read_settings(tmp_path)
    assert refused.value.code == code
    for language in ("en", "ar", "fa"):
        assert named in refused.value.text(language)
        assert "secret" not in refused.value.text(language)


def test_broken_toml_is_refused_with_its_line_and_without_its_text(tmp_path: Path):
    (tmp_path / "study.toml").write_text('time_zone = "UTC"\nname = "SECRET', encoding="utf-8")
    with pytest.raises(StudyError) as refused:
        read_settings(tmp_path)
    assert "line 2" in str(refused.value)
    assert "SECRET" not in str(refused.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path):
    (tmp_path / "study.toml").write_bytes("\ufefftime_zone = 'UTC'".encode())
    assert read_settings(tmp_path)["time_zone"] == "UTC"


def test_what_is_not_said_has_a_default(tmp_path: Path):
    settings = checked({"time_zone": "UTC"}, "desk")
    assert (settings["name"], settings["languages"], settings["targets"]) == ("desk", ["en", "ar", "fa"], {})
    assert settings["calendar"] == {"week_start": "monday", "weekend": ["saturday", "sunday"], "months": "gregorian"}
    assert settings["process"] == {"resolved": [], "closed": [], "stages": {}}


# --- a new study ---


def test_a_new_study_of_an_event_log_is_ready_to_open(log: Path, tmp_path: Path):
    folder = new_study("desk", [log], into=tmp_path / "data", time_zone="Asia/Riyadh")
    settings = read_settings(folder)
    assert settings["process"]["resolved"] == ["Resolve ticket"]  # and not "Waiting for resolution"
    assert settings["process"]["closed"] == ["Closed"]
    assert settings["calendar"]["weekend"] == ["friday", "saturday"]
    study = open_study(folder)
    assert (study.tables, study.rows("events")) == (("tickets", "events"), 6)  # a case of the log counts as a ticket
    assert study.as_of == pd.Timestamp("2025-03-17 06:00")


def test_a_new_study_takes_a_mapping_of_ones_own(log: Path, tmp_path: Path):
    own = tmp_path / "our_log.toml"
    own.write_text('extends = "event_log"\n[tables.events]\nteam = "Resource"\n', encoding="utf-8")
    study = new_study("mine", [log], into=tmp_path, mapping=str(own))
    assert open_study(study).frame("events")["team"].iloc[0] == "Ann"
    own.write_text("[tables.event]\n", encoding="utf-8")
    with pytest.raises(IntakeError):
        new_study("other", [log], into=tmp_path, mapping=str(own))
    assert not [at for at in tmp_path.iterdir() if "other" in at.name]


def test_a_new_study_without_exports_says_what_it_lacks(tmp_path: Path):
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(IntakeError):
        new_study("none", [empty], into=tmp_path)
    study = new_study("none", [], into=tmp_path)
    with pytest.raises(StudyError) as refused:
        prepare(study, again=True)
    assert refused.value.code == "study_no_tables"


def test_vowel_signs_do_not_hide_what_a_step_means(tmp_path: Path):
    log = tmp_path / "log.csv"
    log.write_text("Case ID,Activity,Complete Timestamp\n1,أُغلقت التذكرة,2025/03/01 08:00:00\n", encoding="utf-8")
    settings = tomllib.loads((new_study("s", [log], into=tmp_path) / "study.toml").read_text("utf-8"))
    assert settings["process"]["closed"] == ["أُغلقت التذكرة"]


def test_a_new_study_overwrites_nothing_and_leaves_nothing_half_made(log: Path, tmp_path: Path):
    data = tmp_path / "data"
    new_study("desk", [log], into=data)
    with pytest.raises(StudyError) as refused:
        new_study("desk", [log], into=data)
    assert refused.value.code == "study_exists"
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for name, files, code in [
        ("x", [tmp_path / "odd.csv"], "study_unrecognised"),
        ("x", [tmp_path / "lag.csv"], "study_export_missing"),
        ("x", [log, log], "study_same_file_name"),
        ("../x", [log], "study_name"),
    ]:
        with pytest.raises(StudyError) as refused:
            new_study(name, files, into=data)
        assert refused.value.code == code
    assert [place.name for place in data.iterdir()] == ["desk"]


@pytest.mark.parametrize("step", ["Solved", "RESOLVED", "Resolve ticket", "تم حل الطلب", "محلولة", "حل شده", "حل‌شده"])
def test_steps_that_mean_a_solution_are_guessed(step: str):
    assert RESOLVED.search(step) and not NOT_YET.search(step)


@pytest.mark.parametrize("step", ["Closed", "Close case", "مغلقة", "تم الإغلاق", "بسته", "بسته شد"])
def test_steps_that_mean_an_end_are_guessed(step: str):
    assert CLOSED.search(step) and not NOT_YET.search(step)


@pytest.mark.parametrize(
    "step", ["Reopened", "Not solved", "Waiting for solution", "لم يحل", "در انتظار حل", "إعادة فتح"]
)
def test_steps_that_only_speak_of_a_solution_are_not(step: str):
    assert not RESOLVED.search(step) or NOT_YET.search(step)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_study_toml(text: str):
    import tomllib

    assert tomllib.loads(f"x = {quoted(text)}")["x"] == text


# --- when exports are read again ---


def test_exports_are_read_again_only_when_something_changed(log: Path, tmp_path: Path):
    folder = new_study("desk", [log], into=tmp_path)
    first = prepare(folder)
    written = (folder / "tables" / "events.parquet").stat().st_mtime_ns
    assert prepare(folder) == first
    assert (folder / "tables" / "events.parquet").stat().st_mtime_ns == written
    exports = folder / "exports" / "log.csv"
    exports.write_text(LOG + "3,Open,2025/03/20 08:00:00,Ann\n", encoding="utf-8")
    assert open_study(folder).rows("events") == 7
    assert json.loads((folder / "tables" / "intake.json").read_text("utf-8"))["digest"] != first["digest"]


@pytest.mark.slow
def test_processes_that_open_a_study_at_once_read_its_exports_once(log: Path, tmp_path: Path):
    """Four processes, one study without tables: all see the same six events."""
    folder = new_study("desk", [log], into=tmp_path)
    code = f"from cxkit.study import open_study; print(open_study({str(folder)!r}).rows('events'))"
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [run.communicate()[0].strip() for run in runs] == ["6"] * 4


def test_exports_that_the_gate_stops_leave_the_old_tables(log: Path, tmp_path: Path):
    folder = new_study("desk", [log], into=tmp_path)
    prepare(folder)
    (folder / "exports" / "log.csv").write_text(LOG.replace("2025/", "1404/"), encoding="utf-8")
    with pytest.raises(CxkitError):
        open_study(folder)
    assert len(pd.read_parquet(folder / "tables" / "events.parquet")) == 6


@pytest.mark.real
def test_made_up_tickets_are_refused_and_nothing_is_written(real_data: Path, tmp_path: Path):
    """The gate must name the 49.3% solved before their first reply and the missing time of opening."""
    folder = new_study("fake", [real_data / "support_tickets_fake" / "customer_support_tickets.csv"], into=tmp_path)
    with pytest.raises(CxkitError) as refused:
        open_study(folder)
    assert "49.3%" in refused.value.text("en")
    assert "opened_at" in refused.value.text("en")
    assert sorted(place.name for place in folder.iterdir()) == ["exports", "study.toml"]


@pytest.mark.real
def test_the_help_desk_log_becomes_a_study(real_data: Path, tmp_path: Path):
    """21,348 events of 4,580 cases and 14 activities, counted by pandas."""
    folder = new_study("helpdesk", [real_data / "helpdesk" / "helpdesk.csv"], into=tmp_path, time_zone="Europe/Rome")
    study = open_study(folder)
    events = study.frame("events")
    assert (len(events), events["case_id"].nunique(), events["activity"].nunique()) == (21_348, 4_580, 14)
    assert study.config["process"]["resolved"] == ["Resolve ticket"]
    assert study.config["process"]["closed"] == ["Closed"]


def test_the_footer_of_a_table_counts_as_its_rows_do(tmp_path: Path):
    """DuckDB's count of a column leaves empty cells out; the Parquet footer (Statistics.null_count) states the same."""
    frame = pd.DataFrame(
        {"a": [1.0, None, 3.0] * 50, "b": pd.Series([None] * 150, dtype="string"), "c": list("xyz") * 50}
    )
    file = tmp_path / "t.parquet"
    frame.to_parquet(file, row_group_size=40)
    table = ibis.duckdb.connect().read_parquet(file)
    assert _filled_by_footer(file) == _filled_by_count(table) == {"a": 100, "b": 0, "c": 150, "*": 150}
    pq.write_table(pa.Table.from_pandas(frame), file, write_statistics=False)
    assert _filled_by_footer(file) is None


@pytest.mark.slow
def test_what_does_not_fit_into_memory_is_spilled_out_of_sight_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Sorting 180 MB within 64: pandas' answer, nothing beside the work at hand, a folder that goes with the study."""
    monkeypatch.setattr(store, "_MEMORY", 64 * 2**20)
    monkeypatch.chdir(tmp_path)
    rows = 300_000
    keys = pd.Series(range(rows)) * 7_919 % rows
    tickets = pd.DataFrame({"ticket_id": keys.map(lambda k: f"{k:0300d}"), "opened_at": times("2025-03-01 08:00")[0]})
    study = open_study(a_study(tmp_path / "study", tickets=tickets))
    table = study.table("tickets")
    among = ibis.window(group_by=table.ticket_id.right(2), order_by="ticket_id")
    ordered = table.select("ticket_id", before=table.ticket_id.lag().over(among))
    last, this = (ordered[c].right(9).cast("int64") for c in ("before", "ticket_id"))
    rose = (this - last == 100).sum().to_pyarrow()
    spilled = Path(study.engine.raw_sql("SELECT current_setting('temp_directory')").fetchone()[0])
    assert rose.as_py() == rows - 100
    assert spilled.stat().st_mode & 0o077 == 0
    assert not spilled.is_relative_to(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"study"}
    del study, table, ordered
    gc.collect()
    assert not spilled.exists()
