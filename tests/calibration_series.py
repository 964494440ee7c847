"""How often do the tests of series, roll-outs and repeated looks cry wolf: simulated services in which nothing changed.

Each function returns the share of false alarms at 5% of our method and of the usual ones, for the same data. The tests
run them briefly with a fixed seed; `python tests/calibration_series.py 20000` runs them long and writes a table.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy import special, stats

from cxkit.stats import holm
from cxkit.stats.ar1 import ar1_regression
from cxkit.stats.did import collapsed, difference_in_differences, staggered_effect
from cxkit.stats.heterogeneity import group_differences
from cxkit.stats.sequential import sequence_quantile, spending_bounds

Rates = dict[str, float]
WEEK = np.arange(7)


def band(runs: int, rate: float = 0.05, chance: float = 1e-3) -> tuple[float, float]:
    """The shares that `runs` runs give a method that errs at `rate`, but for one time in a thousand."""
    low, high = stats.binom.ppf([chance / 2, 1 - chance / 2], runs, rate)
    return float(low) / runs, float(high) / runs


def sticky_noise(rng: np.random.Generator, rho: float, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of variance 1 whose neighbours (last axis) have correlation `rho`, from its first point on."""
    fresh = rng.normal(size=shape) * math.sqrt(1 - rho**2)
    fresh[..., 0] /= math.sqrt(1 - rho**2)
    for at in range(1, shape[-1]):
        fresh[..., at] += rho * fresh[..., at - 1]
    return fresh


def one_series(
    rho: float, runs: int, *, seed: int = 1, rows: int = 112, rise: float = 0.0, weekly: bool = False
) -> Rates:
    """A series of `rows` days cut in the middle; `rise` is the trend over the whole of it, in standard deviations."""
    rng, t = np.random.default_rng(seed), np.arange(rows)
    after = (t >= rows // 2).astype(float)
    y = sticky_noise(rng, rho, (runs, rows)) + rise * t / rows
    columns = [np.ones(rows), after]
    if rise:
        columns.append(t - t.mean())
    if weekly:
        y = y + rng.normal(size=(runs, 7))[:, t % 7]
        columns += [(t % 7 == day).astype(float) for day in WEEK[1:]]
    design = np.column_stack(columns)
    fit = ar1_regression(y, design, [1])
    free = rows - design.shape[1]
    inverse = np.linalg.inv(design.T @ design)
    beta = y @ design @ inverse
    scatter = ((y - beta @ design.T) ** 2).sum(axis=1) / free
    plain = stats.ttest_ind(y[:, after == 1], y[:, after == 0], axis=1, equal_var=False).pvalue
    return {
        "ours": _alarms(fit.p[:, 0]),
        "gls as printed by R": _alarms(_p(fit.estimate[:, 0] / fit.gls_se[:, 0], free)),
        "least squares": _alarms(_p(beta[:, 1] / np.sqrt(scatter * inverse[1, 1]), free)),
        "t test on days": _alarms(plain),
    }


def volumes(
    rho: float, runs: int, *, seed: int = 6, rows: int = 112, a_day: float = 120.0, swing: float = 0.2
) -> Rates:
    """Contacts a day, drawn around a level that swings by a fifth and lingers; cut in the middle."""
    rng, half = np.random.default_rng(seed), rows // 2
    y = rng.poisson(a_day * np.exp(swing * sticky_noise(rng, rho, (runs, rows)))).astype(float)
    design = np.column_stack([np.ones(rows), np.arange(rows) >= half])
    totals = np.array([y[:, :half].sum(axis=1), y[:, half:].sum(axis=1)])
    mean = np.where(np.arange(rows) < half, totals[:1].T, totals[1:].T) / half
    dispersion = ((y - mean) ** 2 / mean).sum(axis=1) / (rows - 2)
    z = np.log(totals[1] / totals[0]) / np.sqrt((1 / totals).sum(axis=0))
    return {
        "ours": _alarms(ar1_regression(np.log(y), design, [1]).p[:, 0]),
        "Poisson": _alarms(2 * special.ndtr(-np.abs(z))),
        "quasi-Poisson": _alarms(_p(z / np.sqrt(dispersion), rows - 2)),
    }


def teams(runs: int, *, seed: int = 2, units: int = 20, weeks: int = 24, rho: float = 0.5) -> Rates:
    """Half of the teams get the change half-way; all teams share what befalls a week."""
    rng = np.random.default_rng(seed)
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
        "ours": _alarms(np.array(ours)),
        "two-way fixed effects": _alarms(_p(beta / np.sqrt(scatter / (change**2).sum()), free)),
        "treated only, before and after": _alarms(before_after),
    }


