"""The scorecard, the trends and the groups: what they say, and when they refuse to say it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from small_study import SmallStudy, small_study
from statsmodels.stats.proportion import proportion_confint

from cxkit import kpis, lang
from cxkit.contract import moment_of
from cxkit.errors import MeasureError, ParameterError, StudyError
from cxkit.kpis.judging import standing, widened
from cxkit.lang import LANGS
from cxkit.measures import Share, estimates_of
from cxkit.result import NotAnswerable

AS_OF = "2026-03-16 12:00"


@pytest.fixture
def service(tmp_path: Path) -> SmallStudy:
    """400 tickets from January to mid-March 2026: e-mail is answered slowly, chat fast, social hardly ever used."""
    rng = np.random.default_rng(7)
    n = 400
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 74 * 86_400, n)), unit="s")
    channel = np.where(np.arange(n) % 100 == 0, "social", np.where(np.arange(n) % 2 == 0, "chat", "email"))
    hours = rng.lognormal(np.where(channel == "chat", 0.0, 4.0), 1.2)
    solved = opened + pd.to_timedelta(hours * 3600, unit="s")
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"T{i}" for i in range(n)],
            "opened_at": opened,
            "channel": channel,
            "agent_id": [f"A{i % 10}" for i in range(n)],
            "first_solved_at": solved.where(solved < pd.Timestamp(AS_OF)),
            "is_spam": np.arange(n) % 40 == 3,
        }
    )
    return small_study(tmp_path, AS_OF, {"tickets": tickets}, targets={"resolution_time": 6 * 3600.0})


@pytest.mark.parametrize(
    ("low", "high", "target", "better", "expected"),
    [
        (0.81, 0.90, 0.80, "higher", "met"),
        (0.70, 0.79, 0.80, "higher", "missed"),
        (0.75, 0.85, 0.80, "higher", "open"),
        (70.0, 90.0, 60.0, "lower", "missed"),
        (40.0, 50.0, 60.0, "lower", "met"),
        (40.0, math.inf, 60.0, "lower", "open"),
        (0.80, 0.80, 0.80, "higher", "met"),  # a promise kept exactly is kept
        (0.1, 0.2, math.nan, "higher", "no_target"),
        (math.nan, math.nan, 0.8, "higher", "no_target"),
        (1.0, 2.0, 1.5, "none", "no_target"),
    ],
)
def test_a_target_is_judged_by_the_whole_interval(
    low: float, high: float, target: float, better: str, expected: str
) -> None:
    """Cases written out by hand: an interval that holds the target decides nothing."""
    assert standing(low, high, target, better) == expected


def test_the_scorecard_says_what_is_missing_instead_of_a_number(service: SmallStudy) -> None:
    """M018: "no data" is a printed answer: without surveys there is no CSAT, NPS or CES."""
    card = kpis.scorecard(service)
    assert {"csat", "nps", "ces"} <= card.unanswered.keys()
    assert {"resolution_time", "volume"} <= set(card.table["kpi"])
    codes = [sentence.key for sentence in card.sentences()]
    assert codes[-1] == "kpis.scorecard.unanswered"


def test_spam_is_left_out_and_counted(service: SmallStudy) -> None:
    """Ten of the 400 tickets were planted as spam."""
    waterfall = kpis.population(service).table.set_index("rule")
    assert waterfall.loc["spam", "removed"] == 10
    assert waterfall["left"].iloc[-1] == 390


def test_the_closed_only_tail_is_shorter(service: SmallStudy) -> None:
    """kpis.md K06: dropping open tickets makes the slow tail look faster."""
    table = kpis.censoring(service).table.set_index("stat")
    assert table.loc["p90", "naive"] < table.loc["p90", "value"]
    assert table.loc["p90", "open"] > 0


def test_the_month_that_is_not_over_is_set_apart(service: SmallStudy) -> None:
    """P21: a partial last period is not a drop. March had sixteen days left."""
    found = kpis.trend(service, "volume")
    assert found.table["complete"].tolist() == [True, True, False]
    assert found.sentences()[0].to_dict()["params"]["period"] == pd.Timestamp("2026-02-01")
    assert "kpis.trend.incomplete" in [note.key for note in found.notes]


def test_groups_apart_are_told_apart_and_thin_ones_left_aside(service: SmallStudy) -> None:
    """E-mail was planted fifty times slower than chat; social has four tickets."""
    found = kpis.by_group(service, "resolution_time")
    (said,) = found.sentences()
    assert said.key == "kpis.groups.apart"
    assert said.to_dict()["params"]["highest"] == "email"
    thin = [note.params["group"].code for note in found.notes if note.key == "common.small_n"]
    assert thin == []
    assert "kpis.hidden.note" in [note.key for note in found.notes], "four tickets of social are hidden"


def test_equal_groups_are_not_ranked(service: SmallStudy) -> None:
    """Agents were dealt in turn, whatever the ticket: no order of theirs is a finding."""
    tickets = service.table("tickets").to_pandas()
    tickets["channel"] = np.where(np.random.default_rng(1).random(len(tickets)) < 0.5, "phone", "web")
    tickets.to_parquet(service.folder / "tickets.parquet")
    (said,) = kpis.by_group(service, "resolution_time").sentences()
    assert said.key == "kpis.groups.overlap"


def test_a_median_that_is_not_reached_is_judged_and_drawn(tmp_path: Path) -> None:
    """K06 and P01: 20 of 200 tickets solved within a day, the rest open for 59 days.

    Their median lies beyond 59 days (all of them were watched that long), so three days are missed.
    """
    opened = pd.Timestamp("2026-01-01")
    solved = pd.Series(opened + pd.Timedelta(days=1), range(200)).where(np.arange(200) < 20)
    frame = pd.DataFrame({"ticket_id": solved.index.astype(str), "opened_at": opened, "first_solved_at": solved})
    study = small_study(tmp_path, "2026-03-01", {"tickets": frame}, targets={"resolution_time": 3 * 86_400.0})
    card = kpis.scorecard(study)
    row = card.table.query("kpi == 'resolution_time' and stat == 'median'").iloc[0]
    assert (row["value"], row["low"], row["high"], row["standing"]) == (math.inf, 59 * 86_400, math.inf, "missed")
    assert card.figure("en").png.startswith(b"\x89PNG")


def test_the_slowest_group_and_month_may_be_those_that_nobody_saw_the_end_of(tmp_path: Path) -> None:
    """P01: e-mail is hardly ever solved. It is the slowest channel, and February the slowest month, not left out."""
    opened = pd.Series(pd.Timestamp("2026-01-05"), range(200)).where(np.arange(200) < 100, pd.Timestamp("2026-02-05"))
    quick = np.arange(200) < 100
    frame = pd.DataFrame({"ticket_id": opened.index.astype(str), "opened_at": opened})
    frame["first_solved_at"] = (opened + pd.Timedelta(hours=5)).where(quick | (opened.index % 10 == 0))
    frame["channel"] = np.where(quick, "chat", "email")
    study = small_study(tmp_path, "2026-03-01", {"tickets": frame})
    (said,) = kpis.by_group(study, "resolution_time").sentences()
    assert (said.key, said.to_dict()["params"]["highest"]) == ("kpis.groups.apart", "email")
    last, span = kpis.trend(study, "resolution_time").sentences()
    assert last.to_dict()["params"]["period"] == pd.Timestamp("2026-02-01")
    assert span.to_dict()["params"]["highest_period"] == pd.Timestamp("2026-02-01")
    assert all("not reached" in said.text("en") for said in (last, span))


def test_agents_who_differ_do_not_make_channels_differ(tmp_path: Path) -> None:
    """Kish (1965): two channels of five agents, each agent's tickets all alike, are two samples of five, not of 250.

    4 of 5 agents against 2 of 5: Fisher's exact p is 0.52; taken as independent, 80% against 40% would be far apart.
    """
    rows = pd.DataFrame({"agent": np.repeat(np.arange(10), 50)})
    solved = pd.Timestamp("2026-01-01")
    frame = pd.DataFrame({"ticket_id": rows.index.astype(str), "opened_at": solved, "first_solved_at": solved})
    frame["reopened_at"] = pd.Series(solved, rows.index).where(rows["agent"].isin([0, 5, 6, 7]))
    frame["agent_id"] = rows["agent"].astype(str)
    frame["channel"] = np.where(rows["agent"] < 5, "chat", "email")
    found = kpis.by_group(small_study(tmp_path, AS_OF, {"tickets": frame}), "fcr")
    assert found.table["low"].max() > found.table["high"].min(), "the plain intervals keep apart"
    assert found.sentences()[0].key == "kpis.groups.overlap"


def test_a_month_of_two_answers_is_not_the_worst_month(tmp_path: Path) -> None:
    """P13: the two answers that straggle in before the survey begins are no month to speak of."""
    answered = pd.to_datetime(["2025-12-31"] * 2 + ["2026-01-10"] * 50 + ["2026-02-10"] * 50)
    surveys = pd.DataFrame({"response_id": [str(i) for i in range(102)], "answered_at": answered})
    answers = surveys[["response_id"]].assign(item="nps", value=[0.0] * 2 + [10.0, 9, 8, 7, 3] * 20)
    study = small_study(tmp_path, "2026-03-01", {"surveys": surveys, "survey_answers": answers})
    span = kpis.trend(study, "nps").sentences()[1].to_dict()["params"]
    assert (span["n"], span["lowest_period"]) == (2, pd.Timestamp("2026-01-01"))


def test_what_cannot_be_answered_is_said_by_every_view(service: SmallStudy) -> None:
    """The notebook runs to its end on any subset of tables."""
    for view in (kpis.trend(service, "csat"), kpis.by_group(service, "csat"), kpis.population(service, "nps")):
        assert isinstance(view, NotAnswerable)
        assert all("survey_answers" in view.verdict(code) for code in LANGS)


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGS)
def test_every_view_speaks_and_draws_in_every_language(service: SmallStudy, code: str) -> None:
    """Same numbers, other words; no code is left unspoken."""
    views = [
        kpis.scorecard(service),
        kpis.censoring(service),
        kpis.trends(service, family="resolution"),
        kpis.channels(service, "resolution"),
        kpis.trend(service, "volume"),
        kpis.by_group(service, "resolution_time"),
        kpis.definitions(service),
        kpis.population(service),
    ]
    for view in views:
        page = view._repr_html_(code)
        assert view.verdict(code)
        assert not [
            word for word in ("resolution_time", "no_target", "capped_mean", "top_share") if f">{word}<" in page
        ]
    for view in views[:6]:
        assert view.figure(code).png.startswith(b"\x89PNG")
    lang.use("en")


def test_likeness_of_an_agents_tickets_widens_the_judged_interval(tmp_path: Path) -> None:
    """Ten agents whose tickets all hold or all come back: the effective sample is 10, not 500.

    With m = 50 equal tickets in each of G clusters the variance of the share is that of G values (Kish 1965, ICC 1:
    design effect m), here times G / (G - 1).
    """
    rows = pd.DataFrame({"agent": np.repeat(np.arange(10), 50)})
    solved = pd.Timestamp("2026-01-01")
    tickets = pd.DataFrame(
        {
            "ticket_id": rows.index.astype(str),
            "opened_at": solved,
            "first_solved_at": solved,
            "reopened_at": pd.Series(solved, rows.index).where(rows["agent"] < 4),
            "agent_id": rows["agent"].astype(str),
        }
    )
    study = small_study(tmp_path, AS_OF, {"tickets": tickets}, targets={"fcr": 0.5})
    card = kpis.scorecard(study)
    row = card.table.set_index("kpi").loc["fcr"]
    assert row["design_effect"] == pytest.approx(50 * 10 / 9)
    assert row["low"] > 0.5, "as if independent, the target would count as met"
    assert row["standing"] == "open"
    assert "kpis.scorecard.clustered" in [note.key for note in card.notes]


def test_the_answers_are_shown_as_they_were_given(tmp_path: Path) -> None:
    """Counted by hand; intervals by statsmodels' proportion_confint(method="wilson")."""
    given = [5, 5, 5, 4, 1, 1]
    answers = pd.DataFrame({"response_id": [f"R{i}" for i in range(6)], "item": "csat", "value": map(float, given)})
    surveys = pd.DataFrame({"response_id": answers["response_id"], "answered_at": pd.Timestamp("2026-01-05")})
    study = small_study(tmp_path, AS_OF, {"survey_answers": answers, "surveys": surveys})
    table = kpis.distribution(study).table
    assert table["n"].tolist() == [2, 0, 0, 1, 3]
    assert table["counts"].tolist() == ["between", "between", "between", "favourable", "favourable"]
    low, high = proportion_confint(table["n"], 6, method="wilson")
    assert table["low"].tolist() == pytest.approx(low.tolist(), abs=1e-12)
    assert table["high"].tolist() == pytest.approx(high.tolist(), abs=1e-12)
    with pytest.raises(MeasureError, match="no answer on a scale"):
        kpis.distribution(small_study(tmp_path, AS_OF, {"tickets": _one_ticket()}), "volume")


