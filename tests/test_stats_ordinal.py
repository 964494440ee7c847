"""Relative effects against R's lawstat and scipy, shifts against R's wilcox.test, counts against rows."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from cxkit.stats import relative_effect, shift

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
PAIN_Y = [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1]  # shoulder pain after surgery, two treatments
PAIN_N = [3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]

answers = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=8).filter(
    lambda lines: any(n for _, n in lines)
)


def columns(drawn):
    return tuple(np.array(column) for column in zip(*drawn, strict=True))


def test_relative_effect_of_the_pain_scores_is_that_of_r():
    """R lawstat: brunner.munzel.test: 3.1375, df 17.683, p .005786209, P .788961 [.5952169, .9827052]."""
    found = relative_effect(PAIN_Y, PAIN_N)
    assert ((found.value - 0.5) / found.se, found.df) == pytest.approx((3.1375, 17.683), abs=5e-4)
    assert found.p == pytest.approx(0.005786208666, abs=1e-12)
    assert found.interval == pytest.approx((0.788961, 0.5952169, 0.9827052), abs=5e-7)


@given(answers, answers)
def test_relative_effect_is_that_of_scipy(a, b):
    (va, na), (vb, nb) = columns(a), columns(b)
    one, two = np.repeat(va, na), np.repeat(vb, nb)
    assume(len(one) > 1 and len(two) > 1)
    found = relative_effect(va, vb, na, nb)
    assume(found.se > 0)
    theirs = stats.brunnermunzel(one, two)
    assert ((found.value - 0.5) / found.se, found.p) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)


@given(answers, answers)
def test_counted_answers_give_what_the_answers_give(a, b):
    (va, na), (vb, nb) = columns(a), columns(b)
    counted, rows = relative_effect(va, vb, na, nb), relative_effect(np.repeat(va, na), np.repeat(vb, nb))
    assert counted == pytest.approx(rows, rel=1e-9, abs=1e-12, nan_ok=True)
    assert shift(va, vb, na, nb) == pytest.approx(shift(np.repeat(va, na), np.repeat(vb, nb)), abs=1e-9)


@given(answers, answers)
def test_swapping_the_groups_mirrors_the_effect(a, b):
    (va, na), (vb, nb) = columns(a), columns(b)
    there, back = relative_effect(va, vb, na, nb), relative_effect(vb, va, nb, na)
    assert (there.value, there.low, there.p) == pytest.approx((1 - back.value, 1 - back.high, back.p), nan_ok=True)


@given(answers, answers)
def test_only_the_order_of_the_answers_counts(a, b):
    (va, na), (vb, nb) = columns(a), columns(b)
    assert relative_effect(va**3, vb**3, na, nb) == pytest.approx(relative_effect(va, vb, na, nb), nan_ok=True)


def test_groups_that_do_not_overlap_have_an_effect_without_an_interval():
    found = relative_effect([1, 2], [3, 4, 5])
    assert found.value == 1
    assert math.isnan(found.low) and math.isnan(found.p)
    assert math.isnan(relative_effect([], [1]).value)


def test_unequal_spread_does_not_raise_false_alarms():
    """Both groups centred, one three times as wide and five times as large: Mann-Whitney 13.9 % in the kit's research.

    800 draws; the binomial band at 5 % is 3.5 to 6.5 %.
    """
    rng = np.random.default_rng(12)
    ours = theirs = 0
    for _ in range(800):
        few, many = np.rint(rng.normal(0, 3, 30)), np.rint(rng.normal(0, 1, 150))
        ours += relative_effect(few, many).p < 0.05
        theirs += stats.mannwhitneyu(few, many).pvalue < 0.05
    assert 0.035 < ours / 800 < 0.065
    assert theirs / 800 > 0.10


def test_answers_of_the_same_agents_are_less_sure_than_they_look():
    rng = np.random.default_rng(3)
    agent = np.repeat(np.arange(20), 30)
    old, new = (np.clip(np.rint(4 + rng.normal(0, 0.7, 20)[agent] + rng.normal(0, 1, 600)), 1, 5) for _ in range(2))
    plain, clustered = relative_effect(old, new), relative_effect(old, new, clusters=(agent, agent))
    assert clustered.value == plain.value
    assert clustered.se > 2 * plain.se


def test_shift_of_hollander_and_wolfe_is_that_of_r():
    """R: wilcox.test(x, y, conf.int = TRUE), permeability of membranes: .305 [-.15, .76]."""
    term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    early = [1.15, 0.88, 0.90, 0.74, 1.21]
    assert shift(early, term) == pytest.approx((0.305, -0.15, 0.76), abs=1e-12)


def test_shift_of_the_ozone_is_that_of_r():
    """R: wilcox.test(Ozone ~ Month, May and August, conf.int = TRUE): -31.99996 [-52.99999, -14.99998]."""
    ozone = pd.read_csv(ORACLES / "airquality.csv")
    may, august = (ozone.query("Month == @month")["Ozone"] for month in (5, 8))
    assert shift(august, may) == (-32, -53, -15)


@given(answers, answers)
def test_shift_is_the_median_of_all_differences(a, b):
    (va, na), (vb, nb) = columns(a), columns(b)
    differences = (np.repeat(vb, nb)[:, None] - np.repeat(va, na)).ravel()
    found = shift(va, vb, na, nb)
    assert found.estimate == np.median(differences)
    assert found.low <= found.estimate <= found.high
    assert {found.low, found.high} <= set(differences)


def test_shift_of_millions_is_counted_and_not_enumerated():
    """2 x 2 million rows make 4 million million differences."""
    rng = np.random.default_rng(1)
    values = np.arange(5000.0)
    a, b = (
        rng.multinomial(2_000_000, stats.norm.pdf(values, m, 900) / stats.norm.pdf(values, m, 900).sum())
        for m in (2500, 2530)
    )
    found = shift(values, values, a, b)
    assert found.estimate == pytest.approx(30, abs=3)
    assert found.low <= 30 <= found.high
    assert found.high - found.low < 6
