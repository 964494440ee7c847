"""Planning against R's power functions, statsmodels, textbooks, and simulated tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.rates import power_poisson_ratio_2indep

import cxkit.lang  # noqa: F401  # gives refusals their words
from cxkit.errors import ParameterError
from cxkit.stats import (
    PowerDesign,
    capped_outcome,
    count_outcome,
    design_effect,
    inflation,
    kaplan_meier,
    mean_outcome,
    more_rows,
    net_outcome,
    power_of,
    rows_needed,
    seen_share,
    share_outcome,
    smallest_effect,
)

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
effects = st.floats(0.01, 0.25)


def test_shares_are_those_of_r():
    """R power.prop.test: n = 50, .5 and .75 has power .7401659; power .9 needs 76.70693."""
    assert power_of(share_outcome(0.5), 50, 0.25).power == pytest.approx(0.7401659, abs=1e-7)
    assert power_of(share_outcome(0.5), 76.70693, 0.25).power == pytest.approx(0.9, abs=1e-6)
    assert rows_needed(share_outcome(0.5), 0.25, PowerDesign(power=0.9)).rows == (77, 77)


def test_means_are_those_of_r():
    """R power.t.test: n = 20, one standard deviation has power .8689528; power .9 needs 22.02110."""
    assert power_of(mean_outcome(10, 3), 20, 3).power == pytest.approx(0.8689528, abs=1e-7)
    assert power_of(mean_outcome(0, 1), 22.0211, 1).power == pytest.approx(0.9, abs=1e-6)
    assert rows_needed(mean_outcome(0, 1), 1, PowerDesign(power=0.9)).rows == (23, 23)


@given(st.floats(0.05, 1), st.integers(10, 500), st.floats(0.3, 3), st.sampled_from([0.01, 0.05]))
def test_means_with_sides_of_unequal_size_are_those_of_statsmodels(size, rows, ratio, alpha):
    """statsmodels TTestIndPower, one-sided."""
    design = PowerDesign(alpha=alpha, sides=1, per_first=ratio)
    theirs = TTestIndPower().power(size, rows, alpha, ratio=ratio, alternative="larger")
    assert power_of(mean_outcome(0, 1), rows, size, design).power == pytest.approx(theirs, abs=1e-6)


@given(st.floats(1, 50), st.floats(1, 5), st.integers(10, 200), st.floats(0.05, 0.5))
def test_counts_are_those_of_statsmodels(rate, dispersion, days, rise):
    """statsmodels power_poisson_ratio_2indep with its dispersion, one-sided at 2.5%."""
    theirs = power_poisson_ratio_2indep(
        *(rate * (1 + rise), rate, days),
        value=1,
        alpha=0.025,
        dispersion=dispersion,
        alternative="larger",
        return_results=False,
    )
    assert power_of(count_outcome(rate, dispersion), days, rate * rise).power == pytest.approx(theirs, abs=1e-9)


def test_equivalence_is_that_of_toster():
    """TOSTER powerTOSTtwo: 80% for margins of +-.4 standard deviations needs 107.05 a group (normal), t one more."""
    design = PowerDesign(aim="equivalence", margin=0.4)
    assert rows_needed(mean_outcome(0, 1), design=design).rows == (108, 108)
    fine = PowerDesign(aim="equivalence", margin=0.04)
    assert rows_needed(mean_outcome(0, 1), design=fine).rows[0] == pytest.approx(10_705, abs=1.5)


def test_not_worse_is_that_of_chow_shao_and_wang():
    """Chow, Shao and Wang (2003), section 3.2: margin 5%, standard deviation 10%, 80%: n = 50 (normal), t one more."""
    found = rows_needed(mean_outcome(0, 0.10), design=PowerDesign(aim="not_worse", margin=0.05))
    assert found.rows[0] == 51


def test_first_contact_resolution_from_70_to_75():
    """Measured elsewhere with R: 1,250 rows a side, and some 7,435 (74 agents) at a likeness of .05, 100 a head.

    Ours asks for two agents more, because the test will have as many degrees of freedom as there are agents.
    """
    assert rows_needed(share_outcome(0.70), 0.05).rows[0] == pytest.approx(1250, abs=1)
    found = rows_needed(share_outcome(0.70), 0.05, PowerDesign(cluster_sizes=[100], icc=0.05))
    assert found.design_effect == pytest.approx(5.95)
    assert found.clusters == (76, 76)
    assert found.effective == pytest.approx(found.rows[0] / 5.95)


def test_capped_durations_scatter_as_in_r():
    """R survRM2, Mayo Clinic trial, horizon 10 years: 7.283 (.295) and 7.146 (.283), deaths of 312 patients."""
    patients = pd.read_csv(ORACLES / "pbc.csv")
    for arm, mean, error in ((0, 7.283, 0.295), (1, 7.146, 0.283)):
        part = patients[patients["arm"] == arm]
        found = capped_outcome(part["time"], part["status"], 10)
        assert found.base == pytest.approx(mean, abs=5e-4)
        assert np.sqrt(found.variance(mean) / len(part)) == pytest.approx(error, abs=5e-4)


def test_open_tickets_hide_a_part_of_a_share():
    """R survival, first arm, 5 years: the error of the share is .03763355785 (Greenwood), not that of a plain share."""
    part = pd.read_csv(ORACLES / "pbc.csv").query("arm == 0")
    found = seen_share(part["time"], part["status"], 5)
    share = kaplan_meier(part["time"], part["status"]).within(5).estimate
    assert np.sqrt(share * (1 - share) / (found * len(part))) == pytest.approx(0.03763355785, abs=1e-10)
    assert seen_share([1, 2, 3, 4], [True] * 4, 2) == pytest.approx(1)


def test_net_score_scatters_as_rocks_says():
    """Rocks (2016): variance p + d - (p - d)^2; with it, the two-sample formula of any textbook."""
    before, after = 0.7 - 0.3**2, 0.7 - 0.35**2
    by_hand = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) ** 2 * (before + after) / 0.05**2
    assert rows_needed(net_outcome(0.5, 0.2), 0.05).rows[0] == pytest.approx(by_hand, abs=1)


@pytest.mark.parametrize("sizes", [[40] * 30, [5, 20, 95] * 10])
def test_a_plan_with_clusters_keeps_its_word(sizes):
    """Simulated agents, likeness .1, compared by their cluster totals (Welch on agents weighted by size is exact for
    even sizes): the power found lies within a few points of the power planned."""
    rng = np.random.default_rng(9)
    icc, runs = 0.1, 1500
    design = PowerDesign(cluster_sizes=sizes, icc=icc)
    rows = float(sum(sizes))
    effect = smallest_effect(mean_outcome(0, 1), rows, design).effect
    size = np.array(sizes, dtype=float)
    means = rng.normal(size=(2, runs, len(size))) * np.sqrt(icc + (1 - icc) / size)
    sides = np.average(means, axis=2, weights=size) + np.array([[0.0], [effect]])
    residual = size * (means - np.average(means, axis=2, weights=size)[..., None]) / (1 - size / rows)
    error = np.sqrt((residual**2).sum(axis=(0, 2)) * (len(size) - 1) / len(size)) / rows
    p = 2 * stats.t.sf(np.abs(sides[1] - sides[0]) / error, 2 * (len(size) - 1))
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.05)


def test_looks_cost_what_their_bounds_say():
    one, five = (rows_needed(share_outcome(0.5), 0.05, PowerDesign(looks=n)) for n in (1, 5))
    assert five.look_cost == inflation(5)
    assert five.rows[0] == pytest.approx(one.rows[0] * five.look_cost, abs=1.5)


def test_open_tickets_cost_rows():
    one, half = (rows_needed(share_outcome(0.5), 0.05, PowerDesign(open_share=s)) for s in (0, 0.5))
    assert half.rows[0] == pytest.approx(2 * one.rows[0], abs=1.5)
    assert half.effective == pytest.approx(one.effective, abs=1)


@given(st.floats(0.2, 0.7), effects, st.integers(50, 5000))
def test_more_rows_and_larger_effects_give_more_power(base, effect, rows):
    found = power_of(share_outcome(base), rows, effect).power
    assert power_of(share_outcome(base), rows + 100, effect).power >= found
    assert power_of(share_outcome(base), rows, effect * 1.1).power >= found - 1e-12


@given(st.floats(0.2, 0.7), effects, st.floats(0.5, 0.95))
def test_rows_effect_and_power_are_one_equation(base, effect, power):
    design = PowerDesign(power=power)
    planned = rows_needed(share_outcome(base), effect, design)
    assert planned.power >= power - 1e-9
    if planned.rows[0] > 2:
        assert power_of(share_outcome(base), planned.rows[0] - 1, effect, design).power < power
    back = smallest_effect(share_outcome(base), planned.rows[0], design)
    assert back.effect == pytest.approx(effect, rel=0.2)
    assert back.effect <= effect + 1e-9
    assert back.power == pytest.approx(power, abs=1e-6)


@given(st.floats(0.1, 100), st.floats(0.1, 2))
def test_units_of_a_mean_do_not_matter(unit, size):
    assert rows_needed(mean_outcome(0, unit), size * unit).rows == rows_needed(mean_outcome(5, 1), size).rows


def test_a_fall_is_found_as_well_as_a_rise_where_the_scatter_is_even():
    up = smallest_effect(share_outcome(0.5), 500)
    down = smallest_effect(share_outcome(0.5), 500, direction=-1)
    assert down.effect == pytest.approx(-up.effect)
    assert np.isnan(smallest_effect(share_outcome(0.99), 20).effect), "there is no room for so large a rise"


def test_rows_still_missing():
    """An error of .02 with 1,000 rows; .05 with 80% power wants .05 / (1.959964 + .841621) = .01785."""
    assert more_rows(1000, 0.02, 0.05) == np.ceil(1000 * ((0.02 * 2.8015852 / 0.05) ** 2 - 1))
    assert more_rows(1000, 0.001, 0.05) == 0


def test_clusters_of_one_row_are_no_clusters():
    assert design_effect([1, 1, 1], 0.3) == 1
    alone = power_of(mean_outcome(0, 1), 400, 0.2, PowerDesign(cluster_sizes=[1] * 400, icc=0.3)).power
    assert alone == pytest.approx(power_of(mean_outcome(0, 1), 400, 0.2).power, abs=1e-9)


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(ParameterError) as refused:
        call(*args, **kwargs)
    return refused.value.text("en")


def test_plans_that_cannot_be_are_refused_in_words():
    share = share_outcome(0.9)
    assert refusal(rows_needed, share, 0.2) == "With a change of 0.2 the KPI would leave its range from 0 to 1."
    assert refusal(rows_needed, share, 0.0) == (
        "No number of rows is enough to show this: the change is 0, the margin 0."
    )
    assert refusal(rows_needed, share, 0.05, PowerDesign(aim="equivalence", margin=0.03)) == (
        "No number of rows is enough to show this: the change is 0.05, the margin 0.03."
    )
    assert refusal(rows_needed, share, 0.05, PowerDesign(aim="equivalence")) == (
        "A margin is a size above 0; this one is 0."
    )
    assert refusal(rows_needed, share, 0.05, PowerDesign(power=80)) == (
        "The power wanted lies between 0 and 1, such as 0.8; this one is 80."
    )
    assert refusal(share_outcome, 1.0) == "The KPI must stand between 0 and 1; it stands at 1."
    assert refusal(net_outcome, 0.7, 0.5) == (
        "The shares of promoters and detractors lie between 0 and 1 together, and are not both 0; "
        "these are 0.7 and 0.5."
    )
    assert refusal(mean_outcome, 5, 0) == "This must be a number above 0; it is 0."
    assert refusal(smallest_effect, share, 100, PowerDesign(aim="not_worse", margin=0.1)) == (
        "A test aims at “difference”, “equivalence” or “not_worse”; “not_worse” does not fit here."
    )
    assert refusal(rows_needed, share, 0.05, PowerDesign(icc=2)) == (
        "The open share lies from 0 to below 1, and the likeness within clusters from -1 to 1; these are 0 and 2."
    )
