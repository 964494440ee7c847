"""Real engines for the tests: a PostgreSQL server of its own in a temporary folder, a Spark of this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

PASSWORD = "open sesame: 100%/@"  # with the letters that mean something in an address
VARIABLE = "CXKIT_TEST_PASSWORD"
# What could go wrong goes wrong here: another time zone, dates written in another order.
_SERVER = {
    "listen_addresses": "",
    "TimeZone": "Asia/Tehran",
    "datestyle": "SQL, DMY",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "jit": "off",
    "shared_buffers": "64MB",
}
# Most of Spark's time with small data goes into compiling what is run once: the quick compiler takes a third of it.
_SPARK = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "768m",
    "spark.log.level": "ERROR",
    "spark.sql.adaptive.enabled": "false",  # plans of small data are as good without, and made faster
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of a new server that asks for a password; it and its folder are gone afterwards."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="cxkit-pg-"))
    try:
        (folder / "password").write_text(PASSWORD)
        user = _user(folder)
        # Texts in a person's order: what counts on the order of their letters' numbers is found out.
        order = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"]
        made = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "cx", "-A", "scram-sha-256", "-E", "UTF8"]
        made += ["--no-sync", "--pwfile", str(folder / "password"), *order]
        subprocess.run(made, check=True, capture_output=True, cwd=folder, **user)
        settings = {**_SERVER, "unix_socket_directories": str(folder), **_statistics(programs)}
        command = [str(programs / "postgres"), "-D", str(folder / "data")]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
        try:
            os.environ[VARIABLE] = PASSWORD
            _wait(f"host={folder} user=cx dbname=postgres", folder / "log")
            yield f"postgresql://cx:env:{VARIABLE}@/postgres?host={folder}"
        finally:
            os.environ.pop(VARIABLE, None)
            server.send_signal(signal.SIGINT)  # at once: sessions that are still open do not matter
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of PostgreSQL's own programs, which Debian keeps off the path."""
    on_path = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda at: float(at.parts[-3]))
    found = [Path(on_path).resolve()] if on_path else places[-1:]
    if not found:
        pytest.skip("PostgreSQL is not here: install a server (on Debian: apt install postgresql)")
    if not importlib.util.find_spec("psycopg"):
        pytest.skip("psycopg is not here: pip install cxkit[postgres]")
    return found[0].parent


def _user(folder: Path) -> dict[str, Any]:
    """Whom to run as: PostgreSQL refuses to be root."""
    if not hasattr(os, "geteuid") or os.geteuid():
        return {}
    import pwd  # Windows has none

    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    nobody = names.get("postgres") or names["nobody"]
    for place in (folder, folder / "password"):
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _statistics(programs: Path) -> dict[str, str]:
    """What lets the server say how many rows each statement gave."""
    found = subprocess.run([programs / "pg_config", "--pkglibdir"], capture_output=True, text=True, check=False)
    places = [Path(found.stdout.strip() or "/"), programs.parent / "lib"]
    there = any((place / "pg_stat_statements.so").exists() for place in places)
    return {"shared_preload_libraries": "pg_stat_statements"} if there else {}


def _wait(where: str, log: Path) -> None:
    """Until the server lets us in."""
    import psycopg

    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(where, password=PASSWORD, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise RuntimeError(log.read_text(errors="replace")) from None
            time.sleep(0.05)


@contextmanager
def spark() -> Iterator[str]:
    """The address of a small Spark in this process, which ends afterwards."""
    if not importlib.util.find_spec("pyspark"):
        pytest.skip("Spark is not here: python3 cx.py engines")
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and Path(home, "bin", "java").exists())):
        pytest.skip("Java is not here, and Spark needs it (on Debian: apt install openjdk-17-jre-headless)")
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory(prefix="cxkit-spark-") as folder:
        builder = SparkSession.builder.master("local[1]").config("spark.sql.warehouse.dir", f"{folder}/warehouse")
        for name, value in {**_SPARK, "spark.local.dir": folder}.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        try:
            yield "spark://local[1]"
        finally:
            session.stop()


def studies(folder: Path, settings: str = 'time_zone = "UTC"') -> Studies:
    """The study in `folder`, whose tables/ hold Parquet files, once per engine; see `Studies`."""
    return Studies(folder, settings)


class Studies:
    """One study, opened on each engine that a test asks for: DuckDB, PostgreSQL and Spark over the same tables."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder, self.settings = folder, settings
        self.opened: dict[str, Any] = {}

    def on(self, engine: str, address: str = "") -> Any:
        """The study on `engine`; its tables are handed over first."""
        from cxkit.study import load_tables, open_study

        if engine not in self.opened:
            place = self.folder / engine
            place.mkdir()
            (place / "tables").symlink_to(self.folder / "tables")
            (place / "study.toml").write_text(self.settings + _engine(engine, address, self.folder), encoding="utf-8")
            if engine == "postgresql":
                execute(address, f'CREATE SCHEMA "{_named(self.folder)}"')
                load_tables(place)
            self.opened[engine] = open_study(place)
        return self.opened[engine]


def _engine(engine: str, address: str, folder: Path) -> str:
    """The part [engine] of study.toml."""
    if engine == "duckdb":
        return ""
    more = f'schema = "{_named(folder)}"' if engine == "postgresql" else f'tables = "{folder / "tables"}"'
    return f'\n[engine]\nurl = "{address}"\n{more}\n'


def _named(folder: Path) -> str:
    """A schema's name of its own for each folder, with letters that must be quoted."""
    return f"Of {folder.name}"


def execute(address: str, *statements: str) -> None:
    """What the owner of the server does to it."""
    import psycopg

    where = address.replace(f"env:{VARIABLE}", quote(PASSWORD, safe=""))
    with psycopg.connect(where, autocommit=True) as server:
        for statement in statements:
            server.execute(statement)
