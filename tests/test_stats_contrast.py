"""Differences and their intervals against R, Petersen's page, tea-tasting and gbstats, and what must not matter."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.stats.tests
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import adjusted, contrast, infer, relative_change
from cxkit.stats.contrast import pooled
from cxkit.stats.influence import mean, net, ratio
from cxkit.stats.inputs import codes
from cxkit.stats.variance import spread, two_way

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]  # Student's sleep data: hours gained
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

lines = st.lists(
    st.tuples(st.integers(-5, 5), st.integers(0, 4), st.integers(1, 4)), min_size=2, max_size=20
)  # value, cluster, count


def columns(drawn):
    return tuple(np.array(column) for column in zip(*drawn, strict=True))


# --- numbers that others print ---


def test_independent_rows_have_welchs_test():
    """R: t.test(extra ~ group, data = sleep), t -1.8608135, df 17.776474, p .07939414."""
    found = contrast(mean(FIRST), mean(SECOND))
    assert (found.value / found.se, found.df, found.p) == pytest.approx((1.8608135, 17.776474, 0.07939414), abs=5e-7)
    assert (found.low, found.high) == pytest.approx((-0.2054832307, 3.3654832307), abs=1e-9)


def test_the_same_persons_on_both_sides_have_the_paired_test():
    """R: t.test(extra ~ group, data = sleep, paired = TRUE): t 4.0621, df 9, p .002833; [0.7001142, 2.4598858]."""
    person = np.arange(10)
    found = contrast(mean(FIRST), mean(SECOND), clusters=(person, person))
    assert (found.value / found.se, found.df, found.p) == pytest.approx((4.0621, 9, 0.002833), abs=5e-5)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


def test_the_difference_of_schools_whose_districts_have_both_kinds_is_that_of_r():
    """R survey: svyttest(api00 ~ stype == "E"), clusters dnum: 22.04754274, SE 13.76551542 (df there G - 2)."""
    schools = pd.read_csv(ORACLES / "apiclus1.csv")
    sides = [part for _, part in schools.groupby(schools["stype"] == "E")]
    pair, clusters = [mean(part["api00"]) for part in sides], tuple(part["dnum"] for part in sides)
    found = contrast(*pair, clusters=clusters, vcov="CR1")
    assert (found.value, found.se) == pytest.approx((22.04754274, 13.76551542), abs=1e-8)
    assert found.clusters == 15
    assert contrast(*pair, clusters=clusters).se == pytest.approx(14.346, abs=5e-4)


def test_the_mean_of_the_schools_is_that_of_r():
    """R survey: svymean(~api00), clusters dnum: 644.1694, SE 23.77901."""
    schools = pd.read_csv(ORACLES / "apiclus1.csv")
    found = infer(mean(schools["api00"]), clusters=schools["dnum"], vcov="CR1")
    assert (found.value, found.se) == pytest.approx((644.1694, 23.77901), abs=5e-5)


def test_two_kinds_of_clusters_are_those_of_petersens_page():
    """Petersen (2009), test data: slope 1.034833, firm .0505957, year .0333889, firm and year .0535580.

    The data come with statsmodels; R's sandwich prints the same with its factor (n - 1) / (n - k).
    """
    file = Path(statsmodels.stats.tests.__file__).parent / "test_data.txt"
    data = pd.read_csv(file, sep=r"\s+", header=None, names=["firm", "year", "x", "y"])
    x = data["x"] - data["x"].mean()
    slope = (x * data["y"]).sum() / (x**2).sum()
    moves = (x * (data["y"] - data["y"].mean() - slope * x) / (x**2).sum()).to_numpy()
    n, cell, (firm, _), (year, _) = np.ones(5000), np.zeros(5000, dtype=int), codes(data["firm"]), codes(data["year"])
    errors = [
        spread(moves, n, cell, firm, "CR1").se,
        spread(moves, n, cell, year, "CR1").se,
        two_way(moves, n, cell, firm, year, "CR1").se,
    ]
    assert np.array(errors) * math.sqrt(4999 / 4998) == pytest.approx([0.050595726, 0.033388913, 0.0535580], abs=5e-8)


def test_ratios_and_their_relative_change_are_those_of_tea_tasting():
    """tea-tasting 1.14, make_users_data(rng = 42), orders per session: every digit it prints."""
    users = pd.read_csv(ORACLES / "tea_tasting.csv")
    pair = [ratio(part["orders"], part["sessions"], part["n"]) for _, part in users.groupby("variant")]
    assert [side.value for side in pair] == pytest.approx([0.2657256067360079, 0.28903061224489796], abs=1e-14)
    found, relative = contrast(*pair), relative_change(*pair)
    assert found.interval == pytest.approx((0.0233050055088, -0.0024594336679, 0.0490694446857), abs=1e-12)
    assert found.p == pytest.approx(0.0762375997816836, abs=1e-12)
    assert relative.interval == pytest.approx((0.0877032732944, -0.0089441841333, 0.1937757609553), abs=1e-12)


def test_an_earlier_covariate_narrows_the_interval_as_in_tea_tasting():
    """tea-tasting 1.14: orders with CUPED .0583038926, p .0073304; there one slope over both groups, here within."""
    users = pd.read_csv(ORACLES / "tea_tasting.csv")
    parts = [part for _, part in users.groupby("variant")]
    plain = [mean(part["orders"], part["n"]) for part in parts]
    found = contrast(*adjusted(plain, [part["orders_covariate"] for part in parts]))
    assert found.interval == pytest.approx((0.05830389, 0.01569651, 0.10091128), abs=2e-5)
    assert found.p == pytest.approx(0.0073304, abs=2e-5)
    assert found.se < 0.8 * contrast(*plain).se


def test_adjusted_means_are_those_of_the_analysis_of_covariance():
    """R MASS: anorexia, Postwt ~ Prewt + Treat: TreatCont -4.0970655281, TreatFT 4.5630626529 (against CBT)."""
    girls = pd.read_csv(ORACLES / "anorexia.csv")
    parts = [girls[girls["treatment"] == name] for name in ("CBT", "Cont", "FT")]
    cbt, cont, ft = adjusted([mean(part["after"]) for part in parts], [part["before"] for part in parts])
    assert contrast(cbt, cont).value == pytest.approx(-4.0970655281, abs=1e-10)
    assert contrast(cbt, ft).value == pytest.approx(4.5630626529, abs=1e-10)


def test_means_given_by_their_sums_are_those_of_gbstats():
    """gbstats (GrowthBook) test_tests.py: .29 (.04538, .53462), p .02016; relative .70732 with error .37886.

    Two values with the sum and the sum of squares of its fixture stand for the rows. Its relative interval is even
    about the estimate, ours is even on the log scale; the delta method's error is the same.
    """

    def standing_for(total, squares, n):
        middle, off = total / n, math.sqrt(squares / n - (total / n) ** 2)
        return mean([middle - off, middle + off], [n / 2, n / 2])

    pair = standing_for(1396.87, 52377.9767, 3407), standing_for(2422.7, 134698.29, 3461)
    found, relative = contrast(*pair), relative_change(*pair)
    assert (*found.interval, found.p) == pytest.approx((0.29, 0.04538, 0.53462, 0.02016), abs=5e-6)
    assert relative.value == pytest.approx(0.70732, abs=5e-6)
    assert relative.se * (1 + relative.value) == pytest.approx((1.44989 + 0.03526) / 2 / 1.959964, abs=1e-4)


def test_net_scores_are_those_of_the_r_package_nps():
    """Rocks' package NPS: 10, 20, 30 against 8, 22, 40: .12380952, se .12676654 (there without n / (n - 1))."""
    pair = net([3, 8, 10], [10, 20, 30]), net([3, 8, 10], [8, 22, 40])
    found = contrast(*pair)
    assert found.value == pytest.approx(0.12380952, abs=5e-9)
    assert math.sqrt(sum((x.n * x.moves**2).sum() for x in pair)) == pytest.approx(0.12676654, abs=5e-9)
    assert found.se == pytest.approx(0.12676654, rel=0.01)


