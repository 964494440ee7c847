"""What a KPI should reach, and which of its statistics is held against it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from cxkit.errors import StudyError, nearest
from cxkit.measures.kinds import Duration, Measure

if TYPE_CHECKING:
    from cxkit.study import Study

_RANGES = {"share": (0, 1), "top_share": (0, 1), "mean_share": (0, 1), "net": (-1, 1)}


class Goal(NamedTuple):
    """The statistic that is judged, and the number it should reach."""

    stat: str
    value: float


def goal(study: Study, measure: Measure) -> Goal | None:
    """The target of a KPI; None where study.toml sets none.

    A number is held against the headline, which of a duration is the median; `{ within = "4 h", share = 0.8 }` against
    the share within that time.
    """
    target = study.targets.get(measure.id)
    if target is None:
        return None
    if isinstance(target, Mapping):
        return Goal("within", float(target["share"]))
    return Goal(measure.headline, float(target))


def check_targets(study: Study | None, measures: Mapping[str, Measure]) -> None:
    """StudyError for a target of no KPI, and for one that its KPI cannot reach: 80 where 0.80 is meant."""
    for kpi, target in (study.targets if study is not None else {}).items():
        if kpi not in measures:
            near, known = nearest(kpi, measures) or "none", ", ".join(measures)
            raise StudyError("target_unknown", kpi=kpi[:40], near=near, known=known)
        measure = measures[kpi]
        if isinstance(target, Mapping):
            if not isinstance(measure, Duration):
                raise StudyError("target_within", kpi=kpi)
            continue
        low, high = _RANGES.get(measure.headline, (-math.inf, math.inf))
        if not low <= target <= high:
            raise StudyError("target_range", kpi=kpi, given=f"{target:g}", low=str(low), high=str(high))
