"""False alarms of every kind of KPI in every situation: services in which nothing changed, compared side by side.

Beside each rate of ours stands that of the test which is usually made of the same tickets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from calibration.runs import OURS, Claims, Job
from calibration.service import HORIZON, WITHIN, Side, two_sides
from cxkit.stats import Influenced, contrast, exact_rate_change, log_rank, rate_change, share_difference
from cxkit.stats.influence import capped_mean, finished_within, geometric_mean, mean, net, quantile, ratio
from cxkit.stats.influence import waiting_quantile as open_quantile
from cxkit.stats.ordinal import effect_influences

ALPHA = 0.05
POISSON = "Poisson, exact"
Pair = tuple[Influenced, Influenced]


@dataclass(frozen=True)
class Kind:
    """How a kind of KPI is compared, and how it usually is."""

    sides: Callable[[Side, Side], Pair]
    usual: Callable[[Side, Side], float]
    test: str  # the usual one, in words


def each(estimate: Callable[[Side], Influenced]) -> Callable[[Side, Side], Pair]:
    return lambda a, b: (estimate(a), estimate(b))


def welch(value: Callable[[Side], np.ndarray]) -> Callable[[Side, Side], float]:
    return lambda a, b: contrast(mean(value(a)), mean(value(b))).p


def z_test(flag: Callable[[Side], np.ndarray]) -> Callable[[Side, Side], float]:
    return lambda a, b: share_p(flag(a), flag(b))


def rank_sum(value: Callable[[Side], np.ndarray]) -> Callable[[Side, Side], float]:
    return lambda a, b: rank_sum_p(value(a), value(b))


def rows_alone(estimate: Callable[[Side], Influenced]) -> Callable[[Side, Side], float]:
    return lambda a, b: contrast(estimate(a), estimate(b)).p


def share_p(a: np.ndarray, b: np.ndarray) -> float:
    """The z test of two shares, pooled, without correction."""
    return share_difference(float(a.sum()), len(a), float(b.sum()), len(b)).p


def rank_sum_p(a: np.ndarray, b: np.ndarray) -> float:
    """Mann and Whitney's test: normal law, corrected for ties and not for continuity."""
    _, counts = np.unique(np.concatenate([a, b]), return_counts=True)
    n, m = len(a), len(b)
    below = (np.searchsorted(np.sort(a), b, "left") + np.searchsorted(np.sort(a), b, "right")).sum() / 2
    total = n + m
    spread = n * m / 12 * (total + 1 - float((counts**3.0 - counts).sum()) / (total * (total - 1)))
    return float(2 * special.ndtr(-abs(below - n * m / 2) / math.sqrt(spread))) if spread > 0 else math.nan


def closed(side: Side) -> np.ndarray:
    """Hours of the tickets that are closed: what a dashboard shows."""
    return side.hours[side.done]


def late_per_point(side: Side) -> Influenced:
    return ratio(side.hours > 8, side.score + 1)


KINDS: Mapping[str, Kind] = {
    "share": Kind(each(lambda s: mean(s.passed_on)), z_test(lambda s: s.passed_on), "z test"),
    "score, by order": Kind(
        lambda a, b: effect_influences(a.score, b.score), rank_sum(lambda s: s.score), "Mann–Whitney"
    ),
    "score, mean": Kind(each(lambda s: mean(s.score)), welch(lambda s: s.score), "Welch"),
    "score, top box": Kind(each(lambda s: mean(s.score >= 9)), z_test(lambda s: s.score >= 9), "z test"),
    "net score": Kind(each(lambda s: net(s.score)), rows_alone(lambda s: net(s.score)), "z test of a net score"),
    "capped mean": Kind(each(lambda s: capped_mean(s.seen, s.done, HORIZON)), welch(closed), "Welch, closed only"),
    "geometric mean": Kind(
        each(lambda s: geometric_mean(s.hours)), welch(lambda s: np.log(s.hours)), "Welch of the logarithm"
    ),
    "done within": Kind(
        each(lambda s: finished_within(s.seen, s.done, WITHIN)),
        z_test(lambda s: closed(s) <= WITHIN),
        "z test, closed only",
    ),
    "median": Kind(
        each(lambda s: open_quantile(s.seen, s.done, 0.5, clusters=s.agent)),
        rank_sum(closed),
        "Mann–Whitney, closed only",
    ),
    "P90": Kind(
        each(lambda s: quantile(s.hours, 0.9, clusters=s.agent)),
        rows_alone(lambda s: quantile(s.hours, 0.9)),
        "rows taken alone",
    ),
    "ratio": Kind(each(late_per_point), rows_alone(late_per_point), "rows taken alone"),
}
FEW = ("share", "score, by order", "score, mean", "net score", "capped mean", "done within", "median", "P90")


