"""Differences in differences against Card and Krueger, R's did, Welch's test, and services without a change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import cxkit.lang  # noqa: F401  # gives refusals their words
from calibration.runs import OURS, band
from calibration.series import roll_out, shares, teams
from cxkit.errors import ParameterError
from cxkit.stats import collapsed, difference_in_differences, event_study, staggered_effect

ORACLES = Path(__file__).parent / "fixtures" / "oracles"


def teen_employment() -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of teen employment, and the column in which the minimum wage rose."""
    table = pd.read_csv(ORACLES / "teen_employment.csv", index_col="county")
    first = table.pop("first_treated").to_numpy(dtype=float)
    return np.log(table.to_numpy()), np.where(first == 0, np.nan, first - 2003)


def ladder() -> tuple[np.ndarray, np.ndarray]:
    """The 48 units of 4 periods that csdid-stata made to compare itself with R (tests/fixtures/parity/f005)."""
    unit, start = np.arange(1, 49), np.repeat([2.0, 3.0, np.nan], 16)
    first = 0.4 + 0.11 * (unit % 7)
    third = first + 0.8 + 0.89 * (start == 2)
    fourth = first + np.select([start == 2, start == 3], [2.29, 2.12], 1.2) + 0.02 * unit
    return np.column_stack([first, first + 0.4, third, fourth]), start


def panel(seed: int = 1, units: int = 12, periods: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(units, periods)) + rng.normal(size=periods) + rng.normal(size=(units, 1))


def test_minimum_wage_and_employment_is_that_of_card_and_krueger():
    """Card and Krueger (1994), table 3, balanced sample of stores: 2.75 (1.34) full-time equivalents; R: 1.3423."""
    stores = pd.read_csv(ORACLES / "card_krueger.csv")
    found = difference_in_differences(stores["before"], stores["after"], stores["new_jersey"] == 1)
    assert found.effect.value == pytest.approx(2.75, abs=0.005)
    assert found.effect.se == pytest.approx(1.3423, abs=5e-5)
    assert found.treated.value - found.control.value == pytest.approx(found.effect.value)
    assert found.left_out == 410 - 384


@given(st.integers(0, 1000), st.integers(2, 8), st.integers(2, 8))
def test_one_change_a_unit_is_welchs_test_of_the_changes(seed, n_treated, n_control):
    """scipy.stats.ttest_ind with unequal variances, on the changes."""
    y = panel(seed, n_treated + n_control)
    treated = np.arange(len(y)) < n_treated
    before, after = collapsed(y, 4)
    found = difference_in_differences(before, after, treated)
    theirs = stats.ttest_ind((after - before)[treated], (after - before)[~treated], equal_var=False)
    low, high = theirs.confidence_interval()
    assert (found.effect.p, found.effect.df) == pytest.approx((theirs.pvalue, theirs.df))
    assert (found.effect.low, found.effect.high) == pytest.approx((low, high))
    rolled = staggered_effect(y, np.where(treated, 4.0, np.nan)).effect
    assert (rolled.value, rolled.se, rolled.df) == pytest.approx((found.effect.value, found.effect.se, found.effect.df))


def test_few_units_say_so():
    y = panel(units=8)
    assert difference_in_differences(y[:, 0], y[:, 1], np.arange(8) < 4).cautions == ("few_units",)
    assert staggered_effect(y, np.where(np.arange(8) < 4, 3.0, np.nan)).cautions == ("few_units",)


@pytest.mark.parametrize(
    ("per", "value", "se"), [("period", 0.646666666666667, 0.0196064678166903), ("unit", 0.635, 0.0224304480561579)]
)
def test_roll_out_is_that_of_r(per, value, se):
    """R did 2.5.1, base period the last before the change, analytical errors: aggte simple and group (csdid-stata).

    R divides by n; ours is larger by the small-sample factor, and `moves` keep the influence that R's error is made of.
    """
    found = staggered_effect(*ladder(), base="last", per=per)
    assert found.effect.value == pytest.approx(value, abs=1e-12)
    assert np.sqrt((found.moves**2).sum()) == pytest.approx(se, abs=1e-12)
    assert se < found.effect.se < 1.04 * se
    assert [(c.start, c.units, c.periods) for c in found.cohorts] == [(2, 16, 2), (3, 16, 1)]
    assert [c.effect for c in found.cohorts] == pytest.approx([0.67, 0.6])


@pytest.mark.parametrize(("per", "value"), [("period", -0.0397636256230444), ("unit", -0.0304622281125656)])
def test_minimum_wage_by_cohorts_is_that_of_r(per, value):
    """R did 2.5.1, mpdta without covariates, not yet treated: aggte simple and group (csdid-stata, parity rt037)."""
    assert staggered_effect(*teen_employment(), base="last", per=per).effect.value == pytest.approx(value, abs=1e-12)


