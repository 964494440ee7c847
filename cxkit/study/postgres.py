"""Tables that live in PostgreSQL: read where they lie, by a session that may not write."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv
import sqlglot.expressions as sge
from ibis.backends.postgres import Backend
from ibis.backends.sql.compilers.postgres import PostgresCompiler
from ibis.formats.pandas import PandasData
from psycopg import conninfo, sql

from cxkit.errors import StudyError
from cxkit.study.address import Address, resolved

_WAIT_SECONDS = 10  # for a server that does not answer
_READABLE = ("r", "v", "m", "f", "p")  # tables, views, materialised views, foreign and partitioned tables
_SESSION = (
    "SET TIME ZONE 'UTC'",
    "SET datestyle = 'ISO'",
    "SET extra_float_digits = 1",  # the shortest digits that give the same float again
)
_READ_ONLY = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"


class _Compiler(PostgresCompiler):  # type: ignore[misc]  # ibis has no types
    """Ibis' own, but for quotients and small letters."""

    __slots__ = ()

    def visit_Divide(self, op: Any, *, left: Any, right: Any) -> Any:  # noqa: N802 - ibis finds it by this name
        """A quotient of floats. Left to itself, sqlglot makes it so while it writes, by changing the column in place.

        A column that stands at two places of a query is one object there: the change may land at the other one, and
        the server cuts the quotient of two whole numbers to a whole number.
        """
        return self.binop(sge.Div, self.cast(left, dt.float64), right)

    def visit_FloorDivide(self, op: Any, *, left: Any, right: Any) -> Any:  # noqa: N802
        """A quotient, rounded down."""
        return self.cast(self.f.floor(self.visit_Divide(op, left=left, right=right)), op.dtype)

    def visit_Lowercase(self, op: Any, *, arg: Any) -> Any:  # noqa: N802
        """Letters of every script have their small form, whatever the text's order."""
        return _collated(self.f.lower(_collated(arg, "default")), "C")


def _collated(text: Any, collation: str) -> Any:
    return sge.Collate(this=text, expression=sge.Identifier(this=collation, quoted=True))


