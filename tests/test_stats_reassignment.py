"""Dealing clusters anew against scipy's permutation test, by its own exactness, and with one giant among them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import GIANT, contrast, largest_share, mean, reassigned, reassignment_p

FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]  # Student's sleep data: hours gained
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
values = st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 5)), min_size=4, max_size=8)


def welch(x, y, axis):
    return np.abs(stats.ttest_ind(x, y, axis=axis, equal_var=False).statistic)


@pytest.mark.parametrize("kept", [4, 6])
def test_rows_that_are_their_own_clusters_have_scipys_permutation_test(kept):
    """scipy.stats.permutation_test, all ways, with Welch's t: CR3 of single rows is his error."""
    a, b = FIRST[:kept], SECOND[:kept]
    theirs = stats.permutation_test(
        (a, b), welch, permutation_type="independent", n_resamples=10_000, alternative="greater", vectorized=True
    )
    ours = reassignment_p(mean(a + b), np.repeat([False, True], kept), np.arange(2 * kept))
    assert ours == pytest.approx(theirs.pvalue, abs=1e-12)


def test_many_rows_are_dealt_at_random_and_come_near_to_students_test():
    """R: t.test(extra ~ group, data = sleep), p .07939; 9,999 of the 184,756 ways, error .3 points."""
    found = reassignment_p(mean(FIRST + SECOND), np.repeat([False, True], 10), np.arange(20))
    assert found == pytest.approx(0.0794, abs=0.01)
    assert found == reassignment_p(mean(FIRST + SECOND), np.repeat([False, True], 10), np.arange(20))


@given(values)
def test_of_all_ways_to_deal_no_more_than_a_share_p_have_a_p_so_small(drawn):
    """Exact by construction, whatever the sizes: over all ways, P(p <= a) <= a for every a."""
    value, n = map(np.array, zip(*drawn, strict=True))
    clusters, half = np.arange(len(value)), len(value) // 2
    found = []
    for chosen in itertools.combinations(range(len(value)), half):
        found.append(reassignment_p(mean(value, n), np.isin(clusters, chosen), clusters))
    if not np.isnan(found).any():
        assert all(np.mean(np.array(found) <= p + 1e-12) <= p + 1e-9 for p in found)


@given(values, st.integers(1, 4))
def test_names_order_unit_and_counted_lines_do_not_matter(drawn, unit):
    value, n = map(np.array, zip(*drawn, strict=True))
    late = np.arange(len(value)) % 2 == 1
    plain = reassignment_p(mean(value, n), late, np.arange(len(value)))
    turned = reassignment_p(
        mean(unit * value[::-1] + 3, n[::-1]), late[::-1], [f"agent {c}" for c in range(len(value))][::-1]
    )
    rows = reassignment_p(mean(np.repeat(value, n)), np.repeat(late, n), np.repeat(np.arange(len(value)), n))
    assert (turned, rows) == pytest.approx((plain, plain), nan_ok=True)


def test_with_one_giant_among_few_it_finds_what_students_t_by_clusters_cannot():
    """Ten agents, one with half of all tickets: a change of three standard deviations of an agent, 40 draws."""
    rng = np.random.default_rng(3)
    size = np.array([400, 40, 40, 40, 40, 40, 40, 40, 40, 40])
    agent, late = np.repeat(np.arange(10), size), np.repeat(np.arange(10) % 2 == 0, size)
    seen = np.zeros(2)
    for _ in range(40):
        y = rng.normal(size=10)[agent] + rng.normal(size=len(agent)) + 3 * late
        clusters = agent[~late], agent[late]
        seen += [
            reassignment_p(mean(y), late, agent) < 0.05,
            contrast(mean(y[~late]), mean(y[late]), clusters=clusters).p < 0.05,
        ]
    assert seen[0] > 1.5 * seen[1] > 0


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_where_one_has_a_third_of_its_side_students_t_by_clusters_falls_silent(share):
    """Sixty clusters a side, of which one has a tenth, or half, of it: 400 draws without a change."""
    rng = np.random.default_rng(4)
    n = np.full(120, 20.0)
    n[0] = round(share / (1 - share) * n[1:60].sum())
    late, who = np.arange(120) >= 60, np.arange(120)
    assert largest_share(late, who, n) == pytest.approx(share, abs=0.01)
    claims = np.zeros(2)
    for _ in range(400):
        y = rng.normal(size=120) + rng.normal(size=120) / np.sqrt(n)
        sides = mean(y[~late], n[~late]), mean(y[late], n[late])
        claims += [
            contrast(*sides, clusters=(who[~late], who[late])).p < 0.05,
            reassignment_p(mean(y, n), late, who, draws=199) <= 0.05,
        ]
    assert 0.03 < claims[1] / 400 < 0.07
    assert (claims[0] / 400 < 0.035) == (share > GIANT)


