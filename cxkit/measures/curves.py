"""Waiting times of a long table, in two looks at it.

A tally on the grid makes the curves; how far each time moves its curve is then joined back as a lookup, so that the
engine can add it up by cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from cxkit.measures.amounts import Floats
from cxkit.measures.facts import has_strays
from cxkit.measures.groups import Codes, Groups, grouped
from cxkit.measures.kinds import Duration, Measure
from cxkit.measures.passes import Pass, Place
from cxkit.measures.sums import unit_of
from cxkit.measures.waits import Waits, waits

_TIME_BITS = 36  # of a whole number that a time, and whether it was watched to its end, may fill
_FINE = 2.0**-40  # of all moves together: no row's matters less
_GROUP, _WHICH, _CODE = "cx_group", "cx_which", "cx_code"


class Moved(NamedTuple):
    """A column that says how far a row moves a curve: in units of `unit`, all rows together at most `bound`.

    `fine`: what is nothing beside the other moves.
    """

    column: str
    unit: float
    bound: float
    fine: float


@dataclass(frozen=True, eq=False)
class _Times:
    """The tally of one duration, and how far a row of each line moves a curve."""

    group: Codes
    code: Codes
    n: Floats
    said: Waits


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of several durations by the same groups."""

    groups: Groups
    written: pa.Table  # the keys of each group as the engine has them
    times: Mapping[Measure, _Times]
    strays: bool  # whether there are rows without a cluster, whose squares count for themselves

    def moved(self, measure: Measure) -> dict[str, Moved]:
        """The columns that `joined` adds for a measure: "push" its moves, "square" their squares, by statistic."""
        place, times = list(self.times).index(measure), self.times[measure]
        found = {}
        for stat, move in times.said.moves.items():
            for name, amount in self.amounts(np.abs(move)):
                bound = float((amount * times.n).sum())
                found[f"{name}_{stat}"] = Moved(f"cx_{name}_{stat}_{place}", unit_of(bound), bound, bound * _FINE)
        return found

    def amounts(self, move: Floats) -> tuple[tuple[str, Floats], ...]:
        """What is added up of the moves of a curve."""
        return (("push", move), ("square", move**2))[: 1 + self.strays]


def curves_of(look: Pass, durations: Sequence[Duration], level: float) -> Curves:
    """The curves of `durations` in the rows of a look, all from one tally."""
    tally = _tally(look, durations)
    frame = look.framed(tally)
    groups = grouped(frame, look.keys)
    which, code, n = (frame[c].to_numpy() for c in (_WHICH, _CODE, "n"))
    order = np.lexsort((code, groups.number, which))
    edges = np.searchsorted(which[order], np.arange(len(durations) + 1))
    times: dict[Measure, _Times] = {}
    for place, measure in enumerate(durations):
        mine = order[edges[place] : edges[place + 1]]
        group, known, rows = groups.number[mine], code[mine].astype(np.int64), n[mine].astype(np.float64)
        seconds, ended = (known >> 1).astype(np.float64), (known & 1).astype(bool)
        times[measure] = _Times(group, known, rows, waits(measure, group, seconds, ended, rows, len(groups), level))
    strays = any(has_strays(look.study, m) for m in durations if look.places[m].clustered)
    return Curves(groups, _written(look, frame, groups), times, strays)


def joined(look: Pass, curves: Curves) -> ir.Table:
    """The rows of a look, each with how far it moves the curves of its group."""
    clustered = [m for m in curves.times if look.places[m].clustered]
    if not clustered:
        return look.table
    table = _with_group(look, curves)
    for place, measure in enumerate(curves.times):
        if measure in clustered:
            lookup = look.study.lookup(f"cx_moves_{place}", _lookup(curves, measure, place))
            at = table[_GROUP] * (1 << _TIME_BITS) + _code(table, look.places[measure])
            marked = table.mutate(cx_at=at)
            both = marked.left_join(lookup, marked["cx_at"] == lookup[f"cx_at_{place}"])
            added = [c for c in lookup.columns if c != f"cx_at_{place}"]
            table = both.select([*table.columns, *added])
    return table


