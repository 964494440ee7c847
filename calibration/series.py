"""False alarms of series, roll-outs, repeated looks, many questions and weights: services in which nothing changed.

Each function makes a number of draws at once and says, by method, which of them claimed a change at 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy import special, stats

from calibration.runs import OURS, Claims, Job, counted
from cxkit.stats import (
    Rows,
    ar1_regression,
    collapsed,
    contrast,
    difference_in_differences,
    group_differences,
    holm,
    judged,
    mix_change,
    post_stratified,
    sample_ratio,
    sequence_quantile,
    spending_bounds,
    staggered_effect,
)
from cxkit.stats.influence import mean

ALPHA = 0.05
Flags = dict[str, np.ndarray]


def sticky_noise(rng: np.random.Generator, rho: float, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of variance 1 whose neighbours (last axis) have correlation `rho`, from its first point on."""
    fresh = rng.normal(size=shape) * math.sqrt(1 - rho**2)
    fresh[..., 0] /= math.sqrt(1 - rho**2)
    for at in range(1, shape[-1]):
        fresh[..., at] += rho * fresh[..., at - 1]
    return fresh


def one_series(
    rng: np.random.Generator, runs: int, *, rho: float, rows: int = 112, rise: float = 0.0, weekly: bool = False
) -> Flags:
    """A series of `rows` days cut in the middle; `rise` is the trend over the whole of it, in standard deviations."""
    t = np.arange(rows)
    after = (t >= rows // 2).astype(float)
    y = sticky_noise(rng, rho, (runs, rows)) + rise * t / rows
    columns = [np.ones(rows), after]
    if rise:
        columns.append(t - t.mean())
    if weekly:
        y = y + rng.normal(size=(runs, 7))[:, t % 7]
        columns += [(t % 7 == day).astype(float) for day in range(1, 7)]
    design = np.column_stack(columns)
    fit = ar1_regression(y, design, [1])
    free = rows - design.shape[1]
    inverse = np.linalg.inv(design.T @ design)
    beta = y @ design @ inverse
    scatter = ((y - beta @ design.T) ** 2).sum(axis=1) / free
    plain = stats.ttest_ind(y[:, after == 1], y[:, after == 0], axis=1, equal_var=False).pvalue
    return {
        OURS: fit.p[:, 0] < ALPHA,
        "as R's gls prints it": _p(fit.estimate[:, 0] / fit.gls_se[:, 0], free) < ALPHA,
        "least squares": _p(beta[:, 1] / np.sqrt(scatter * inverse[1, 1]), free) < ALPHA,
        "t test on days": plain < ALPHA,
    }


def volumes(
    rng: np.random.Generator, runs: int, *, rho: float, rows: int = 112, a_day: float = 120.0, swing: float = 0.2
) -> Flags:
    """Contacts a day, drawn around a level that swings by a fifth and lingers; cut in the middle."""
    half = rows // 2
    y = rng.poisson(a_day * np.exp(swing * sticky_noise(rng, rho, (runs, rows)))).astype(float)
    design = np.column_stack([np.ones(rows), np.arange(rows) >= half])
    totals = np.array([y[:, :half].sum(axis=1), y[:, half:].sum(axis=1)])
    middle = np.where(np.arange(rows) < half, totals[:1].T, totals[1:].T) / half
    dispersion = ((y - middle) ** 2 / middle).sum(axis=1) / (rows - 2)
    z = np.log(totals[1] / totals[0]) / np.sqrt((1 / totals).sum(axis=0))
    return {
        OURS: ar1_regression(np.log(y), design, [1]).p[:, 0] < ALPHA,
        "Poisson": 2 * special.ndtr(-np.abs(z)) < ALPHA,
        "quasi-Poisson": _p(z / np.sqrt(dispersion), rows - 2) < ALPHA,
    }


def teams(rng: np.random.Generator, runs: int, *, units: int = 20, weeks: int = 24, rho: float = 0.5) -> Flags:
    """Half of the teams get the change half-way; all teams share what befalls a week."""
    y = sticky_noise(rng, rho, (runs, units, weeks)) + rng.normal(size=(runs, 1, weeks)) * 0.5
    y += rng.normal(size=(runs, units, 1))
    treated, after = np.arange(units) < units // 2, np.arange(weeks) >= weeks // 2
    ours = [difference_in_differences(*collapsed(panel, weeks // 2), treated).effect.p for panel in y]
    within = y - y.mean(axis=2, keepdims=True) - y.mean(axis=1, keepdims=True) + y.mean(axis=(1, 2), keepdims=True)
    change = np.outer(treated - treated.mean(), after - after.mean())
    beta = (within * change).sum(axis=(1, 2)) / (change**2).sum()
    free = units * weeks - units - weeks
    scatter = ((within - beta[:, None, None] * change) ** 2).sum(axis=(1, 2)) / free
    before_after = stats.ttest_ind(
        y[:, treated][:, :, after].reshape(runs, -1), y[:, treated][:, :, ~after].reshape(runs, -1), axis=1
    ).pvalue
    return {
        OURS: np.array(ours) < ALPHA,
        "two-way fixed effects": _p(beta / np.sqrt(scatter / (change**2).sum()), free) < ALPHA,
        "treated only, before and after": before_after < ALPHA,
    }


def roll_out(rng: np.random.Generator, runs: int, *, units: int = 24, weeks: int = 12, rho: float = 0.5) -> Flags:
    """A third of the teams get the change at week 4, a third at week 8, a third never."""
    y = sticky_noise(rng, rho, (runs, units, weeks)) + rng.normal(size=(runs, 1, weeks)) * 0.5
    start = np.repeat([4.0, 8.0, np.nan], units // 3)
    return {OURS: np.array([staggered_effect(panel, start).effect.p for panel in y]) < ALPHA}


def looks(rng: np.random.Generator, runs: int, *, times: int = 20, per_look: int = 50) -> dict[str, Flags]:
    """A test that is read `times` times while its rows come in: whether it claimed a change at any look."""
    at = np.arange(1, times + 1)
    rows = at * per_look
    z = np.abs(rng.normal(size=(runs, times)).cumsum(axis=1) / np.sqrt(at))
    any_look = (z > 1.959964).any(axis=1)
    bounds = {
        "planned looks (O'Brien–Fleming)": spending_bounds(at / times),
        "planned looks (Pocock)": spending_bounds(at / times, spending="pocock"),
        "looks at will (confidence sequence)": sequence_quantile(rows, tuned_for=rows[-1] / 2),
    }
    return {name: {OURS: (z > bound).any(axis=1), "p < .05 at any look": any_look} for name, bound in bounds.items()}


def many_questions(rng: np.random.Generator, runs: int, *, questions: int = 10) -> dict[str, Flags]:
    """Ten KPIs, or ten segments, in which nothing changed."""
    z = rng.normal(size=(runs, questions))
    p = 2 * special.ndtr(-np.abs(z))
    one = p.min(axis=1) < ALPHA
    differ = [group_differences(row, np.ones(questions)).test.p for row in z]
    return {
        "ten KPIs (Holm)": {OURS: np.array([holm(row).min() for row in p]) < ALPHA, "any p < .05": one},
        "ten segments (do they differ?)": {OURS: np.array(differ) < ALPHA, "any p < .05": one},
    }


def answers(rng: np.random.Generator, runs: int) -> Flags:
    """Satisfaction stays; the share of chat that answers goes from 30 to 40 %, that of e-mail from 30 to 10 %."""
    asked, like, rates = np.array([500, 500]), np.array([0.85, 0.7]), np.array([[0.3, 0.3], [0.4, 0.1]])
    values, groups, population = [1, 0, 1, 0], list("ccee"), {"c": 500, "e": 500}
    found = []
    for _ in range(runs):
        sides = []
        for rate in rates:
            got = rng.binomial(asked, rate)
            hits = rng.binomial(got, like)
            n = np.column_stack([hits, got - hits]).ravel()
            sides.append((mean(values, n), post_stratified(values, groups, population, n)))
        (plain_a, a), (plain_b, b) = sides
        ours = contrast(a.estimate, b.estimate, strata=(a.strata, b.strata))
        found.append((ours.p, contrast(plain_a, plain_b).p))
    weighted, raw = np.array(found).T
    return {OURS: weighted < ALPHA, "answers as they came": raw < ALPHA}


def mixes(rng: np.random.Generator, runs: int, *, rows: int = 1500) -> Flags:
    """No group changed, but the better one fell from 60 to 45 % of all: whether the rates are said to have changed."""
    found = []
    for _ in range(runs):
        groups = [(rng.random(rows) > share).astype(int) for share in (0.6, 0.45)]
        sides = [Rows(rng.random(rows) < np.array([0.8, 0.6])[group], group) for group in groups]
        change = mix_change(*sides)
        found.append((change.rate.p, change.total.p))
    rate, total = np.array(found).T
    return {OURS: rate < ALPHA, "the total": total < ALPHA}


def margins(rng: np.random.Generator, runs: int) -> dict[str, Flags]:
    """A KPI that worsened by just the margin: whether it is called the same, or not worse."""
    z = rng.normal(-2.0, 1.0, runs)
    codes = [judged(x, 1.0, 60, better="higher", margin=2.0) for x in z]
    silent = np.array([found.code not in ("improved", "worsened", "changed") for found in codes])
    return {
        "worse by the margin, called the same": {
            OURS: np.array([found.within_margin for found in codes]),
            "p > .05 taken for “the same”": silent,
        },
        "worse by the margin, called not worse": {OURS: np.array([found.above_worst for found in codes])},
    }


def draws_of_lot(rng: np.random.Generator, runs: int) -> Flags:
    """Two groups that lot fills evenly: whether their sizes raise the alarm of p < .001."""
    first = rng.binomial(20_000, 0.5, runs)
    return {OURS: np.array([sample_ratio([x, 20_000 - x]).p for x in first]) < 0.001}


def _p(t: np.ndarray, df: float) -> np.ndarray:
    return 2 * special.stdtr(df, -np.abs(t))


def _alone(
    rng: np.random.Generator, runs: int, case: str, of: Callable[..., Flags], settings: dict[str, Any]
) -> Claims:
    return {case: of(rng, runs, **settings)}


def single(case: str, runs: int, of: Callable[..., Flags], aim: float = ALPHA, **settings: Any) -> Job:
    """A job of one case."""
    return Job(case, runs, many=partial(_alone, case=case, of=of, settings=settings), aim=aim)


def shares(runs: int, of: Callable[..., Flags], **settings: Any) -> dict[str, float]:
    """The share of `runs` draws in which each method claimed a change."""
    return {method: rate.share for method, rate in counted(single("", runs, of, **settings))[""].items()}


def jobs(runs: int, fits: int) -> list[Job]:
    """`fits` runs where a fit is iterative."""
    series = [
        single(
            f"{rows} days, likeness {rho}{', with a trend' if rise else ''}",
            fits,
            one_series,
            rho=rho,
            rows=rows,
            rise=rise,
        )
        for rows in (112, 28)
        for rise in (0.0, 1.0)
        for rho in (0.0, 0.3, 0.6, 0.8)
    ]
    weekly = [
        single(f"112 days with weekdays, likeness {rho}", fits, one_series, rho=rho, weekly=True) for rho in (0.0, 0.6)
    ]
    return [
        *series,
        *weekly,
        *(single(f"volumes, likeness {rho}", fits, volumes, rho=rho) for rho in (0.0, 0.3, 0.6, 0.8)),
        single("teams with and without the change", runs, teams),
        single("roll-out in two steps", runs, roll_out),
        Job("looks", runs, many=looks),
        Job("many questions", runs, many=many_questions),
        single("response rates that moved", runs, answers),
        single("a mix that moved", runs, mixes),
        Job("margins", runs, many=margins),
        single("groups filled by lot", runs, draws_of_lot, aim=0.001),
    ]
