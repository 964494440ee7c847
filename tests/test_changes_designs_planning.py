"""Plans: against R's power functions, against simulated tests, and against what the data plant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_study import small_study

import cxkit as cx
from cxkit.changes.baseline import baseline_of
from cxkit.changes.planning import Plan, plan
from cxkit.errors import CxkitError
from cxkit.lang import LANGS
from cxkit.stats import contrast, mean

SOLVED = cx.Share("solved", where="solved", at="opened_at", better="higher")


def tickets(
    days: int = 70, a_day: float = 60, agents: int = 20, spread: float = 0.0, share: float = 0.7, seed: int = 1
) -> pd.DataFrame:
    """Tickets of agents whose own shares scatter by `spread` (standard deviation) around `share`."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(a_day, days)
    day = np.repeat(np.arange(days), n)
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(day * 86_400 + rng.integers(0, 86_400, len(day)), unit="s")
    agent = rng.integers(0, agents, len(day))
    own = np.clip(share + rng.normal(0, spread, agents), 0.02, 0.98) if spread else np.full(agents, share)
    return pd.DataFrame(
        {"opened_at": opened, "agent_id": [f"A{a:03d}" for a in agent], "solved": rng.random(len(day)) < own[agent]}
    )


# --- numbers of other tools ---


def test_shares_need_what_power_prop_test_says():
    """R power.prop.test(p1 = .5, p2 = .75, power = .9): n = 76.70693; (.7, .75, power = .8): 1250.3."""
    assert plan(0.5, change=0.25, power=0.9).n == 77
    assert plan(0.7, change=0.05).n == 1251


def test_means_need_what_power_t_test_says():
    """R power.t.test(delta = 1, sd = 1, power = .9): n = 22.02110."""
    assert plan(0.0, sd=1.0, change=1.0, power=0.9).n == 23


def test_a_number_of_cases_finds_what_power_prop_test_says():
    """R power.prop.test(n = 50, p1 = .5, p2 = .75) has power .7401659; that power at 50 finds .25 again."""
    found = plan(0.5, n=50, power=0.7401659)
    assert found.smallest == pytest.approx(0.25, abs=1e-6)


def test_clusters_cost_what_the_design_effect_says():
    """Statistics page: .70 to .75 at 80%, likeness .05 and 100 cases an agent: 7,435 rows, 74 agents (by normal z)."""
    found = plan(0.7, change=0.05, icc=0.05, cluster_size=100)
    assert found.n == pytest.approx(7435, rel=0.02)
    assert found.design_effect == pytest.approx(5.95)
    assert found.clusters == pytest.approx(75, abs=2)
    assert found.effective == pytest.approx(found.n / 5.95)


def test_five_planned_looks_cost_what_gsdesign_says():
    """Jennison and Turnbull (2000), table 2.4 of O'Brien and Fleming's looks: about 2.6 to 2.8% more cases for five."""
    assert plan(0.7, change=0.05, looks=5).look_cost == pytest.approx(1.027, abs=0.004)
    assert plan(0.7, change=0.05, looks=5).n == pytest.approx(1251 * 1.027, rel=0.01)


def test_not_worse_needs_one_side():
    """By hand: n = 2 p q (z.95 + z.8)^2 / margin^2."""
    z = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    found = plan(0.7, margin=0.05)
    assert found.aim == "not_worse"
    assert found.n == pytest.approx(2 * 0.7 * 0.3 * z**2 / 0.05**2, rel=0.01)
    assert plan(0.7, margin=0.05, aim="equivalence").n > found.n


# --- read from data ---


def test_the_baseline_says_where_the_kpi_stands_and_how_much_comes():
    found = plan(tickets(), SOLVED, change=0.05, cluster="")
    assert found.base == pytest.approx(0.7, abs=0.02)
    assert found.per_week == pytest.approx(420, rel=0.03)
    p, q = found.base, found.base + 0.05  # R power.prop.test, by hand, from where the KPI stands
    spread = [np.sqrt((p + q) * (1 - (p + q) / 2)), np.sqrt(p * (1 - p) + q * (1 - q))]
    rows = ((stats.norm.ppf(0.975) * spread[0] + stats.norm.ppf(0.8) * spread[1]) / 0.05) ** 2
    assert (found.weeks, found.design_effect) == (np.ceil(rows / (found.per_week / 2)), 1.0)
    assert found.n >= rows
    assert found.reached >= 0.8


def test_the_likeness_of_agents_is_read_from_the_data():
    """Agents' shares scatter by .12 around .7: likeness .12^2 / (.7 * .3) = .069."""
    found = baseline_of(tickets(days=200, agents=60, spread=0.12), SOLVED, None, 26, False, "", "", None, "", None)
    assert found.icc == pytest.approx(0.069, abs=0.02)
    assert (found.cluster, len(found.cluster_sizes)) == ("agent_id", 60)
    assert found.growth == pytest.approx(0, abs=0.01), "the same agents every week"


