"""How many rows does a test need, what can it find with those it has, and how likely is it to find it.

An outcome says how far one row scatters; a design says how the two sides will be compared. Rows that come in clusters,
rows whose end is not seen, and repeated looks all cost rows: the plan says how many remain in effect.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from cxkit.errors import ParameterError
from cxkit.stats.balance import design_effect
from cxkit.stats.inputs import floats
from cxkit.stats.intervals import z_of
from cxkit.stats.sequential import Spending, inflation
from cxkit.stats.survival import kaplan_meier

Aim = Literal["difference", "equivalence", "not_worse"]
_MOST_ROWS = 1e12


@dataclass(frozen=True)
class Outcome:
    """A KPI as planning sees it: where it stands, and how one row scatters at any value of it.

    Made by `share_outcome`, `mean_outcome`, `net_outcome` or `count_outcome`. Durations are shares done within a time
    (`seen_share` says what open ones cost), or means capped at a horizon (`capped_outcome`).
    """

    kind: Literal["share", "mean", "net", "count"]
    base: float
    scatter: float  # of a mean its variance, of a net score the share of non-passives, of a count variance over mean
    lowest: float = -np.inf
    highest: float = np.inf

    def variance(self, value: float) -> float:
        """Variance of one row when the KPI stands at `value`."""
        if self.kind == "share":
            return value * (1 - value)
        if self.kind == "net":
            return max(self.scatter - value**2, 0.0)
        return self.scatter * value if self.kind == "count" else self.scatter


@dataclass(frozen=True)
class PowerDesign:
    """How the sides will be compared.

    `cluster_sizes` are rows of each cluster of a side as they come (an earlier month will do), `icc` how much they
    resemble each other; `open_share` are rows whose end will not be seen. `aim` "equivalence" and "not_worse" need a
    `margin`; they test each side of it with `alpha`.
    """

    alpha: float = 0.05
    sides: int = 2
    power: float = 0.8
    per_first: float = 1.0  # rows of the second side for each of the first
    cluster_sizes: ArrayLike | None = None
    icc: float = 0.0
    open_share: float = 0.0
    looks: int = 1
    spending: Spending = "obrien_fleming"
    aim: Aim = "difference"
    margin: float = 0.0


class Plan(NamedTuple):
    """Rows and what they are good for."""

    rows: tuple[float, float]  # of each side, whole numbers unless a number of rows was given
    effective: float  # independent rows of the first side that are worth as much
    clusters: tuple[float, float] | None
    effect: float
    power: float
    design_effect: float
    look_cost: float  # rows for all looks over rows for one


def share_outcome(share: float) -> Outcome:
    """A share (0-1): solved at first contact, within target, top box."""
    if not 0 < share < 1:
        raise ParameterError("power_base", found=f"{share:g}", low="0", high="1")
    return Outcome("share", share, 0.0, 0.0, 1.0)


def mean_outcome(mean: float, sd: float) -> Outcome:
    """A mean whose rows scatter with standard deviation `sd`."""
    _refuse_not_positive(sd)
    return Outcome("mean", mean, sd**2)


def net_outcome(promoters: float, detractors: float) -> Outcome:
    """A net score (-1 to 1) from its shares; when it moves, passives stay as many."""
    if min(promoters, detractors) < 0 or promoters + detractors > 1 or promoters + detractors == 0:
        raise ParameterError("power_net", promoters=f"{promoters:g}", detractors=f"{detractors:g}")
    both = promoters + detractors
    return Outcome("net", promoters - detractors, both, -both, both)


def count_outcome(per_period: float, dispersion: float = 1.0) -> Outcome:
    """A count per period (contacts a day), whose variance is `dispersion` times its mean; rows are periods."""
    _refuse_not_positive(per_period)
    _refuse_not_positive(dispersion)
    return Outcome("count", per_period, dispersion, 0.0)


def capped_outcome(durations: ArrayLike, done: ArrayLike, horizon: float) -> Outcome:
    """A mean of durations capped at `horizon`, as an earlier month has it; its open tickets are in the scatter."""
    curve = kaplan_meier(durations, done)
    spread = float((curve.capped_influence(horizon) ** 2).sum()) * curve.n
    return mean_outcome(curve.capped_mean(horizon).estimate, float(np.sqrt(spread)))


def seen_share(durations: ArrayLike, done: ArrayLike, t: float) -> float:
    """Rows without open ones that would tell the share done within `t` as well, for each row of an earlier month.

    One less it is the `open_share` of a design.
    """
    curve = kaplan_meier(durations, done)
    share = curve.within(t).estimate
    spread = float((curve.influence(t) ** 2).sum()) * curve.n
    return min(share * (1 - share) / spread, 1.0) if spread > 0 else 1.0


def power_of(outcome: Outcome, rows: float, effect: float, design: PowerDesign | None = None) -> Plan:
    """Chance that a test with `rows` rows on the first side succeeds when the KPI moves by `effect`."""
    design = _checked(design, outcome, effect)
    _refuse_not_positive(rows)
    return _plan(outcome, rows, effect, design)


def rows_needed(outcome: Outcome, effect: float = 0.0, design: PowerDesign | None = None) -> Plan:
    """Rows with which a move by `effect` is found, or a margin is kept, with the power wanted.

    ParameterError where no number of rows is enough: no effect to find, or an effect that breaks the margin.

    >>> rows_needed(share_outcome(0.70), 0.05).rows
    (1251.0, 1251.0)
    """
    design = _checked(design, outcome, effect)
    if not _achievable(effect, design):
        raise ParameterError("power_never", effect=f"{effect:g}", margin=f"{design.margin:g}")

    def short(log_rows: float) -> float:
        return _plan(outcome, float(np.exp(log_rows)), effect, design).power - design.power

    least = float(np.log(2.0))
    if short(least) >= 0:
        rows = 2.0
    elif short(np.log(_MOST_ROWS)) < 0:
        raise ParameterError("power_never", effect=f"{effect:g}", margin=f"{design.margin:g}")
    else:
        rows = float(np.exp(optimize.brentq(short, least, np.log(_MOST_ROWS), xtol=1e-13)))
    return _plan(outcome, float(np.ceil(rows - 1e-6)), effect, design)


def smallest_effect(
    outcome: Outcome, rows: float, design: PowerDesign | None = None, direction: Literal[1, -1] = 1
) -> Plan:
    """The smallest rise (`direction` -1: fall) that `rows` rows find with the power wanted.

    The effect is NaN where even the largest possible move would not be found that often.
    """
    design = _checked(design, outcome, 0.0)
    _refuse_not_positive(rows)
    if design.aim != "difference":
        raise ParameterError("power_aim", found=design.aim)
    room = outcome.highest - outcome.base if direction > 0 else outcome.base - outcome.lowest
    most = room * (1 - 1e-9) if np.isfinite(room) else 1e6 * float(np.sqrt(outcome.variance(outcome.base)))

    def short(size: float) -> float:
        return _plan(outcome, rows, direction * size, design).power - design.power

    if short(most) < 0:
        return _plan(outcome, rows, float("nan"), design)
    return _plan(outcome, rows, direction * float(optimize.brentq(short, most * 1e-12, most, xtol=1e-14)), design)


def more_rows(rows: float, se: float, effect: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Rows still missing, beside the `rows` that gave standard error `se`, to find `effect` with the power wanted.

    For a verdict that came too early: the error shrinks with the root of the rows, whatever made it what it is.
    """
    _refuse_not_positive(abs(effect))
    wanted = abs(effect) / (z_of(1 - alpha) + float(special.ndtri(power)))
    return max(0.0, float(np.ceil(rows * ((se / wanted) ** 2 - 1))))


