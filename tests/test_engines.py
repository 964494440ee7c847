"""The same number from every engine: DuckDB, PostgreSQL and Spark count what a plain loop in Python counts."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import engines
import pandas as pd
import pyarrow.parquet as pq
import pytest
import random_studies
from plain_oracle import Plain

import cxkit.measures.engine as summing
from cxkit.measures import Measure, columns_of, doubts, estimates, facts, missing, registry, rivals, tally, waterfall
from cxkit.samples import make_sample
from cxkit.study import prepare

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engines"), pytest.mark.timeout(900)]  # one of each for all
SETTINGS = f"""
time_zone = "Asia/Riyadh"
as_of = {random_studies.AS_OF.isoformat()}Z

[calendar]
weekend = ["friday", "saturday"]
column = "team"
hours = {{ sunday-wednesday = ["09:00-12:00", "13:00-17:30"], thursday = "20:00-02:00" }}
[calendar.schedules]
night = {{ for = ["B"], hours = {{ every_day = "00:00-24:00" }} }}

[calls]
short_abandon_seconds = 5
[retention]
window_days = 300
inactive_after_days = 30
[promises.first_reply]
default = "4 h"
urgent = "30 min"
"""
OTHERS = ["postgresql", pytest.param("spark", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> engines.Studies:
    """Two hundred studies of up to fourteen rows a table, in one set of tables."""
    folder = tmp_path_factory.mktemp("random")
    (folder / "tables").mkdir()
    for name, table in random_studies.random_tables(seed=20260701, studies=200, rows=14).items():
        pq.write_table(table, folder / "tables" / f"{name}.parquet")
    return engines.studies(folder, SETTINGS)


@pytest.fixture(scope="module")
def plain(random: engines.Studies) -> Plain:
    """The same studies as rows."""
    return as_rows(random)


def as_rows(studies: engines.Studies) -> Plain:
    tables = {file.stem: pq.read_table(file) for file in (studies.folder / "tables").glob("*.parquet")}
    return Plain(random_studies.frames(tables), studies.on("duckdb"))


@pytest.fixture(scope="module")
def plain_sample(sample: engines.Studies) -> Plain:
    """The simulated service as rows."""
    return as_rows(sample)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> engines.Studies:
    """A simulated service of 2,000 tickets."""
    return of_sample(tmp_path_factory.mktemp("sample"), 2_000)


def of_sample(folder: Path, tickets: int) -> engines.Studies:
    made = make_sample(folder / "made", tickets=tickets)
    prepare(made)
    shutil.copytree(made / "tables", folder / "tables")
    return engines.studies(folder, (made / "study.toml").read_text("utf-8").partition("[[export]]")[0])


def on(engine: str, studies: engines.Studies, request: pytest.FixtureRequest) -> Any:
    return studies.on(engine, "" if engine == "duckdb" else request.getfixturevalue(engine))


def answerable(study: Any) -> dict[tuple[str, str], Measure]:
    """Every definition of every KPI that the study can carry, the competing ones too."""
    every = {(kpi, name): one for kpi in registry(study) for name, one in rivals(study, kpi).items()}
    return {name: measure for name, measure in every.items() if not missing(measure, study)}


def by_default(study: Any) -> dict[str, Measure]:
    """The KPIs that the study can carry, each in its first definition."""
    return {kpi: measure for kpi, measure in registry(study).items() if not missing(measure, study)}


def lines(table: pd.DataFrame, keys: Iterable[str]) -> Counter[tuple[Any, ...]]:
    """A tally as a count of its lines; whole floats as the numbers they are, gaps as None."""
    there = [key for key in (*keys, "cluster", "stratum", "value", "observed", "bottom") if key in table]
    found: Counter[tuple[Any, ...]] = Counter()
    columns = [table[key].astype(object).tolist() for key in there]
    for *line, n in zip(*columns, table["n"].tolist(), strict=True):
        found[tuple(map(cell, line))] += n
    return found


def cell(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return value
    return float(f"{float(value):.12g}") if isinstance(value, int | float) else value


def plainly(counted: Mapping[tuple[Any, ...], int]) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for line, n in counted.items():
        found[tuple(map(cell, line))] += n
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", *OTHERS])
def test_two_hundred_random_studies_are_counted_as_by_hand(
    engine: str, random: engines.Studies, plain: Plain, request: pytest.FixtureRequest
):
    """Every definition of every KPI, per study, agent and channel: the lines of each tally and how often they occur."""
    study = on(engine, random, request)
    measures = answerable(study) if engine != "spark" else by_default(study)  # Spark takes a second for each
    assert len(measures) > 35
    counted = 0
    for measure in measures.values():
        found = tally(study, measure, ["study_no"], clusters=True)
        assert lines(found, ["study_no"]) == plainly(plain.tally(measure, ["study_no"])), measure
        counted += found["n"].sum()
    assert counted > 10_000


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("by", [("week",), ("agent_id",)], ids=["weeks", "agents"])
def test_a_service_of_two_thousand_tickets_gets_the_same_estimates(
    engine: str, by: tuple[str, ...], sample: engines.Studies, request: pytest.FixtureRequest
):
    """Every statistic of every KPI with interval, n, open, missing and clusters, to twelve digits."""
    same_estimates(on(engine, sample, request), sample.on("duckdb"), by)


@pytest.mark.slow
@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(("clusters", "by"), [(50_000, ("team",)), (0, ())], ids=["told apart", "pooled"])
def test_what_the_engine_adds_up_is_the_same_on_all_of_them(
    engine: str,
    clusters: int,
    by: tuple[str, ...],
    random: engines.Studies,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
):
    """Long tables are never tallied but summed, times cut to the grid; here every table is taken for a long one."""
    monkeypatch.setattr(facts, "LARGE_ROWS", 0)
    monkeypatch.setattr(summing, "MANY_CLUSTERS", clusters)
    same_estimates(on(engine, random, request), random.on("duckdb"), by)


@pytest.mark.parametrize("engine", OTHERS)
def test_waterfalls_and_doubts_are_the_same(engine: str, sample: engines.Studies, request: pytest.FixtureRequest):
    """How a table narrows to what is counted, and what a careful reader should doubt."""
    theirs, ours = on(engine, sample, request), sample.on("duckdb")
    measures = by_default(ours)
    for kpi in ("nps", "first_reply_time", "resolution_time", "fcr") if engine == "spark" else measures:
        pd.testing.assert_frame_equal(waterfall(theirs, measures[kpi]), waterfall(ours, measures[kpi]))
        said, expected = ([doubt.text("en") for doubt in doubts(s, measures[kpi])] for s in (theirs, ours))
        assert said == expected


@pytest.mark.slow
@pytest.mark.parametrize("engine", OTHERS)
def test_a_service_of_twenty_thousand_tickets_gets_the_same_estimates(
    engine: str, large: engines.Studies, request: pytest.FixtureRequest
):
    same_estimates(on(engine, large, request), large.on("duckdb"), ("month",))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> engines.Studies:
    """A simulated service of 20,000 tickets."""
    return of_sample(tmp_path_factory.mktemp("large"), 20_000)


def same_estimates(theirs: Any, ours: Any, by: tuple[str, ...]) -> None:
    measures = by_default(ours)
    assert by_default(theirs) == measures
    periods = {"week", "month"} & {*by}
    measures = {kpi: m for kpi, m in measures.items() if {*by} - periods <= {*columns_of(ours, m.of)}}
    measures = {kpi: m for kpi, m in measures.items() if m.dated_by or not periods}
    expected, found = (estimates(study, measures, by) for study in (ours, theirs))
    assert len(expected) >= len(measures) > 5
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", "postgresql"])
def test_a_service_of_two_thousand_tickets_is_counted_as_by_hand(
    engine: str, sample: engines.Studies, plain_sample: Plain, request: pytest.FixtureRequest
):
    study = on(engine, sample, request)
    for measure in by_default(study).values():
        found = tally(study, measure, clusters=True)
        assert lines(found, []) == plainly(plain_sample.tally(measure, [])), measure


def test_no_row_leaves_the_server_where_a_tally_suffices(sample: engines.Studies, postgresql: str):
    """PostgreSQL's own account of the rows that each statement gave: as many as the tally has lines, not one more."""
    study = sample.on("postgresql", postgresql)
    server = study.engine.con
    if not server.execute("SELECT 1 FROM pg_settings WHERE name = 'pg_stat_statements.max'").fetchone():
        pytest.skip("this PostgreSQL comes without pg_stat_statements")
    engines.execute(postgresql, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    fcr = registry(study)["fcr"]
    tally(study, fcr, ["channel"])  # what is asked once per study is asked
    server.execute("SELECT pg_stat_statements_reset()")
    found = tally(study, fcr, ["channel"])
    given = server.execute("SELECT query, rows FROM pg_stat_statements WHERE query LIKE '%COPY%'").fetchall()
    assert [rows for _, rows in given] == [len(found)]
    assert len(found) < 30 < 1_000 < found["n"].sum()
