"""Many KPIs, many segments, and the mix: against R's p.adjust, by hand, by planted truth, in words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_study import small_study

import cxkit as cx
from cxkit.changes.decompose import decompose
from cxkit.changes.finding import Finding
from cxkit.changes.many import Findings, scorecard
from cxkit.changes.parts import Effect, Judgement, Reason, judge
from cxkit.changes.segments import Segments, segments
from cxkit.errors import CxkitError, MeasureError
from cxkit.lang import LANGS
from cxkit.stats import Inference, kitagawa
from cxkit.stats.contrast import inference
from cxkit.stats.variance import Spread

CHANGE = pd.Timestamp("2026-03-01")
# Benjamini and Hochberg (1995), section 4: the p values of fifteen comparisons
PUBLISHED = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
]


def of_p(p: float, value: float = 1.0) -> Inference:
    """An effect whose p is `p`, by the normal distribution."""
    from scipy import special

    z = -float(special.ndtri(p / 2)) if p < 1 else 1e-12
    return inference(value, Spread(abs(value) / z, np.inf, 100.0), 0.95)


def ask_by_name(data: Any, measure: Any, *, alpha: float, margin: Any, **_: Any) -> Finding:
    """A finding whose p stands in the KPI's name, as p.0019; with a minus in front it got worse."""
    if measure.name.startswith("refused"):
        raise MeasureError("measure_none")
    sign, p = (-1.0, float(measure.name[2:])) if measure.name[0] == "-" else (1.0, float(measure.name[1:]))
    found = of_p(p, sign)
    verdict = judge(
        lambda level: inference(found.value, Spread(found.se, found.df, 100.0), level),
        better="higher",
        margin=margin,
        alpha=alpha,
        rows=100.0,
    )
    table = pd.DataFrame({"n": [50.0, 50.0], "stat": "share"})
    effects = (Effect("share", "share", found, "primary"),)
    return Finding(table, (), measure, effects=effects, judgement=verdict, margin=margin)


def kpis_of(*names: str) -> list[cx.Share]:
    return [cx.Share(name, where="solved") for name in names]


def by_role(found: Findings, role: str) -> pd.DataFrame:
    return found.table[found.table["role"] == role]


# --- scorecard ---


def test_guardrails_are_read_by_holm_and_explorations_by_benjamini_and_hochberg():
    """R p.adjust on the fifteen p of Benjamini and Hochberg (1995): Holm keeps 3 below .05, their own method 4."""
    names = [f"p{p}" for p in PUBLISHED]
    guarded = scorecard(None, kpis_of("p0.5000001", *names), primary="p0.5000001", ask=ask_by_name)
    explored = scorecard(None, kpis_of("p0.5000001", *names), primary="p0.5000001", guardrails=[], ask=ask_by_name)
    assert (by_role(guarded, "guardrail")["code"] == "improved").sum() == 3
    assert (by_role(explored, "exploration")["code"] == "improved").sum() == 4
    holm = by_role(guarded, "guardrail").set_index("kpi")["p_adjusted"]
    assert holm[["p0.0019", "p0.0095"]].tolist() == pytest.approx([0.0247, 0.114])
    bh = by_role(explored, "exploration").set_index("kpi")["p_adjusted"]
    assert bh[["p0.0095", "p0.0201"]].tolist() == pytest.approx([0.035625, 0.0603])


def test_the_primary_kpi_keeps_its_own_p():
    found = scorecard(None, kpis_of("p0.04", "p0.04001", "p0.041", "p0.042"), primary="p0.042", ask=ask_by_name)
    assert found.codes == {
        "p0.042": "improved",
        "p0.04": "no_evidence",
        "p0.04001": "no_evidence",
        "p0.041": "no_evidence",
    }
    assert found.table["kpi"].iloc[0] == "p0.042"
    assert found["p0.04"].code == "improved", "alone it would have been"


