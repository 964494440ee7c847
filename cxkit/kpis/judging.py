"""Beside its target: where the interval of a KPI lies, and how likely the target is met."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxkit.measures import Measure, goal
from cxkit.result import records
from cxkit.stats import Interval, chance_beyond

if TYPE_CHECKING:
    from cxkit.study import Study

# statistic -> unit in which it is written
UNITS = {
    "share": "share",
    "top_share": "share",
    "within": "share",
    "mean_share": "share",
    "net": "points",
    "mean": "number2",
    "rate": "number2",
    "cost": "number2",
    "median": "seconds",
    "p90": "seconds",
    "capped_mean": "seconds",
    "mean_seconds": "seconds",
    "count": "count",
    "stock": "count",
}
THIN = 30  # cases below which an estimate gets a note
WIDE = 1.2  # widening from which the likeness of an agent's tickets gets a note
_LIMITS = {"share": (0.0, 1.0), "points": (-1.0, 1.0)}


def widened(row: Mapping[str, Any] | pd.Series[Any]) -> tuple[float, float]:
    """The interval of an estimate's line as the likeness of an agent's tickets makes it.

    Durations are widened by a factor, on the log scale: their intervals are not symmetric and never below zero. The
    interval of one that is not reached stays as it is.
    """
    at, low, high, factor = (float(row[name]) for name in ("value", "low", "high", "widening"))
    factor = 1.0 if math.isnan(factor) else factor
    if row["unit"] == "seconds":
        return (at * (low / at) ** factor, at * (high / at) ** factor) if 0 < at < math.inf else (low, high)
    least, most = _LIMITS.get(str(row["unit"]), (-math.inf, math.inf))
    return max(least, at - (at - low) * factor), min(most, at + (high - at) * factor)


def likeness_unknown(row: Mapping[str, Any] | pd.Series[Any]) -> bool:
    """Whether agents are known, but too few to tell how alike their tickets are."""
    return not math.isnan(float(row["clusters"])) and math.isnan(float(row["widening"]))


def with_targets(
    table: pd.DataFrame, study: Study, measures: Mapping[str, Measure], level: float = 0.95
) -> pd.DataFrame:
    """`table` of estimates with unit, headline flag, target, standing, chance that the target is met, and share open.

    Standing: "met" or "missed" only if the whole interval, widened for the likeness of an agent's tickets where that is
    known, lies on that side of the target; "open" otherwise. The chance is read from the same interval. A share within
    a promised time is better when it is higher, whatever is better of the time.
    """
    table = table.copy()
    table["unit"] = table["stat"].map(UNITS)
    of = [(measures[kpi], stat) for kpi, stat in zip(table["kpi"], table["stat"], strict=True)]
    table["family"] = np.array([measure.family for measure, _ in of], dtype=object)
    table["headline"] = np.array([measure.headline == stat for measure, stat in of], dtype=bool)
    goals = [(stat, goal(study, measure)) for measure, stat in of]
    aimed = [aim.value if aim is not None and aim.stat == stat else math.nan for stat, aim in goals]
    table["target"] = np.array(aimed, dtype=float)
    ways = ["higher" if stat == "within" else measure.better for measure, stat in of]
    judged = [_judged(row, way, level) for row, way in zip(records(table), ways, strict=True)]
    table["standing"] = np.array([where for where, _ in judged], dtype=object)
    table["chance"] = np.array([chance for _, chance in judged], dtype=float)
    table["share_open"] = _share_open(table)
    return table


def _judged(row: Mapping[str, Any], better: str, level: float) -> tuple[str, float]:
    """Standing and chance of a line of estimates."""
    where = standing(*widened(row), row["target"], better)
    return where, math.nan if where == "no_target" else chance(row, better, level)


def _share_open(table: pd.DataFrame) -> pd.Series[Any]:
    """Of all cases the share that is still open: among those counted of a time, beside them of a yes or no."""
    n, still_open = table["n"].astype(float), table["open"].astype(float)
    return still_open / np.where(table["kind"].eq("duration"), n, n + still_open)


def chance(row: Mapping[str, Any], better: str, level: float = 0.95) -> float:
    """The chance (0-1) that the true value of an estimate's line keeps its target, by the widened interval."""
    scale, unit = {"share": "share", "seconds": "duration"}.get(row["unit"], "number"), str(row["unit"])
    low, high = widened(row)
    return chance_beyond(
        row["target"],
        Interval(row["value"], low, high),
        level,
        scale=scale,  # type: ignore[arg-type]
        side="below" if better == "lower" else "above",
        limits=_LIMITS.get(unit, (-math.inf, math.inf)),
    )


def standing(low: float, high: float, target: float, better: str) -> str:
    """Where an interval lies: "met", "missed", "open" (it holds the target) or "no_target".

    >>> standing(0.81, 0.90, 0.80, "higher"), standing(0.75, 0.85, 0.80, "higher"), standing(70.0, 90.0, 60.0, "lower")
    ('met', 'open', 'missed')
    """
    if math.isnan(target) or math.isnan(low) or better == "none":
        return "no_target"
    above, below = low >= target, high <= target
    if better == "lower":
        above, below = below, above
    return "met" if above else "missed" if below else "open"
