"""The sample service as it really was: complete lives, complete opinions, every call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from cxkit.samples.calls import Calls, Waits, make_calls, patient_waits
from cxkit.samples.changes import under
from cxkit.samples.clock import ServiceClock, days_of
from cxkit.samples.plan import CHANNELS, MINUTES_A_DAY, Bools, Ints, Table, log_normal, plan, stream
from cxkit.samples.surveys import Scores, Surveys, make_scores, make_surveys
from cxkit.samples.tickets import Lives, Steps, live
from cxkit.samples.work import FirstContact, Priorities, make_first_contact, make_priorities, make_work
from cxkit.samples.world import (
    KINDS,
    NOBODY,
    Agents,
    Customers,
    Openings,
    day_number,
    joined,
    make_agents,
    make_customers,
    make_openings,
)

Rows = TypeVar("Rows", Lives, Waits)


@dataclass(frozen=True, eq=False)
class Sample:
    """Everything that happened, seen or not; tickets by time of opening."""

    plan: Table
    seed: int
    start: int  # local minutes since 1970
    end: int  # as_of, local minutes since 1970
    clock: ServiceClock
    agents: Agents
    customers: Customers
    tickets: Openings
    lives: Lives
    steps: Steps
    waits: Waits
    scores: Scores
    surveys: Surveys
    calls: Calls
    work: Ints  # seconds, one entry a step
    priorities: Priorities
    first_contact: FirstContact

    def of_kind(self, name: str) -> Bools:
        """Tickets of one kind: customer, spam, merged, test, outbound."""
        return np.asarray(self.tickets.kind == KINDS.index(name))

    def under(self, change: str) -> Bools:
        """Tickets that came in under one of the changes of the plan."""
        return under(self.plan, self.tickets, change)


def simulate(seed: int = 20260701, tickets: int = 20_000) -> Sample:
    """The service with about `tickets` tickets, drawn from the plan; the same seed gives the same service."""
    table = plan()
    days = days_of(table)
    clock = ServiceClock.of(days)
    agents = make_agents(table, stream(seed, "agents"))
    customers = make_customers(table, tickets, days, stream(seed, "customers"))
    start = MINUTES_A_DAY * day_number(table["window"]["first_on"])
    end = MINUTES_A_DAY * (day_number(table["window"]["last_on"]) + 1)

    def lived(part: Openings, name: str) -> tuple[Lives, Steps, Waits]:
        waits = patient_waits(table, part.opened, stream(seed, f"waits {name}"))
        return *live(table, part, agents, customers, clock, waits.minutes(), stream(seed, f"lives {name}")), waits

    first = _with_duplicates(table, make_openings(table, tickets, days, customers, stream(seed, "openings")), end, seed)
    lives, steps, waits = lived(first, "first")
    more = _follow_ups(table, first, lives, end, stream(seed, "follow-ups"))
    lives_more, steps_more, waits_more = lived(more, "follow-ups")
    everything = joined([first, more])
    order = np.argsort(everything.opened, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    everything = everything.rows(order)
    related = np.where(everything.follows == NOBODY, NOBODY, place[everything.follows])
    everything = Openings(**{**vars(everything), "follows": related})
    all_lives = _ordered(lives, lives_more, order)
    all_steps = _ordered_steps(steps, steps_more, len(first), place)
    all_waits = _ordered(waits, waits_more, order)
    scores = make_scores(table, everything, all_lives, agents, customers, stream(seed, "scores"))
    calls = make_calls(table, everything, all_lives, all_waits, agents, customers, seed)
    first_contact = make_first_contact(table, everything, all_lives, all_steps, seed)
    return Sample(
        plan=table,
        seed=seed,
        start=start,
        end=end,
        clock=clock,
        agents=agents,
        customers=customers,
        tickets=everything,
        lives=all_lives,
        steps=all_steps,
        waits=all_waits,
        scores=scores,
        surveys=make_surveys(table, everything, all_lives, scores, first_contact, stream(seed, "surveys")),
        calls=calls,
        work=make_work(table, everything, all_steps, agents, calls, seed),
        priorities=make_priorities(table, everything, all_steps, seed),
        first_contact=first_contact,
    )


def _ordered(first: Rows, more: Rows, order: Ints) -> Rows:
    columns = (np.concatenate((getattr(first, f.name), getattr(more, f.name)))[order] for f in fields(first))
    return type(first)(*columns)


def _ordered_steps(first: Steps, more: Steps, offset: int, place: Ints) -> Steps:
    together = Steps(*(np.concatenate((getattr(first, f.name), getattr(more, f.name))) for f in fields(first)))
    ticket = together.ticket.copy()
    ticket[len(first.ticket) :] += offset
    moved = Steps(**{**vars(together), "ticket": place[ticket]})
    return moved.rows(np.argsort(moved.ticket, kind="stable"))


def _with_duplicates(table: Table, found: Openings, end: int, seed: int) -> Openings:
    """Tickets that will be merged are second messages: same customer and topic as another ticket, soon after it."""
    rng = stream(seed, "duplicates")
    twice = np.flatnonzero(found.kind == KINDS.index("merged"))
    real = np.flatnonzero(found.kind == KINDS.index("customer"))
    target = real[rng.integers(0, len(real), len(twice))]
    columns = {f.name: getattr(found, f.name).copy() for f in fields(found)}
    for name in ("customer", "language", "topic"):
        columns[name][twice] = columns[name][target]
    later = np.ceil(60 * rng.exponential(4.0, len(twice))).astype(np.int64)
    columns["opened"][twice] = np.minimum(found.opened[target] + later, end - 1)
    columns["follows"][twice] = target
    order = np.argsort(columns["opened"], kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    columns["follows"] = np.where(columns["follows"] == NOBODY, NOBODY, place[columns["follows"]])
    return Openings(**columns).rows(order)


def _follow_ups(table: Table, first: Openings, lives: Lives, end: int, rng: np.random.Generator) -> Openings:
    """New tickets about closed ones: a closed ticket cannot be reopened."""
    closed = first.kind == KINDS.index("customer")
    earlier = np.flatnonzero(closed & (rng.random(len(first)) < table["kinds"]["follow_up"]))
    days = log_normal(rng, table["kinds"]["follow_up_days"], len(earlier))
    opened = lives.closed[earlier] + np.ceil(MINUTES_A_DAY * days).astype(np.int64)
    earlier, opened = earlier[opened < end], opened[opened < end]
    again = first.rows(earlier)
    staffed = np.isin(again.channel, [CHANNELS.index(name) for name in table["channels"]["staffed"]])
    columns = {**vars(again), "opened": opened, "follows": earlier}
    columns["channel"] = np.where(staffed, CHANNELS.index("email"), again.channel)
    return Openings(**columns)