def _plan(outcome: Outcome, rows: float, effect: float, design: PowerDesign) -> Plan:
    grown, cost, typical = _costs(design)
    second = rows * design.per_first
    seen = (1 - design.open_share) / grown / cost
    clusters = None if typical is None else (rows / typical, second / typical)
    df = (rows + second if clusters is None else sum(clusters)) - 2
    chance = _chance(outcome, rows * seen, second * seen, effect, design, max(df, 1.0), clusters is not None)
    whole = float(np.ceil(second - 1e-9)) if float(rows).is_integer() else second
    if clusters is not None and float(rows).is_integer():
        clusters = (float(np.ceil(clusters[0])), float(np.ceil(clusters[1])))
    effective = rows * (1 - design.open_share) / grown
    return Plan((rows, whole), effective, clusters, effect, chance, grown, cost)


def _costs(design: PowerDesign) -> tuple[float, float, float | None]:
    """What clusters and looks cost, and the rows of a mean cluster."""
    cost = 1.0
    if design.looks > 1:
        cost = inflation(design.looks, design.alpha, design.power, design.spending, design.sides)
    if design.cluster_sizes is None:
        return 1.0, cost, None
    sizes = floats(design.cluster_sizes)
    return design_effect(sizes, design.icc), cost, float(sizes.mean())


