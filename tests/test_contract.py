"""The contract and its gate: planted errors are found and counted, and nothing a customer wrote is shown."""

import json

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit import contract
from cxkit.contract import Finding, Gate
from cxkit.errors import ContractError, StudyError
from cxkit.lang import arguments, has, say
from cxkit.lang.catalogue import pattern

DAY = pd.Timedelta(days=1)
HOUR = pd.Timedelta(hours=1)


def some_tickets(n: int = 200) -> pd.DataFrame:
    """Tickets without a fault: one an hour, answered after an hour, solved after two, closed after three."""
    opened = pd.Series(pd.date_range("2025-03-01 08:07", periods=n, freq="61min").astype("datetime64[us]"))
    return pd.DataFrame(
        {
            "ticket_id": [f"T{i}" for i in range(n)],
            "opened_at": opened,
            "first_replied_at": opened + HOUR,
            "first_solved_at": opened + 2 * HOUR,
            "solved_at": opened + 2 * HOUR,
            "closed_at": opened + 3 * HOUR,
            "channel": np.where(np.arange(n) % 3, "email", "phone"),
            "status": "closed",
            "reopens": np.arange(n) % 2,
        }
    )


def found(gate: Gate) -> dict[str, int | None]:
    """What the gate found: rule -> rows."""
    return {finding.rule: finding.n for finding in gate.findings}


def gate_of(**tables: pd.DataFrame | pa.Table) -> Gate:
    return contract.gate(tables)


# --- the declaration itself ---


def test_every_rule_speaks_in_every_language(lang: str):
    for rule in contract.load().rules:
        assert has(f"contract.rule.{rule.id}.says", lang), rule.id
        assert has(f"contract.rule.{rule.id}.mend", lang), rule.id
        assert not arguments(pattern(f"contract.rule.{rule.id}.mend", lang)), rule.id


def test_every_column_has_a_meaning_in_every_language(lang: str):
    for table in contract.load().tables.values():
        for column in table.columns:
            assert say(f"contract.means.{column}", lang)


def test_rules_name_only_tables_and_columns_of_the_contract():
    tables = contract.load().tables
    for rule in contract.load().rules:
        named = [rule.settings.get(key) for key in ("earlier", "later", "when", "column")]
        for column in (one for entry in named if entry for one in np.atleast_1d(entry)):
            assert column in tables[str(rule.table)].columns, rule.id


def test_references_lead_to_the_key_of_their_table():
    tables = contract.load().tables
    for table in tables.values():
        for column in table.columns.values():
            if column.references:
                target, _, key = column.references.partition(".")
                assert tables[target].key[0] == key


# --- what passes ---


def test_faultless_tickets_pass():
    assert gate_of(tickets=some_tickets()) == Gate()
    assert gate_of(tickets=some_tickets()).level == "pass"


@pytest.mark.parametrize("n", [1, 2, 29])
def test_few_rows_warn_and_do_not_stop(n: int):
    gate = gate_of(tickets=some_tickets(n))
    assert found(gate) == {"too_few_rows": n}
    assert gate.level == "warn"


def test_no_rows_at_all_stop():
    assert found(contract.gate({})) == {"no_data": None}
    assert "no_data" in found(gate_of(tickets=some_tickets(0)))
    assert gate_of(tickets=some_tickets(0)).level == "stop"


# --- planted errors, counted by hand ---

ORDERS = [
    ("replied_before_opened", "first_replied_at", -1),
    ("solved_before_opened", "first_solved_at", -1),
    ("solved_before_reply", "first_solved_at", 0.5),
    ("solved_before_first_solve", "solved_at", 1.5),
    ("closed_before_solved", "closed_at", 1.5),
    ("closed_before_opened", "closed_at", -1),
]


@pytest.mark.parametrize(("rule", "column", "hours"), ORDERS)
def test_a_planted_impossible_order_is_found_with_its_row(rule: str, column: str, hours: float):
    """Row 8 of a spreadsheet is the seventh record below the header."""
    tickets = some_tickets().assign(source_row=np.arange(200) + 2)
    tickets.loc[6, column] = tickets.loc[6, "opened_at"] + hours * HOUR
    finding = next(f for f in gate_of(tickets=tickets).findings if f.rule == rule)
    assert (finding.n, finding.base, finding.rows, finding.severity) == (1, 200, (8,), "warn")