def test_a_guardrail_that_would_be_worse_alone_is_watched():
    """Holm makes harm harder to see; what hides behind it is named."""
    found = scorecard(None, kpis_of("p0.01", "-p0.04", "p0.3", "p0.6"), primary="p0.01", ask=ask_by_name)
    said = {s.key: s for s in found.sentences()}
    assert said["changes.many.watch"].params["n"] == 1
    assert "-p0.04" in said["changes.many.watch"].text("en")
    assert "changes.many.worsened" not in said
    found = scorecard(None, kpis_of("p0.01", "-p0.001", "p0.3"), primary="p0.01", ask=ask_by_name)
    assert "Of the guardrails, this one got worse: -p0.001." in found.verdict("en")


def test_doubts_follow_a_verdict_into_the_scorecard():
    """A series that carries no firm verdict by itself carries none beside others."""

    def ask(data: Any, measure: Any, **question: Any) -> Finding:
        return dataclasses.replace(ask_by_name(data, measure, **question), doubts=(Reason("sticky", {"rho": 0.95}),))

    found = scorecard(None, kpis_of("p0.01", "-p0.001"), primary="p0.01", ask=ask)
    assert "carries no firm verdict" in found.verdict("en")
    assert "(likeness 0.95)" in found.verdict("en")
    assert "worsened (doubtful)" in found._repr_html_("en")


def test_guardrails_without_a_verdict_are_named_and_not_called_quiet():
    def ask(data: Any, measure: Any, **question: Any) -> Finding:
        told = ask_by_name(data, measure, **question)
        mute = dataclasses.replace(told, effects=(), judgement=Judgement("invalid", stop=Reason("constant")))
        return told if measure.id == "p0.01" else mute

    found = scorecard(None, kpis_of("p0.01", "p0.02", "p0.03"), primary="p0.01", ask=ask)
    assert found.verdict("en").endswith("No verdict on: p0.02, p0.03.")
    assert "guardrail" not in found.verdict("en")


def test_with_a_margin_a_lost_claim_is_undecided():
    found = scorecard(
        None, kpis_of("p0.01", "p0.04", "p0.03"), primary="p0.01", margins={"p0.04": 0.1}, ask=ask_by_name
    )
    assert (found.codes["p0.04"], found.codes["p0.03"]) == ("inconclusive", "no_evidence")


def test_kpis_that_the_data_lack_are_listed_and_not_fatal():
    found = scorecard(None, kpis_of("p0.01", "refused"), primary="p0.01", ask=ask_by_name)
    assert list(found.refused) == ["refused"]
    assert found.table.set_index("kpi").loc["refused", "code"] == "refused"
    assert "1 KPI is not in these data." in found.verdict("en")
    lost = scorecard(None, kpis_of("p0.01", "refused"), primary="refused", ask=ask_by_name)
    assert "which was to decide, is not in these data" in lost.verdict("en")


def tickets(n: int = 4000, seed: int = 1, **lifts: float) -> pd.DataFrame:
    """Tickets with an agent, a channel and a language, half before March; `lifts` per channel are planted."""
    rng = np.random.default_rng(seed)
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.uniform(0, 118 * 86_400, n), unit="s")
    channel = rng.choice(["chat", "email", "phone", "web"], n)
    chance = 0.6 + pd.Series(channel).map(lifts).fillna(0.0).to_numpy() * (opened >= CHANGE)
    return pd.DataFrame(
        {
            "opened_at": opened,
            "channel": channel,
            "language": rng.choice(["ar", "en", "fa"], n),
            "vip": rng.random(n) < 0.3,
            "agent_id": [f"A{i:02d}" for i in rng.integers(0, 30, n)],
            "solved": rng.random(n) < chance,
            "again": rng.random(n) < 0.2,
        }
    )


SOLVED = cx.Share("solved", where="solved", at="opened_at", better="higher")
AGAIN = cx.Share("again", where="again", at="opened_at", better="lower")


