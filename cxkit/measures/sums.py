"""Long tables added up by the engine: no row leaves it, and the sums are exact, whatever the order of the rows.

Sums of floats depend on their order. Numbers are therefore added in whole multiples of a small unit, which floats hold
exactly up to 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cxkit.measures.amounts import Floats

_BITS = 52
_LEAST = 2.0**-400  # a bound: nothing that is added up is as small


@dataclass(frozen=True)
class Sum:
    """A sum over rows in units of `unit`, and a bound on what it adds up to.

    of: a condition, whose rows are counted; a column of whole floats, which are added; None: every row counts.
    """

    of: ir.Value | None
    unit: float
    bound: float

    def total(self, rows: ir.Table) -> ir.NumericValue:
        """The sum as the engine makes it."""
        if self.of is None:
            return rows.count()
        return rows.count(where=self.of) if isinstance(self.of, ir.BooleanValue) else self.of.sum()


@dataclass
class Sums:
    """Sums over the rows of a table under names; the same sum gets the same name."""

    rows: int
    named: dict[str, Sum] = field(default_factory=dict)
    _names: dict[Any, str] = field(default_factory=dict)

    def every(self) -> str:
        """The name of the number of rows."""
        return self._kept(None, 1.0, self.rows)

    def yes(self, condition: ir.BooleanValue) -> str:
        """The name of how often a condition holds."""
        return self._kept(condition, 1.0, self.rows)

    def whole(self, each: ir.NumericValue, unit: float, bound: float) -> str:
        """The name of a sum of whole numbers of `unit`, which add up to `bound` at most."""
        return self._kept(each.cast("float64"), unit, bound)

    def real(self, each: ir.NumericValue, most: float) -> str:
        """The name of a sum of numbers, none of which is larger than `most`."""
        unit = unit_of(self.rows * most)
        return self._kept(fixed(each, unit), unit, self.rows * most)

    def _kept(self, of: ir.Value | None, unit: float, bound: float) -> str:
        name = self._names.setdefault((None if of is None else of.op(), unit), f"cx_s{len(self.named)}")
        self.named.setdefault(name, Sum(of, unit, max(bound, _LEAST)))
        return name


def unit_of(bound: float) -> float:
    """The power of two in units of which sums up to `bound` are whole floats.

    >>> unit_of(2.0**52), unit_of(1.0) == 2.0**-52
    (1.0, True)
    """
    return 2.0 ** (math.ceil(math.log2(max(bound, _LEAST))) - _BITS)


def fixed(each: ir.NumericValue, unit: float) -> ir.NumericValue:
    """Numbers in whole units, as floats; casts to whole numbers round differently from engine to engine."""
    return (each.cast("float64") * ibis.literal(1 / unit, type="float64") + 0.5).floor().cast("float64")


def added(table: ir.Table, keys: Sequence[str], sums: Sums) -> ir.Table:
    """One line per distinct `keys`, sorted: each sum, in its units."""
    found = {name: each.total(table).cast("float64") for name, each in sums.named.items()}
    if not keys:
        return table.aggregate(**found)
    return table.group_by(list(keys)).agg(**found).order_by(list(keys))


def pooled(
    table: ir.Table, keys: Sequence[str], sums: Sums, pairs: Mapping[str, tuple[str, str]], sizes: Mapping[str, str]
) -> tuple[ir.Table, Mapping[str, float]]:
    """As `added`, for clusters too many to be told apart outside the engine; and the units of products.

    `keys` end with the cluster. One line per distinct rest for the rows of all clusters (`cx_alone` 0), and one for the
    rows without (1). `pairs` names products of two sums of a cluster, added over the clusters; `sizes` names how many
    clusters have anything in a sum.
    """
    *outer, cluster = keys
    inner = table.group_by(list(keys)).agg(**{name: each.total(table) for name, each in sums.named.items()})
    inner = inner.mutate(cx_alone=inner[cluster].isnull().ifelse(1, 0))
    amount = {
        name: inner[name].cast("float64").fill_null(0.0) * ibis.literal(each.unit, type="float64")
        for name, each in sums.named.items()
    }
    units = {name: unit_of(sums.named[a].bound * sums.named[b].bound) for name, (a, b) in pairs.items()}
    found = {name: inner[name].cast("float64").sum() for name in sums.named}
    found |= {name: fixed(amount[a] * amount[b], units[name]).sum() for name, (a, b) in pairs.items()}
    found |= {name: inner.count(where=inner[of] > 0).cast("float64") for name, of in sizes.items()}
    lines = [*outer, "cx_alone"]
    return inner.group_by(lines).agg(**found).order_by(lines), units


def read(frame: pd.DataFrame, name: str, unit: float) -> Floats:
    """A column of sums in its own scale; nothing adds up to 0."""
    return np.nan_to_num(frame[name].to_numpy(dtype=np.float64)) * unit
