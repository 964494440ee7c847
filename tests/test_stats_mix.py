"""Mix and rate: Kitagawa's parts against Das Gupta's tables, statsmodels' decomposition and Simpson's example."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.oaxaca import OaxacaBlinder

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import Rows, contrast, kitagawa, mix_change, simpson_alarm
from cxkit.stats.influence import mean

counts = st.integers(1, 200)
rates = st.floats(0, 1)
tables = st.lists(st.tuples(counts, rates, counts, rates), min_size=1, max_size=6)
sides = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 4)), min_size=2, max_size=40)


def test_parts_are_those_of_das_guptas_table_of_households():
    """Das Gupta (1993), Census P23-186, table 5.1, as R's DasGuptR prints it: age 1.2269, rate 1.7403 of 2.9672."""
    old = [12.9, 10.9, 9.5, 8.0, 7.8, 8.4, 8.6, 7.8, 7.0, 5.9, 4.7, 3.6, 4.9]
    old_rate = [1.9, 25.8, 45.7, 49.6, 51.2, 51.6, 51.8, 54.9, 58.7, 60.4, 62.8, 66.6, 66.8]
    new = [10.1, 11.2, 11.6, 10.9, 9.4, 7.7, 6.3, 6.0, 6.3, 5.9, 5.1, 4.0, 5.5]
    new_rate = [2.2, 24.3, 45.8, 52.5, 56.1, 55.6, 56.0, 57.4, 57.2, 61.2, 63.9, 68.6, 72.2]
    parts = kitagawa(old, old_rate, new, new_rate)
    assert (parts.mix.sum(), parts.rate.sum()) == pytest.approx((1.2269, 1.7403), abs=5e-4)


def test_parts_are_those_of_das_guptas_table_of_death_rates():
    """Das Gupta (1993), table 5.3, 22 groups, as R's DasGuptR prints it: size 1.5415096, rate -2.2277254."""
    old = (
        "2968 11484 34614 30992 21983 20314 20928 16897 11339 5720 1315 "
        "535 2162 6120 4781 3096 2718 2363 1767 1149 448 117"
    )
    old_rate = (
        "18.469 .751 .391 1.146 1.287 2.672 6.636 15.691 34.723 79.763 176.837 "
        "36.993 1.352 .541 2.040 3.523 6.746 12.967 24.471 45.091 74.902 123.205"
    )
    new = (
        "3041 11577 27450 32711 35480 27411 19555 19795 15254 8022 2472 "
        "707 2692 6473 6841 6547 4352 3034 2540 1749 804 236"
    )
    new_rate = (
        "9.163 .462 .248 .929 1.084 1.810 4.715 12.187 27.728 64.068 157.570 "
        "17.208 .738 .328 1.103 2.045 3.724 8.052 17.812 34.128 68.276 125.161"
    )
    parts = kitagawa(*(list(map(float, text.split())) for text in (old, old_rate, new, new_rate)))
    assert (parts.mix.sum(), parts.rate.sum()) == pytest.approx((1.5415096, -2.2277254), abs=1e-7)


def test_parts_are_those_of_a_regression_decomposition_with_half_weights():
    """statsmodels' OaxacaBlinder (its own numbers are Stata's) on one dummy per group: two-fold and three-fold."""
    rng = np.random.default_rng(7)
    group, after = rng.integers(0, 3, 300), np.arange(300) % 2
    score = rng.normal(group * (1 + after), 1)
    dummies = np.column_stack([group == 1, group == 2, np.ones(300), after]).astype(float)
    peer = OaxacaBlinder(score, dummies, 3, hasconst=True, swap=False)
    rate, mix, gap = peer.two_fold(two_fold_type="self_submitted", submitted_weight=0.5).params
    sides = [(np.bincount(group[after == s]), np.bincount(group[after == s], score[after == s])) for s in (0, 1)]
    (n_a, sum_a), (n_b, sum_b) = sides
    ours = kitagawa(n_a, sum_a / n_a, n_b, sum_b / n_b)
    # theirs is the first group less the second
    assert (-ours.rate.sum(), -ours.mix.sum()) == pytest.approx((rate, mix), abs=1e-9)
    assert ours.rate.sum() + ours.mix.sum() == pytest.approx(-gap)
    endowments, coefficients, interaction, _ = peer.three_fold().params
    apart = kitagawa(n_b, sum_b / n_b, n_a, sum_a / n_a, three_way=True)
    assert [part.sum() for part in apart] == pytest.approx([endowments, coefficients, interaction], abs=1e-9)


@given(tables, st.booleans())
def test_parts_sum_to_the_whole_difference(table, three_way):
    n_a, r_a, n_b, r_b = map(np.array, zip(*table, strict=True))
    parts = kitagawa(n_a, r_a, n_b, r_b, three_way)
    assert sum(p.sum() for p in parts) == pytest.approx(np.average(r_b, weights=n_b) - np.average(r_a, weights=n_a))


@given(tables)
def test_swapping_the_sides_flips_every_part(table):
    n_a, r_a, n_b, r_b = map(np.array, zip(*table, strict=True))
    there, back = kitagawa(n_a, r_a, n_b, r_b), kitagawa(n_b, r_b, n_a, r_a)
    assert there.mix == pytest.approx(-back.mix, abs=1e-12)
    assert there.rate == pytest.approx(-back.rate, abs=1e-12)


