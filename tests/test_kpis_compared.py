"""One KPI under several definitions, and its movement between two periods taken apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import SmallStudy, small_study

from cxkit import kpis
from cxkit.errors import ParameterError
from cxkit.lang import LANGS
from cxkit.result import NotAnswerable

AS_OF = "2026-04-01"


def calls(tmp_path: Path) -> SmallStudy:
    """kpis.md K12: 1,000 answered (860 within 20 s), 60 abandoned (20 within 20 s, of these 10 within 5 s)."""
    waits = [10.0] * 860 + [60.0] * 140 + [2.0] * 10 + [12.0] * 10 + [90.0] * 40
    outcome = ["answered"] * 1000 + ["abandoned"] * 60
    frame = pd.DataFrame({"call_id": range(1060), "arrived_at": "2026-03-02", "outcome": outcome})
    settings = {"calls": {"short_abandon_seconds": 5.0, "answer_within_seconds": 20.0}}
    return small_study(tmp_path, AS_OF, {"calls": frame.assign(wait_seconds=waits)}, config=settings)


def test_five_service_levels_and_the_one_without_short_abandons(tmp_path: Path) -> None:
    """ICMI's example (AN 1000, AB 60, AN20 860, AB20 20, AB5 10): 83.02, 86.00, 81.13, 82.69, 82.08 and 81.90 %."""
    found = kpis.definitions_compared(calls(tmp_path), "service_level")
    share = found.table.set_index("variant")["value"] * 100
    expected = {
        "with_abandons": 83.02,
        "answered_only": 86.00,
        "all_offered": 81.13,
        "late_abandons": 82.69,
        "short_as_kept": 82.08,
        "drop_short": 81.90,
    }
    assert share.round(2).to_dict() == expected
    assert found.table["in_use"].tolist() == [True, False, False, False, False, False]
    (said,) = found.sentences()
    assert said.to_dict()["params"]["spread"] == pytest.approx(0.0487, abs=5e-5)
    assert found.table.set_index("variant").loc["answered_only", "not_counted"] == 60


def tickets(tmp_path: Path) -> SmallStudy:
    """By hand: of ten tickets solved in January two come back, of ten in February one; one reply in six, in three."""
    rows = pd.DataFrame({"ticket_id": [f"T{i}" for i in range(20)]})
    rows["opened_at"] = ["2026-01-10"] * 10 + ["2026-02-10"] * 10
    rows["first_solved_at"] = rows["opened_at"]
    back = [0, 1, 10]
    rows["reopened_at"] = [pd.Timestamp(rows["opened_at"][i]) if i in back else pd.NaT for i in range(20)]
    rows["replies"] = [1] * 6 + [2] * 4 + [1] * 3 + [2] * 7
    return small_study(tmp_path, AS_OF, {"tickets": rows})


def test_the_gap_between_two_reports_is_definition_and_period(tmp_path: Path) -> None:
    """By hand: January 80 % not reopened and 60 % one reply, February 90 % and 30 %.

    From 80 to 30: definition first -20, then -60; mean of both orders -40. Period +10, then -30; mean -10. Sum -50.
    """
    found = kpis.definition_gap(tickets(tmp_path), "fcr", ("no_reopen", "2026-01-15"), ("one_touch", "2026-02-15"))
    amount = found.table.set_index("part")["amount"]
    assert amount.to_dict() == pytest.approx({"first": 0.8, "definition": -0.4, "period": -0.1, "second": 0.3})
    assert amount["first"] + amount["definition"] + amount["period"] == pytest.approx(amount["second"], abs=1e-15)


def test_a_definition_that_the_data_lack_is_named_with_what_is_missing(tmp_path: Path) -> None:
    found = kpis.definitions_compared(tickets(tmp_path), "fcr")
    assert {"no_reopen", "one_touch"} <= set(found.table["variant"])
    assert found.unanswered["agent_flagged"] == ("tickets.solved_first_contact",)
    with pytest.raises(ParameterError) as refused:
        kpis.definition_gap(tickets(tmp_path), "fcr", ("one_touhc", "2026-01-15"), ("one_touch", "2026-02-15"))
    assert refused.value.params["near"] == "one_touch"
    with pytest.raises(ParameterError, match="first period begins on 2026-01-01"):
        kpis.definition_gap(tickets(tmp_path), "fcr", ("one_touch", "2025-01-15"), ("one_touch", "2026-02-15"))


