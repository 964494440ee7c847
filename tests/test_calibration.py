"""The counting of false alarms: the same numbers whoever counts, the band of a textbook, a page that owns up."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy import stats

from calibration import service
from calibration.__main__ import kept, read
from calibration.kinds import rank_sum_p
from calibration.page import CAUSES, UNKNOWN, cause, page
from calibration.runs import OURS, Counted, Job, Rate, band, counted, counted_all


def coin(rng: np.random.Generator, share: float) -> dict[str, dict[str, bool]]:
    return {"coin": {OURS: bool(rng.random() < share), "never": False}}


def coins(rng: np.random.Generator, runs: int) -> dict[str, dict[str, np.ndarray]]:
    return {"coin": {OURS: rng.random(runs) < 0.05, "never": np.zeros(runs, dtype=bool)}}


def test_counts_do_not_depend_on_the_number_of_processes():
    jobs = [Job("one by one", 600, partial(coin, share=0.05)), Job("at once", 600, many=coins)]
    alone = {job.name: found.rates for job, found in counted_all(jobs)}
    together = {job.name: found.rates for job, found in counted_all(jobs, workers=2)}
    assert alone == together == {job.name: counted(job) for job in jobs}
    assert alone["one by one"] == alone["at once"] or alone["one by one"]["coin"]["never"].hits == 0


def test_the_band_is_that_of_the_binomial_law():
    """P(X < low) and P(X > high) are at most .0005 each (scipy.stats.binom), for 10,000 draws at 5 %: 429 to 573."""
    low, high = (round(10_000 * bound) for bound in band(10_000))
    assert stats.binom.cdf(low - 1, 10_000, 0.05) <= 0.0005 < stats.binom.cdf(low, 10_000, 0.05)
    assert stats.binom.sf(high, 10_000, 0.05) <= 0.0005 < stats.binom.sf(high - 1, 10_000, 0.05)
    assert [Rate(hits, 10_000, 0.05).place for hits in (low - 1, low, high, high + 1)] == [
        "below",
        "within",
        "within",
        "above",
    ]
    assert Rate(9_999, 10_000, math.nan).place == "within", "nothing was promised"


def test_a_method_that_errs_too_often_is_marked_and_named():
    """A coin that falls 12 times in a hundred is no test at 5 %."""
    job = Job("coins", 1000, partial(coin, share=0.12))
    told = page({"coins": Counted(counted(job), 1.0)}, None)
    (line,) = (line for line in told.splitlines() if line.startswith("| coin |"))
    assert "▲" in line
    assert f"- coins: coin: {100 * counted(job)['coin'][OURS].share:.1f} % (promised 5.0). {UNKNOWN}" in told
    right = page({"coins": Counted(counted(Job("coins", 1000, partial(coin, share=0.05))), 1.0)}, None)
    assert "▲" not in right.split("## ", 1)[1]
    assert "Nothing." in right


def test_causes_are_given_only_where_they_hold():
    assert {cause(job or "-", case or "-", place) for job, case, place, _ in CAUSES} <= {said for *_, said in CAUSES}
    assert cause("kinds: independent", "share", "above") == UNKNOWN
    assert cause("teams: clusters, 6 agents", "P90", "above") == UNKNOWN


def test_what_was_kept_is_read_as_it_was(tmp_path):
    import json

    job = Job("coins", 500, partial(coin, share=0.1))
    found = Counted(counted(job), 1.5)
    (tmp_path / "latest.json").write_text(json.dumps({job.name: kept(job, found)}))
    assert read(tmp_path / "latest.json") == {"coins": found}
    assert read(tmp_path / "none.json") == {}


# --- the truth that is simulated ---


@pytest.mark.parametrize("lift", [0.0, 0.25])
def test_the_truth_of_the_service_is_what_its_tickets_show(lift):
    """240,000 tickets without agents: each true value within 4 standard errors of its plain estimate."""
    rng = np.random.default_rng(5)
    sides = [service.two_sides(rng, "rows", 8000, lift) for _ in range(1)]
    side = sides[0][1]
    n = len(side.hours)
    seen = {
        service.true_mean(lift): side.score,
        service.true_top(lift): side.score >= 9,
        service.true_net(lift): (side.score >= 9) * 1.0 - (side.score <= 6),
        service.true_passed_on(lift): side.passed_on,
        service.true_within(lift): side.hours <= service.WITHIN,
        service.true_capped_mean(lift): np.minimum(side.hours, service.HORIZON),
    }
    for true, values in seen.items():
        assert abs(values.mean() - true) < 4 * values.std() / math.sqrt(n)
    assert np.median(side.hours) == pytest.approx(service.true_quantile(0.5)(lift), rel=0.02)


def test_the_rank_sum_test_is_scipys():
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 11, 60), rng.integers(0, 11, 45)
    theirs = stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic").pvalue
    assert rank_sum_p(a, b) == pytest.approx(theirs, rel=1e-12)
