"""Units with and without a change: against Card and Krueger, R's did and scipy, by planted truth, in words."""

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
from cxkit.changes.did import did, staggered
from cxkit.changes.did_finding import DidFinding
from cxkit.errors import CxkitError
from cxkit.lang import LANGS
from cxkit.stats import staggered_effect

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
CHANGE = pd.Timestamp("2026-03-01")
SOLVED = cx.Share("solved", where="solved", at="opened_at", better="higher")
JOBS = cx.Ratio("jobs", top="jobs", better="higher")


def stores() -> pd.DataFrame:
    """A row a store and wave: employment before and after New Jersey raised its minimum wage."""
    table = pd.read_csv(ORACLES / "card_krueger.csv")
    long = table.melt(["id", "new_jersey"], ["before", "after"], "wave", "jobs")
    return long.assign(wave=(long["wave"] == "after").astype(int))


def new_jersey() -> list[int]:
    table = stores()
    return table.loc[table["new_jersey"] == 1, "id"].unique().tolist()


def counties() -> pd.DataFrame:
    """A row a county and year, employment in logarithms; `first_treated` is missing for those never treated."""
    table = pd.read_csv(ORACLES / "teen_employment.csv")
    long = table.melt(["county", "first_treated"], var_name="year", value_name="jobs")
    long["first_treated"] = long["first_treated"].where(long["first_treated"] > 0)
    return long.assign(year=long["year"].astype(int), jobs=np.log(long["jobs"].astype(float)))


def tickets(
    teams: int = 12, days: int = 120, lift: float = 0.0, common: float = 0.0, drift: float = 0.0, seed: int = 1
) -> pd.DataFrame:
    """Tickets of teams, the first half of which get the change in March; all share what is `common` from then on.

    `drift`: how much more the first half gain over the stretch anyway.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for team in range(teams):
        n = rng.poisson(30, days)
        day = np.repeat(np.arange(days), n)
        opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(
            day * 86_400 + rng.integers(0, 86_400, len(day)), unit="s"
        )
        after, first = opened >= CHANGE, team < teams // 2
        chance = 0.6 + rng.normal(0, 0.05) + common * after + first * (lift * after + drift * day / days)
        parts.append(
            pd.DataFrame({"opened_at": opened, "solved": rng.random(len(day)) < chance, "team": f"team {team:02d}"})
        )
    return pd.concat(parts, ignore_index=True)


FIRST_HALF = [f"team {team:02d}" for team in range(6)]


# --- numbers of other tools ---


def test_card_and_krueger_end_to_end():
    """Card and Krueger (1994), table 3: stores known in both waves gained 2.75 (1.34) more than Pennsylvania’s."""
    found = did(stores(), JOBS, unit="id", treated=new_jersey(), at=1, period="wave")
    effect = found.effect.found
    assert (effect.value, effect.se) == (pytest.approx(2.75, abs=0.005), pytest.approx(1.34, abs=0.005))
    lost = next(check for check in found.checks if check.code == "units_lost")
    assert lost.params["n"] == 26


def test_it_is_welchs_test_of_the_changes():
    """scipy.stats.ttest_ind(equal_var=False) on the stores' changes."""
    found = did(stores(), JOBS, unit="id", treated=new_jersey(), at=1, period="wave")
    wide = stores().dropna().pivot_table("jobs", ["id", "new_jersey"], "wave").dropna()
    change = (wide[1] - wide[0]).reset_index(name="change")
    groups = [change.loc[change["new_jersey"] == i, "change"] for i in (1, 0)]
    theirs = stats.ttest_ind(*groups, equal_var=False)
    assert (found.p, found.effect.found.df) == (pytest.approx(theirs.pvalue), pytest.approx(theirs.df))


def test_minimum_wages_end_to_end_are_those_of_rs_did():
    """R did 2.5.1, mpdta without covariates, not yet treated, base the last period: aggte group -0.0304622281125656."""
    found = staggered(counties(), JOBS, unit="county", starts="first_treated", period="year", base="last")
    assert found.effect.found.value == pytest.approx(-0.0304622281125656, abs=1e-12)
    assert found.table["units"].tolist() == [20, 40, 131]
    assert found.table["start"].tolist() == [2004, 2006, 2007]


# --- planted truth ---


