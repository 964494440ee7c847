"""Groups of lines: those with the same keys, numbered in the order of the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """The group number of each line, and one line of keys per group."""

    number: Codes
    keys: pd.DataFrame

    def __len__(self) -> int:
        return len(self.keys)

    def places(self, others: pd.DataFrame) -> Codes:
        """The number of the group that each line of keys belongs to, -1 where there is none."""
        by = list(self.keys.columns)
        if not by:
            return np.zeros(len(others), dtype=np.int64)
        known = self.keys.assign(cx_place=np.arange(len(self.keys)))
        found = others[by].merge(known, how="left", on=by)["cx_place"]
        return found.fillna(-1).to_numpy(dtype=np.int64)


def grouped(lines: pd.DataFrame, by: Sequence[str]) -> Groups:
    """Lines with the same keys form a group; a missing key is a key of its own."""
    number, keys = np.zeros(len(lines), dtype=np.int64), pd.DataFrame(index=[0])
    for column in by:
        code, known = coded(lines[column])
        words = pd.Series(known).reindex(range(-1, len(known)))  # the missing key first
        number, found = pd.factorize(number * len(words) + code + 1)
        keys = keys.iloc[found // len(words)].reset_index(drop=True)
        keys[column] = words.iloc[found % len(words)].to_numpy()
    ordered = keys.sort_values([*by]) if by else keys
    rank = np.empty(len(keys), dtype=np.int64)
    rank[ordered.index] = np.arange(len(keys))
    return Groups(rank[number], ordered.reset_index(drop=True))


def coded(labels: pd.Series) -> tuple[Codes, NDArray[Any]]:
    """A number for each label, -1 where it is missing, and the labels."""
    if isinstance(labels.dtype, pd.CategoricalDtype):  # numbered already
        return np.asarray(labels.cat.codes, dtype=np.int64), np.asarray(labels.cat.categories)
    number, words = pd.factorize(labels, use_na_sentinel=True)
    return number.astype(np.int64, copy=False), np.asarray(words)


def members_of(group: Codes, groups: int) -> list[NDArray[np.intp]]:
    """The lines of each group; sorting 16-bit numbers takes one pass."""
    order = np.argsort(group.astype(np.int16) if groups < 2**15 else group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=groups))[:-1]
    return np.split(order, ends)[:groups]  # splitting nothing leaves one empty piece
