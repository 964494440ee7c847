"""Estimates with influences against R's survey and survRM2, tallies against rows, and every kind of number column."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.datasets import load_lung, load_waltons

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import contrast, infer, kaplan_meier, relative_change
from cxkit.stats.influence import (
    capped_mean,
    finished_within,
    geometric_mean,
    mean,
    net,
    quantile,
    ratio,
    waiting_quantile,
)
from cxkit.stats.inputs import floats

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
counted = st.lists(st.tuples(st.integers(1, 10), st.booleans(), st.integers(0, 5)), min_size=1, max_size=25).filter(
    lambda lines: any(n for *_, n in lines)
)

KPIS = {
    "mean": lambda v, d, n: mean(v, n),
    "ratio": lambda v, d, n: ratio(v, v + 2 * d, n),
    "net": lambda v, d, n: net(v, n),
    "geometric mean": lambda v, d, n: geometric_mean(v, n),
    "median": lambda v, d, n: quantile(v, 0.5, n),
    "p90": lambda v, d, n: quantile(v, 0.9, n),
    "within": lambda v, d, n: finished_within(v, d, 5, n),
    "capped mean": lambda v, d, n: capped_mean(v, d, 6, n),
    "open median": lambda v, d, n: waiting_quantile(v, d, 0.5, n),
}


def plain_se(found) -> float:
    """What R prints: without the factor n / (n - 1)."""
    return math.sqrt((found.n * found.moves**2).sum())


@pytest.mark.parametrize(("arm", "years", "error"), [(1, 7.146, 0.283), (0, 7.283, 0.2954780922355929)])
def test_capped_means_of_the_liver_patients_are_those_of_r(arm, years, error):
    """R survRM2: rmst2(time, status, arm, tau = 10); the error of arm 0 as survival's Greenwood sum gives it."""
    part = pd.read_csv(ORACLES / "pbc.csv").query("arm == @arm")
    found = capped_mean(part["time"], part["status"], 10)
    assert found.value == pytest.approx(years, abs=5e-4)
    assert plain_se(found) == pytest.approx(error, abs=5e-4)


def test_the_difference_of_capped_means_is_that_of_r():
    """R survRM2: RMST (arm 1) - (arm 0) = -0.137 [-0.939, 0.665], p 0.738; normal law, variance without n / (n - 1)."""
    arms = [part for _, part in pd.read_csv(ORACLES / "pbc.csv").groupby("arm")]
    found = contrast(*(capped_mean(part["time"], part["status"], 10) for part in arms))
    assert (found.value, found.low, found.high) == pytest.approx((-0.137, -0.939, 0.665), abs=0.006)
    assert found.p == pytest.approx(0.738, abs=0.001)


def test_the_ratio_of_capped_means_is_that_of_r():
    """R survRM2: ratio of RMST (arm 1 / arm 0) 0.981 [0.878, 1.096], p 0.738; normal law, no n / (n - 1)."""
    arms = [part for _, part in pd.read_csv(ORACLES / "pbc.csv").groupby("arm")]
    found = relative_change(*(capped_mean(part["time"], part["status"], 10) for part in arms))
    assert [1 + x for x in found.interval] == pytest.approx([0.981, 0.878, 1.096], abs=0.002)
    assert found.p == pytest.approx(0.738, abs=0.001)


@pytest.mark.parametrize(("sex", "days", "error"), [(1, 324.0484, 22.29794), (2, 455.9041, 32.91742)])
def test_capped_means_of_the_lung_patients_are_those_of_r(sex, days, error):
    """R: survRM2::rmst2 of lung at tau = 965, and survival's print(rmean = 965)."""
    part = load_lung().query("sex == @sex")
    found = capped_mean(part["time"], part["status"], 965)
    assert (found.value, plain_se(found)) == pytest.approx((days, error), abs=5e-5)


def test_variance_of_the_capped_mean_is_the_sampling_variance_and_not_that_of_the_patients():
    """lifelines issue 1682: flies of the group miR-137 up to day 10, 9.7941 with variance 0.0152 by R."""
    part = load_waltons().query("group == 'miR-137'")
    found = capped_mean(part["T"], part["E"], 10)
    assert (found.value, plain_se(found) ** 2) == pytest.approx((9.7941, 0.0152), abs=5e-5)


def test_error_of_the_share_still_alive_is_greenwoods():
    """R survival: summary(survfit(arm 0), times = 5), std.err 0.03763355785."""
    part = pd.read_csv(ORACLES / "pbc.csv").query("arm == 0")
    assert plain_se(finished_within(part["time"], part["status"], 5)) == pytest.approx(0.03763355785, abs=1e-11)


