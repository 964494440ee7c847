"""Whether sides are fit to be compared, against textbooks, R, scipy and lme4."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats.contingency import association as scipy_association

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import (
    association,
    calendar_imbalance,
    design_effect,
    follow_up,
    likeness,
    sample_ratio,
    skew_reach,
    skewness,
)
from cxkit.stats.balance import SAMPLE_RATIO_ALARM, SKEWED

# Sokal and Rohlf, Biometry, box 9.1: width of the scutum of larvae of a tick on four rabbits
TICKS = [
    [380, 376, 360, 368, 372, 366, 374, 382],
    [350, 356, 358, 376, 338, 342, 366, 350, 344, 364],
    [354, 360, 362, 352, 366, 372, 362, 344, 342, 358, 351, 348, 348],
    [376, 344, 342, 372, 374, 360],
]

tables = st.lists(st.lists(st.integers(1, 500), min_size=3, max_size=3), min_size=2, max_size=4)


def test_groups_of_the_wrong_size_are_those_of_kohavi():
    """Kohavi, Tang and Xu (2020): 821,588 against 815,482; R chisq.test: 22.774369, p 1.821793e-06."""
    found = sample_ratio([821_588, 815_482])
    assert found.statistic == pytest.approx(22.774369, abs=1e-6)
    assert found.p == pytest.approx(1.821793e-06, rel=1e-6)
    assert found.p < SAMPLE_RATIO_ALARM < sample_ratio([100_000, 99_000]).p


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=5), st.integers(1, 9))
def test_sizes_meant_to_be_uneven_are_those_of_scipy(counts, first):
    """scipy.stats.chisquare."""
    shares = np.r_[first, np.ones(len(counts) - 1)]
    theirs = stats.chisquare(counts, np.sum(counts) * shares / shares.sum())
    assert tuple(sample_ratio(counts, shares))[::2] == pytest.approx(tuple(theirs))


@given(tables)
def test_a_shift_of_the_mix_is_that_of_scipy(table):
    """scipy: chi2_contingency without correction, and Cramer's V."""
    found, theirs = association(table), stats.chi2_contingency(table, correction=False)
    assert (found.test.statistic, found.test.df, found.test.p) == pytest.approx(
        (theirs.statistic, theirs.dof, theirs.pvalue), abs=1e-12
    )
    assert found.cramers_v == pytest.approx(scipy_association(np.array(table), method="cramer"), abs=1e-9)


@given(tables, st.integers(2, 50))
def test_more_rows_of_the_same_mix_change_p_and_not_the_size(table, times):
    one, many = association(table), association(np.array(table) * times)
    assert many.cramers_v == pytest.approx(one.cramers_v)
    assert many.moved == pytest.approx(one.moved)
    assert many.test.p <= one.test.p + 1e-12


def test_kinds_that_never_occur_do_not_count():
    assert association([[10, 0, 5], [8, 0, 9]]) == association([[10, 5], [8, 9]])
    assert association([[10, 0], [8, 0]]).test.p == 1


def test_whole_weeks_match_and_a_long_weekend_does_not():
    week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert calendar_imbalance(week * 8, week * 3) == 0
    assert calendar_imbalance(week, week[:5]) == pytest.approx(2 / 7)
    assert calendar_imbalance(["Mon"], ["Tue"]) == 1


def test_ticks_on_rabbits_are_those_of_the_textbook():
    """Sokal and Rohlf, box 9.1: F 5.263, n0 9.009; 32.1% of the variance is among rabbits."""
    rabbits = np.repeat(range(4), [len(rabbit) for rabbit in TICKS])
    found = likeness(np.concatenate(TICKS), rabbits)
    assert found.icc == pytest.approx(0.321, abs=5e-4)
    assert found.typical == pytest.approx(9.009, abs=5e-4)
    assert found.p == pytest.approx(stats.f.sf(5.263, 3, 33), rel=1e-3)
    assert found.low < found.icc < found.high


def test_two_equal_clusters_are_those_of_lme4():
    """lmer(X ~ 1 + (1 | Group)) gives variances 11.17 and 4.00 (stats.stackexchange.com, question 350821)."""
    assert likeness([4, 5, 6, 8, 9, 13], list("aaabbb")).icc == pytest.approx(11.17 / 15.17, abs=2e-4)