def test_a_scorecard_of_real_comparisons_holds_each_kpis_own_finding():
    everywhere = dict.fromkeys(["chat", "email", "phone", "web"], 0.1)
    found = scorecard(tickets(**everywhere), [SOLVED, AGAIN], primary="solved", at=CHANGE)
    from cxkit.changes.compare import compare

    assert found.codes == {"solved": "improved", "again": "no_evidence"}
    assert found["solved"].effect.found == compare(tickets(**everywhere), SOLVED, at=CHANGE).effect.found
    assert found["solved"].method.clusters == ("agent_id",)


def test_of_ten_kpis_in_which_nothing_happened_hardly_one_is_called_changed():
    """Statistics page: any p < .05 among ten happens 40 times in 100; with one primary and Holm at most ten do."""
    rng, wrong, any_p = np.random.default_rng(2), 0, 0
    for _ in range(400):
        p = np.clip(rng.random(10), 1e-6, 1 - 1e-6)
        names = [f"p{x:.9f}" for x in p]
        found = scorecard(None, kpis_of(*names), primary=names[0], ask=ask_by_name)
        claims = by_role(found, "guardrail")["code"].isin(["improved", "worsened"])
        wrong += bool(claims.any())
        any_p += bool((p[1:] < 0.05).any())
    assert wrong / 400 < 0.09 < 0.25 < any_p / 400


# --- segments ---


def test_equal_segments_are_not_told_apart_and_one_that_differs_is():
    alike = segments(
        tickets(8000, **dict.fromkeys(["chat", "email", "phone", "web"], 0.08)), SOLVED, "channel", at=CHANGE
    )
    one = segments(tickets(8000, email=0.2), SOLVED, "channel", at=CHANGE)
    assert not alike.differ
    assert [s.key for s in alike.sentences()][-1] == "changes.segments.alike"
    assert one.differ
    said = {s.key: s for s in one.sentences()}
    assert said["changes.segments.ends"].params["highest"].code == "email"
    assert [w.code for w in said["changes.segments.clear"].params["segments"].words] == ["email"]


def test_estimates_are_drawn_between_themselves_and_their_mean():
    found = segments(tickets(3000, email=0.15), SOLVED, "channel", at=CHANGE)
    table, mean = found.table, float(found.test.average.estimate)
    for row in table.to_dict("records"):
        low, high = sorted([row["value"], mean])
        assert low - 1e-12 <= row["drawn_value"] <= high + 1e-12
        assert 0 <= row["drawn"] <= 1


def test_a_segment_is_the_comparison_of_its_own_rows():
    from cxkit.changes.compare import compare

    table = tickets(email=0.1)
    found = segments(table, SOLVED, "channel", at=CHANGE)
    alone = compare(table[table["channel"] == "email"], SOLVED, at=CHANGE)
    assert found.findings["email"].effect.found.value == pytest.approx(alone.effect.found.value, abs=1e-12)
    assert found.table["n"].sum() == len(table)


def test_yes_and_no_are_segments_and_numbers_too():
    table = tickets().assign(tier=lambda t: t["agent_id"].str[-1].astype(int) % 3)
    assert segments(table, SOLVED, "vip", at=CHANGE).table["segment"].tolist() == ["no", "yes"]
    assert segments(table, SOLVED, "tier", at=CHANGE).table["segment"].tolist() == ["0", "1", "2"]


def test_waits_of_all_segments_are_counted_up_to_one_horizon():
    table = tickets()
    rng = np.random.default_rng(3)
    slow = table["channel"] == "email"
    table["closed_at"] = table["opened_at"] + pd.to_timedelta(rng.exponential(np.where(slow, 40, 4)) * 3600, unit="s")
    wait = cx.Duration("wait", start="opened_at", stop="closed_at", better="lower")
    found = segments(table, wait, "channel", at=CHANGE)
    horizons = {f.effect.amount for f in found.findings.values()}
    assert horizons == {found.overall.effect.amount}


def test_segments_of_a_handful_stay_in_the_overall_finding_only():
    table = tickets()
    table.loc[table.index[:4], "channel"] = "fax"
    found = segments(table, SOLVED, "channel", at=CHANGE)
    assert "fax" not in set(found.table["segment"])
    assert "1 segment has too few cases" in found.notes[-1].text("en")


# --- mix ---


