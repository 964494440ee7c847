"""Many questions against Benjamini and Hochberg's own table, R, statsmodels, and the tables of Dunnett and Tukey."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, studentized_range
from statsmodels.stats.multitest import multipletests

import cxkit.lang  # noqa: F401  # gives refusals their words
from calibration.runs import OURS, Job, counted
from calibration.series import many_questions
from cxkit.errors import ParameterError
from cxkit.stats import (
    benjamini_hochberg,
    hochberg,
    holm,
    simultaneous_intervals,
    simultaneous_p,
    simultaneous_quantile,
)

# Benjamini and Hochberg (1995), section 4.1: fifteen p values of a trial of thrombolysis
TRIAL = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.324,
    0.4262,
    0.5719,
    0.6528,
    0.759,
    1,
]

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_adjusted_p_of_the_trial_are_those_of_r():
    """R p.adjust: Holm finds 3 at 5%, Benjamini and Hochberg 4, as their paper says."""
    assert holm(TRIAL) == pytest.approx(
        [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1, 1, 1, 1, 1, 1], abs=1e-12
    )
    assert benjamini_hochberg(TRIAL)[:11] == pytest.approx(
        [0.0015, 0.003, 0.0095, 0.035625, 0.0603, *[0.06385714286] * 2, 0.0645, 0.0765, 0.486, 0.5811818182], abs=1e-10
    )
    assert benjamini_hochberg(TRIAL)[11:] == pytest.approx([0.714875, 0.7532307692, 0.8132142857, 1], abs=1e-10)
    assert ((holm(TRIAL) < 0.05).sum(), (benjamini_hochberg(TRIAL) < 0.05).sum()) == (3, 4)


@pytest.mark.slow
@given(p_values)
def test_adjusted_p_are_those_of_statsmodels(p):
    """statsmodels 0.15 multipletests."""
    for ours, theirs in ((holm, "holm"), (hochberg, "simes-hochberg"), (benjamini_hochberg, "fdr_bh")):
        assert ours(p) == pytest.approx(multipletests(p, method=theirs)[1], abs=1e-12)


@given(p_values)
def test_adjusting_only_raises_and_keeps_the_order(p):
    plain = np.array(p)
    for method in (holm, hochberg, benjamini_hochberg):
        found = method(p)
        assert (found >= plain - 1e-15).all()
        assert (found <= 1).all()
        assert (np.diff(found[np.argsort(plain, kind="stable")]) >= 0).all()
    assert (holm(p) >= hochberg(p) - 1e-15).all()
    assert (hochberg(p) >= benjamini_hochberg(p) - 1e-15).all()


def test_a_question_without_an_answer_does_not_count():
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)


def test_a_p_above_one_is_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        holm([0.5, 1.5])
    assert refused.value.text("en") == "1 p value lies outside 0 to 1."


@pytest.mark.parametrize(("groups", "printed"), [(1, 2.09), (2, 2.38), (3, 2.54), (4, 2.65), (5, 2.73)])
def test_several_groups_against_one_are_in_dunnetts_table(groups, printed):
    """Dunnett (1964), two-sided 5%, 20 degrees of freedom: differences from one control have correlation 1/2."""
    correlation = np.full((groups, groups), 0.5) + 0.5 * np.eye(groups)
    assert simultaneous_quantile(correlation, 20) == pytest.approx(printed, abs=0.0055)


@pytest.mark.parametrize("groups", [3, 4, 6])
def test_all_pairs_of_groups_are_tukeys(groups):
    """The studentized range over the root of 2 (scipy): the pairs' covariance has a smaller rank than it has rows."""
    pairs = np.array([np.eye(groups)[a] - np.eye(groups)[b] for a, b in combinations(range(groups), 2)])
    expected = studentized_range.isf(0.05, groups, 20) / np.sqrt(2)
    assert simultaneous_quantile(pairs @ pairs.T / 2, 20) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("many", [1, 2, 10])
def test_independent_questions_are_sidaks(many):
    """Sidak (1967): each at 1 - .95^(1/k)."""
    assert simultaneous_quantile(np.eye(many)) == pytest.approx(norm.isf((1 - 0.95 ** (1 / many)) / 2), abs=1e-3)


def test_the_same_question_asked_twice_is_one():
    assert simultaneous_quantile(np.ones((3, 3))) == pytest.approx(1.95996, abs=1e-3)


@settings(max_examples=20)  # each looks at 65,537 points twice
@given(st.integers(0, 100))
def test_bounds_leave_none_out_just_where_p_is_small(seed):
    rng = np.random.default_rng(seed)
    root, estimate = rng.normal(size=(3, 3)), rng.normal(size=3) * 3
    covariance = root @ root.T + 0.1 * np.eye(3)
    found = simultaneous_intervals(estimate, covariance, df=15)
    p = simultaneous_p(estimate, covariance, df=15)
    assert ((found.low > 0) | (found.high < 0)).any() == (p < 0.05)


def test_variances_must_be_above_none():
    with pytest.raises(ParameterError) as refused:
        simultaneous_p([1.0, 2.0], [[1.0, 0.0], [0.0, 0.0]])
    assert refused.value.text("en") == "A covariance is a square table with variances above 0 on its diagonal."


def test_ten_questions_without_an_answer_find_something_five_times_in_a_hundred():
    """Measured elsewhere: some p < .05 among ten KPIs in 40.1%."""
    rates = counted(Job("many questions", 2000, many=many_questions))
    for methods in rates.values():
        assert methods[OURS].place == "within", rates
        assert methods["any p < .05"].share == pytest.approx(0.401, abs=0.04)
