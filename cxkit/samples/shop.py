"""What customers buy: orders in each customer's own rhythm, fewer after bad service and more after good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxkit.samples.plan import MINUTES_A_DAY, Bools, Floats, Ints, Rows, Table, log_normal, pick, shares, stream
from cxkit.samples.service import Sample
from cxkit.samples.tickets import NEVER
from cxkit.samples.world import NOBODY, day_number

DAYS_AFTER = 120  # orders after the end of the window, so that every repeat within 90 days is known


@dataclass(frozen=True, eq=False)
class Orders(Rows):
    """One row an order, by time, also after the window."""

    at: Ints  # local minutes since 1970
    customer: Ints  # NOBODY: a guest
    amount: Ints  # halalas
    channel: Ints  # position in the plan's channels of the shop
    cancelled: Bools


def make_orders(sample: Sample) -> Orders:
    """Orders of customers while they are customers, and of guests."""
    part, rng = sample.plan["orders"], stream(sample.seed, "shop")
    customer, at = _wanted(sample, rng)
    kept = rng.random(len(at)) < _season(sample.plan, at) * mood(sample, customer, at) / _highest(part)
    customer, at = customer[kept], at[kept]
    guests = round(part["guests"] * len(at))
    days = at[rng.integers(0, len(at), guests)] // MINUTES_A_DAY if len(at) else at[:0]
    at = np.concatenate((at, _moments(sample.plan, days, rng)))
    customer = np.concatenate((customer, np.full(len(days), NOBODY)))
    size = np.where((customer != NOBODY) & sample.customers.business[customer], part["business_factor"], 1.0)
    found = Orders(
        at=at,
        customer=customer,
        amount=np.ceil(100 * size * log_normal(rng, part["amount"], len(at))).astype(np.int64),
        channel=pick(rng, shares(part["channels"], tuple(part["channels"])), len(at)),
        cancelled=rng.random(len(at)) < part["cancelled"],
    )
    return found.rows(np.argsort(found.at, kind="stable"))


def _wanted(sample: Sample, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Customers and moments of more orders than come about: as if season and mood were always at their best."""
    part, customers = sample.plan["orders"], sample.customers
    first, last = sample.start // MINUTES_A_DAY, sample.end // MINUTES_A_DAY + DAYS_AFTER
    alike = customers.activity / customers.activity.mean()
    rhythm = rng.gamma(part["shape"], 1 / part["shape"], len(alike))
    per_day = part["per_month"] / 30.4 * rhythm * (1 - part["with_contacts"] + part["with_contacts"] * alike)
    begin = np.maximum(customers.since, first)
    span = np.clip(np.minimum(customers.left, last) - begin, 0, None)
    customer = np.repeat(np.arange(len(alike)), rng.poisson(per_day * span * _highest(part)))
    day = begin[customer] + np.floor(rng.random(len(customer)) * span[customer]).astype(np.int64)
    return customer, _moments(sample.plan, day, rng)


def _moments(plan: Table, day: Ints, rng: np.random.Generator) -> Ints:
    hours = pick(rng, np.array(plan["volume"]["by_hour"], dtype=np.float64), len(day))
    return np.asarray(day * MINUTES_A_DAY + 60 * hours + rng.integers(0, 60, len(day)), dtype=np.int64)


def _highest(part: Table) -> float:
    return float(part["sale"] * part["payday"] * max(part["after_service"].values()))


def _season(plan: Table, at: Ints) -> Floats:
    """Factor on the orders of a day: the sale of the year, and the days after the salaries are paid."""
    part, volume, day = plan["orders"], plan["volume"], at // MINUTES_A_DAY
    sale = (day >= day_number(volume["sale_first_on"])) & (day <= day_number(volume["sale_last_on"]))
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    paid = day - month + 1 >= part["payday_from"]
    return np.asarray(np.where(sale, part["sale"], 1.0) * np.where(paid, part["payday"], 1.0), dtype=np.float64)


def mood(sample: Sample, customer: Ints, at: Ints) -> Floats:
    """Factor on the orders of a customer at a moment: how the latest ticket ended for them, while they remember it."""
    part, lives = sample.plan["orders"], sample.lives
    factors = part["after_service"]
    ended = np.flatnonzero(sample.of_kind("customer") & (lives.first_solved < NEVER))
    ended = ended[np.lexsort((lives.first_solved[ended], sample.tickets.customer[ended]))]
    if not len(ended):
        return np.full(len(at), factors["none"])
    key = (sample.tickets.customer[ended] << 26) + lives.first_solved[ended]
    place = np.clip(np.searchsorted(key, (customer << 26) + at, side="right") - 1, 0, None)
    latest = ended[place]
    since = at - lives.first_solved[latest]
    fresh = (sample.tickets.customer[latest] == customer) & (since >= 0) & (since <= 1440 * part["memory_days"])
    by_score = np.array([factors["bad"], factors["bad"], factors["middling"], factors["good"], factors["good"]])
    return np.where(fresh, by_score[sample.scores.csat[latest] - 1], factors["none"])
