"""One table as the rules see it: typed columns, missing values, and where each row came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cxkit.contract.findings import ROWS_NAMED
from cxkit.contract.schema import Table
from cxkit.errors import ContractError

Mask = npt.NDArray[np.bool_]
Days = npt.NDArray[np.int64]

SOURCE_ROW = "source_row"  # row number in the source file, as a spreadsheet shows it; not part of a canonical table
SOURCE_FILE = "source_file"  # the file that row number counts in
MICROSECONDS_A_DAY = 86_400_000_000
MISSING = np.iinfo(np.int64).min  # what a missing timestamp looks like as a number

_FITS = {
    "text": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
    "choice": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
    "timestamp": lambda t: pa.types.is_timestamp(t) and t.tz is None,
    "date": lambda t: pa.types.is_date(t) or (pa.types.is_timestamp(t) and t.tz is None),
    "seconds": lambda t: pa.types.is_integer(t) or pa.types.is_floating(t),
    "count": lambda t: pa.types.is_integer(t) or pa.types.is_floating(t),
    "number": lambda t: pa.types.is_integer(t) or pa.types.is_floating(t),
    "bool": pa.types.is_boolean,
}


@dataclass
class View:
    """A table beside its contract, its rows in the order of their source."""

    spec: Table
    data: pa.Table
    _kept: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table's canonical name."""
        return self.spec.name

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.data.num_rows)

    def has(self, *columns: str) -> bool:
        """Whether every one of these columns is there, rightly typed and not all empty."""
        return all(
            name in self.data.column_names and self.fits(name) and bool(self.filled(name).any()) for name in columns
        )

    def fits(self, column: str) -> bool:
        """Whether the column has the type of the contract; a column without any value fits all types."""
        kind = self.data.schema.field(column).type
        return pa.types.is_null(kind) or bool(_FITS[self.spec.columns[column].type](kind))

    def filled(self, column: str) -> Mask:
        """Which rows have a value; an empty text is none."""
        mask: Mask = self._once(f"filled {column}", lambda: self._filled(column))
        return mask

    def _filled(self, column: str) -> Mask:
        cells = self.data[column]
        present = cells.is_valid()
        if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
            present = pc.and_(present, pc.fill_null(pc.not_equal(cells, ""), False))
        return np.asarray(present.to_numpy(), dtype=bool)

    def times(self, column: str) -> npt.NDArray[np.int64]:
        """Microseconds since 1970 of a timestamp or date; MISSING where there is none."""
        times: npt.NDArray[np.int64] = self._once(f"times {column}", lambda: self._times(column))
        return times

    def _times(self, column: str) -> npt.NDArray[np.int64]:
        cells = self.data[column].cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return np.asarray(pc.fill_null(cells, MISSING).to_numpy(), dtype=np.int64)

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        """A number column; NaN where there is none."""
        return np.asarray(self.data[column].cast(pa.float64()).to_numpy(), dtype=float)

    def among(self, column: str, codes: pa.Array | pa.ChunkedArray) -> Mask:
        """Which rows hold one of `codes`."""
        cells = self.data[column]
        return np.asarray(pc.is_in(cells, value_set=codes.cast(cells.type)).to_numpy(), dtype=bool)

    def repeated(self, columns: list[str], keep: Any = "first") -> Mask:
        """Which rows repeat an earlier row in all of `columns`; a row that lacks one of them repeats nothing."""
        mask = np.all([self.filled(name) for name in columns], axis=0)
        if len(columns) == 1 and pc.count_distinct(self.data[columns[0]].filter(pa.array(mask))).as_py() == mask.sum():
            return np.zeros(self.rows, dtype=bool)
        alike = self.data.select(columns).to_pandas().duplicated(keep=keep).to_numpy()
        return np.asarray(mask & alike, dtype=bool)

    def first_rows(self, mask: Mask) -> tuple[tuple[int, ...], str | None]:
        """The first row numbers under `mask` and the file that they count in.

        Without a source, the table's own rows counted from 1.
        """
        found = np.flatnonzero(mask)
        if not len(found):
            return (), None
        if SOURCE_ROW not in self.data.column_names:
            return tuple(int(row) + 1 for row in found[:ROWS_NAMED]), None
        places = self.data.take(pa.array(found[:ROWS_NAMED]))
        numbers = places[SOURCE_ROW].to_pylist()
        if SOURCE_FILE not in self.data.column_names:
            return tuple(int(row) for row in numbers if row is not None), None
        files = places[SOURCE_FILE].to_pylist()
        pairs = zip(numbers, files, strict=True)
        return tuple(int(row) for row, file in pairs if row is not None and file == files[0]), files[0]

    def _once(self, what: str, make: Callable[[], Any]) -> Any:
        if what not in self._kept:
            self._kept[what] = make()
        return self._kept[what]


