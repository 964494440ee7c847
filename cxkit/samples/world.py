"""Who works in the sample service, who writes to it, and when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields, replace

import numpy as np

from cxkit.samples.clock import Days
from cxkit.samples.plan import (
    CHANNELS,
    LANGUAGES,
    MINUTES_A_DAY,
    Bools,
    Floats,
    Ints,
    Rows,
    Table,
    cluster_sd,
    column,
    phrases,
    pick,
    pick_by,
    shares,
    slow_tail_variance,
    standard_effects,
)

KINDS = ("customer", "spam", "merged", "test", "outbound")
NOBODY = -1
FAR = 10**6  # a day that never comes


def day_number(day: dt.date) -> int:
    """Days since 1970."""
    return (day - dt.date(1970, 1, 1)).days


@dataclass(frozen=True, eq=False)
class Agents:
    """The agents, with the effects that make their tickets resemble each other."""

    name: tuple[str, ...]
    group: Ints  # position in `groups`
    groups: tuple[str, ...]
    tier: Ints
    speaks: Bools  # agents x LANGUAGES
    started: Ints  # days since 1970
    ended: Ints
    reply: Floats  # on log working time to the first reply
    handling: Floats  # on log handling time
    reopening: Floats  # on the logit
    satisfaction: Floats  # in standard deviations
    talk: Floats  # in standard deviations


def make_agents(plan: Table, rng: np.random.Generator) -> Agents:
    """The named agents of `phrases.toml` with freshly drawn effects."""
    rows, table = phrases()["agents"], phrases()["groups"]["tier"]
    groups = tuple(table)
    effects = [standard_effects(rng, len(rows)) for _ in range(5)]
    sd = {part: cluster_sd(plan[part], slow_tail_variance(plan[part]), "agent") for part in ("first_reply", "handling")}
    return Agents(
        name=tuple(row["name"] for row in rows),
        group=np.array([groups.index(row["group"]) for row in rows], dtype=np.int64),
        groups=groups,
        tier=np.array([table[row["group"]] for row in rows], dtype=np.int64),
        speaks=np.array([[lang in row["languages"] for lang in LANGUAGES] for row in rows]),
        started=np.array([day_number(row["started_on"]) if "started_on" in row else -FAR for row in rows]),
        ended=np.array([day_number(row["ended_on"]) if "ended_on" in row else FAR for row in rows]),
        reply=sd["first_reply"] * effects[0],
        handling=sd["handling"] * effects[1],
        reopening=plan["reopening"]["agent_sd"] * effects[2],
        satisfaction=effects[3],
        talk=effects[4],
    )


@dataclass(frozen=True, eq=False)
class Customers:
    """The customers, with how often they write and the effects that make their tickets resemble each other."""

    language: Ints
    business: Bools
    since: Ints  # days since 1970
    left: Ints
    activity: Floats
    favourite: Ints  # position in CHANNELS
    reply: Floats
    handling: Floats
    satisfaction: Floats  # in standard deviations


def make_customers(plan: Table, tickets: int, days: Days, rng: np.random.Generator) -> Customers:
    """Customers for about `tickets` contacts: some joined during the year, a few left."""
    size = plan["size"]
    n = int(
        np.clip(round(tickets * size["customers_per_ticket"]), size["customers_at_least"], size["customers_at_most"])
    )
    first, year = int(days.number[0]), 365
    language = pick(rng, shares(plan["languages"], LANGUAGES), n)
    language[:3] = [0, 1, 2]  # even the smallest sample has all three
    joined = rng.random(n) < size["joined_share"]
    since = np.where(
        joined, first + rng.integers(0, year, n), first - 1 - np.floor(rng.exponential(600, n)).astype(int)
    )
    stay = np.floor(rng.exponential(30.4 / size["monthly_leaving"], n)).astype(np.int64)
    left = np.maximum(since, first) + stay
    business = rng.random(n) < 0.15
    habit = np.array([shares(plan["channels"][lang], CHANNELS) for lang in LANGUAGES])
    sd = {
        part: cluster_sd(plan[part], slow_tail_variance(plan[part]), "customer") for part in ("first_reply", "handling")
    }
    since[:3], left[:3] = first - year, FAR  # and in every month
    return Customers(
        language=language,
        business=business,
        since=since,
        left=np.where(left < first + year, left, FAR),
        activity=rng.gamma(size["activity_shape"], 1.0, n) + 0.02,
        favourite=pick_by(rng, habit, language),
        reply=sd["first_reply"] * standard_effects(rng, n),
        handling=sd["handling"] * standard_effects(rng, n),
        satisfaction=standard_effects(rng, n),
    )


@dataclass(frozen=True, eq=False)
class Openings(Rows):
    """What comes in: one row a ticket, by time of opening."""

    opened: Ints  # local minutes since 1970
    customer: Ints  # NOBODY for spam and tests
    language: Ints
    channel: Ints
    topic: Ints
    priority: Ints
    kind: Ints
    follows: Ints  # position of the earlier ticket, or NOBODY

    def __len__(self) -> int:
        return len(self.opened)


def joined(parts: list[Openings]) -> Openings:
    """Several openings as one, in the order given."""
    return Openings(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Openings)))


def _day_weights(plan: Table, days: Days, rng: np.random.Generator) -> Floats:
    """Expected contacts by language and day of the window, up to a factor."""
    volume, window = plan["volume"], plan["window"]
    n = day_number(window["last_on"]) - day_number(window["first_on"]) + 1
    number, inside = days.number[:n], slice(0, n)
    weight = np.array(volume["weekday"])[days.weekday[inside]] * np.exp(volume["day_noise"] * rng.standard_normal(n))
    weight *= np.linspace(1.0, 1.0 + volume["growth"], n)
    weight *= np.where(days.ramadan[inside], volume["ramadan"], 1.0)
    for eid in ("eid_fitr", "eid_adha"):
        feast = getattr(days, eid)[inside]
        after = np.zeros(n, dtype=bool)
        for lag in range(1, volume["after_eid_days"] + 1):
            after[lag:] |= feast[:-lag]
        weight *= np.where(feast, volume[eid], np.where(after, volume["after_eid"], 1.0))
    sale = (number >= day_number(volume["sale_first_on"])) & (number <= day_number(volume["sale_last_on"]))
    weight *= np.where(sale, volume["sale"], 1.0)
    by_language = np.outer(shares(plan["languages"], LANGUAGES), weight)
    by_language[LANGUAGES.index("fa")] *= np.where(days.nowruz[inside], volume["nowruz_fa"], 1.0)
    return np.asarray(by_language, dtype=np.float64)


def _writers(customers: Customers, language: Ints, day: Ints, days: Days, rng: np.random.Generator) -> Ints:
    """A customer for each contact, among those of that language who are customers in that month."""
    month = day // 30
    chosen = np.zeros(len(day), dtype=np.int64)
    cell = language * 100 + month
    for value in np.unique(cell):
        rows = np.flatnonzero(cell == value)
        start = int(days.number[0]) + 30 * int(value % 100)
        here = np.flatnonzero(
            (customers.language == value // 100) & (customers.since <= start) & (customers.left >= start + 31)
        )
        chosen[rows] = here[pick(rng, customers.activity[here], len(rows))]
    return chosen


def _minutes(plan: Table, days: Days, day: Ints, channel: Ints, rng: np.random.Generator) -> Ints:
    """Minute of each contact: at any hour, or in opening hours for the staffed channels."""
    volume, hour = plan["volume"], np.arange(24)
    staffed = np.isin(channel, [CHANNELS.index(name) for name in plan["channels"]["staffed"]])
    opens, closes = (edge % MINUTES_A_DAY // 60 for edge in (days.opens, days.closes - 1))
    at_all_hours = np.where(days.ramadan[:, None], volume["ramadan_by_hour"], volume["by_hour"])
    when_open = at_all_hours * ((hour >= opens[:, None]) & (hour <= closes[:, None]))
    kinds_of_day, row = np.unique(np.concatenate((at_all_hours, when_open)), axis=0, return_inverse=True)
    hours = pick_by(rng, kinds_of_day.astype(np.float64), row.ravel()[day + len(days.number) * staffed])
    return np.asarray(days.number[day] * MINUTES_A_DAY + hours * 60 + rng.integers(0, 60, len(day)), dtype=np.int64)


def make_openings(plan: Table, tickets: int, days: Days, customers: Customers, rng: np.random.Generator) -> Openings:
    """The contacts of the year, follow-ups aside, by time."""
    n = round(tickets / (1 + plan["kinds"]["follow_up"]))
    weights = _day_weights(plan, days, rng)
    cell = pick(rng, weights.ravel(), n)
    language, day = np.divmod(cell, weights.shape[1])
    writer = _writers(customers, language, day, days, rng)
    habit = np.array([shares(plan["channels"][lang], CHANNELS) for lang in LANGUAGES])
    keeps = rng.random(n) < plan["channels"]["habit"]
    channel = np.where(keeps, customers.favourite[writer], pick_by(rng, habit, language))
    topics, priorities = plan["topics"], plan["priorities"]
    found = Openings(
        opened=_minutes(plan, days, day, channel, rng),
        customer=writer,
        language=language,
        channel=channel,
        topic=pick(rng, column(topics, tuple(topics), "share"), n),
        priority=pick(rng, column(priorities, tuple(priorities), "share"), n),
        kind=np.zeros(n, dtype=np.int64),
        follows=np.full(n, NOBODY),
    )
    found = _with_kinds(plan, found, rng)
    return found.rows(np.argsort(found.opened, kind="stable"))


def _with_kinds(plan: Table, found: Openings, rng: np.random.Generator) -> Openings:
    """Some contacts are spam, duplicates that get merged, tests, or an agent's own first message."""
    written = np.isin(found.channel, [CHANNELS.index(name) for name in ("email", "web", "social")])
    odds = np.array([plan["kinds"][name] for name in KINDS[1:]]) / max(written.mean(), 1e-9)
    kind = np.where(written, pick(rng, np.array([1 - odds.sum(), *odds]), len(found)), 0)
    nobody = np.isin(kind, [KINDS.index("spam"), KINDS.index("test")])
    return replace(
        found,
        kind=kind,
        customer=np.where(nobody, NOBODY, found.customer),
        language=np.where(kind == KINDS.index("spam"), LANGUAGES.index("en"), found.language),
        channel=np.where(kind == KINDS.index("outbound"), CHANNELS.index("email"), found.channel),
        priority=np.where(nobody, 1, found.priority),
    )


class Desk:
    """Who takes a ticket: agents of a group who write the customer's language and work in that month."""

    def __init__(self, agents: Agents, rng: np.random.Generator) -> None:
        self.agents, self.rng = agents, rng

    def assign(self, group: Ints, language: Ints, opened: Ints) -> Ints:
        """An agent for each ticket."""
        day = opened // MINUTES_A_DAY
        changes = np.unique(np.concatenate((self.agents.started, self.agents.ended)))
        period = np.searchsorted(changes, day, side="right")
        cell = (group * len(LANGUAGES) + language) * (len(changes) + 1) + period
        chosen = np.zeros(len(group), dtype=np.int64)
        for value in np.unique(cell):
            rows = np.flatnonzero(cell == value)
            one = rows[0]
            here = np.flatnonzero(
                (self.agents.group == group[one])
                & self.agents.speaks[:, language[one]]
                & (self.agents.started <= day[one])
                & (self.agents.ended > day[one])
            )
            chosen[rows] = here[self.rng.integers(0, len(here), len(rows))]
        return chosen