def test_every_order_of_every_table_is_looked_at():
    """One row a table in which the later time lies a day before the earlier one."""
    for rule in (rule for rule in contract.load().rules if rule.kind == "order"):
        later = np.atleast_1d(rule.settings["later"])[0]
        at = pd.Series(pd.to_datetime(["2025-05-02"])).astype("datetime64[us]")
        table = pd.DataFrame({rule.settings["earlier"]: at, later: at - DAY})
        finding = next(f for f in contract.gate({str(rule.table): table}).findings if f.rule == rule.id)
        assert (finding.n, finding.base, finding.severity) == (1, 1, "stop")


def test_a_few_impossible_orders_warn_and_more_than_one_in_twenty_stop():
    tickets = some_tickets(100)
    tickets.loc[:4, "first_replied_at"] = tickets["opened_at"] - HOUR
    assert gate_of(tickets=tickets).level == "warn"
    tickets.loc[5, "first_replied_at"] = tickets.loc[5, "opened_at"] - HOUR
    assert [f.rule for f in gate_of(tickets=tickets).stops] == ["replied_before_opened"]


def test_equal_times_are_possible():
    tickets = some_tickets().assign(first_replied_at=lambda t: t["opened_at"])
    assert gate_of(tickets=tickets).level == "pass"


def test_missing_columns_and_impossible_orders_are_reported_together():
    tickets = some_tickets().drop(columns=["opened_at", "first_solved_at"])
    tickets["solved_at"] = tickets["first_replied_at"] - HOUR
    stops = {finding.rule: finding for finding in gate_of(tickets=tickets).stops}
    assert stops["required_missing"].columns == ("opened_at",)
    assert stops["solved_before_reply"].share == 1
    assert "when the ticket was opened" in stops["required_missing"].text("en")


def test_required_values_that_are_missing_are_counted():
    tickets = some_tickets()
    tickets.loc[[3, 4], "ticket_id"] = [None, ""]
    tickets.loc[5, "opened_at"] = pd.NaT
    findings = gate_of(tickets=tickets).findings
    assert [(f.rule, f.columns, f.n) for f in findings] == [
        ("required_empty", ("ticket_id",), 2),
        ("required_empty", ("opened_at",), 1),
    ]
    assert contract.complete_rows("tickets", tickets).sum() == 197


def test_repeated_keys_stop_and_exact_repeats_are_counted():
    tickets = some_tickets()
    again = pd.concat([tickets, tickets.head(3), tickets.tail(1).assign(channel="chat")])
    gate = gate_of(tickets=again)
    assert (found(gate)["duplicate_key"], found(gate)["duplicate_rows"]) == (4, 3)
    assert gate.level == "stop"


def test_rows_without_a_key_repeat_nothing():
    tickets = some_tickets()
    tickets.loc[:2, "ticket_id"] = None
    assert "duplicate_key" not in found(gate_of(tickets=tickets))