@pytest.mark.parametrize("lift", [0.0, 0.1])
def test_a_shock_that_befell_all_teams_is_not_the_effect(lift: float) -> None:
    """All teams lose eight points in March; those with the change gain ten, or nothing."""
    found = did(tickets(lift=lift, common=-0.08), SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE)
    assert found.effect.found.low < lift < found.effect.found.high
    assert found.code == ("improved" if lift else "no_evidence")
    assert found.naive.id == "treated_only"
    assert found.design.manner == "beyond"
    if not lift:
        assert found.naive.p < 0.001, "before and after alone would have blamed the change"


def test_units_that_drift_apart_before_are_doubted():
    """The first half gain twenty points over the four months anyway: the difference is more of the same."""
    found = did(tickets(drift=0.2), SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE)
    assert found.code == "improved"
    assert [d.code for d in found.doubts] == ["apart"]
    assert "seems to have improved" in found.verdict("en")
    assert next(c for c in found.checks if c.code == "before").level == "warn"
    assert did(tickets(lift=0.1), SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE).sure


def test_few_units_are_doubted():
    found = did(tickets(teams=6, lift=0.3), SOLVED, unit="team", treated=["team 00", "team 01", "team 02"], at=CHANGE)
    assert [d.code for d in found.doubts] == ["few_units"]
    assert "3 with the change and 3 without it" in found.verdict("en")


def test_each_unit_counts_alike():
    """By hand: the mean of the teams' changes, whatever their sizes."""
    table = tickets(lift=0.1)
    big = pd.concat([table, table[table["team"] == "team 00"].sample(3000, random_state=1, replace=True)])
    found = did(big, SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE)
    shares = big.groupby(["team", big["opened_at"] >= CHANGE])["solved"].mean().unstack()
    change = shares[True] - shares[False]
    first = change.index.isin(FIRST_HALF)
    assert found.effect.found.value == pytest.approx(change[first].mean() - change[~first].mean())


def test_numbers_of_arrivals_are_compared_as_factors():
    """The first half get a quarter more requests; both halves a tenth fewer."""
    rng = np.random.default_rng(3)
    parts = []
    for team in range(10):
        rate = np.where(np.arange(120) < 59, 20.0 + 5 * team, (20.0 + 5 * team) * 0.9 * (1.25 if team < 5 else 1))
        day = np.repeat(np.arange(120), rng.poisson(rate))
        opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(day, unit="D")
        parts.append(pd.DataFrame({"opened_at": opened, "team": f"team {team:02d}"}))
    volume = cx.Count("volume", at="opened_at")
    found = did(pd.concat(parts), volume, unit="team", treated=FIRST_HALF[:5], at=CHANGE)
    assert found.effect.unit == "relative"
    assert found.effect.found.low < 0.25 < found.effect.found.high
    assert found.panel.log


def test_waits_are_followed_up_to_a_horizon_and_open_ones_counted():
    """Six hours on the mean of an exponential, five with the change; the last days are still open."""
    table = tickets()
    rng = np.random.default_rng(3)
    quick = table["team"].isin(FIRST_HALF) & (table["opened_at"] >= CHANGE)
    lasts = rng.exponential(np.where(quick, 4, 6) * 3600, len(table))
    table["closed_at"] = table["opened_at"] + pd.to_timedelta(lasts, unit="s")
    table.loc[table["closed_at"] > "2026-05-01", "closed_at"] = pd.NaT
    wait = cx.Duration("wait", start="opened_at", stop="closed_at", better="lower")
    found = did(table, wait, unit="team", treated=FIRST_HALF, at=CHANGE, horizon="12 h", as_of="2026-05-01")
    capped = [mean * (1 - np.exp(-12 / mean)) * 3600 for mean in (4, 6)]
    assert found.effect.found.low < capped[0] - capped[1] < found.effect.found.high
    assert found.code == "improved"
    assert "changes.note.settled" in [n.key for n in found.notes]


def roll_out(lift: float = 0.1, seed: int = 1) -> tuple[pd.DataFrame, dict[str, pd.Timestamp]]:
    """Twelve teams, four of which get the change at the end of January, four in March, four never."""
    table = tickets(common=-0.08, seed=seed)
    starts = {f"team {i:02d}": pd.Timestamp("2026-01-29") if i < 4 else CHANGE + pd.Timedelta(days=9) for i in range(8)}
    rng = np.random.default_rng(seed + 100)
    start = table["team"].map(starts)
    gained = (table["opened_at"] >= start) & ~table["solved"] & (rng.random(len(table)) < lift / 0.4)
    return table.assign(solved=table["solved"] | gained), starts


