"""From the sample's files through intake to estimates: the planted truth is covered where closed tickets mislead."""

import tomllib

import pytest

from cxkit.intake import run_intake
from cxkit.measures import estimates, registry
from cxkit.samples import make_sample
from cxkit.study import open_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_sample(tmp_path_factory.mktemp("sample") / "study", tickets=3000)
    run_intake(folder)
    return folder


@pytest.fixture(scope="module")
def truth(folder):
    return tomllib.loads((folder / "truth.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def study(folder):
    return open_study(folder)


def last_month(study, kpi):
    table = estimates(study, [registry(study)[kpi]], by=("month",))
    return table[table["month"] == table["month"].max()].set_index("stat")


@pytest.mark.parametrize("stat", ["median", "p90", "within"])
def test_open_tickets_counted_cover_the_truth_and_closed_ones_alone_do_not(study, truth, stat):
    """Resolution time of the last month: the complete lives of truth.toml against the export of `as_of`."""
    said, planted = last_month(study, "resolution_time").loc[stat], truth["kpi"]["resolution_time"]["last_month"]["all"]
    assert said["low"] <= planted[stat] <= said["high"]
    assert not said["low"] <= planted[f"closed_only_{stat}"] <= said["high"]


@pytest.mark.parametrize("kpi", ["first_reply_time", "resolution_time"])
@pytest.mark.parametrize("stat", ["median", "p90", "within"])
def test_the_year_covers_the_truth(study, truth, kpi, stat):
    said = estimates(study, [registry(study)[kpi]]).set_index("stat").loc[stat]
    assert said["low"] <= truth["kpi"][kpi]["year"]["all"][stat] <= said["high"]


@pytest.mark.parametrize("kpi", ["fcr", "return_rate", "escalation"])
def test_shares_cover_the_truth(study, truth, kpi):
    said = estimates(study, [registry(study)[kpi]]).iloc[0]
    assert said["low"] <= truth["kpi"][kpi]["year"]["all"]["share"] <= said["high"]


def test_the_survey_says_what_its_answers_say_and_not_what_all_customers_think(study, truth):
    """The interval of the happy few who answered does not cover the share among all customers: non-response."""
    said = estimates(study, [registry(study)["csat"]]).set_index("stat").loc["top_share"]
    planted = truth["kpi"]["csat"]["year"]["all"]
    assert said["low"] <= planted["among_answers"] <= said["high"]
    assert planted["top_share"] < said["low"]


def test_intake_keeps_every_row_but_the_spoiled_ones(study, truth):
    files = {entry["file"]: entry for entry in study.intake["files"]}
    assert files["exports/tickets.csv"]["kept"] == truth["counts"]["tickets"]
    assert files["exports/customers.csv"]["encoding"] == "cp1256"
    events = files["exports/events.csv"]
    assert events["rows"] - events["kept"] == truth["faults"]["events"]["unreadable_cells"]
    assert events["repeats"] == truth["faults"]["events"]["duplicate_rows"]
    assert study.intake["tables"]["surveys"] == truth["surveys"]["invitations"]
    assert study.intake["tables"]["calls"] == truth["counts"]["calls"]