def test_ratio_of_the_schools_is_that_of_r():
    """R survey: svyratio(~api.stu, ~enroll), clusters dnum: 0.8497087417, SE 0.008470640195."""
    schools = pd.read_csv(ORACLES / "apiclus1.csv")
    found = ratio(schools["api.stu"], schools["enroll"])
    assert found.value == pytest.approx(0.8497087417, abs=1e-10)
    assert infer(found, clusters=schools["dnum"], vcov="CR1").se == pytest.approx(0.008470640195, abs=1e-12)


@pytest.mark.parametrize(("q", "score", "error"), [(0.5, 652, 36.367), (0.9, 781, 21.214)])
def test_quantiles_of_the_schools_are_near_to_those_of_r(q, score, error):
    """R survey: svyquantile, whose error is the width of Woodruff's interval; ours reads the same two ends."""
    schools = pd.read_csv(ORACLES / "apiclus1.csv")
    found = quantile(schools["api00"], q, clusters=schools["dnum"])
    assert found.value == score
    assert infer(found, clusters=schools["dnum"], vcov="CR1").se == pytest.approx(error, rel=0.01)


@pytest.mark.parametrize("kpi", KPIS)
@given(counted)
def test_counted_lines_give_what_the_rows_give(kpi, lines):
    value, done, n = (np.array(column) for column in zip(*lines, strict=True))
    tally, rows = KPIS[kpi](value, done, n), KPIS[kpi](np.repeat(value, n), np.repeat(done, n), None)
    assert tally.value == pytest.approx(rows.value, rel=1e-12, nan_ok=True)
    assert np.repeat(tally.moves, n) == pytest.approx(rows.moves, rel=1e-9, abs=1e-12, nan_ok=True)
    assert tally.rows == rows.rows
    assert infer(tally) == pytest.approx(infer(rows), rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("kpi", KPIS)
@given(counted, st.randoms())
def test_influences_sum_to_nothing_in_any_order(kpi, lines, shuffle):
    value, done, n = (np.array(column) for column in zip(*lines, strict=True))
    found = KPIS[kpi](value, done, n)
    if not np.isnan(found.moves).any():
        assert (found.moves * n).sum() == pytest.approx(0, abs=1e-9)
    order = list(range(len(lines)))
    shuffle.shuffle(order)
    mixed = KPIS[kpi](value[order], done[order], n[order])
    assert mixed.value == pytest.approx(found.value, rel=1e-12, nan_ok=True)
    assert mixed.moves == pytest.approx(found.moves[order], rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("kpi", ["mean", "geometric mean", "median", "p90", "capped mean", "open median"])
@given(counted)
def test_a_change_of_unit_scales_estimate_and_influence(kpi, lines):
    value, done, n = (np.array(column) for column in zip(*lines, strict=True))
    hours = KPIS[kpi](value, done, n)
    minutes = capped_mean(60 * value, done, 360, n) if kpi == "capped mean" else KPIS[kpi](60 * value, done, n)
    assert minutes.value == pytest.approx(60 * hours.value, nan_ok=True)
    assert minutes.moves == pytest.approx(60 * hours.moves, abs=1e-9, nan_ok=True)


@given(counted, st.integers(1, 9))
def test_squared_influences_of_the_capped_mean_are_its_variance(lines, horizon):
    """Klein and Moeschberger 4.5.2; the weight for ties makes the two equal."""
    value, done, n = (np.array(column) for column in zip(*lines, strict=True))
    kept = n > 0
    found = kaplan_meier(value[kept], done[kept], n[kept]).capped_mean(horizon)
    ours = capped_mean(value, done, horizon, n)
    if not math.isnan(found.estimate) and found.low > 0 and found.high < horizon:
        assert plain_se(ours) == pytest.approx((found.high - found.low) / 2 / 1.959963984540054)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=40), st.sampled_from([0.25, 0.5, 0.9]))
def test_a_quantile_without_open_tickets_is_the_plain_one(values, q):
    plain, curve = quantile(values, q), waiting_quantile(values, [True] * len(values), q)
    assert plain.value == curve.value == sorted(values)[math.ceil(q * len(values) - 1e-9) - 1]
    assert plain.moves == pytest.approx(curve.moves, abs=1e-9)


