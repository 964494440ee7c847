"""Bounds for repeated looks against Lan and DeMets, Jennison and Turnbull, two experiment platforms, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit.lang  # noqa: F401  # gives refusals their words
from calibration.runs import OURS, Job, counted
from calibration.series import looks
from cxkit.errors import ParameterError
from cxkit.stats import (
    bounds_for,
    crossing,
    inflation,
    sequence_interval,
    sequence_p,
    sequence_quantile,
    spending_bounds,
    spent,
)
from cxkit.stats.sequential import drift_for

FIFTHS = np.arange(1, 6) / 5
# Two weeks of a real experiment: information and bounds (spotify/confidence, tests/frequentist/test_bounds.py)
REAL_SHARES = [
    *(0.0016169976338740648, 0.0057857955498163615, 0.012200379088315757, 0.020199591701142824, 0.02956441064038571),
    *(0.04047102718841871, 0.052929825413405296, 0.06580092295219643, 0.07878439818310792, 0.09148496950057272),
    *(0.1028893343050959, 0.1128434997940756, 0.12298934256730025, 0.13280979910049193, 0.14267997977787195),
]
REAL_BOUNDS = [
    *(5.75400023, 8.0, 5.14701605, 4.91478643, 4.80691346, 4.69004328, 4.57921075, 4.49683943, 4.44452939, 4.38899083),
    *(4.35683792, 4.33289847, 4.301461, 4.27383028, 4.24513591),
]

rising = st.lists(st.integers(1, 40), min_size=1, max_size=8).map(lambda steps: np.cumsum(steps) / sum(steps))


def test_obrien_fleming_bounds_are_those_of_lan_and_demets():
    """R ldbounds, five even looks, two-sided 5%: 4.8769 3.3569 2.6803 2.2898 2.0310."""
    assert spending_bounds(FIFTHS).round(4).tolist() == [4.8769, 3.3570, 2.6803, 2.2898, 2.0310]
    assert spending_bounds(FIFTHS) == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=1.5e-4)


def test_pocock_bounds_are_those_of_lan_and_demets():
    """R ldbounds, five even looks, two-sided 5%: 2.4380 2.4268 2.4101 2.3966 2.3859."""
    found = spending_bounds(FIFTHS, spending="pocock")
    assert found == pytest.approx([2.4380, 2.4268, 2.4101, 2.3966, 2.3859], abs=1.5e-4)


def test_uneven_looks_of_a_real_experiment():
    """Spotify's confidence, alpha t^2 of .003333: the first is exact, the rest as coarse as its grid (5 in 1,000)."""
    found = bounds_for(REAL_SHARES, 0.003333333 * np.square(REAL_SHARES))
    assert found[0] == pytest.approx(REAL_BOUNDS[0], abs=1e-8)
    assert found[7:] == pytest.approx(REAL_BOUNDS[7:], abs=6e-3)


@pytest.mark.parametrize(("looks_", "pocock", "fleming"), [(2, 2.178, 1.977), (5, 2.413, 2.040), (10, 2.555, 2.087)])
def test_constants_of_the_textbook_err_five_times_in_a_hundred(looks_, pocock, fleming):
    """Jennison and Turnbull (2000), tables 2.1 and 2.3: constants of Pocock and of O'Brien and Fleming, 5%."""
    t = np.arange(1, looks_ + 1) / looks_
    assert crossing(t, np.full(looks_, pocock))[-1] == pytest.approx(0.05, abs=1e-4)
    assert crossing(t, fleming / np.sqrt(t))[-1] == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("looks_", "power", "pocock", "fleming", "more_pocock", "more_fleming"),
    [
        (2, 0.8, 2.178, 1.977, 1.110, 1.008),
        (2, 0.9, 2.178, 1.977, 1.100, 1.007),
        (5, 0.8, 2.413, 2.040, 1.229, 1.028),
        (5, 0.9, 2.413, 2.040, 1.207, 1.026),
        (10, 0.8, 2.555, 2.087, 1.301, 1.040),
    ],
)
def test_rows_for_looks_are_those_of_the_textbook(looks_, power, pocock, fleming, more_pocock, more_fleming):
    """Jennison and Turnbull (2000), tables 2.2 and 2.4: how many times the rows of a single look, 5%."""
    t = np.arange(1, looks_ + 1) / looks_
    single = drift_for(power, [1.0], [1.959964]) ** 2
    assert drift_for(power, t, np.full(looks_, pocock)) ** 2 / single == pytest.approx(more_pocock, abs=1.5e-3)
    assert drift_for(power, t, fleming / np.sqrt(t)) ** 2 / single == pytest.approx(more_fleming, abs=1.5e-3)