def test_a_step_logged_twice_warns_with_the_number_of_the_source():
    at = pd.Series(pd.date_range("2025-01-01", periods=100, freq="7h").astype("datetime64[us]"))
    events = pd.DataFrame({"case_id": [str(i // 4) for i in range(100)], "activity": "open", "at": at})
    events = pd.concat([events, events.head(2)], ignore_index=True)
    assert found(gate_of(events=events)) == {"duplicate_rows": 2}
    assert found(contract.gate({"events": events}, repeats={"events": 1})) == {"duplicate_rows": 1}
    assert contract.gate({"events": events}, repeats={"events": 0}).level == "pass"


def test_unknown_codes_and_impossible_durations_are_counted():
    tickets = some_tickets()
    tickets.loc[:1, "channel"] = ["Mail", "fax"]
    tickets.loc[[2, 3], "reopens"] = [-1, 5000]
    assert found(gate_of(tickets=tickets)) == {"unknown_choice": 2, "out_of_range": 2}


def test_waits_of_more_than_a_day_and_below_zero_are_no_waits():
    calls = pd.DataFrame({"call_id": [str(i) for i in range(60)], "wait_seconds": [30.0] * 57 + [-1.0, 86_401.0, None]})
    calls["arrived_at"] = pd.Series(
        pd.date_range("2025-01-01 09:30", periods=60, freq="11min").astype("datetime64[us]")
    )
    finding = gate_of(calls=calls).findings[0]
    assert (finding.rule, finding.n, finding.base) == ("out_of_range", 2, 59)


def test_status_and_times_that_contradict_each_other_are_counted():
    tickets = some_tickets()
    tickets.loc[:3, "status"] = "open"
    tickets.loc[[10, 11], ["first_solved_at", "solved_at"]] = pd.NaT
    gate = found(gate_of(tickets=tickets))
    assert gate == {"solved_time_while_open": 4, "solved_without_time": 2, "closed_without_solve": 2}


def test_answers_outside_their_scale_and_mixed_scales_are_counted():
    answers = pd.DataFrame(
        {
            "response_id": [str(i) for i in range(100)],
            "item": ["csat"] * 50 + ["nps"] * 50,
            "value": [1.0, 5.0, 0.0, 6.0, None] * 10 + [0.0, 10.0, 7.0, 7.0, 7.0] * 10,
            "scale_min": [1.0] * 50 + [0.0] * 50,
            "scale_max": [5.0] * 49 + [7.0] + [10.0] * 50,
        }
    )
    gate = gate_of(survey_answers=answers)
    assert found(gate) == {"answer_off_scale": 20, "mixed_scales": 1}
    assert [f.base for f in gate.findings] == [90, 2]


def test_identifiers_without_a_match_are_counted_only_where_the_other_table_is_there():
    tickets = some_tickets().assign(agent_id=["a1"] * 199 + ["a9"])
    agents = pd.DataFrame({"agent_id": ["a1", "a2"]})
    assert found(gate_of(tickets=tickets, agents=agents)) == {"orphan": 1}
    assert gate_of(tickets=tickets).level == "pass"


@pytest.mark.parametrize(("year", "calendar"), [(1404, "jalali"), (1447, "hijri"), (1600, "none")])
def test_years_that_are_not_gregorian_stop_with_the_likely_calendar(year: int, calendar: str):
    """March 2025 was in 1403 and 1404 of the Persian solar, and in 1446 of the Hijri calendar."""
    tickets = some_tickets()
    tickets.loc[0, "opened_at"] = pd.Timestamp(year=year, month=5, day=1)
    finding = gate_of(tickets=tickets).stops[0]
    assert (finding.rule, finding.n, finding.params["calendar"]) == ("year_impossible", 1, calendar)


def test_zero_dates_warn():
    tickets = some_tickets()
    tickets.loc[0, "closed_at"] = pd.Timestamp("1970-01-01")
    assert found(gate_of(tickets=tickets))["year_unlikely"] == 1


def test_a_customer_of_1985_is_no_error():
    customers = pd.DataFrame({"customer_id": ["c1"], "since_on": pd.to_datetime(["1985-01-01"])})
    assert gate_of(customers=customers).level == "pass"


def test_a_lone_time_far_ahead_is_found_and_times_after_as_of_are_counted():
    tickets = some_tickets()
    tickets.loc[0, "closed_at"] = pd.Timestamp("2031-01-01")
    assert found(gate_of(tickets=tickets)) == {"far_ahead": 1}
    last = tickets["opened_at"].iloc[-1]
    late = contract.gate({"tickets": some_tickets()}, as_of=last)
    assert found(late) == {"after_as_of": 3}  # closed three hours later, and 61 minutes lie between tickets
    assert late.findings[0].columns == ("first_replied_at",)


def test_days_without_a_clock_warn_also_across_a_clock_change():
    """Midnight in Berlin is 23:00 UTC in winter and 22:00 UTC in summer."""
    days = pd.Series(pd.date_range("2025-01-01", "2025-12-31", freq="D", tz="Europe/Berlin"))
    at = days.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    events = pd.DataFrame({"case_id": [str(i) for i in range(len(at))], "activity": "open", "at": at})
    assert at.dt.hour.nunique() == 2
    assert found(gate_of(events=events)) == {"day_stamped": None}


def test_categories_drawn_by_lot_look_random_and_usual_ones_do_not():
    """Expected counts of a uniform draw; a service with half its tickets by e-mail is usual."""
    draw = np.random.default_rng(7)
    lot = {"channel": ["email", "phone", "chat", "social"], "priority": ["low", "normal", "high", "urgent"]}
    tickets = some_tickets(6000).assign(**{name: draw.choice(codes, 6000) for name, codes in lot.items()})
    assert "looks_random" in found(gate_of(tickets=tickets))
    usual = some_tickets(6000).assign(
        **{name: draw.choice(codes, 6000, p=[0.4, 0.3, 0.2, 0.1]) for name, codes in lot.items()}
    )
    assert gate_of(tickets=usual).level == "pass"


def test_columns_that_are_empty_constant_or_of_the_wrong_type_are_named():
    tickets = some_tickets().assign(team=None, topic=None, closed_at=pd.Timestamp("2025-06-01 12:00"), replies="three")
    findings = {finding.rule: finding for finding in gate_of(tickets=tickets).findings}
    assert findings["empty_column"].columns == ("team", "topic")
    assert findings["constant_column"].columns == ("closed_at",)
    assert (findings["wrong_type"].columns, findings["wrong_type"].severity) == (("replies",), "stop")


# --- what it must never depend on or do ---


def test_a_name_that_is_no_table_gets_the_nearest_one():
    with pytest.raises(ContractError) as refused:
        contract.gate({"ticket": some_tickets()})
    assert refused.value.text("en").startswith("There is no canonical table “ticket” (did you mean “tickets”?).")


def test_a_column_of_mixed_kinds_is_refused_without_its_values():
    with pytest.raises(ContractError) as refused:
        gate_of(tickets=some_tickets(2).assign(team=["SECRET-NAME", 5]))
    assert "team" in str(refused.value)
    assert "SECRET" not in str(refused.value)


def test_arrow_tables_categories_and_frames_give_the_same_findings():
    tickets = some_tickets()
    tickets.loc[0, "channel"] = "fax"
    in_arrow = pa.Table.from_pandas(tickets, preserve_index=False)
    in_categories = tickets.assign(channel=tickets["channel"].astype("category"))
    assert gate_of(tickets=tickets) == gate_of(tickets=in_arrow) == gate_of(tickets=in_categories)


def test_findings_survive_json(lang: str):
    tickets = some_tickets()
    tickets.loc[0, "opened_at"] = pd.Timestamp(year=1404, month=5, day=1)
    gate = gate_of(tickets=tickets.drop(columns="ticket_id"))
    again = Gate.from_dict(json.loads(json.dumps(gate.to_dict())))
    assert again.text(lang) == gate.text(lang)
    assert again.level == "stop"


HOSTILE = ["<script>alert(1)</script>", "=cmd|'/c calc'!A1", "ali@example.com", "\u202eevil", "{n}", "%s'; DROP TABLE"]


def test_nothing_that_stands_in_a_cell_is_ever_shown(lang: str):
    """Every text cell of every table holds a hostile value, every rule has something to say."""
    tables = {}
    for table in contract.load().tables.values():
        n = len(HOSTILE) * 10
        cells = {c.name: HOSTILE * 10 for c in table.columns.values() if c.type in ("text", "choice")}
        at = pd.Series(pd.date_range("1404-05-01", periods=n, freq="7h", unit="us"))
        times = {c.name: at - i * HOUR for i, c in enumerate(table.of_type("timestamp"))}
        tables[table.name] = pd.DataFrame({**cells, **times})
    gate = contract.gate(tables)
    shown = gate.text(lang) + json.dumps(gate.to_dict())
    assert len(found(gate)) > 8
    for value in HOSTILE:
        assert value not in shown


def test_every_kind_of_finding_can_be_spoken(lang: str):
    """A finding of any rule makes a sentence, whatever is not known about it."""
    params = {"type": "timestamp", "low": 0, "high": 1, "bounded": "true", "first": "1990", "last": "2100"}
    for rule in contract.load().rules:
        more = {"calendar": "jalali", "target": "agents", "least": 30}
        finding = Finding(rule.id, "tickets", "warn", ("opened_at",), 3, 9, (2, 5), "a.csv", {**params, **more})
        assert "{" not in finding.text(lang)


@pytest.mark.slow
@given(st.permutations(range(30)))
def test_findings_do_not_depend_on_the_order_of_rows(order: list[int]):
    tickets = some_tickets(30).assign(source_row=range(2, 32), source_file="a.csv")
    tickets.loc[[2, 9, 17], "first_replied_at"] = tickets["opened_at"] - HOUR
    tickets.loc[[4, 5], "channel"] = "fax"
    tickets.loc[28] = tickets.loc[29]
    assert gate_of(tickets=tickets.iloc[order]) == gate_of(tickets=tickets)


@given(st.integers(0, 2**32 - 1))
def test_counts_agree_with_duckdb(seed: int):
    """DuckDB as an outside oracle, on random times with gaps."""
    draw = np.random.default_rng(seed)
    at = pd.to_datetime(draw.integers(1_740_000_000, 1_740_500_000, (60, 3)).astype("datetime64[s]").ravel())
    columns = pd.DataFrame(np.reshape(at.to_numpy(), (60, 3)), columns=["opened_at", "first_replied_at", "solved_at"])
    tickets = columns.astype("datetime64[us]").mask(draw.random((60, 3)) < 0.2)
    tickets["ticket_id"] = draw.integers(0, 50, 60).astype(str)
    counts = duckdb.sql(
        "SELECT count(*) FILTER (WHERE first_replied_at < opened_at), count(*) FILTER (WHERE solved_at < opened_at),"
        " count(*) FILTER (WHERE solved_at < first_replied_at), count(*) - count(DISTINCT ticket_id),"
        " count(*) FILTER (WHERE opened_at IS NULL) FROM tickets"
    ).fetchall()[0]
    rules = ("replied_before_opened", "solved_before_opened", "solved_before_reply", "duplicate_key", "required_empty")
    gate = found(gate_of(tickets=tickets))
    assert tuple(gate.get(rule, 0) for rule in rules) == counts


# --- the moment up to which data count ---


@pytest.mark.parametrize(
    ("given_as", "utc"),
    [
        ("2026-06-30", "2026-06-30 20:59:59.999999"),
        ("2026-06-30T12:00", "2026-06-30 09:00"),
        ("2026-06-30T12:00:00Z", "2026-06-30 12:00"),
        ("2026-06-30T12:00:00+03:30", "2026-06-30 08:30"),
    ],
)
def test_a_day_means_its_end_and_a_time_without_offset_is_local(given_as: str, utc: str):
    """Riyadh is three hours ahead of UTC all year."""
    assert contract.moment_of(given_as, "Asia/Riyadh") == pd.Timestamp(utc)


@pytest.mark.parametrize("wrong", ["last week", "2026-13-01", "", "1404-05-01"])
def test_what_is_no_moment_is_refused(wrong: str):
    with pytest.raises(StudyError):
        contract.moment_of(wrong, "Asia/Riyadh")


# --- real data ---


@pytest.mark.real
def test_help_desk_log_has_127_exact_repeats(real_data):
    """Counted by pandas over all 16 columns of the file."""
    log = pd.read_csv(real_data / "helpdesk" / "helpdesk.csv", dtype=str)
    at = pd.to_datetime(log["Complete Timestamp"], format="%Y/%m/%d %H:%M:%S.%f").astype("datetime64[us]")
    events = pd.DataFrame(
        {"case_id": log["Case ID"], "activity": log["Activity"], "at": at, "resource": log["Resource"]}
    )
    assert log.duplicated().sum() == 127
    assert found(gate_of(events=events)) == {"duplicate_rows": 127}


@pytest.mark.real
def test_made_up_tickets_are_stopped_for_two_reasons_at_once(real_data, lang: str):
    """Known of this set: 49.3% of rows with both times are solved before their first response; none has an opening."""
    raw = pd.read_csv(real_data / "support_tickets_fake" / "customer_support_tickets.csv")
    tickets = pd.DataFrame({"ticket_id": raw["Ticket ID"].astype(str)})
    tickets["first_replied_at"] = pd.to_datetime(raw["First Response Time"]).astype("datetime64[us]")
    tickets["solved_at"] = pd.to_datetime(raw["Time to Resolution"]).astype("datetime64[us]")
    gate = gate_of(tickets=tickets)
    assert [f.rule for f in gate.stops] == ["required_missing", "solved_before_reply"]
    assert gate.stops[1].share == pytest.approx(0.493, abs=0.0005)
    assert gate.text("en").count("49.3%") == 1
    assert gate.text(lang)
