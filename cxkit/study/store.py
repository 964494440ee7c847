"""The canonical tables of one study, counted and read where they lie."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from cxkit.contract import load
from cxkit.errors import StudyError, nearest

ALL = "*"  # under this name: all rows
_BOOLEANS = {pa.bool_(): pd.BooleanDtype()}


class Store:
    """The Parquet files of one folder and the engine that counts them; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()  # one DuckDB connection answers one question at a time
        self._tables: dict[str, Table] = {}
        self._filled: dict[str, dict[str, int]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the canonical tables that are there, in the order of the contract."""
        return tuple(name for name in load().tables if self._file(name).is_file())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    @cached_property
    def engine(self) -> Backend:
        """DuckDB in memory, over the Parquet files, without any outside request."""
        # Its progress bar stays as it is: inside Jupyter, even switching it off asks for ipywidgets.
        return ibis.duckdb.connect(autoinstall_known_extensions=False, autoload_known_extensions=False)

    def table(self, name: str) -> Table:
        """Table `name` as an Ibis expression; StudyError if it is not there."""
        if name not in self.names:
            known = ", ".join(self.names) or "-"
            raise StudyError("study_table", table=name, near=nearest(name, self.names) or "-", known=known)
        with self._lock:
            if name not in self._tables:
                self._tables[name] = self.engine.read_parquet(self._file(name), table_name=name)
            return self._tables[name]

    def filled(self, name: str) -> dict[str, int]:
        """How many rows of table `name` hold a value, per column; under "*" all rows."""
        table = self.table(name)
        with self._lock:
            if name not in self._filled:
                self._filled[name] = _filled_by_footer(self._file(name)) or _filled_by_count(table)
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