def rated(tmp_path: Path, days: list[str]) -> SmallStudy:
    """kpis.md P14: chat 90 % of 100, then 85 % of 900; e-mail 60 % of 900, then 55 % of 100."""
    parts = [
        ("chat", 100, 90, days[0]),
        ("email", 900, 540, days[0]),
        ("chat", 900, 765, days[1]),
        ("email", 100, 55, days[1]),
    ]
    rows = [
        pd.DataFrame({"channel": c, "opened_at": day, "satisfaction": ["good"] * good + ["bad"] * (n - good)})
        for c, n, good, day in parts
    ]
    frame = pd.concat(rows, ignore_index=True).assign(ticket_id=lambda t: t.index.astype(str))
    return small_study(tmp_path, AS_OF, {"tickets": frame})


def test_a_total_that_rises_while_every_channel_falls(tmp_path: Path) -> None:
    """P14: the total goes from 63 to 82 %; mix (0.8 * 0.3 = +24 points) hides a fall of 5 points in each channel."""
    found = kpis.movement(rated(tmp_path, ["2026-01-02", "2026-02-10"]), "csat")
    table = found.table.set_index("channel")
    assert (found.before, found.before + found.total.value) == pytest.approx((0.63, 0.82))
    assert (found.mix.value, found.rate.value) == pytest.approx((0.24, -0.05))
    assert table["mix_part"].sum() + table["rate_part"].sum() == pytest.approx(0.19)
    assert table.loc["chat", ["weight_before", "weight_after", "rate_before", "rate_after"]].tolist() == pytest.approx(
        [0.1, 0.9, 0.9, 0.85]
    )
    assert found.simpson
    assert [sentence.key for sentence in found.sentences()][-1] == "kpis.movement.simpson"
    assert all("82" in found.verdict(code) or "۸۲" in found.verdict(code) for code in LANGS)
    assert found.figure("fa").png.startswith(b"\x89PNG")


def test_the_two_periods_may_be_named(tmp_path: Path) -> None:
    """The data hold three months; without names the last two complete ones are taken."""
    study = rated(tmp_path, ["2026-01-02", "2026-03-10"])
    named = kpis.movement(study, "csat", periods=("2026-01-31", "2026-03-01"))
    assert named.periods == (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-03-01"))
    with pytest.raises(ParameterError, match="1 was named"):
        kpis.movement(study, "csat", periods=("2026-01-31",))


def test_a_duration_moves_by_its_share_within_the_promise(tmp_path: Path) -> None:
    """By hand: promised a day; January 3 of 4 within it, February 2 of 4. March is not followed for a day."""
    opened = pd.to_datetime(["2026-01-02"] * 4 + ["2026-02-10"] * 4 + ["2026-03-31"] * 4)
    hours = [1, 2, 3, 50, 1, 2, 50, 60, 1, 1, 1, 1]
    frame = pd.DataFrame({"ticket_id": [f"T{i}" for i in range(12)], "opened_at": opened, "channel": "email"})
    frame["first_solved_at"] = opened + pd.to_timedelta(hours, unit="h")
    study = small_study(tmp_path, AS_OF, {"tickets": frame}, targets={"resolution_time": 86_400.0})
    found = kpis.movement(study, "resolution_time", least=1)
    assert found.periods == (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01"))
    assert (found.before, found.rate.value, found.mix.value) == pytest.approx((0.75, -0.25, 0.0))
    assert found.sentences()[0].key == "kpis.movement.total_within"


def test_groups_of_few_move_together(tmp_path: Path) -> None:
    """Three of social in January and four in web: neither shows, their sum of seven does."""
    n = {"email": (50, 50), "social": (3, 20), "web": (4, 30)}
    rows = [
        pd.DataFrame({"channel": [channel] * count, "opened_at": day})
        for channel, counts in n.items()
        for count, day in zip(counts, ("2026-01-02", "2026-02-10"), strict=True)
    ]
    frame = pd.concat(rows, ignore_index=True)
    frame = frame.assign(ticket_id=frame.index.astype(str), satisfaction=np.where(frame.index % 3, "good", "bad"))
    table = kpis.movement(small_study(tmp_path, AS_OF, {"tickets": frame}), "csat").table
    assert dict(zip(table["channel"], table["n_before"], strict=True)) == {"email": 50, "other_groups": 7}


def test_what_has_no_mix_says_so(tmp_path: Path) -> None:
    """A number of tickets is no mean of its groups; and what the data lack stays unanswered."""
    study = rated(tmp_path, ["2026-01-02", "2026-02-10"])
    assert [said.key for said in kpis.movement(study, "volume").sentences()] == ["kpis.movement.kind"]
    assert isinstance(kpis.movement(study, "nps"), NotAnswerable)
    assert isinstance(kpis.movement(study, "csat", by="team"), NotAnswerable)
