"""A study on PostgreSQL or Spark: found, brought to the contract's types, never written to, and no secret told."""

from __future__ import annotations

import builtins
import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import engines
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxkit.errors import CxkitError, StudyError
from cxkit.lang import LANGS
from cxkit.study import load_tables, open_study, prepare, read_settings
from cxkit.study.address import address, resolved
from cxkit.study.engines import store_of

pytestmark = [pytest.mark.xdist_group("engines"), pytest.mark.timeout(900)]  # one server and one Spark for all
NOW = dt.datetime(2026, 3, 1, 10, 0, 0, 250_000)


def a_study(folder: Path, engine: str, settings: str = 'time_zone = "Asia/Riyadh"\nas_of = 2026-04-01') -> Path:
    """A folder with nothing but study.toml."""
    folder.mkdir(exist_ok=True)
    (folder / "study.toml").write_text(f"{settings}\n\n[engine]\n{engine}\n", encoding="utf-8")
    return folder


def tables(folder: Path) -> Path:
    """Parquet files of three tickets and two customers."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    tickets = {
        "ticket_id": ["a", "b", "c"],
        "opened_at": pa.array([NOW, NOW - dt.timedelta(days=1), None], pa.timestamp("us")),
        "team": ["ب", "", None],
        "reopens": pa.array([0, None, 2], pa.int64()),
        "escalated": [True, None, False],
    }
    customers = {"customer_id": ["x", "y"], "since_on": pa.array([dt.date(2025, 1, 1), None], pa.date32())}
    for name, columns in {"tickets": tickets, "customers": customers}.items():
        pq.write_table(pa.table(columns), folder / "tables" / f"{name}.parquet")
    return folder


@pytest.fixture
def schema(postgresql: str, tmp_path: Path) -> str:
    """A new schema of a name of its own."""
    name = f"s_{tmp_path.name}"
    engines.execute(postgresql, f"CREATE SCHEMA {name}")
    return name


def sentences(refused: pytest.ExceptionInfo[CxkitError]) -> str:
    """All that a refusal says and holds, in three languages."""
    error = refused.value
    return " ".join([*(error.text(lang) for lang in LANGS), repr(error), repr(error.__cause__), str(error.params)])


# --- study.toml ---

WRONG = [
    ('url = "mysql://u:hush@h/d"', "study_engine", "postgresql://"),
    ('url = "postgresql//u:hush@h/d"', "study_engine", "postgresql://"),
    ('url = "duckdb://hush.db"', "study_engine", "postgresql://"),
    ('url = "postgresql://u:hush@h/d"', "study_engine_password", "engine.url"),
    ('url = "postgresql://h/d?user=u&password=hush"', "study_engine_password", "engine.url"),
    ('url = "sc://h:15002/;token=hush"', "study_engine_password", "engine.url"),
    ('url = "postgresql://u@h/d"\npassword = "hush"', "study_engine_password", "engine.password"),
    ('schema = "x"', "study_setting_missing", "engine.url"),
    ('url = "duckdb://"\nschema = "x"', "study_setting_unknown", "engine.schema"),
    ('url = "spark://local"\nschema = "x"', "study_setting_unknown", "engine.schema"),
    ('url = "postgresql://h/d"\nshema = "x"', "study_setting_unknown", "schema"),
    ('url = "postgresql://h/d"\ntables = "here"', "study_setting_type", "engine.tables"),
    ('url = "postgresql://h/d"\ntables = { ticket = "t" }', "study_setting_unknown", "tickets"),
]


@pytest.mark.parametrize(("engine", "code", "named"), WRONG)
def test_a_mistake_is_named_and_a_password_is_not_repeated(engine: str, code: str, named: str, tmp_path: Path):
    with pytest.raises(StudyError) as refused:
        read_settings(a_study(tmp_path, engine))
    assert refused.value.code == code
    for lang in LANGS:
        assert named in refused.value.text(lang)
    assert "hush" not in sentences(refused)


def test_a_secret_is_taken_from_the_environment_when_it_is_needed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DESK", "p@ss:/w?")
    place = address({"url": "postgresql://u:env:DESK@h/d"})
    assert resolved("engine.url", place.url, in_url=True) == "postgresql://u:p%40ss%3A%2Fw%3F@h/d"
    assert resolved("engine.password", "env:DESK") == "p@ss:/w?"
    monkeypatch.delenv("DESK")
    with pytest.raises(StudyError) as refused:
        resolved("engine.password", "env:DESK")
    assert refused.value.text("en") == (
        "study.toml: engine.password names the environment variable DESK, which is not set here."
    )


def test_without_a_word_on_it_the_engine_is_duckdb(tmp_path: Path):
    assert read_settings(a_study(tmp_path, 'url = "duckdb://"'))["engine"] == {"url": "duckdb://"}
    assert not address({"url": "duckdb://"}).elsewhere
    assert not address({"url": "spark://local[2]"}).elsewhere
    assert address({"url": "spark://local[2]", "tables": "/lake"}).elsewhere


@pytest.mark.parametrize("extra", ["postgres", "spark"])
def test_a_missing_package_is_named(extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    absent = {"postgres": "psycopg", "spark": "pyspark"}[extra]
    real = builtins.__import__

    def without(name: str, *more: Any, **words: Any) -> Any:
        if name.partition(".")[0] == absent:
            raise ModuleNotFoundError(name=absent)
        return real(name, *more, **words)

    for module in [name for name in os.sys.modules if name in (f"cxkit.study.{extra}",) or name.startswith(absent)]:
        monkeypatch.delitem(os.sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)
    url = {"postgres": "postgresql://h/d", "spark": "spark://local"}[extra]
    with pytest.raises(StudyError) as refused:
        store_of(tmp_path, {"engine": {"url": url}})
    assert refused.value.text("en") == (
        f"Tables at “{url}” need a package that is not installed here. Run: pip install cxkit[{extra}]"
    )


def test_a_spark_without_java_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(StudyError) as refused:
        store_of(tmp_path, {"engine": {"url": "spark://local"}})
    assert refused.value.code == "study_engine_java"
    assert "Java 17" in refused.value.text("en")


@pytest.mark.parametrize(
    "url", ["spark://127.0.0.1:1", "spark://127.0.0.1:1,127.0.0.1:2", "sc://127.0.0.1:1/;token=env:T"]
)
def test_a_cluster_that_is_not_there_is_not_waited_for(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nobody listens on port 1; Spark would ask again and again, for minutes."""
    pytest.importorskip("pyspark")
    monkeypatch.setenv("T", "hush")
    monkeypatch.setattr("cxkit.study.spark._java", lambda: True)
    with pytest.raises(StudyError) as refused:
        store_of(tmp_path, {"engine": {"url": url}})
    assert refused.value.code == "study_engine_unreached"
    assert "hush" not in sentences(refused)


