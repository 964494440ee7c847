"""Real exports: counted again by other means, and a famous fake that must not pass."""

from __future__ import annotations

import csv

import duckdb
import pytest

from cxkit.errors import IntakeError
from cxkit.intake import recognise, run_intake
from tests.exports import export_study

pytestmark = pytest.mark.real


def study_of(folder, file, time_zone="Europe/Rome"):
    return export_study(folder, (file.name, file.read_bytes(), recognise(file)), time_zone=time_zone)


def test_the_help_desk_log_is_read_whole(real_data, tmp_path):
    """process.md section 5: 21,348 events, 4,580 cases, 14 activities, 226 variants; duplicates counted by csv here."""
    file = real_data / "helpdesk" / "helpdesk.csv"
    study = study_of(tmp_path, file)
    account = run_intake(study)
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [tuple(row) for row in csv.reader(stream)][1:]
    assert account.files[0].repeats == len(rows) - len(set(rows)) == 127
    events = str(study / "tables" / "events.parquet")
    counts = duckdb.sql(
        f"select count(*), count(distinct case_id), count(distinct activity) from '{events}'"
    ).fetchone()
    assert counts == (21_348, 4_580, 14)
    placed = f"select *, row_number() over () as place from '{events}'"
    traces = f'select list(activity order by "at", place) as trace from ({placed}) group by case_id'
    variants = f"select count(distinct trace) from ({traces})"
    assert duckdb.sql(variants).fetchone() == (226,)


def test_the_calls_of_a_bank_are_read_from_day_stamped_times(real_data, tmp_path):
    """33,344 calls; abandonment and ASA counted again from the raw file by DuckDB."""
    file = real_data / "anonymous_bank" / "data_anonymous_bank_february.txt"
    study = study_of(tmp_path, file, time_zone="UTC")
    account = run_intake(study)
    assert dict(account.tables) == {"calls": 33_344}
    calls = str(study / "tables" / "calls.parquet")
    ours = duckdb.sql(
        "select count(*) filter (outcome = 'abandoned') / count(*) filter (outcome in ('abandoned', 'answered')), "
        f"avg(wait_seconds) filter (outcome = 'answered'), count(distinct call_id), min(arrived_at) from '{calls}'"
    ).fetchone()
    raw = duckdb.sql(
        "select count(*) filter (outcome = 'HANG') / count(*) filter (outcome in ('HANG', 'AGENT')), "
        f"avg(q_time) filter (outcome = 'AGENT') from read_csv('{file}', delim = '\t', header = true)"
    ).fetchone()
    assert ours[:2] == pytest.approx(raw, abs=1e-12)
    assert ours[:2] == pytest.approx((0.178551, 40.7743), abs=1e-4)
    assert ours[2] == 33_344
    assert ours[3].isoformat() == "1999-01-31T22:11:28"  # eleven past midnight on 1 February in Israel


def test_the_famous_fake_is_stopped_and_nothing_is_written(real_data, tmp_path):
    """process.md 0.8: 49.3 % of closed tickets are resolved before their first response."""
    study = study_of(tmp_path, real_data / "support_tickets_fake" / "customer_support_tickets.csv")
    with pytest.raises(IntakeError) as caught:
        run_intake(study)
    said = caught.value.text("en")
    assert "49.3% of tickets with both times were solved before their first reply (1,365 of 2,769)" in said
    assert "has no opened_at (when the ticket was opened)" in said
    assert sorted(one.name for one in study.iterdir()) == ["exports", "study.toml"]
