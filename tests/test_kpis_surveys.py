"""Whom the survey KPIs speak for: respondents against all, weights, bounds and the funnel."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import SmallStudy, small_study

from cxkit import kpis
from cxkit.errors import MeasureError
from cxkit.intake import run_intake
from cxkit.lang import LANGS
from cxkit.result import NotAnswerable
from cxkit.samples import make_sample
from cxkit.study import open_study

AS_OF = "2026-03-01"
# A distribution of opinions that fits every number of the demonstration K18 (kpis.md): propensities .30 .12 .06 .08 .22
# for the answers 1 to 5, response 13.2 %, true top-2 61.9 % against 63.5 % observed, true mean 3.61 against 3.58.
OPINIONS = {1: (840, 252), 2: (860, 103), 3: (2110, 127), 4: (3740, 299), 5: (2450, 539)}


def asked(opinions: dict[int, tuple[int, int]], channel: str = "email") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Surveys and their answers: of each opinion, how many hold it and how many of these answer."""
    surveys = pd.DataFrame(
        {
            "opinion": np.repeat([float(x) for x in opinions], [n for n, _ in opinions.values()]),
            "answers": np.concatenate([np.arange(n) < came for n, came in opinions.values()]),
        }
    )
    surveys["response_id"] = [f"{channel}{i}" for i in range(len(surveys))]
    surveys["channel"], surveys["sent_at"] = channel, "2026-01-10"
    surveys["answered_at"] = pd.Series(["2026-01-12"] * len(surveys)).where(surveys["answers"])
    answers = surveys.loc[surveys["answers"], ["response_id", "opinion"]].rename(columns={"opinion": "value"})
    return surveys.drop(columns=["opinion", "answers"]), answers.assign(item="csat")


def study_of(tmp_path: Path, *parts: tuple[pd.DataFrame, pd.DataFrame]) -> SmallStudy:
    surveys, answers = (pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True))
    return small_study(tmp_path, AS_OF, {"surveys": surveys, "survey_answers": answers})


def values(found: kpis.Respondents, stat: str) -> pd.DataFrame:
    table = found.values.table
    return table[table["stat"] == stat].set_index("way")


def test_those_who_answer_can_move_two_kpis_in_opposite_directions(tmp_path: Path) -> None:
    """K18: the J-shape of answering lifts the top box and lowers the mean. No weight mends it; the bounds hold."""
    truth = sum(n for n, _ in OPINIONS.values())
    top = sum(OPINIONS[x][0] for x in (4, 5)) / truth
    mean = sum(x * n for x, (n, _) in OPINIONS.items()) / truth
    assert (round(top, 3), round(mean, 2)) == (0.619, 3.61)
    found = kpis.respondents(study_of(tmp_path, asked(OPINIONS)))
    share, score = values(found, "top_share"), values(found, "mean")
    assert round(found.answered / found.asked, 3) == 0.132
    assert share.loc["observed", "value"] == pytest.approx(0.635, abs=5e-4)
    assert score.loc["observed", "value"] == pytest.approx(3.58, abs=5e-3)
    assert share.loc["weighted", "value"] == pytest.approx(share.loc["observed", "value"])
    assert share.loc["bounds", "low"] < top < share.loc["bounds", "high"]
    assert score.loc["bounds", "low"] < mean < score.loc["bounds", "high"]


def test_weighting_mends_that_one_channel_answers_more(tmp_path: Path) -> None:
    """By hand: chat 80 % of 1,000, half answer; e-mail 40 % of 1,000, a tenth answers, alike in their opinions.

    As answered (400 + 40) / 600 = 73.3 %; weighted (80 + 40) / 2 = 60 %, which is the truth.
    """
    chat = asked({1: (200, 100), 5: (800, 400)}, "chat")
    email = asked({1: (600, 60), 5: (400, 40)}, "email")
    found = kpis.respondents(study_of(tmp_path, chat, email))
    share = values(found, "top_share")
    assert share.loc["observed", "value"] == pytest.approx(440 / 600)
    assert share.loc["weighted", "value"] == pytest.approx(0.6)
    assert share.loc["weighted", "low"] < 0.6 < share.loc["weighted", "high"]
    table = found.table.set_index("group")
    assert table.loc["chat", ["share_asked", "share_answered", "response"]].tolist() == pytest.approx([0.5, 5 / 6, 0.5])
    assert "kpis.respondents.limits" in [note.key for note in found.notes]


