"""What may be said of a change: better, worse, the same, not worse, or too early to tell; as codes, not prose.

"No evidence of a change" is not "the same": to say the same, one has to say first what still counts as the same, and
then show that the change lies within it (two one-sided tests, Schuirmann 1987).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.intervals import Interval, z_of

Better = Literal["higher", "lower", "none"]
Code = Literal["improved", "worsened", "changed", "equivalent", "not_worse", "no_evidence", "inconclusive"]


@dataclass(frozen=True)
class Verdict:
    """The code, and what else the intervals show."""

    code: Code
    rules_out: float  # changes larger than this are ruled out; infinite if none are
    within_margin: bool  # a change, if there is one, is smaller than the margin
    above_worst: bool  # a worsening as large as the margin is ruled out


class Tost(NamedTuple):
    """Two one-sided tests: the p of each side, the larger of which decides, and the interval that says the same."""

    p: float
    p_low: float  # against a change at or below -margin
    p_high: float  # against a change at or above the margin
    interval: Interval  # of level 1 - 2 alpha
    equivalent: bool


def tost(estimate: float, se: float, df: float, margin: float, alpha: float = 0.05) -> Tost:
    """Whether a change lies within `margin` of none, from its estimate, standard error and degrees of freedom.

    >>> tost(0.01, 0.01, 1000, margin=0.03).equivalent
    True
    """
    _refuse_margin(margin)
    p_low = float(special.stdtr(df, -(estimate + margin) / se))
    p_high = float(special.stdtr(df, (estimate - margin) / se))
    p = max(p_low, p_high)
    return Tost(p, p_low, p_high, interval_of(estimate, se, df, 1 - 2 * alpha), p < alpha)


def not_worse_p(estimate: float, se: float, df: float, better: Better, margin: float) -> float:
    """The p of the one-sided test that the KPI has not worsened by as much as `margin` (non-inferiority)."""
    _refuse_margin(margin)
    if better not in ("higher", "lower"):
        raise ParameterError("verdict_direction", found=str(better))
    gained = estimate if better == "higher" else -estimate
    return float(special.stdtr(df, -(gained + margin) / se))


def interval_of(estimate: float, se: float, df: float, level: float = 0.95) -> Interval:
    """Student's t interval, or the normal one if `df` is infinite."""
    z_of(level)
    margin = float(special.stdtrit(df, (1 + level) / 2)) * se
    return Interval(estimate, estimate - margin, estimate + margin)


def judged(
    estimate: float,
    se: float,
    df: float = np.inf,
    *,
    better: Better = "none",
    margin: float | None = None,
    alpha: float = 0.05,
) -> Verdict:
    """The verdict on a change from its estimate, standard error and degrees of freedom; see `verdict`."""
    if not (np.isfinite(estimate) and np.isfinite(se) and df > 0):
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return verdict(nothing, nothing, better, margin)
    wide = interval_of(estimate, se, df, 1 - alpha)
    return verdict(wide, interval_of(estimate, se, df, 1 - 2 * alpha), better, margin)


def verdict(wide: Interval, narrow: Interval, better: Better = "none", margin: float | None = None) -> Verdict:
    """The verdict that two intervals of one change allow.

    `wide`, of level 1 - alpha, decides whether it changed; `narrow`, of level 1 - 2 alpha, whether it stays within the
    margin. A bound that lies just on 0 or on the margin does not leave it out. In order:

    - `wide` leaves 0 out: improved, worsened, or changed where neither direction is better;
    - a margin is given and `narrow` lies within it: equivalent;
    - a margin and a direction are given and `narrow` stays above the worst: not_worse;
    - no margin: no_evidence, with what is ruled out; with one: inconclusive, as is anything without an interval.
    """
    if better not in ("higher", "lower", "none"):
        raise ParameterError("verdict_better", found=str(better))
    if margin is not None:
        _refuse_margin(margin)
    if not (np.isfinite(wide.low) and np.isfinite(wide.high)):
        return Verdict("inconclusive", float("inf"), False, False)
    worst = {"higher": narrow.low, "lower": -narrow.high}.get(better, -np.inf)
    within = margin is not None and bool(-margin < narrow.low and narrow.high < margin)
    above = margin is not None and bool(worst > -margin)
    reach = max(abs(wide.low), abs(wide.high))
    return Verdict(_code(wide, better, margin is not None, within, above), float(reach), within, above)


def _code(wide: Interval, better: Better, has_margin: bool, within: bool, above: bool) -> Code:
    if wide.low > 0 or wide.high < 0:
        if better == "none":
            return "changed"
        return "improved" if (wide.low > 0) == (better == "higher") else "worsened"
    if not has_margin:
        return "no_evidence"
    if within:
        return "equivalent"
    return "not_worse" if above else "inconclusive"


def _refuse_margin(margin: float) -> None:
    if not (np.isfinite(margin) and margin > 0):
        raise ParameterError("verdict_margin", margin=f"{margin:g}")
