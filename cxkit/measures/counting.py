"""Small tables of distinct values with their counts, made where the data live."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from cxkit.errors import MeasureError
from cxkit.measures.kinds import Duration, Measure, Net, Score
from cxkit.measures.rows import counted_value, month_number, months_of, steps
from cxkit.measures.sources import MONTH, dated, has_column, source

if TYPE_CHECKING:
    from cxkit.study import Study


def tally(study: Study, measure: Measure, by: Sequence[str] = (), *, clusters: bool = False) -> pd.DataFrame:
    """Counts `n` of each distinct (`by`..., `cluster`, `stratum`, `value`, `observed`) of a measure.

    `cluster` and `stratum` stand in it only when `clusters` is set and the data have such columns. Values: 0 or 1 of a
    Share, the answer of a Score or Net, whole seconds of a Duration, 1 of a Count. Not `observed`: censored at `as_of`,
    or, without a value, not yet decidable. Observed without a value: not known. `month` is its local first day.
    """
    return _plain(scan(study, [measure], by, clusters=clusters, rows=False).of(measure))


def tally_rows(study: Study, measure: Measure, by: Sequence[str] = (), *, clusters: bool = False) -> pd.DataFrame:
    """The table of `tally` with one line per row and `n` = 1: what can be made from one can be made from the other."""
    return _plain(scan(study, [measure], by, clusters=clusters, rows=True).of(measure))


def waterfall(study: Study, measure: Measure) -> pd.DataFrame:
    """How the table narrows to the measure's rows: columns rule, removed, left; counted in one pass.

    The last rules are `open` (not yet decidable) and `missing` (not known); the last line's `left` is the measure's n.
    """
    table = source(study, [measure])
    value, observed = counted_value(measure, table, study.as_of)
    falls = [
        *steps(measure, table),
        ("open", ibis.literal(True) if observed is None else value.notnull() | observed),
        ("missing", value.notnull()),
    ]
    fallen_at = ibis.cases(*[(~stays, place) for place, (_, stays) in enumerate(falls)], else_=len(falls))
    found = table.select(step=fallen_at).value_counts(name="n").to_pandas()
    fallen = np.zeros(len(falls) + 1, dtype=np.int64)
    fallen[found["step"].to_numpy(dtype=np.int64)] = found["n"]
    removed = np.concatenate([[0], fallen[:-1]])
    left = fallen.sum() - np.cumsum(removed)
    return pd.DataFrame({"rule": ["all", *(rule for rule, _ in falls)], "removed": removed, "left": left})


@dataclass(frozen=True)
class _Place:
    """The columns of a scan that belong to one measure; None: every line belongs, every line is observed."""

    belongs: str | None
    value: str
    observed: str | None


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass over a table found for several measures: a line per distinct combination, or per row."""

    table: pd.DataFrame
    places: Mapping[Measure, _Place]
    by: tuple[str, ...]

    def of(self, measure: Measure) -> pd.DataFrame:
        """The tally of one of the measures, in the columns of `tally`; refuses answers outside the declared scale."""
        place = self.places[measure]
        keys = [*self.by, *(c for c in ("cluster", "stratum") if c in self.table)]
        lines = self.table[[*keys, place.value, *([place.observed] if place.observed else []), "n"]]
        if place.belongs:
            lines = lines[self.table[place.belongs].to_numpy(dtype=bool)]
        observed = lines[place.observed] if place.observed else True
        tally = lines[keys].assign(value=lines[place.value], observed=observed, n=lines["n"])
        return _on_scale(measure, tally)


def scans(study: Study, measures: Sequence[Measure], by: Sequence[str] = ()) -> list[Scan]:
    """The tallies of `measures` with their clusters: those that share table, date and clusters come from one pass.

    A tally of exact seconds would be as long as the table, so a pass with such a Duration fetches the rows instead.
    """
    passes: dict[tuple[str, ...], list[Measure]] = {}
    for measure in dict.fromkeys(measures):
        alike = (measure.of, measure.dated_by, measure.cluster, measure.stratum)
        passes.setdefault(alike, []).append(measure)
    return [
        scan(
            study, together, by, clusters=True, rows=any(isinstance(m, Duration) and not m.precision for m in together)
        )
        for together in passes.values()
    ]


