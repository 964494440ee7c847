"""Differences of shares against Newcombe's and Fagerland's tables, exact coverage by enumeration, exact companions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import (
    contrast,
    fisher_exact_p,
    infer,
    relative_share_change,
    rule_of_three,
    share_difference,
    share_interval,
    wilson,
)
from cxkit.stats.influence import mean

shares = st.tuples(st.integers(0, 40), st.integers(1, 40)).map(lambda x: (min(x), max(x)))


@pytest.mark.parametrize(
    ("b", "a", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524314724, 0.333872654),
        ((9, 10), (3, 10), 0.1705227239, 0.8090179735),
        ((7, 34), (1, 34), 0.01892144389, 0.340368687),
    ],
)
def test_differences_have_newcombes_bounds(a, b, low, high):
    """Newcombe (1998), table II, method 10, with the digits of R's Epi::ci.pd(method = "Nc")."""
    found = share_difference(*a, *b)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_relative_change_has_katzs_bounds():
    """Fagerland, Lydersen and Laake (2015), 7 of 34 against 1 of 34: ratio 7.0, Katz log .91 to 54."""
    found = relative_share_change(1, 34, 7, 34)
    assert (1 + found.value, round(1 + found.low, 2), round(1 + found.high)) == (pytest.approx(7), 0.91, 54)


@given(shares, shares)
def test_p_is_that_of_the_pooled_score_test(a, b):
    found = share_difference(*a, *b)
    _, theirs = proportions_ztest([a[0], b[0]], [a[1], b[1]]) if 0 < a[0] + b[0] < a[1] + b[1] else (0, math.nan)
    assert found.p == pytest.approx(theirs, abs=1e-12, nan_ok=True)


@given(shares, shares)
def test_swapping_the_sides_flips_the_interval(a, b):
    there, back = share_difference(*a, *b), share_difference(*b, *a)
    assert (there.value, there.low, there.p) == pytest.approx((-back.value, -back.high, back.p), nan_ok=True)
    assert -1 <= there.low <= there.value <= there.high <= 1


@pytest.mark.parametrize(
    ("n_a", "p_a", "n_b", "p_b", "wald", "newcombe"),
    [(50, 0.02, 500, 0.02, 0.638, 0.958), (400, 0.02, 400, 0.01, 0.950, 0.960)],
)
def test_newcombe_covers_rare_events_where_wald_does_not(n_a, p_a, n_b, p_b, wald, newcombe):
    """Exact coverage over every pair of counts; figures of the kit's research."""
    x, y = np.arange(n_a + 1)[:, None], np.arange(n_b + 1)
    chance = stats.binom.pmf(x, n_a, p_a) * stats.binom.pmf(y, n_b, p_b)
    kept = chance > 1e-9
    truth, covered, plain = p_b - p_a, 0.0, 0.0
    for i, j in np.argwhere(kept):
        found = share_difference(i, n_a, j, n_b)
        covered += chance[i, j] * (found.low <= truth <= found.high)
        reach = 1.959964 * math.sqrt(i / n_a * (1 - i / n_a) / n_a + j / n_b * (1 - j / n_b) / n_b)
        plain += chance[i, j] * (abs(found.value - truth) <= reach)
    assert (plain, covered) == (pytest.approx(wald, abs=0.006), pytest.approx(newcombe, abs=0.002))


def test_no_case_at_all_still_gives_a_bound():
    """Hanley and Lippman-Hand (1983): none of 100 leaves up to 3 %, exactly 1 - .05^(1/100)."""
    assert rule_of_three(100) == pytest.approx(1 - 0.05**0.01)
    assert rule_of_three(1000) == pytest.approx(3 / 1000, rel=0.01)
    assert rule_of_three(0) == 1
    assert share_difference(0, 50, 0, 60).low < 0 < share_difference(0, 50, 0, 60).high
    assert math.isnan(share_difference(0, 50, 0, 60).p)


@pytest.mark.parametrize("table", [(7, 34, 1, 34), (3, 10, 9, 10), (0, 8, 5, 9), (12, 12, 12, 12)])
def test_exact_p_is_that_of_scipy(table):
    x, n, y, m = table
    theirs = stats.fisher_exact([[x, n - x], [y, m - y]]).pvalue
    assert fisher_exact_p(*table) == pytest.approx(theirs, abs=1e-12)


def test_a_share_of_the_engine_has_wilsons_interval_for_as_many_rows_as_it_is_worth():
    """Without clusters nearly Wilson's own (n - 1 rows, Student's t); with them, wider, and still within 0 and 1."""
    found = infer(mean([1, 0], [95, 5]))
    assert share_interval(found) == pytest.approx(wilson(95, 100), abs=2e-3)
    agent = np.repeat(np.arange(10), 10)
    hit = np.ones(100)
    hit[:5] = 0  # all misses are one agent's
    clustered = share_interval(infer(mean(hit), clusters=agent))
    assert clustered.low < share_interval(found).low
    assert clustered.high <= 1
    assert math.isnan(share_interval(infer(mean([1, 1]))).low)


@given(shares, shares)
def test_the_engine_and_the_formula_tell_the_same_difference(a, b):
    (x, n), (y, m) = a, b
    engine = contrast(mean([1, 0], [x, n - x]), mean([1, 0], [y, m - y]))
    assert engine.value == pytest.approx(share_difference(x, n, y, m).value)


def test_more_successes_than_rows_are_refused():
    with pytest.raises(ParameterError):
        share_difference(5, 4, 1, 4)
    with pytest.raises(ParameterError):
        fisher_exact_p(5, 4, 1, 4)
    with pytest.raises(ParameterError):
        rule_of_three(-1)


def test_nobody_asked_gives_no_change():
    assert math.isnan(relative_share_change(0, 0, 1, 4).value)
    assert math.isnan(share_difference(0, 0, 1, 4).value)
