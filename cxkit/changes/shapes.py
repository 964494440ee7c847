"""What the upper picture of a finding shows: how the values of both sides spread, as a small tidy table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cxkit.changes.estimands import curve
from cxkit.changes.sides import Side, Sides
from cxkit.measures import Duration, Net, Ratio, Score
from cxkit.stats import wilson

_POINTS = 200  # of a curve: more than a picture can show
_TAIL = 0.95  # of values: the few largest would squeeze all others together


def shape_of(found: Sides, horizon: float) -> pd.DataFrame:
    """Columns kind, group, x, y, low, high, unit.

    bars: a share with its interval. answers: the share of each answer. curves: the share done by a time. upto: the
    share of rows up to a value. days: what came on each day.
    """
    parts = [_shape(found, side, horizon) for side in found.pair]
    return pd.concat([part.assign(group=side.name) for part, side in zip(parts, found.pair, strict=True)])


def _shape(found: Sides, side: Side, horizon: float) -> pd.DataFrame:
    measure = found.measure
    if side.daily is not None:
        under = side.daily["under"].replace(0, np.nan) if "under" in side.daily else 1.0
        return _told("days", side.daily["day"], side.daily["count"] / under, "number")
    if isinstance(measure, Score | Net):
        return _answers(measure, side)
    if isinstance(measure, Duration):
        return _done(side, horizon)
    if isinstance(measure, Ratio) and "bottom" not in side.lines:
        return _spread(side, _most(found), "seconds" if measure.headline == "mean_seconds" else "number")
    if isinstance(measure, Ratio):
        top, bottom = (float((side.lines[c] * side.lines["n"]).sum()) for c in ("value", "bottom"))
        return _told("bars", [0], [top / bottom if bottom else np.nan], "number")
    share = wilson(float((side.value * side.n).sum()), side.known)
    return _told("bars", [0], [share.estimate], "percent", [share.low], [share.high])


def _told(kind: str, x: Any, y: Any, unit: str, low: Any = np.nan, high: Any = np.nan) -> pd.DataFrame:
    table = pd.DataFrame({"x": np.asarray(x), "y": np.asarray(y, dtype=np.float64)})
    return table.assign(kind=kind, low=low, high=high, unit=unit)


def _answers(measure: Score | Net, side: Side) -> pd.DataFrame:
    low, high = measure.scale
    answers = np.arange(int(low), int(high) + 1)
    n = np.array([float(side.n[side.value == a].sum()) for a in answers])
    return _told("answers", answers, n / max(n.sum(), 1), "percent")


def _done(side: Side, horizon: float) -> pd.DataFrame:
    """The share done by each time, up to a little beyond the horizon."""
    found = curve(side.lines)
    end = horizon * 1.25 if np.isfinite(horizon) else found.quantile(_TAIL)
    end = min(end if np.isfinite(end) else found.followed, found.followed) or 1.0
    x = np.linspace(0, end, _POINTS)
    step = np.searchsorted(found.times, x, side="right") - 1
    done = np.where(step < 0, 0.0, 1 - found.survival[np.maximum(step, 0)])
    return _told("curves", x, done, "seconds")


def _most(found: Sides) -> float:
    value, n = (np.concatenate([getattr(s, part) for s in found.pair]) for part in ("value", "n"))
    order = np.argsort(value)
    held = np.cumsum(n[order]) / n.sum()
    return float(value[order][np.searchsorted(held, _TAIL)])


def _spread(side: Side, most: float, unit: str) -> pd.DataFrame:
    """The share of rows up to each value."""
    order = np.argsort(side.value)
    value, held = side.value[order], np.cumsum(side.n[order]) / side.known
    x = np.linspace(min(0.0, float(value[0])), most, _POINTS)
    step = np.searchsorted(value, x, side="right") - 1
    return _told("upto", x, np.where(step < 0, 0.0, held[np.maximum(step, 0)]), unit)
