"""What the usual test would have said: rows taken as independent, open ones dropped."""

from __future__ import annotations

import numpy as np
from scipy import special

from cxkit.changes.estimands import Estimand, row_values
from cxkit.changes.parts import Naive
from cxkit.changes.sides import Side, Sides
from cxkit.measures import Duration, Ratio, Share
from cxkit.stats import contrast
from cxkit.stats.influence import mean, ratio
from cxkit.stats.proportions import share_difference

_NAN = float("nan")


def naive(sides: Sides, estimand: Estimand) -> Naive:
    """The z test of two shares, the t test of two means (of finished rows only), or the z of two Poisson totals."""
    measure, (a, b) = sides.measure, sides.pair
    if a.daily is not None and b.daily is not None:
        return _poisson(a, b)
    rows = a.known + b.known
    if isinstance(measure, Share):
        hits = [float((side.value * side.n).sum()) for side in (a, b)]
        found = share_difference(hits[0], a.known, hits[1], b.known)
        return Naive("z_test", found.p, found.value, rows)
    if isinstance(measure, Duration):
        closed = [mean(side.value[side.observed], side.n[side.observed]) for side in (a, b)]
        found = contrast(*closed)
        return Naive("closed_t_test", found.p, found.value, closed[0].rows + closed[1].rows)
    if isinstance(measure, Ratio) and "bottom" in a.lines:
        one, two = (ratio(side.value, side.lines["bottom"], side.n) for side in (a, b))
        found = contrast(one, two)
        return Naive("delta", found.p, found.value, rows)
    one, two = (mean(row_values(estimand, measure, side.value), side.n) for side in (a, b))
    found = contrast(one, two)
    return Naive("t_test", found.p, found.value, rows)


def _poisson(a: Side, b: Side) -> Naive:
    """Two totals on their exposure, as if arrivals came one by one."""
    tables = [side.daily for side in (a, b) if side.daily is not None]
    totals = [float(t["count"].sum()) for t in tables]
    sizes = [float(t["under"].sum() if "under" in t else len(t)) for t in tables]
    if min(totals) <= 0 or min(sizes) <= 0:
        return Naive("poisson_z", _NAN)
    logs = float(np.log(totals[1] / sizes[1]) - np.log(totals[0] / sizes[0]))
    se = float(np.sqrt(1 / totals[0] + 1 / totals[1]))
    return Naive("poisson_z", 2 * float(special.ndtr(-abs(logs) / se)), float(np.expm1(logs)), sum(totals))