def _one_ticket() -> pd.DataFrame:
    return pd.DataFrame({"ticket_id": ["T1"], "opened_at": pd.Timestamp("2026-01-01")})


def test_two_tickets_are_enough_for_every_view(tmp_path: Path) -> None:
    """A KPI may have no month and no channel at all: its table is empty, and nothing breaks."""
    tickets = pd.concat([_one_ticket(), _one_ticket().assign(ticket_id="T2")], ignore_index=True)
    tickets = tickets.assign(first_solved_at=pd.NaT, channel="email", reopens=0, status="open")
    tickets["first_solved_at"] = tickets["first_solved_at"].astype("datetime64[us]")
    tickets.loc[0, "first_solved_at"] = pd.Timestamp("2026-03-15")
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    views = (kpis.scorecard(study), kpis.trends(study, family="return"), kpis.channels(study, "return"))
    for view in (*views, kpis.trend(study, "return_rate"), kpis.backlog(study), kpis.movement(study, "csat")):
        assert view.verdict("fa")


def test_good_or_bad_of_the_help_desk_has_no_answers_on_a_scale(tmp_path: Path) -> None:
    """The kit's own default asks for the answers of csat, which a study without a survey has not."""
    tickets = _one_ticket().assign(satisfaction="good")
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    assert isinstance(kpis.distribution(study, "csat"), NotAnswerable)


