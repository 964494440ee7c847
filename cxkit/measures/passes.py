"""Which measures are counted in one pass over their table, and which columns of that pass belong to each."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from cxkit.calendars import Period
from cxkit.measures.derived import derived
from cxkit.measures.facts import check_scale, is_large, precision_of
from cxkit.measures.grid import grid_step, on_grid
from cxkit.measures.kinds import Duration, Measure, Ratio
from cxkit.measures.needs import columns_of
from cxkit.measures.periods import first_days, measured_periods, period_number, units_of
from cxkit.measures.rows import bottom_value, counted_value, steps, with_elapsed
from cxkit.measures.sources import source

if TYPE_CHECKING:
    from cxkit.study import Study

CLUSTER, STRATUM = "cx_cluster", "cx_stratum"


@dataclass(frozen=True)
class Place:
    """The columns of a pass that belong to one measure; None: every row belongs, is observed, counts as one below.

    A row that does not belong, or has nothing below, has no value.
    """

    value: str
    belongs: str | None
    observed: str | None
    bottom: str | None
    clustered: bool


@dataclass(frozen=True, eq=False)
class Pass:
    """One look at a table for several measures: its rows as an expression, and what the columns mean."""

    study: Study
    table: ir.Table
    keys: tuple[str, ...]  # columns of the groups; a period stands in its own as a number
    spans: Mapping[str, tuple[Period, ...]]
    clustered: tuple[str, ...]  # CLUSTER and STRATUM, as far as there are such columns
    places: Mapping[Measure, Place]

    def framed(self, counted: ir.Table) -> pd.DataFrame:
        """A counted table out of the engine, periods by their first days."""
        frame = framed(counted)
        for unit, spans in self.spans.items():
            kind = pd.CategoricalDtype(first_days(spans))
            frame[unit] = pd.Categorical.from_codes(frame[unit].to_numpy(), dtype=kind)
        return frame


def answered(asked: ir.Table) -> pa.Table:
    """A table out of the engine, which is told step by step: one step told inside another would be worked out often."""
    before = ibis.options.sql.fuse_selects
    ibis.options.sql.fuse_selects = False
    try:
        return asked.to_pyarrow()
    finally:
        ibis.options.sql.fuse_selects = before


def framed(counted: ir.Table) -> pd.DataFrame:
    """A table out of the engine, each distinct text kept once."""
    whole = answered(counted)
    columns = [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in whole.columns]
    slim = pa.table(columns, names=whole.column_names).unify_dictionaries()
    frame: pd.DataFrame = slim.to_pandas(split_blocks=True)
    return frame


def batches(study: Study, measures: Iterable[Measure]) -> list[list[Measure]]:
    """Measures that share a pass: those of one table, dated alike, whose clusters do not contradict each other.

    In a long table those that need a column for which all rows are sorted go for themselves: carrying every other
    column through the sorting costs more than another look.
    """
    found: dict[tuple[object, ...], list[list[Measure]]] = {}
    for measure in dict.fromkeys(measures):
        made = derived(measure.of)
        sorted_for = {c for c in measure.required if c in made and made[c].sorts and is_large(study, measure.of)}
        alike = found.setdefault((measure.of, measure.dated_by, frozenset(sorted_for)), [])
        home = next((batch for batch in alike if _agree(study, [*batch, measure])), None)
        if home is None:
            alike.append([measure])
        else:
            home.append(measure)
    return [batch for alike in found.values() for batch in alike]


def _agree(study: Study, measures: Sequence[Measure]) -> bool:
    return len({clusters_of(study, measure) for measure in measures} - {()}) <= 1


def clusters_of(study: Study, measure: Measure) -> tuple[str, ...]:
    """The columns of a measure's cluster and stratum; empty without clusters."""
    known = columns_of(study, measure.of)
    if not measure.cluster or measure.cluster not in known:
        return ()
    return (measure.cluster, *((measure.stratum,) if measure.stratum and measure.stratum in known else ()))


