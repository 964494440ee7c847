"""How long people worked on each ticket, which priority it had when, and whether the first contact was enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cxkit.samples.calls import Calls
from cxkit.samples.changes import effect
from cxkit.samples.plan import CHANNELS, Bools, Ints, Rows, Table, column, stream
from cxkit.samples.tickets import ESCALATED, HOLD, REOPENED, WORKING, Lives, Steps
from cxkit.samples.world import KINDS, NOBODY, Agents, Openings


def make_work(plan: Table, tickets: Openings, steps: Steps, agents: Agents, calls: Calls, seed: int) -> Ints:
    """Seconds of work in each step; the first of a phone ticket is the call with what the agent wrote after it."""
    part, rng = plan["work"], stream(seed, "work")
    rows = np.flatnonzero(steps.activity == WORKING)
    ticket = steps.ticket[rows]
    agent_sd = part["sigma"] * math.sqrt(part["icc_agent"] / (1 - part["icc_agent"]))
    topic = column(plan["topics"], tuple(plan["topics"]), "handling")[tickets.topic[ticket]]
    noise = part["sigma"] * rng.standard_normal(len(rows)) + agent_sd * agents.talk[steps.who[rows]]
    minutes = column(part["median"], CHANNELS)[tickets.channel[ticket]] * np.exp(noise + part["topic"] * topic)
    work = np.zeros(len(steps.ticket), dtype=np.int64)
    work[rows] = np.ceil(60 * minutes * effect(plan, tickets, "touch_factor")[ticket]).astype(np.int64)
    own = calls.ticket != NOBODY
    begun, first = np.unique(ticket, return_index=True)
    of_call = rows[first[np.searchsorted(begun, calls.ticket[own])]]
    work[of_call] = calls.talk[own] + calls.wrap[own]
    return work


@dataclass(frozen=True, eq=False)
class Priorities(Rows):
    """The priority that each ticket got, and when: one row at its opening, one for each time it was raised."""

    ticket: Ints
    at: Ints
    priority: Ints


def make_priorities(plan: Table, tickets: Openings, steps: Steps, seed: int) -> Priorities:
    """Raised by one where a ticket was escalated or came back, as often as the plan says; by ticket and time."""
    part, rng = plan["priority_raises"], stream(seed, "priorities")
    chance = np.select([steps.activity == ESCALATED, steps.activity == REOPENED], [part["escalated"], part["reopened"]])
    raised = (rng.random(len(steps.ticket)) < chance) & (tickets.kind[steps.ticket] == KINDS.index("customer"))
    ticket, at = steps.ticket[raised], steps.at[raised]
    before = np.searchsorted(ticket, ticket)  # the first raise of the same ticket
    level = tickets.priority[ticket] + 1 + np.arange(len(ticket)) - before
    known = level < len(plan["priorities"])
    every = np.arange(len(tickets))
    found = Priorities(
        np.concatenate((every, ticket[known])),
        np.concatenate((tickets.opened, at[known])),
        np.concatenate((tickets.priority, level[known])),
    )
    return found.rows(np.argsort(found.ticket, kind="stable"))


@dataclass(frozen=True, eq=False)
class FirstContact:
    """Whether the first contact was enough, ticket by ticket: in truth, in the agent's words and in the customer's."""

    solved: Bools  # at the first contact, and nobody came back but to say thank you
    possible: Bools  # no carrier, bank or higher tier was needed
    agent_says: Bools
    customer_says: Bools


def make_first_contact(plan: Table, tickets: Openings, lives: Lives, steps: Steps, seed: int) -> FirstContact:
    """What was true, and who says so; agents say yes more often than it is true."""
    part, rng, n = plan["first_contact"], stream(seed, "first contact"), len(tickets)
    followed = np.zeros(n, dtype=bool)
    followed[tickets.follows[(tickets.follows != NOBODY) & (tickets.kind == KINDS.index("customer"))]] = True
    solved = lives.contact_solved & (lives.reopens <= lives.thanked) & ~followed
    held = np.bincount(steps.ticket[steps.activity == HOLD], minlength=n) > 0

    def said(who: str) -> Bools:
        yes = np.where(solved, part[who]["where_true"], part[who]["where_false"])
        return np.asarray(rng.random(n) < yes)

    return FirstContact(solved, ~held & (lives.escalations == 0), said("agent_yes"), said("customer_yes"))