def _chance(
    outcome: Outcome, first: float, second: float, effect: float, design: PowerDesign, df: float, clustered: bool
) -> float:
    """Chance of success with this many independent rows on either side."""
    if np.isnan(effect):
        return float("nan")
    student = clustered or outcome.kind == "mean"
    under, error = _errors(outcome, first, second, effect)
    if design.aim == "difference":
        level = design.alpha / design.sides
        return _passed(abs(_gain(outcome, effect)), under, error, level, df if student else None)
    below = _passed(design.margin + effect, error, error, design.alpha, df if student else None)
    if design.aim == "not_worse":
        return below
    above = _passed(design.margin - effect, error, error, design.alpha, df if student else None)
    return max(0.0, below + above - 1)


def _gain(outcome: Outcome, effect: float) -> float:
    """The move on the scale of the test: counts are compared by their ratio."""
    return float(np.log1p(effect / outcome.base)) if outcome.kind == "count" else effect


def _errors(outcome: Outcome, first: float, second: float, effect: float) -> tuple[float, float]:
    """Standard error that the test uses when nothing moved, and the one it has when the KPI moved."""
    before, after = outcome.variance(outcome.base), outcome.variance(outcome.base + effect)
    if outcome.kind == "count":
        both = float(np.sqrt(before / first / outcome.base**2 + after / second / (outcome.base + effect) ** 2))
        return both, both
    moved = float(np.sqrt(before / first + after / second))
    if outcome.kind != "share":
        return moved, moved
    mixed = (first * outcome.base + second * (outcome.base + effect)) / (first + second)
    return float(np.sqrt(mixed * (1 - mixed) * (1 / first + 1 / second))), moved


def _passed(gain: float, under: float, error: float, level: float, df: float | None) -> float:
    """Chance that an estimate `gain` above the bar is found above it, at one-sided `level`."""
    if error == 0:
        return 1.0 if gain > 0 else level
    if df is None:
        return float(special.ndtr((gain + special.ndtri(level) * under) / error))
    bar = -float(special.stdtrit(df, level)) * under / error
    chance = 1 - float(special.nctdtr(df, gain / error, bar)) if df < 1e5 else float("nan")
    return chance if np.isfinite(chance) else float(special.ndtr(gain / error - bar))  # the tail of Student's runs over


def _achievable(effect: float, design: PowerDesign) -> bool:
    if design.aim == "difference":
        return effect != 0
    return effect > -design.margin and (design.aim == "not_worse" or effect < design.margin)


def _checked(design: PowerDesign | None, outcome: Outcome, effect: float) -> PowerDesign:
    design = design or PowerDesign()
    moved = outcome.base + effect
    if not outcome.lowest <= moved <= outcome.highest or (outcome.kind == "count" and moved <= 0):
        raise ParameterError(
            "power_effect", effect=f"{effect:g}", low=f"{outcome.lowest:g}", high=f"{outcome.highest:g}"
        )
    if not 0 < design.power < 1:
        raise ParameterError("power_power", power=str(design.power))
    if design.sides not in (1, 2):
        raise ParameterError("sequential_sides", sides=str(design.sides))
    if not 0 <= design.open_share < 1 or not -1 <= design.icc <= 1:
        raise ParameterError("power_shares", open_share=f"{design.open_share:g}", icc=f"{design.icc:g}")
    if design.aim not in ("difference", "equivalence", "not_worse"):
        raise ParameterError("power_aim", found=str(design.aim))
    if design.aim != "difference" and not design.margin > 0:
        raise ParameterError("verdict_margin", margin=f"{design.margin:g}")
    z_of(1 - design.alpha)
    _refuse_not_positive(design.per_first)
    return design


def _refuse_not_positive(x: float) -> None:
    if not (np.isfinite(x) and x > 0):
        raise ParameterError("power_positive", found=f"{x:g}")