# --- what must not matter, and what must ---


@given(lines, lines)
def test_swapping_the_sides_flips_the_sign(a, b):
    (va, ca, na), (vb, cb, nb) = columns(a), columns(b)
    there = contrast(mean(va, na), mean(vb, nb), clusters=(ca, cb))
    back = contrast(mean(vb, nb), mean(va, na), clusters=(cb, ca))
    assert (there.value, there.low, there.se, there.p) == pytest.approx(
        (-back.value, -back.high, back.se, back.p), abs=1e-9, nan_ok=True
    )


@given(lines, lines, st.sampled_from(["CR3", "CR1"]))
def test_counted_lines_give_what_the_rows_give(a, b, vcov):
    (va, ca, na), (vb, cb, nb) = columns(a), columns(b)
    tally = contrast(mean(va, na), mean(vb, nb), clusters=(ca, cb), vcov=vcov)
    rows = contrast(
        mean(np.repeat(va, na)), mean(np.repeat(vb, nb)), clusters=(np.repeat(ca, na), np.repeat(cb, nb)), vcov=vcov
    )
    assert tally == pytest.approx(rows, rel=1e-9, abs=1e-12, nan_ok=True)


@given(lines, lines)
def test_names_and_order_of_clusters_do_not_matter(a, b):
    (va, ca, na), (vb, cb, nb) = columns(a), columns(b)
    plain = contrast(mean(va, na), mean(vb, nb), clusters=(ca, cb))
    names = {k: f"agent {9 - k}" for k in range(5)}
    named = contrast(
        mean(va[::-1], na[::-1]),
        mean(vb, nb),
        clusters=([names[c] for c in ca[::-1]], pd.Series([names[c] for c in cb], dtype="string")),
    )
    assert named == pytest.approx(plain, rel=1e-9, abs=1e-12, nan_ok=True)


