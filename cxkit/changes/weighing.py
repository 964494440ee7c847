"""At which mix both sides are compared: that of the strata, or that of all who could have answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxkit.changes.asking import Asked
from cxkit.changes.estimands import Strata, strata_of
from cxkit.changes.lines import everybody, lines_of
from cxkit.changes.sides import Sides
from cxkit.errors import ParameterError
from cxkit.measures import Count
from cxkit.measures.expressions import known_column


def weighed(found: Sides, asked: Asked) -> Strata | None:
    """Strata and what they weigh; None where the sides are compared as they are."""
    if not asked.population:
        return strata_of(found, asked.strata) if asked.strata else None
    if isinstance(asked.population, Mapping):
        if not asked.strata:
            raise ParameterError("changes_population_strata")
        return strata_of(found, asked.strata, asked.population)
    columns = asked.population_columns
    return strata_of(found, columns, _everybody(found, columns))


def _everybody(found: Sides, columns: tuple[str, ...]) -> dict[Any, float]:
    """How many of each stratum there are on both sides: tickets of the study; of a table, all its rows."""
    place, measure = found.place, found.measure
    keys = (*columns, *([found.by] if found.by else []))
    if place.study is None:
        counted = everybody(measure, measure.at)
    else:
        for column in keys:
            known_column(column, place.columns("tickets"), "tickets")
        counted = Count(measure.name, of="tickets")
    split: dict[str, Any] = {} if found.by else {"split": found.at, "between": found.between, "apart": found.apart}
    rows = lines_of(place, counted, keys, where=found.where, **split)
    rows = rows[found.number_of(rows) >= 0]
    parts = [rows[c].astype(object).where(rows[c].notna(), None) for c in columns]
    sizes = rows.groupby(parts, dropna=False)["n"].sum()
    return {(key if isinstance(key, tuple) else (key,)): float(n) for key, n in sizes.items()}
