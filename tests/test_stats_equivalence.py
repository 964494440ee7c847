"""Verdicts: the whole table of cases, and two one-sided tests against R's TOSTER."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import Interval, judged, not_worse_p, tost, verdict

# R: sleep, extra hours under two drugs; Welch's difference with its error and degrees of freedom
SLEEP = {"estimate": 0.75 - 2.33, "se": 1.58 / 1.8608134675, "df": 17.776473516}


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high)


def test_sleep_is_that_of_toster():
    """TOSTER, IntroTOSTt: margins +-0.5, lower p .890, upper p .012, 90% interval -3.0534 to -0.1066."""
    found = tost(**SLEEP, margin=0.5)
    assert (found.p_low, found.p_high) == pytest.approx((0.89011, 0.01245133), abs=5e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx((-3.0534, -0.1066), abs=5e-5)
    assert found.p == found.p_low
    assert not found.equivalent
    assert judged(**SLEEP, margin=0.5).code == "inconclusive"


# Bounds of the wide and of the narrow interval, in margins of 1, with the verdict for each notion of better.
W, N = "worsened", "inconclusive"
CASES = [
    # wide          narrow         higher       lower        none          within
    ((2.0, 4.0), (2.2, 3.8), "improved", W, "changed", False),
    ((0.5, 2.0), (0.6, 1.9), "improved", W, "changed", False),
    ((0.1, 0.9), (0.2, 0.8), "improved", W, "changed", True),
    ((0.0, 0.9), (0.1, 0.8), "equivalent", "equivalent", "equivalent", True),
    ((0.0, 1.9), (0.1, 1.8), "not_worse", N, N, False),
    ((-0.2, 1.9), (-0.1, 1.8), "not_worse", N, N, False),
    ((-0.5, 0.5), (-0.4, 0.4), "equivalent", "equivalent", "equivalent", True),
    ((-1.2, 1.2), (-0.9, 0.9), "equivalent", "equivalent", "equivalent", True),
    ((-1.2, 1.2), (-1.0, 0.9), N, "not_worse", N, False),
    ((-1.2, 1.2), (-0.9, 1.0), "not_worse", N, N, False),
    ((-1.2, 1.2), (-1.0, 1.0), N, N, N, False),
    ((-3.0, 3.0), (-2.0, 2.0), N, N, N, False),
    ((-1.9, 0.2), (-1.8, 0.1), N, "not_worse", N, False),
    ((-1.9, 0.0), (-1.8, -0.1), N, "not_worse", N, False),
    ((-0.9, 0.0), (-0.8, -0.1), "equivalent", "equivalent", "equivalent", True),
    ((-0.9, -0.1), (-0.8, -0.2), W, "improved", "changed", True),
    ((-2.0, -0.5), (-1.9, -0.6), W, "improved", "changed", False),
    ((-4.0, -2.0), (-3.8, -2.2), W, "improved", "changed", False),
]


@pytest.mark.parametrize(("wide", "narrow", "higher", "lower", "none", "within"), CASES)
def test_every_place_of_the_intervals_has_its_verdict(wide, narrow, higher, lower, none, within):
    """Two intervals against 0 and the margin: each side of each, and just on it."""
    for better, code in (("higher", higher), ("lower", lower), ("none", none)):
        found = verdict(interval(*wide), interval(*narrow), better, margin=1.0)
        assert (found.code, found.within_margin) == (code, within), better
        without = verdict(interval(*wide), interval(*narrow), better)
        assert without.code == (code if code in ("improved", "worsened", "changed") else "no_evidence"), better
        assert without.rules_out == max(map(abs, wide))
        assert not without.within_margin


def test_the_table_holds_every_verdict():
    codes = {code for case in CASES for code in case[2:5]}
    assert codes | {"no_evidence"} == {
        *("improved", "worsened", "changed", "equivalent", "not_worse", "no_evidence", "inconclusive")
    }


def test_a_worsening_may_be_small_enough_to_be_borne():
    found = verdict(interval(-0.9, -0.1), interval(-0.8, -0.2), "higher", margin=1.0)
    assert (found.code, found.within_margin, found.above_worst) == ("worsened", True, True)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_without_an_interval_nothing_is_said(broken):
    found = verdict(interval(-broken, broken), interval(-broken, broken), "higher")
    assert (found.code, found.rules_out) == ("inconclusive", float("inf"))
    assert judged(0.3, broken).code == "inconclusive"
    assert judged(0.3, 0.1, df=0).code == "inconclusive"


estimates = {
    "estimate": st.floats(-5, 5),
    "se": st.floats(0.01, 3),
    "df": st.sampled_from([2.0, 10.0, 1000.0, np.inf]),
    "margin": st.floats(0.05, 5),
}


@given(**estimates)
def test_what_is_better_upwards_is_worse_downwards(estimate, se, df, margin):
    mirror = {"improved": "improved", "worsened": "worsened"}
    up = judged(estimate, se, df, better="higher", margin=margin)
    down = judged(-estimate, se, df, better="lower", margin=margin)
    assert up == down
    either = judged(estimate, se, df, margin=margin)
    assert (either.code == "changed") == (up.code in mirror)


@given(**estimates)
def test_verdicts_agree_with_the_tests_they_stand_for(estimate, se, df, margin):
    """Student's t test for a change, Schuirmann's for none, one side of it for not worse."""
    p = 2 * stats.t.sf(abs(estimate) / se, df)
    found = judged(estimate, se, df, better="higher", margin=margin)
    both = tost(estimate, se, df, margin)
    one = not_worse_p(estimate, se, df, "higher", margin)
    assume(min(abs(p - 0.05), abs(both.p - 0.05), abs(one - 0.05)) > 1e-9)
    assert (found.code in ("improved", "worsened")) == (p < 0.05)
    assert found.within_margin == (both.p < 0.05) == both.equivalent
    assert found.above_worst == (one < 0.05)


@given(**estimates, wider=st.floats(1, 10))
def test_a_wider_margin_never_takes_back_that_it_is_the_same(estimate, se, df, margin, wider):
    if judged(estimate, se, df, margin=margin).within_margin:
        assert judged(estimate, se, df, margin=margin * wider).within_margin


@given(**estimates, unit=st.floats(1e-3, 1e3))
def test_units_do_not_matter(estimate, se, df, margin, unit):
    one = judged(estimate, se, df, better="lower", margin=margin)
    other = judged(estimate * unit, se * unit, df, better="lower", margin=margin * unit)
    assume(min(abs(tost(estimate, se, df, margin).p - 0.05), abs(2 * stats.t.sf(abs(estimate) / se, df) - 0.05)) > 1e-9)
    assert one.code == other.code


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(ParameterError) as refused:
        call(*args, **kwargs)
    return refused.value.text("en")


def test_what_cannot_be_right_is_refused_in_words():
    assert refusal(judged, 1.0, 0.1, margin=0.0) == "A margin is a size above 0; this one is 0."
    assert refusal(judged, 1.0, 0.1, better="up") == "Better is “higher”, “lower” or “none”, not “up”."
    assert refusal(not_worse_p, 1.0, 0.1, 10, "none", 1.0) == (
        "“Not worse” needs a direction: better is “higher” or “lower”, not “none”."
    )
