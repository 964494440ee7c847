"""The phone queue: calls that became tickets, calls that did not, and callers who hung up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cxkit.samples.plan import CHANNELS, Bools, Floats, Ints, Rows, Table, log_normal, stream
from cxkit.samples.tickets import Lives
from cxkit.samples.world import NOBODY, Agents, Customers, Desk, Openings

OUTCOMES = ("answered", "abandoned", "self_service", "timed_out")
TIMEOUT_SECONDS = 900


@dataclass(frozen=True, eq=False)
class Waits:
    """When in its minute each call came in, and how long its caller waited (seconds)."""

    second: Ints
    wait: Ints

    def minutes(self) -> Ints:
        """Whole minutes from the minute of the call to the minute of the answer, at least one."""
        return np.asarray(np.maximum(1, -(-(self.second + self.wait) // 60)), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Calls(Rows):
    """One row a call, by time; seconds."""

    arrived: Ints  # local seconds since 1970
    ticket: Ints  # NOBODY when the call left no ticket
    customer: Ints
    wait: Ints
    talk: Ints  # 0 when not answered
    wrap: Ints  # writing after the call; 0 when not answered
    outcome: Ints  # position in OUTCOMES
    agent: Ints  # NOBODY when not answered
    rang: Bools  # rang with somebody else first
    transferred: Bools


def _is_peak(plan: Table, minute: Ints) -> Bools:
    return np.isin(minute // 60 % 24, plan["calls"]["peak_hours"])


def _factor(plan: Table, peak: Bools) -> Floats:
    return np.where(peak, plan["calls"]["peak_factor"], 1.0)


def patient_waits(plan: Table, minute: Ints, rng: np.random.Generator) -> Waits:
    """Waits of callers who were answered: the wait, given that it was not longer than their patience."""
    part, n = plan["calls"], len(minute)
    factor, wait, open_rows = _factor(plan, _is_peak(plan, minute)), np.zeros(n), np.arange(n)
    while len(open_rows):
        offered = log_normal(rng, part["wait"], len(open_rows)) * factor[open_rows]
        stayed = offered <= rng.exponential(part["patience_mean"], len(open_rows))
        wait[open_rows[stayed]] = offered[stayed]
        open_rows = open_rows[~stayed]
    return Waits(rng.integers(0, 60, n), np.ceil(wait).astype(np.int64))


def abandoned_share(plan: Table, peak: bool) -> float:
    """Planted probability that a caller hangs up first: E[1 - exp(-wait / mean patience)], by Gauss-Hermite."""
    part = plan["calls"]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    wait = part["wait"]["median"] * float(_factor(plan, np.array([peak]))[0]) * np.exp(part["wait"]["sigma"] * nodes)
    gone = -np.expm1(-wait / part["patience_mean"])
    return float((weights * gone).sum() / math.sqrt(2 * math.pi))


def _impatient(plan: Table, peak: Bools, rng: np.random.Generator) -> Ints:
    """Seconds until they hung up, of callers whose wait would have been longer than their patience."""
    part, n = plan["calls"], len(peak)
    factor, gone, open_rows = _factor(plan, peak), np.zeros(n), np.arange(n)
    while len(open_rows):
        patience = rng.exponential(part["patience_mean"], len(open_rows))
        left = log_normal(rng, part["wait"], len(open_rows)) * factor[open_rows] > patience
        gone[open_rows[left]] = patience[left]
        open_rows = open_rows[~left]
    return np.floor(gone).astype(np.int64)


def make_calls(
    plan: Table, tickets: Openings, lives: Lives, waits: Waits, agents: Agents, customers: Customers, seed: int
) -> Calls:
    """The answered call of every phone ticket, and the calls that left none."""
    part, rng = plan["calls"], stream(seed, "calls")
    ticket = np.flatnonzero(tickets.channel == CHANNELS.index("phone"))
    peak = _is_peak(plan, tickets.opened[ticket])
    extra = [_like(tickets, ticket, round(part["without_ticket"] * len(ticket)), rng)]
    for is_peak in (False, True):
        share = abandoned_share(plan, is_peak)
        answered = (1 + part["without_ticket"]) * (peak == is_peak).sum()
        extra.append(_like(tickets, ticket[peak == is_peak], round(share / (1 - share) * answered), rng))
    extra += [_like(tickets, ticket, round(part[name] * len(ticket)), rng) for name in ("left_by_key", "timed_out")]
    outcome = np.repeat([0, 0, 1, 1, 2, 3], [len(ticket), *(len(minute) for minute, _ in extra)])
    minute = np.concatenate([tickets.opened[ticket], *(m for m, _ in extra)])
    customer = np.concatenate([tickets.customer[ticket], *(c for _, c in extra)])
    n, own = len(minute), np.arange(len(minute)) < len(ticket)
    fresh = patient_waits(plan, minute, rng)
    second, wait = fresh.second, fresh.wait
    second[own], wait[own] = waits.second[ticket], waits.wait[ticket]
    wait[outcome == 1] = _impatient(plan, _is_peak(plan, minute[outcome == 1]), rng)
    wait[outcome == 2] = rng.integers(10, 60, (outcome == 2).sum())
    wait[outcome == 3] = TIMEOUT_SECONDS
    group = np.full(n, agents.groups.index("Live channels"))
    agent = Desk(agents, rng).assign(group, customers.language[customer], minute)
    agent[own] = lives.first_agent[ticket]
    agent_sd = part["talk"]["sigma"] * math.sqrt(part["talk_icc_agent"] / (1 - part["talk_icc_agent"]))
    talk = np.ceil(log_normal(rng, part["talk"], n) * np.exp(agent_sd * agents.talk[agent])).astype(np.int64)
    answered_now = outcome == 0
    found = Calls(
        arrived=60 * minute + second,
        ticket=np.where(own, np.concatenate([ticket, np.zeros(n - len(ticket), dtype=np.int64)]), NOBODY),
        customer=customer,
        wait=wait,
        talk=np.where(answered_now, talk, 0),
        wrap=np.zeros(n, dtype=np.int64),
        outcome=outcome,
        agent=np.where(answered_now, agent, NOBODY),
        rang=answered_now & (wait > 25) & (rng.random(n) < part["rang_elsewhere"]),
        transferred=answered_now & (rng.random(n) < part["transferred"]),
    )
    found = found.rows(np.argsort(found.arrived, kind="stable"))
    return replace(found, wrap=_wraps(part, found, stream(seed, "wraps")))


def _wraps(part: Table, calls: Calls, rng: np.random.Generator) -> Ints:
    """Seconds of writing after each answered call; it ends before the agent's next call begins or ends."""
    n = len(calls.arrived)
    wrap = np.ceil(log_normal(rng, part["wrap"], n)).astype(np.int64)
    wrap[(rng.random(n) < part["no_wrap"]) | (calls.agent == NOBODY)] = 0
    rows = np.flatnonzero(calls.agent != NOBODY)
    of, begun = calls.agent[rows] << 36, calls.arrived[rows] + calls.wait[rows]
    ended = of + begun + calls.talk[rows]
    moments = np.sort(np.concatenate((of + begun, ended)))
    following = np.append(moments, np.iinfo(np.int64).max)[np.searchsorted(moments, ended, side="right")]
    wrap[rows] = np.minimum(wrap[rows], following - ended - 1)
    return wrap


def _like(tickets: Openings, ticket: Ints, size: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Minute and caller of `size` more calls, in the same hours and by the same people as the given tickets' calls."""
    if not len(ticket):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    template = ticket[rng.integers(0, len(ticket), size)]
    return tickets.opened[template] // 60 * 60 + rng.integers(0, 60, size), tickets.customer[template]