def test_the_error_of_a_quantile_is_that_of_the_normal_law():
    """Asymptotic error sqrt(q (1 - q) / n) / f, here of a standard normal sample at its quantiles."""
    rng = np.random.default_rng(4)
    for q, density in ((0.5, 0.39894), (0.9, 0.17550)):
        errors = [infer(quantile(rng.normal(size=2000), q)).se for _ in range(50)]
        assert np.mean(errors) == pytest.approx(math.sqrt(q * (1 - q) / 2000) / density, rel=0.03)


def test_times_noted_in_whole_minutes_do_not_look_like_certainty():
    rng = np.random.default_rng(4)
    exact = rng.lognormal(3, 1, 200_000)
    found, truth = infer(quantile(np.rint(exact), 0.5)), infer(quantile(exact, 0.5))
    assert found.se == pytest.approx(truth.se, rel=0.1)


NUMBERS = [
    [1, 0, 3],
    np.array([1, 0, 3], dtype=np.int8),
    pd.Series([1, 0, 3], dtype="Int64"),
    pd.Series([1, 0, 3], dtype="int64[pyarrow]"),
    pd.Series([Decimal(1), Decimal(0), Decimal(3)]),
    pd.Series([Decimal(1), Decimal(0), Decimal(3)], dtype=pd.ArrowDtype(pa.decimal128(9, 2))),
    pa.array([1, 0, 3]),
    (Decimal("1"), 0.0, np.float32(3)),
]


@pytest.mark.parametrize("column", NUMBERS, ids=lambda c: f"{type(c).__name__} {getattr(c, 'dtype', '')}")
def test_any_kind_of_number_column_gives_the_same(column):
    assert mean(column).value == pytest.approx(4 / 3)
    assert mean([0, 0, 1], column).value == 0.75
    assert floats(column).dtype == np.float64


def test_missing_values_count_for_nothing_wherever_they_come_from():
    for missing in (None, np.nan, pd.NA):
        found = mean(pd.Series([1, missing, 0], dtype=object), [1, 5, 1])
        assert (found.value, found.rows) == (0.5, 2)
    assert mean(pd.Series([True, None, False], dtype="boolean")).value == 0.5
    assert ratio([2, None, 4], [1, 1, None]).value == 2


def test_millions_of_rows_in_small_integers_do_not_run_over():
    """3 billion as 32-bit integers would be negative."""
    assert mean(np.array([2_000_000_000, 2_100_000_000], dtype=np.int32)).value == 2_050_000_000
    assert mean(np.array([100, 120], dtype=np.int8), np.array([100, 100], dtype=np.int8)).value == 110


def test_nothing_gives_nothing():
    for found in (mean([]), quantile([], 0.5), ratio([1], [0]), net([None]), mean([3], [0])):
        assert math.isnan(found.value)
        assert math.isnan(infer(found).low)


def test_a_time_not_reached_is_infinite_and_cannot_be_compared():
    found = waiting_quantile([1, 2, 3], [True, False, False], 0.5)
    assert found.value == math.inf
    assert math.isnan(infer(found).se)
    assert math.isnan(finished_within([1, 2], [True, False], 3).value)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: mean([1, math.inf]), "1 value or count is infinite or not a number; only finite ones can be counted."),
        (lambda: mean([1, 2], [1, -1]), "A count cannot be negative: -1."),
        (lambda: mean([1, 2], [1]), "Lists that belong together differ in length: 2, 1."),
        (
            lambda: mean(["a", "b"]),
            "A formula needs numbers; texts, times and anything else must be turned into numbers first.",
        ),
        (
            lambda: geometric_mean([0, 1], [3, 1]),
            "3 values are 0 or below; on the log scale all must be above 0.",
        ),
        (lambda: net([1], promoter=5, detractor=5), "A detractor’s score lies below a promoter’s; these are 5 and 5."),
        (lambda: quantile([1], 90), "A quantile lies between 0 and 1, such as 0.9; this one is 90."),
        (lambda: capped_mean([1], [True], 0), "A horizon is a time above 0, and not infinite; this one is 0."),
    ],
)
def test_what_cannot_be_right_is_refused_in_words(call, sentence):
    with pytest.raises(ParameterError) as refused:
        call()
    assert refused.value.text("en") == sentence


def test_times_and_texts_are_no_numbers():
    for column in (pd.Series(pd.to_datetime(["2026-01-01"])), np.array(["2026"], dtype="datetime64[Y]"), ["1"]):
        with pytest.raises(ParameterError):
            mean(column)
