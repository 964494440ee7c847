"""Looks at running data: counted in a ledger, and their p just as strict as their bounds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cxkit import Share
from cxkit.changes.looks import FILE, keep_look, next_look, planned_p, question_key
from cxkit.changes.parts import Look
from cxkit.errors import ParameterError
from cxkit.lang import LANGS
from cxkit.stats import spending_bounds

SOLVED = Share("solved", where="solved")
MONDAYS = pd.date_range("2026-01-05", periods=12, freq="7D")


def two_sided(z: float) -> float:
    return float(2 * stats.norm.sf(z))


@pytest.mark.parametrize(("number", "bound"), list(enumerate([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], start=1)))
def test_the_p_of_a_planned_look_is_five_percent_at_the_bound_of_lan_and_demets(number: int, bound: float) -> None:
    """Bounds of R ldbounds for five even looks (O'Brien and Fleming's spending, two-sided 5%), to four decimals."""
    assert planned_p(two_sided(bound), Look(number, 5)) == pytest.approx(0.05, abs=2e-4)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize("number", [1, 4])
def test_the_p_of_a_planned_look_is_below_alpha_just_where_its_bound_is_passed(number: int, alpha: float) -> None:
    bound = float(spending_bounds(np.arange(1, number + 1) / 7, alpha)[-1])
    assert (
        planned_p(two_sided(bound * 1.001), Look(number, 7))
        < alpha
        < planned_p(two_sided(bound * 0.999), Look(number, 7))
    )


def test_uneven_looks_spend_what_was_in_by_then() -> None:
    """Shares of the information decide, not the number of the look."""
    early, late = Look(2, 4, (0.05, 0.1)), Look(2, 4, (0.5, 0.95))
    assert planned_p(0.01, early) > 0.7
    assert planned_p(0.01, late) < 0.02


def test_a_single_planned_look_costs_nothing_and_an_unknown_p_stays_unknown() -> None:
    assert planned_p(0.031, Look(1, 1)) == pytest.approx(0.031, abs=1e-9)
    assert np.isnan(planned_p(float("nan"), Look(1, 3)))
    assert planned_p(0.0, Look(3, 3)) == 0


def run(folder: Path, week: int, rows: float, planned: int = 0, planned_rows: float = 0) -> Look:
    """One scheduled run: it asks which look it is, and keeps it."""
    key = question_key(SOLVED, at="2026-01-01")
    look = next_look(folder, key, as_of=MONDAYS[week], rows=rows, planned=planned, planned_rows=planned_rows)
    keep_look(folder, key, kpi=SOLVED.id, as_of=MONDAYS[week], rows=rows)
    return look


def test_weekly_runs_are_counted_and_their_information_told(tmp_path: Path) -> None:
    looks = [run(tmp_path, week, 100.0 * (week + 1), planned=12, planned_rows=1200) for week in range(3)]
    assert [look.number for look in looks] == [1, 2, 3]
    assert looks[-1].shares == pytest.approx((1 / 12, 2 / 12, 3 / 12))
    assert looks[-1].planned == 12


def test_the_same_run_again_is_the_same_look(tmp_path: Path) -> None:
    run(tmp_path, 0, 100)
    first, again = run(tmp_path, 1, 200), run(tmp_path, 1, 200)
    assert first == again == Look(2, 0, (), Look().tuned_for)


def test_a_run_without_a_new_row_is_no_new_look(tmp_path: Path) -> None:
    run(tmp_path, 0, 100)
    run(tmp_path, 1, 100)
    assert run(tmp_path, 2, 150).number == 2


def test_other_questions_have_looks_of_their_own(tmp_path: Path) -> None:
    run(tmp_path, 0, 100)
    other = question_key(SOLVED, at="2026-02-01")
    assert next_look(tmp_path, other, as_of=MONDAYS[3]).number == 1
    assert question_key(SOLVED, at="2026-01-01") == question_key(Share("done", where="solved"), at="2026-01-01")
    assert question_key(SOLVED, at="2026-01-01") != question_key(Share("solved", where="not solved"), at="2026-01-01")
    assert question_key(SOLVED, at="2026-01-01", where="") == question_key(SOLVED, at="2026-01-01")


def test_the_number_for_which_looks_at_will_are_tuned_is_chosen_once(tmp_path: Path) -> None:
    key = question_key(SOLVED)
    keep_look(tmp_path, key, kpi="solved", as_of=MONDAYS[0], rows=10, tuned_for=800)
    keep_look(tmp_path, key, kpi="solved", as_of=MONDAYS[1], rows=20, tuned_for=90)
    assert next_look(tmp_path, key, as_of=MONDAYS[2], rows=30).tuned_for == 800


def test_the_ledger_holds_no_more_than_counts(tmp_path: Path) -> None:
    """Nothing of a customer, and nothing of a result, may lie beside the reports."""
    run(tmp_path, 0, 100)
    told = json.loads((tmp_path / FILE).read_text("utf-8"))
    (question,) = told["questions"].values()
    assert question == {"kpi": "solved", "looks": [{"as_of": "2026-01-05T00:00:00", "rows": 100.0}]}
    assert [path.name for path in tmp_path.iterdir()] == [FILE], "no half-written file stays behind"


def test_more_looks_than_planned_are_refused_in_words(tmp_path: Path) -> None:
    run(tmp_path, 0, 100, planned=2)
    run(tmp_path, 1, 200, planned=2)
    with pytest.raises(ParameterError) as refused:
        run(tmp_path, 2, 300, planned=2)
    assert refused.value.text("en") == (
        "All 2 planned looks at this question are over: the verdict of the last one stands. "
        "Plan a new test, or look whenever you like from its first look on (planned=0)."
    )
    assert all(refused.value.text(code) for code in LANGS)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": 2, "questions": {}}', '{"schema": 1, "questions": {"a": {}}}']
)
def test_a_ledger_that_cannot_be_read_is_not_started_anew(tmp_path: Path, content: str) -> None:
    """A lost ledger would make the next look the first one, with the bounds of a single look."""
    (tmp_path / FILE).write_text(content, "utf-8")
    with pytest.raises(ParameterError) as refused:
        next_look(tmp_path, "abc", as_of=MONDAYS[0])
    assert refused.value.text("en").startswith("looks.json is not the ledger of looks that the kit wrote")
    assert (tmp_path / FILE).read_text("utf-8") == content
