"""Columns that the engine derives: each against a plain search through the rows, on random tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_study import small_study

from cxkit.measures import Count, Duration, Ratio, Share, missing, tally_rows, waterfall
from cxkit.measures.rows import spell_edges
from cxkit.measures.sources import source

BEGIN = pd.Timestamp("2026-01-01")
AS_OF = "2026-02-01"


def random_times(rng, n, empty=0.0, days=40):
    """Minutes that collide now and then, some empty, some later than the report."""
    at = BEGIN + pd.to_timedelta(rng.integers(0, days * 24 * 6, n) * 10, unit="min")
    return pd.Series(at).mask(rng.random(n) < empty)


def random_study(seed, folder, n=120):
    """Tickets, help-centre sessions, orders, surveys and priorities of a dozen customers."""
    rng = np.random.default_rng(seed)
    customer = pd.Series(rng.choice([*"abcdefghijkl"], n)).mask(rng.random(n) < 0.1)
    names = pd.Series([f"t{k}" for k in range(n)])
    tickets = pd.DataFrame(
        {
            "ticket_id": names,
            "opened_at": random_times(rng, n),
            "reopened_at": random_times(rng, n, empty=0.5),
            "customer_id": customer,
            "topic": pd.Series(rng.choice(["late", "lost"], n)).mask(rng.random(n) < 0.1),
            "is_spam": pd.array(rng.choice([True, False, None], n, p=[0.1, 0.8, 0.1]), dtype="boolean"),
            "created_by": rng.choice(["customer", "agent"], n, p=[0.9, 0.1]),
            "merged_into": pd.Series(rng.choice(names, n)).where(rng.random(n) < 0.1),
            "follow_up_of": pd.Series(rng.choice([*names, "elsewhere"], n)).where(rng.random(n) < 0.3),
        }
    )
    sessions = pd.DataFrame(
        {
            "session_id": [f"s{k}" for k in range(60)],
            "customer_id": pd.Series(rng.choice([*"abcdefghijklm"], 60)).mask(rng.random(60) < 0.2),
            "started_at": random_times(rng, 60),
        }
    )
    orders = pd.DataFrame(
        {
            "order_id": [f"o{k}" for k in range(80)],
            "customer_id": rng.choice([*"abcdefghijkl"], 80),
            "ordered_at": random_times(rng, 80),
        }
    )
    surveys = pd.DataFrame(
        {
            "response_id": [f"r{k}" for k in range(50)],
            "ticket_id": rng.choice(names, 50),
            "sent_at": random_times(rng, 50, empty=0.1),
        }
    )
    changes = pd.DataFrame(
        {
            "ticket_id": rng.choice(names, 200),
            "at": pd.to_datetime(random_times(rng, 200)).astype("datetime64[us]"),
            "priority": rng.choice(["low", "high", "urgent"], 200),
        }
    )
    tables = {"tickets": tickets, "kb_sessions": sessions, "orders": orders, "surveys": surveys}
    return small_study(folder, AS_OF, {**tables, "priority_changes": changes})


def derived_column(study, of, column, key):
    """The derived column of the study's table, by the table's key."""
    counted = Share("there", of=of, where=f"{column} is not None", among=f"{key} is not None", exclude=(), cluster="")
    found = source(study, [counted], by=(key,)).select(key, column).to_pyarrow().to_pandas().set_index(key)[column]
    assert found.index.is_unique
    return found.sort_index()


def seen(table, as_of=AS_OF):
    """The rows as they stood at the date of the report."""
    times = [c for c in table if str(c).endswith("_at") or c == "at"]
    return table.assign(**{c: table[c].where(table[c] <= pd.Timestamp(as_of)) for c in times})


def is_contact(ticket):
    return not (ticket.is_spam is True or ticket.created_by == "agent" or isinstance(ticket.merged_into, str))


def frame(study, name):
    return seen(pd.read_parquet(study.folder / f"{name}.parquet")).astype(object)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("alike", [("customer_id",), ("customer_id", "topic")], ids=["customer", "topic"])
def test_the_next_contact_is_the_next_genuine_ticket_of_the_same_customer(seed, alike, tmp_path):
    study = random_study(seed, tmp_path)
    column = "next_contact_at" if len(alike) == 1 else "next_same_topic_at"
    found = derived_column(study, "tickets", column, "ticket_id")
    tickets = frame(study, "tickets").sort_values(["opened_at", "ticket_id"], na_position="last")
    rows = [t for t in tickets.itertuples() if t.opened_at is not pd.NaT and is_contact(t)]
    for place, ticket in enumerate(rows):
        keys = [getattr(ticket, c) for c in alike]
        later = [t.opened_at for t in rows[place + 1 :] if [getattr(t, c) for c in alike] == keys]
        expected = later[0] if later and all(isinstance(k, str) for k in keys) else pd.NaT
        assert found[ticket.ticket_id] is expected or found[ticket.ticket_id] == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_session_is_followed_by_the_next_genuine_ticket_of_its_customer(seed, tmp_path):
    study = random_study(seed, tmp_path)
    found = derived_column(study, "kb_sessions", "next_contact_at", "session_id")
    contacts = [t for t in frame(study, "tickets").itertuples() if t.opened_at is not pd.NaT and is_contact(t)]
    for session in frame(study, "kb_sessions").itertuples():
        if session.started_at is pd.NaT:
            continue
        later = [
            t.opened_at for t in contacts if t.customer_id == session.customer_id and t.opened_at >= session.started_at
        ]
        expected = min(later) if later and isinstance(session.customer_id, str) else pd.NaT
        assert found[session.session_id] is expected or found[session.session_id] == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_next_order_the_follow_up_and_the_survey_are_found(seed, tmp_path):
    study = random_study(seed, tmp_path)
    orders = frame(study, "orders").sort_values(["ordered_at", "order_id"])
    following = orders.groupby("customer_id")["ordered_at"].shift(-1)
    found = derived_column(study, "orders", "next_order_at", "order_id")
    expected = following.set_axis(orders["order_id"])[orders["ordered_at"].notna().to_numpy()]
    pd.testing.assert_series_equal(
        found[expected.index], expected.astype("datetime64[us]"), check_names=False, check_index_type=False
    )
    for column, table, key, at in (
        ("followed_up_at", "tickets", "follow_up_of", "opened_at"),
        ("surveyed_at", "surveys", "ticket_id", "sent_at"),
    ):
        first = frame(study, table).dropna(subset=[key, at]).groupby(key)[at].min()
        found = derived_column(study, "tickets", column, "ticket_id")
        expected = first.reindex(found.index).astype("datetime64[us]")
        pd.testing.assert_series_equal(found, expected, check_names=False, check_index_type=False)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("at", ["opened_at", "reopened_at"])
def test_the_priority_that_counts_is_the_one_at_the_time(seed, at, tmp_path):
    """A ticket whose priority changes after the clock started is held to the promise of the first priority."""
    study = random_study(seed, tmp_path)
    found = derived_column(study, "tickets", f"priority_at_{at.removesuffix('_at')}", "ticket_id")
    changes = frame(study, "priority_changes").dropna(subset=["at"])
    for ticket in frame(study, "tickets").itertuples():
        mine, when = changes[changes["ticket_id"] == ticket.ticket_id], getattr(ticket, at)
        if mine.empty or when is pd.NaT:
            assert found[ticket.ticket_id] is None or pd.isna(found[ticket.ticket_id])
            continue
        early = mine[mine["at"] <= when]
        chosen = early[early["at"] == early["at"].max()] if len(early) else mine[mine["at"] == mine["at"].min()]
        assert found[ticket.ticket_id] == chosen["priority"].min()


def test_what_happens_after_the_report_is_not_derived(tmp_path):
    """The next contact of a later day does not exist yet in an earlier report."""
    tickets = pd.DataFrame(
        {
            "ticket_id": ["a", "b"],
            "customer_id": ["x", "x"],
            "opened_at": [BEGIN, BEGIN + pd.Timedelta(days=60)],
        }
    )
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    assert derived_column(study, "tickets", "next_contact_at", "ticket_id").isna().all()


def test_a_derived_column_names_what_it_is_made_from(tmp_path):
    """Not "next_contact_at is missing" but the column that an export can have."""
    tickets = pd.DataFrame({"ticket_id": ["a"], "opened_at": [BEGIN]})
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    again = Share("again", where="next_contact_at <= opened_at + days(7)")
    assert missing(again, study) == ("tickets.customer_id",)
    followed = Share("continued", where="followed_up_at is not None")
    assert missing(followed, study) == ("tickets.follow_up_of",)


def test_told_seconds_are_censored_where_the_condition_fails(tmp_path):
    """Patience: the wait of a caller who was answered says only that he would have waited longer."""
    calls = pd.DataFrame(
        {
            "call_id": [*"abcd"],
            "arrived_at": [BEGIN] * 4,
            "wait_seconds": [30.0, 90.0, -1.0, np.nan],
            "outcome": ["answered", "abandoned", "answered", "abandoned"],
        }
    )
    study = small_study(tmp_path, AS_OF, {"calls": calls})
    patience = Duration("patience", of="calls", seconds="wait_seconds", done="outcome == 'abandoned'", cluster="")
    rows = tally_rows(study, patience).sort_values("value", ignore_index=True)
    assert rows["value"].tolist()[:2] == [30, 90] and rows["observed"].tolist()[:2] == [False, True]
    assert rows["value"].isna().sum() == 2  # below zero, and not recorded
    assert rows.loc[rows["value"].isna(), "observed"].all()


def test_pauses_are_taken_off_and_ages_are_never_censored(tmp_path):
    tickets = pd.DataFrame(
        {
            "ticket_id": [*"abc"],
            "opened_at": [BEGIN] * 3,
            "first_solved_at": [BEGIN + pd.Timedelta(hours=5), BEGIN + pd.Timedelta(hours=1), pd.NaT],
            "pending_seconds": [3600.0, 7200.0, np.nan],
        }
    )
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    net = Duration("net", start="opened_at", stop="first_solved_at", pauses=("pending_seconds",))
    month = 31 * 86_400
    assert sorted(tally_rows(study, net)["value"]) == [0, 4 * 3600, month]
    age = Duration("age", start="opened_at", stop="as_of", among="first_solved_at is None")
    rows = tally_rows(study, age)
    assert rows["value"].tolist() == [month] and rows["observed"].tolist() == [True]


def test_a_ticket_is_in_the_backlog_in_each_of_its_spells(tmp_path):
    """Opened to solved, reopened to solved for good; closing without a solution ends it too."""
    day = pd.Timedelta(days=1)
    tickets = pd.DataFrame(
        {
            "ticket_id": [*"abcd"],
            "opened_at": [BEGIN] * 4,
            "first_solved_at": [BEGIN + day, BEGIN + day, pd.NaT, pd.NaT],
            "reopened_at": [pd.NaT, BEGIN + 3 * day, pd.NaT, pd.NaT],
            "solved_at": [BEGIN + day, BEGIN + day, pd.NaT, pd.NaT],
            "closed_at": [pd.NaT, pd.NaT, BEGIN + 2 * day, pd.NaT],
        }
    )
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    spells = (("opened_at", "first_solved_at"), ("reopened_at", "solved_at"))
    backlog = Count("backlog", spells=spells, until=("closed_at",))
    table = source(study, [backlog], by=("ticket_id",))
    (first, second) = [
        table.select("ticket_id", comes=comes, goes=goes).to_pyarrow().to_pandas().sort_values("ticket_id")
        for comes, goes in spell_edges(backlog, table)
    ]
    gone = [1, 1, 2, np.nan]
    assert ((first["goes"] - BEGIN) / day).tolist() == pytest.approx(gone, nan_ok=True)
    assert ((second["comes"] - BEGIN) / day).tolist() == pytest.approx([np.nan, 3, np.nan, np.nan], nan_ok=True)
    assert second["goes"].isna().all()  # the solve recorded as the last came before the reopening


def test_a_ratio_may_sum_expressions_and_fill_gaps(tmp_path):
    calls = pd.DataFrame(
        {
            "call_id": [*"ab"],
            "arrived_at": [BEGIN] * 2,
            "talk_seconds": [100.0, 200.0],
            "hold_seconds": [np.nan, 20.0],
            "outcome": ["answered"] * 2,
        }
    )
    study = small_study(tmp_path, AS_OF, {"calls": calls})
    handled = Ratio("handled", of="calls", top="talk_seconds + filled(hold_seconds, 0)", unit="seconds", cluster="")
    assert sorted(tally_rows(study, handled)["value"]) == [100, 220]
    assert handled.headline == "mean_seconds"


def test_a_condition_may_ask_how_old_a_row_is(tmp_path):
    """Open and past due counts as broken: `as_of` stands in the condition."""
    tickets = pd.DataFrame(
        {
            "ticket_id": [*"abc"],
            "opened_at": [BEGIN, BEGIN, pd.Timestamp(AS_OF) - pd.Timedelta(hours=1)],
            "first_replied_at": [BEGIN + pd.Timedelta(hours=1), pd.NaT, pd.NaT],
        }
    )
    study = small_study(tmp_path, AS_OF, {"tickets": tickets})
    kept = Share(
        "kept",
        where="first_replied_at is not None and first_replied_at - opened_at <= hours(4)",
        among="first_replied_at is not None or as_of - opened_at > hours(4)",
    )
    assert waterfall(study, kept)["left"].iloc[-1] == 2
    assert sorted(tally_rows(study, kept)["value"]) == [0, 1]