@pytest.mark.parametrize("code", LANGS)
def test_a_misspelt_kpi_or_group_is_named_with_the_nearest_one(service: SmallStudy, code: str) -> None:
    with pytest.raises(ParameterError) as refused:
        kpis.trend(service, "csatt")
    assert "csat" in refused.value.text(code).replace("csatt", "")
    with pytest.raises(ParameterError) as refused:
        kpis.by_group(service, "resolution_time", "chanel")
    assert "channel" in refused.value.text(code)


@pytest.mark.parametrize(("kpi", "target", "code"), [("csta", 0.8, "target_unknown"), ("csat", 80.0, "target_range")])
def test_a_target_that_cannot_be_meant_is_refused(tmp_path: Path, kpi: str, target: float, code: str) -> None:
    with pytest.raises(StudyError) as refused:
        kpis.scorecard(small_study(tmp_path, AS_OF, {"tickets": _one_ticket()}, targets={kpi: target}))
    assert refused.value.code == code
    assert all(refused.value.text(each) for each in LANGS)


def test_an_empty_study_has_an_empty_scorecard(tmp_path: Path) -> None:
    """No table at all: every KPI is unanswered, nothing breaks."""
    card = kpis.scorecard(small_study(tmp_path, AS_OF, {}))
    assert card.table.empty
    assert len(card.unanswered) >= 9
    assert card.verdict("fa")