def test_new_customers_come_every_week_and_agents_do_not():
    table = tickets(days=112)
    table["customer_id"] = [f"C{i // 2}" for i in range(len(table))]
    found = baseline_of(table, SOLVED, "customer_id", 16, False, "", "", None, "", None)
    assert found.growth == pytest.approx(1, abs=0.02)
    assert found.sizes_after(32).mean() == pytest.approx(found.cluster_sizes.mean(), rel=0.05)


def test_what_agents_differ_in_no_number_of_weeks_can_outweigh():
    """Eight agents a side, shares scattering by .15: the change of two points stays hidden however long one waits."""
    found = plan(tickets(agents=16, spread=0.15), SOLVED, change=0.02)
    assert np.isnan(found.n) and np.isnan(found.weeks)
    assert found.smallest > 0.1
    said = [s.key for s in found.sentences()]
    assert said[0] == "changes.plan.never"
    assert {"changes.plan.fixed", "changes.plan.instead"} <= set(said)


def test_the_same_agents_on_both_sides_take_out_what_they_differ_in():
    table = tickets(agents=16, spread=0.15, days=140)
    ours = plan(table, SOLVED, change=0.05, way="before_after")
    assert ours.weeks <= 6
    assert ours.design_effect < 2
    assert "agents" in plan(table, SOLVED, change=0.05).sentences()[-1].text("en")


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_a_planned_test_finds_its_change_as_often_as_planned(spread: float) -> None:
    """300 simulated tests of the planned length, agents drawn by lot, by CR3: power 80%, within the band of chance."""
    agents = 60
    table = tickets(days=56, a_day=90, agents=agents, spread=spread, seed=4)
    found = plan(table, SOLVED, change=0.09 if spread else 0.05)
    assert np.isfinite(found.weeks)
    rng, hits, runs = np.random.default_rng(5), 0, 300
    size = found.n // (agents // 2)
    lift = 0.09 if spread else 0.05
    for _ in range(runs):
        own = np.clip(0.7 + rng.normal(0, spread, agents), 0.02, 0.98) if spread else np.full(agents, 0.7)
        own[agents // 2 :] += lift
        solved = rng.binomial(size, np.clip(own, 0, 1))
        sides = []
        for part in (slice(0, agents // 2), slice(agents // 2, None)):
            k = solved[part]
            values = np.tile([1.0, 0.0], len(k))
            n = np.column_stack([k, size - k]).ravel().astype(float)
            who = np.repeat(np.arange(len(k)) + (0 if part.start == 0 else 1000), 2)
            sides.append((mean(values, n), who))
        (a, ca), (b, cb) = sides
        hits += contrast(a, b, clusters=(ca, cb)).p < 0.05
    assert 0.72 < hits / runs < 0.93, "whole weeks give a little more than asked for"


def test_numbers_of_arrivals_are_planned_in_days():
    """Weekdays swing by half; what they differ by is no noise, so a tenth more is found within weeks."""
    rng = np.random.default_rng(2)
    rate = 100 * (1 + 0.5 * (np.arange(84) % 7 < 5))
    day = np.repeat(np.arange(84), rng.poisson(rate))
    table = pd.DataFrame({"opened_at": pd.Timestamp("2026-01-05") + pd.to_timedelta(day, unit="D")})
    found = plan(table, cx.Count("volume", at="opened_at"), change=0.05)
    assert found.way == "before_after"
    mean_a_day = float(rate.mean())
    by_hand = 2 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2 / (mean_a_day * np.log(1.05) ** 2)
    weeks = np.bincount(day)[-56:].reshape(8, 7)
    burst = ((weeks - weeks.mean(axis=0)) ** 2).sum() / 49 / weeks.mean()
    assert found.n == pytest.approx(np.ceil(by_hand * max(burst, 1) / 7) * 7, abs=7)
    assert "weeks before and after are needed" in found.verdict("en")


def test_open_tickets_cost_cases():
    """Half of the waits are still open at the end of the follow-up: the share within 12 hours is told by fewer."""
    table = tickets()
    rng = np.random.default_rng(3)
    lasts = rng.exponential(10, len(table))
    left = rng.exponential(15, len(table))  # some leave before they are done
    table["closed_at"] = (table["opened_at"] + pd.to_timedelta(lasts, unit="h")).where(lasts < left)
    table["left_at"] = table["opened_at"] + pd.to_timedelta(left, unit="h")
    wait = cx.Duration(
        "wait", start="opened_at", stop="closed_at", until=("left_at",), target_seconds=12 * 3600.0, better="lower"
    )
    found = plan(table, wait, change=0.05, estimand="within", cluster="", as_of="2026-04-01")
    assert 0.05 < found.open_share < 0.5
    assert "count for nothing because their end is not seen in time" in found.verdict("en")


def test_without_a_change_the_weeks_say_what_they_find():
    found = plan(tickets(), SOLVED, cluster="")
    assert found.table["weeks"].tolist() == [1, 2, 4, 8, 12, 26, 52]
    assert (np.diff(found.table["smallest"]) < 0).all()
    assert found.sentences()[0].key == "changes.plan.finds_weeks"
    again = plan(tickets(), SOLVED, cluster="", change=float(found.table["smallest"].iloc[3]))
    assert again.weeks == 8


def test_a_change_without_a_sign_is_one_for_the_better():
    down = cx.Share("again", where="not solved", at="opened_at", better="lower")
    one, other = (plan(tickets(), down, change=change, cluster="") for change in (0.05, -0.05))
    assert one.n == other.n
    up, fall = (plan(tickets(), SOLVED, change=change, cluster="") for change in (0.05, -0.05))
    assert up.reached > fall.reached, "shares scatter more towards one half"


def test_a_study_gives_what_its_table_gives(tmp_path: Path) -> None:
    table = tickets(spread=0.1).assign(ticket_id=lambda t: [f"T{i}" for i in range(len(t))])
    study = small_study(tmp_path, "2026-03-12", {"tickets": table})
    ours, theirs = (plan(data, SOLVED, change=0.1, way="before_after") for data in (study, table))
    assert (ours.n, ours.icc, ours.weeks) == (theirs.n, theirs.icc, theirs.weeks)


# --- refusals, words ---


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CxkitError) as refused:
        call(*args, **kwargs)
    assert all(refused.value.text(code) for code in LANGS)
    return refused.value.text("en")


def test_refusals_teach():
    table = tickets(days=30)
    assert refusal(plan, table) == "A plan from data needs a KPI; from a bare number, only that number."
    assert refusal(plan, 0.7) == (
        "A plan needs something to plan for: change=, n=, or dated data that say how many cases come a week."
    )
    assert refusal(plan, 70, change=5) == "The KPI must stand between 0 and 1; it stands at 70."
    assert refusal(plan, 0.7, change=0.4) == "With a change of 0.4 the KPI would leave its range from 0 to 1."
    assert refusal(plan, 0.7, change=0.05, share=1.5) == (
        "The second side’s share of the cases lies between 0 and 1; this one is 1.5."
    )
    assert refusal(plan, 0.7, change=0.05, way="sideways") == (
        "A test is “parallel” or “before_after”, and lot draws “cluster” or “row”; not “sideways” and “cluster”."
    )
    assert refusal(plan, 0.7, change=0.05, looks=0) == "There must be at least one look; this plan has 0."
    assert refusal(plan, table.iloc[:6], SOLVED, change=0.05) == (
        "solved: the baseline has 6 cases; at least 10 are needed to plan from."
    )
    assert refusal(plan, table, SOLVED, change=0.05, baseline_weeks=0) == (
        "The baseline is at least one week long; this one is 0."
    )
    assert refusal(plan, table, cx.Ratio("r", top="1", per="orders"), change=1) == (
        "r is counted on the rows of another table; plan for a KPI of one table."
    )
    assert refusal(plan, 0.7, aim="equivalence") == "A margin is a size above 0; this one is -."


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    rough = tickets(agents=16, spread=0.15)
    day = np.repeat(np.arange(84), 90 + 10 * (np.arange(84) % 7) + np.arange(84) % 5)
    arrivals = pd.DataFrame({"opened_at": pd.Timestamp("2026-01-05") + pd.to_timedelta(day, unit="D")})
    volume = cx.Count("volume", at="opened_at")
    return [
        plan(tickets(), SOLVED, change=0.05, looks=4),
        plan(tickets(), SOLVED, n=800),
        plan(rough, SOLVED, change=0.02),
        plan(rough, SOLVED, margin=0.01),
        plan(tickets(), SOLVED, margin=0.05, cluster=""),
        plan(tickets(), SOLVED, margin=0.05, aim="equivalence", cluster=""),
        plan(0.7, margin=0.05),
        plan(0.7, margin=0.05, aim="equivalence"),
        plan(0.7, n=100),
        plan(arrivals, volume, change=0.05),
        plan(arrivals, volume),
        plan(tickets(), SOLVED, change=0.05, way="before_after"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGS)
def test_plans_speak_and_draw_in_every_language(plans: list[Plan], code: str) -> None:
    for found in plans:
        page = found._repr_html_(code)
        assert f'lang="{code}"' in page and "changes." not in page
        assert found.figure(code).png.startswith(b"\x89PNG")


def test_machine_values_are_json(plans: list[Plan]) -> None:
    for found in plans:
        told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert told["power"] == found.power
