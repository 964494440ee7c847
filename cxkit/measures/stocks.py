"""How many rows were there at the end of a period, from when each came and went."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cxkit.calendars import Period
from cxkit.measures.amounts import Floats, summed
from cxkit.measures.groups import Codes, grouped
from cxkit.measures.kinds import Count
from cxkit.measures.passes import framed
from cxkit.measures.periods import first_days, measured_periods, period_number, units_of
from cxkit.measures.rows import spell_edges, steps
from cxkit.measures.sources import source

if TYPE_CHECKING:
    from cxkit.study import Study


def stocks(study: Study, measure: Count, by: Sequence[str] = ()) -> pd.DataFrame:
    """Columns `by`... and `n`: the rows inside a spell at the end of each period, at `as_of` for one that is not over.

    Without a period among `by`: at `as_of`. A group has a line for each period from its first row on, also where none
    is left. A row that is in two spells at once counts once.
    """
    unit = next(iter(units_of(by)), None)
    others = [key for key in by if key != unit]
    spans = measured_periods(study, measure, unit) if unit else ()
    if len(spans) > 1 and spans[-1].start_at >= study.as_of:
        spans = spans[:-1]  # nothing of it has passed
    tally = _tally(study, measure, others, spans)
    groups, periods = grouped(tally, others), max(len(spans), 1)
    line, start, end = _spans(tally, periods)
    n, group = tally["n"].to_numpy(dtype=np.float64)[line], groups.number[line]
    came, went = (_cumulated(group, edge, n, len(groups), periods) for edge in (start, end))
    inside = came - went
    if unit is None:
        return groups.keys.assign(n=inside[:, 0])
    shown, period = np.nonzero(came > 0)
    found = groups.keys.iloc[shown].reset_index(drop=True)
    found[unit] = first_days(spans)[period]
    return found[list(by)].assign(n=inside[shown, period])


def _tally(study: Study, measure: Count, keys: Sequence[str], spans: Sequence[Period]) -> pd.DataFrame:
    """How many rows come and go in the same periods: columns `keys`, c0, g0, c1, g1..., n.

    The period is empty where a row does not come, or go, up to `as_of`.
    """
    table = source(study, [measure], keys)
    stays = [stays for _, stays in steps(measure, table, study.as_of)]
    edges: dict[str, ir.Value] = {}
    for place, times in enumerate(spell_edges(measure, table)):
        for name, at in zip((f"c{place}", f"g{place}"), times, strict=True):
            number = period_number(at, spans) if spans else ibis.literal(0, type="int32")
            edges[name] = at.notnull().ifelse(number, ibis.null())
    kept = table.filter(functools.reduce(operator.and_, stays)) if stays else table
    rows = kept.select(*keys, **edges)
    return framed(rows.group_by(rows.columns).agg(n=rows.count()).order_by(rows.columns))


def _spans(tally: pd.DataFrame, periods: int) -> tuple[Codes, Codes, Codes]:
    """The spells of each line without what overlaps: line, period of coming and period of going, spell by spell."""
    spells = sum(name[0] == "c" and name[1:].isdigit() for name in tally.columns)
    start, end = (
        np.column_stack([tally[f"{edge}{k}"].fillna(periods).to_numpy(dtype=np.int64) for k in range(spells)])
        for edge in "cg"
    )
    order = np.argsort(start, axis=1, kind="stable")
    start, end = (np.take_along_axis(edge, order, axis=1) for edge in (start, end))
    before = np.maximum.accumulate(end, axis=1)[:, :-1]
    start = np.column_stack([start[:, :1], np.maximum(start[:, 1:], before)])
    end = np.maximum(start, end)
    line = np.repeat(np.arange(len(tally)), spells)
    return line, start.ravel(), end.ravel()


def _cumulated(group: Codes, period: Codes, n: Floats, groups: int, periods: int) -> Floats:
    """How many have passed an edge up to the end of each period: a line per group, a column per period."""
    passed = summed(group * (periods + 1) + period, n, groups * (periods + 1)).reshape(groups, periods + 1)
    return np.cumsum(passed[:, :periods], axis=1)
