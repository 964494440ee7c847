"""Declarations: what they refuse, what their hash notices, and what they say in three languages."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from cxkit.errors import MeasureError
from cxkit.lang import LANGS
from cxkit.measures import Count, Duration, Net, Ratio, Score, Share, registry

REFUND = Share("refunded within 3 days", where="refund_days <= 3", better="higher")
OWN = (
    REFUND,
    dataclasses.replace(REFUND, among="channel == 'email'", follow_up_days=1.5),
    Score("courtesy", of="survey_answers", item="courtesy", scale=(1, 7), top=(6, 7)),
    Net("recommend us to a colleague", of="survey_answers"),
    Duration("time to assignment", start="opened_at", stop="first_assigned_at", target_seconds=5400),
    Count("calls", of="calls", among="outcome == 'abandoned'"),
)


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        (
            lambda: Share("quick", of="ticket", where="a < 1"),
            "quick: there is no table ticket (did you mean tickets?). The tables are: agents, calls, costs, "
            "customers, events, kb_sessions, messages, orders, priority_changes, qa_reviews, survey_answers, surveys, "
            "tickets.",
        ),
        (lambda: Share("quick", where=""), "quick: where is empty; it needs a condition such as refund_days <= 3."),
        (
            lambda: Share("quick", where="a <", better="higher"),
            'The condition “a <” cannot be read. Write it like channel == "email" and refund_days <= 3.',
        ),
        (
            lambda: Share("quick", where="a < 1", better="up"),
            "quick: better is “higher”, “lower” or “none”, not “up”.",
        ),
        (
            lambda: Share("quick", where="a < 1", exclude=("spams",)),
            "quick: there is no exclusion rule spams (did you mean spam?). The rules are: agent_created, bot_only, "
            "deleted, merged, self_service, spam, test.",
        ),
        (
            lambda: Score("warmth", scale=(5, 1), top=(4,)),
            "warmth: a scale runs from its lowest to its highest answer; this one runs from 5 to 1.",
        ),
        (
            lambda: Score("warmth", scale=(1, 5), top=(9,)),
            "warmth: the favourable answers must lie on the scale from 1 to 5.",
        ),
        (
            lambda: Net("advocacy", promoters=(6, 7)),
            "advocacy: an answer cannot be that of a promoter and of a detractor at once.",
        ),
        (
            lambda: Duration("wait", start="opened_at", stop="solved_at", precision=2),
            "wait: precision is a relative error from 0 (whole seconds) to below 1.",
        ),
        (
            lambda: Duration("wait", start="opened_at", stop="solved_at", target_seconds=-1),
            "wait: target_seconds cannot be negative.",
        ),
        (
            lambda: Duration("wait", start="opened_at", stop="solved_at", clock="office"),  # type: ignore[arg-type]
            "wait: clock is “wall” or “business”, not “office”.",
        ),
        (
            lambda: Duration("wait", start="opened_at", stop="solved_at", seconds="wait_seconds"),
            "wait: a duration is given either by start and stop, on either clock, or by seconds, which count around "
            "the clock.",
        ),
        (
            lambda: Duration("wait", start="opened_at"),
            "wait: a duration is given either by start and stop, on either clock, or by seconds, which count around "
            "the clock.",
        ),
        (
            lambda: Ratio("contact", top="1", bottom="items", per="orders"),
            "contact: the denominator is either bottom, from the same rows, or per, from another table.",
        ),
        (
            lambda: Count("contacts", family="volumes"),
            "contacts: there is no family volumes (did you mean volume?). The families are: satisfaction, reply, "
            "resolution, return, calls, volume, self_service, quality, retention, cost, own.",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_in_words(declare, sentence):
    with pytest.raises(MeasureError) as refused:
        declare()
    assert refused.value.text("en") == sentence
    assert len({refused.value.text(lang) for lang in LANGS}) == 3


def test_a_score_needs_its_scale():
    with pytest.raises(TypeError, match="scale"):
        Score("warmth", top=(4, 5))  # type: ignore[call-arg]


def test_a_hash_notices_every_edit_but_a_new_name_or_another_spelling():
    """P22: a target met by editing the definition must show."""
    assert dataclasses.replace(REFUND, name="refunded fast").definition_hash == REFUND.definition_hash
    assert dataclasses.replace(REFUND, where="(refund_days<=3)").definition_hash == REFUND.definition_hash
    edits = [
        {"where": "refund_days <= 4"},
        {"among": "channel == 'email'"},
        {"at": "first_solved_at"},
        {"exclude": ("spam",)},
        {"follow_up_days": 7},
        {"better": "lower"},
        {"cluster": "customer_id"},
        {"stratum": "team"},
    ]
    hashes = {dataclasses.replace(REFUND, **edit).definition_hash for edit in edits} | {REFUND.definition_hash}
    assert len(hashes) == len(edits) + 1


@pytest.mark.slow
def test_hashes_are_the_same_in_another_process():
    """Not so with Python's own hash of text, which changes from run to run."""
    code = "from cxkit.measures import registry; print(*(m.definition_hash for m in registry().values()))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed == [measure.definition_hash for measure in registry().values()]
    assert len(set(printed)) == len(printed)


@pytest.mark.parametrize("measure", [*registry().values(), *OWN], ids=lambda measure: measure.name)
def test_every_measure_says_what_it_asks_and_counts(measure, lang):
    """A missing argument or key would raise; a placeholder left over would show its brace."""
    for text in (measure.question.text(lang), measure.definition.text(lang), measure.spoken.text(lang)):
        assert text
        assert "{" not in text


def test_an_own_kpi_keeps_its_own_name_and_says_its_condition(lang):
    assert REFUND.spoken.text(lang) == "refunded within 3 days"
    assert "refund_days <= 3" in REFUND.definition.text(lang)


LEFT_OUT = (
    " Left out: spam, test tickets, merged into another ticket, deleted, opened by an agent, answered by a bot alone."
)


def test_a_definition_says_the_numbers_of_its_declaration():
    said = REFUND.definition.text("en")
    assert said == f"Share of rows of “tickets” where refund_days <= 3 holds; dated by opened_at.{LEFT_OUT}"
    assert OWN[4].definition.text("en") == (
        "Time from opened_at to first_assigned_at in “tickets”, around the clock; rows that have not stopped at the "
        f"date of this report count as still waiting.{LEFT_OUT} Promised time: 1.5 hours."
    )
    assert "within 7 days" in registry()["fcr"].definition.text("en")
    assert "۷" in registry()["fcr"].definition.text("fa")