def view(spec: Table, data: pa.Table | pd.DataFrame) -> View:
    """`data` as the rules see it, sorted by its place in the source."""
    return View(spec, _in_source_order(arrow(data)))


def arrow(data: pa.Table | pd.DataFrame) -> pa.Table:
    """`data` as one chunk of Arrow columns; categories become their words."""
    table = data if isinstance(data, pa.Table) else _from_frame(data)
    for at, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(at, column.name, table[column.name].cast(column.type.value_type))
    return table.combine_chunks()


def _from_frame(data: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(data, preserve_index=False)
    except pa.ArrowException:
        mixed = next(str(column) for column in data if not _one_kind(data[column]))
        raise ContractError("mixed_column", column=mixed) from None  # Arrow's own message would quote a value


def _one_kind(cells: pd.Series[Any]) -> bool:
    try:
        pa.Array.from_pandas(cells)
    except pa.ArrowException:
        return False
    return True


def _in_source_order(table: pa.Table) -> pa.Table:
    by = [name for name in (SOURCE_FILE, SOURCE_ROW) if name in table.column_names]
    if by == [SOURCE_ROW] and np.all(np.diff(table[SOURCE_ROW].to_numpy()) >= 0):
        return table
    return table.sort_by([(name, "ascending") for name in by]) if by else table


def days_of(times: npt.NDArray[np.int64]) -> tuple[Days, Days]:
    """The days (since 1970) that `times` fall on, and how many fall on each."""
    days = times[times != MISSING] // MICROSECONDS_A_DAY
    if not len(days):
        return days, days
    first, last = int(days.min()), int(days.max())
    if last - first > 10 * len(days) + 1_000_000:  # a stray year 9999: counting is dearer than sorting
        return np.unique(days, return_counts=True)
    counts = np.bincount(days - first)
    found = np.flatnonzero(counts)
    return found + first, counts[found]


def last_day(tallies: Iterable[tuple[Days, Days]]) -> int | None:
    """The last day (since 1970) that belongs to the data: lone days far ahead of all others are left out.

    tallies: for each column the days on which its times fall, and how many fall on each.
    Far ahead: days after a gap of more than a year that hold no more than one in a hundred of all times. Days before
    1990 or after 2100 never count. None when there is no day left.
    """
    lowest, highest = (int(np.datetime64(day).astype(int)) for day in ("1990-01-01", "2101-01-01"))
    pooled: dict[int, int] = {}
    for days, counts in tallies:
        for day, n in zip(days.tolist(), counts.tolist(), strict=True):
            if lowest <= day < highest:
                pooled[day] = pooled.get(day, 0) + n
    if not pooled:
        return None
    days = np.array(sorted(pooled))
    counts = np.array([pooled[day] for day in days])
    after = counts.sum() - np.cumsum(counts)  # times later than each day
    gaps = np.diff(days, append=days[-1]) > 366
    stray = np.flatnonzero(gaps & (after > 0) & (after * 100 <= counts.sum()))
    return int(days[stray[0]] if len(stray) else days[-1])
