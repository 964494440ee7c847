"""Chances read from intervals: equal to one-sided p values, near to Jeffreys, never falling the wrong way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import Interval, chance_beyond, kaplan_meier, mean_interval, net_adjusted_wald, wilson

EXTRA = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]  # Student's sleep data, first drug


@given(st.floats(-5, 5))
def test_chance_of_a_mean_is_the_one_sided_p_value_of_students_test(target):
    """Schweder and Hjort (2016), example 3.1: the confidence distribution of a normal mean is its t pivot. scipy."""
    ours = chance_beyond(target, mean_interval(EXTRA), df=9)
    theirs = stats.ttest_1samp(EXTRA, target, alternative="less").pvalue
    assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(27, 30), (83, 90), (5, 40), (500, 1000)])
def test_chance_of_a_share_is_near_to_jeffreys_posterior(hits, n):
    """Brown, Cai and DasGupta (2001) recommend either interval; their chances differ by a few points at most. scipy."""
    targets = np.linspace(0.02, 0.98, 49)
    ours = [chance_beyond(t, wilson(hits, n), scale="share") for t in targets]
    assert ours == pytest.approx(stats.beta.sf(targets, hits + 0.5, n - hits + 0.5), abs=0.04)


@pytest.mark.parametrize(("hits", "at", "chance"), [(0, 0.05, 0.3051), (0, 0.2, 0.0367), (10, 0.9, 0.8584)])
def test_chance_of_all_or_none_is_no_bolder_than_jeffreys(hits, at, chance):
    """Beta(1/2, 10.5) is Jeffreys' for none of ten; the interval is Wilson's, which is wider."""
    jeffreys = stats.beta.sf(at, hits + 0.5, 10.5 - hits)
    ours = chance_beyond(at, wilson(hits, 10), scale="share")
    assert jeffreys == pytest.approx(chance, abs=0.025)
    assert abs(ours - 0.5) <= abs(jeffreys - 0.5)
    assert abs(ours - jeffreys) < 0.11


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_chance_agrees_with_the_interval_and_falls_with_the_target(hits, more, level):
    n = hits + more - (hits % 2)
    found = wilson(hits, max(n, hits), level)
    at = np.linspace(0, 1, 101)
    above = [chance_beyond(t, found, level, scale="share") for t in at]
    assert all(0 <= x <= 1 for x in above)
    assert (np.diff(above) <= 1e-12).all()
    below = [chance_beyond(t, found, level, scale="share", side="below") for t in at]
    assert np.add(above, below) == pytest.approx(1)
    for end, chance in ((found.low, (1 + level) / 2), (found.estimate, 0.5), (found.high, (1 - level) / 2)):
        if 0 < end < 1 and 0 < found.estimate < 1:
            assert chance_beyond(end, found, level, scale="share") == pytest.approx(chance, abs=1e-9)


def test_chance_of_a_duration_is_read_on_the_log_scale():
    """A lognormal law: median 24 h, sd of the log .1; scipy.stats.lognorm gives the chance to lie above 26 h."""
    z = stats.norm.ppf(0.975)
    found = Interval(24.0, 24 * math.exp(-0.1 * z), 24 * math.exp(0.1 * z))
    assert chance_beyond(26, found, scale="duration") == pytest.approx(stats.lognorm.sf(26, 0.1, scale=24))
    assert chance_beyond(26, found, scale="duration", side="below") == pytest.approx(
        stats.lognorm.cdf(26, 0.1, scale=24)
    )


def test_an_upper_end_not_reached_takes_the_width_of_the_lower_half():
    """The 6-MP arm: median 23 weeks, 95 % from 13, no upper end (R's survfit)."""
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    found = kaplan_meier(weeks, relapsed).quantile_interval(0.5)
    assert chance_beyond(13, found, scale="duration") == pytest.approx(0.975)
    assert chance_beyond(23**2 / 13, found, scale="duration") == pytest.approx(0.025)


def test_a_median_not_reached_is_beyond_its_lower_end_with_at_least_its_level():
    found = kaplan_meier([5] * 10, [False] * 10).quantile_interval(0.5)
    assert chance_beyond(4, found, scale="duration") == pytest.approx(0.975)
    assert math.isnan(chance_beyond(6, found, scale="duration"))


def test_an_end_cut_off_by_the_scale_tells_no_width():
    """Adjusted Wald of 10 promoters of 10 answers: the upper end is cut at 100."""
    found = net_adjusted_wald(10, 0, 0)
    assert (found.estimate, found.high) == (1, 1)
    assert chance_beyond(found.low, found, limits=(-1, 1)) == pytest.approx(0.975)
    assert chance_beyond(1.01, found, limits=(-1, 1)) == 0
    wide = Interval(0.9, 0.5, 1.0)  # widened for clusters, and cut
    assert chance_beyond(0.95, wide, scale="share") < 0.5


def test_no_answer_gives_no_chance():
    assert math.isnan(chance_beyond(0.5, wilson(0, 0), scale="share"))
    assert math.isnan(chance_beyond(0.5, Interval(0.9, 0.0, 1.0), scale="share"))
    assert math.isnan(chance_beyond(2, mean_interval([4], scale=(1, 5)), limits=(1, 5)))


def test_an_unknown_scale_or_side_is_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        chance_beyond(0.9, wilson(9, 10), scale="percent")
    assert refused.value.text("en") == (
        "A chance is read on the scale “share”, “duration” or “number”, and lies “above” or “below” the target; "
        "not “percent”."
    )
    with pytest.raises(ParameterError):
        chance_beyond(0.9, wilson(9, 10), side="over")
