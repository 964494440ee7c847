"""A simulated service of known truth: tickets of agents and customers who differ, some still open when we look."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

AGENTS = 60
LOAD = 15.0  # tickets of a typical agent
HORIZON, WITHIN = 24.0, 12.0  # hours
WATCHED = (6.0, 60.0)  # hours from opening until we look
STAYS, CHANGES = 0.3, 0.3  # spread of agents' skill: what they keep, and what differs from side to side
_STEP = 0.5  # of the log of hours, by chance
_EASE = -0.9  # by ease


@dataclass(frozen=True)
class Side:
    """Tickets of one side."""

    agent: np.ndarray
    customer: np.ndarray
    hours: np.ndarray  # they take, or would take
    watched: np.ndarray  # hours from opening until we look
    score: np.ndarray  # answer from 0 to 10
    passed_on: np.ndarray  # to another agent

    @property
    def seen(self) -> np.ndarray:
        return np.minimum(self.hours, self.watched)

    @property
    def done(self) -> np.ndarray:
        return self.hours <= self.watched


def tickets(
    rng: np.random.Generator, skill: np.ndarray, agent: np.ndarray, customer: np.ndarray, moods: np.ndarray
) -> Side:
    """One ticket for each skill: a latent ease drives the time taken, the answer, and whether it is passed on."""
    n = len(skill)
    ease = skill + moods + rng.normal(size=n)
    return Side(
        agent,
        customer,
        np.exp(2.2 + _EASE * ease + _STEP * rng.normal(size=n)),
        rng.uniform(*WATCHED, n),
        np.clip(np.rint(8 + 2 * ease + rng.normal(size=n)), 0, 10),
        ease + rng.normal(size=n) < -1,
    )


def two_sides(rng: np.random.Generator, design: str, agents: int = AGENTS, lift: float = 0.0) -> tuple[Side, Side]:
    """Two sides between which nothing changed, unless the ease of the second is lifted.

    "rows": tickets are independent. "clusters": other agents on the other side. "crossed": the same agents, whose skill
    partly stays and partly changes. "two kinds": the same agents and the same customers. Agents' loads are uneven, as
    in every team. The spread of ease is the same in all of them.
    """
    size = np.maximum(rng.lognormal(math.log(LOAD), 0.5, (2, agents)).astype(int), 2)
    stays, changes = rng.normal(0, STAYS, agents), rng.normal(0, CHANGES, (2, agents))
    skill = changes * math.sqrt(STAYS**2 + CHANGES**2) / CHANGES if design == "clusters" else stays + changes
    customers = max(int(LOAD * agents / 4), 2)
    mood = rng.normal(0, 0.6, customers)
    sides = []
    for at in (0, 1):
        who = np.repeat(np.arange(agents), size[at])
        customer = rng.integers(0, customers, len(who))
        own = skill[at][who] if design != "rows" else rng.normal(0, _SKILL, len(who))
        moods = mood[customer] if design == "two kinds" else 0.0
        number = who + (agents if design == "clusters" and at else 0)
        sides.append(tickets(rng, own + at * lift, number, customer, moods))
    return sides[0], sides[1]


_SKILL = math.hypot(STAYS, CHANGES)
_SPREAD = math.hypot(1.0, _SKILL)  # of ease over all tickets


def score_shares(lift: float = 0.0) -> np.ndarray:
    """Chance of each answer from 0 to 10: a normal law, rounded and cut."""
    edges = (np.arange(0.5, 10) - 8 - 2 * lift) / math.hypot(2 * _SPREAD, 1)
    return np.diff(special.ndtr(edges), prepend=0.0, append=1.0)


def true_mean(lift: float = 0.0) -> float:
    return float(score_shares(lift) @ np.arange(11))


def true_top(lift: float = 0.0) -> float:
    return float(score_shares(lift)[9:].sum())


def true_net(lift: float = 0.0) -> float:
    shares = score_shares(lift)
    return float(shares[9:].sum() - shares[:7].sum())


def true_order(lift: float = 0.0) -> float:
    """Chance that an answer of the lifted side is higher, ties counted half, less one half."""
    below = np.cumsum(score_shares()) - score_shares() / 2
    return float(score_shares(lift) @ below) - 0.5


def true_passed_on(lift: float = 0.0) -> float:
    return float(special.ndtr((-1 - lift) / math.hypot(_SPREAD, 1)))


def _log_hours(lift: float) -> tuple[float, float]:
    return 2.2 + _EASE * lift, math.hypot(_EASE * _SPREAD, _STEP)


def true_within(lift: float = 0.0, t: float = WITHIN) -> float:
    middle, spread = _log_hours(lift)
    return float(special.ndtr((math.log(t) - middle) / spread))


def true_quantile(q: float) -> Callable[[float], float]:
    """Of the hours taken, by lift."""

    def of(lift: float = 0.0) -> float:
        middle, spread = _log_hours(lift)
        return float(np.exp(middle + spread * special.ndtri(q)))

    return of


def true_capped_mean(lift: float = 0.0) -> float:
    """Of a lognormal law: what lies below the horizon, and the horizon for the rest."""
    middle, spread = _log_hours(lift)
    at = (math.log(HORIZON) - middle) / spread
    below = math.exp(middle + spread**2 / 2) * special.ndtr(at - spread)
    return float(below + HORIZON * (1 - special.ndtr(at)))


def true_geometric_mean(lift: float = 0.0) -> float:
    return math.exp(_log_hours(lift)[0])


def true_ratio(lift: float = 0.0) -> float:
    """Of tickets that take more than 8 hours to points given, one added to each."""
    return (1 - true_within(lift, 8.0)) / (true_mean(lift) + 1)
