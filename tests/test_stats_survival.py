"""Kaplan-Meier against textbooks, R and lifelines, and against the naive numbers of closed tickets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_lung
from lifelines.statistics import logrank_test
from lifelines.utils import median_survival_times, restricted_mean_survival_time
from statsmodels.stats.proportion import proportion_confint

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import kaplan_meier, log_rank

# Freireich et al. 1963, remission in weeks under 6-MP; 1 = relapse, 0 = still in remission
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]

rows = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40)


def test_curve_is_the_one_in_the_textbooks():
    """Gehan's (1965) table of the 6-MP arm, printed in Klein and Moeschberger, table 4.1B, with Greenwood's error."""
    curve = kaplan_meier(WEEKS, RELAPSED)
    waiting = {t: round(1 - curve.within(t).estimate, 3) for t in (6, 7, 10, 13, 16, 22, 23)}
    assert waiting == {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    step = np.flatnonzero(curve.times == 23)[0]
    assert curve.survival[step] * math.sqrt(curve.variance[step]) == pytest.approx(0.1346, abs=5e-5)
    assert curve.at_risk[step] == 6


def test_median_has_a_lower_bound_and_no_upper_one():
    """R: survfit(..., conf.type = "log-log") of the 6-MP arm: median 23, 95% from 13, upper NA."""
    assert kaplan_meier(WEEKS, RELAPSED).quantile_interval(0.5) == (23, 13, math.inf)


@pytest.mark.parametrize(("sex", "median", "low", "high"), [(1, 270, 210, 306), (2, 426, 345, 524)])
def test_medians_of_the_lung_data_are_those_of_r(sex, median, low, high):
    """R: survfit(Surv(time, status) ~ sex, lung, conf.type = "log-log")."""
    part = load_lung().query("sex == @sex")
    assert kaplan_meier(part["time"], part["status"]).quantile_interval(0.5) == (median, low, high)


@pytest.mark.parametrize(("sex", "mean", "error"), [(1, 324.0484, 22.29794), (2, 455.9041, 32.91742)])
def test_capped_means_of_the_lung_data_are_those_of_r(sex, mean, error):
    """R: survRM2::rmst2 of lung at tau = 965."""
    part = load_lung().query("sex == @sex")
    found = kaplan_meier(part["time"], part["status"]).capped_mean(965)
    assert found.estimate == pytest.approx(mean, abs=5e-5)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(error, abs=5e-5)


@given(rows)
def test_curve_and_bounds_are_those_of_lifelines(data):
    """Ours differ on purpose where lifelines gives no width (S of 0 or 1), and where it misses an S of one half.

    (It adds up logarithms, and rounding leaves it just above: three of six done at once, and its median is infinite.)
    A lower bound of ours is never later than the longest time watched, nor than Wilson's on those still watched.
    """
    time, done = np.array([t for t, _ in data]), np.array([d for _, d in data])
    fitted = KaplanMeierFitter().fit(time, done)
    curve = kaplan_meier(time, done)
    theirs = fitted.survival_function_["KM_estimate"].reindex(curve.times).to_numpy()
    assert curve.survival == pytest.approx(theirs, abs=1e-12)
    some_left = curve.survival > 0
    band = fitted.confidence_interval_.reindex(curve.times).to_numpy()
    for ours, peer in zip(curve.band(), band.T, strict=True):
        known = some_left & ~np.isnan(peer)
        assert ours[known] == pytest.approx(peer[known], abs=1e-9)
    if some_left.all() and not np.isclose(curve.survival, 0.5).any():
        low, high = median_survival_times(fitted.confidence_interval_).iloc[0]
        ours = curve.quantile_interval(0.5)
        assert (ours.estimate, ours.high) == (fitted.median_survival_time_, high)
        assert ours.low == low or ours.low < low


@given(rows, st.integers(1, 12))
def test_capped_mean_is_that_of_lifelines(data, horizon):
    curve = kaplan_meier(*zip(*data, strict=True))
    assume(horizon <= curve.followed)
    fitted = KaplanMeierFitter().fit(*zip(*data, strict=True))
    assert curve.capped_mean(horizon).estimate == pytest.approx(restricted_mean_survival_time(fitted, t=horizon))


@given(rows, st.randoms())
def test_counted_rows_give_the_curve_of_the_rows_in_any_order(data, shuffle):
    counts = {row: data.count(row) for row in data}
    lines = list(counts)
    shuffle.shuffle(lines)
    counted = kaplan_meier(*zip(*lines, strict=True), weights=[counts[line] for line in lines])
    plain = kaplan_meier(*zip(*data, strict=True))
    for part in ("times", "survival", "at_risk", "events", "variance"):
        assert getattr(counted, part) == pytest.approx(getattr(plain, part), rel=1e-12)
    assert counted.quantile_interval(0.5) == plain.quantile_interval(0.5)
    assert counted.within(6) == pytest.approx(plain.within(6), nan_ok=True)


@given(rows, st.integers(0, 12))
def test_influences_sum_to_nothing_and_their_squares_to_greenwoods_variance(data, t):
    """Greenwood (1926); the tie weight 1 / (1 - d / r) makes the two equal, not only close."""
    curve = kaplan_meier(*zip(*data, strict=True))
    moves = curve.influence(t)
    step = np.searchsorted(curve.times, t, side="right") - 1
    assert moves.sum() == pytest.approx(0, abs=1e-12)
    if step >= 0 and curve.survival[step] > 0:
        assert (moves**2).sum() == pytest.approx(curve.survival[step] ** 2 * curve.variance[step], abs=1e-12)


@given(rows, st.integers(1, 12))
def test_influences_on_the_capped_mean_sum_to_nothing_and_their_squares_to_its_variance(data, horizon):
    """Klein and Moeschberger 4.5.2, by the width of the interval."""
    curve = kaplan_meier(*zip(*data, strict=True))
    found, moves = curve.capped_mean(horizon), curve.capped_influence(horizon)
    assert moves.sum() == pytest.approx(0, abs=1e-12)
    if found.low > 0 and found.high < horizon:
        assert math.sqrt((moves**2).sum()) == pytest.approx((found.high - found.low) / 2 / 1.959963984540054)


def test_log_rank_of_the_lung_patients_is_that_of_r():
    """R: survdiff(Surv(time, status) ~ sex, data = lung): 10.3267, p .001311, women 53 against 73.4183 expected."""
    lung = load_lung()
    found = log_rank(lung["time"], lung["status"], lung["sex"] == 2)
    assert (found.chi2, found.p) == pytest.approx((10.3267, 0.001311), rel=2e-4)
    assert (found.done, found.expected) == pytest.approx((53, 73.4183), abs=5e-5)


def test_log_rank_of_freireich_is_that_of_r():
    """R: survdiff(Surv(time, cens) ~ treat, data = MASS::gehan): 16.7929, p 4.169e-05."""
    control = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    found = log_rank(WEEKS + control, RELAPSED + [1] * 21, [False] * 21 + [True] * 21)
    assert (found.chi2, found.p) == pytest.approx((16.7929, 4.169e-05), rel=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::lifelines")
@given(rows, rows)
def test_log_rank_is_that_of_lifelines_for_rows_and_for_counts(a, b):
    assume(len(a) > 1 and len(b) > 1)
    (ta, da), (tb, db) = (zip(*data, strict=True) for data in (a, b))
    found = log_rank(ta + tb, da + db, [False] * len(a) + [True] * len(b))
    assume(not math.isnan(found.chi2))
    assert found.chi2 == pytest.approx(logrank_test(ta, tb, da, db).test_statistic, abs=1e-9)
    lines = {(t, d, s): data.count((t, d)) for s, data in enumerate((a, b)) for t, d in data}
    counted = log_rank(*zip(*lines, strict=True), n=list(lines.values()))
    assert counted == pytest.approx(found, abs=1e-9)


def test_log_rank_does_not_run_over_with_a_million_rows():
    """Products of counts pass 2^63 there; rows repeated a thousand times make chi-squared as much larger."""
    time, done, second = [1, 2, 3, 4, 5, 1, 2, 2, 3, 5], [1, 1, 1, 1, 0, 1, 1, 1, 1, 1], [0] * 5 + [1] * 5
    small, large = (log_rank(time, done, second, np.full(10, n)) for n in (1_000, 1_000_000))
    assert large.chi2 / small.chi2 == pytest.approx(1000, rel=1e-3)
    assert large.done == 5_000_000


@given(rows, st.integers(0, 12))
def test_bounds_hold_the_estimate_and_stay_between_zero_and_one(data, t):
    found = kaplan_meier(*zip(*data, strict=True)).within(t)
    assert math.isnan(found.estimate) or 0 <= found.low <= found.estimate <= found.high <= 1


def test_without_open_tickets_the_curve_is_the_plain_share():
    found = kaplan_meier([1, 2, 3, 4], [True] * 4)
    assert [found.within(t).estimate for t in (0, 1, 2.5, 4, 9)] == [0, 0.25, 0.5, 1, 1]
    assert found.median == 2


def test_all_open_is_not_reached_and_says_how_much_it_may_be():
    """Nobody of ten finished while watched: up to Wilson's 27.8% may still have."""
    curve = kaplan_meier([5] * 10, [False] * 10)
    assert curve.quantile_interval(0.5) == (math.inf, 5, math.inf), "beyond what was watched nothing is known"
    assert curve.within(5) == pytest.approx((0, 0, 0.277533), abs=1e-6)
    assert curve.censored == 10


