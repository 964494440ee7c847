"""The canonical tables of one study, counted and read where they lie."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from ibis.backends import BaseBackend
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from cxkit.contract import load
from cxkit.errors import StudyError, nearest
from cxkit.study.conform import conformed, number

ALL = "*"  # under this name: all rows
_MEMORY = 800 * 2**20  # bytes that DuckDB may hold before it spills; more for tables of over twice as many
_BOOLEANS = {pa.bool_(): pd.BooleanDtype()}


class Store(ABC):
    """The tables of a study and the engine that counts them; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # one connection answers one question at a time
        self._tables: dict[str, Table] = {}
        self._filled: dict[str, dict[str, int]] = {}
        self._lookups: dict[str, Table] = {}

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the canonical tables that are there, in the order of the contract."""

    @property
    @abstractmethod
    def engine(self) -> BaseBackend:
        """The engine that counts, behind Ibis."""

    @abstractmethod
    def _read(self, name: str) -> Table:
        """Table `name`, which is there, in the types of the contract."""

    def _counted(self, name: str) -> dict[str, int]:
        return _filled_by_count(self.table(name))

    def file(self, name: str) -> Path | None:
        """The file of this machine that holds table `name`; None if it lives elsewhere."""
        return None

    def table(self, name: str) -> Table:
        """Table `name` as an Ibis expression; StudyError if it is not there."""
        if name not in self.names:
            known = ", ".join(self.names) or "-"
            raise StudyError("study_table", table=name, near=nearest(name, self.names) or "-", known=known)
        with self._lock:
            if name not in self._tables:
                self._tables[name] = self._read(name)
            return self._tables[name]

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns that table `name` has."""
        return tuple(self.table(name).columns)

    def filled(self, name: str) -> dict[str, int]:
        """How many rows of table `name` hold a value, per column; under "*" all rows."""
        self.table(name)
        with self._lock:
            if name not in self._filled:
                self._filled[name] = self._counted(name)
            return self._filled[name]

    def frame(self, name: str, columns: list[str] | tuple[str, ...] | None = None) -> pd.DataFrame:
        """Rows of table `name`; see `Study.frame`."""
        table = self.table(name)
        for column in columns or ():
            if column not in table.columns:
                raise StudyError("study_column", column=column, table=name, near=nearest(column, table.columns) or "-")
        with self._lock:
            rows = (table if columns is None else table.select(*columns)).to_pyarrow()
        frame: pd.DataFrame = rows.to_pandas(date_as_object=False, types_mapper=_BOOLEANS.get)
        return frame

    def lookup(self, name: str, frame: pd.DataFrame | pa.Table) -> Table:
        """A small table, up to some 100,000 rows, as an expression that can be joined to the study's own.

        Columns hold whole numbers, floats, texts, yes or no, dates or timestamps. Equal tables are handed over once.
        """
        with self._lock:
            return lookup(self.engine, name, frame, self._lookups)


