"""Many questions at once: p values that allow for how many were asked, and intervals that hold all together.

Of ten KPIs in which nothing happened, four times in ten at least one looks changed at p < .05. Holm's method keeps the
chance of any false finding, Benjamini and Hochberg's the expected share of false ones among the findings. A missing p
is a question that could not be answered; it stays missing and does not count.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from cxkit.errors import ParameterError
from cxkit.stats.inputs import Floats, floats
from cxkit.stats.intervals import Interval, z_of

_POINTS = 65537  # of the lattice for the largest of many t values: good to the third digit


def holm(p: ArrayLike) -> Floats:
    """The p values adjusted by Holm (1979): the chance of any false finding is kept, whatever the questions share.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjusted(p, lambda n: np.arange(float(n), 0.0, -1.0), upwards=False)


def hochberg(p: ArrayLike) -> Floats:
    """The p values adjusted by Hochberg (1988): never above Holm's, for questions that are independent or agree."""
    return _adjusted(p, lambda n: np.arange(float(n), 0.0, -1.0), upwards=True)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """The p values adjusted by Benjamini and Hochberg (1995): the expected share of false findings is kept.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    return _adjusted(p, lambda n: n / np.arange(1.0, n + 1), upwards=True)


def simultaneous_quantile(correlation: ArrayLike, df: float = np.inf, level: float = 0.95) -> float:
    """How many standard errors all estimates together stay within, at the level given.

    Estimates that move together need less than independent ones; 1.96 is enough only for a single one. Found on a
    lattice (Genz and Bretz 2009), so it is the same at every call; the third digit is uncertain.
    """
    z_of(level)
    chance = _ChanceOfAll(floats(correlation), df)
    return float(optimize.brentq(lambda t: chance(t) - level, 0.0, float(special.stdtrit(df, 1 - (1 - level) / 2e4))))


def simultaneous_intervals(
    estimates: ArrayLike, covariance: ArrayLike, df: float = np.inf, level: float = 0.95
) -> Interval:
    """Estimates with bounds that hold all together at the level given."""
    estimate, cov = floats(estimates), floats(covariance)
    margin = simultaneous_quantile(_correlation(cov), df, level) * np.sqrt(np.diagonal(cov))
    return Interval(estimate, estimate - margin, estimate + margin)


def simultaneous_p(estimates: ArrayLike, covariance: ArrayLike, df: float = np.inf) -> float:
    """Chance that the farthest of the estimates is as far from 0 as it is, when all are 0."""
    estimate, cov = floats(estimates), floats(covariance)
    chance = _ChanceOfAll(_correlation(cov), df)
    return 1 - chance(float((np.abs(estimate) / np.sqrt(np.diagonal(cov))).max()))


def _adjusted(p: ArrayLike, factors: Callable[[int], Floats], *, upwards: bool) -> Floats:
    """The p values times their factors in rising order, made to rise: from the largest down or the smallest up."""
    found = np.atleast_1d(floats(p))
    outside = (found < 0) | (found > 1)
    if outside.any():
        raise ParameterError("stats_p", n=int(outside.sum()))
    known = np.flatnonzero(~np.isnan(found))
    order = known[np.argsort(found[known], kind="stable")]
    grown = found[order] * factors(len(order))
    grown = np.minimum.accumulate(grown[::-1])[::-1] if upwards else np.maximum.accumulate(grown)
    out = np.full(found.shape, np.nan)
    out[order] = np.minimum(grown, 1.0)
    return out


def _correlation(covariance: Floats) -> Floats:
    se = np.sqrt(np.diagonal(covariance))
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1] or not (se > 0).all():
        raise ParameterError("stats_covariance")
    return np.asarray(covariance / np.outer(se, se), dtype=np.float64)


class _ChanceOfAll:
    """Chance that all |t| stay within a bound, for estimates that are all 0."""

    def __init__(self, correlation: Floats, df: float) -> None:
        r = np.atleast_2d(correlation)
        roots, axes = np.linalg.eigh((r + r.T) / 2)
        kept = roots > 1e-12 * len(r)  # differences of the same groups hold less than they are many
        mixing = axes[:, kept] * np.sqrt(roots[kept])
        z = special.ndtri(_lattice(mixing.shape[1])) @ mixing.T
        self.largest = np.sort(np.abs(z).max(axis=1))
        quantiles = (np.arange(400) + 0.5) / 400
        self.scale = np.sqrt(special.chdtri(df, quantiles) / df) if np.isfinite(df) else np.ones(1)

    def __call__(self, t: float) -> float:
        # between two points of the lattice the chance grows evenly: a smooth function has one root
        at = np.interp(t * self.scale, self.largest, (np.arange(_POINTS) + 0.5) / _POINTS, left=0.0, right=1.0)
        return float(at.mean())


def _lattice(dimensions: int) -> Floats:
    """Evenly spread points of the unit cube: multiples of the square roots of primes (Richtmyer 1951)."""
    turned: Floats = np.outer(np.arange(1, _POINTS + 1), np.sqrt(_primes(dimensions))) % 1
    return np.clip(turned, 1e-9, 1 - 1e-9)


def _primes(n: int) -> NDArray[np.int64]:
    found: list[int] = []
    candidate = 2
    while len(found) < n:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return np.array(found, dtype=np.int64)
