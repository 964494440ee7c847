"""What the engine said of a study's KPIs: every question is asked once, many KPIs at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from cxkit.errors import MeasureError
from cxkit.measures import Measure, columns_of, estimates, missing, registry
from cxkit.measures.expressions import AS_OF
from cxkit.measures.once import once

if TYPE_CHECKING:
    from cxkit.study import Study

PERIODS = ("day", "week", "half_month", "month")


def declared(study: Study) -> dict[str, Measure]:
    """The KPIs of the study's registry by id."""
    return once(study, "declared", lambda: registry(study))


def lacking(study: Study, kpi: str) -> tuple[str, ...]:
    """What the study lacks for a KPI of its registry; empty if it is carried."""
    return once(study, ("lacking", kpi), lambda: missing(declared(study)[kpi], study))


def carried(study: Study, by: Iterable[str] = ()) -> tuple[str, ...]:
    """KPIs that the data carry, grouped by the columns and periods of `by`."""
    keys = tuple(by)

    def told() -> tuple[str, ...]:
        measures = declared(study).items()
        return tuple(name for name, m in measures if not lacking(study, name) and _groups(study, m, keys))

    return once(study, ("carried", keys), told)


def _groups(study: Study, measure: Measure, by: Iterable[str]) -> bool:
    """Whether rows of the measure can be told apart by every column and period of `by`."""
    known = columns_of(study, measure.of)
    return all(followed(measure) if key in PERIODS else key in known for key in by)


def followed(measure: Measure) -> bool:
    """Whether a measure has a time line: its rows are dated, and it is not about this moment alone."""
    return bool(measure.dated_by) and getattr(measure, "stop", "") != AS_OF


def estimated(study: Study, kpis: Iterable[str], by: Sequence[str] = (), level: float = 0.95) -> pd.DataFrame:
    """The estimates of `kpis` by groups, in their order; only those not known yet are asked, in one go."""
    names, by = tuple(kpis), tuple(by)
    kept = once(study, ("estimates", by, level), dict[str, pd.DataFrame | MeasureError])
    new = [name for name in names if name not in kept]
    if new:
        kept.update(_asked(study, new, by, level))
    found = []
    for answer in (kept[name] for name in names):
        if isinstance(answer, MeasureError):
            raise answer
        found.append(answer)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _asked(
    study: Study, names: Sequence[str], by: tuple[str, ...], level: float
) -> dict[str, pd.DataFrame | MeasureError]:
    """The estimates of each KPI; where one is refused, all are asked for themselves, and the refusal is its answer."""
    measures = [declared(study)[name] for name in names]
    try:
        table = estimates(study, measures, by=by, level=level)
    except MeasureError as refusal:
        if len(names) == 1:
            return {names[0]: refusal}
        return {name: answer for each in names for name, answer in _asked(study, [each], by, level).items()}
    return {name: table[table["kpi"] == name].reset_index(drop=True) for name in names}
