"""Small tables of distinct values with their counts, made where the data live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd

from cxkit.errors import MeasureError
from cxkit.measures.counted import Counted, from_tally
from cxkit.measures.facts import scale_words
from cxkit.measures.groups import Groups, grouped
from cxkit.measures.kinds import Measure, Net, Score
from cxkit.measures.passes import CLUSTER, STRATUM, Pass, looked
from cxkit.measures.rows import counted_value, steps
from cxkit.measures.sources import source

if TYPE_CHECKING:
    from cxkit.study import Study

_NAMES = {CLUSTER: "cluster", STRATUM: "stratum"}


def tally(study: Study, measure: Measure, by: Sequence[str] = (), *, clusters: bool = False) -> pd.DataFrame:
    """Counts `n` of each distinct (`by`..., `cluster`, `stratum`, `value`, `observed`) of a measure.

    `cluster` and `stratum` stand in it only when `clusters` is set and the data have such columns. Values: 0 or 1 of a
    Share, the answer of a Score or Net, seconds of a Duration (cut to a grid in long tables), what a Ratio adds up (and
    under `bottom` what it is divided by), 1 of a Count. Not `observed`: censored at `as_of`, or, without a value, not
    yet decidable. Observed without a value: not known. A period is named by its local first day.
    """
    return _tally(study, measure, by, clusters, rows=False)


def tally_rows(study: Study, measure: Measure, by: Sequence[str] = (), *, clusters: bool = False) -> pd.DataFrame:
    """The table of `tally` with one line per row and `n` = 1: what can be made from one can be made from the other."""
    return _tally(study, measure, by, clusters, rows=True)


def waterfall(study: Study, measure: Measure) -> pd.DataFrame:
    """How the table narrows to the measure's rows: columns rule, removed, left; counted in one pass.

    The last rules are `open` (not yet decidable) and `missing` (not known); the last line's `left` is the measure's n.
    """
    table = source(study, [measure])
    value, observed = counted_value(measure, table, study.as_of)
    falls = [
        *steps(measure, table, study.as_of),
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


def counted_by_rows(look: Pass, level: float) -> tuple[Groups, dict[Measure, Counted]]:
    """What a look at a table finds for each of its measures, by groups, from one tally of all of them."""
    table = _counted(look, rows=False)
    groups = grouped(table, look.keys)
    found = {}
    for measure, place in look.places.items():
        found[measure] = from_tally(measure, _of(look, table, measure), groups, level, place.clustered)
    return groups, found


def _tally(study: Study, measure: Measure, by: Sequence[str], clusters: bool, rows: bool) -> pd.DataFrame:
    look = looked(study, [measure], by, clusters=clusters)
    return _plain(_of(look, _counted(look, rows), measure))


def _counted(look: Pass, rows: bool) -> pd.DataFrame:
    """The rows of a look, or a line with its count for each distinct one."""
    # Groups come in any order, and sums of floats depend on it: sorted, a report made again has the same digits.
    kept = look.table
    found = look.framed(kept if rows else kept.group_by(kept.columns).agg(n=kept.count()).order_by(kept.columns))
    if rows:
        found["n"] = 1.0
    return found.rename(columns=_NAMES)


def _of(look: Pass, table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The tally of one of the measures, in the columns of `tally`; refuses answers outside the declared scale."""
    place = look.places[measure]
    lines = table[table[place.belongs].to_numpy(dtype=bool)] if place.belongs else table
    keys = [*look.keys, *(c for c in _NAMES.values() if c in table)]
    values = {"value": lines[place.value], "observed": lines[place.observed] if place.observed else True}
    values |= {"bottom": lines[place.bottom]} if place.bottom else {}
    return _on_scale(measure, lines[keys].assign(**values, n=lines["n"]))


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """`table` without categories."""
    kinds: dict[Any, Any] = {
        c: table[c].cat.categories.dtype for c in table if isinstance(table[c].dtype, pd.CategoricalDtype)
    }
    return table.astype(kinds)


def _on_scale(measure: Measure, table: pd.DataFrame) -> pd.DataFrame:
    """`table`, unless it holds answers that the declared scale does not have."""
    if isinstance(measure, Score | Net):
        low, high = measure.scale
        outside = int(table.loc[(table["value"] < low) | (table["value"] > high), "n"].sum())
        if outside:
            words = scale_words(low, high)
            raise MeasureError("measure_outside_scale", kpi=measure.spoken, n=outside, scale=words)
    return table
