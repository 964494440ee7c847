"""Quality reviews: tickets drawn channel by channel, read by three reviewers of different strictness, some twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxkit.samples.plan import CHANNELS, MINUTES_A_DAY, Bools, Floats, Ints, Rows, column, stream
from cxkit.samples.service import Sample


@dataclass(frozen=True, eq=False)
class Reviews(Rows):
    """One row a review, by time."""

    ticket: Ints
    reviewer: Ints
    at: Ints  # local minutes since 1970
    score: Ints  # percent
    weight: Floats  # how many tickets the reviewed one stands for


def reviewable(sample: Sample) -> Bools:
    """Customers' tickets that were solved early enough to be read before the end."""
    latest = sample.end - MINUTES_A_DAY * sample.plan["reviews"]["read_after_days"][1]
    return np.asarray(sample.of_kind("customer") & (sample.lives.first_solved < latest))


def quality(sample: Sample) -> Floats:
    """How well each ticket was handled (share), as a reviewer without leaning would score it on average."""
    part, rng = sample.plan["reviews"], stream(sample.seed, "quality")
    agent = part["agent_sd"] * sample.agents.satisfaction[sample.lives.last_agent]
    noise = part["ticket_sd"] * rng.standard_normal(len(sample.tickets))
    base = part["mean"] + column(part["channel"], CHANNELS)[sample.tickets.channel]
    return np.asarray(np.clip(base + agent + noise, 0.0, 1.0), dtype=np.float64)


def make_reviews(sample: Sample) -> Reviews:
    """The sample of each channel with its weight, a part of it read by a second reviewer."""
    part, rng = sample.plan["reviews"], stream(sample.seed, "reviews")
    frame, drawn, weights, again = reviewable(sample), [], [], []
    for code in range(len(CHANNELS)):
        here = np.flatnonzero(frame & (sample.tickets.channel == code))
        size = min(part["per_channel"], -(-len(here) // 4))
        chosen = rng.choice(here, size, replace=False)
        drawn.append(chosen)
        weights.append(np.full(size, len(here) / max(size, 1)))
        again.append(np.arange(size) < round(part["twice"] * size))
    ticket, weight, twice = np.concatenate(drawn), np.concatenate(weights), np.concatenate(again)
    leaning = np.array(part["leaning"])
    first = rng.integers(0, len(leaning), len(ticket))
    second = (first + rng.integers(1, len(leaning), len(ticket))) % len(leaning)
    low, high = part["read_after_days"]
    at = sample.lives.first_solved[ticket] + rng.integers(MINUTES_A_DAY * low, MINUTES_A_DAY * (high - 3), len(ticket))
    later = at + rng.integers(60, 3 * MINUTES_A_DAY, len(ticket))
    ticket, weight = np.concatenate((ticket, ticket[twice])), np.concatenate((weight, weight[twice]))
    reviewer = np.concatenate((first, second[twice]))
    seen = quality(sample)[ticket] + leaning[reviewer] + part["reviewer_sd"] * rng.standard_normal(len(ticket))
    score = np.rint(100 * np.clip(seen, 0, 1)).astype(np.int64)
    found = Reviews(ticket, reviewer, np.concatenate((at, later[twice])), score, weight)
    return found.rows(np.argsort(found.at, kind="stable"))
