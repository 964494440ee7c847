"""Weighted survey scores against R's survey package, and the bounds of non-response against their closed form."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import contrast, nonresponse_bounds, post_stratified, response_weights
from cxkit.stats.influence import mean

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
SCHOOLS = {"E": 4421, "H": 755, "M": 1018}  # of California, by type

answers = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.integers(1, 4)), min_size=3, max_size=30
).filter(lambda lines: len({g for g, *_ in lines}) == 3)


def test_post_stratified_schools_are_those_of_r():
    """R survey: postStratify(dclus1, ~stype, pop.types), svymean(~api00): 642.31079, SE 23.92049 (15 of 757 drawn)."""
    schools = pd.read_csv(ORACLES / "apiclus1.csv")
    found = post_stratified(schools["api00"], schools["stype"], SCHOOLS)
    plain = found.infer(clusters=schools["dnum"], vcov="CR1")
    assert found.value == pytest.approx(642.31079, abs=5e-6)
    assert plain.se * math.sqrt(1 - 15 / 757) == pytest.approx(23.92049, abs=5e-6)


def test_stratified_schools_are_those_of_r():
    """R survey: svydesign(strata = ~stype, fpc = ~fpc), svymean(~api00): 662.28736, SE 9.40894."""
    schools = pd.read_csv(ORACLES / "apistrat.csv")
    found = post_stratified(schools["api00"], schools["stype"], SCHOOLS, finite=True)
    assert (found.value, found.infer().se) == pytest.approx((662.28736, 9.40894), abs=5e-6)


def test_bounds_of_the_homeless_are_those_of_their_counts():
    """Of 106 men 64 were found again and 21 of them had a home: 21/106 to 63/106, whatever the others (Manski 1989)."""
    bounds = nonresponse_bounds([1, 0, None], n=[21, 43, 42], lowest=0, highest=1)
    assert (bounds.low.value, bounds.high.value) == pytest.approx((21 / 106, 63 / 106))
    assert bounds.answered == pytest.approx(64 / 106)


@given(answers, st.tuples(*[st.integers(1, 500)] * 3))
def test_the_weighted_mean_is_the_mean_of_weighted_answers(lines, sizes):
    """Both ways of saying it: means of strata times their shares, and response weights on every answer."""
    group, score, n = map(np.array, zip(*lines, strict=True))
    size = dict(zip("abc", sizes, strict=True))
    found = post_stratified(score, group, size, n, least=1)
    assert found.value == pytest.approx(np.average(score, weights=found.weights * n))
    got = [n[group == g].sum() for g in "abc"]
    asked = np.array(sizes) * max(got)  # whatever the scale of the population
    weights = dict(zip("abc", response_weights(got, asked), strict=True))
    assert found.weights == pytest.approx([weights[g] for g in group])
    assert found.estimate.moves @ n == pytest.approx(0, abs=1e-12)


@given(answers, st.tuples(*[st.integers(1, 500)] * 3))
def test_counted_answers_give_what_the_answers_give(lines, sizes):
    group, score, n = map(np.array, zip(*lines, strict=True))
    size = dict(zip("abc", sizes, strict=True))
    counted = post_stratified(score, group, size, n)
    plain = post_stratified(np.repeat(score, n), np.repeat(group, n), size)
    assert counted.value == pytest.approx(plain.value, rel=1e-12)
    assert counted.infer() == pytest.approx(plain.infer(), rel=1e-9, abs=1e-12, nan_ok=True)
    assert counted.pooled == plain.pooled
    assert counted.effect == pytest.approx(plain.effect)


def test_answers_that_come_as_the_population_need_no_weights():
    found = post_stratified([1, 0, 1, 1, 0, 0], list("aabbcc"), {"a": 10, "b": 10, "c": 10})
    assert found.weights == pytest.approx(np.ones(6))
    assert (found.value, found.effect) == pytest.approx((0.5, 1))


def test_thin_strata_are_pooled_with_one_another_and_named():
    found = post_stratified(
        [5, 4, 3, 1, 2], ["chat", "chat", "chat", "mail", "fax"], {"chat": 60, "mail": 30, "fax": 10}
    )
    assert found.pooled == ("mail", "fax")
    assert found.value == pytest.approx(0.6 * 4 + 0.4 * 1.5)


def test_a_stratum_that_nobody_answered_from_is_spoken_for_by_the_smallest_other():
    found = post_stratified([5, 4, 3, 1, 2], list("aaabb"), {"a": 60, "b": 20, "c": 20})
    assert found.pooled == ("b", "c")
    assert found.value == pytest.approx(0.6 * 4 + 0.4 * 1.5)


def test_an_answer_from_outside_the_population_is_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        post_stratified([1, 2, 3], ["a", "b", None], {"a": 5})
    sentence = "2 groups of the answers are not in the population, so their weights are unknown."
    assert refused.value.text("en") == sentence


def test_more_answers_than_people_asked_are_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        response_weights([10, 3], [5, 5])
    assert refused.value.text("en") == "In 1 group there are more answers than people asked, or fewer than none."


def test_a_stratum_without_answers_has_no_weight():
    assert response_weights([10, 0], [50, 50]) == pytest.approx([0.5, math.nan], nan_ok=True)


@pytest.mark.slow
def test_weighting_takes_away_the_false_alarms_of_a_response_rate_that_moved():
    """Satisfaction unchanged, chat answers 30 then 40 %, e-mail 30 then 10 %: raw scores alarm a third of the time.

    The kit's research measured 34.8 % raw and 6.3 % weighted; 400 draws here, band of the binomial at 5 %: below 7.8 %.
    """
    rng = np.random.default_rng(23)
    asked, like, rates = np.array([500, 500]), np.array([0.85, 0.7]), np.array([[0.3, 0.3], [0.4, 0.1]])
    raw = weighted = 0
    for _ in range(400):
        sides = []
        for rate in rates:
            got = rng.binomial(asked, rate)
            hits = rng.binomial(got, like)
            values, groups, n = [1, 0, 1, 0], list("ccee"), np.column_stack([hits, got - hits]).ravel()
            sides.append((mean(values, n), post_stratified(values, groups, {"c": 500, "e": 500}, n)))
        (plain_a, a), (plain_b, b) = sides
        raw += contrast(plain_a, plain_b).p < 0.05
        weighted += contrast(a.estimate, b.estimate, strata=(a.strata, b.strata)).p < 0.05
    logging.getLogger(__name__).info("raw %.1f %%, weighted %.1f %%", raw / 4, weighted / 4)
    assert raw / 400 > 0.25
    assert weighted / 400 < 0.078


def test_the_interval_of_bounds_runs_from_one_sided_to_two_sided():
    """Imbens and Manski (2004), equations 6 and 7: 1.645 standard errors when far apart, 1.96 when they meet."""
    apart = nonresponse_bounds([1, 0, None], n=[3000, 3000, 4000], lowest=0, highest=1)
    low, high = apart.interval()
    se = math.sqrt(0.3 * 0.7 / 10_000)
    assert (0.3 - low) / se == pytest.approx(stats.norm.ppf(0.95), abs=1e-3)
    assert (high - 0.7) / se == pytest.approx(stats.norm.ppf(0.95), abs=1e-3)
    full = nonresponse_bounds([1, 0], n=[3000, 7000], lowest=0, highest=1)
    assert (0.3 - full.interval()[0]) / se == pytest.approx(stats.norm.ppf(0.975), abs=1e-3)


@given(st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=1, max_size=30))
def test_bounds_hold_every_answer_the_silent_might_have_given(scores):
    bounds = nonresponse_bounds(np.array(scores, dtype=float), lowest=1, highest=5)
    for end in (1, 3.5, 5):
        filled = [end if s is None else s for s in scores]
        assert bounds.low.value - 1e-12 <= np.mean(filled) <= bounds.high.value + 1e-12


def test_an_answer_off_the_scale_is_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        nonresponse_bounds([1, 7], lowest=1, highest=5)
    assert refused.value.text("en") == (
        "All answers must lie on the scale from 1 to 5, and its lower end below its upper."
    )
