"""The whole life of every ticket, from opening to closing, as if nobody ever stopped watching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cxkit.samples.changes import effect
from cxkit.samples.clock import ServiceClock
from cxkit.samples.plan import (
    CHANNELS,
    Bools,
    Floats,
    Ints,
    Rows,
    Table,
    cluster_sd,
    column,
    log_normal,
    logistic,
    phrases,
    slow_tail,
    slow_tail_variance,
)
from cxkit.samples.world import KINDS, NOBODY, Agents, Customers, Desk, Openings

ACTIVITIES = (
    "New",
    "Assigned",
    "In progress",
    "Waiting for customer",
    "On hold",
    "Transferred",
    "Escalated",
    "Solved",
    "Reopened",
    "Closed",
    "Merged",
    "Marked as spam",
)
NEW, ASSIGNED, WORKING, WAITING, HOLD, TRANSFERRED, ESCALATED, SOLVED, REOPENED, CLOSED, MERGED, SPAMMED = range(12)
CUSTOMER, SYSTEM = -1, -2  # who acted, beside the agents
NEVER = 2**40
Step = Callable[[Bools], None]


@dataclass(frozen=True, eq=False)
class Lives:
    """What became of every ticket in the end; minutes since 1970, NEVER where it did not happen."""

    assigned: Ints
    replied: Ints
    replied_without: Ints  # had the process not been changed
    first_solved: Ints
    last_solved: Ints
    closed: Ints
    reopened: Ints  # first time
    reopens: Ints
    escalations: Ints
    contact_solved: Bools
    thanked: Bools  # the first reopening was only a thank you
    back_logit: Floats  # of a first reopening
    back_logit_without: Floats  # had the process not been changed
    reply_noise: Floats  # log working time to the first reply, given channel and priority, in standard deviations
    handling_noise: Floats  # log handling time, given channel, priority and topic
    reply_work: Floats  # working minutes to the first reply, as it was
    first_agent: Ints
    last_agent: Ints


@dataclass(frozen=True, eq=False)
class Steps(Rows):
    """The change log: one row a step, in order within each ticket."""

    ticket: Ints
    activity: Ints
    at: Ints
    who: Ints  # agent, CUSTOMER or SYSTEM
    public: Bools  # the step carried an agent's public reply


class _Course:
    """Takes a batch of tickets through the service, step by step."""

    def __init__(
        self,
        plan: Table,
        tickets: Openings,
        agents: Agents,
        customers: Customers,
        clock: ServiceClock,
        phone_minutes: Ints,
        rng: np.random.Generator,
    ) -> None:
        self.plan, self.tickets, self.agents, self.customers = plan, tickets, agents, customers
        self.clock, self.rng, self.desk = clock, rng, Desk(agents, rng)
        self.phone_minutes = phone_minutes
        self.n = len(tickets)
        self.log: list[tuple[Ints, int, Ints, Ints, Bools]] = []
        self.now = tickets.opened.copy()
        groups = phrases()["groups"]["of_channel"]
        self.group = np.array([agents.groups.index(groups[name]) for name in CHANNELS])[tickets.channel]
        self.agent = self.desk.assign(self.group, tickets.language, tickets.opened)
        self.first_agent = self.agent.copy()

    def of_kind(self, name: str) -> Bools:
        return np.asarray(self.tickets.kind == KINDS.index(name))

    def note(self, rows: Bools, activity: int, at: Ints, who: Ints | int, public: bool | Bools = False) -> None:
        """Write a step of the chosen tickets into the log; arrays are as long as the batch."""
        chosen = np.flatnonzero(rows)
        people = who[chosen] if isinstance(who, np.ndarray) else np.full(len(chosen), who, dtype=np.int64)
        spoken = public[chosen] if isinstance(public, np.ndarray) else np.full(len(chosen), public)
        self.log.append((chosen, activity, at[chosen], people, spoken))

    def work(self, rows: Bools, minutes: Floats) -> None:
        """Let working minutes pass for the chosen tickets; `minutes` is as long as the batch."""
        self.now[rows] = self.clock.after(self.now[rows], minutes[rows])

    def effects(self, part: str) -> tuple[Floats, Floats]:
        """Log effects of agent and customer plus the slow tail: as they are, and in standard deviations."""
        writer = self.tickets.customer
        of_customer = np.where(writer == NOBODY, 0.0, getattr(self.customers, _EFFECT[part])[writer])
        noise = (
            getattr(self.agents, _EFFECT[part])[self.agent] + of_customer + slow_tail(self.rng, self.plan[part], self.n)
        )
        variance = slow_tail_variance(self.plan[part])
        total = variance + sum(cluster_sd(self.plan[part], variance, who) ** 2 for who in ("agent", "customer"))
        return noise, noise / np.sqrt(total)

    # --- the first reply ---

    def answer(self) -> None:
        """Triage and the first public reply of a person."""
        part, tickets = self.plan["first_reply"], self.tickets
        noise, self.reply_noise = self.effects("first_reply")
        median = np.array([part["median"].get(name, 1.0) for name in CHANNELS])[tickets.channel]
        urgency = column(self.plan["priorities"], tuple(self.plan["priorities"]), "first_reply")[tickets.priority]
        without = median * np.exp(noise + urgency)
        self.reply_work = effect(self.plan, tickets, "first_reply_factor") * without
        owned = self.rng.beta(part["assigned_at"]["a"], part["assigned_at"]["b"], self.n) * self.reply_work
        self.assigned = self.clock.after(tickets.opened, owned)
        self.replied = self.clock.after(tickets.opened, self.reply_work)
        self.replied_without = self.clock.after(tickets.opened, without)
        on_phone = tickets.channel == CHANNELS.index("phone")
        for name, at in (("assigned", 0), ("replied", 1), ("replied_without", 1)):
            known = np.where(on_phone, tickets.opened + at * self.phone_minutes, getattr(self, name))
            setattr(self, name, np.where(self.of_kind("outbound"), tickets.opened, known))
        lived = ~(self.of_kind("spam") | self.of_kind("merged"))
        self.note(
            np.ones(self.n, dtype=bool), NEW, tickets.opened, np.where(self.of_kind("outbound"), self.agent, CUSTOMER)
        )
        self.note(lived, ASSIGNED, self.assigned, self.agent)
        self.note(lived, WORKING, self.replied, self.agent, public=True)
        self.now = self.replied_without.copy()

    # --- the work ---

    def handle(self) -> None:
        """Work, questions to the customer, transfers, escalations and holds, up to the first solution."""
        part, tickets, rng = self.plan["handling"], self.tickets, self.rng
        noise, self.handling_noise = self.effects("handling")
        by_channel = column(part["median"], CHANNELS)[tickets.channel]
        topics, priorities = self.plan["topics"], self.plan["priorities"]
        self.topic_effect = {
            name: column(topics, tuple(topics), name)[tickets.topic] for name in ("handling", "escalation", "reopening")
        }
        urgency = column(priorities, tuple(priorities), "handling")[tickets.priority]
        total = by_channel * np.exp(noise + urgency + self.topic_effect["handling"])
        in_contact = rng.random(self.n) < column(part["contact_solved"], CHANNELS)[tickets.channel]
        self.contact_solved = in_contact | self.of_kind("test")
        detours = self.detours()
        pieces = rng.exponential(1.0, (len(detours) + 1, self.n))
        pieces[:-1] *= np.array([rows for rows, _ in detours])
        pieces /= pieces.sum(axis=0)
        for (rows, step), piece in zip(detours, pieces, strict=False):
            self.work(rows, total * piece)
            step(rows)
        contact = np.ceil(rng.exponential(part["contact_minutes"], self.n))
        self.work(~self.contact_solved, total * pieces[-1])
        self.now = np.where(self.contact_solved, self.now + contact.astype(np.int64), self.now)

    def detours(self) -> list[tuple[Bools, Step]]:
        """Which tickets take which detour, in the order in which they are taken."""
        part, rng = self.plan["detours"], self.rng
        longer = ~(self.contact_solved | self.of_kind("spam") | self.of_kind("merged"))
        rounds = np.minimum(rng.poisson(part["waiting_mean"], self.n), 3)
        topic = self.topic_effect["escalation"]
        second = longer & (rng.random(self.n) < logistic(part["escalation_logit"] + topic))
        third = second & (rng.random(self.n) < logistic(part["escalation_again_logit"] + topic))
        self.escalations = second.astype(np.int64) + third
        return [
            (longer & (rounds >= 1), self.ask),
            (longer & (rng.random(self.n) < part["transfer"]), self.transfer),
            (longer & (rounds >= 2), self.ask),
            (second, lambda rows: self.escalate(rows, "Product support")),
            (longer & (rounds >= 3), self.ask),
            (longer & (rng.random(self.n) < part["hold"]), self.hold),
            (third, lambda rows: self.escalate(rows, "Specialists")),
        ]

    def resume(self, rows: Bools, minutes: Floats) -> None:
        self.work(rows, minutes)
        self.note(rows, WORKING, self.now, self.agent)

    def drawn(self, name: str) -> Floats:
        return log_normal(self.rng, self.plan["detours"][name], self.n)

    def ask(self, rows: Bools) -> None:
        """A question to the customer, and the wait for the answer."""
        self.note(rows, WAITING, self.now, self.agent, public=True)
        self.now[rows] += np.ceil(60 * self.drawn("waiting_hours")[rows]).astype(np.int64)
        self.resume(rows, self.drawn("pickup_minutes"))

    def hold(self, rows: Bools) -> None:
        """A wait for the carrier or the bank."""
        self.note(rows, HOLD, self.now, self.agent)
        self.now[rows] += np.ceil(60 * self.drawn("hold_hours")[rows]).astype(np.int64)
        self.resume(rows, self.drawn("pickup_minutes"))

    def transfer(self, rows: Bools) -> None:
        """To a colleague of the same group."""
        for _ in range(4):
            again = rows & (self.agent == self.first_agent)
            self.agent = np.where(again, self.desk.assign(self.group, *self._who()), self.agent)
        self.note(rows, TRANSFERRED, self.now, self.agent)
        self.resume(rows, self.drawn("transfer_minutes"))

    def escalate(self, rows: Bools, group: str) -> None:
        """To the next tier."""
        self.group = np.where(rows, self.agents.groups.index(group), self.group)
        self.agent = np.where(rows, self.desk.assign(self.group, *self._who()), self.agent)
        self.note(rows, ESCALATED, self.now, self.agent)
        self.resume(rows, self.drawn("escalation_minutes"))

    def _who(self) -> tuple[Ints, Ints]:
        return self.tickets.language, self.tickets.opened

    # --- the end ---

    def finish(self) -> Lives:
        """Solve, reopen, solve again, and close."""
        part, rng, lived = self.plan["reopening"], self.rng, ~(self.of_kind("spam") | self.of_kind("merged"))
        self.note(lived, SOLVED, self.now, self.agent, public=~self.contact_solved)
        first_solved, reopened, reopens = self.now.copy(), np.full(self.n, NEVER), np.zeros(self.n, dtype=np.int64)
        thanked = np.zeros(self.n, dtype=bool)
        logit = part["logit"] + self.topic_effect["reopening"] + self.agents.reopening[self.agent]
        without = logit + part["fast_logit"] * self.contact_solved
        back_logit = without + effect(self.plan, self.tickets, "reopening_logit")
        chance = logistic(back_logit)
        back = lived & ~self.of_kind("test")
        for again in range(part["at_most"]):
            back = back & (rng.random(self.n) < chance * part["again"] ** again)
            reopens += back
            grateful = self.reopen(back)
            thanked |= back & grateful & (again == 0)
            reopened = np.where(back & (reopened == NEVER), self.back_at, reopened)
        closed = self.close(lived)
        ended = np.where(lived, self.now, closed)  # spam and merged tickets end without a solution
        return Lives(
            assigned=np.where(lived, self.assigned, NEVER),
            replied=np.where(lived, self.replied, NEVER),
            replied_without=np.where(lived, self.replied_without, NEVER),
            first_solved=np.where(lived, first_solved, ended),
            last_solved=ended,
            closed=closed,
            reopened=reopened,
            reopens=reopens,
            escalations=self.escalations,
            contact_solved=self.contact_solved,
            thanked=thanked,
            back_logit=back_logit,
            back_logit_without=without,
            reply_noise=self.reply_noise,
            handling_noise=self.handling_noise,
            reply_work=self.reply_work,
            first_agent=self.first_agent,
            last_agent=self.agent,
        )

    def reopen(self, back: Bools) -> Bools:
        """The customer writes again; whether only to say thank you."""
        part, rng = self.plan["reopening"], self.rng
        latest = self.plan["closing"]["after_hours"] - 1.0
        hours = log_normal(rng, part["after_hours"], self.n)
        hours = np.where(hours < latest, hours, latest * rng.random(self.n))
        self.now[back] += np.ceil(60 * hours[back]).astype(np.int64) + 1
        self.back_at = self.now.copy()
        self.note(back, REOPENED, self.now, CUSTOMER)
        thanks = rng.random(self.n) < part["thanks_share"]
        work = log_normal(rng, part["work_minutes"], self.n)
        begun = rng.random(self.n)
        self.work(back, np.where(thanks, 5.0, begun * work))
        self.note(back, WORKING, self.now, self.agent)
        self.work(back, np.where(thanks, 2.0, (1 - begun) * work))
        self.note(back, SOLVED, self.now, self.agent, public=~thanks)
        return np.asarray(thanks)

    def close(self, lived: Bools) -> Ints:
        """Solved tickets close by themselves, at the full hour; spam and duplicates are put away by an agent."""
        due = self.now + 60 * self.plan["closing"]["after_hours"]
        by_itself = (due + 59) // 60 * 60
        by_hand = self.clock.after(self.tickets.opened, 90 * self.rng.exponential(1.0, self.n))
        closed = np.where(lived, by_itself, by_hand)
        self.note(lived, CLOSED, closed, SYSTEM)
        self.note(self.of_kind("spam"), SPAMMED, closed, self.agent)
        self.note(self.of_kind("merged"), MERGED, closed, self.agent)
        return closed

    def steps(self) -> Steps:
        """The log, ticket by ticket."""
        tickets = np.concatenate([part[0] for part in self.log])
        activity = np.concatenate([np.full(len(part[0]), part[1]) for part in self.log])
        at, who, public = (np.concatenate([part[i] for part in self.log]) for i in (2, 3, 4))
        return Steps(tickets, activity, at, who, public).rows(np.argsort(tickets, kind="stable"))


_EFFECT = {"first_reply": "reply", "handling": "handling"}


def live(
    plan: Table,
    tickets: Openings,
    agents: Agents,
    customers: Customers,
    clock: ServiceClock,
    phone_minutes: Ints,
    rng: np.random.Generator,
) -> tuple[Lives, Steps]:
    """The lives of `tickets` and every step of them.

    `phone_minutes` is the wait of the caller, in whole minutes, for tickets that began as a call.
    """
    course = _Course(plan, tickets, agents, customers, clock, phone_minutes, rng)
    course.answer()
    course.handle()
    return course.finish(), course.steps()