def test_a_group_that_comes_or_goes_is_mix():
    """Kitagawa's formula with the other side's rate: nothing is known of a rate where there were no rows."""
    parts = kitagawa([50, 50, 0], [0.9, 0.5, math.nan], [50, 0, 50], [0.9, math.nan, 0.7])
    assert parts.rate == pytest.approx([0, 0, 0])
    assert parts.mix.sum() == pytest.approx(0.1)


def test_simpson_alarm_rings_for_the_kidney_stones():
    """Charig et al. (1986, BMJ 292): open surgery 273 of 350, keyhole 289 of 350; yet open is better for every size."""
    small, large = (87, 81, 270, 234), (263, 192, 80, 55)
    n_open, ok_open, n_keyhole, ok_keyhole = map(np.array, zip(small, large, strict=True))
    assert simpson_alarm(n_open, ok_open / n_open, n_keyhole, ok_keyhole / n_keyhole)
    before = Rows([1, 0, 1, 0], list("ssll"), [81, 6, 192, 71])
    after = Rows([1, 0, 1, 0], list("ssll"), [234, 36, 55, 25])
    found = mix_change(before, after)
    assert found.simpson
    assert found.total.value == pytest.approx(289 / 350 - 273 / 350)
    assert found.rate.value < 0 < found.mix.value


def test_no_alarm_where_groups_disagree_or_nothing_changed():
    assert not simpson_alarm([10, 10], [0.5, 0.5], [10, 10], [0.6, 0.4])
    assert not simpson_alarm([10, 10], [0.5, 0.7], [10, 10], [0.5, 0.7])
    assert not simpson_alarm([10, 10], [0.5, 0.7], [5, 15], [0.5, 0.7]), "mix alone contradicts nobody"


@given(sides, sides)
def test_counted_lines_give_the_parts_of_the_rows(a, b):
    def side(lines, repeated):
        group, hit, n = zip(*lines, strict=True)
        return Rows(np.repeat(hit, n), np.repeat(group, n)) if repeated else Rows(hit, group, n)

    if not (sum(n for *_, n in a) and sum(n for *_, n in b)):
        with pytest.raises(ParameterError):
            mix_change(side(a, False), side(b, False))
        return
    counted, plain = mix_change(side(a, False), side(b, False)), mix_change(side(a, True), side(b, True))
    for part in ("total", "mix", "rate"):
        assert getattr(counted, part) == pytest.approx(getattr(plain, part), abs=1e-12, rel=1e-9, nan_ok=True)
    assert {g.group: g.mix for g in plain.groups}.items() <= {
        g.group: pytest.approx(g.mix) for g in counted.groups
    }.items()


def test_the_whole_change_has_welchs_interval():
    """Its parts are made from the influences whose sum is that of the plain difference of means."""
    rng = np.random.default_rng(3)
    old, new = rng.normal(size=60), rng.normal(0.3, 2, 40)
    groups_old, groups_new = rng.integers(0, 3, 60), rng.integers(0, 3, 40)
    found = mix_change(Rows(old, groups_old), Rows(new, groups_new))
    assert found.total == pytest.approx(contrast(mean(old), mean(new)), rel=1e-9)


@pytest.mark.slow
def test_intervals_of_the_parts_cover_the_truth():
    """600 draws of two sides whose true parts are known; 95 % intervals hold them in 95 %, give or take 2.7 points."""
    rng = np.random.default_rng(11)
    share, rate = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]]), np.array([[0.9, 0.6, 0.4], [0.85, 0.6, 0.5]])
    truth = kitagawa(share[0], rate[0], share[1], rate[1])
    held = np.zeros(2)
    for _ in range(600):
        drawn = [rng.choice(3, 300, p=p) for p in share]
        before, after = (Rows(rng.random(300) < r[g], g) for r, g in zip(rate, drawn, strict=True))
        found = mix_change(before, after)
        held += [f.low <= t.sum() <= f.high for f, t in ((found.mix, truth.mix), (found.rate, truth.rate))]
    assert np.abs(held / 600 - 0.95).max() < 0.027


def test_agents_on_both_sides_widen_the_interval_of_the_rate_part():
    rng = np.random.default_rng(5)
    agent = np.repeat(np.arange(20), 30)
    skill = rng.normal(0, 1, (2, 20))  # of each agent, anew on either side
    old, new = (rng.normal(skill[s][agent]) for s in (0, 1))
    group = rng.integers(0, 2, 600)
    plain = mix_change(Rows(old, group), Rows(new, group))
    clustered = mix_change(Rows(old, group, clusters=agent), Rows(new, group, clusters=agent))
    assert clustered.rate.value == plain.rate.value
    assert clustered.rate.se > 2 * plain.rate.se
    assert clustered.rate.clusters == 20


def test_a_missing_group_is_a_group_and_a_missing_value_is_none():
    found = mix_change(Rows([1, 0, None, 1], ["a", None, "a", None]), Rows([1, 1, 0], ["a", None, None]))
    assert [part.group for part in found.groups] == [None, "a"]
    assert [part.share_before for part in found.groups] == pytest.approx([2 / 3, 1 / 3])


def test_a_side_without_rows_is_refused_in_words():
    with pytest.raises(ParameterError) as refused:
        mix_change(Rows([], []), Rows([1], ["a"]))
    assert refused.value.text("en") == "There is not one row to compute from."
