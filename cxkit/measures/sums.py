"""Long tables added up by the engine: no row leaves it, and the sums are exact, whatever the order of the rows.

Sums of floats depend on their order. Numbers are therefore added in whole multiples of a unit, which floats hold
exactly up to 2^53; what is less than half a unit is added for itself, in multiples of a much smaller one.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cxkit.measures.amounts import Floats
from cxkit.measures.facts import Sizes

_BITS = 52
_DIGITS = 2.0**-40  # of the smallest number: what its sums may lose
_LEAST = 2.0**-400  # a bound: nothing that is added up is as small


@dataclass(frozen=True)
class Sum:
    """A sum over rows, in one part or several, each in its own unit; a bound on it, and how finely it must be kept.

    A part is a condition, whose rows are counted; a column of whole floats, which are added; None: every row counts.
    """

    parts: tuple[tuple[ir.Value | None, float], ...]
    bound: float
    fine: float = 1.0

    def totals(self, name: str, rows: ir.Table) -> dict[str, ir.NumericValue]:
        """The parts as the engine adds them up, under `name` and a number."""
        return {f"{name}_{place}": _total(part, rows) for place, (part, _) in enumerate(self.parts)}

    def together(self, name: str, part: Callable[[str], Any]) -> Any:
        """The parts as one number, in numpy or in the engine."""
        return functools.reduce(
            operator.add, (part(f"{name}_{place}") * unit for place, (_, unit) in enumerate(self.parts))
        )


@dataclass
class Sums:
    """Sums over the rows of a table under names; the same sum gets the same name."""

    rows: int
    named: dict[str, Sum] = field(default_factory=dict)
    _names: dict[Any, str] = field(default_factory=dict)

    def every(self) -> str:
        """The name of the number of rows."""
        return self._kept(((None, 1.0),), self.rows)

    def yes(self, condition: ir.BooleanValue) -> str:
        """The name of how often a condition holds."""
        return self._kept(((condition, 1.0),), self.rows)

    def whole(self, each: ir.NumericValue, unit: float, bound: float, fine: float) -> str:
        """The name of a sum of whole numbers of `unit`, adding up to `bound` at most; less than `fine` is naught."""
        return self._kept(((each.cast("float64"), unit),), bound, fine)

    def real(self, each: ir.NumericValue, size: Sizes) -> str:
        """The name of a sum of numbers of these sizes."""
        bound, fine = self.rows * size.most, size.least * _DIGITS
        return self._kept(in_parts(each, self.rows, bound, fine), bound, fine)

    def _kept(self, parts: tuple[tuple[ir.Value | None, float], ...], bound: float, fine: float = 1.0) -> str:
        known = tuple((None if part is None else part.op(), unit) for part, unit in parts)
        name = self._names.setdefault(known, f"cx_s{len(self.named)}")
        self.named.setdefault(name, Sum(parts, max(bound, _LEAST), fine))
        return name


def _total(part: ir.Value | None, rows: ir.Table) -> ir.NumericValue:
    if part is None:
        return rows.count()
    return rows.count(where=part) if isinstance(part, ir.BooleanValue) else part.sum()


def unit_of(bound: float) -> float:
    """The power of two in units of which sums up to `bound` are whole floats.

    >>> unit_of(2.0**52), unit_of(1.0) == 2.0**-52
    (1.0, True)
    """
    return 2.0 ** (math.ceil(math.log2(max(bound, _LEAST))) - _BITS)


def in_parts(each: ir.NumericValue, rows: int, bound: float, fine: float) -> tuple[tuple[ir.NumericValue, float], ...]:
    """Numbers, of which `rows` add up to `bound` at most, in whole units, and what is left in finer ones."""
    rest, unit, found = each.cast("float64"), unit_of(bound), []
    while True:
        whole = _rounded(rest, unit)
        found.append((whole, unit))
        if unit <= max(fine, _LEAST):
            return tuple(found)
        rest, unit = rest - whole * _number(unit), unit_of(max(rows, 1) * unit)


def _rounded(value: ir.NumericValue, unit: float) -> ir.NumericValue:
    """The nearest whole number of units, as a float; casts to whole numbers round differently from engine to engine."""
    return (value * _number(1 / unit) + 0.5).floor().cast("float64")


def _number(value: float) -> ir.NumericValue:
    return ibis.literal(value, type="float64")


def added(table: ir.Table, keys: Sequence[str], sums: Sums) -> ir.Table:
    """One line per distinct `keys`, sorted: the parts of each sum, in their units."""
    found = {part: total.cast("float64") for part, total in _totals(table, sums).items()}
    if not keys:
        return table.aggregate(**found)
    return table.group_by(list(keys)).agg(**found).order_by(list(keys))


def pooled(
    table: ir.Table, keys: Sequence[str], sums: Sums, pairs: Mapping[str, tuple[str, str]], sizes: Mapping[str, str]
) -> tuple[ir.Table, dict[str, Sum]]:
    """As `added`, for clusters too many to be told apart outside the engine; and the products that it holds as well.

    `keys` end with the cluster. One line per distinct rest for the rows of all clusters (`cx_alone` 0), and one for the
    rows without (1). `pairs` names products of two sums of a cluster, added over the clusters; `sizes` names how many
    clusters have anything in a sum.
    """
    *outer, cluster = keys
    inner = table.group_by(list(keys)).agg(**_totals(table, sums))
    inner = inner.mutate(cx_alone=inner[cluster].isnull().ifelse(1, 0))
    amount = {n: s.together(n, lambda part: inner[part].cast("float64").fill_null(0.0)) for n, s in sums.named.items()}
    products = {}
    for name, (a, b) in pairs.items():
        bound = sums.named[a].bound * sums.named[b].bound
        fine = sums.named[a].fine * sums.named[b].fine
        products[name] = Sum(in_parts(amount[a] * amount[b], sums.rows, bound, fine), bound)
    found = {part: inner[part].cast("float64").sum() for part in _totals(table, sums)}
    found |= {part: total for n, product in products.items() for part, total in product.totals(n, inner).items()}
    found |= {name: inner.count(where=inner[f"{of}_0"] > 0).cast("float64") for name, of in sizes.items()}
    lines = [*outer, "cx_alone"]
    return inner.group_by(lines).agg(**found).order_by(lines), products


def read(frame: pd.DataFrame, name: str, total: Sum) -> Floats:
    """A sum out of the engine, line by line; nothing adds up to 0."""
    return np.asarray(total.together(name, lambda part: np.nan_to_num(frame[part].to_numpy(dtype=np.float64))))


def _totals(table: ir.Table, sums: Sums) -> dict[str, ir.NumericValue]:
    return {part: total for name, each in sums.named.items() for part, total in each.totals(name, table).items()}
