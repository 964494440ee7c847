"""Input that cannot be right, whatever the design: a refusal that teaches, in three languages, or the right numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cxkit as cx
from cxkit.changes import audit, compare, decompose, did, plan, scorecard, segments, staggered, trend_change
from cxkit.errors import CxkitError
from cxkit.lang import LANGS
from cxkit.result import Result

CHANGE = pd.Timestamp("2026-03-01")
SOLVED = cx.Share("solved", where="solved == 1", at="opened_at", better="higher")
COST = cx.Ratio("cost", top="cost", at="opened_at", better="lower")
WAIT = cx.Duration("wait", start="opened_at", stop="closed_at", better="lower")
SCORE = cx.Score("score", scale=(1, 5), top=(4, 5), value="score", at="opened_at", better="higher")
KPIS = (SOLVED, COST, WAIT, SCORE)
HALF = [f"t{i}" for i in range(5)]
Ask = Callable[..., Result]


def starts(table: pd.DataFrame) -> dict[Any, pd.Timestamp]:
    teams = sorted(table["team"].dropna().unique(), key=str)
    return {team: CHANGE + pd.Timedelta(days=7 * i) for i, team in enumerate(teams[:6])}


DESIGNS: dict[str, Ask] = {
    "compare": lambda t, k: compare(t, k, at=CHANGE),
    "trend": lambda t, k: trend_change(t, k, CHANGE, placebo=False),
    "did": lambda t, k: did(t, k, unit="team", treated=list(t["team"].dropna().unique())[:5], at=CHANGE),
    "staggered": lambda t, k: staggered(t, k, unit="team", starts=starts(t)),
    "decompose": lambda t, k: decompose(t, k, "channel", at=CHANGE),
    "segments": lambda t, k: segments(t, k, "channel", at=CHANGE),
    "scorecard": lambda t, k: scorecard(t, [k], at=CHANGE),
    "plan": lambda t, k: plan(t, k, change=0.05),
    "audit": lambda t, k: audit(t, k, at=CHANGE),
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """1,500 tickets of ten teams and thirty agents over seventeen weeks."""
    rng, n = np.random.default_rng(1), 1500
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.uniform(0, 118 * 86_400, n).round(), unit="s")
    return pd.DataFrame(
        {
            "opened_at": opened,
            "closed_at": opened + pd.to_timedelta(rng.exponential(72_000, n).round(), unit="s"),
            "team": [f"t{i}" for i in rng.integers(0, 10, n)],
            "agent_id": [f"a{i:02d}" for i in rng.integers(0, 30, n)],
            "channel": rng.choice(["chat", "email", "phone"], n),
            "solved": (rng.random(n) < 0.6).astype(int),
            "cost": rng.gamma(2, 3, n).round(2),
            "score": rng.integers(1, 6, n),
        }
    )


def refusal(ask: Ask, *args: Any) -> str:
    with pytest.raises(CxkitError) as refused:
        ask(*args)
    for lang in LANGS:
        assert "{" not in refused.value.text(lang)
    return refused.value.text("en")


# --- the same numbers, whatever holds them ---


def as_decimals(t: pd.DataFrame) -> pd.DataFrame:
    columns = ("solved", "cost", "score")
    return t.assign(**{c: [Decimal(str(x)) for x in t[c]] for c in columns})


def as_integers(t: pd.DataFrame) -> pd.DataFrame:
    """Agents, channels and teams by number."""
    channel = t["channel"].map({"chat": 1, "email": 2, "phone": 3})
    return t.assign(team=t["team"].str[1:].astype(int), agent_id=t["agent_id"].str[1:].astype(int), channel=channel)


HOLDERS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "decimals": as_decimals,
    "integers": as_integers,
    "categories": lambda t: t.astype({"team": "category", "agent_id": "category", "channel": "category"}),
    "nullable": lambda t: t.convert_dtypes(),
    "arrow": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
    "zone": lambda t: t.assign(opened_at=t["opened_at"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tehran")),
    "nanoseconds": lambda t: t.astype({"opened_at": "datetime64[ns]", "closed_at": "datetime64[ns]"}),
    "float32": lambda t: t.astype({"solved": "float32", "score": "float32"}),
}


def numbers(found: Result) -> list[float]:
    kept = found.table.select_dtypes("number")
    return kept.to_numpy(np.float64).ravel().tolist()


@pytest.mark.slow
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("design", ["trend", "did", "decompose", "plan"])
def test_every_type_of_column_gives_the_same_numbers(rows: pd.DataFrame, design: str, holder: str) -> None:
    for kpi in (SOLVED, COST) if design == "did" else (COST,):
        ours, theirs = (DESIGNS[design](table, kpi) for table in (HOLDERS[holder](rows), rows))
        assert numbers(ours) == pytest.approx(numbers(theirs), nan_ok=True, rel=1e-9)


# --- nothing to compare ---


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ("trend", "all 16 known steps have the same value, so there is nothing that a change could show in."),
        (
            "did",
            "every team changed by exactly the same, so nothing tells how they scatter and there is nothing to "
            "compare.",
        ),
        ("decompose", "the cases do not differ, or are too few, so there is no change to take apart."),
        (
            "plan",
            "all cases of the baseline are the same, so nothing tells how they scatter. Take more weeks, or plan from "
            "a bare number.",
        ),
    ],
)
def test_a_constant_kpi_is_refused(rows: pd.DataFrame, design: str, said: str) -> None:
    assert refusal(DESIGNS[design], rows.assign(cost=5.0), COST) == f"cost: {said}"


@pytest.mark.parametrize("design", ["compare", "segments", "scorecard"])
def test_a_constant_kpi_carries_no_verdict(rows: pd.DataFrame, design: str) -> None:
    found = DESIGNS[design](rows.assign(cost=5.0), COST)
    assert found.verdict("en").startswith("These data allow no verdict on cost.")


@pytest.mark.parametrize("design", ["trend", "did", "staggered", "decompose"])
def test_waits_that_are_all_open_are_refused(rows: pd.DataFrame, design: str) -> None:
    assert refusal(DESIGNS[design], rows.assign(closed_at=pd.NaT), WAIT) == (
        "wait: all 1,500 cases are still open, so no wait is known yet. Wait until some have come to an end, or take "
        "the number that waits."
    )


def test_waits_that_are_all_open_carry_no_verdict_and_say_why(rows: pd.DataFrame) -> None:
    found = DESIGNS["scorecard"](rows.assign(closed_at=pd.NaT), WAIT)
    assert found.verdict("en") == (
        "These data allow no verdict on wait. All 1,500 cases are still open on both sides: nothing has come to an "
        "end yet."
    )


@pytest.mark.parametrize("design", DESIGNS)
def test_infinite_values_are_refused_by_number_in_every_design(rows: pd.DataFrame, design: str) -> None:
    """A cost of 1e300 has no square, and is as good as infinite."""
    cost = rows["cost"].where(rows.index > 1, [np.inf, 1e300] + [0.0] * (len(rows) - 2))
    said = refusal(DESIGNS[design], rows.assign(cost=cost), COST)
    assert said == "Column “cost” holds 2 infinite values; only finite ones, or empty cells, can be counted."


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: str(kpi.id))
def test_missing_values_are_no_numbers(rows: pd.DataFrame, design: str, kpi: cx.measures.Measure) -> None:
    """Half of the values gone, and a third of the groups: fewer cases, and finite or no numbers for JSON."""
    gone = rows.index % 2 == 0
    holes = {c: rows[c].astype(float).where(~gone) for c in ("cost", "score", "solved")}
    table = rows.assign(**holes, team=rows["team"].where(rows.index % 3 > 0), channel=rows["channel"].where(~gone))
    found = DESIGNS[design](table, kpi)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "nan" not in found.verdict("en").lower().split()


@pytest.mark.parametrize("design", DESIGNS)
def test_an_empty_table_is_refused(rows: pd.DataFrame, design: str) -> None:
    assert refusal(DESIGNS[design], rows.iloc[:0], SOLVED)


@pytest.mark.parametrize("design", ["compare", "trend", "did", "decompose", "segments", "scorecard", "audit"])
def test_one_side_alone_is_refused(rows: pd.DataFrame, design: str) -> None:
    early = rows[rows["opened_at"] < CHANGE]
    assert refusal(DESIGNS[design], early, COST) == (
        f"A comparison before and after needs both: {len(early)} rows lie before that moment and none at or after it."
    )


def test_one_group_has_no_mix(rows: pd.DataFrame) -> None:
    assert refusal(DESIGNS["decompose"], rows.assign(channel="chat"), SOLVED) == (
        "solved: by “channel” there is only 1 group with 5 cases or more, so there is no mix that could change."
    )


def test_one_segment_is_none(rows: pd.DataFrame) -> None:
    assert refusal(DESIGNS["segments"], rows.assign(channel="chat"), SOLVED) == (
        "“channel” holds only 1 segment here; from two to 50 can be told apart."
    )


def test_one_team_is_no_sample(rows: pd.DataFrame) -> None:
    said = refusal(lambda: did(rows, SOLVED, unit="team", treated="t1", at=CHANGE))
    assert said.startswith("Only one team got the change: one unit is no sample.")


def test_fewer_than_five_clusters_allow_no_verdict_in_any_comparison(rows: pd.DataFrame) -> None:
    few = rows.assign(agent_id=[f"a{i % 4}" for i in range(len(rows))])
    for design in ("compare", "scorecard", "segments"):
        said = DESIGNS[design](few, SOLVED).verdict("en")
        assert said.startswith("These data allow no verdict on solved. By agent, one side has only 4 clusters;")


def test_eleven_days_are_no_series(rows: pd.DataFrame) -> None:
    days = rows[(rows["opened_at"] >= "2026-02-24") & (rows["opened_at"] < "2026-03-07")]
    assert refusal(lambda: trend_change(days, SOLVED, CHANGE, freq="day")) == (
        "A change in one series needs at least 12 known points; 11 are here. Take shorter steps or a longer stretch."
    )


def test_a_plan_of_waits_without_their_start_names_the_column(rows: pd.DataFrame) -> None:
    assert refusal(DESIGNS["plan"], rows.drop(columns="opened_at"), WAIT).startswith(
        "DataFrame has no column opened_at (did you mean closed_at?)."
    )
