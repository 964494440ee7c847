"""How likely is it that the target is met: the chance that the true value lies beyond it, read from an interval.

An interval at every level at once is a distribution of confidence (Schweder and Hjort 2002; 2016, chapter 3): of the
values below the lower end of the 95 % interval it gives 2.5 % together, and so on. The chance is read from it. It is no
belief about this one service: no prior was put in, and where the interval is wrong the chance is::

    chance_beyond(0.9, wilson(83, 90), scale="share")  # chance that the true share is above 90 %
    chance_beyond(3600, curve.quantile_interval(0.5), scale="duration", side="below")
    chance_beyond(0.3, net_adjusted_wald(50, 30, 20), limits=(-1, 1))

It agrees with the interval: a target at an end of the 95 % interval has a chance of 2.5 or 97.5 %, and a target at the
estimate one half.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.intervals import Interval, z_of

Scale = Literal["share", "duration", "number"]


def chance_beyond(
    target: float,
    interval: Interval,
    level: float = 0.95,
    *,
    scale: Scale = "number",
    side: Literal["above", "below"] = "above",
    limits: tuple[float, float] = (-np.inf, np.inf),
    df: float = np.inf,
) -> float:
    """Chance (0-1) that the true value lies above (below) `target`, given its estimate and `level` interval.

    A share is taken on the log-odds scale, where Wilson's interval lies evenly around its estimate; a duration on the
    log scale; a number as it is. Each half of an uneven interval has its own width. An end that lies at a limit of the
    scale (0 or 1 of a share, `limits` of a number, an upper end not reached) tells no width, and the other half's
    stands in; for a share of all or none, Beta with the one half observation of Jeffreys. `df` are those of Student's t
    if the interval was made with it. NaN where the interval says nothing. Where not even the estimate was reached
    (infinite), only a target up to the lower end can be judged: beyond it with a chance of at least (1 + level) / 2.

    >>> round(chance_beyond(0.8, Interval(0.9, 0.7438, 0.9654), scale="share"), 3)
    0.92
    """
    if scale not in _SCALES or side not in ("above", "below"):
        raise ParameterError("stats_chance", found=str(side if scale in _SCALES else scale))
    if np.isnan(target):
        raise ParameterError("stats_infinite", n=1)
    below = _below(float(target), Interval(*map(float, interval)), level, scale, limits, df)
    return below if side == "below" else 1 - below


def _below(target: float, found: Interval, level: float, scale: Scale, limits: tuple[float, float], df: float) -> float:
    """Confidence that the true value is below `target`."""
    z_of(level)  # refuses an impossible level
    if np.isnan(found).any() or not found.low <= found.estimate <= found.high:
        return float("nan")
    least, most = {"share": (0.0, 1.0), "duration": (0.0, np.inf)}.get(scale, limits)
    if target <= least or target > most:
        return 0.0 if target <= least else 1.0
    if scale == "share" and found.estimate in (0.0, 1.0):
        return _all_or_none(target, found, level)
    if np.isinf(found.estimate):
        return (1 - level) / 2 if target <= found.low else float("nan")
    taken = _SCALES[scale]
    middle = taken(found.estimate)
    down = middle - taken(found.low) if found.low > least else np.inf
    up = taken(found.high) - middle if found.high < most else np.inf
    down, up = (down if np.isfinite(down) else up), (up if np.isfinite(up) else down)
    away = taken(target) - middle
    width = up if away > 0 else down
    if not np.isfinite(width) or not np.isfinite(middle):
        return float("nan")
    if width <= 0:
        return 0.5 + 0.5 * float(np.sign(away))
    return float(special.stdtr(df, float(special.stdtrit(df, (1 + level) / 2)) * away / width))


def _all_or_none(target: float, found: Interval, level: float) -> float:
    """Of none: Beta(1/2, b) whose upper quantile is the interval's upper end; of all: its mirror image."""
    end = found.high if found.estimate == 0 else 1 - found.low
    if not 0 < end < 1:
        return float("nan") if end >= 1 else float(found.estimate == 0)
    b = special.btdtrib(0.5, (1 + level) / 2, end)
    rare = float(special.betainc(0.5, b, target if found.estimate == 0 else 1 - target))
    return rare if found.estimate == 0 else 1 - rare


def _log(x: float) -> float:
    return float(np.log(x)) if x > 0 else -np.inf


def _odds(x: float) -> float:
    return float(special.logit(x))


_SCALES: Mapping[str, Callable[[float], float]] = {"share": _odds, "duration": _log, "number": float}
