"""Notebook 04 on data that carry little: it runs to its end and says what is missing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from unicodedata import category

import pytest
from typer.testing import CliRunner

from cxkit.__main__ import app
from cxkit.lang import use
from cxkit.report import run
from cxkit.samples import make_sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("first_light")]

_HEAD = 'name = "{name}"\ntime_zone = "Asia/Riyadh"\n'
_EXPORT = '\n[[export]]\nfile = "exports/{file}"\nmapping = "{mapping}"\n'


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(tmp_path_factory.mktemp("whole") / "sample", tickets=1500)


def lone(sample: Path, folder: Path, name: str, file: str, mapping: str) -> Path:
    """A study of one export of the sample."""
    study = folder / name
    (study / "exports").mkdir(parents=True)
    source = sample / "exports" / file
    copy = shutil.copytree if source.is_dir() else shutil.copy
    copy(source, study / "exports" / file)
    (study / "study.toml").write_text(_HEAD.format(name=name) + _EXPORT.format(file=file, mapping=mapping), "utf-8")
    return study


@pytest.mark.parametrize(
    ("name", "file", "mapping", "carried"),
    [
        ("calls-only", "queue_log", "asterisk_queue_log", "abandonment"),
        ("events-only", "events.csv", "event_log", ""),
        ("tickets-only", "tickets.csv", "zendesk_tickets", "resolution_time"),
    ],
)
def test_the_notebook_runs_on_a_single_export(
    sample: Path, tmp_path: Path, name: str, file: str, mapping: str, carried: str
) -> None:
    """No cell fails; what cannot be answered is said in the page, with the columns to ask for."""
    study = lone(sample, tmp_path, name, file, mapping)
    batch = run(study, ["04"], langs=("fa",), out=tmp_path / "reports", progress=False)
    assert batch.exit_code == 0, [result.error for result in batch.failed]
    page = (Path(batch.folder) / "fa" / "04_measure_kpis.html").read_text("utf-8")
    assert "survey_answers" in re.sub(r"<[^>]+>", "", page)
    document = json.loads((Path(batch.folder) / "fa" / "04_measure_kpis.json").read_text("utf-8"))
    cards = [found for found in _results(document) if found["result"] == "Scorecard"]
    kpis = {row[cards[0]["table"]["columns"].index("kpi")] for row in cards[0]["table"]["rows"]} if carried else set()
    assert not carried or carried in kpis


@pytest.mark.parametrize(
    "parameters",
    [
        {"period": "week", "kpi": "volume", "by": "language", "family": "satisfaction", "survey_kpi": "nps"},
        {"period": "half_month", "kpi": "retention", "by": "priority", "family": "", "least": "0"},
        {"as_of": "2025-09-15", "kpi": "asa", "by": "queue", "family": "calls"},
    ],
)
def test_the_front_desk_takes_other_values(sample: Path, tmp_path: Path, parameters: dict[str, str]) -> None:
    """Other periods, KPIs, groups and families, and an earlier report: no cell fails."""
    batch = run(sample, ["04"], parameters, langs=("en",), out=tmp_path / "reports", progress=False)
    assert batch.exit_code == 0, [result.error for result in batch.failed]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--lang", "fa"), "رضایت مشتری"),
        (("--family", "calls"), "Call abandonment rate"),
        (("--kpi", "csat", "--as-of", "2025-12-31"), "interval, agents allowed for"),
    ],
)
def test_the_command_prints_scorecard_family_or_card(sample: Path, words: tuple[str, ...], shown: str) -> None:
    """No line of them is wider than a hundred columns."""
    done = CliRunner().invoke(app, ["kpis", str(sample), *words])
    use("en")
    assert done.exit_code == 0, done.output
    assert shown in done.output
    assert max(sum(category(x) not in ("Cf", "Mn") for x in line) for line in done.output.splitlines()) <= 100


def _results(document: object) -> list[dict[str, object]]:
    """Every result in a report's JSON, wherever it stands."""
    if isinstance(document, dict):
        own = [document] if "verdict_text" in document else []
        return own + [found for part in document.values() for found in _results(part)]
    return [found for part in document for found in _results(part)] if isinstance(document, list) else []
