"""Groups that differ, against meta-analyses that were published with their numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import group_differences, rate_funnel, share_funnel, shrunken

# Normand (1999), table II: stay in hospital after stroke, special care (n, mean, sd) and routine care, nine places
STROKE = np.array(
    [
        *([155, 55, 47, 156, 75, 64], [31, 27, 7, 32, 29, 4], [75, 64, 17, 71, 119, 29]),
        *([18, 66, 20, 18, 137, 48], [8, 14, 8, 13, 18, 11], [57, 19, 7, 52, 18, 4]),
        *([34, 52, 45, 33, 41, 34], [110, 21, 16, 183, 31, 27], [60, 30, 27, 52, 23, 20]),
    ],
    dtype=float,
)
# Colditz et al. (1994): tuberculosis and all, vaccinated and not, thirteen trials of BCG
VACCINATED = [4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27]
OF_THEM = [123, 306, 231, 13598, 5069, 1541, 2545, 88391, 7499, 1716, 50634, 2498, 16913]
NOT_VACCINATED = [11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29]
OF_THOSE = [139, 303, 220, 12867, 5808, 1451, 629, 88391, 7277, 1665, 27338, 2341, 17854]
# Raudenbush and Bryk (1985): what teachers expect and how pupils do, nineteen studies with their standard errors
PUPILS = [
    *(0.03, 0.12, -0.14, 1.18, 0.26, -0.06, -0.02, -0.32, 0.27, 0.80),
    *(0.54, 0.18, -0.02, 0.23, -0.18, -0.06, 0.30, 0.07, -0.07),
]
PUPILS_SE = [
    *(0.125, 0.147, 0.167, 0.373, 0.369, 0.103, 0.103, 0.220, 0.164, 0.251),
    *(0.302, 0.223, 0.289, 0.290, 0.159, 0.167, 0.139, 0.094, 0.174),
]


def stroke() -> tuple[np.ndarray, np.ndarray]:
    n1, mean1, sd1, n2, mean2, sd2 = STROKE.T
    pooled = ((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2) / (n1 + n2 - 2)
    return mean1 - mean2, np.sqrt(pooled * (1 / n1 + 1 / n2))


def bcg() -> tuple[np.ndarray, np.ndarray]:
    """Log risk ratios."""
    a, n, b, m = map(np.array, (VACCINATED, OF_THEM, NOT_VACCINATED, OF_THOSE))
    return np.log(a / n / (b / m)), np.sqrt(1 / a - 1 / n + 1 / b - 1 / m)


groups = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 3)), min_size=2, max_size=12)


def test_stay_after_stroke_is_that_of_normand():
    """Normand (1999), table IX: fixed -3.49 (-5.03, -1.96); DerSimonian-Laird -14.10, tau2 218.72."""
    found = group_differences(*stroke())
    assert [round(x, 2) for x in found.common] == [-3.49, -5.03, -1.96]
    assert round(found.average.estimate, 2) == -14.10
    assert round(found.tau2, 2) == 218.72


@pytest.mark.parametrize("of", [stroke, bcg])
def test_the_interval_of_the_average_is_that_of_statsmodels(of):
    """statsmodels.stats.meta_analysis.combine_effects, DerSimonian and Laird, use_t=True: Hartung-Knapp-Sidik-Jonkman.

    Where their factor is below 1, it is taken as 1 (Roever, Knapp and Friede 2015).
    """
    y, se = of()
    theirs = combine_effects(y, se**2, method_re="dl", use_t=True)
    factor = max(theirs.scale_hksj_re, 1.0)
    error = theirs.sd_eff_w_re * math.sqrt(factor)
    found = group_differences(y, se).average
    assert found.estimate == pytest.approx(theirs.mean_effect_re, rel=1e-9)
    assert found.high - found.estimate == pytest.approx(stats.t.ppf(0.975, len(y) - 1) * error, rel=1e-9)


def test_bcg_is_that_of_metafor():
    """metafor: rma(method = "DL") of dat.bcg: Q 152.2330, tau2 .3088, I2 92.12%, -0.7141; fixed -0.4303."""
    found = group_differences(*bcg())
    assert found.test.statistic == pytest.approx(152.2330, abs=5e-5)
    assert found.test.df == 12
    assert (found.tau2, found.i2, found.average.estimate, found.common.estimate) == pytest.approx(
        (0.3088, 0.9212, -0.7141, -0.4303), abs=5e-5
    )


def test_shrunken_estimates_of_pupils_are_those_of_metafor():
    """metafor, test_analysis_example_raudenbush1985.r: blup() with tau2 .0188 (REML); figure 2 of the paper."""
    found = shrunken(PUPILS, PUPILS_SE, tau2=0.0188)
    assert found.interval.estimate == pytest.approx(
        [
            *(0.0543, 0.1006, -0.0064, 0.2144, 0.1051, -0.0082, 0.0174, -0.0293, 0.1604, 0.2485),
            *(0.1618, 0.1102, 0.0646, 0.1105, -0.0288, 0.0258, 0.1905, 0.0744, 0.0248),
        ],
        abs=5e-4,
    )
    assert found.interval.low[:4] == pytest.approx([-0.1324, -0.1033, -0.2228, -0.0533], abs=5e-4)
    assert found.interval.high[:4] == pytest.approx([0.2411, 0.3045, 0.2100, 0.4821], abs=5e-4)


def test_bounds_of_shrunken_estimates_allow_for_a_variance_that_was_estimated():
    """With tau2 for known, groups that differ by .3 were held in 85 % (5 of them) and 88 % (12) of 3,000 draws."""
    rng, held = np.random.default_rng(8), []
    for _ in range(400):
        true, se = rng.normal(0.5, 0.3, 12), rng.uniform(0.1, 0.5, 12)
        found = shrunken(true + se * rng.normal(size=12), se).interval
        held.append(((found.low <= true) & (true <= found.high)).mean())
    assert np.mean(held) > 0.91


@given(groups)
def test_shrunken_estimates_lie_between_their_own_and_the_mean(data):
    y, se = map(np.array, zip(*data, strict=True))
    found, mean = shrunken(y, se), group_differences(y, se).average.estimate
    assert ((found.interval.estimate - mean) * (y - found.interval.estimate) >= -1e-9).all()
    assert ((found.drawn >= 0) & (found.drawn <= 1)).all()
    noisier = np.argsort(se)
    assert (np.diff(found.drawn[noisier]) >= -1e-12).all(), "the noisier, the more"


@given(groups, st.floats(-50, 50), st.floats(0.1, 10))
def test_shift_and_unit_change_nothing_else(data, shift, unit):
    y, se = map(np.array, zip(*data, strict=True))
    one, other = group_differences(y, se), group_differences(shift + unit * y, unit * se)
    assert other.test.statistic == pytest.approx(one.test.statistic, rel=1e-6, abs=1e-6)
    assert other.tau2 == pytest.approx(unit**2 * one.tau2, rel=1e-5, abs=1e-6 * unit**2)
    assert other.average.estimate == pytest.approx(shift + unit * one.average.estimate, abs=1e-6)


def test_a_group_without_an_estimate_stays_without():
    found = shrunken([1.0, np.nan, 2.0], [0.5, 0.5, 0.5])
    assert np.isnan(found.interval.estimate).tolist() == [False, True, False]


def test_funnel_without_pulling_in_is_dersimonian_and_lairds():
    """With the pooled rate as its target, Spiegelhalter's (2005) extra variance is that of DerSimonian and Laird."""
    counts, exposure = np.array([30.0, 90.0, 60.0, 20.0]), np.array([100.0, 200.0, 250.0, 80.0])
    found = rate_funnel(counts, exposure, pulled_in=0.0)
    target = counts.sum() / exposure.sum()
    theirs = group_differences(counts / exposure, np.sqrt(target / exposure))
    assert found.target == pytest.approx(theirs.common.estimate)
    assert found.tau2 == pytest.approx(theirs.tau2)
    assert found.dispersion == pytest.approx(theirs.test.statistic / 4)