def test_a_staggered_roll_out_is_found_and_what_befell_all_is_not():
    table, starts = roll_out()
    found = staggered(table, SOLVED, unit="team", starts=starts)
    assert found.effect.found.low < 0.1 < found.effect.found.high
    assert found.code == "improved"
    nothing = staggered(tickets(common=-0.08), SOLVED, unit="team", starts=starts)
    assert nothing.code == "no_evidence"
    assert nothing.effect.found.low < 0 < nothing.effect.found.high


def test_a_period_within_which_the_change_came_counts_for_nothing():
    """Blocks of seven days from 29 January: 10 March lies within one, which is neither before nor after."""
    table, starts = roll_out()
    found = staggered(table, SOLVED, unit="team", starts=starts, period_days=7)
    late = found.panel.units.index("team 05")
    whole = found.panel.values
    mixed = int(np.searchsorted(found.panel.labels, starts["team 05"])) - 1
    assert found.panel.labels[mixed] < starts["team 05"] < found.panel.labels[mixed + 1]
    values = whole.copy()
    values[[i for i, u in enumerate(found.panel.units) if u in starts and starts[u] > CHANGE], mixed] = np.nan
    start = np.array(
        [np.searchsorted(found.panel.labels, starts[u]) if u in starts else np.nan for u in found.panel.units]
    )
    assert np.isfinite(whole[late, mixed])
    assert found.effect.found.value == pytest.approx(staggered_effect(values, start).effect.value)


def test_starts_from_a_column_a_mapping_and_a_series_are_the_same():
    table, starts = roll_out()
    by_mapping = staggered(table, SOLVED, unit="team", starts=starts)
    by_series = staggered(table, SOLVED, unit="team", starts=pd.Series(starts))
    by_column = staggered(table.assign(trained=table["team"].map(starts)), SOLVED, unit="team", starts="trained")
    assert by_mapping.effect.found == by_series.effect.found == by_column.effect.found


# --- invariances ---


def test_names_and_order_do_not_matter():
    table = tickets(lift=0.1)
    one = did(table, SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE)
    renamed = table.sample(frac=1, random_state=2).assign(team=lambda t: "x" + t["team"])
    other = did(renamed, SOLVED, unit="team", treated=["x" + name for name in FIRST_HALF], at=CHANGE)
    assert other.effect.found.value == pytest.approx(one.effect.found.value, abs=1e-12)
    assert other.p == pytest.approx(one.p, rel=1e-9)


def test_the_other_half_has_the_opposite_effect():
    table = tickets(lift=0.1)
    others = [f"team {team:02d}" for team in range(6, 12)]
    one, other = (did(table, SOLVED, unit="team", treated=part, at=CHANGE) for part in (FIRST_HALF, others))
    assert other.effect.found.value == pytest.approx(-one.effect.found.value)
    assert other.p == pytest.approx(one.p)
    assert (one.code, other.code) == ("improved", "worsened")


def test_a_study_and_its_table_give_the_same_finding(tmp_path: Path) -> None:
    table = tickets(lift=0.1).assign(ticket_id=lambda t: [f"T{i}" for i in range(len(t))])
    study = small_study(tmp_path, "2026-05-01", {"tickets": table})
    ours, theirs = (did(data, SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE) for data in (study, table))
    assert ours.effect.found.value == pytest.approx(theirs.effect.found.value, abs=1e-12)
    assert ours.p == pytest.approx(theirs.p, rel=1e-9)


def test_groups_that_are_numbers_are_units_too():
    table = tickets(lift=0.1).assign(team=lambda t: t["team"].str[-2:].astype(int))
    found = did(table, SOLVED, unit="team", treated=list(range(6)), at=CHANGE)
    assert found.effect.found == did(tickets(lift=0.1), SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE).effect.found


# --- refusals, in words ---


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CxkitError) as refused:
        call(*args, **kwargs)
    assert all(refused.value.text(code) for code in LANGS)
    return refused.value.text("en")