def test_a_share_beyond_what_anybody_was_watched_is_missing():
    curve = kaplan_meier([1, 2, 3], [True, True, False])
    assert all(math.isnan(x) for x in curve.within(4))
    assert all(math.isnan(x) for x in curve.capped_mean(4))
    assert curve.within(3).estimate == pytest.approx(2 / 3)


def test_finished_count_before_open_at_the_same_time():
    """At 6 weeks three of 21 relapse and one is censored: 18 / 21 remain, not 17 / 20."""
    assert 1 - kaplan_meier(WEEKS, RELAPSED).within(6).estimate == pytest.approx(18 / 21)


def test_a_half_is_a_half_whatever_rounding_says():
    """Three of six done at once: the median is that moment."""
    assert kaplan_meier([1] * 6, [True] * 3 + [False] * 3).median == 1
    assert kaplan_meier([1, 2, 3, 4, 5, 6], [True] * 6).median == 3


def test_one_row_and_no_row():
    assert kaplan_meier([3], [True]).quantile_interval(0.5).estimate == 3
    empty = kaplan_meier([], [])
    assert math.isnan(empty.median)
    assert math.isnan(empty.within(1).estimate)


def test_all_done_keeps_a_width():
    """Ten of ten within a day: Wilson's lower bound of 10 in 10, as for any share."""
    assert kaplan_meier([1] * 10, [True] * 10).within(1) == pytest.approx((1, 0.722467, 1), abs=1e-6)


