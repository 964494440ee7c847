"""Rates of counts against R's poisson.test and statsmodels' quasi-Poisson regression."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import exact_rate_change, rate_change

days = st.lists(st.integers(0, 60), min_size=2, max_size=20).filter(any)


def test_two_totals_are_those_of_r():
    """R: poisson.test(c(11, 21), c(800, 3011)): ratio 1.971488 [.8584264034, 4.2772659437], p .07966863."""
    found = exact_rate_change(21, 11, 3011, 800)
    assert (1 + found.value, 1 + found.low, 1 + found.high) == pytest.approx(
        (1.971488095, 0.8584264034, 4.2772659437), abs=1e-9
    )
    assert found.p == pytest.approx(0.07966863, abs=5e-9)


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.1, 10))
def test_exact_p_is_that_of_the_binomial_test(a, b, exposure):
    if a + b:
        theirs = stats.binomtest(b, a + b, 1 / (1 + exposure)).pvalue
        assert exact_rate_change(a, b, exposure, 1).p == pytest.approx(theirs, rel=1e-9, abs=1e-15)


@given(days, days)
def test_daily_rates_are_those_of_a_quasi_poisson_regression(a, b):
    """statsmodels GLM, Poisson with Pearson's scale: log ratio and error; the interval is with Student's t."""
    group, found = np.repeat([0, 1], [len(a), len(b)]), rate_change(a, b)
    assume(found.se > 0)
    fit = sm.GLM(np.concatenate([a, b]), sm.add_constant(group), family=sm.families.Poisson()).fit(scale="X2")
    assert math.log1p(found.value) == pytest.approx(fit.params[1], abs=1e-6)
    assert found.se == pytest.approx(fit.bse[1], rel=1e-5)
    t = stats.t(len(group) - 2)
    assert math.log1p(found.high) == pytest.approx(fit.params[1] + t.ppf(0.975) * fit.bse[1], abs=1e-5)
    assert found.p == pytest.approx(2 * t.sf(abs(fit.params[1] / fit.bse[1])), abs=1e-5)


def test_exposure_turns_counts_into_rates_as_an_offset_does():
    """statsmodels GLM with an exposure."""
    rng = np.random.default_rng(6)
    on = rng.uniform(50, 150, 40)
    counts, group = rng.poisson(on * 0.1), np.repeat([0, 1], 20)
    fit = sm.GLM(counts, sm.add_constant(group), family=sm.families.Poisson(), exposure=on).fit(scale="X2")
    found = rate_change(counts[:20], counts[20:], on[:20], on[20:])
    assert (math.log1p(found.value), found.se) == pytest.approx((fit.params[1], fit.bse[1]), rel=1e-6)


@given(days, days)
def test_swapping_the_sides_turns_the_ratio_over(a, b):
    there, back = rate_change(a, b), rate_change(b, a)
    assert (1 + there.value) * (1 + back.value) == pytest.approx(1)
    assert there.se == 0 or (1 + there.low) * (1 + back.high) == pytest.approx(1)
    exact = exact_rate_change(sum(a), sum(b)), exact_rate_change(sum(b), sum(a))
    assert (1 + exact[0].low) * (1 + exact[1].high) == pytest.approx(1)
    assert exact[0].p == pytest.approx(exact[1].p)


def test_a_day_not_recorded_is_not_a_day_without_requests():
    assert rate_change([10, None, 12], [9, 11]) == rate_change([10, 12], [9, 11])


def test_what_never_happened_has_no_ratio_but_a_bound():
    found = exact_rate_change(10, 0)
    assert (found.value, found.low) == (-1, -1)
    assert 1 + found.high == pytest.approx(0.025 ** (-1 / 10) - 1, rel=1e-9)  # Clopper and Pearson of none in ten
    assert exact_rate_change(0, 10).high == math.inf
    assert math.isnan(rate_change([0, 0], [3, 4]).low)
    assert exact_rate_change(0, 0).p == 1


def test_days_all_alike_tell_no_spread():
    assert math.isnan(rate_change([5, 5, 5], [7, 7, 7]).p)


def test_counts_below_nothing_are_refused():
    with pytest.raises(ParameterError):
        rate_change([1, -2], [3, 4])
    with pytest.raises(ParameterError):
        rate_change([1, 2], [3, 4], [1, 0], [1, 1])
    with pytest.raises(ParameterError) as refused:
        exact_rate_change(-1, 2)
    assert refused.value.text("en") == "A count cannot be negative: -1."