# --- a server ---


def test_a_server_that_is_not_there_is_named_as_study_toml_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("DESK_HOST", str(tmp_path))
    monkeypatch.setenv("DESK_PASSWORD", "hush")
    place = 'url = "postgresql://cx@/d?host=env:DESK_HOST"\npassword = "env:DESK_PASSWORD"'
    with pytest.raises(StudyError) as refused:
        open_study(a_study(tmp_path / "s", place))
    assert refused.value.text("en") == (
        "Nobody answers at “postgresql://cx@/d?host=env:DESK_HOST”. "
        "Is the server running, and may this machine reach it?"
    )
    assert not any(word in sentences(refused) for word in ("hush", str(tmp_path)))


def test_a_server_that_lets_nobody_in_is_told_from_one_that_is_down(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WRONG", "hush")
    for url in (postgresql.replace(engines.VARIABLE, "WRONG"), postgresql.replace("/postgres?", "/nowhere?")):
        with pytest.raises(StudyError) as refused:
            open_study(a_study(tmp_path / "s", f'url = "{url}"'))
        assert refused.value.code == "study_engine_refused"
        assert not any(word in sentences(refused) for word in ("hush", engines.PASSWORD, "FATAL"))


def test_a_server_without_any_table_says_what_was_looked_for(postgresql: str, schema: str, tmp_path: Path):
    with pytest.raises(StudyError) as refused:
        open_study(a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"\nprefix = "cx_"'))
    assert refused.value.code == "study_engine_empty"
    assert "Looked for: cx_tickets, cx_events" in refused.value.text("en")


def test_tables_may_have_other_names_and_other_types(postgresql: str, schema: str, tmp_path: Path):
    """Times with a zone, exact numbers, flags as 0 and 1, blanks at the end, endless moments, numbers as ids."""
    engines.execute(
        postgresql,
        f"CREATE SCHEMA {schema}_desk",
        f"CREATE TYPE {schema}.way AS ENUM ('email', 'phone')",
        f"""CREATE TABLE {schema}_desk.cases (
            "ticket_id" bigint, opened_at timestamptz, closed_at timestamp(0), channel {schema}.way, team char(6),
            touch_seconds numeric(12, 3), reopens smallint, is_spam smallint, escalated boolean, weight real,
            tags text, trace uuid, labels text[], raw jsonb)""",
        f"""INSERT INTO {schema}_desk.cases VALUES
            (7, '2026-03-01 13:30:00.5+03:30', 'infinity', 'phone', 'vip', 12.5, 1, 0, true, 0.5, '',
             NULL, '{{a}}', '1'),
            (8, NULL, '2026-03-02 10:00', NULL, NULL, 'NaN', NULL, 1, NULL, 'NaN', ' x ',
             '00000000-0000-0000-0000-000000000001', NULL, NULL)""",
        f"CREATE VIEW {schema}_desk.cases_v AS SELECT * FROM {schema}_desk.cases",
        f"""CREATE MATERIALIZED VIEW {schema}.cx_customers AS
            SELECT 'c' AS customer_id, timestamp '2025-01-02 03:04' AS since_on""",
    )
    place = (
        f'url = "{postgresql}"\nschema = "{schema}"\nprefix = "cx_"\ntables = {{ tickets = "{schema}_desk.cases_v" }}'
    )
    study = open_study(a_study(tmp_path / "s", place))
    assert study.tables == ("tickets", "customers")
    found = study.table("tickets").order_by("ticket_id").to_pyarrow()
    assert found.schema.field("opened_at").type == pa.timestamp("us")
    assert found.to_pydict() == {
        "ticket_id": ["7", "8"],
        "opened_at": [dt.datetime(2026, 3, 1, 10, 0, 0, 500_000), None],
        "closed_at": [None, dt.datetime(2026, 3, 2, 10)],
        "channel": ["phone", None],
        "team": ["vip", None],
        "touch_seconds": [12.5, None],
        "reopens": [1, None],
        "is_spam": [False, True],
        "escalated": [True, None],
        "weight": [0.5, None],
        "tags": [None, " x "],
        "trace": [None, "00000000-0000-0000-0000-000000000001"],
    }
    assert study.table("customers").to_pyarrow().to_pylist() == [{"customer_id": "c", "since_on": dt.date(2025, 1, 2)}]
    assert study.filled("tickets")["touch_seconds"] == 1


def test_a_table_that_cannot_serve_says_why(postgresql: str, schema: str, tmp_path: Path):
    engines.execute(
        postgresql,
        f"CREATE TABLE {schema}.surveys (ticket_id text, sent_at timestamp)",
        f"CREATE TABLE {schema}.calls (call_id text, arrived_at text)",
    )
    folder = a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"')
    study = open_study(folder)
    with pytest.raises(StudyError) as refused:
        study.table("surveys")
    assert refused.value.text("en") == (
        "Table surveys lacks columns without which it is of no use: response_id. It has: ticket_id, sent_at."
    )
    with pytest.raises(StudyError) as refused:
        study.table("calls")
    assert refused.value.text("en") == (
        "Column arrived_at of table calls is of type string, where a timestamp is expected. "
        "A view can bring it to that."
    )
    a_study(folder, f'url = "{postgresql}"\nschema = "{schema}"\ntables = {{ tickets = "{schema}.gone" }}')
    with pytest.raises(StudyError) as refused:
        open_study(folder)
    assert refused.value.code == "study_engine_table"


def test_a_table_that_this_user_may_not_read_is_not_there(postgresql: str, schema: str, tmp_path: Path):
    engines.execute(
        postgresql,
        f"CREATE TABLE {schema}.tickets (ticket_id text, opened_at timestamp)",
        f"CREATE TABLE {schema}.customers (customer_id text)",
        f"CREATE ROLE {schema} LOGIN PASSWORD '{engines.PASSWORD}'",
        f"GRANT USAGE ON SCHEMA {schema} TO {schema}",
        f"GRANT SELECT ON {schema}.customers TO {schema}",
    )
    url = postgresql.replace("//cx:", f"//{schema}:")
    study = open_study(a_study(tmp_path / "s", f'url = "{url}"\nschema = "{schema}"'))
    assert study.tables == ("customers",)
    assert study.lookup("x", pd.DataFrame({"n": [1]})).to_pyarrow().to_pylist() == [{"n": 1}]


def test_a_session_cannot_write_and_keeps_utc(postgresql: str, schema: str, tmp_path: Path):
    engines.execute(postgresql, f"CREATE TABLE {schema}.tickets (ticket_id text, opened_at timestamp)")
    study = open_study(a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"'))
    for statement in (
        f"DELETE FROM {schema}.tickets",
        "CREATE TEMPORARY TABLE t (n int)",
        f"DROP TABLE {schema}.tickets",
    ):
        with pytest.raises(Exception, match="read-only transaction"):
            study.engine.con.execute(statement)
    assert study.engine.con.execute("SHOW TimeZone").fetchone() == ("UTC",)


def test_what_the_server_says_of_a_failure_is_not_repeated(postgresql: str, schema: str, tmp_path: Path):
    """A value of the data in the server's own message stays there; its code is told (22P02: no number in that text)."""
    engines.execute(
        postgresql,
        f"CREATE TABLE {schema}.raw AS SELECT 'a' AS ticket_id, timestamp '2026-03-01' AS opened_at, 'hush' AS amount",
        f"CREATE VIEW {schema}.tickets AS SELECT ticket_id, opened_at, amount::int AS reopens FROM {schema}.raw",
    )
    study = open_study(a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"'))
    with pytest.raises(StudyError) as refused:
        study.frame("tickets")
    assert refused.value.code == "study_engine_failed"
    assert refused.value.params["reason"] == "22P02"
    assert "hush" not in sentences(refused)


def test_a_study_on_a_server_asks_for_no_exports(postgresql: str, schema: str, tmp_path: Path):
    """study.toml may still name those from which the tables were loaded; they need not be there."""
    engines.execute(postgresql, f"CREATE TABLE {schema}.tickets (ticket_id text, opened_at timestamp)")
    exports = 'time_zone = "UTC"\nas_of = 2026-04-01\n[[export]]\nfile = "gone.csv"\nmapping = "zendesk_tickets"'
    folder = a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"', exports)
    assert prepare(folder) == {}
    study = open_study(folder)
    assert (study.rows("tickets"), study.intake, study.store.file("tickets")) == (0, {}, None)


def test_a_study_on_a_server_can_be_asked_from_several_threads(postgresql: str, schema: str, tmp_path: Path):
    folder = tables(a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"'))
    load_tables(folder)
    study = open_study(folder)
    asked = [lambda: len(study.frame("customers")), lambda: study.table("tickets").count().to_pyarrow().as_py()]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: asked[place % 2](), range(40)))
    assert found == [2, 3] * 20


# --- tables on their way in ---


def test_tables_are_loaded_whole_and_once(postgresql: str, schema: str, tmp_path: Path):
    place = f'url = "{postgresql}"\nschema = "{schema}"\nprefix = "cx_"'
    folder = tables(a_study(tmp_path / "s", place))
    assert load_tables(folder) == {"tickets": 3, "customers": 2}
    study = open_study(folder)
    assert study.table("tickets").order_by("ticket_id").to_pyarrow().to_pydict() == {
        "ticket_id": ["a", "b", "c"],
        "opened_at": [NOW, NOW - dt.timedelta(days=1), None],
        "team": ["ب", None, None],
        "reopens": [0, None, 2],
        "escalated": [True, None, False],
    }
    with pytest.raises(StudyError) as refused:
        load_tables(folder)
    assert refused.value.text("en") == (
        f"These tables are at “{postgresql}” already: tickets, customers. With --replace they are made anew."
    )
    assert load_tables(folder, replace=True) == {"tickets": 3, "customers": 2}
    assert open_study(folder).rows("tickets") == 3


def test_a_load_that_fails_leaves_the_old_tables(postgresql: str, schema: str, tmp_path: Path):
    """PostgreSQL takes no text with a zero in it; the tables before that one are not changed either."""
    folder = tables(a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"'))
    load_tables(folder)
    hidden = pa.table({"customer_id": ["hush\x00hush"]})
    pq.write_table(hidden, folder / "tables" / "customers.parquet")
    pq.write_table(pq.read_table(folder / "tables" / "tickets.parquet")[:1], folder / "tables" / "tickets.parquet")
    with pytest.raises(StudyError) as refused:
        load_tables(folder, replace=True)
    assert "hush" not in sentences(refused)
    assert (open_study(folder).rows("tickets"), open_study(folder).rows("customers")) == (3, 2)


def test_tables_that_belong_to_somebody_else_are_not_loaded(postgresql: str, schema: str, tmp_path: Path):
    engines.execute(
        postgresql, f"CREATE TABLE {schema}.theirs AS SELECT 't' AS ticket_id, timestamp '2026-03-01' AS opened_at"
    )
    place = f'url = "{postgresql}"\nschema = "{schema}"\ntables = {{ tickets = "{schema}.theirs" }}'
    folder = tables(a_study(tmp_path / "s", place))
    assert load_tables(folder, replace=True) == {"customers": 2}
    assert open_study(folder).rows("tickets") == 1


def test_a_study_of_its_own_folder_has_nowhere_to_load_to(tmp_path: Path):
    with pytest.raises(StudyError) as refused:
        load_tables(tables(a_study(tmp_path / "s", 'url = "duckdb://"')))
    assert refused.value.code == "study_load_home"


# --- small tables beside the study's own ---


def test_a_lookup_of_many_rows_is_handed_over_once(tmp_path: Path):
    study = open_study(tables(a_study(tmp_path / "s", 'url = "duckdb://"')))
    frame = pd.DataFrame({"n": range(100_000), "word": pd.Categorical(["a", "b"] * 50_000)})
    first, again = study.lookup("x", frame), study.lookup("x", frame.copy())
    assert first.equals(again)
    other = study.lookup("x", frame.assign(n=0))
    assert not first.equals(other)
    assert (first.n.sum().to_pyarrow().as_py(), other.n.sum().to_pyarrow().as_py()) == (4_999_950_000, 0)


@pytest.mark.slow
def test_a_lookup_of_many_rows_reaches_a_server_that_nobody_may_write_to(postgresql: str, schema: str, tmp_path: Path):
    folder = tables(a_study(tmp_path / "s", f'url = "{postgresql}"\nschema = "{schema}"'))
    load_tables(folder)
    words = [f"{n}\\\"'{{}},é" for n in range(100_000)]
    frame = pd.DataFrame({"n": range(100_000), "word": words, "half": [n / 2 for n in range(100_000)]})
    small = open_study(folder).lookup("x", frame)
    assert small.n.sum().to_pyarrow().as_py() == 4_999_950_000
    assert small.filter(small.word == words[77_777]).to_pyarrow().to_pylist() == [
        {"n": 77_777, "word": words[77_777], "half": 38_888.5}
    ]


# --- Spark ---


@pytest.mark.slow
def test_spark_counts_the_folder_that_study_toml_names(spark: str, tmp_path: Path):
    """A path begins at study.toml; without one, the study's own tables are counted."""
    tables(tmp_path / "lake")
    study = open_study(a_study(tmp_path / "s", f'url = "{spark}"\ntables = "../lake/tables"'))
    assert (study.tables, study.rows("tickets"), study.filled("tickets")["team"]) == (("tickets", "customers"), 3, 1)
    own = open_study(tables(a_study(tmp_path / "t", f'url = "{spark}"')))
    assert own.frame("customers")["since_on"].tolist() == [pd.Timestamp("2025-01-01"), pd.NaT]
    with pytest.raises(StudyError) as refused:
        open_study(a_study(tmp_path / "u", f'url = "{spark}"\ntables = "nowhere"'))
    assert refused.value.code == "study_engine_empty"


@pytest.mark.slow
def test_spark_counts_the_tables_of_a_catalogue(spark: str, tmp_path: Path):
    from pyspark.sql import SparkSession

    SparkSession.builder.getOrCreate().sql("CREATE DATABASE IF NOT EXISTS desk")
    folder = tables(a_study(tmp_path / "s", f'url = "{spark}"\ndatabase = "desk"\nprefix = "cx_"'))
    assert load_tables(folder) == {"tickets": 3, "customers": 2}
    study = open_study(folder)
    assert study.frame("tickets").sort_values("ticket_id")["opened_at"].tolist() == [
        pd.Timestamp(NOW),
        pd.Timestamp(NOW) - pd.Timedelta(days=1),
        pd.NaT,
    ]
    with pytest.raises(StudyError) as refused:
        load_tables(folder)
    assert refused.value.code == "study_load_exists"
    assert load_tables(folder, replace=True) == {"tickets": 3, "customers": 2}
    named = a_study(tmp_path / "t", f'url = "{spark}"\ntables = {{ tickets = "desk.cx_tickets" }}')
    assert open_study(named).rows("tickets") == 3


@pytest.mark.slow
def test_two_studies_on_one_spark_do_not_meet(spark: str, tmp_path: Path):
    one = open_study(tables(a_study(tmp_path / "s", f'url = "{spark}"')))
    folder = a_study(tmp_path / "t", f'url = "{spark}"')
    tables(folder)
    pq.write_table(pq.read_table(folder / "tables" / "tickets.parquet")[:1], folder / "tables" / "tickets.parquet")
    two = open_study(folder)
    assert (one.rows("tickets"), two.rows("tickets"), len(one.frame("tickets"))) == (3, 1, 3)


@pytest.mark.slow
def test_what_spark_says_of_a_failure_is_not_repeated(spark: str, tmp_path: Path):
    study = open_study(tables(a_study(tmp_path / "s", f'url = "{spark}"')))
    tickets = study.table("tickets")
    with pytest.raises(StudyError) as refused:
        tickets.select(n=tickets.team.cast("int64")).to_pyarrow()
    assert refused.value.code == "study_engine_failed"
    assert "ب" not in str(refused.value.params)