Cases = dict[str, dict[str, bool]]


def against(ours: float, test: str, usual: float) -> dict[str, bool]:
    """Whether ours and the usual test, by their p, claim a change."""
    return {OURS: ours < ALPHA, test: usual < ALPHA}


def claims(a: Side, b: Side, kinds: Mapping[str, Kind] = KINDS, **design: Any) -> Cases:
    """By kind; without clusters shares are compared as Newcombe does."""
    found = {}
    for name, kind in kinds.items():
        plain = not design and kind.test == "z test"
        ours = kind.usual(a, b) if plain else contrast(*kind.sides(a, b), **design).p
        found[name] = against(ours, kind.test, kind.usual(a, b))
    return found


def whole_curves(a: Side, b: Side) -> dict[str, bool]:
    """The log-rank test, beside the rank sum of closed tickets."""
    late = np.repeat([False, True], [len(a.hours), len(b.hours)])
    found = log_rank(np.concatenate([a.seen, b.seen]), np.concatenate([a.done, b.done]), late)
    return against(found.p, "Mann–Whitney, closed only", rank_sum_p(closed(a), closed(b)))


def independent(rng: np.random.Generator) -> Claims:
    """Tickets that have nothing in common."""
    a, b = (no_agents(side) for side in two_sides(rng, "rows"))
    return {**claims(a, b), "log-rank": whole_curves(a, b), "count a day": counts(rng, 1.0)}


def of_agents(rng: np.random.Generator) -> Claims:
    """Other agents on the other side."""
    a, b = two_sides(rng, "clusters")
    return {**claims(a, b, clusters=(a.agent, b.agent)), "count a day": counts(rng, 4.0)}


def same_agents(rng: np.random.Generator) -> Claims:
    """The same agents on both sides."""
    a, b = two_sides(rng, "crossed")
    return {**claims(a, b, clusters=(a.agent, b.agent)), "count a day": same_weekdays(rng)}


def agents_and_customers(rng: np.random.Generator) -> Claims:
    """The same agents and the same customers on both sides, both taken as clusters."""
    a, b = two_sides(rng, "two kinds")
    return claims(a, b, clusters=(a.agent, b.agent), second_clusters=(a.customer, b.customer))


def few_agents(rng: np.random.Generator, agents: int, design: str) -> Claims:
    a, b = two_sides(rng, design, agents)
    return claims(a, b, {name: KINDS[name] for name in FEW}, clusters=(a.agent, b.agent))


def no_agents(side: Side) -> Side:
    """The same tickets, each by itself."""
    return replace(side, agent=np.full(len(side.agent), np.nan))


def counts(rng: np.random.Generator, spread: float, days: int = 28, a_day: float = 60.0) -> dict[str, bool]:
    """Arrivals a day, whose variance is `spread` times their mean: incidents bring many at once."""
    if spread == 1:
        a, b = rng.poisson(a_day, (2, days))
    else:
        a, b = rng.negative_binomial(a_day / (spread - 1), 1 / spread, (2, days))
    return against(rate_change(a, b).p, POISSON, exact_rate_change(a.sum(), b.sum()).p)


def same_weekdays(rng: np.random.Generator) -> dict[str, bool]:
    """Four weeks each; the weekdays differ, and both sides have the same ones."""
    weekday = np.arange(28) % 7
    a_day = 60 * np.array([1.3, 1.2, 1.0, 1.0, 0.9, 0.5, 0.4])[weekday]
    a, b = rng.negative_binomial(a_day, 0.5, (2, 28))
    ours = contrast(mean(a), mean(b), strata=(weekday, weekday))
    return against(ours.p, POISSON, exact_rate_change(a.sum(), b.sum()).p)


# --- unequal follow-up: the later side was watched for less time, so what takes long is not seen there yet ---

LATE = 48.0  # hours within which an answer or a return counts
LONG, SHORT = (6.0, 240.0), (6.0, 60.0)


def not_yet_seen(rng: np.random.Generator) -> Claims:
    """The later side was watched for less time: open tickets, answers and returns still to come."""
    a, b = (
        replace(no_agents(side), watched=rng.uniform(*watched, len(side.hours)))
        for side, watched in zip(two_sides(rng, "rows"), (LONG, SHORT), strict=True)
    )
    waits = {name: KINDS[name] for name in ("capped mean", "done within", "median")}
    tail = [open_quantile(side.seen, side.done, 0.8) for side in (a, b)]
    alone = rows_alone(lambda s: quantile(closed(s), 0.8))(a, b)
    return {
        **returns_to_come(rng, a, b),
        **answers_to_come(rng, a, b),
        **claims(a, b, waits),
        "P80": against(contrast(*tail).p, "rows taken alone, closed only", alone),
        "log-rank": whole_curves(a, b),
        "count a day": half_a_day(rng),
    }