def scan(study: Study, measures: Sequence[Measure], by: Sequence[str], *, clusters: bool, rows: bool) -> Scan:
    """One pass over the table that all `measures` are of and dated alike."""
    for measure in measures:
        _one_scale(study, measure)
    table, first, columns = source(study, measures, by), measures[0], _Columns()
    keys = {column: table[column] for column in by if column != MONTH}
    cluster, stratum = (has_column(study, first, c) if clusters else None for c in (first.cluster, first.stratum))
    if cluster:
        keys["cx_cluster"] = table[cluster]
        keys |= {"cx_stratum": table[stratum]} if stratum and stratum not in by else {}
    months = months_of(study, first) if MONTH in by else ()
    if months:
        keys["cx_month"] = month_number(dated(first, table), months)
    belong = {m: functools.reduce(operator.and_, [stays for _, stays in steps(m, table)]) for m in measures}
    every = all(each.equals(belong[first]) for each in belong.values())
    places = {}
    for measure in measures:
        value, observed = counted_value(measure, table, study.as_of)
        belongs = None if every else columns.name(belong[measure])
        places[measure] = _Place(belongs, columns.name(value), None if observed is None else columns.name(observed))
    kept = table.filter(functools.reduce(operator.or_, belong.values())).select(**keys, **columns.named)
    # Groups come in any order, and sums of floats depend on it: sorted, a report made again has the same digits.
    counted = kept if rows else kept.group_by(kept.columns).agg(n=kept.count()).order_by(kept.columns)
    found = _frame(counted)
    if rows:
        found["n"] = 1.0
    if months:
        starts: Any = pd.DatetimeIndex([pd.Timestamp(period.first_on) for period in months])
        found["cx_month"] = pd.Categorical.from_codes(found["cx_month"].to_numpy(), starts)
    names = {"cx_cluster": "cluster", "cx_stratum": "stratum", "cx_month": MONTH}
    return Scan(found.rename(columns=names), places, tuple(by))


class _Columns:
    """Expressions under names that no column of the contract has; the same expression gets the same name."""

    def __init__(self) -> None:
        self.named: dict[str, ir.Value] = {}

    def name(self, expression: ir.Value) -> str:
        for name, known in self.named.items():
            if known.equals(expression):
                return name
        self.named[f"cx_{len(self.named)}"] = expression
        return f"cx_{len(self.named) - 1}"


def _frame(table: ir.Table) -> pd.DataFrame:
    """The table out of the engine, each distinct text kept once."""
    whole = table.to_pyarrow()
    columns = [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in whole.columns]
    slim = pa.table(columns, names=whole.column_names).unify_dictionaries()
    frame: pd.DataFrame = slim.to_pandas(split_blocks=True)
    return frame


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """`table` without categories."""
    kinds: dict[Any, Any] = {
        c: table[c].cat.categories.dtype for c in table if isinstance(table[c].dtype, pd.CategoricalDtype)
    }
    return table.astype(kinds)


def _one_scale(study: Study, measure: Measure) -> None:
    """Refuse answers that were given on other scales than the declared one."""
    if not isinstance(measure, Score | Net):
        return
    answers = study.table(measure.of)
    if not {"scale_min", "scale_max"} <= set(answers.columns):
        return
    given = answers[measure.value].notnull() & answers["scale_min"].notnull()
    asked = answers["item"] == measure.item if measure.item else True
    scales = answers.filter(given, asked).select("scale_min", "scale_max").distinct().to_pandas()
    pairs = sorted((float(low), float(high)) for low, high in scales.itertuples(index=False, name=None))
    if any(pair != tuple(map(float, measure.scale)) for pair in pairs):
        shown = ", ".join(_scale(low, high) for low, high in pairs)
        declared = _scale(*measure.scale)
        raise MeasureError("measure_mixed_scales", kpi=measure.spoken, scales=shown, declared=declared)


def _on_scale(measure: Measure, table: pd.DataFrame) -> pd.DataFrame:
    """`table`, unless it holds answers that the declared scale does not have."""
    if isinstance(measure, Score | Net):
        low, high = measure.scale
        outside = int(table.loc[(table["value"] < low) | (table["value"] > high), "n"].sum())
        if outside:
            raise MeasureError("measure_outside_scale", kpi=measure.spoken, n=outside, scale=_scale(low, high))
    return table


def _scale(low: float, high: float) -> str:
    return f"{low:g}–{high:g}"