def roll_out(runs: int, *, seed: int = 3, units: int = 24, weeks: int = 12, rho: float = 0.5) -> Rates:
    """A third of the teams get the change at week 4, a third at week 8, a third never."""
    rng = np.random.default_rng(seed)
    y = sticky_noise(rng, rho, (runs, units, weeks)) + rng.normal(size=(runs, 1, weeks)) * 0.5
    start = np.repeat([4.0, 8.0, np.nan], units // 3)
    return {"ours": _alarms(np.array([staggered_effect(panel, start).effect.p for panel in y]))}


def looks(runs: int, *, seed: int = 4, times: int = 20, per_look: int = 50) -> Rates:
    """A test that is read `times` times while its rows come in."""
    rng, at = np.random.default_rng(seed), np.arange(1, times + 1)
    rows = at * per_look
    z = rng.normal(size=(runs, times)).cumsum(axis=1) / np.sqrt(at)
    always = sequence_quantile(rows, tuned_for=rows[-1] / 2)
    return {
        "ours, planned looks": float((np.abs(z) > spending_bounds(at / times)).any(axis=1).mean()),
        "ours, Pocock": float((np.abs(z) > spending_bounds(at / times, spending="pocock")).any(axis=1).mean()),
        "ours, looks at will": float((np.abs(z) > always).any(axis=1).mean()),
        "p < .05 at any look": float((np.abs(z) > 1.959964).any(axis=1).mean()),
    }


def many_questions(runs: int, *, seed: int = 5, questions: int = 10) -> Rates:
    """Ten KPIs, or ten segments, in which nothing changed."""
    z = np.random.default_rng(seed).normal(size=(runs, questions))
    p = 2 * special.ndtr(-np.abs(z))
    return {
        "ours, Holm": float(np.mean([holm(row).min() < 0.05 for row in p])),
        "ours, segments differ": float(
            np.mean([group_differences(row, np.ones(questions)).test.p < 0.05 for row in z])
        ),
        "any p < .05": float((p.min(axis=1) < 0.05).mean()),
    }


def _p(t: np.ndarray, df: float) -> np.ndarray:
    return 2 * special.stdtr(df, -np.abs(t))


def _alarms(p: np.ndarray) -> float:
    return float((p < 0.05).mean())


def campaign(runs: int) -> list[tuple[str, Rates]]:
    """Everything, at length."""
    series = [
        (f"series, likeness {rho}, rise {rise}, {rows} days", one_series(rho, runs, rows=rows, rise=rise))
        for rows in (28, 112)
        for rise in (0.0, 1.0)
        for rho in (0.0, 0.3, 0.6, 0.8)
    ]
    series += [(f"volumes, likeness {rho}", volumes(rho, runs)) for rho in (0.0, 0.3, 0.6)]
    others = [("teams", teams(runs)), ("roll-out", roll_out(runs)), ("looks", looks(runs))]
    return [*series, *others, ("ten questions", many_questions(runs))]


if __name__ == "__main__":
    for name, rates in campaign(int(sys.argv[1]) if len(sys.argv) > 1 else 2000):
        shown = ", ".join(f"{method} {100 * rate:.1f}%" for method, rate in rates.items())
        sys.stdout.write(f"{name}: {shown}\n")