def calls(before: dict[str, tuple[int, float]], after: dict[str, tuple[int, float]]) -> pd.DataFrame:
    parts = []
    for day, side in (("2026-02-01", before), ("2026-03-01", after)):
        for topic, (n, share) in side.items():
            hits = np.arange(n) < round(share * n)
            parts.append(pd.DataFrame({"opened_at": pd.Timestamp(day), "topic": topic, "solved": hits}))
    return pd.concat(parts, ignore_index=True)


def test_a_change_that_is_all_mix_is_called_mix():
    """By hand: 90% and 50% solved in either period; half and half, then one in five easy: 70% to 58%, all of it mix."""
    table = calls({"easy": (500, 0.9), "hard": (500, 0.5)}, {"easy": (200, 0.9), "hard": (800, 0.5)})
    found = decompose(table, SOLVED, "topic", at=CHANGE)
    assert (found.before, found.total.value) == (pytest.approx(0.7), pytest.approx(-0.12))
    assert (found.mix.value, found.rate.value) == (pytest.approx(-0.12), pytest.approx(0, abs=1e-12))
    assert not found.simpson


def test_the_parts_are_kitagawas():
    """Kitagawa (1955), by the plain formula on sizes and rates."""
    table = tickets(email=0.1)
    found = decompose(table, SOLVED, "channel", at=CHANGE)
    sides = [table[table["opened_at"] < CHANGE], table[table["opened_at"] >= CHANGE]]
    n = [s.groupby("channel")["solved"].size() for s in sides]
    rate = [s.groupby("channel")["solved"].mean() for s in sides]
    parts = kitagawa(n[0], rate[0], n[1], rate[1])
    by_group = found.table.set_index("segment").loc[n[0].index]
    assert by_group["mix_part"].to_numpy() == pytest.approx(parts.mix)
    assert by_group["rate_part"].to_numpy() == pytest.approx(parts.rate)
    assert found.total.value == pytest.approx(sides[1]["solved"].mean() - sides[0]["solved"].mean())


def test_a_total_that_contradicts_every_group_raises_an_alarm():
    """Simpson (1951): both topics get better, and the total worse."""
    table = calls({"easy": (800, 0.9), "hard": (200, 0.5)}, {"easy": (200, 0.95), "hard": (800, 0.55)})
    found = decompose(table, SOLVED, "topic", at=CHANGE)
    assert found.simpson
    assert found.total.value < 0 < found.rate.value
    assert "every group went one way and the total the other" in found.verdict("en")


def test_small_groups_are_put_together():
    table = calls(
        {"easy": (50, 0.9), "hard": (50, 0.5), "odd": (2, 1)}, {"easy": (50, 0.9), "hard": (50, 0.5), "rare": (3, 0)}
    )
    found = decompose(table, SOLVED, "topic", at=CHANGE)
    assert {"odd", "rare"}.isdisjoint(found.table["segment"])
    assert "others" in set(found.table["segment"])
    assert found.table[["n_before", "n_after"]].min().min() >= 5


def test_a_wait_is_told_by_the_share_within_its_target_and_open_ones_when_decided():
    """Open for longer than the target is a miss; open for less is not decided."""
    opened = pd.to_datetime(["2026-02-01"] * 20 + ["2026-03-01"] * 20)
    hours = np.array([2, 30] * 10 + [2, 30, 2, 30] * 5, dtype=float)
    table = pd.DataFrame({"opened_at": opened, "channel": ["a", "a", "b", "b"] * 10})
    table["closed_at"] = opened + pd.to_timedelta(hours, unit="h")
    table.loc[table["closed_at"] > "2026-03-02", "closed_at"] = pd.NaT
    young = pd.DataFrame({"opened_at": [pd.Timestamp("2026-03-01 23:00")] * 3, "channel": "a", "closed_at": pd.NaT})
    wait = cx.Duration("wait", start="opened_at", stop="closed_at", target_seconds=6 * 3600.0)
    found = decompose(pd.concat([table, young]), wait, "channel", at=CHANGE, as_of="2026-03-02")
    assert (found.before, found.total.value) == (0.5, pytest.approx(0))
    assert found.told.amount == 6 * 3600
    assert "3 cases are not decided yet" in found.notes[-1].text("en")


