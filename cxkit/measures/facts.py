"""What is known of a study's tables beforehand: how many rows, from when on, on which scales, of how many clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import ibis.expr.types as ir
import pandas as pd

from cxkit.contract import load
from cxkit.errors import MeasureError
from cxkit.measures.expressions import clocked_names, column_names, numeric
from cxkit.measures.kinds import Duration, Measure, Net, Score
from cxkit.measures.needs import home_of
from cxkit.measures.once import once
from cxkit.measures.sources import as_time, moment

if TYPE_CHECKING:
    from cxkit.study import Study

# Tables above it are added up by the engine, and their times cut to a grid; those below are counted to the second.
LARGE_ROWS = 200_000
GRID = 2.0**-8  # largest relative error of a time of a large table


def rows_of(study: Study, table: str) -> int:
    """Number of rows of a table."""
    return once(study, ("rows", table), lambda: int(study.table(table).count().to_pyarrow().as_py()))


def is_large(study: Study, table: str) -> bool:
    """Whether a table is too long to be looked at row by row; the data alone decide, the same on every engine."""
    return rows_of(study, table) > LARGE_ROWS


def precision_of(study: Study, measure: Measure) -> float:
    """The relative error to which the times of a Duration are cut; 0: whole seconds, or no times at all."""
    if not isinstance(measure, Duration):
        return 0.0
    return measure.precision or (GRID if is_large(study, measure.of) else 0.0)


def begins_at(study: Study, measure: Measure) -> pd.Timestamp:
    """The earliest moment that rows of `measure` are attributed to; `as_of` where there is none."""
    if not measure.dated_by:
        raise MeasureError("measure_undated", kpi=measure.spoken, table=measure.of)
    home = home_of(study, measure.of, measure.dated_by)
    known = study.table(home).columns
    if measure.dated_by not in known:  # derived
        return study.as_of
    # of a short table all times are asked for at once; of a long one each would be another column to read
    columns = (measure.dated_by,) if is_large(study, home) else _times(study, home)
    earliest = once(study, ("earliest", home, columns), lambda: _earliest(study, home, columns))[measure.dated_by]
    return study.as_of if earliest is None else pd.Timestamp(earliest)


def many_clusters(study: Study, measure: Measure) -> int:
    """How many clusters a measure may have: the rows of the table that its cluster is the key of, or its values."""
    home = home_of(study, measure.of, measure.cluster)
    declared = load().tables[home].columns.get(measure.cluster)
    register = ((declared and declared.references) or "").partition(".")[0]
    if register in study.tables:
        return rows_of(study, register)
    labels = study.table(home)[measure.cluster]
    return once(study, ("clusters", home, measure.cluster), lambda: int(labels.nunique().to_pyarrow().as_py()))


def has_strays(study: Study, measure: Measure) -> bool:
    """Whether rows of a measure may lack their cluster."""
    own = study.table(measure.of)
    if measure.cluster not in own.columns:
        return True  # it is read from another table, where not every row has its like
    filled = own[measure.cluster].count()
    known = once(study, ("filled", measure.of, measure.cluster), lambda: int(filled.to_pyarrow().as_py()))
    return known < rows_of(study, measure.of)


class Sizes(NamedTuple):
    """The largest size of a number, and the smallest that is not zero; 0 where there is none."""

    most: float
    least: float

    def times(self, other: Sizes) -> Sizes:
        """Of products with `other`."""
        return Sizes(self.most * other.most, self.least * other.least)


def sizes_in(table: ir.Table, columns: Sequence[str]) -> dict[str, Sizes]:
    """The sizes of some numbers of a table."""
    asked: dict[str, ir.Value] = {}
    for place, size in enumerate(table[c].abs() for c in columns):
        asked |= {f"most_{place}": size.max(), f"least_{place}": size.nullif(0).min()}
    (row,) = table.aggregate(**asked).to_pyarrow().to_pylist()
    edges = {name: float(edge or 0) for name, edge in row.items()}
    return {c: Sizes(edges[f"most_{place}"], edges[f"least_{place}"]) for place, c in enumerate(columns)}


def sizes(study: Study, table: str, numbers: str) -> Sizes | None:
    """The sizes of an expression over all rows of a table; None unless all its columns are the table's own."""

    def ask() -> Sizes:
        return sizes_in(rows.select(value=numeric(numbers, rows, table, moment(study.as_of))), ["value"])["value"]

    rows, read = study.table(table), column_names(numbers)
    if numbers.strip().isdigit():
        return Sizes(float(numbers), float(numbers))
    own = read and read <= set(rows.columns) and not clocked_names(numbers)
    return once(study, ("sizes", table, numbers), ask) if own else None


def check_scale(study: Study, measure: Measure) -> None:
    """MeasureError for answers that were given on other scales than the declared one."""
    if not isinstance(measure, Score | Net) or not {"scale_min", "scale_max"} <= set(study.columns(measure.of)):
        return
    given = once(study, ("scales", measure.of, measure.value), lambda: _scales(study, measure))
    pairs = given if not measure.item else [line for line in given if line[0] == measure.item]
    scales = sorted({(low, high) for _, low, high in pairs})
    if any(pair != tuple(map(float, measure.scale)) for pair in scales):
        shown, declared = ", ".join(scale_words(*pair) for pair in scales), scale_words(*measure.scale)
        raise MeasureError("measure_mixed_scales", kpi=measure.spoken, scales=shown, declared=declared)


def scale_words(low: float, high: float) -> str:
    """A scale as a message shows it.

    >>> scale_words(1, 5.0)
    '1–5'
    """
    return f"{low:g}–{high:g}"


def _times(study: Study, name: str) -> tuple[str, ...]:
    return tuple(c for c, kind in study.table(name).schema().items() if kind.is_timestamp() or kind.is_date())


def _earliest(study: Study, name: str, columns: Sequence[str]) -> Mapping[str, Any]:
    """The earliest value of each of these times of a table."""
    table = study.table(name)
    (row,) = table.aggregate([as_time(table[c].min()).name(c) for c in columns]).to_pyarrow().to_pylist()
    return dict(row)


def _scales(study: Study, measure: Score | Net) -> Sequence[tuple[Any, float, float]]:
    """The scales on which each item was answered."""
    answers = study.table(measure.of)
    item = answers["item"] if "item" in answers.columns else answers["scale_min"].cast("string")
    given = answers[measure.value].notnull() & answers["scale_min"].notnull() & answers["scale_max"].notnull()
    lines = answers.filter(given).select(item=item, low="scale_min", high="scale_max").distinct().to_pyarrow()
    return [(line["item"], float(line["low"]), float(line["high"])) for line in lines.to_pylist()]
