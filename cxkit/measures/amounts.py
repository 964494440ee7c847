"""What the rows of a measure add up to, line by line: all that an estimate needs, however the rows were counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cxkit.measures.groups import Codes
from cxkit.measures.kinds import Measure, Net, Ratio, Score

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pooled:
    """Of lines that hold many clusters each: how many they are, and the sum of their squared sizes."""

    clusters: Floats
    squares: Floats


@dataclass(frozen=True, eq=False)
class Lines:
    """Where the rows of each line belong, and how many there are; several lines may belong to one place.

    cluster: number, or -1 where rows stand alone; None: no clusters are known. stratum: number; None: there is but one.
    """

    group: Codes
    n: Floats
    groups: int
    cluster: Codes | None = None
    stratum: Codes | None = None
    pooled: Pooled | None = None

    def per_group(self, amount: Floats) -> Floats:
        """Sum of `amount` over the lines of each group."""
        return summed(self.group, amount, self.groups)

    @property
    def total(self) -> Floats:
        """Number of rows per group."""
        return self.per_group(self.n)


@dataclass(frozen=True, eq=False)
class Moves:
    """How far the rows of each line move an estimate: the sum over its rows, and the sum of squares.

    `pooled`: of lines that hold many clusters, the sum of squares of each cluster's sum, and of its products with size.
    """

    sums: Floats
    squares: Floats
    pooled: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, eq=False)
class Amounts:
    """Sums over the rows of each line: of what stands on top, and of what stands underneath (1 a row, but for ratios).

    `top2`, `both` and `bottom2` are the sums of their squares and products. `more`: sums that one kind alone needs.
    """

    lines: Lines
    top: Floats
    top2: Floats
    bottom: Floats
    both: Floats
    bottom2: Floats
    more: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def ratio(self) -> Floats:
        """Sum over sum, per group; NaN without rows."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.lines.per_group(self.top) / self.lines.per_group(self.bottom)

    @property
    def moves(self) -> Moves:
        """How far each line moves its group's ratio, but for the factor that all rows of a group share."""
        r = np.nan_to_num(self.ratio)[self.lines.group]
        squares = self.top2 - 2 * r * self.both + r**2 * self.bottom2
        if self.lines.pooled is None:
            return Moves(self.top - r * self.bottom, squares)
        tt, tb, bb, tn, bn = (self.more[f"pooled_{name}"] for name in ("tt", "tb", "bb", "tn", "bn"))
        return Moves(self.top - r * self.bottom, squares, (tt - 2 * r * tb + r**2 * bb, tn - r * bn))


def summed(place: Codes, amount: Floats, places: int) -> Floats:
    """Sum of `amount` for each of `places`."""
    return np.bincount(place, weights=amount, minlength=places).astype(np.float64, copy=False)


def amounts_of(measure: Measure, lines: Lines, value: Floats, below: Floats | None = None) -> Amounts:
    """From values of rows, each standing for the `n` rows of its line; none is missing."""
    n, more, top = lines.n, dict[str, Floats](), value
    if isinstance(measure, Score):
        top, more = np.isin(value, measure.top).astype(np.float64), {"value": value * n, "value2": value**2 * n}
    elif isinstance(measure, Net):
        top = np.isin(value, measure.promoters).astype(np.float64) - np.isin(value, measure.detractors)
    elif isinstance(measure, Ratio):
        more = {"negative": (value < 0) * n}
    bottom = np.ones_like(value) if below is None else below
    return Amounts(lines, top * n, top**2 * n, bottom * n, top * bottom * n, bottom**2 * n, more)
