"""How often does an interval hold the truth: every interval of the kit, on services whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from calibration import service
from calibration.kinds import KINDS, no_agents
from calibration.runs import OURS, Claims, Job
from calibration.series import sticky_noise
from calibration.service import HORIZON, WITHIN, two_sides
from cxkit.stats import (
    Interval,
    Rows,
    SeriesModel,
    adjusted,
    contrast,
    count_interval,
    difference_in_differences,
    event_study,
    exact_rate_change,
    group_differences,
    infer,
    kaplan_meier,
    likeness,
    mean_interval,
    mix_change,
    net_adjusted_wald,
    net_wald,
    nonresponse_bounds,
    post_stratified,
    rate_change,
    ratio_interval,
    relative_change,
    relative_share_change,
    sequence_interval,
    series_change,
    share_difference,
    share_interval,
    shift,
    shrunken,
    simultaneous_quantile,
    staggered_effect,
    wilson,
)
from cxkit.stats.influence import mean

AIM = 0.95
LIFT = 0.25  # of the ease of the second side, so that every KPI changes
ALONE = "rows taken alone"
TRUTHS: Mapping[str, Callable[[float], float]] = {
    "share": service.true_passed_on,
    "score, by order": service.true_order,
    "score, mean": service.true_mean,
    "score, top box": service.true_top,
    "net score": service.true_net,
    "capped mean": service.true_capped_mean,
    "geometric mean": service.true_geometric_mean,
    "done within": service.true_within,
    "median": service.true_quantile(0.5),
    "P90": service.true_quantile(0.9),
    "ratio": service.true_ratio,
}
RELATIVE_TOO = ("share", "score, mean", "capped mean", "median", "ratio")
Cases = dict[str, dict[str, bool]]


@cache
def truth(kind: str, lift: float = 0.0) -> float:
    return TRUTHS[kind](lift)


def holds(value: float, ours: Any, **others: Any) -> dict[str, bool]:
    """Which of the intervals hold the value; names of others are written with underscores."""
    named = {OURS: ours, **{name.replace("_", " "): found for name, found in others.items()}}
    return {name: bool(found.low <= value <= found.high) for name, found in named.items()}


def around(middle: float, margin: float) -> Interval:
    return Interval(middle, middle - margin, middle + margin)


# --- differences, relative changes and single estimates of the engine ---


def engine(rng: np.random.Generator, design: str) -> Claims:
    """By kind: the difference of two sides, and the relative change."""
    a, b = two_sides(rng, design, lift=LIFT)
    if design == "rows":
        a, b = no_agents(a), no_agents(b)
    clusters = None if design == "rows" else (a.agent, b.agent)
    found = {}
    for name, kind in KINDS.items():
        pair, gap = kind.sides(a, b), truth(name, LIFT) - truth(name)
        found[name] = holds(gap, contrast(*pair, clusters=clusters), rows_taken_alone=contrast(*pair))
        if name in RELATIVE_TOO:
            times = truth(name, LIFT) / truth(name) - 1
            ours, alone = relative_change(*pair, clusters=clusters), relative_change(*pair)
            found[f"{name}, relative"] = holds(times, ours, rows_taken_alone=alone)
    return found


def one_side(rng: np.random.Generator) -> Claims:
    """By kind: one group, by agents."""
    a, b = two_sides(rng, "clusters")
    found = {}
    for name, kind in KINDS.items():
        if name == "score, by order":
            continue
        estimate = kind.sides(a, b)[0]
        ours, alone = infer(estimate, clusters=a.agent), infer(estimate)
        found[name] = holds(truth(name), ours, rows_taken_alone=alone)
        if name in ("share", "score, top box"):
            found[f"{name}, kept within 0 and 1"] = holds(truth(name), share_interval(ours), rows_taken_alone=alone)
    return found


# --- intervals from counts and from rows that stand alone, at any share, scale and size ---


def one_group(rng: np.random.Generator) -> Claims:
    """A group of 20 to 400 at any share, any mix of answers, any number."""
    n, share = int(rng.integers(20, 400)), rng.uniform(0.02, 0.98)
    hits = rng.binomial(n, share)
    wald = around(hits / n, 1.96 * math.sqrt(hits / n * (1 - hits / n) / n))
    chances = rng.dirichlet([2, 1, 1])
    answers = rng.multinomial(n, chances)
    weights, values = rng.dirichlet(np.ones(5)), np.arange(1, 6.0)
    scores = mean_interval(values, rng.multinomial(n, weights), scale=(1, 5))
    expected = rng.uniform(1, 100)
    count = int(rng.poisson(expected))
    bottom = rng.integers(1, 6, n).astype(float)
    top = rng.poisson(0.7 * bottom)
    sums = ratio_interval(n, top.sum(), bottom.sum(), (top @ top, top @ bottom, bottom @ bottom))
    net = chances[0] - chances[2]
    return {
        "share (Wilson)": holds(share, wilson(hits, n), Wald=wald),
        "net score (adjusted Wald)": holds(net, net_adjusted_wald(*answers), Wald=net_wald(*answers)),
        "mean of a scale (Student)": holds(float(weights @ values), scores),
        "number of events (Garwood)": holds(
            expected, count_interval(count), **{"root of the count": around(count, 1.96 * math.sqrt(count))}
        ),
        "ratio of sums (delta)": holds(0.7, sums),
    }


def two_groups(rng: np.random.Generator) -> Claims:
    """Two groups of 20 to 400 at any two shares, two samples that are shifted, days and totals of arrivals."""
    (n, m), (p, q) = rng.integers(20, 400, 2), rng.uniform(0.02, 0.98, 2)
    x, y = rng.binomial(n, p), rng.binomial(m, q)
    reach = 1.96 * math.sqrt(x / n * (1 - x / n) / n + y / m * (1 - y / m) / m)
    old, new = rng.normal(size=60), 0.4 + rng.normal(size=60)
    days = rng.negative_binomial(20 * np.array([[1.0], [1.3]]), 0.4, (2, 28))
    a, b = rng.poisson([40, 60])
    return {
        "difference of shares (Newcombe)": holds(
            q - p, share_difference(x, n, y, m), Wald=around(y / m - x / n, reach)
        ),
        "relative change of a share (Katz)": holds(q / p - 1, relative_share_change(x, n, y, m)),
        "shift of scores (Hodges–Lehmann)": holds(0.4, shift(old, new)),
        "rate, by days (quasi-Poisson)": holds(
            0.3, rate_change(*days), **{"Poisson, exact": exact_rate_change(*days.sum(axis=1))}
        ),
        "rate of two totals (exact)": holds(0.0, exact_rate_change(a, b, 1.0, 1.5)),
    }


def curves(rng: np.random.Generator) -> Claims:
    """Kaplan and Meier's curve of some 120 tickets, a fifth of them still open."""
    side = no_agents(two_sides(rng, "rows", agents=8)[0])
    hours = side.hours[side.done]
    ours, closed = kaplan_meier(side.seen, side.done), kaplan_meier(hours, np.ones(len(hours), dtype=bool))
    return {
        "done within": holds(truth("done within"), ours.within(WITHIN), closed_only=closed.within(WITHIN)),
        "capped mean": holds(truth("capped mean"), ours.capped_mean(HORIZON), closed_only=closed.capped_mean(HORIZON)),
        "median": holds(truth("median"), ours.quantile_interval(0.5), closed_only=closed.quantile_interval(0.5)),
        "P80": holds(
            service.true_quantile(0.8)(), ours.quantile_interval(0.8), closed_only=closed.quantile_interval(0.8)
        ),
    }