def answers_to_come(rng: np.random.Generator, a: Side, b: Side) -> Cases:
    """Unhappy customers answer sooner. Ours: tickets watched for 48 hours, and answers given within them."""
    whole, so_far = [], []
    for side in (a, b):
        after = np.exp(2.2 + 0.2 * (side.score - 8) + 0.8 * rng.normal(size=len(side.score)))
        whole.append(side.score[(side.watched >= LATE) & (after <= LATE)])
        so_far.append(side.score[after <= side.watched])
    found = {}
    for name in ("score, by order", "score, mean", "score, top box", "net score"):
        given, taken = (tuple(replace(a, score=x) for x in scores) for scores in (whole, so_far))
        ours = KINDS[name].usual(*given) if "top" in name else contrast(*KINDS[name].sides(*given)).p
        found[name] = against(ours, f"{KINDS[name].test}, answers so far", KINDS[name].usual(*taken))
    return found


def returns_to_come(rng: np.random.Generator, a: Side, b: Side) -> Cases:
    """Three in ten come back, a day later on average; and customers ask about their orders as long."""
    curves, flags, whole, so_far = [], [], [], []
    for side in (a, b):
        n = len(side.hours)
        back = np.where(rng.random(n) < 0.3, rng.exponential(24.0, n), np.inf)
        curves.append(finished_within(np.minimum(back, side.watched), back <= side.watched, LATE))
        flags.append(back <= np.minimum(side.watched, LATE))
        items, asks = rng.integers(1, 5, n), rng.poisson(0.4, n)
        seen = [rng.binomial(asks, -np.expm1(-np.minimum(side.watched, t) / 24.0)) for t in (LATE, np.inf)]
        kept = side.watched >= LATE
        whole.append(ratio(seen[0][kept], items[kept]))
        so_far.append(ratio(seen[1], items))
    return {
        "share": against(contrast(*curves).p, "z test, returns so far", share_p(*flags)),
        "ratio": against(contrast(*whole).p, "contacts so far", contrast(*so_far).p),
    }


def half_a_day(rng: np.random.Generator, days: int = 28, a_day: float = 1000.0) -> dict[str, bool]:
    """The last day is half over. Ours: as a rate per hour counted."""
    hours = np.full((2, days), 24.0)
    hours[1, -1] = 12.0
    a, b = rng.poisson(a_day * hours / 24)
    return against(rate_change(a, b, *hours).p, POISSON, exact_rate_change(a.sum(), b.sum()).p)


# --- skewed: rare events, long tails, a small side and one ten times as large ---

SMALL, LARGE = 400, 4000


def skewed(rng: np.random.Generator) -> Claims:
    """Rare events, long tails, unequal spread, a small side and one ten times as large."""
    sizes = (SMALL, LARGE)
    hours = [np.exp(2.2 + 2 * rng.normal(size=n)) for n in sizes]
    all_done = [np.ones(n, dtype=bool) for n in sizes]
    horizon = math.exp(2.2 + 2 * special.ndtri(0.9))
    plain = contrast(mean(hours[0]), mean(hours[1])).p
    ranks = rank_sum_p(*hours)
    own = "z test, each side's own error"
    return {
        "share": against(*_rare(rng, 0.02, own)),
        "score, by order": against(*_unequal_spread(rng)),
        "score, mean": against(*_one_sided_scale(rng)),
        "score, top box": against(*_rare(rng, 0.97, own)),
        "net score": against(*_nearly_all_promoters(rng)),
        "capped mean": against(_p(capped_mean, hours, all_done, horizon), "Welch, not capped", plain),
        "geometric mean": against(contrast(*map(geometric_mean, hours)).p, "Welch, no logarithm", plain),
        "done within": against(_p(finished_within, hours, all_done, 4.0), "Welch of the hours", plain),
        "median": against(_p(open_quantile, hours, all_done, 0.5), "Mann–Whitney", ranks),
        "P90": against(_p(open_quantile, hours, all_done, 0.9), "Mann–Whitney", ranks),
        "ratio": against(*_long_orders(rng)),
        "count a day": against(*_bursts(rng)),
    }


