"""The table of a finding: each side's statistics, and how many rows they rest on."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pandas as pd

from cxkit.changes.counting import Days
from cxkit.changes.engine import Engine
from cxkit.changes.estimands import Estimand
from cxkit.changes.select import Selected
from cxkit.changes.sides import Sides
from cxkit.stats.intervals import Interval

_NAN = float("nan")
_PERSONS = 30  # cases from which a value is more of the work than of the person
_NOTHING = Interval(_NAN, _NAN, _NAN)


def rows_table(found: Sides, engine: Engine, chosen: tuple[Estimand, ...], level: float) -> pd.DataFrame:
    """One row a side and statistic, from rows."""
    told = [
        _row(found, i, e, engine.group(e, i, level), engine.numbers[i] if engine.clusters else _NAN, engine.worth(e, i))
        for e in chosen
        if e.has_sides
        for i in (0, 1)
    ]
    return pd.DataFrame(told)


def days_table(found: Sides, days: Days, primary: Estimand, level: float) -> pd.DataFrame:
    """One row a side, from days."""
    rows = [_row(found, i, primary, days.group(i, level), days.numbers[i], _NAN) for i in (0, 1)]
    return pd.DataFrame(rows).assign(open_share=0.0)


def bare_table(found: Sides, engine: Engine, primary: Estimand) -> pd.DataFrame:
    """One row a side without intervals, where nothing may be said of a difference."""
    told = found.baseline.daily is None and primary.has_sides and min(side.known for side in found.pair) > 0
    values = [engine.pair(primary)[i].value if told else _NAN for i in (0, 1)]
    rows = [_row(found, i, primary, _NOTHING._replace(estimate=values[i]), _NAN, _NAN) for i in (0, 1)]
    return pd.DataFrame(rows)


def _row(found: Sides, i: int, of: Estimand, interval: Interval, clusters: float, worth: float) -> dict[str, Any]:
    side = found.pair[i]
    return {
        "group": side.name,
        **of.cells,
        "value": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": side.known,
        "clusters": clusters,
        "n_eff": worth,
        "open_share": side.open_share,
        "missing": side.missing,
    }


def cluster_means(found: Sides, primary: Estimand, selected: Selected) -> pd.DataFrame | None:
    """Each cluster's own value where they are too few for a test: by side, without names, lowest first.

    A cluster is often a person: those with fewer than thirty cases are left out.
    """
    stop = selected.stop
    if stop is None or stop.code != "too_few_clusters" or not primary.has_sides:
        return None
    unit, parts = selected.clusters[0], []
    for side in found.pair:
        for _, lines in side.lines.groupby(unit, observed=True):
            own = dataclasses.replace(side, lines=lines.reset_index(drop=True))
            alone = Engine(dataclasses.replace(found, baseline=own, other=own))
            value = alone.pair(primary)[0].value
            parts.append({"group": side.name, "value": value, "n": own.known, "unit": primary.unit})
    table = pd.DataFrame(parts, columns=["group", "value", "n", "unit"])
    table = table[table["n"] >= _PERSONS]  # a handful of cases would tell of a person
    second = table["group"].eq(found.other.name)
    return table.assign(second=second).sort_values(["second", "value"], ignore_index=True).drop(columns="second")


def provenance_of(found: Sides) -> dict[str, Any]:
    """A mark of the rows behind the finding, and of the definition."""
    mark = hashlib.sha256()
    for side in found.pair:
        for table in (side.lines, side.daily):
            if table is not None:
                mark.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return {
        "rows": mark.hexdigest()[:12],
        "definition": found.measure.definition_hash,
        "as_of": found.place.as_of.isoformat() if found.place.as_of > pd.Timestamp(0) else None,
        "where": found.where,
        "dated": found.dated or found.measure.dated_by,
    }