def test_event_study_is_that_of_r():
    """R did 2.5.1, same data, universal base: the effects since the change average to -0.0773993139705856.

    Three years after the first cohort there is only one comparison, which the package's vignette prints as -0.1008.
    """
    found = event_study(*teen_employment())
    effects = dict(zip(found.since.tolist(), (e.value for e in found.effects), strict=True))
    assert np.mean([effects[since] for since in range(4)]) == pytest.approx(-0.0773993139705856, abs=1e-12)
    assert round(effects[3], 4) == -0.1008
    assert found.since.tolist() == [-4, -3, -2, 0, 1, 2, 3]
    assert all(low < e.low and e.high < high for low, e, high in zip(found.low, found.effects, found.high, strict=True))


def test_units_that_went_another_way_before_are_noticed():
    y = panel(3, 20)
    start = np.where(np.arange(20) < 10, 5.0, np.nan)
    fair = event_study(y, start)
    y[:10] += np.arange(8) * 1.5
    drifting = event_study(y, start)
    assert fair.before_p > 0.05
    assert drifting.before_p < 0.01
    assert drifting.before_trend.value == pytest.approx(fair.before_trend.value + 1.5)
    assert drifting.before_trend.p < 0.01


@given(st.integers(0, 200), st.floats(-100, 100), st.floats(0.1, 10))
def test_units_and_weeks_may_shift_and_the_scale_may_change(seed, shift, scale):
    """What befalls a unit for good, or a week for all, is no effect."""
    y = panel(seed)
    start = np.repeat([3.0, 5.0, np.nan], 4)
    moved = scale * y + shift * np.arange(8) + np.arange(12)[:, None] * shift
    one, other = staggered_effect(y, start).effect, staggered_effect(moved, start).effect
    assert other.value == pytest.approx(scale * one.value, abs=1e-9)
    assert other.se == pytest.approx(scale * one.se, rel=1e-9)


@given(st.integers(0, 200), st.permutations(range(12)))
def test_order_of_units_does_not_matter(seed, order):
    y, start = panel(seed), np.repeat([3.0, 5.0, np.nan], 4)
    one, other = staggered_effect(y, start).effect, staggered_effect(y[order], start[order]).effect
    assert (other.value, other.se, other.df) == pytest.approx((one.value, one.se, one.df))


def test_a_unit_alone_in_its_cohort_and_a_last_cohort_without_others_are_used_as_far_as_they_go():
    """Until the last cohort gets the change it serves as a yardstick; after that there is none."""
    start = np.array([2.0, 3.0, 4.0, 6.0, 6.0, 6.0])
    found = staggered_effect(panel(units=6), start)
    assert [(c.start, c.units, c.periods) for c in found.cohorts] == [(2, 1, 4), (3, 1, 3), (4, 1, 2)]
    assert found.not_compared == 3
    assert np.isfinite(found.effect.se)


def test_effects_that_grow_are_not_turned_round():
    """Goodman-Bacon (2021): two-way fixed effects would take units that have the change as a yardstick."""
    since = np.maximum(np.arange(12) - np.array([3, 6])[:, None], -1) + 1.0
    y = np.repeat(since, 6, axis=0)
    found = staggered_effect(np.vstack([y, np.zeros((6, 12))]), np.repeat([3.0, 6.0, np.nan], 6))
    assert [c.effect for c in found.cohorts] == [5, 3.5]
    assert found.effect.value == pytest.approx(4.25)


def test_missing_weeks_count_for_nothing():
    y = panel(5, 10)
    start = np.where(np.arange(10) < 5, 4.0, np.nan)
    y[0, :3], y[7, 6] = np.nan, np.nan
    before, after = collapsed(y, 4)
    assert before[0] == y[0, 3]
    assert after[7] == pytest.approx(np.delete(y[7, 4:], 2).mean())
    assert np.isfinite(staggered_effect(y, start).effect.se)
    y[0, 3] = np.nan
    assert staggered_effect(y, start).not_compared == 1


def refusal(call, *args) -> str:
    with pytest.raises(ParameterError) as refused:
        call(*args)
    return refused.value.text("en")


def test_too_little_to_compare_is_refused_in_words():
    y = panel(units=3)
    assert refusal(difference_in_differences, y[:, 0], y[:, 1], [True, False, False]) == (
        "Each side needs at least two units; 1 with the change and 2 without it are known before and after."
    )
    assert refusal(staggered_effect, y, [3, 3, 3]) == (
        "No unit got the change at a time when there were units without it, and periods before it, to compare with."
    )
    assert refusal(staggered_effect, y[:, :1], [3, 3, 3]) == (
        "The values must be a table with a row for each unit and at least two periods."
    )


RUNS = 1000


def test_false_alarms_of_team_comparisons_are_five_in_a_hundred():
    """Measured elsewhere: two-way fixed effects 22.2%, treated teams only 34.8%, collapsed 4.8%."""
    rates = shares(RUNS, teams)
    low, high = band(RUNS)
    assert low <= rates[OURS] <= high, rates
    assert rates["two-way fixed effects"] > 0.15, rates
    assert rates["treated only, before and after"] > 0.1, rates


def test_false_alarms_of_roll_outs_are_five_in_a_hundred():
    """Eight teams a cohort; Bertrand, Duflo and Mullainathan (2004) for what happens without clusters."""
    rates = shares(RUNS, roll_out)
    low, high = band(RUNS)
    assert low <= rates[OURS] <= high, rates