@given(st.integers(0, 100), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_unit_and_names_do_not_change_the_likeness(seed, shift, scale):
    rng = np.random.default_rng(seed)
    who = rng.integers(0, 6, 40)
    y = rng.normal(size=40) + rng.normal(size=6)[who]
    one, other = likeness(y, who), likeness(shift + scale * y, [f"agent {w}" for w in who])
    assert (other.icc, other.low, other.high) == pytest.approx((one.icc, one.low, one.high), abs=1e-6)


@pytest.mark.parametrize("spread", [0.3, 1.2])
def test_likeness_covers_the_true_one(spread):
    """95 in 100 intervals hold a likeness of .2, however unequal the 25 clusters are: Wald's is exact."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(500):
        who = np.repeat(np.arange(25), np.maximum(rng.lognormal(2.5, spread, 25), 1).astype(int))
        found = likeness(rng.normal(size=len(who)) + 0.5 * rng.normal(size=25)[who], who)
        held += found.low < 0.2 < found.high
    assert 0.925 < held / 500 < 0.975


@given(st.integers(0, 200), st.integers(2, 9), st.integers(2, 9))
def test_likeness_of_equal_clusters_has_the_closed_interval_of_shrout_and_fleiss(seed, clusters, rows):
    """Shrout and Fleiss (1979), ICC(1): (F / F* - 1) / (F / F* + k - 1), F* the quantiles of the F law."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(clusters, rows)) + rng.normal(size=(clusters, 1))
    found = likeness(y.ravel(), np.repeat(np.arange(clusters), rows))
    f = stats.f_oneway(*y).statistic
    quantiles = stats.f.ppf([0.975, 0.025], clusters - 1, clusters * (rows - 1))
    closed = [(f / q - 1) / (f / q + rows - 1) for q in quantiles]
    assert (found.low, found.high) == pytest.approx(closed, abs=1e-6)


def test_clusters_that_are_all_alike_and_all_different():
    assert likeness([1, 1, 2, 2], [0, 0, 1, 1]).icc == 1
    assert likeness([1, 2, 1, 2], [0, 0, 1, 1]).icc < 0
    assert likeness([3, 3, 3, 3], [0, 0, 1, 1]).icc == 0
    assert likeness([1, np.nan, 1, 2, 2], [0, 0, 0, 1, None]).rows == 3


def test_rows_needed_for_clusters_are_those_of_the_plan():
    """Measured elsewhere: likeness .05 and 100 tickets an agent make 1,250 rows 7,435, that is 5.95 times."""
    assert design_effect([100], 0.05) == pytest.approx(5.95)
    assert design_effect([1] * 10, 0.5) == 1
    assert design_effect([5, 5], -0.1) == 1


@given(st.lists(st.integers(1, 200), min_size=2, max_size=30), st.floats(0, 1))
def test_unequal_clusters_cost_as_eldridge_says(sizes, icc):
    """Eldridge, Ashby and Kerry (2006): 1 + ((cv^2 + 1) mean size - 1) icc."""
    m = np.array(sizes, dtype=float)
    cv2 = m.var() / m.mean() ** 2
    assert design_effect(sizes, icc) == pytest.approx(1 + ((cv2 + 1) * m.mean() - 1) * icc)


def test_sides_watched_for_different_times_are_told():
    """In the reverse curve those who finished are the ones whose watching was cut short (Schemper and Smith 1996)."""
    rng = np.random.default_rng(2)
    true = rng.exponential(40, (2, 4000))
    ends = np.array([rng.uniform(50, 90, 4000), rng.uniform(10, 50, 4000)])
    seen, done = np.minimum(true, ends), true <= ends
    found = follow_up(seen[0], done[0], seen[1], done[1])
    assert found.watched == pytest.approx((70, 30), abs=2)
    assert found.open_shares[1] > 2 * found.open_shares[0]
    assert found.difference.p < 1e-6
    assert found.horizon == seen[1].max()


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=30))
def test_skewness_is_that_of_scipy(values):
    assume(np.std(values) > 1e-3)
    assert skewness(values) == pytest.approx(stats.skew(values), abs=1e-6)
    assert skewness(values, [2] * len(values)) == pytest.approx(skewness(values))


def test_heavy_tails_pass_the_mark_where_the_t_test_fails():
    """Measured elsewhere: log-normal with sigma 2, 200 against 2,000 rows: Welch errs 13.3 to 14.1% of the time."""
    rng = np.random.default_rng(6)
    tails = rng.lognormal(0, 2, (400, 2200))
    reach = np.median([skew_reach(x[:200], x[200:]) for x in tails])
    alarms = np.mean(stats.ttest_ind(tails[:, :200], tails[:, 200:], axis=1, equal_var=False).pvalue < 0.05)
    assert reach > 3 * SKEWED
    assert alarms > 0.1
    mild = rng.gamma(4, size=(2000, 400))
    assert np.median([skew_reach(x[:200], x[200:]) for x in mild[:100]]) < SKEWED
    assert np.mean(stats.ttest_ind(mild[:, :200], mild[:, 200:], axis=1, equal_var=False).pvalue < 0.05) < 0.065


def refusal(call, *args) -> str:
    with pytest.raises(ParameterError) as refused:
        call(*args)
    return refused.value.text("en")


def test_what_cannot_be_compared_is_refused_in_words():
    assert refusal(likeness, [1, 2, 3], [0, 0, 0]) == (
        "Whether rows of one cluster resemble each other needs two clusters and more rows than clusters; "
        "there is 1 cluster and 3 rows."
    )
    assert refusal(sample_ratio, [5]) == "Each of at least two groups must be expected to have some rows."
    assert refusal(sample_ratio, [5, -1]) == "A count cannot be negative: -1."
    assert refusal(calendar_imbalance, [], ["Mon"]) == "One of the sides is empty, so there is nothing to compare."
    assert refusal(association, [1, 2]) == (
        "A mix is a table of counts with a row for each side and a column for each kind."
    )
