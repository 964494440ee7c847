"""From the sample's files through intake to estimates: the planted truth is covered where closed tickets mislead."""

import tomllib

import numpy as np
import pandas as pd
import pytest

from cxkit.intake import run_intake
from cxkit.measures import estimates, registry
from cxkit.measures.registry import rivals
from cxkit.samples import make_sample, simulate
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


DEFINITIONS = {  # KPI, definition, statistic -> where truth.toml has it
    ("fcr", "one_touch", "share"): ("first_contact", "one_touch"),
    ("fcr", "no_repeat", "share"): ("first_contact", "no_repeat_contact"),
    ("fcr", "no_repeat_topic", "share"): ("first_contact", "no_repeat_contact_on_topic"),
    ("fcr", "agent_flagged", "share"): ("first_contact", "agent_says"),
    ("fcr", "reported", "top_share"): ("first_contact", "customer_says_among_answers"),
    ("aht", "without_hold", "mean_seconds"): ("handling", "call"),
    ("aht", "tickets", "mean_seconds"): ("handling", "ticket_timed"),
    ("transfer", "calls", "share"): ("handling", "call_transferred"),
    ("reply_sla", "default", "share"): ("promises", "first_reply"),
    ("resolution_sla", "first_cycle", "share"): ("promises", "resolution"),
    ("survey_coverage", "default", "share"): ("invitations", "coverage"),
    ("survey_viewed", "default", "share"): ("invitations", "viewed_share"),
    ("survey_response", "default", "share"): ("invitations", "answered_share"),
    ("deflection", "hours_48", "share"): ("help_centre", "no_ticket_within_48_hours"),
    ("deflection", "hours_24", "share"): ("help_centre", "no_ticket_within_24_hours"),
    ("self_service_score", "default", "rate"): ("help_centre", "visits_per_ticket"),
    ("retention", "contract", "share"): ("retention", "share"),
    ("retention", "orders", "share"): ("orders", "again_within_60_days"),
    ("contact_rate", "orders", "rate"): ("contact_rate", "per_order"),
    ("contact_rate", "customers", "rate"): ("contact_rate", "per_customer"),
    ("qa_score", "weighted", "mean_share"): ("quality", "mean"),
    ("cost_per_contact", "default", "cost"): ("costs", "per_contact"),
}


@pytest.mark.parametrize(("kpi", "definition", "stat"), DEFINITIONS)
def test_each_definition_covers_its_truth(study, truth, kpi, definition, stat):
    said = estimates(study, [rivals(study, kpi)[definition]]).set_index("stat").loc[stat]
    section, name = DEFINITIONS[kpi, definition, stat]
    if stat == "cost":  # two complete ledgers, and so no chance between them
        assert np.isnan([said["low"], said["high"]]).all()
        assert said["value"] == pytest.approx(truth[section][name], rel=1e-6)
        return
    assert np.isfinite([said["low"], said["high"]]).all()
    assert said["low"] <= truth[section][name] <= said["high"]


def test_service_level_counts_the_calls_that_were_simulated(study, truth):
    """AN60 / (AN + AB - AB5), by hand from the counts of truth.toml; the last calls end after the data."""
    calls = truth["calls"]
    offered = calls["answered"] + calls["abandoned"] - calls["abandoned_shortly"]
    said = estimates(study, [registry(study)["service_level"]]).set_index("stat").loc["share"]
    assert said["value"] == pytest.approx(calls["answered_in_time"] / offered, abs=0.005)


def test_the_backlog_of_each_month_is_what_was_waiting(study, truth):
    """Spells know the first reopening and the last solution: a ticket that came back twice counts in between, too."""
    table = estimates(study, [registry(study)["backlog"]], by=("month",)).set_index("month")["value"]
    planted = truth["backlog"]["month_end"]
    for month, waiting in planted.items():
        assert table[pd.Timestamp(f"{month}-01")] == pytest.approx(waiting, abs=2)


def test_the_clock_of_the_study_is_the_clock_of_the_service(study):
    """Hours, Ramadan and both feasts, as study.toml declares them and as the simulator kept them: to the second."""
    sample, draws = simulate(5, 200), np.random.default_rng(1)
    start, end = np.sort(draws.integers(sample.start, sample.end, (2, 20_000)), axis=0)
    utc = [((60 * minute - 3 * 3600).astype("datetime64[s]").astype("datetime64[us]")) for minute in (start, end)]
    assert (study.clock.clock(study.clock.names[0]).seconds(*utc) == 60 * sample.clock.between(start, end)).all()


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
    lost = {name: sum(one["rows_n"] for one in files[f"exports/{name}.csv"]["rejected"]) for name in truth["faults"]}
    assert lost["orders"] == truth["faults"]["orders"]["cancelled"]
    visits = truth["faults"]["help_centre"]
    assert lost["help_centre"] in range(visits["crawlers"], visits["crawlers"] + visits["unreadable_cells"] + 1)
    assert lost["priority_changes"] == truth["faults"]["priority_changes"]["unreadable_cells"]
    assert lost["qa_reviews"] == 0