# --- adjusted and combined estimates ---


def adjusted_estimates(rng: np.random.Generator) -> Claims:
    """Weighted, taken apart, at one covariate, of those who did not answer, of how alike a cluster's rows are."""
    return {
        "mean weighted to those asked": _weighted(rng),
        **_mixed(rng),
        "mean at one covariate (CUPED), by agents": _with_a_covariate(rng),
        "with the silent at worst (Imbens and Manski)": _silent(rng),
        "likeness of rows of one agent": _alike(rng),
    }


def _weighted(rng: np.random.Generator) -> dict[str, bool]:
    """Chat answers three times as often as e-mail; the true mean is that of all who were asked."""
    asked = np.array([1000, 1000])
    got = rng.binomial(asked, (0.3, 0.1))
    hits = rng.binomial(got, (0.85, 0.7))
    values, groups, n = [1, 0, 1, 0], list("ccee"), np.column_stack([hits, got - hits]).ravel()
    ours = post_stratified(values, groups, {"c": 1000, "e": 1000}, n).infer()
    return holds(0.775, ours, answers_as_they_came=infer(mean(values, n)))


def _mixed(rng: np.random.Generator) -> Cases:
    """One group falls from 60 to 45 % of the rows, and its rate from 80 to 75 %; the other's rate stays at 60 %."""
    sides = []
    for share, rates in ((0.6, (0.8, 0.6)), (0.45, (0.75, 0.6))):
        group = (rng.random(1500) > share).astype(int)
        sides.append(Rows(rng.random(1500) < np.array(rates)[group], group))
    found = mix_change(*sides)
    return {
        "part of a change due to the mix": holds(-0.15 * (0.775 - 0.6), found.mix, the_whole_change=found.total),
        "part of a change due to the rates": holds(-0.05 * 0.525, found.rate, the_whole_change=found.total),
    }