class ParquetStore(Store):
    """The Parquet files of one folder, counted by DuckDB."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    @cached_property  # asked thousands of times for a report; the tables of an open study do not change
    def names(self) -> tuple[str, ...]:
        """Names of the canonical tables that are there, in the order of the contract."""
        return tuple(name for name in load().tables if self._file(name).is_file())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def file(self, name: str) -> Path | None:
        """The file that holds table `name`."""
        return self._file(name)

    @cached_property
    def engine(self) -> Backend:
        """DuckDB in memory, over the Parquet files, without any outside request."""
        # Its progress bar stays as it is: inside Jupyter, even switching it off asks for ipywidgets.
        # What does not fit goes to a folder of this user's own; DuckDB would take one beside the work at hand.
        self._spilled = tempfile.TemporaryDirectory(prefix="cxkit-", ignore_cleanup_errors=True)
        stored = sum(self._file(name).stat().st_size for name in self.names)
        return ibis.duckdb.connect(
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
            memory_limit=f"{max(_MEMORY, stored // 2) // 2**20}MiB",
            temp_directory=self._spilled.name,
        )

    def _read(self, name: str) -> Table:
        file = self._file(name)
        told = self.engine.read_parquet(file, table_name=f"{name}_file")
        tidied = _tidied(told, _with_empty_texts(file))
        # as a view, else what two parts of a question read of one table would be laid in memory, every column of it
        return told if tidied is told else self.engine.create_view(name, tidied)

    def _counted(self, name: str) -> dict[str, int]:
        return _stated(self._file(name)) or super()._counted(name)


class DatabaseStore(Store):
    """Tables of a database or a cluster, brought to the contract's types by its own engine."""

    def __init__(
        self, engine: BaseBackend, tables: Mapping[str, Callable[[], Table]], files: Mapping[str, Path] | None = None
    ) -> None:
        """`tables` are read when they are first asked for; `files` are those of them that are files of this machine."""
        super().__init__()
        self._engine, self._readers, self._files = engine, tables, files or {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the canonical tables that are there, in the order of the contract."""
        return tuple(name for name in load().tables if name in self._readers)

    @property
    def engine(self) -> BaseBackend:
        """The engine that counts, behind Ibis."""
        return self._engine

    def file(self, name: str) -> Path | None:
        """The file of this machine that holds table `name`; None if it lives elsewhere."""
        return self._files.get(name)

    def _counted(self, name: str) -> dict[str, int]:
        file = self.file(name)
        return (_stated(file) if file else None) or super()._counted(name)

    def _read(self, name: str) -> Table:
        return conformed(self._readers[name](), name)


def lookup(engine: Any, name: str, frame: pd.DataFrame | pa.Table, known: dict[str, Table]) -> Table:
    """`frame` as a table of `engine`, under `name` and a mark of its content; `known` keeps what was handed over."""
    rows = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    rows = _plain(rows.replace_schema_metadata(None).combine_chunks())
    marked = f"{name}_{_digest(rows)}"
    if marked not in known:
        known[marked] = _registered(engine, marked, rows)
    return known[marked]


def _registered(engine: Any, name: str, rows: pa.Table) -> Table:
    if isinstance(engine, Backend):
        engine.con.register(name, rows)
        return engine.table(name)
    table: Table = engine.lookup(name, rows)
    return table


def _plain(rows: pa.Table) -> pa.Table:
    """`rows` without categories and nanoseconds, which not every engine knows."""
    for place, column in enumerate(rows.schema):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        kind = pa.timestamp("us") if pa.types.is_timestamp(kind) else kind
        rows = rows.set_column(place, column.name, rows[place].cast(kind))
    return rows


def _digest(rows: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return hashlib.sha256(sink.getvalue()).hexdigest()[:12]


def _tidied(table: Table, empty: frozenset[str]) -> Table:
    """`table` with a missing value where a number is none (NaN) and where a text is empty."""
    found = {c: number(table[c]) for c, kind in table.schema().items() if kind.is_floating()}
    return table.mutate(**found, **{c: table[c].nullif("") for c in empty}) if found or empty else table


def _with_empty_texts(file: Path) -> frozenset[str]:
    """The text columns whose least value is the empty text, as the file's footer states it."""
    footer = parquet.read_metadata(file)
    found = set()
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for column in map(group.column, range(footer.num_columns)):
            stated = column.statistics
            if stated is not None and stated.has_min_max and stated.min == "":
                found.add(column.path_in_schema)
    return frozenset(found)


def _stated(file: Path) -> dict[str, int] | None:
    """The counts as the file states them; None if it does not, or counts empty texts among the values."""
    return None if _with_empty_texts(file) else _filled_by_footer(file)


def _filled_by_footer(file: Path) -> dict[str, int] | None:
    """The counts as the Parquet file states them in its footer, without a look at the rows; None if it does not."""
    footer = parquet.read_metadata(file)
    names = footer.schema.names
    if footer.num_columns != len(set(names)):
        return None
    filled = dict.fromkeys(names, footer.num_rows) | {ALL: footer.num_rows}
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for name, place in zip(names, range(footer.num_columns), strict=True):
            stated = group.column(place).statistics
            if stated is None or not stated.has_null_count:
                return None
            filled[name] -= stated.null_count
    return filled


def _filled_by_count(table: Table) -> dict[str, int]:
    """The counts by a pass over the rows."""
    counts = [table.count().name(ALL), *(table[column].count().name(column) for column in table.columns)]
    (row,) = table.aggregate(counts).to_pyarrow().to_pylist()
    return {column: int(n) for column, n in row.items()}