def test_the_worst_and_the_best_case_by_hand(tmp_path: Path) -> None:
    """Manski: 440 favourable and 160 other answers of 2,000 asked lie between 22 % and 92 %, and chance widens that."""
    chat = asked({1: (200, 100), 5: (800, 400)}, "chat")
    email = asked({1: (600, 60), 5: (400, 40)}, "email")
    bounds = values(kpis.respondents(study_of(tmp_path, chat, email)), "top_share").loc["bounds"]
    assert bounds["low"] == pytest.approx(0.22, abs=0.02) and bounds["low"] < 0.22
    assert bounds["high"] == pytest.approx(0.92, abs=0.02) and bounds["high"] > 0.92


def test_a_channel_of_few_answers_is_hidden_with_another(tmp_path: Path) -> None:
    parts = [
        asked({5: (n, came)}, channel) for channel, n, came in (("chat", 90, 50), ("email", 80, 30), ("social", 40, 2))
    ]
    found = kpis.respondents(study_of(tmp_path, *parts))
    table = found.table.set_index("group")
    assert table["hidden"].to_dict() == {"chat": False, "email": True, "social": True}
    assert table.loc["social", ["asked", "answered", "response"]].isna().all()
    page = found._repr_html_("en")
    assert page.count("hidden") >= 2


def test_answers_without_invitations_know_nothing_of_the_silent(tmp_path: Path) -> None:
    surveys, answers = asked({5: (10, 10)})
    study = small_study(tmp_path, AS_OF, {"surveys": surveys.drop(columns="sent_at"), "survey_answers": answers})
    assert isinstance(kpis.respondents(study), NotAnswerable)
    assert isinstance(kpis.coverage(study), NotAnswerable)
    assert isinstance(kpis.respondents(study, "nps"), NotAnswerable)
    with pytest.raises(MeasureError, match="no answer on a scale"):
        kpis.respondents(small_study(tmp_path, AS_OF, {"tickets": _tickets(3, 3)}), "volume")


def _tickets(n: int, solved: int) -> pd.DataFrame:
    opened = pd.Timestamp("2026-01-05")
    rows = pd.DataFrame({"ticket_id": [f"email{i}" for i in range(n)], "opened_at": opened, "channel": "email"})
    rows["first_solved_at"] = pd.Series([opened] * n).where(rows.index < solved)
    return rows


def test_the_funnel_counts_every_step(tmp_path: Path) -> None:
    """By hand: 50 tickets, 40 solved, 20 of them asked, 8 opened the survey, 6 answered."""
    surveys, answers = asked({5: (20, 6)})
    surveys = surveys.assign(ticket_id=surveys["response_id"])
    surveys["viewed_at"] = pd.Series(["2026-01-12"] * 20).where(surveys.index < 8)
    tables = {"surveys": surveys, "survey_answers": answers, "tickets": _tickets(50, 40)}
    found = kpis.coverage(small_study(tmp_path, AS_OF, tables))
    total = found.table[found.table["channel"] == "all"].set_index("step")
    assert total["n"].tolist() == [40, 20, 8, 6]
    assert total["share"].tolist()[1:] == pytest.approx([0.5, 0.4, 0.75])
    assert found.steps == ("eligible", "sent", "viewed", "answered")
    for code in LANGS:
        assert found.figure(code).png.startswith(b"\x89PNG")
        assert found.verdict(code)


@pytest.mark.slow
def test_the_bounds_cover_what_all_customers_think_and_the_weighted_value_does_not(tmp_path: Path) -> None:
    """The simulated truth over every ticket, asked or not: the score decides who answers, so weights cannot mend it."""
    folder = make_sample(tmp_path / "study", tickets=3000)
    run_intake(folder)
    truth = tomllib.loads((folder / "truth.toml").read_text("utf-8"))["kpi"]["csat"]["year"]["all"]
    share = values(kpis.respondents(open_study(folder)), "top_share")
    assert share.loc["bounds", "low"] < truth["top_share"] < share.loc["bounds", "high"]
    assert truth["top_share"] < share.loc["weighted", "value"] - 0.03
