"""Groups: what is hidden, who is not ranked, and how a KPI moves within each."""

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

AS_OF = "2026-03-31 23:59"


def rated(tmp_path: Path, numbers: dict[str, int], good: float = 0.8) -> SmallStudy:
    """So many rated tickets of each channel in February, of twenty agents in turn."""
    channel = np.repeat(list(numbers), list(numbers.values()))
    n = len(channel)
    frame = pd.DataFrame({"ticket_id": map(str, range(n)), "opened_at": "2026-02-10", "channel": channel})
    frame["satisfaction"] = np.where(np.random.default_rng(2).random(n) < good, "good", "bad")
    frame["agent_id"] = [f"agent {i % 20:02}" for i in range(n)]
    frame["first_solved_at"] = pd.Timestamp("2026-02-10") + pd.to_timedelta(np.arange(n) % 50 + 1, unit="h")
    return small_study(tmp_path, AS_OF, {"tickets": frame})


def test_a_small_channel_is_hidden_and_says_so(tmp_path: Path) -> None:
    """Three of social, and the next smallest with it; neither zero nor missing, in three languages."""
    found = kpis.by_group(rated(tmp_path, {"email": 200, "phone": 90, "chat": 40, "social": 3}), "csat")
    assert isinstance(found, kpis.ByGroup)
    shown = found.table.set_index("channel")
    assert shown.index[shown["hidden"]].tolist() == ["chat", "social"]
    assert shown.loc[["chat", "social"], ["value", "low", "high", "n", "open"]].isna().all().all()
    words = {"en": "hidden", "ar": "محجوب", "fa": "پنهان"}
    for code in LANGS:
        assert found._repr_html_(code).count(words[code]) >= 6
        assert found.figure(code).png.startswith(b"\x89PNG")
    said = str(found.to_dict()["verdict"])
    assert "chat" not in said and "social" not in said


def test_times_of_a_group_that_shields_another_are_shown_without_their_number(tmp_path: Path) -> None:
    """A median cannot be told from that of all, so the second smallest keeps it: only its number is hidden."""
    found = kpis.by_group(rated(tmp_path, {"email": 200, "chat": 40, "social": 3}), "resolution_time")
    shown = found.table.set_index("channel")
    assert shown["hidden"].to_dict() == {"email": False, "chat": False, "social": True}
    assert np.isnan(shown.loc["chat", "n"]) and shown.loc["chat", "value"] > 0
    assert np.isnan(shown.loc["social", "value"])
    assert found.sentences()[0].key in ("kpis.groups.overlap", "kpis.groups.apart")


def test_nothing_is_hidden_where_the_analyst_says_so(tmp_path: Path) -> None:
    found = kpis.by_group(rated(tmp_path, {"email": 200, "social": 3}), "csat", least=0)
    assert found.table["n"].tolist() == [200, 3]


@pytest.mark.parametrize("code", LANGS)
def test_agents_are_no_table_unless_asked_for_on_purpose(tmp_path: Path, code: str) -> None:
    with pytest.raises(ParameterError) as refused:
        kpis.by_group(rated(tmp_path, {"email": 400}), "csat", "agent_id")
    assert refused.value.code == "group_agents"
    assert "agent_detail=True" in refused.value.text(code)
    with pytest.raises(ParameterError):
        kpis.by_group(rated(tmp_path, {"email": 400}), "csat", "customer_id", agent_detail=True)
    with pytest.raises(ParameterError):
        kpis.movement(rated(tmp_path, {"email": 400}), "csat", "agent_id")


def test_agents_asked_for_are_neither_ranked_nor_shown_with_few_cases(tmp_path: Path) -> None:
    """Twenty agents of 30 or 31 tickets, one of them with ten only: listed by name, and nobody called best or worst."""
    study = rated(tmp_path, {"email": 610})
    tickets = study.table("tickets").to_pandas()
    few = tickets.index[tickets["agent_id"] == "agent 07"][10:]
    tickets.loc[few, "agent_id"] = "agent 08"
    tickets.to_parquet(study.folder / "tickets.parquet")
    found = kpis.by_group(study, "csat", "agent_id", agent_detail=True)
    assert found.table["agent_id"].is_monotonic_increasing
    hidden = found.table.set_index("agent_id")["hidden"]
    assert hidden.index[hidden].tolist() == ["agent 07"]
    assert [said.key for said in found.sentences()] == ["kpis.groups.persons"]
    assert not any("agent 0" in found.verdict(code) or "agent 1" in found.verdict(code) for code in LANGS)


def test_a_report_without_the_switch_names_no_agent(tmp_path: Path) -> None:
    """No view of the notebook holds the name of an agent, neither in words nor in machine values."""
    study = rated(tmp_path, {"email": 400, "chat": 300})
    views = [
        kpis.scorecard(study),
        kpis.card(study, "resolution_time"),
        kpis.channels(study, "satisfaction"),
        kpis.trends_by_group(study, "csat"),
        kpis.movement(study, "csat"),
        kpis.family(study, "resolution"),
        kpis.definitions_compared(study, "csat"),
    ]
    for view in views:
        assert "agent 0" not in str(view.to_dict()) + view._repr_html_("en")


def test_a_kpi_is_followed_within_each_group_on_one_scale(tmp_path: Path) -> None:
    """By hand: e-mail 2 of 4 good in January, 3 of 4 in February; chat 4 of 4, then 2 of 4."""
    rows = [
        ("email", "2026-01-02", [1, 1, 0, 0]),
        ("email", "2026-02-05", [1, 1, 1, 0]),
        ("chat", "2026-01-03", [1, 1, 1, 1]),
        ("chat", "2026-02-05", [1, 1, 0, 0]),
    ]
    frame = pd.DataFrame([(c, day, "good" if x else "bad") for c, day, held in rows for x in held])
    frame.columns = pd.Index(["channel", "opened_at", "satisfaction"])
    study = small_study(tmp_path, AS_OF, {"tickets": frame.assign(ticket_id=frame.index.astype(str))})
    found = kpis.trends_by_group(study, "csat", least=0)
    assert isinstance(found, kpis.GroupTrends)
    share = found.table.pivot_table(index="month", columns="channel", values="value")
    assert share["email"].tolist() == [0.5, 0.75]
    assert share["chat"].tolist() == [1.0, 0.5]
    limits = {part.limits for part in found.parts}  # type: ignore[attr-defined]
    assert len(limits) == 1
    assert found.figure("fa").png.startswith(b"\x89PNG")
    assert isinstance(kpis.trends_by_group(study, "nps"), NotAnswerable)


def test_cells_of_few_are_hidden_in_time_lines_too(tmp_path: Path) -> None:
    """Two of chat in January: hidden, and with it what would tell it by subtraction."""
    cells = [
        ("email", "2026-01-02", 40),
        ("chat", "2026-01-02", 2),
        ("email", "2026-02-05", 50),
        ("chat", "2026-02-05", 30),
    ]
    parts = [pd.DataFrame({"channel": [channel] * n, "opened_at": day}) for channel, day, n in cells]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.assign(ticket_id=frame.index.astype(str), satisfaction=np.where(frame.index % 4, "good", "bad"))
    found = kpis.trends_by_group(small_study(tmp_path, AS_OF, {"tickets": frame}), "csat")
    assert found.table["hidden"].all()
    assert found.sentences()[0].key == "kpis.group_trends.few"
    assert found.figure("en").png.startswith(b"\x89PNG")
