"""How far do two shares differ, when rows are independent: intervals that hold for rare events and for few rows.

Where tickets of one agent resemble each other, use `cxkit.stats.contrast` instead: these formulas know rows only.
"""

import numpy as np
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Inference
from cxkit.stats.inputs import Floats
from cxkit.stats.intervals import Interval, wilson, z_of


def share_difference(successes_a: float, n_a: float, successes_b: float, n_b: float, level: float = 0.95) -> Inference:
    """Share of `b` less share of `a`, with Newcombe's (1998) hybrid score interval (his method 10) and the score p.

    p is that of the pooled z test without correction, the square root of chi-squared; NaN where nobody or everybody was
    a success on both sides. `se` is the pooled one that p is made from.

    >>> found = share_difference(48, 80, 56, 70)
    >>> round(found.value, 3), round(found.low, 4), round(found.high, 4), round(found.p, 4)
    (0.2, 0.0524, 0.3339, 0.008)
    """
    a, b = wilson(successes_a, n_a, level), wilson(successes_b, n_b, level)
    value = b.estimate - a.estimate
    low = value - float(np.hypot(b.estimate - b.low, a.high - a.estimate))
    high = value + float(np.hypot(b.high - b.estimate, a.estimate - a.low))
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.float64(successes_a + successes_b) / (n_a + n_b)
        se = float(np.sqrt(both * (1 - both) * (np.float64(1) / n_a + np.float64(1) / n_b)))
    p = 2 * float(special.ndtr(-abs(value) / se)) if se > 0 else float("nan")
    return Inference(value, low, high, se, float("inf"), p, float(n_a + n_b), level)


def relative_share_change(
    successes_a: float, n_a: float, successes_b: float, n_b: float, level: float = 0.95
) -> Inference:
    """How much higher the share of `b` is, as a share of that of `a`: Katz's log interval (Katz et al. 1978).

    Where a side has no success, one half is added to successes and rows of both (as Fagerland, Lydersen and Laake 2015
    discuss it). `se` is that of the log ratio, p that of the pooled score test.
    """
    p = share_difference(successes_a, n_a, successes_b, n_b, level).p
    plus = 0.5 if min(successes_a, successes_b) == 0 else 0.0
    x_a, m_a, x_b, m_b = (float(x + plus) for x in (successes_a, n_a, successes_b, n_b))
    if not min(n_a, n_b) > 0:
        nan = float("nan")
        return Inference(nan, nan, nan, nan, float("inf"), nan, float(n_a + n_b), level)
    ratio = (x_b / m_b) / (x_a / m_a)
    se = float(np.sqrt(1 / x_a - 1 / m_a + 1 / x_b - 1 / m_b))
    reach = float(np.exp(z_of(level) * se))
    return Inference(ratio - 1, ratio / reach - 1, ratio * reach - 1, se, float("inf"), p, float(n_a + n_b), level)


def rule_of_three(n: float, level: float = 0.95) -> float:
    """Largest share that none in `n` leaves possible, one-sided and exact; near 3 / n (Hanley and Lippman-Hand 1983).

    >>> round(rule_of_three(100), 4)
    0.0295
    """
    z_of(level)
    if not n >= 0:
        raise ParameterError("stats_count", count=f"{n:g}")
    return 1.0 if n == 0 else float(-np.expm1(np.log1p(-level) / n))


def fisher_exact_p(successes_a: float, n_a: float, successes_b: float, n_b: float) -> float:
    """Two-sided p of Fisher's exact test: all tables as rare as the one seen; a companion for few rows."""
    wilson([successes_a, successes_b], [n_a, n_b])  # refuses more successes than rows
    hits = successes_a + successes_b
    k = np.arange(max(0.0, hits - n_b), min(hits, n_a) + 1)
    ways = _log_choose(n_a, k) + _log_choose(n_b, hits - k)
    chance = np.exp(ways - special.logsumexp(ways))
    seen = chance[int(successes_a - k[0])]
    return float(min(chance[chance <= seen * (1 + 1e-7)].sum(), 1.0))


def share_interval(found: Inference) -> Interval:
    """The interval of a share that the engine estimated, kept within 0 and 1: Wilson's for as many rows as it is worth.

    The effective number of rows is p (1 - p) / se^2, less for Student's t with few clusters (Korn and Graubard 1998).
    NaN bounds where nothing says how far the share could differ; a share of 0 or 1 is such a case.
    """
    share, t = found.value, special.stdtrit(found.df, (1 + found.level) / 2)
    if not (found.se > 0 and 0 < share < 1):
        return Interval(share, float("nan"), float("nan"))
    worth = share * (1 - share) / found.se**2 * (z_of(found.level) / float(t)) ** 2
    return wilson(share * worth, worth, found.level)


def _log_choose(n: float, k: Floats) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))