# --- refusals, studies, words ---


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CxkitError) as refused:
        call(*args, **kwargs)
    assert all(refused.value.text(code) for code in LANGS)
    return refused.value.text("en")


def test_refusals_teach():
    table = tickets(500)
    assert refusal(scorecard, table, [SOLVED, AGAIN], at=CHANGE) == (
        "One KPI must be named that decides, before anybody looks: primary=. There are: solved, again."
    )
    assert refusal(scorecard, table, [SOLVED, AGAIN], primary="solvd", at=CHANGE) == (
        "“solvd” is none of the KPIs asked for (did you mean “solved”?). There are: solved, again."
    )
    assert refusal(scorecard, table, [SOLVED, SOLVED], primary="solved", at=CHANGE) == (
        "A scorecard needs KPIs, each once; 1 stands twice."
    )
    assert refusal(scorecard, table, [], at=CHANGE) == "A scorecard needs KPIs, each once; none is named."
    assert refusal(scorecard, table, [SOLVED, AGAIN], primary="again", adjust="bonferroni", at=CHANGE) == (
        "The p of guardrails are adjusted by one of these: holm, hochberg, bh; not by “bonferroni”."
    )
    assert refusal(segments, table, SOLVED, "agent_id", at=CHANGE) == "“agent_id” are single persons, and no segments."
    assert refusal(segments, table, SOLVED, "opened_at", at=CHANGE) == (
        "“opened_at” holds 500 segments here; from two to 50 can be told apart."
    )
    assert refusal(segments, table, SOLVED, "chanel", at=CHANGE).startswith(
        "DataFrame has no column chanel (did you mean channel?)"
    )
    assert refusal(decompose, table, cx.Count("n", at="opened_at"), "channel", at=CHANGE) == (
        "n has no mix of cases: a number of arrivals, or a sum over another sum. Take it apart by its groups "
        "themselves."
    )


def test_a_study_gives_what_its_table_gives(tmp_path: Path) -> None:
    table = tickets(email=0.1).assign(ticket_id=lambda t: [f"T{i}" for i in range(len(t))])
    study = small_study(tmp_path, "2026-05-01", {"tickets": table})
    ours, theirs = (segments(data, SOLVED, "channel", at=CHANGE) for data in (study, table))
    assert ours.table["value"].to_numpy() == pytest.approx(theirs.table["value"].to_numpy(), abs=1e-12)
    ours, theirs = (decompose(data, SOLVED, "channel", at=CHANGE) for data in (study, table))
    assert ours.mix == theirs.mix


@pytest.fixture(scope="module")
def results() -> list[Findings | Segments | Any]:
    table = tickets(6000, email=0.25, seed=3)
    return [
        scorecard(table, [SOLVED, AGAIN], primary="solved", at=CHANGE),
        scorecard(
            None,
            kpis_of("p0.01", "-p0.04", "p0.001", "-p0.0001", "p0.3"),
            primary="p0.01",
            guardrails=["-p0.04", "-p0.0001", "p0.3"],
            ask=ask_by_name,
        ),
        segments(table, SOLVED, "channel", at=CHANGE),
        segments(table, SOLVED, "language", at=CHANGE),
        decompose(table, SOLVED, "channel", at=CHANGE),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGS)
def test_results_speak_and_draw_in_every_language(results: list[Any], code: str) -> None:
    for found in results:
        page = found._repr_html_(code)
        assert f'lang="{code}"' in page and "changes." not in page and "column." not in page
        assert found.figure(code).png.startswith(b"\x89PNG")


def test_machine_values_are_json(results: list[Any]) -> None:
    for found in results:
        json.loads(json.dumps(found.to_dict(), allow_nan=False))
    told = results[0].to_dict()
    assert (told["primary"], told["codes"]) == ("solved", dict(results[0].codes))
    assert results[2].to_dict()["differ"] is True
