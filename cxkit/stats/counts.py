"""Did more come: two rates of counts, by the spread of the days or, of two totals only, exactly.

Requests come in bursts, so days differ more than Poisson's law allows, and a test that trusts it raises false alarms
(measured, days spread 4 times as wide: 34 % instead of 5). With a count for each day the spread of the days tells; two
bare totals can only be compared as if they were Poisson, which is too sure.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Inference, from_log, inference
from cxkit.stats.inputs import Floats, Lines, lines, same_length
from cxkit.stats.intervals import z_of
from cxkit.stats.variance import Spread


def rate_change(
    counts_a: ArrayLike,
    counts_b: ArrayLike,
    exposure_a: ArrayLike | None = None,
    exposure_b: ArrayLike | None = None,
    level: float = 0.95,
) -> Inference:
    """How much higher the rate of `b` is, as a share of that of `a`, from a count per day (quasi-Poisson, Student's t).

    McCullagh and Nelder (1989), 6.2: the variance of a day is a dispersion times its mean, the dispersion comes from
    Pearson's residuals. `exposure` is what a day's count is counted on (customers, hours; 1 if not given). Days are
    taken as independent: for a series with trend or memory use the series' own methods. `se` is that of the log ratio.
    NaN without events on either side, with fewer than three days, or with days all alike.
    """
    days, of = zip(*(_days(c, e) for c, e in ((counts_a, exposure_a), (counts_b, exposure_b))), strict=True)
    totals, sizes = [float(d.value @ d.n) for d in days], [float(e @ d.n) for d, e in zip(days, of, strict=True)]
    n = sum(float(d.n.sum()) for d in days)
    if min(totals) <= 0 or n < 3:
        return inference(float("nan"), Spread(float("nan"), max(n - 2, 0.0), n), level)
    rates = [t / s for t, s in zip(totals, sizes, strict=True)]
    pearson = sum(
        float((d.n * (d.value - r * e) ** 2 / np.where(d.n > 0, r * e, 1.0)).sum())
        for d, e, r in zip(days, of, rates, strict=True)
    )
    se = float(np.sqrt(pearson / (n - 2) * (1 / totals[0] + 1 / totals[1])))
    return from_log(inference(float(np.log(rates[1] / rates[0])), Spread(se, n - 2, n), level))


def exact_rate_change(
    count_a: float, count_b: float, exposure_a: float = 1, exposure_b: float = 1, level: float = 0.95
) -> Inference:
    """How much higher the rate of `b` is, as a share of that of `a`, from two totals (R's `poisson.test`).

    Given their sum, one total is binomial (Przyborowski and Wilenski 1940); bounds as Clopper and Pearson (1934), p as
    sum of all outcomes that are as rare. It takes arrivals to be independent: see `rate_change`.
    """
    if not min(count_a, count_b) >= 0 or not min(exposure_a, exposure_b) > 0:
        raise ParameterError("stats_count", count=f"{min(count_a, count_b):g}")
    z_of(level)
    total, tail = count_a + count_b, (1 - level) / 2
    share = exposure_b / (exposure_a + exposure_b)
    low = float(special.betaincinv(count_b, count_a + 1, tail)) if count_b else 0.0
    high = float(special.betaincinv(count_b + 1, count_a, 1 - tail)) if count_a else 1.0
    fair = exposure_a / exposure_b
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.array([count_b, low, high]) / np.array([count_a, 1 - low, 1 - high])
        se = float(np.sqrt(np.float64(1) / count_a + np.float64(1) / count_b))
    value, least, most = (float(x) * fair - 1 for x in odds)
    return Inference(value, least, most, se, float("inf"), _binomial_p(count_b, total, share), total, level)


def _days(counts: ArrayLike, exposure: ArrayLike | None) -> tuple[Lines, Floats]:
    day = lines(counts)
    on, known = (np.ones_like(day.value), day.n) if exposure is None else lines(exposure)
    same_length(day.value, on)
    n = np.where((day.n > 0) & (known > 0), 1.0, 0.0)
    if ((day.value < 0) | ((on <= 0) & (n > 0))).any():
        raise ParameterError("stats_count", count=f"{min(day.value.min(), on.min()):g}")
    return Lines(day.value, n), on


def _binomial_p(k: float, n: float, share: float) -> float:
    """Chance of all outcomes of a binomial that are no likelier than `k`, as R's `binom.test` sums them."""
    if k > n * share:
        return _binomial_p(n - k, n, 1 - share)
    if k == n * share:
        return 1.0
    seen = _binomial(k, n, share) * (1 + 1e-7)
    near, far = np.ceil(n * share) - 1, n + 1  # on the other side, `far` is no likelier than `k`
    while far - near > 1:
        middle = np.floor((near + far) / 2)
        near, far = (near, middle) if _binomial(middle, n, share) <= seen else (middle, far)
    rest = float(special.bdtrc(far - 1, n, share)) if far <= n else 0.0
    return min(float(special.bdtr(k, n, share)) + rest, 1.0)


def _binomial(k: float, n: float, share: float) -> float:
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return float(np.exp(ways + k * np.log(share) + (n - k) * np.log1p(-share)))