def looked(
    study: Study, measures: Sequence[Measure], by: Sequence[str], *, clusters: bool, closed: bool = False
) -> Pass:
    """One look at the table that all `measures` are of, and dated alike; with `closed` at rows seen to their end."""
    for measure in measures:
        check_scale(study, measure)
    first, columns = measures[0], _Columns()
    table = with_elapsed(source(study, measures, by), measures, study.as_of)
    spans = {unit: measured_periods(study, first, unit) for unit in units_of(by)}
    keys = {key: period_number(table[first.dated_by], spans[key]) if key in spans else table[key] for key in by}
    alike = next((found for m in measures if (found := clusters_of(study, m))), ()) if clusters else ()
    within = {
        name: table[c] for name, c in zip((CLUSTER, STRATUM), alike, strict=False) if c not in by or c == alike[0]
    }
    narrowed = {m: [stays for _, stays in steps(m, table, study.as_of)] for m in measures}
    shared = frozenset.intersection(*(frozenset(each.op() for each in narrowing) for narrowing in narrowed.values()))
    places = {}
    for measure, narrowing in narrowed.items():
        rest = [stays for stays in narrowing if stays.op() not in shared]
        places[measure] = _place(study, measure, table, _all(rest) if rest else None, columns, closed)
    common = [stays for stays in narrowed[first] if stays.op() in shared]
    kept = table.filter(_all(common)) if common else table
    rows = _cut(study, kept.select(**keys, **within, **columns.named), places)
    return Pass(study, rows, tuple(by), spans, tuple(within), places)


def _place(
    study: Study,
    measure: Measure,
    table: ir.Table,
    belongs: ir.BooleanValue | None,
    columns: _Columns,
    closed: bool,
) -> Place:
    clustered = bool(clusters_of(study, measure))
    if isinstance(measure, Duration):
        measure = dataclasses.replace(measure, precision=0.0)
    value, observed = counted_value(measure, table, study.as_of)
    if closed and observed is not None:
        belongs, observed = (observed if belongs is None else belongs & observed), None
    bottom = bottom_value(measure, table, study.as_of) if isinstance(measure, Ratio) else None
    known = [each for each in (belongs, None if bottom is None else bottom.notnull()) if each is not None]
    if known:
        value = _all(known).ifelse(value, ibis.null())
    stays, ended, below = (None if each is None else columns.name(each) for each in (belongs, observed, bottom))
    return Place(columns.name(value), stays, ended, below, clustered)


def _cut(study: Study, rows: ir.Table, places: dict[Measure, Place]) -> ir.Table:
    """`rows` with the times of durations cut to their grid, in steps of their own: each is worked out once."""
    cut = {m: p for m in places if isinstance(m, Duration) and (p := precision_of(study, m))}
    if not cut:
        return rows
    steps, times = _Columns("step"), _Columns("time")
    before = {places[measure].value for measure in cut}
    step = {m: steps.name(grid_step(rows[places[m].value], precision)) for m, precision in cut.items()}
    rows = rows.mutate(**steps.named)
    for measure in cut:
        place = places[measure]
        name = times.name(on_grid(rows[place.value], rows[step[measure]], measure.target_seconds))
        places[measure] = dataclasses.replace(place, value=name)
    # The uncut times would keep apart what the grid has put together.
    uncut = {*steps.named, *before} - {place.value for place in places.values()}
    return rows.mutate(**times.named).drop(*uncut)


def _all(conditions: Sequence[ir.BooleanValue]) -> ir.BooleanValue:
    return functools.reduce(operator.and_, conditions)


class _Columns:
    """Expressions under names that no column of the contract has; the same expression gets the same name."""

    def __init__(self, prefix: str = "") -> None:
        self.named: dict[str, ir.Value] = {}
        self._names: dict[Any, str] = {}
        self._prefix = prefix

    def name(self, expression: ir.Value) -> str:
        name = self._names.setdefault(expression.op(), f"cx_{self._prefix}{len(self.named)}")
        self.named[name] = expression
        return name
