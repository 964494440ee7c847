"""Intervals against published numbers, against statsmodels, and their coverage by enumeration."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import count_interval, mean_interval, net_adjusted_wald, net_wald, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(27, 30, 74.38, 96.54), (19, 20, 76.39, 99.11), (10, 10, 72.25, 100.0)]
)
def test_wilson_gives_the_published_bounds(successes, n, low, high):
    """Golden numbers of K01."""
    found = wilson(successes, n)
    assert found.estimate == successes / n
    assert (round(100 * found.low, 2), round(100 * found.high, 2)) == (low, high)


def test_wilson_keeps_inside_zero_to_one_when_nobody_is_satisfied():
    """Wilson (1927), eq. for p = 0: upper bound is z^2 / (n + z^2)."""
    z = 1.959964
    assert wilson(0, 10).low == 0
    assert wilson(0, 10).high == pytest.approx(z**2 / (10 + z**2), abs=1e-6)


@given(n=st.integers(1, 100_000), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_agrees_with_statsmodels(n, share, level):
    successes = round(n * share)
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    found = wilson(successes, n, level)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_wilson_of_arrays_is_wilson_of_each_number():
    many = wilson(np.array([0, 5, 0]), np.array([10, 10, 0]))
    assert many.low[1] == wilson(5, 10).low
    assert math.isnan(many.estimate[2])
    assert (many.low[2], many.high[2]) == (0, 1)


def test_nobody_asked_says_nothing():
    assert math.isnan(wilson(0, 0).estimate)
    assert wilson(0, 0)[1:] == (0, 1)
    assert net_adjusted_wald(0, 0, 0)[1:] == (-1, 1)


def test_more_hits_than_cases_are_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        wilson(11, 10)
    assert refused.value.text("en") == "There cannot be more hits than cases, nor fewer than none: 11 of 10."


def test_a_level_of_95_is_refused_because_shares_lie_below_one():
    with pytest.raises(ParameterError) as refused:
        wilson(5, 10, level=95)
    assert refused.value.text("en") == "A confidence level lies between 0 and 1, such as 0.95; this one is 95."


@pytest.mark.parametrize(
    ("p", "n", "wald_covers", "wilson_covers"),
    [(0.95, 10, 40, 91), (0.9, 10, 65, 93), (0.9, 30, 81, 97), (0.9, 100, 93, 94)],
)
def test_wilson_covers_where_wald_does_not(p, n, wald_covers, wilson_covers):
    """Coverage of the 95% interval in K01, here exact: every possible count weighted with its probability."""
    hits = np.arange(n + 1)
    chance = np.array([math.comb(n, int(k)) * p**k * (1 - p) ** (n - k) for k in hits])
    share, z = hits / n, 1.959964
    margin = z * np.sqrt(share * (1 - share) / n)
    found = wilson(hits, n)
    assert round(100 * chance[(share - margin <= p) & (p <= share + margin)].sum()) == wald_covers
    assert round(100 * chance[(found.low <= p) & (p <= found.high)].sum()) == wilson_covers


@pytest.mark.parametrize(
    ("detractors", "passives", "promoters", "net", "wald", "adjusted"),
    [(20, 30, 50, 30.0, (14.69, 45.31), (14.05, 44.20)), (1, 2, 17, 80.0, (57.65, 102.35), (44.91, 94.22))],
)
def test_net_score_gives_the_published_bounds(detractors, passives, promoters, net, wald, adjusted):
    """Golden numbers of K02 (Rocks 2016): Wald passes 100, the adjusted interval does not."""
    plain, better = net_wald(promoters, passives, detractors), net_adjusted_wald(promoters, passives, detractors)
    assert (plain.estimate, better.estimate) == pytest.approx((net / 100, net / 100))
    assert [round(100 * x, 2) for x in plain[1:]] == pytest.approx(wald, abs=0.005)
    assert [round(100 * x, 2) for x in better[1:]] == pytest.approx(adjusted, abs=0.005)


@pytest.mark.parametrize(
    ("shares", "n", "wald_covers", "adjusted_covers"),
    [
        ((0.02, 0.08, 0.90), 10, 64.5, 92.7),
        ((0.02, 0.08, 0.90), 20, 87.6, 95.5),
        ((0.05, 0.15, 0.80), 20, 86.3, 95.5),
        ((0.2, 0.3, 0.5), 20, 92.7, 94.7),
    ],
)
def test_adjusted_wald_covers_the_net_score_where_wald_does_not(shares, n, wald_covers, adjusted_covers):
    """Coverage measured for K02 (simulated there, to a few tenths); here every possible outcome is counted."""
    down, _, up = shares
    outcomes = np.array([(d, n - d - p, p) for d, p in product(range(n + 1), repeat=2) if d + p <= n])
    chance = np.array([_multinomial(outcome, shares) for outcome in outcomes.tolist()])
    detractors, passives, promoters = outcomes.T
    for interval, covers in ((net_wald, wald_covers), (net_adjusted_wald, adjusted_covers)):
        found = interval(promoters, passives, detractors)
        inside = (found.low <= up - down + 1e-12) & (up - down - 1e-12 <= found.high)
        assert 100 * chance[inside].sum() == pytest.approx(covers, abs=0.6)


def _multinomial(counts: list[int], shares: tuple[float, ...]) -> float:
    ways = math.factorial(sum(counts)) / math.prod(map(math.factorial, counts))
    return ways * math.prod(p**k for p, k in zip(shares, counts, strict=True))


def test_count_has_the_exact_poisson_bounds():
    """Garwood (1936), as R prints it: poisson.test(10) gives 4.795389 to 18.390356, poisson.test(0) 0 to 3.688879."""
    found = count_interval([10, 0])
    assert found.low == pytest.approx([4.795389, 0], abs=1e-6)
    assert found.high == pytest.approx([18.390356, 3.688879], abs=1e-6)


def test_mean_has_students_bounds():
    """R: t.test(sleep$extra[1:10]), mean 0.75, 95% interval -0.5297804 to 2.0297804."""
    extra = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    assert mean_interval(extra) == pytest.approx((0.75, -0.5297804, 2.0297804), abs=1e-7)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 50)), min_size=1, max_size=5))
def test_mean_of_counted_answers_is_the_mean_of_the_answers(counted):
    values, weights = zip(*counted, strict=True)
    rows = np.repeat(values, weights)
    if rows.size:
        assert mean_interval(values, weights, scale=(1, 5)) == pytest.approx(
            mean_interval(rows, scale=(1, 5)), abs=1e-9
        )


def test_mean_of_equal_answers_does_not_claim_certainty():
    """Three fives: up to Wilson's bound of 0 in 3 (56.2%) of customers may think otherwise, at worst all of them 1."""
    found = mean_interval([5, 5, 5], scale=(1, 5))
    assert found.high == 5
    assert found.low == pytest.approx(5 - 4 * 0.561498, abs=1e-5)


def test_mean_of_one_answer_may_lie_anywhere_on_the_scale():
    assert mean_interval([4], scale=(1, 5)) == (4, 1, 5)


def test_mean_of_no_answer_is_missing():
    assert math.isnan(mean_interval([], scale=(1, 5)).estimate)
    assert math.isnan(mean_interval([np.nan, 3], [1, 0], scale=(1, 5)).estimate)