@given(lines, lines)
def test_a_cluster_for_every_row_is_no_cluster(a, b):
    (va, _, na), (vb, _, nb) = columns(a), columns(b)
    a_rows, b_rows = np.repeat(va, na), np.repeat(vb, nb)
    own = (np.arange(len(a_rows)), 1000 + np.arange(len(b_rows)))
    found = contrast(mean(a_rows), mean(b_rows), clusters=own)
    assert found == pytest.approx(contrast(mean(a_rows), mean(b_rows)), rel=1e-9, abs=1e-12, nan_ok=True)
    nobody = contrast(mean(va, na), mean(vb, nb), clusters=([None] * len(va), [None] * len(vb)))
    assert nobody == pytest.approx(found, rel=1e-9, abs=1e-12, nan_ok=True)


@given(lines)
def test_sums_per_cluster_give_the_error_of_the_rows(drawn):
    """All that a mean needs of a cluster are its sum and its size."""
    value, cluster, n = columns(drawn)
    table = pd.DataFrame({"c": cluster, "n": n, "sum": n * value}).groupby("c").sum().reset_index()
    rows, sums = mean(value, n), mean(table["sum"] / table["n"], table["n"])
    assert sums.value == pytest.approx(rows.value, abs=1e-12)
    ours = infer(sums, clusters=table["c"])
    assert (ours.se, ours.df) == pytest.approx(
        (lambda f: (f.se, f.df))(infer(rows, clusters=cluster)), rel=1e-9, abs=1e-12, nan_ok=True
    )


@given(lines)
def test_the_error_by_clusters_is_the_jackknife_that_leaves_each_out_in_turn(drawn):
    """CR3 as MacKinnon, Nielsen and Webb (2023) define it: (G - 1) / G times the squares about the full estimate."""
    value, cluster, n = columns(drawn)
    whole, names = np.average(value, weights=n), np.unique(cluster)
    if len(names) < 2:
        assert math.isnan(infer(mean(value, n), clusters=cluster).se)
        return
    without = [np.average(value[cluster != c], weights=n[cluster != c]) for c in names]
    variance = (len(names) - 1) / len(names) * ((np.array(without) - whole) ** 2).sum()
    assert infer(mean(value, n), clusters=cluster).se == pytest.approx(math.sqrt(variance), abs=1e-9)


@given(lines, lines)
def test_within_strata_the_difference_is_that_of_the_strata(a, b):
    """One stratum is none; and means of strata have Welch's variances, added up with their weights."""
    (va, sa, na), (vb, sb, nb) = columns(a), columns(b)
    pair = mean(va, na), mean(vb, nb)
    one = contrast(*pair, strata=(np.zeros_like(sa), np.ones_like(sb)))
    assert one == pytest.approx(contrast(*pair), rel=1e-9, abs=1e-12, nan_ok=True)
    sizes = [np.bincount(s, weights=n) for s, n in ((sa, na), (sb, nb))]
    if all((size[size > 0] >= 2).all() for size in sizes):
        variance = 0.0
        for v, s, n in ((va, sa, na), (vb, sb, nb)):
            for h in np.unique(s):
                rows = np.repeat(v[s == h], n[s == h])
                variance += (len(rows) / n.sum()) ** 2 * rows.var(ddof=1) / len(rows)
        assert contrast(*pair, strata=(sa, sb)).se == pytest.approx(math.sqrt(variance), abs=1e-9)


def test_strata_that_rest_on_one_cluster_are_pooled():
    stratum, cluster, n = np.array([0, 0, 1, 2, 3, 3]), np.array([0, 1, 2, 3, 4, 5]), np.ones(6)
    assert pooled(stratum, cluster, n).tolist() == [0, 0, 1, 1, 3, 3]
    assert pooled(np.array([0, 0, 0, 1]), None, np.ones(4)).tolist() == [1, 1, 1, 1] or pooled(
        np.array([0, 0, 0, 1]), None, np.ones(4)
    ).tolist() == [0, 0, 0, 0]
    found = contrast(mean([1, 2, 3, 4]), mean([2, 4, 3, 9]), strata=(list("aaab"), list("aabb")))
    assert found.se > 0


