"""Waiting times: a curve per group, what it says, and how far each line moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cxkit.measures.amounts import Floats
from cxkit.measures.groups import Codes, members_of
from cxkit.measures.kinds import Duration
from cxkit.stats import Interval, KaplanMeier, kaplan_meier


class Waits(NamedTuple):
    """Statistics with an interval per group, and how far a row of each line moves them.

    Under "median" the move of the share finished by the group's median, under "within" of that by the target.
    """

    stats: dict[str, Interval]
    moves: dict[str, Floats]


def waits(
    measure: Duration, group: Codes, value: Floats, observed: NDArray[np.bool_], n: Floats, groups: int, level: float
) -> Waits:
    """From lines that each stand for `n` rows: a time, and whether it was watched to its end."""
    asked = _asked(measure, level)
    found: dict[str, list[Interval]] = {stat: [] for stat in asked}
    moves = {stat: np.zeros_like(value) for stat in asked if stat in ("median", "within")}
    for lines in members_of(group, groups):
        curve = kaplan_meier(value[lines], observed[lines], n[lines])
        ends = {"median": min(curve.median, curve.followed), "within": measure.target_seconds or 0.0}
        for stat, move in moves.items():
            move[lines] = curve.influence(ends[stat])
        for stat, ask in asked.items():
            found[stat].append(ask(curve))
    return Waits({stat: stacked(intervals) for stat, intervals in found.items()}, moves)


def _asked(measure: Duration, level: float) -> Mapping[str, Callable[[KaplanMeier], Interval]]:
    asked: dict[str, Callable[[KaplanMeier], Interval]] = {
        "median": lambda curve: curve.quantile_interval(0.5, level),
        "p90": lambda curve: curve.quantile_interval(0.9, level),
    }
    if target := measure.target_seconds:
        asked["within"] = lambda curve: curve.within(target, level)
    if horizon := measure.horizon_seconds:
        asked["capped_mean"] = lambda curve: curve.capped_mean(horizon, level)
    return asked


def stacked(found: list[Interval]) -> Interval:
    """Single intervals as one of arrays."""
    return Interval(*np.array(found, dtype=np.float64).reshape(-1, 3).T)
