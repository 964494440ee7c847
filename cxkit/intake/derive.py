"""What one table knows and another lacks: solves and reopenings from events, survey details from tickets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from cxkit.intake.config import IntakeConfig
from cxkit.lang import Sentence

Tables = dict[str, pa.Table]
_FROM_TICKET = ("customer_id", "agent_id", "channel", "language")


def derive(tables: Tables, config: IntakeConfig) -> tuple[Tables, tuple[Sentence, ...]]:
    """The tables with the columns that others could fill, and a sentence for each.

    A column is filled only where it is missing altogether: what an export says stands.
    """
    tables, notes = dict(tables), list[Sentence]()
    for step in (_tickets_from_events, _surveys_from_tickets):
        notes.extend(step(tables, config))
    return tables, tuple(notes)


def _lacks(table: pa.Table, column: str) -> bool:
    return column not in table.column_names or table.column(column).null_count == len(table)


def tickets_of_cases(tables: Tables, config: IntakeConfig) -> tuple[Tables, tuple[Sentence, ...]]:
    """The tables with one ticket per case, where the exports have events and no tickets; and a sentence that says so.

    A case opens with its first event. Who resolved it first is its agent; of an unresolved case, who had it last.
    Nothing is made unless the study declares which activities resolve: no KPI of a ticket could use it.
    """
    events = tables.get("events")
    if "tickets" in tables or events is None or not config.resolved:
        return tables, ()
    log = _in_order(events)
    cases = log.groupby("case_id")
    columns: dict[str, pd.Series] = {"opened_at": cases["at"].first(), **_solves(log, config)}
    for column, source in (("agent_id", "resource"), ("team", "team")):
        if source in log:
            solver = log[log["activity"].isin(config.resolved)].groupby("case_id")[source].first()
            columns[column] = solver.reindex(columns["opened_at"].index).fillna(cases[source].last())
    made = pd.DataFrame(columns).rename_axis("ticket_id").reset_index()
    kinds = [(c, pa.timestamp("us") if c.endswith("_at") else pa.string()) for c in made.columns]
    table = pa.Table.from_pandas(made, schema=pa.schema(kinds), preserve_index=False)
    return {**tables, "tickets": table}, (Sentence("intake.cases_as_tickets", {"n": len(table)}),)


def _in_order(events: pa.Table) -> pd.DataFrame:
    """The events of known cases and times, as they followed each other."""
    wanted = ("case_id", "activity", "at", "order_no", "resource", "team")
    columns = [name for name in wanted if name in events.column_names]
    log: pd.DataFrame = events.select(columns).to_pandas().dropna(subset=["case_id", "at"])
    return log.sort_values([name for name in ("at", "order_no") if name in columns], kind="stable", ignore_index=True)


def _tickets_from_events(tables: Tables, config: IntakeConfig) -> list[Sentence]:
    tickets, events = tables.get("tickets"), tables.get("events")
    if tickets is None or events is None or not {"case_id", "activity", "at"} <= set(events.column_names):
        return []
    log = _in_order(events)
    made = _solves(log, config)
    if "resource" in log:
        made["first_assigned_at"] = log[log["resource"].notna()].groupby("case_id")["at"].first()
    return [
        _fill(tables, "tickets", "ticket_id", column, found, "events")
        for column, found in made.items()
        if _lacks(tickets, column) and len(found)
    ]


def _solves(log: pd.DataFrame, config: IntakeConfig) -> dict[str, pd.Series]:
    """First solve, first reopening after it and last close of each case."""
    if not config.resolved:
        return {}
    solves = log[log["activity"].isin(config.resolved)]
    first_solved = solves.groupby("case_id")["at"].first()
    quiet = config.resolved | config.closed | config.after
    place = pd.Series(solves.index, index=solves["case_id"]).groupby(level=0).first()
    later = log[~log["activity"].isin(quiet) & (log.index > log["case_id"].map(place))]
    made = {"first_solved_at": first_solved, "reopened_at": later.groupby("case_id")["at"].first()}
    if config.closed:
        made["closed_at"] = log[log["activity"].isin(config.closed)].groupby("case_id")["at"].last()
    return made


def _surveys_from_tickets(tables: Tables, config: IntakeConfig) -> list[Sentence]:
    surveys, tickets = tables.get("surveys"), tables.get("tickets")
    if surveys is None or tickets is None or _lacks(surveys, "ticket_id"):
        return []
    known = [name for name in _FROM_TICKET if not _lacks(tickets, name) and _lacks(surveys, name)]
    frame = tickets.select(["ticket_id", *known]).to_pandas().drop_duplicates("ticket_id").set_index("ticket_id")
    return [_fill(tables, "surveys", "ticket_id", column, frame[column], "tickets") for column in known]


def _fill(tables: Tables, table: str, key: str, column: str, found: pd.Series, source: str) -> Sentence:
    """Put `found` (by key) into a column of `table`."""
    target = tables[table]
    values = target.column(key).to_pandas().map(found)
    kind = pa.timestamp("us") if column.endswith("_at") else pa.string()
    array = pa.Array.from_pandas(values.astype(object).where(values.notna(), None), type=kind)
    at = target.column_names.index(column) if column in target.column_names else None
    tables[table] = target.append_column(column, array) if at is None else target.set_column(at, column, array)
    n = int(np.sum(values.notna()))
    return Sentence("intake.derived", {"column": f"{table}.{column}", "source": source, "n": n})
