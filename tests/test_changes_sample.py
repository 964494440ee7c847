"""The sample study's planted changes: what was planted is found, what was not is seldom claimed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cxkit.changes import Finding, compare
from cxkit.intake import run_intake
from cxkit.samples import make_sample
from cxkit.study import Study, open_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KPIS = ("first_reply_time", "resolution_time", "csat", "nps", "ces", "fcr", "return_rate", "escalation")
CLAIMS = ("improved", "worsened", "changed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_sample(tmp_path_factory.mktemp("sample") / "study")
    run_intake(made)
    return made


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return open_study(folder)


@pytest.fixture(scope="module")
def planted(folder: Path) -> dict[str, Any]:
    truth: dict[str, Any] = tomllib.loads((folder / "truth.toml").read_text("utf-8"))["changes"]
    return truth


@pytest.fixture(scope="module")
def findings(study: Study) -> dict[tuple[str, str], Finding]:
    """Each KPI before and after each change, the seasons of the calendar left out on both sides."""
    changes = ("web_form", "chat_closing", "email_triage")
    return {(c, kpi): compare(study, kpi, change=c, without="declared") for c in changes for kpi in KPIS}


@pytest.mark.parametrize(
    ("change", "kpi", "code"),
    [
        ("email_triage", "first_reply_time", "improved"),
        ("chat_closing", "return_rate", "worsened"),
        ("chat_closing", "fcr", "worsened"),
    ],
)
def test_what_was_planted_is_found(findings: dict[tuple[str, str], Finding], change: str, kpi: str, code: str) -> None:
    """plan.toml: first replies to e-mail a quarter sooner; a logit of .55 more reopened chats."""
    assert findings[change, kpi].code == code


def test_small_planted_effects_have_their_sign(findings: dict[tuple[str, str], Finding]) -> None:
    """plan.toml: CSAT of e-mail rises by a logit of .25, CES falls by .30; a year may not tell them apart."""
    csat, ces = (findings["email_triage", kpi] for kpi in ("csat", "ces"))
    assert csat.effect.found.value > 0.5 > ces.effect.found.value
    assert csat.code != "worsened" and ces.code != "improved"


def test_what_was_not_planted_is_seldom_claimed(
    findings: dict[tuple[str, str], Finding], planted: dict[str, Any]
) -> None:
    """truth.toml names what each change left alone: of some twenty, more than three false alarms come once in sixty."""
    left_alone = [(c, kpi) for c, kpi in findings if kpi in planted[c]["unchanged"]]
    assert len(left_alone) >= 15
    assert sum(findings[key].code in CLAIMS for key in left_alone) <= 3


def test_the_share_of_returns_is_the_planted_one(
    findings: dict[tuple[str, str], Finding], planted: dict[str, Any]
) -> None:
    """truth.toml: how many more chats came back than would have without the change."""
    told = planted["chat_closing"]["return_rate"]
    found = findings["chat_closing", "return_rate"].effect.found
    assert found.low <= told["share_with"] - told["share_without"] <= found.high


def test_the_short_days_of_ramadan_are_no_effect_of_the_triage(study: Study) -> None:
    """The triage began on 1 February, Ramadan on the 18th: fewer hours of work hide the gain."""
    plain = compare(study, "first_reply_time", change="email_triage")
    fair = compare(study, "first_reply_time", change="email_triage", without="declared")
    check = next(check for check in plain.checks if check.code == "special_days")
    assert check.level == "warn" and check.params["season"].code == "ramadan"
    assert fair.effect.found.value < plain.effect.found.value