def test_refusals_teach():
    table = tickets(days=70)
    asked = {"unit": "team", "at": CHANGE}
    assert refusal(did, table, SOLVED, treated="team 00", **asked) == (
        "Only one team got the change: one unit is no sample. Follow it as a series beside the others: "
        "trend_change with where= and control=."
    )
    assert refusal(did, table, SOLVED, treated=["taem 03"], **asked) == (
        "“team” has no unit “taem 03” (did you mean “team 03”?); it has 12 units."
    )
    assert refusal(did, table, SOLVED, unit="team") == (
        "Who got the change, and when, is needed: treated= and at=, or change=."
    )
    assert refusal(did, table, SOLVED, treated=FIRST_HALF, unit="team", at="2027-01-01").startswith(
        "A comparison before and after needs both"
    )
    assert refusal(did, table, SOLVED, treated=[f"team {i:02d}" for i in range(12)], **asked) == (
        "Each side needs at least two units; 12 with the change and 0 without it are known before and after."
    )
    assert refusal(did, table, SOLVED, treated=FIRST_HALF, unit="teem", at=CHANGE).startswith(
        "DataFrame has no column teem (did you mean team?)"
    )


def test_refusals_of_roll_outs_teach():
    table, _ = roll_out()
    assert refusal(staggered, table, SOLVED, unit="team", starts={"nobody": CHANGE}) == (
        "None of the 1 starts is of a unit in “team”; the names must be those of the data."
    )
    assert refusal(staggered, table, SOLVED, unit="team", starts={}) == (
        "No unit got the change at a time when there were units without it, and periods before it, to compare with."
    )
    torn = table.assign(trained=table["opened_at"].dt.normalize())
    assert refusal(staggered, torn, SOLVED, unit="team", starts="trained") == (
        "“trained” says several starts for 1,428 units; each unit needs one."
    )


def test_kinds_without_units_are_refused():
    table = tickets(days=70)
    per = cx.Ratio("contacts per order", top="1", per="orders")
    assert refusal(did, table, per, unit="team", treated=FIRST_HALF, at=CHANGE) == (
        "contacts per order is counted on the rows of another table, which do not belong to units; "
        "take a KPI of one table."
    )
    wait = cx.Duration("wait", start="opened_at", stop="opened_at")
    periods = table.assign(wave=(table["opened_at"] >= CHANGE).astype(int))
    assert refusal(did, periods, wait, unit="team", treated=FIRST_HALF, at=1, period="wave") == (
        'A wait in periods of one’s own needs horizon=: the time up to which it is counted, such as "72 h".'
    )


# --- words and pictures ---


@pytest.fixture(scope="module")
def findings() -> list[DidFinding]:
    table, starts = roll_out()
    return [
        did(tickets(drift=0.2), SOLVED, unit="team", treated=FIRST_HALF, at=CHANGE),
        did(tickets(teams=6, lift=0.3), SOLVED, unit="team", treated=FIRST_HALF[:3], at=CHANGE, margin=0.4),
        did(stores(), JOBS, unit="id", treated=new_jersey(), at=1, period="wave"),
        staggered(table, SOLVED, unit="team", starts=starts, margin=0.01),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGS)
def test_findings_speak_draw_and_are_whole_in_every_language(findings: list[DidFinding], code: str) -> None:
    for found in findings:
        page = found.card(code)
        assert f'lang="{code}"' in page and "changes." not in page, "no code is left unspoken"
        assert found.figure(code).png.startswith(b"\x89PNG")
        assert found.question.text(code)


def test_machine_values_are_json_and_hold_the_periods_since(findings: list[DidFinding]) -> None:
    told = json.loads(json.dumps(findings[0].to_dict(), allow_nan=False))
    assert told["doubts"] == ["apart"]
    assert told["unit_of_analysis"] == "team"
    assert [row["since"] for row in told["since"]][-1] >= 6
    assert told["design"]["manner"] == "beyond"


def test_the_table_tells_both_kinds_of_units_before_and_after(findings: list[DidFinding]) -> None:
    table = findings[2].table
    assert table[["group", "stage"]].to_numpy().tolist() == [
        ["with", "before"],
        ["with", "after"],
        ["without", "before"],
        ["without", "after"],
    ]
    gain = table["value"].to_numpy()
    assert (gain[1] - gain[0]) - (gain[3] - gain[2]) == pytest.approx(2.75, abs=0.005)