def test_rows_without_a_cluster_belong_to_their_side():
    assert largest_share([False, False, True, True], ["a", None, "b", "c"]) == 0.5
    assert largest_share([True, True], ["a", "a"]) == 1.0


def test_too_few_to_deal_and_rows_all_alike_have_no_p():
    assert math.isnan(reassignment_p(mean([1, 2, 3]), [False, True, True], [1, 2, 3]))
    assert math.isnan(reassignment_p(mean([5, 5, 5, 5]), [False, False, True, True], [1, 2, 3, 4]))


def test_what_cannot_be_dealt_is_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        reassignment_p(mean([1, 2, 3, 4]), [False, True, True, False], [1, 1, 2, 3])
    assert refused.value.text("en") == (
        "1 cluster is on both sides, so it cannot be dealt to one of them; "
        "compare the sides cluster by cluster instead."
    )
    with pytest.raises(ParameterError) as refused:
        reassignment_p(mean([1, 2], [1, 3]), [False, True], [1, None])
    assert refused.value.text("en") == "3 rows belong to no cluster, so they cannot be dealt with one."


def test_the_interval_holds_what_the_test_does_not_reject():
    """R: t.test(extra ~ group, data = sleep), interval -3.365 to .205, p .07939; dealing agrees but for its draws."""
    rows = np.arange(20)
    found = reassigned(mean(FIRST + SECOND), mean(FIRST), mean(SECOND), clusters=(rows[:10], rows[10:]))
    assert (found.value, found.low, found.high) == pytest.approx((1.58, -0.205, 3.365), abs=0.1)
    assert found.p == pytest.approx(0.0794, abs=0.02)
    late = rows >= 10
    for end, sign in ((found.low, 1), (found.high, -1)):
        moved = np.array(FIRST + SECOND) - late * (end + sign * 1e-6)
        assert reassignment_p(mean(moved), late, rows, draws=1999) > 0.05
        beyond = np.array(FIRST + SECOND) - late * (end - sign * 1e-6)
        assert reassignment_p(mean(beyond), late, rows, draws=1999) <= 0.05


def test_too_few_ways_to_deal_leave_no_bounds():
    """Of the 6 ways to deal four clusters none has a p below 1/6."""
    found = reassigned(mean([1, 2, 7, 9]), mean([1, 2]), mean([7, 9]), clusters=(["a", "b"], ["c", "d"]))
    assert np.isnan([found.low, found.high]).all()
    assert found.p == pytest.approx(1 / 3)


def test_the_interval_covers_a_planted_change_with_one_giant():
    """Twenty agents, one with half of all tickets: 300 draws, a change of one."""
    rng = np.random.default_rng(5)
    n = np.array([380.0] + [20.0] * 19)
    late, who, covered = np.arange(20) % 2 == 0, np.arange(20), 0
    for _ in range(300):
        y = rng.normal(size=20) + rng.normal(size=20) / np.sqrt(n) + late
        order = np.argsort(late, kind="stable")
        both, a, b = mean(y[order], n[order]), mean(y[~late], n[~late]), mean(y[late], n[late])
        found = reassigned(both, a, b, clusters=(who[~late], who[late]), draws=399)
        covered += found.low <= 1 <= found.high
    assert 0.92 <= covered / 300 <= 0.98


def test_many_clusters_are_dealt_in_blocks_that_change_nothing(monkeypatch):
    """A business customer among 40,000 others: the same p however many ways are looked at together."""
    rng = np.random.default_rng(6)
    n = np.ones(40_001)
    n[0] = 15_000
    y, late, who = rng.normal(size=len(n)), np.arange(len(n)) % 2 == 0, np.arange(len(n))
    whole = reassignment_p(mean(y, n), late, who, draws=99)
    monkeypatch.setattr("cxkit.stats.reassignment._BLOCK", 300_000)
    assert reassignment_p(mean(y, n), late, who, draws=99) == whole