def test_crossed_clusters_take_out_what_agents_have_in_common():
    """Each agent answers alike before and after: only the change of each counts, and 20 changes of .1 are clear."""
    rng = np.random.default_rng(2)
    agent = np.repeat(np.arange(20), 30)
    level = rng.normal(0, 5, 20)[agent]
    old, new = mean(level + rng.normal(size=600)), mean(level + 0.3 + rng.normal(size=600))
    paired, apart = contrast(old, new, clusters=(agent, agent)), contrast(old, new, clusters=(agent, agent + 100))
    assert paired.se < apart.se / 10
    assert paired.p < 0.001 < 0.5 < apart.p
    assert (paired.clusters, apart.clusters) == (20, 40)


def test_two_kinds_of_clusters_are_never_surer_than_one():
    rng = np.random.default_rng(8)
    agent, customer = rng.integers(0, 12, 400), rng.integers(0, 150, 400)
    values = rng.normal(size=12)[agent] + rng.normal(size=150)[customer] + rng.normal(size=400)
    found = mean(values)
    both = infer(found, clusters=agent, second_clusters=customer)
    assert both.se >= max(infer(found, clusters=agent).se, infer(found, clusters=customer).se)
    alone = infer(found, clusters=agent, second_clusters=np.arange(400))
    assert alone.se == pytest.approx(infer(found, clusters=agent).se)


def test_a_relative_change_is_even_on_the_log_scale():
    a, b = mean([1, 0], [200, 800]), mean([1, 0], [260, 740])
    there, back = relative_change(a, b), relative_change(b, a)
    assert there.value == pytest.approx(0.3)
    assert (1 + there.value) * (1 + back.value) == pytest.approx(1)
    assert (1 + there.low) * (1 + back.high) == pytest.approx(1)
    assert there.p == pytest.approx(back.p)


@pytest.mark.parametrize(
    ("base", "later"),
    [
        (mean([-1, 1, 2], [10, 10, 1]), mean([5, 6])),  # may be nothing at all
        (mean([0, 0, 0]), mean([1, 2])),
        (mean([4, 5, 6]), mean([-4, -5, -6])),
    ],
)
def test_a_share_of_what_may_be_nothing_is_not_estimable(base, later):
    found = relative_change(base, later)
    assert math.isnan(found.low) and math.isnan(found.high) and math.isnan(found.p)


def test_rows_all_alike_and_single_clusters_tell_no_spread():
    assert math.isnan(infer(mean([3, 3, 3])).low)
    assert math.isnan(contrast(mean([1, 2]), mean([3])).se)
    assert math.isnan(infer(mean([1, 2, 3]), clusters=["a", "a", "a"]).se)
    assert infer(mean([3, 3, 3])).value == 3


def test_an_adjustment_without_a_relation_changes_nothing():
    a, b = mean([1, 2, 3, 4]), mean([2, 3, 4, 5])
    assert contrast(*adjusted([a, b], [[1, 1, 1, 1], [None, None, None, None]])) == contrast(a, b)
    even = contrast(*adjusted([a, b], [[1, -1, -1, 1], [1, -1, -1, 1]]))
    assert even.interval == pytest.approx(contrast(a, b).interval)


@given(lines, lines, st.integers(2, 60))
def test_a_change_of_unit_scales_the_interval_and_leaves_p(a, b, unit):
    (va, ca, na), (vb, cb, nb) = columns(a), columns(b)
    one = contrast(mean(va, na), mean(vb, nb), clusters=(ca, cb))
    other = contrast(mean(unit * va, na), mean(unit * vb, nb), clusters=(ca, cb))
    assert np.multiply(one.interval, unit) == pytest.approx(other.interval, abs=1e-9, nan_ok=True)
    assert (other.df, other.p) == pytest.approx((one.df, one.p), rel=1e-6, abs=1e-9, nan_ok=True)


def test_few_uneven_clusters_have_fewer_degrees_of_freedom_than_even_ones():
    """Bell and McCaffrey (2002): G - 1 for even clusters; scipy's t then gives the interval."""
    even = infer(mean(np.arange(40.0)), clusters=np.repeat(np.arange(8), 5))
    uneven = infer(mean(np.arange(40.0)), clusters=np.repeat(np.arange(8), [33, 1, 1, 1, 1, 1, 1, 1]))
    assert even.df == pytest.approx(7)
    assert uneven.df < 3
    assert even.interval == pytest.approx((19.5, *stats.t.interval(0.95, 7, 19.5, even.se)))


def test_labels_of_another_length_and_unknown_methods_are_refused_in_words():
    a = mean([1, 2, 3])
    with pytest.raises(ParameterError) as refused:
        infer(a, clusters=["x", "y"])
    assert refused.value.text("en") == "Lists that belong together differ in length: 2, 3."
    with pytest.raises(ParameterError) as refused:
        infer(a, clusters=["x", "y", "z"], vcov="HC3")
    assert refused.value.text("en") == "Clusters are allowed for by “CR3” or “CR1”, not by “HC3”."
    with pytest.raises(ParameterError):
        infer(a, level=95)
