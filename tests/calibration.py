"""How often does a test cry wolf: false positives of the engine, and of what is usually done, where nothing changed.

Each function draws two sides from one and the same service and returns the share of draws with p < .05. The tests run
them short; `python tests/calibration.py 10000` prints the long table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cxkit.stats import Influenced, contrast
from cxkit.stats.counts import exact_rate_change, rate_change
from cxkit.stats.influence import capped_mean, finished_within, mean, net, quantile, ratio, waiting_quantile
from cxkit.stats.ordinal import effect_influences

DESIGNS = ("rows", "clusters", "crossed")
AGENTS = 24


class Rates(NamedTuple):
    """Share of draws in which a difference was claimed: by the engine, and by a test that takes rows as independent."""

    right: float
    naive: float
    draws: int

    def within(self, low: float = 0.035, high: float = 0.065) -> bool:
        """Whether the engine's rate lies in the gate, widened by 2 standard errors of so few draws."""
        chance = 2 * (0.05 * 0.95 / self.draws) ** 0.5
        return low - chance <= self.right <= high + chance


@dataclass(frozen=True)
class Side:
    """Tickets of one side: who worked on them, how long they took, how long we watched, the answer from 0 to 10."""

    agent: np.ndarray
    hours: np.ndarray
    watched: np.ndarray
    score: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        return np.minimum(self.hours, self.watched)

    @property
    def done(self) -> np.ndarray:
        return self.hours <= self.watched


def service(rng: np.random.Generator, size: np.ndarray, skill: np.ndarray, number: np.ndarray) -> Side:
    """Tickets of agents of the given numbers: a latent ease drives both the time taken (lognormal) and the answer."""
    agent = np.repeat(np.arange(len(size)), size)
    n = len(agent)
    ease = skill[agent] + rng.normal(size=n)
    hours = np.exp(2.2 - 0.9 * ease + 0.5 * rng.normal(size=n))
    score = np.clip(np.rint(8 + 2 * ease + rng.normal(size=n)), 0, 10)
    return Side(number[agent], hours, rng.uniform(6, 60, n), score)


def two_sides(rng: np.random.Generator, design: str) -> tuple[Side, Side]:
    """Two sides between which nothing changed.

    "rows": tickets are independent. "clusters": other agents on the other side. "crossed": the same agents, whose skill
    partly stays and partly changes from one side to the other. Agents' loads are uneven, as in every team.
    """
    size = np.maximum(rng.lognormal(3.2, 0.5, (2, AGENTS)).astype(int), 2)
    stays, changes = rng.normal(0, 0.3, AGENTS), rng.normal(0, 0.3, (2, AGENTS))
    if design == "rows":
        skill = np.zeros((2, AGENTS))
    else:
        skill = changes * 2**0.5 if design == "clusters" else stays + changes
    numbers = np.arange(AGENTS) + np.array([[0], [AGENTS if design == "clusters" else 0]])
    a, b = (service(rng, *drawn) for drawn in zip(size, skill, numbers, strict=True))
    return a, b


Pair = tuple[Influenced, Influenced]
KPIS: dict[str, Callable[[Side, Side], Pair]] = {
    "mean": lambda a, b: (mean(a.score), mean(b.score)),
    "net": lambda a, b: (net(a.score), net(b.score)),
    "effect": lambda a, b: effect_influences(a.score, b.score),
    "ratio": lambda a, b: (ratio(a.hours > 8, a.score + 1), ratio(b.hours > 8, b.score + 1)),
    "median": lambda a, b: (quantile(a.hours, 0.5, clusters=a.agent), quantile(b.hours, 0.5, clusters=b.agent)),
    "p90": lambda a, b: (quantile(a.hours, 0.9, clusters=a.agent), quantile(b.hours, 0.9, clusters=b.agent)),
    "open median": lambda a, b: tuple(waiting_quantile(s.seen, s.done, 0.5, clusters=s.agent) for s in (a, b)),
    "within 12 h": lambda a, b: tuple(finished_within(s.seen, s.done, 12) for s in (a, b)),
    "capped mean": lambda a, b: tuple(capped_mean(s.seen, s.done, 24) for s in (a, b)),
}


def false_positives(kpi: str, design: str, draws: int, seed: int = 0) -> Rates:
    """Rates of one KPI under one design; the naive side is Welch's test on tickets, of the same estimate."""
    rng = np.random.default_rng([seed, DESIGNS.index(design), list(KPIS).index(kpi)])
    claimed = np.zeros(2)
    for _ in range(draws):
        a, b = two_sides(rng, design)
        pair = KPIS[kpi](a, b)
        clusters = None if design == "rows" else (a.agent, b.agent)
        claimed += [contrast(*pair, clusters=clusters).p < 0.05, contrast(*pair).p < 0.05]
    return Rates(*(claimed / draws), draws)


def open_tickets(draws: int, seed: int = 0, n: int = 1000) -> Rates:
    """A slow queue whose later side was watched for less time: capped mean of all tickets, and mean of closed ones."""
    rng = np.random.default_rng([seed, 100])
    claimed = np.zeros(2)
    for _ in range(draws):
        sides = []
        for shortest, longest in ((24, 240), (24, 72)):
            hours, watched = rng.lognormal(3.2, 1.2, n), rng.uniform(shortest, longest, n)
            sides.append((np.minimum(hours, watched), hours <= watched))
        capped = [capped_mean(seen, done, 48) for seen, done in sides]
        closed = [mean(seen[done]) for seen, done in sides]
        claimed += [contrast(*capped).p < 0.05, contrast(*closed).p < 0.05]
    return Rates(*(claimed / draws), draws)


def bursty_days(draws: int, seed: int = 0, days: int = 28, spread: float = 4.0) -> Rates:
    """Daily counts whose variance is `spread` times their mean: by the days, and by Poisson's law on the totals."""
    rng = np.random.default_rng([seed, 200])
    claimed = np.zeros(2)
    for _ in range(draws):
        a, b = rng.negative_binomial(60 / (spread - 1), 1 / spread, (2, days))
        claimed += [rate_change(a, b).p < 0.05, exact_rate_change(a.sum(), b.sum()).p < 0.05]
    return Rates(*(claimed / draws), draws)


def main(draws: int) -> None:
    """The long table on standard output."""
    sys.stdout.write(f"False positives at p < .05, {draws:,} draws, {AGENTS} agents a side\n")
    for design in DESIGNS:
        for kpi in KPIS:
            found = false_positives(kpi, design, draws)
            sys.stdout.write(
                f"{design:10}{kpi:14}engine {found.right:6.1%}   tickets as independent {found.naive:6.1%}\n"
            )
    for name, found in (
        ("open tickets, closed only", open_tickets(draws)),
        ("bursty days, Poisson", bursty_days(draws)),
    ):
        sys.stdout.write(f"{name:28}right {found.right:6.1%}   naive {found.naive:6.1%}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