@pytest.mark.slow
@pytest.mark.parametrize(("agents", "channels"), [(25, 4), (8, 4), (6, 1)])
def test_the_judged_interval_covers_new_draws_of_agents(agents: int, channels: int) -> None:
    """Simulated truth: normal scores with ICC .1 cut at a threshold, agents nested in channels, 300 draws.

    Nominal coverage .95; three standard errors below it are 0.95 - 3 sqrt(.95 * .05 / 300) = .91.
    """
    rng = np.random.default_rng(20260701)
    share = Share("held", where="held", better="higher")
    covered = 0
    for _ in range(300):
        effects = rng.normal(0, math.sqrt(0.1), agents)
        agent = np.repeat(np.arange(agents), rng.poisson(150 * rng.lognormal(0, 0.5, agents)) + 1)
        channel = agent % channels
        level = np.linspace(-0.6, 0.6, channels)
        held = level[channel] + effects[agent] + rng.normal(0, math.sqrt(0.9), len(agent)) > -1
        truth = float(np.mean(norm.cdf(1 + level[channel])))
        rows = pd.DataFrame({"value": held.astype(float), "observed": True, "n": 1.0})
        lines = rows.assign(cluster=agent.astype(str), stratum=channel.astype(str))
        low, high = widened(estimates_of(share, lines).assign(unit="share").iloc[0])
        covered += low <= truth <= high
    assert covered / 300 >= 0.91


