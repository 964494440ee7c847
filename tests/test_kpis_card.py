"""The card of one KPI, the scorecard's columns, the panels of families, the chooser and the terminal."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import SmallStudy, small_study
from statsmodels.stats.proportion import proportion_confint

from cxkit import kpis
from cxkit.errors import ParameterError
from cxkit.kpis import asked
from cxkit.kpis.terminal import WIDTH, card_lines, scorecard_lines
from cxkit.lang import LANGS, say
from cxkit.measures.kinds import FAMILIES
from cxkit.result import NotAnswerable

AS_OF = "2026-03-16 12:00"


def service(tmp_path: Path, **settings: object) -> SmallStudy:
    """400 tickets from January to mid-March 2026, nine in ten rated good, some spam, ten agents."""
    rng = np.random.default_rng(11)
    n = 400
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 74 * 86_400, n)), unit="s")
    solved = opened + pd.to_timedelta(rng.lognormal(2.0, 1.2, n) * 3600, unit="s")
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"T{i}" for i in range(n)],
            "opened_at": opened,
            "channel": np.where(np.arange(n) % 2 == 0, "chat", "email"),
            "agent_id": [f"A{i % 10}" for i in range(n)],
            "first_solved_at": pd.Series(solved).where(solved < pd.Timestamp(AS_OF)),
            "satisfaction": np.where(np.arange(n) % 10 < 9, "good", "bad"),
            "is_spam": np.arange(n) % 40 == 3,
        }
    )
    return small_study(tmp_path, AS_OF, {"tickets": tickets}, **settings)  # type: ignore[arg-type]


def test_a_target_at_an_end_of_the_interval_is_met_with_a_chance_of_97_5_percent(tmp_path: Path) -> None:
    """The 95 % interval leaves 2.5 % below its lower end; that of Wilson for 27 of 30 begins at 74.38 % (K01)."""
    low, _ = proportion_confint(27, 30, method="wilson")
    rated = pd.DataFrame({"ticket_id": map(str, range(30)), "opened_at": "2026-03-02", "satisfaction": "good"})
    rated.loc[:2, "satisfaction"] = "bad"
    study = small_study(tmp_path, AS_OF, {"tickets": rated}, targets={"csat": float(low)})
    row = kpis.scorecard(study).table.set_index("kpi").loc["csat"]
    assert row["low"] == pytest.approx(0.7438, abs=5e-5)
    assert row["chance"] == pytest.approx(0.975)
    assert row["standing"] == "met"


def test_the_chance_of_a_time_counts_the_other_way(tmp_path: Path) -> None:
    """A resolution time is better when it is lower: a generous promise is kept, a strict one is not."""
    chances = []
    for hours in (1000.0, 0.1):
        study = service(tmp_path, targets={"resolution_time": hours * 3600})
        chances.append(kpis.scorecard(study).table.set_index("kpi").loc["resolution_time", "chance"])
    assert chances[0] > 0.999 and chances[1] < 0.001


def test_a_share_within_a_time_is_judged_as_a_share(tmp_path: Path) -> None:
    """{ within = 3 d, share = 0.5 }: two rows, and the target stands beside the share, where more is better."""
    study = service(tmp_path, targets={"resolution_time": {"within": 3 * 86_400.0, "share": 0.5}})
    table = kpis.scorecard(study).table
    rows = table[table["kpi"] == "resolution_time"].set_index("stat")
    assert list(rows.index) == ["median", "within"]
    assert math.isnan(rows.loc["median", "target"])
    assert (rows.loc["within", "target"], rows.loc["within", "standing"]) == (0.5, "met")


def test_the_scorecard_goes_family_by_family(tmp_path: Path) -> None:
    places = kpis.scorecard(service(tmp_path)).table["family"].map(FAMILIES.index)
    assert places.is_monotonic_increasing
    assert places.nunique() > 3


def test_what_is_missing_says_which_question_it_would_answer(tmp_path: Path) -> None:
    card = kpis.scorecard(service(tmp_path))
    assert "survey_answers.item" in card.unanswered["nps"]
    assert card.asked["nps"].text("en") == "Would customers recommend us?"


@pytest.mark.parametrize("code", LANGS)
def test_a_card_says_everything_to_know_before_using_a_number(tmp_path: Path, code: str) -> None:
    """M021: definition used, value, interval, n, trend, target, caveats; in words, picture and machine values."""
    study = service(tmp_path, targets={"resolution_time": 10 * 3600.0})
    card = kpis.card(study, "resolution_time")
    assert isinstance(card, kpis.Card)
    page, words = card._repr_html_(code), card.verdict(code)
    assert card.measure is not None
    assert card.measure.definition.text(code)[:40] in page.replace("&#x27;", "'")
    assert card.measure.definition_hash in page
    assert say("kpis.card.population", code) in page
    assert say("value.rule.spam", code) in page
    assert words.count("(") >= 2, "the value and the last period, each with its interval"
    assert card.figure(code).png.startswith(b"\x89PNG")
    machine = json.loads(json.dumps(card.to_dict()))
    assert machine["definition"]["fingerprint"] == card.measure.definition_hash
    assert {"kpis.card.population", "kpis.card.trend"} == machine["more"].keys()


def test_a_card_counts_rows_left_out_and_cases_left_open(tmp_path: Path) -> None:
    """By hand: ten of 400 are spam; those without a solution are open."""
    study = service(tmp_path)
    card = kpis.card(study, "resolution_time")
    assert isinstance(card, kpis.Card) and card.population is not None
    removed = card.population.table.set_index("rule")["removed"]
    assert removed["spam"] == 10
    tickets = study.table("tickets").to_pandas()
    real = tickets[~tickets["is_spam"]]
    median = card.table.set_index("stat").loc["median"]
    assert (median["n"], median["open"]) == (390, real["first_solved_at"].isna().sum())
    assert median["share_open"] == pytest.approx(median["open"] / 390)
    assert median["clusters"] == 10
    assert median["wide_low"] <= median["low"] <= median["high"] <= median["wide_high"]


def test_the_caveats_of_a_definition_stand_in_the_notes(tmp_path: Path) -> None:
    card = kpis.card(service(tmp_path), "csat")
    assert {"kpi.caveat.respondents", "kpi.caveat.rating_undated"} <= {note.key for note in card.notes}


def test_a_card_that_cannot_be_made_says_what_is_missing(tmp_path: Path) -> None:
    assert isinstance(kpis.card(service(tmp_path), "nps"), NotAnswerable)
    with pytest.raises(ParameterError):
        kpis.card(service(tmp_path), "npss")


def test_one_panel_per_family_without_asking_anything_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All KPIs are counted once per way of grouping: overall, and by month."""
    study, calls = service(tmp_path), []
    counted = asked.estimates

    def counting(*args: object, **kwargs: object) -> pd.DataFrame:
        calls.append(kwargs["by"])
        return counted(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(asked, "estimates", counting)
    kpis.scorecard(study)
    panels = [kpis.family(study, name) for name in kpis.families(study)]
    kpis.trends(study)
    kpis.card(study, "resolution_time")
    assert calls == [(), ("month",)]
    assert len(panels) == len(kpis.families(study)) > 3
    for panel in panels:
        assert isinstance(panel, kpis.Family)
        assert all(panel.verdict(code) for code in LANGS)
    assert panels[0].figure("ar").png.startswith(b"\x89PNG")


def test_a_family_that_the_data_do_not_carry_is_not_answerable(tmp_path: Path) -> None:
    found = kpis.family(service(tmp_path), "cost")
    assert isinstance(found, NotAnswerable)
    assert "costs.amount" in found.verdict("en")
    with pytest.raises(ParameterError) as refused:
        kpis.family(service(tmp_path), "satisfation")
    assert refused.value.params["near"] == "satisfaction"


def test_the_chooser_names_question_needs_cases_and_biases(tmp_path: Path) -> None:
    """M027. 385 answers give five points to either side at worst: 1.96^2 / 4 / 0.05^2 = 384.1."""
    chooser = kpis.chooser(service(tmp_path))
    rows = chooser.table.set_index("kpi")
    assert rows.loc["csat", "answerable"] and not rows.loc["nps", "answerable"]
    assert "tickets.satisfaction" in rows.loc["csat", "needs_columns"]
    assert rows.loc["fcr", "least"] == math.ceil(1.959964**2 / 4 / 0.05**2) == 385
    page = chooser._repr_html_("fa")
    assert say("kpi.nps.question", "fa") in page
    assert len(chooser.table) >= 38


def _width(line: str) -> int:
    return sum(unicodedata.category(letter) not in ("Cf", "Mn") for letter in line)


@pytest.mark.parametrize("code", LANGS)
def test_the_terminal_shows_every_kpi_in_a_hundred_columns(tmp_path: Path, code: str) -> None:
    study = service(tmp_path, targets={"resolution_time": 10 * 3600.0})
    lines = list(scorecard_lines(study, code))
    assert max(map(_width, lines)) <= WIDTH == 100
    text = "\n".join(lines)
    assert say("value.family.resolution", code) in text
    assert "survey_answers.item" in text
    card = list(card_lines(study, "resolution_time", code))
    assert max(map(_width, card)) <= WIDTH
    assert any(say("value.rule.spam", code) in line for line in card)


def test_the_terminal_shows_one_family_or_refuses_what_is_none(tmp_path: Path) -> None:
    text = "\n".join(scorecard_lines(service(tmp_path), "en", "return"))
    assert "First contact resolution" in text and "Ticket volume" not in text
    with pytest.raises(ParameterError):
        list(scorecard_lines(service(tmp_path), "en", "retrun"))