def test_the_last_to_finish_does_not_vouch_for_those_who_left():
    """Four of six left unfinished, and the curve falls to 0 because the one who was still watched finished.

    Up to 97.5% may have waited before that step (lifelines), and of those up to Wilson's 79.3% (statsmodels) longer.
    """
    curve = kaplan_meier([1, 2, 3, 4, 5, 6], [True, False, False, False, False, True])
    before = KaplanMeierFitter().fit(curve.times, curve.done).confidence_interval_.iloc[-2, 1]
    assert curve.band()[1][-1] == pytest.approx(before * proportion_confint(0, 1, method="wilson")[1])
    assert curve.quantile_interval(0.9) == (6, 6, math.inf)
    together = kaplan_meier([3, 3, 3], [True] * 3).band()[1]
    assert together[0] == pytest.approx(proportion_confint(0, 3, method="wilson")[1])


@pytest.mark.parametrize(("n", "low"), [(1, 0), (3, 0), (4, 5), (10, 5)])
def test_few_who_all_took_long_do_not_prove_that_all_do(n, low):
    """The first of n to finish lies above the true median in 1 of 2^n cases: 50% for one row, 6% for four.

    Wilson (1927): with none of three done up to 56% may still be quicker, with none of four 49%.
    """
    assert kaplan_meier([5] * n, [True] * n).quantile_interval(0.5).low == low


def test_negative_and_missing_durations_are_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        kaplan_meier([1, -1, np.nan], [True, True, True])
    assert refused.value.text("en") == (
        "2 durations are missing or negative; leave such rows out, or say what they mean, before the curve is made."
    )


def test_a_quantile_of_90_is_refused():
    with pytest.raises(ParameterError) as refused:
        kaplan_meier([1], [True]).quantile(90)
    assert refused.value.text("en") == "A quantile lies between 0 and 1, such as 0.9; this one is 90."


def test_open_tickets_counted_give_the_truth_where_closed_ones_flatter():
    """K06: lognormal, median 24 h, sigma 1.5, arrivals over 30 days. Truth: median 24, P90 164.1, within 72 h 76.8%."""
    rng = np.random.default_rng(6)
    n = 100_000
    hours, watched = np.exp(np.log(24) + 1.5 * rng.standard_normal(n)), rng.uniform(0, 720, n)
    done = hours <= watched
    curve, closed = kaplan_meier(np.minimum(hours, watched), done), hours[done]
    assert done.mean() == pytest.approx(0.91, abs=0.01)
    assert curve.median == pytest.approx(24.0, rel=0.02)
    assert curve.quantile(0.9) == pytest.approx(164.1, rel=0.03)
    assert curve.within(72).estimate == pytest.approx(0.768, abs=0.005)
    assert np.median(closed) == pytest.approx(20.6, abs=0.3)
    assert np.quantile(closed, 0.9) == pytest.approx(113.6, abs=2)
    assert (closed <= 72).mean() == pytest.approx(0.821, abs=0.005)