def test_the_month_in_which_the_data_begin_is_no_low_month(tmp_path: Path) -> None:
    """P21 at the other end: two tickets of 31 December are not December's volume."""
    days = pd.to_datetime(["2025-12-31", "2025-12-31", *pd.date_range("2026-01-01", "2026-02-28")])
    tickets = pd.DataFrame({"ticket_id": [f"T{i}" for i in range(len(days))], "opened_at": days})
    found = kpis.trend(small_study(tmp_path, "2026-03-01", {"tickets": tickets}), "volume")
    complete = found.table.set_index("month")["complete"]
    assert complete[pd.Timestamp("2025-12-01")] == False  # noqa: E712 - a numpy bool
    assert complete[[pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")]].all()


def test_a_day_as_of_leaves_out_the_next_days_midnight(tmp_path: Path) -> None:
    """Calls that are dated by the day alone stand at midnight: those of 1 July are not part of June."""
    calls = pd.DataFrame({"call_id": list("abc"), "arrived_at": ["2026-06-29", "2026-06-30", "2026-07-01"]})
    calls = calls.assign(outcome="answered", wait_seconds=10.0)
    study = small_study(tmp_path, str(moment_of("2026-06-30", "UTC")), {"calls": calls})
    table = kpis.trend(study, "asa").table
    assert table["n"].tolist() == [2]
    assert not table["partial"].any()


def test_who_answered_is_counted_as_at_the_date_of_the_report(tmp_path: Path) -> None:
    """Counted by hand: by 10 January two of four had answered; the third answer and the fifth question came later."""
    sent = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-02-01"]
    answered = ["2026-01-02", "2026-01-05", "2026-01-20", None, None]
    surveys = pd.DataFrame({"response_id": list("abcde"), "sent_at": sent, "answered_at": answered})
    answers = pd.DataFrame({"response_id": list("abc"), "item": "csat", "value": [5.0, 1.0, 5.0]})
    study = small_study(tmp_path, "2026-01-10", {"surveys": surveys, "survey_answers": answers})
    (said,) = [note for note in kpis.scorecard(study).notes if note.key == "kpis.scorecard.non_response"]
    assert said.to_dict()["params"] == {"n": 2, "asked": 4, "share": 0.5}


def test_an_export_of_answers_alone_does_not_claim_to_know_who_was_asked(tmp_path: Path) -> None:
    """Without invitations there is no response rate, and the note says so."""
    surveys = pd.DataFrame({"response_id": list("ab"), "answered_at": ["2026-01-02", "2026-01-05"]})
    answers = pd.DataFrame({"response_id": list("ab"), "item": "csat", "value": [5.0, 1.0]})
    card = kpis.scorecard(small_study(tmp_path, "2026-01-10", {"surveys": surveys, "survey_answers": answers}))
    (said,) = [note for note in card.notes if note.key == "kpis.scorecard.respondents"]
    assert said.params == {"n": 2}


def test_a_miss_is_said_with_the_interval_that_was_judged(service: SmallStudy) -> None:
    """The sentence must not quote a narrower interval than the verdict rests on."""
    strict = dataclasses.replace(service, targets={"resolution_time": 60.0})
    card = kpis.scorecard(strict)
    row = card.table[(card.table["kpi"] == "resolution_time") & card.table["headline"]].iloc[0]
    (said,) = [sentence for sentence in card.sentences() if sentence.key == "kpis.scorecard.missed"]
    assert said.to_dict()["params"]["interval"] == pytest.approx(list(widened(row)))