def _with_a_covariate(rng: np.random.Generator) -> dict[str, bool]:
    sides, before = [], []
    for level in (0.0, 0.2):
        agent = np.repeat(np.arange(30), rng.integers(5, 30, 30))
        skill = rng.normal(size=30)[agent]
        before.append(skill + rng.normal(size=len(agent)))
        sides.append((level + skill + rng.normal(size=len(agent)), agent))
    pair = adjusted([mean(values) for values, _ in sides], before)
    clusters = sides[0][1], sides[1][1] + 30
    return holds(0.2, contrast(*pair, clusters=clusters), rows_taken_alone=contrast(*pair))


def _silent(rng: np.random.Generator) -> dict[str, bool]:
    """600 of 1,000 answer, 70 % of them content; of the silent nobody is: the truth lies at the lower bound."""
    answers = np.where(rng.random(1000) < 0.6, (rng.random(1000) < 0.7) * 1.0, np.nan)
    low, high = nonresponse_bounds(answers, lowest=0, highest=1).interval()
    return holds(0.42, Interval(0.42, low, high), answers_as_they_came=infer(mean(answers)))


def _alike(rng: np.random.Generator) -> dict[str, bool]:
    agent = np.repeat(np.arange(30), rng.integers(5, 40, 30))
    return holds(0.2, likeness(rng.normal(size=len(agent)) + 0.5 * rng.normal(size=30)[agent], agent))


def many_groups(rng: np.random.Generator) -> Claims:
    """Twelve segments whose true changes differ, and twelve estimates that move together."""
    true, se = rng.normal(0.5, 0.3, 12), rng.uniform(0.1, 0.5, 12)
    y = true + se * rng.normal(size=12)
    found, drawn = group_differences(y, se), shrunken(y, se).interval
    pick = int(rng.integers(12))
    one = Interval(drawn.estimate[pick], drawn.low[pick], drawn.high[pick])
    together = _ROOT @ rng.normal(size=12)
    return {
        "mean of segments that differ": holds(0.5, found.average, as_if_they_were_alike=found.common),
        "a segment, drawn to their mean": holds(true[pick], one, by_itself=around(y[pick], 1.96 * se[pick])),
        "twelve estimates, all at once": {
            OURS: bool((np.abs(together) <= _widest()).all()),
            "each by itself": bool((np.abs(together) <= 1.96).all()),
        },
    }


_COMMON = 0.6 * np.ones((12, 12)) + 0.4 * np.eye(12)
_ROOT = np.linalg.cholesky(_COMMON)


@cache
def _widest() -> float:
    return simultaneous_quantile(_COMMON)


# --- series, roll-outs, looks ---