class PostgreSQL(Backend):  # type: ignore[misc]  # ibis has no types
    """Ibis' backend, whose answers come as COPY: cursors, which ibis uses, keep the server from working in parallel."""

    compiler = _Compiler()
    shown = ""  # the address as study.toml has it

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turn = threading.Lock()  # one connection answers one question at a time

    def to_pyarrow(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """The answer as Arrow."""
        table = expr.as_table()
        self._run_pre_execute_hooks(table)
        query = self.compile(table, params=params, limit=limit)
        return expr.__pyarrow_result__(self._copied(query, table.schema().to_pyarrow()))

    def execute(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """The answer as pandas."""
        table = expr.as_table()
        found = self.to_pyarrow(table, params=params, limit=limit)
        frame = pd.DataFrame({name: found[name].to_pandas() for name in found.column_names})
        return expr.__pandas_result__(PandasData.convert_table(frame, table.schema()))

    def _copied(self, query: str, schema: pa.Schema) -> pa.Table:
        lines = io.BytesIO()
        asked = f"COPY ({query}) TO STDOUT (FORMAT csv)"
        with self._turn, failing_as(self.shown), self.con.transaction(), self.con.cursor().copy(asked) as copy:
            lines.writelines(copy)
        if not lines.tell():
            return schema.empty_table()
        lines.seek(0)
        return pyarrow.csv.read_csv(
            lines,
            pyarrow.csv.ReadOptions(column_names=schema.names),
            pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            pyarrow.csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )

    def lookup(self, name: str, rows: pa.Table) -> ir.Table:
        """A small table as part of each query that names it, so that the session may stay read-only."""
        arrays = sql.SQL(", ").join(_array(column) for column in rows.columns)
        columns = sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
        query = sql.SQL("SELECT * FROM UNNEST({}) AS {}({})").format(arrays, sql.Identifier(name), columns)
        return self.sql(query.as_string(), schema=_schema(rows))


@contextmanager
def failing_as(shown: str) -> Iterator[None]:
    """What the server refuses, without its own words: they may hold values, hosts and names."""
    try:
        yield
    except psycopg.Error as failed:
        raise StudyError("study_engine_failed", url=shown, reason=failed.sqlstate or type(failed).__name__) from None


def connected(place: Address, writing: bool = False) -> PostgreSQL:
    """A session on the server: UTC, ISO, and read-only unless `writing`.

    StudyError when nobody answers there, or when the server does not let this user in; its own words are not repeated.
    """
    try:
        parts: dict[str, Any] = conninfo.conninfo_to_dict(resolved("engine.url", place.url, in_url=True))
    except psycopg.Error:
        raise StudyError("study_engine_url", url=place.url) from None
    parts = {"connect_timeout": _WAIT_SECONDS, "application_name": "cxkit", **parts}
    if place.password:
        parts["password"] = resolved("engine.password", place.password)
    try:
        con = psycopg.connect(**parts, autocommit=True)
    except psycopg.Error as failed:
        answered = "FATAL" in str(failed)
        raise StudyError("study_engine_refused" if answered else "study_engine_unreached", url=place.url) from None
    with failing_as(place.url):
        for setting in (*_SESSION, *([] if writing else [_READ_ONLY])):
            con.execute(setting)
        engine: PostgreSQL = PostgreSQL.from_connection(con)
    engine.shown = place.url
    return engine


def tables_at(engine: PostgreSQL, place: Address, names: tuple[str, ...]) -> Mapping[str, tuple[str, str]]:
    """Schema and name of each canonical table that is there and may be read; StudyError for a named one that is not."""
    found = {}
    for name in names:
        schema, _, relation = place.named(name).rpartition(".")
        if at := _found(engine, schema or place.schema, relation):
            found[name] = at
        elif name in place.tables:
            raise StudyError("study_engine_table", table=name, there=place.tables[name], url=place.url)
    return found


def _found(engine: PostgreSQL, schema: str, relation: str) -> tuple[str, str] | None:
    """The first schema, of the one named or of the search path, that has the relation."""
    query = """SELECT n.nspname, c.relname
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = %(relation)s AND c.relkind = ANY(%(kinds)s)
          AND n.nspname = ANY(CASE WHEN %(schema)s = '' THEN current_schemas(false) ELSE ARRAY[%(schema)s]::name[] END)
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        ORDER BY array_position(current_schemas(false), n.nspname) LIMIT 1"""
    with failing_as(engine.shown):
        asked = {"relation": relation, "schema": schema, "kinds": list(_READABLE)}
        found: tuple[str, str] | None = engine.con.execute(query, asked).fetchone()
    return found


def table_at(engine: PostgreSQL, at: tuple[str, str]) -> ir.Table:
    """A table as it stands there, texts in the order of their letters' numbers and endless moments empty."""
    schema, relation = at
    with failing_as(engine.shown):
        found = engine.get_schema(relation, database=schema)
    columns = {name: dt.string if kind.is_unknown() or kind.is_uuid() else kind for name, kind in found.items()}
    shown = [_column(name, kind) for name, kind in columns.items()]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(shown), sql.Identifier(schema, relation))
    return engine.sql(query.as_string(), schema=columns)


def _column(name: str, kind: Any) -> sql.Composed:
    """Every engine orders texts by code point and has no moment "infinity"; here both must be asked for."""
    form = "{0}"
    if kind.is_string():
        form = 'CAST({0} AS text) COLLATE "C" AS {0}'
    elif kind.is_timestamp() or kind.is_date():
        form = "CASE WHEN isfinite({0}) THEN {0} END AS {0}"
    return sql.SQL(form).format(sql.Identifier(name))


# --- small tables and whole ones, on their way in ---

_TYPES = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "bigint"),
    (pa.types.is_floating, "double precision"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_string, "text"),
    (pa.types.is_large_string, "text"),
)


def sql_type(kind: pa.DataType) -> str:
    """The server's name of an Arrow type."""
    return next(name for fits, name in _TYPES if fits(kind))


def _schema(rows: pa.Table) -> Any:
    from ibis.formats.pyarrow import PyArrowSchema

    return PyArrowSchema.to_ibis(rows.schema)


def _array(column: pa.ChunkedArray) -> sql.Composed:
    """The values of a column as one array; the server knows how long it is."""
    values = ",".join(map(_element, column.to_pylist()))
    text = "'{" + values.replace("'", "''") + "}'"
    return sql.SQL("CAST({} AS {}[])").format(sql.SQL(text), sql.SQL(sql_type(column.type)))


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'"{value}"' if not isinstance(value, bool | int | float) else str(value)


def write(engine: PostgreSQL, tables: Mapping[str, pa.Table], at: Mapping[str, tuple[str, str]]) -> None:
    """Each of `tables` as a new table at its place, all or none; an older table of that name goes."""
    with failing_as(engine.shown), engine.con.transaction(), engine.con.cursor() as cursor:
        for name, rows in tables.items():
            schema, relation = at[name]
            target = sql.Identifier(schema, relation) if schema else sql.Identifier(relation)
            columns = [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(sql_type(c.type))) for c in rows.schema]
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(target))
            cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(target, sql.SQL(", ").join(columns)))
            with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(target)) as copy:
                for batch in rows.to_batches(max_chunksize=50_000):
                    lines = io.BytesIO()
                    pyarrow.csv.write_csv(batch, lines, pyarrow.csv.WriteOptions(include_header=False))
                    copy.write(lines.getbuffer())
            cursor.execute(sql.SQL("ANALYZE {}").format(target))
