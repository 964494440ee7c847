"""One source column as distinct values: what is converted once, and where each value stands in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxkit.contract import RowNumbers

_ROWS_NAMED = 5
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """The distinct texts of a column, which of them each row holds, and the rows' numbers in the file."""

    file: str
    column: str  # header as a message may show it
    values: pa.StringArray  # distinct
    codes: NDArray[np.int64]  # per row: place in `values`
    rows: NDArray[np.int64]  # per row: number in the file

    @classmethod
    def of(cls, file: str, column: str, cells: pa.Array, rows: NDArray[np.int64]) -> Cells:
        """The cells of one column of text."""
        words = pc.dictionary_encode(cells)
        return cls(file, column, words.dictionary, np.asarray(words.indices, dtype=np.int64), rows)

    def spread(self, converted: NDArray[Any]) -> NDArray[Any]:
        """Per distinct value -> per row."""
        if not len(converted):
            return converted[:0]
        return converted[self.codes]

    def count(self, mask: Mask) -> int:
        """Rows that hold one of the masked values."""
        return int(self.spread(mask).sum())

    def per_value(self) -> NDArray[np.int64]:
        """How many rows hold each distinct value."""
        return np.bincount(self.codes, minlength=len(self.values))

    def first_rows(self, mask: Mask) -> RowNumbers:
        """The first row numbers that hold one of the masked values."""
        found = np.flatnonzero(self.spread(mask))[:_ROWS_NAMED]
        return RowNumbers(tuple(int(n) for n in self.rows[found]))

    def words(self) -> Iterator[tuple[int, str]]:
        """Each distinct value with its place."""
        yield from enumerate(self.values.to_pylist())