def series(rng: np.random.Generator, rho: float, rows: int = 112) -> Claims:
    """16 weeks with weekdays and a trend, lifted by one standard deviation half-way; a bend; volumes that rise."""
    t, half = np.arange(rows), rows // 2
    days = (t % 7)[:, None] == np.arange(1, 7)
    y = sticky_noise(rng, rho, (rows,)) + 0.5 * t / rows + (t >= half) + days @ rng.normal(size=6)
    found = series_change(y, half, SeriesModel(regressors=days))
    gls = around(found.level.value, 1.96 * float(found.fit.gls_se[0]))
    bent = sticky_noise(rng, rho, (rows,)) + 0.05 * np.maximum(t - half, 0)
    volume = rng.poisson(120 * np.exp(0.2 * sticky_noise(rng, rho, (rows,)) + 0.1 * (t >= half)))
    factor = series_change(volume, half, SeriesModel(trend=False, log=True)).ratio
    totals = volume[:half].sum(), volume[half:].sum()
    exact = exact_rate_change(*totals)
    return {
        f"level of a series, likeness {rho}": holds(1.0, found.level, **{"as R's gls prints it": gls}),
        f"bend of a trend, likeness {rho}": holds(0.05, series_change(bent, half, SeriesModel(slope=True)).slope),
        f"factor of volumes, likeness {rho}": holds(
            math.exp(0.1), factor, **{"Poisson, exact": Interval(*(1 + x for x in exact.interval))}
        ),
    }


def teams(rng: np.random.Generator) -> Claims:
    """Twelve teams with a change and twelve without; and a roll-out in two steps, which lifts all by .5."""
    y, treated, week = _weeks(rng), np.arange(24) < 12, np.arange(16)
    moved = y + 0.5 * treated[:, None] * (week >= 8)
    found = difference_in_differences(moved[:, :8].mean(axis=1), moved[:, 8:].mean(axis=1), treated)
    rolled = y + 0.5 * (week >= STARTS[:, None])
    return {
        "difference in differences": holds(0.5, found.effect, treated_teams_only=found.treated),
        "roll-out in two steps": holds(0.5, staggered_effect(rolled, STARTS).effect),
    }


def weeks_at_once(rng: np.random.Generator) -> Claims:
    """The same roll-out, week by week: whether all weeks' intervals hold the truth at once."""
    study = event_study(_weeks(rng) + 0.5 * (np.arange(16) >= STARTS[:, None]), STARTS)
    true = np.where(study.since >= 0, 0.5, 0.0)
    alone = [effect.low <= value <= effect.high for effect, value in zip(study.effects, true, strict=True)]
    return {
        "weeks of a roll-out, all at once": {
            OURS: bool(((study.low <= true) & (true <= study.high)).all()),
            "each by itself": all(alone),
        }
    }


STARTS = np.repeat([5.0, 9.0, np.nan], 8)


def _weeks(rng: np.random.Generator) -> np.ndarray:
    return sticky_noise(rng, 0.5, (24, 16)) + 0.5 * rng.normal(size=16) + rng.normal(size=(24, 1))


def looks(rng: np.random.Generator, times: int = 20, per_look: int = 50) -> Claims:
    """A running mean read at 20 looks: whether its interval holds the truth at all of them."""
    rows = np.arange(1, times + 1) * per_look
    means, se = rng.normal(size=(times, per_look)).sum(axis=1).cumsum() / rows, rows**-0.5
    always = sequence_interval(means, se, rows, tuned_for=float(rows[-1] / 2))
    return {
        "mean at 20 looks, all at once": {
            OURS: bool(((always.low <= 0) & (always.high >= 0)).all()),
            "each by itself": bool((np.abs(means) <= 1.96 * se).all()),
        }
    }


def jobs(runs: int, fits: int) -> list[Job]:
    """Intervals of 95 %; two draws in five where there are many KPIs, `fits` runs where a fit is iterative."""
    some = 2 * runs // 5
    engines = [
        Job(f"intervals: {d}", some, partial(engine, design=d), aim=AIM) for d in ("rows", "clusters", "crossed")
    ]
    fitted = [Job(f"intervals: series {rho}", fits, partial(series, rho=rho), aim=AIM) for rho in (0.0, 0.3, 0.6, 0.8)]
    return [
        *engines,
        Job("intervals: one side", some, one_side, aim=AIM),
        Job("intervals: one group", runs, one_group, aim=AIM),
        Job("intervals: two groups", runs, two_groups, aim=AIM),
        Job("intervals: curves", runs, curves, aim=AIM),
        Job("intervals: adjusted", some, adjusted_estimates, aim=AIM),
        Job("intervals: many groups", runs, many_groups, aim=AIM),
        *fitted,
        Job("intervals: teams", fits, teams, aim=AIM),
        Job("intervals: weeks at once", fits // 5, weeks_at_once, aim=AIM),  # each an integral of many dimensions
        Job("intervals: looks", runs, looks, aim=AIM),
    ]
