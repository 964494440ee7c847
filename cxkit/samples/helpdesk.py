"""What the help desk knows at the moment of the export: every ticket as it stands, every number its reports carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxkit.samples.plan import Bools, Ints, stream
from cxkit.samples.service import Sample
from cxkit.samples.tickets import (
    ASSIGNED,
    CLOSED,
    ESCALATED,
    HOLD,
    MERGED,
    NEVER,
    NEW,
    REOPENED,
    SOLVED,
    SPAMMED,
    TRANSFERRED,
    WAITING,
    WORKING,
    Steps,
)
from cxkit.samples.world import NOBODY

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
RATINGS = ("unoffered", "offered", "good", "bad")
_STATUS_OF = {
    NEW: 0,
    ASSIGNED: 1,
    WORKING: 1,
    TRANSFERRED: 1,
    ESCALATED: 1,
    REOPENED: 1,
    WAITING: 2,
    HOLD: 3,
    SOLVED: 4,
    CLOSED: 5,
    MERGED: 5,
    SPAMMED: 5,
}
_HANDED = (ASSIGNED, TRANSFERRED, ESCALATED)
_REQUESTER_WAITS = (NEW, ASSIGNED, WORKING, TRANSFERRED, ESCALATED, REOPENED, HOLD)


@dataclass(frozen=True, eq=False)
class Waited:
    """Whole minutes, on the clock and while the service was open; NEVER where there is nothing to report yet."""

    clock: Ints
    working: Ints


@dataclass(frozen=True, eq=False)
class HelpDesk:
    """The tickets as at `as_of`, in the order of the sample; minutes since 1970, NEVER where it has not happened."""

    steps: Steps  # what has been logged so far
    order: Ints  # place of each step within its ticket
    status: Ints  # position in STATUSES
    agent: Ints  # NOBODY while nobody owns it
    group: Ints
    updated: Ints
    assigned: Ints  # latest
    first_assigned: Ints
    replied: Ints
    first_solved: Ints
    solved: Ints  # latest, NEVER while it is open
    closed: Ints
    reopened: Ints  # first time
    reopens: Ints
    replies: Ints
    agent_stations: Ints
    group_stations: Ints
    escalated: Bools
    priority: Ints  # as it stands
    touch: Ints  # seconds of work so far, as the timer has it; NEVER where nobody started it
    rating: Ints  # position in RATINGS
    first_reply: Waited
    first_resolution: Waited
    full_resolution: Waited
    agent_wait: Waited
    requester_wait: Waited
    on_hold: Waited


def seen_at(sample: Sample) -> HelpDesk:
    """The help desk at the end of the window; what happens later is not known to it."""
    n, end, lives, opened = len(sample.tickets), sample.end, sample.lives, sample.tickets.opened
    steps = sample.steps.rows(sample.steps.at < end)
    ticket = steps.ticket
    first = np.searchsorted(ticket, np.arange(n))
    last = np.searchsorted(ticket, np.arange(n), side="right") - 1

    def count(rows: Bools) -> Ints:
        return np.bincount(ticket[rows], minlength=n).astype(np.int64)

    def latest(rows: Bools, values: Ints, otherwise: Ints | int) -> Ints:
        found = np.full(n, otherwise) if isinstance(otherwise, int) else otherwise.copy()
        found[ticket[rows]] = values[rows]  # later steps overwrite earlier ones
        return found

    def until(at: Ints) -> Ints:
        return np.where(at < end, at, NEVER)

    def waited(to: Ints) -> Waited:
        seen = to < end
        working = sample.clock.between(opened, np.where(seen, to, opened))
        return Waited(np.where(seen, to - opened, NEVER), np.where(seen, working, NEVER))

    status = np.array([_STATUS_OF[a] for a in range(len(_STATUS_OF))])[steps.activity[last]]
    handed = np.isin(steps.activity, _HANDED)
    agent = latest(handed | np.isin(steps.activity, (SPAMMED, MERGED)), steps.who, NOBODY)
    over = np.isin(status, (4, 5))
    solved = np.where(over, latest(steps.activity == SOLVED, steps.at, NEVER), NEVER)
    solved = np.where(over & (solved == NEVER), steps.at[last], solved)  # spam and duplicates end without a solution
    group = np.where(agent == NOBODY, NOBODY, sample.agents.group[agent])
    spans = _spans(sample, steps)
    return HelpDesk(
        steps=steps,
        order=np.arange(len(ticket)) - first[ticket] + 1,
        status=status,
        agent=agent,
        group=group,
        updated=steps.at[last],
        assigned=latest(handed, steps.at, NEVER),
        first_assigned=until(lives.assigned),
        replied=until(lives.replied),
        first_solved=until(lives.first_solved),
        solved=solved,
        closed=until(lives.closed),
        reopened=until(lives.reopened),
        reopens=count(steps.activity == REOPENED),
        replies=count(steps.public),
        agent_stations=count(handed),
        group_stations=np.where(agent == NOBODY, 0, 1 + count(steps.activity == ESCALATED)),
        escalated=count(steps.activity == ESCALATED) > 0,
        priority=_priorities(sample),
        touch=_timers(sample),
        rating=_ratings(sample, solved),
        first_reply=waited(lives.replied),
        first_resolution=waited(lives.first_solved),
        full_resolution=waited(solved),
        agent_wait=_in_state(steps, spans, (WAITING,), n),
        requester_wait=_in_state(steps, spans, _REQUESTER_WAITS, n),
        on_hold=_in_state(steps, spans, (HOLD,), n),
    )


def _spans(sample: Sample, steps: Steps) -> Waited:
    """How long each step lasted, up to the next one or to the export."""
    following = np.append(steps.at[1:], sample.end)
    following[np.append(steps.ticket[1:] != steps.ticket[:-1], True)] = sample.end
    return Waited(following - steps.at, sample.clock.between(steps.at, following))


def _in_state(steps: Steps, spans: Waited, activities: tuple[int, ...], n: int) -> Waited:
    rows = np.isin(steps.activity, activities)
    clock, working = (
        np.bincount(steps.ticket[rows], weights=span[rows], minlength=n).astype(np.int64)
        for span in (spans.clock, spans.working)
    )
    return Waited(clock, working)


def _priorities(sample: Sample) -> Ints:
    given = sample.priorities.rows(sample.priorities.at < sample.end)
    found = np.zeros(len(sample.tickets), dtype=np.int64)
    found[given.ticket] = given.priority  # later ones overwrite earlier ones
    return found


def _timers(sample: Sample) -> Ints:
    """What the timer shows; on a few tickets nobody started it, on fewer nobody stopped it."""
    part, rng, n = sample.plan["work"], stream(sample.seed, "timers"), len(sample.tickets)
    past = sample.steps.at < sample.end
    work = np.bincount(sample.steps.ticket[past], weights=sample.work[past], minlength=n).astype(np.int64)
    forgotten = rng.random(n) < part["left_running"]
    work += np.where(forgotten, 3600 * part["left_running_hours"] + rng.integers(-3600, 3600, n), 0)
    return np.where((work == 0) | (rng.random(n) < part["not_timed"]), NEVER, work)


def _ratings(sample: Sample, solved: Ints) -> Ints:
    """Thumbs inside chat and social tickets; nobody else is asked there."""
    rng, part = stream(sample.seed, "ratings"), sample.plan["survey"]
    asked = np.isin(sample.tickets.channel, (3, 4)) & sample.of_kind("customer") & (solved < NEVER)
    answered = rng.random(len(asked)) < part["rated_in_chat"]
    thumb = np.where(sample.scores.csat >= 4, RATINGS.index("good"), RATINGS.index("bad"))
    return np.where(asked, np.where(answered, thumb, RATINGS.index("offered")), RATINGS.index("unoffered"))