def test_funnel_of_groups_that_are_alike_is_chance_alone():
    """Spiegelhalter (2005), section 2: target +- z sqrt(p (1 - p) / n) when nothing but chance is at work."""
    n = np.tile([50.0, 500.0], 20)
    found = share_funnel(np.round(0.2 * n), n)
    assert found.tau2 == 0
    assert not found.outside.any()
    assert found.low[:2] == pytest.approx(np.maximum(0.2 - 3.090232 * np.sqrt(0.16 / n[:2]), 0), abs=1e-6)


def test_one_outlier_is_found_and_does_not_hide_itself():
    rng = np.random.default_rng(4)
    n = rng.integers(300, 900, 40)
    hits = rng.binomial(n, np.r_[np.full(39, 0.2), 0.5])
    found = share_funnel(hits, n)
    assert np.flatnonzero(found.outside).tolist() == [39]
    assert found.tau2 < share_funnel(hits, n, pulled_in=0.0).tau2


@pytest.mark.parametrize("level", [0.95, 0.998])
def test_funnel_of_groups_that_all_differ_holds_most_of_them(level):
    rng = np.random.default_rng(5)
    n = rng.integers(2000, 9000, 500)
    hits = rng.binomial(n, np.clip(rng.normal(0.3, 0.03, 500), 0, 1))
    assert np.mean(share_funnel(hits, n, level).outside) <= 1.6 * (1 - level) + 0.01


def refusal(call, *args) -> str:
    with pytest.raises(ParameterError) as refused:
        call(*args)
    return refused.value.text("en")


def test_too_few_groups_are_refused_in_words():
    words = "At least two groups with a known estimate and an error above 0 are needed; there is 1."
    assert refusal(group_differences, [1.0], [0.1]) == words
    assert refusal(group_differences, [1.0, 2.0], [0.1, 0.0]) == words
    assert refusal(share_funnel, [5], [10]) == words