def _tally(look: Pass, durations: Sequence[Duration]) -> ir.Table:
    """How often each time occurs, by groups; each row is looked at once, whatever the number of durations."""
    codes = {f"{_CODE}_{place}": _code(look.table, look.places[m]) for place, m in enumerate(durations)}
    rows = look.table.select(*look.keys, **codes)
    which = look.study.lookup(_WHICH, pd.DataFrame({_WHICH: np.arange(len(durations), dtype=np.int64)}))
    rows = rows.cross_join(which)
    chosen = ibis.cases(*((rows[_WHICH] == place, rows[name]) for place, name in enumerate(codes)))
    rows = rows.select(*look.keys, _WHICH, **{_CODE: chosen})
    return rows.filter(rows[_CODE].notnull()).group_by([*look.keys, _WHICH, _CODE]).agg(n=lambda t: t.count())


def _code(table: ir.Table, place: Place) -> ir.IntegerValue:
    """A time, and whether it was watched to its end, as one whole number; empty where there is none."""
    ended = ibis.literal(1) if place.observed is None else table[place.observed].ifelse(1, 0)
    return table[place.value].cast("int64") * 2 + ended


def _written(look: Pass, frame: pd.DataFrame, groups: Groups) -> pa.Table:
    """The keys of each group, gaps filled and told apart by a column of their own: a join finds no gap."""
    _, first = np.unique(groups.number, return_index=True)
    columns: dict[str, Any] = {_GROUP: pa.array(np.arange(len(first), dtype=np.int64))}
    for place, key in enumerate(look.keys):
        cells, kind = frame[key].iloc[first], look.table[key].type()
        if key in look.spans:
            cells = pd.Series(cells.cat.codes.to_numpy())
        plain = pa.array(cells.astype(object).where(cells.notna(), None).tolist(), type=kind.to_pyarrow())
        columns[f"cx_key_{place}"] = plain.fill_null(_filling(kind, written=True))
        columns[f"cx_gap_{place}"] = pa.array(plain.is_null().to_numpy(zero_copy_only=False).astype(np.int64))
    return pa.table(columns)


def _with_group(look: Pass, curves: Curves) -> ir.Table:
    table = look.table
    if not look.keys:
        return table.mutate(**{_GROUP: ibis.literal(0, type="int64")})
    known = look.study.lookup("cx_groups", curves.written)
    marks = {}
    for place, key in enumerate(look.keys):
        marks[f"cx_mine_{place}"] = table[key].fill_null(_filling(table[key].type(), written=False))
        marks[f"cx_none_{place}"] = table[key].isnull().ifelse(1, 0)
    marked = table.mutate(**marks)
    alike = [
        marked[f"cx_{mine}_{place}"] == known[f"cx_{theirs}_{place}"]
        for place in range(len(look.keys))
        for mine, theirs in (("mine", "key"), ("none", "gap"))
    ]
    return marked.left_join(known, alike).select([*table.columns, _GROUP])


def _filling(kind: Any, written: bool) -> Any:
    """What stands for a gap in a key of this type."""
    if kind.is_boolean():
        return False
    if kind.is_string():
        return ""
    if kind.is_date() or kind.is_timestamp():
        start = pd.Timestamp("1970-01-01")
        plain = start.date() if kind.is_date() else start.to_pydatetime()
        return pa.scalar(plain, type=kind.to_pyarrow()) if written else ibis.literal(plain, type=kind)
    return 0.0 if kind.is_floating() else 0


def _lookup(curves: Curves, measure: Measure, place: int) -> pa.Table:
    """How far each time moves the curve of its group, by the number that `joined` makes of group and time."""
    times, columns = curves.times[measure], curves.moved(measure)
    found = {f"cx_at_{place}": times.group * (1 << _TIME_BITS) + times.code}
    for stat, move in times.said.moves.items():
        for name, amount in curves.amounts(move):
            moved = columns[f"{name}_{stat}"]
            found[moved.column] = np.rint(amount / moved.unit)
    return pa.table(found)
