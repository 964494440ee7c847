"""Visits to the help centre: some end with an answer, some with a ticket, some were only looking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxkit.samples.plan import CHANNELS, MINUTES_A_DAY, Bools, Ints, Rows, column, log_normal, stream
from cxkit.samples.service import Sample
from cxkit.samples.world import NOBODY

ASKED, HELPED, LOOKED = range(3)  # asked all the same; found the answer; came without a question
HOURS = 48  # within which a ticket counts as a consequence of the visit


@dataclass(frozen=True, eq=False)
class Visits(Rows):
    """One row a visit, by time."""

    started: Ints  # local minutes since 1970
    minutes: Ints
    customer: Ints
    outcome: Ints  # ASKED, HELPED or LOOKED
    known: Bools  # the customer had logged in
    crawler: Bools  # no person at all
    articles: Ints
    searches: Ints


def make_visits(sample: Sample) -> Visits:
    """Visits before tickets, and further ones by the same kind of people on other days."""
    part, rng, tickets = sample.plan["help_centre"], stream(sample.seed, "help centre"), sample.tickets
    ours = np.flatnonzero(sample.of_kind("customer"))
    before = ours[rng.random(len(ours)) < column(part["before_ticket"], CHANNELS)[tickets.channel[ours]]]
    gap = np.minimum(log_normal(rng, part["minutes_before"], len(before)), 60 * (HOURS - 1))
    asked = tickets.opened[before] - np.ceil(gap).astype(np.int64)
    helped = round(part["helps"] / (1 - part["helps"]) * len(before))
    looked = round(part["looking"] * len(before))
    other = before[rng.integers(0, len(before), helped + looked)] if len(before) else before
    started = np.concatenate((asked, tickets.opened[other] + MINUTES_A_DAY * _other_day(rng, len(other))))
    customer = tickets.customer[np.concatenate((before, other))]
    n = len(started)
    outcome = np.repeat((ASKED, HELPED, LOOKED), (len(before), helped, len(other) - helped))
    found = Visits(
        started=started,
        minutes=np.ceil(log_normal(rng, part["minutes"], n)).astype(np.int64),
        customer=customer,
        outcome=outcome,
        known=rng.random(n) < part["logged_in"],
        crawler=rng.random(n) < part["crawlers"],
        articles=1 + rng.poisson(part["articles"], n),
        searches=np.where(outcome == LOOKED, 0, 1) + rng.poisson(part["searches"], n),
    )
    day, people = started // MINUTES_A_DAY, sample.customers
    there = (started >= sample.start) & (started < sample.end)
    there &= (people.since[customer] <= day) & (day < people.left[customer])
    found = found.rows(there)
    return found.rows(np.argsort(found.started, kind="stable"))


def _other_day(rng: np.random.Generator, size: int) -> Ints:
    """Days by which a visit is moved away from the ticket that lent it its customer and its hour."""
    return np.asarray(rng.integers(4, 31, size) * rng.choice((-1, 1), size), dtype=np.int64)


def next_contact(sample: Sample, visits: Visits) -> Ints:
    """Minutes from each visit to the next ticket of the same customer; very many where there is none."""
    ours = np.flatnonzero(sample.of_kind("customer"))
    key = np.sort((sample.tickets.customer[ours] << 26) + sample.tickets.opened[ours])
    mine = (visits.customer << 26) + visits.started
    later = np.append(key, (NOBODY + 2**30) << 26)[np.searchsorted(key, mine)]
    return np.where(later >> 26 == visits.customer, later - mine, 2**26)