def _p(estimate: Callable[..., Influenced], hours: list[np.ndarray], done: list[np.ndarray], at: float) -> float:
    return contrast(*(estimate(h, d, at) for h, d in zip(hours, done, strict=True))).p


def _rare(rng: np.random.Generator, share: float, test: str) -> tuple[float, str, float]:
    """Usual: z test with each side's own error, which a spreadsheet makes of two shares with their margins."""
    x, y = rng.binomial(SMALL, share), rng.binomial(LARGE, share)
    own = contrast(mean([1, 0], [x, SMALL - x]), mean([1, 0], [y, LARGE - y])).p
    return share_difference(x, SMALL, y, LARGE).p, test, own


def _unequal_spread(rng: np.random.Generator) -> tuple[float, str, float]:
    """As many above as below the middle on either side, but the small side has the wider answers."""
    few, many = (np.clip(np.rint(rng.normal(5, s, n)), 0, 10) for s, n in ((3.0, SMALL), (1.0, LARGE)))
    return contrast(*effect_influences(few, many)).p, "Mann–Whitney", rank_sum_p(few, many)


def _one_sided_scale(rng: np.random.Generator) -> tuple[float, str, float]:
    """Usual: Student's test with one spread for both sides, where the small side has the wider answers."""
    values = np.arange(1, 6.0)
    a = rng.multinomial(SMALL, (0.10, 0.05, 0.05, 0.10, 0.70))
    b = rng.multinomial(LARGE, (0.0, 0.10, 0.15, 0.15, 0.60))
    return contrast(mean(values, a), mean(values, b)).p, "Student, one spread", _student_p(values, a, b)


def _student_p(values: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    n, m = a.sum(), b.sum()
    middle = a @ values / n, b @ values / m
    pooled = (a @ (values - middle[0]) ** 2 + b @ (values - middle[1]) ** 2) / (n + m - 2)
    t = (middle[1] - middle[0]) / math.sqrt(pooled * (1 / n + 1 / m))
    return float(2 * special.stdtr(n + m - 2, -abs(t)))


def _nearly_all_promoters(rng: np.random.Generator) -> tuple[float, str, float]:
    """Usual: z test of two shares of promoters less those of detractors, as if they were independent."""
    sides = [rng.multinomial(n, (0.03, 0.07, 0.90)) for n in (SMALL, LARGE)]
    ours = contrast(*(net([0, 7, 10], counts) for counts in sides))
    parts = [(c[2] / c.sum(), c[0] / c.sum(), c.sum()) for c in sides]
    variance = sum((p * (1 - p) + d * (1 - d)) / n for p, d, n in parts)
    gap = (parts[1][0] - parts[1][1]) - (parts[0][0] - parts[0][1])
    return ours.p, "z test, shares as if independent", float(2 * special.ndtr(-abs(gap) / math.sqrt(variance)))


def _long_orders(rng: np.random.Generator) -> tuple[float, str, float]:
    """Customers of many orders ask of each; usual: contacts as if they were independent of one another."""
    orders = [np.ceil(rng.lognormal(0, 1, n)) for n in (SMALL, LARGE)]
    asks = [rng.poisson(0.2 * o * rng.gamma(2, 0.5, len(o))) for o in orders]
    ours = contrast(*(ratio(c, o) for c, o in zip(asks, orders, strict=True)))
    return ours.p, POISSON, exact_rate_change(asks[0].sum(), asks[1].sum(), orders[0].sum(), orders[1].sum()).p


def _bursts(rng: np.random.Generator) -> tuple[float, str, float]:
    """Four weeks against eight, whose days differ by a long-tailed factor."""
    a, b = (rng.poisson(60 * rng.lognormal(-0.125, 0.5, days)) for days in (28, 56))
    return rate_change(a, b).p, POISSON, exact_rate_change(a.sum(), b.sum(), 28, 56).p


SITUATIONS: Mapping[str, Callable[[np.random.Generator], Claims]] = {
    "independent": independent,
    "clusters": of_agents,
    "crossed": same_agents,
    "not yet seen": not_yet_seen,
    "skewed": skewed,
    "two kinds": agents_and_customers,
}
TEAMS = (6, 10, 24)


def jobs(runs: int) -> list[Job]:
    """Every situation; small teams two draws in five."""
    found = [Job(f"kinds: {name}", runs, one) for name, one in SITUATIONS.items()]
    return found + [
        Job(f"teams: {design}, {agents} agents", 2 * runs // 5, partial(few_agents, agents=agents, design=design))
        for design in ("clusters", "crossed")
        for agents in TEAMS
    ]
