"""Tables that Spark counts: Parquet files or a catalogue's tables, on this machine or on a cluster."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis.backends.pyspark import Backend
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.formats.pandas import PandasData
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.functions import broadcast

from cxkit.errors import StudyError
from cxkit.study.address import Address, resolved

_CONNECT_PORT, _WAIT_SECONDS = 15_002, 10
# A session on this machine is small, quiet, and opens no page of its own.
_HERE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


class _Compiler(PySparkCompiler):  # type: ignore[misc]  # ibis has no types
    """Ibis' own, but for whole seconds."""

    __slots__ = ()

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:  # noqa: N802 - ibis finds it by this name
        """Seconds since 1970, cut down; Spark's `unix_timestamp` cuts towards zero."""
        return self.f.anon.unix_seconds(self.cast(arg, dt.timestamp))


class Spark(Backend):  # type: ignore[misc]  # ibis has no types
    """Ibis' backend, whose answers come as Arrow; by way of pandas, whole numbers with gaps became floats."""

    compiler = _Compiler()
    shown = ""  # the address as study.toml has it

    def to_pyarrow(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """The answer as Arrow."""
        table = expr.as_table()
        self._run_pre_execute_hooks(table)
        query = self.compile(table, params=params, limit=limit)
        with failing_as(self.shown):
            found = self.raw_sql(query).toArrow()
        return expr.__pyarrow_result__(found.cast(table.schema().to_pyarrow()))

    def execute(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """The answer as pandas."""
        table = expr.as_table()
        found = self.to_pyarrow(table, params=params, limit=limit)
        frame = pd.DataFrame({name: found[name].to_pandas() for name in found.column_names})
        return expr.__pandas_result__(PandasData.convert_table(frame, table.schema()))

    def lookup(self, name: str, rows: pa.Table) -> ir.Table:
        """A small table under a name of this session; Spark sends it to every worker."""
        with failing_as(self.shown):
            broadcast(self._session.createDataFrame(rows)).createOrReplaceTempView(name)
        return self.table(name)


@contextmanager
def failing_as(shown: str) -> Iterator[None]:
    """What Spark refuses, without its own words: they may hold values, paths and names."""
    try:
        yield
    except PySparkException as failed:
        reason = failed.getCondition() or type(failed).__name__
        raise StudyError("study_engine_failed", url=shown, reason=reason) from None


def connected(place: Address) -> Spark:
    """A session of its own, in UTC; StudyError without Java or a package, or when no cluster answers there."""
    if not place.url.startswith("sc://") and not _java():
        raise StudyError("study_engine_java", url=place.url)
    url = resolved("engine.url", place.url, in_url=True)
    if not _answers(url):
        raise StudyError("study_engine_unreached", url=place.url)
    Spark.register_options()  # what `ibis.pyspark` would do
    try:
        engine: Spark = Spark().connect(_session(url))
    except ImportError:
        raise StudyError("study_engine_extra", url=place.url, extra="cxkit[spark]") from None
    except Exception:  # what py4j and gRPC raise is of many kinds, and quotes addresses
        raise StudyError("study_engine_unreached", url=place.url) from None
    engine.shown = place.url
    return engine


def _java() -> bool:
    """Whether there is a Java to run."""
    home = os.environ.get("JAVA_HOME")
    return bool(shutil.which("java") or (home and (Path(home) / "bin" / "java").exists()))


def _answers(url: str) -> bool:
    """Whether anybody listens at one of the places of a cluster: Spark itself would go on asking for minutes."""
    for place in url.partition("://")[2].partition("/")[0].split(","):
        host, found, port = place.partition(":")
        if not (found or url.startswith("sc://")):
            return True  # local, yarn and the like
        with suppress(OSError, ValueError), socket.create_connection((host, int(port or _CONNECT_PORT)), _WAIT_SECONDS):
            return True
    return False


def _session(url: str) -> Any:
    builder = SparkSession.builder.appName("cxkit").config("spark.sql.session.timeZone", "UTC")
    if url.startswith("sc://"):
        return builder.remote(url).create()
    rest = url.removeprefix("spark://")
    if ":" in rest:  # a cluster of its own; anything else names a kind of master, such as local[2] or yarn
        return builder.master(url).getOrCreate().newSession()
    for name, value in _HERE.items() if rest.startswith("local") else ():
        builder = builder.config(name, value)
    return builder.master(rest).getOrCreate().newSession()


def tables_at(engine: Spark, place: Address, names: tuple[str, ...], home: Path) -> Mapping[str, str]:
    """Where each canonical table that is there lies: a path of Parquet, or a name of the catalogue.

    home: the study's own folder of Parquet files, which counts where study.toml names no other place.
    """
    found = {}
    for name in names:
        at, catalogue = _at(place, home, name)
        if _there(engine, at, catalogue):
            found[name] = at
        elif name in place.tables:
            raise StudyError("study_engine_table", table=name, there=place.tables[name], url=place.url)
    return found


def _at(place: Address, home: Path, name: str) -> tuple[str, bool]:
    """The name of a table in the catalogue; or else the path of its Parquet file, or folder of files."""
    called = place.named(name)
    if place.database or place.tables:
        return (called if "." in called or not place.database else f"{place.database}.{called}"), True
    folder = place.folder or str(home)
    if "://" not in folder:
        folder = str((home.parent / folder).resolve())  # a relative path begins at study.toml
    return f"{folder.rstrip('/')}/{called}.parquet", False


def _there(engine: Spark, at: str, catalogue: bool) -> bool:
    if catalogue:
        with failing_as(engine.shown):
            return bool(engine._session.catalog.tableExists(at))
    if "://" not in at:
        return Path(at).exists()
    with failing_as(engine.shown):
        try:
            engine._session.read.parquet(at).schema  # noqa: B018 - Spark looks only when the columns are asked for
        except AnalysisException:
            return False
    return True


def table_at(engine: Spark, at: str, name: str) -> ir.Table:
    """A table as it stands there."""
    with failing_as(engine.shown):
        if "/" in at:
            return engine.read_parquet(at, table_name=f"cx_{name}")
        *database, relation = at.split(".")
        return engine.table(relation, database=".".join(database) or None)


def write(engine: Spark, tables: Mapping[str, pa.Table], place: Address, home: Path) -> None:
    """Each of `tables` at its place, as Parquet in microseconds; an older table of that name goes."""
    with failing_as(engine.shown):
        for name, rows in tables.items():
            at, catalogue = _at(place, home, name)
            writer = engine._session.createDataFrame(rows).write.mode("overwrite")
            if catalogue:
                writer.saveAsTable(at)
            else:
                writer.parquet(at)
