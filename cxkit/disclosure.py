"""Small cells: what a table by groups may show, so that no number about a handful of people can be read from it.

A cell of fewer than `least` cases is hidden. Beside its margin a reader could still tell it by subtraction, so further
cells are hidden with it until every hidden one could be more than one number. All margins count as known, as they stand
in other tables of the same report; what they tell by themselves, no table beside them can hide.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from scipy import optimize

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]

HIDDEN = "hidden"
_LOOKS = 4  # corners of what is possible that are looked at before a cell is asked for its very ends


def disclose(
    table: pd.DataFrame, keys: str | Sequence[str], n: str = "n", least: int = 5, share: str = ""
) -> pd.DataFrame:
    """`table`, one row a cell of `keys`, with a column `hidden` and without the numbers of the rows that it marks.

    `n` counts the cases of a cell; cells of nobody stay, and tell nobody. `share` names a column of shares (0-1): then
    a hidden cell is also kept from being known to be all or nothing. With `least` up to 1 nothing is hidden. Rows that
    stand for one cell, such as two statistics of it, are hidden together; a missing key is a key of its own.
    """
    by = [keys] if isinstance(keys, str) else list(keys)
    codes = np.column_stack([pd.factorize(table[key], use_na_sentinel=False)[0] for key in by])
    cells, place = np.unique(codes.reshape(len(table), len(by)), axis=0, return_inverse=True)
    place = place.ravel()
    count = _least_of(place, table[n].to_numpy(dtype=np.float64), len(cells))
    hits = None
    if share:
        rate = _least_of(place, table[share].to_numpy(dtype=np.float64), len(cells))
        hits = np.round(np.nan_to_num(rate) * count)
    return without_numbers(table, by, _hidden(cells, count, hits, least)[place])


def without_numbers(table: pd.DataFrame, keys: Sequence[str], hidden: Bools) -> pd.DataFrame:
    """`table` with `hidden` as a column; its rows keep their keys and what all rows say alike, and nothing else."""
    shown = table.copy()
    said = [c for c in shown if c not in keys and not types.is_bool_dtype(shown[c])]
    for column in said if hidden.any() else ():
        if types.is_numeric_dtype(shown[column]):
            shown[column] = shown[column].astype(np.float64).mask(hidden)
        elif shown[column].nunique(dropna=False) > 1:
            shown[column] = shown[column].astype(object).mask(hidden, None)
    return shown.assign(**{HIDDEN: hidden})


@dataclass(frozen=True, eq=False)
class _Sums:
    """What is known of the cells: each row of `line` adds up the cells that it marks."""

    line: Bools
    count: Floats
    hits: Floats | None

    def recoverable(self, hidden: Bools) -> Places:
        """Hidden cells that can only be one number, or only all or nothing."""
        return _recoverable(self, np.flatnonzero(hidden))


def _least_of(place: Places, amount: Floats, cells: int) -> Floats:
    found = np.full(cells, np.inf)
    np.minimum.at(found, place, np.nan_to_num(amount))
    return found


def _hidden(cells: Places, count: Floats, hits: Floats | None, least: int) -> Bools:
    """Which cells to hide, one row of key codes each."""
    hidden = (count > 0) & (count < least)
    if not hidden.any():
        return hidden
    sums = _Sums(_lines(cells), count, hits)
    told = np.zeros(len(cells), dtype=bool)
    told[sums.recoverable(count > 0)] = True  # by the margins alone, whatever is hidden
    while True:
        open_cells = [cell for cell in _lone(sums, hidden) if not told[cell]]
        open_cells = open_cells or [cell for cell in sums.recoverable(hidden) if not told[cell]]
        free = ~hidden & ~told & (count > 0)
        if not open_cells or not free.any():
            return hidden
        hidden[_partner(sums, hidden, free, open_cells[0])] = True


def _lines(cells: Places) -> Bools:
    """A row for each margin: the cells that it adds up. The first row is the total."""
    keys = range(cells.shape[1])
    lines = [np.ones((1, len(cells)), dtype=bool)]
    for kept in (part for size in keys[1:] for part in itertools.combinations(keys, size)):
        margins, place = np.unique(cells[:, kept], axis=0, return_inverse=True)
        lines.append(place.ravel() == np.arange(len(margins))[:, None])
    return np.vstack(lines)


def _lone(sums: _Sums, hidden: Bools) -> Places:
    """Cells that are the only hidden ones of a known line: told by one subtraction."""
    alone = (sums.line & hidden).sum(axis=1) == 1
    return np.flatnonzero((sums.line[alone] & hidden).any(axis=0))


def _partner(sums: _Sums, hidden: Bools, free: Bools, cell: int) -> int:
    """The free cell to hide with `cell`: of its shortest line, one whose other lines hide already; or the smallest."""
    mine = sums.line[sums.line[:, cell]]
    mine = mine[(mine & free).any(axis=1)]
    near = mine[mine.sum(axis=1).argmin()] & free if len(mine) else free
    candidates = np.flatnonzero(near)
    exposed = (sums.line & hidden).sum(axis=1) == 0
    new = sums.line[exposed][:, candidates].sum(axis=0)
    return int(candidates[np.lexsort((sums.count[candidates], new))[0]])


def _recoverable(sums: _Sums, cells: Places) -> Places:
    """Those of the hidden `cells` that the known lines leave no choice: by the ends of what is possible for each.

    A hidden cell holds one case at least, since cells of nobody are shown. Where corners picked at random differ in a
    cell, it is safe; only the others are asked for their least and greatest value.
    """
    possible = _Possible(sums, cells)
    rng = np.random.default_rng(0)
    low, high = possible.truth(), possible.truth()
    for _ in range(_LOOKS):
        corner = possible.corner(rng.normal(size=possible.width))
        low, high = np.minimum(low, corner), np.maximum(high, corner)
    for place in np.flatnonzero(high - low < 0.5):
        for sign in (1.0, -1.0):
            corner = possible.corner(sign * np.eye(possible.width)[place])
            low, high = np.minimum(low, corner), np.maximum(high, corner)
    fixed = (high - low < 0.5).reshape(-1, len(cells))
    known = fixed[0]
    if len(fixed) > 1:  # the cases that hold, and those that do not: a cell that must lack either is told
        known = known | (high[len(cells) : 2 * len(cells)] < 0.5) | (high[2 * len(cells) :] < 0.5)
    return np.asarray(cells[known])


class _Possible:
    """Every way to fill the hidden cells that the known lines allow: n, and with hits also those that hold, and not."""

    def __init__(self, sums: _Sums, cells: Places) -> None:
        line = sums.line[:, cells].astype(np.float64)
        line = np.unique(line[line.any(axis=1)], axis=0)
        parts = [sums.count[cells]]
        if sums.hits is not None:
            parts += [sums.hits[cells], sums.count[cells] - sums.hits[cells]]
        self._truth = np.concatenate(parts)
        self.width, none = len(self._truth), np.zeros_like(line)
        if sums.hits is None:
            self._sides = line
        else:
            one = np.eye(len(cells))
            whole = np.hstack([one, -one, -one])  # n is those that hold and those that do not
            self._sides = np.vstack([np.hstack([line, none, none]), np.hstack([none, line, none]), whole])
        self._bounds = [(1.0, None)] * len(cells) + [(0.0, None)] * (self.width - len(cells))

    def truth(self) -> Floats:
        """What the cells hold."""
        return self._truth

    def corner(self, towards: Floats) -> Floats:
        """The outermost possible filling in a direction; the truth where none is found."""
        found = optimize.linprog(
            -towards, A_eq=self._sides, b_eq=self._sides @ self._truth, bounds=self._bounds, method="highs"
        )
        return np.asarray(found.x) if found.x is not None else self._truth