def test_one_look_costs_nothing():
    assert inflation(1) == pytest.approx(1)
    assert spending_bounds([1.0])[0] == pytest.approx(1.959964, abs=1e-6)
    assert spending_bounds([1.0], sides=1)[0] == pytest.approx(1.644854, abs=1e-6)


@given(rising, st.sampled_from(["obrien_fleming", "pocock"]), st.sampled_from([1, 2]))
def test_all_that_may_be_spent_is_spent_and_no_more(shares, spending, sides):
    found = crossing(shares, spending_bounds(shares, 0.05, spending, sides), sides=sides)
    assert found == pytest.approx(spent(shares, 0.05, spending, sides), abs=1e-8)
    assert found[-1] == pytest.approx(0.05, abs=1e-8)


@given(rising, st.integers(1, 8))
def test_bounds_of_looks_already_made_do_not_depend_on_looks_to_come(shares, kept):
    assert spending_bounds(shares)[:kept] == pytest.approx(spending_bounds(shares[:kept]), abs=1e-9)


def test_chance_of_crossing_is_that_of_simulated_walks():
    """200,000 walks with an expected z of 2.5 at the end: Monte Carlo error below .0012."""
    t = np.array([0.1, 0.35, 0.6, 1.0])
    bounds, steps = spending_bounds(t), np.diff(t, prepend=0.0)
    score = (np.random.default_rng(0).normal(size=(200_000, 4)) * np.sqrt(steps) + 2.5 * steps).cumsum(axis=1)
    passed = np.maximum.accumulate(np.abs(score / np.sqrt(t)) > bounds, axis=1).mean(axis=0)
    assert crossing(t, bounds, 2.5) == pytest.approx(passed, abs=4e-3)


def test_more_information_than_planned_spends_nothing_more():
    assert crossing([0.5, 1.2, 1.5], spending_bounds([0.5, 1.2, 1.5]))[-1] == pytest.approx(0.05, abs=1e-8)


def test_bounds_for_looks_at_will_are_those_of_growthbook():
    """gbstats, sequential two-sided t test of relative lift: .50336 with error .33341, n 6,461, tuned for 1,000."""
    found = sequence_interval(0.50336, 0.33341, 6461, 1000)
    assert (found.low, found.high) == pytest.approx((-0.55844, 1.56516), abs=2e-5)


@given(st.floats(-5, 5), st.integers(2, 10**6), st.integers(10, 10**5), st.sampled_from([0.01, 0.05, 0.2]))
def test_p_is_below_alpha_just_where_the_interval_leaves_none_out(z, n, tuned, alpha):
    found = sequence_interval(z, 1.0, n, tuned, alpha)
    assert (sequence_p(z, 1.0, n, tuned, alpha) < alpha) == (found.low > 0 or found.high < 0)


def test_bounds_for_looks_at_will_are_wider_than_any_single_look_and_tightest_where_tuned():
    rows = np.geomspace(10, 10**6, 400)
    found = sequence_quantile(rows, tuned_for=5000)
    assert found.min() > 2.5
    assert 2500 < rows[found.argmin()] < 10_000
    many = sequence_interval([1.0, 2.0], [0.5, 0.5], [100, 200], 100)
    assert many.low[1] == pytest.approx(sequence_interval(2.0, 0.5, 200, 100).low)


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(ParameterError) as refused:
        call(*args, **kwargs)
    return refused.value.text("en")


def test_what_cannot_be_right_is_refused_in_words():
    assert refusal(spending_bounds, [0.5, 0.4]) == (
        "The shares of information must rise from look to look and lie above 0."
    )
    assert refusal(spending_bounds, [0.5], spending="haybittle") == (
        "The chance of error is spent over the looks in one of these ways: obrien_fleming, pocock; not “haybittle”."
    )
    assert refusal(spending_bounds, [0.5], sides=3) == "A test has one side or two; this one has 3."
    assert refusal(inflation, 0) == "There must be at least one look; this plan has 0."
    assert refusal(sequence_quantile, 0, 100) == "The number of rows must be above 0; it is 0."


def test_false_alarms_over_twenty_looks_are_kept():
    """Measured elsewhere: p < .05 at any of 20 looks 24.7%, confidence sequence 1.3%."""
    rates = counted(Job("looks", 4000, many=looks))
    *planned, at_will = (methods[OURS] for methods in rates.values())
    assert [rate.place for rate in planned] == ["within", "within"], rates
    assert at_will.share < 0.05, rates
    assert all(methods["p < .05 at any look"].share > 0.2 for methods in rates.values()), rates
