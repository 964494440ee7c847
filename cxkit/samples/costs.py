"""What the service costs: postings at the end of each month, wages by where the work of the month went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxkit.samples.calls import OUTCOMES
from cxkit.samples.plan import CHANNELS, MINUTES_A_DAY, Floats, Ints
from cxkit.samples.service import Sample
from cxkit.samples.world import NOBODY

KINDS = ("salaries", "tools", "telephony")


@dataclass(frozen=True, eq=False)
class Postings:
    """One row a posting, by day; NOBODY where it belongs to no one channel or team."""

    day: Ints  # days since 1970
    kind: Ints  # position in KINDS
    channel: Ints
    team: Ints
    amount: Ints  # halalas; a credit note is negative


def month_ends(sample: Sample) -> Ints:
    """The first minute after each month of the window."""
    first, last = (np.datetime64(minute, "m").astype("datetime64[M]") for minute in (sample.start, sample.end))
    months = np.arange(first + 1, last + 1)
    return np.asarray(months.astype("datetime64[m]").astype(np.int64), dtype=np.int64)


def make_postings(sample: Sample) -> Postings:
    """Wages of those employed at the end of the month, tools, telephone."""
    ends = month_ends(sample)
    rows: list[tuple[int, int, int, int, int]] = []
    for month, end in enumerate(ends.tolist()):
        begin = sample.start if month == 0 else int(ends[month - 1])
        day = end // MINUTES_A_DAY - 1
        rows += [(day, 0, channel, team, amount) for team, channel, amount in _wages(sample, begin, end, day)]
        rows += [(day, 1, NOBODY, NOBODY, amount) for amount in _tools(sample, month, day)]
        rows += [(day, 2, CHANNELS.index("phone"), NOBODY, amount) for amount in _telephone(sample, month, begin, end)]
    return Postings(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))


def _employed(sample: Sample, day: int) -> Ints:
    return np.flatnonzero((sample.agents.started <= day) & (sample.agents.ended > day))


def _wages(sample: Sample, begin: int, end: int, day: int) -> list[tuple[int, int, int]]:
    """Team, channel and halalas: the team's wages, spread as its seconds of work of the month were."""
    part, agents, steps = sample.plan["costs"], sample.agents, sample.steps
    wage = np.array(part["monthly_wage"])[agents.tier - 1]
    here = _employed(sample, day)
    rows = (steps.at >= begin) & (steps.at < end) & (steps.who >= 0)
    team, channel = agents.group[steps.who[rows]], sample.tickets.channel[steps.ticket[rows]]
    work = np.zeros((len(agents.groups), len(CHANNELS)))
    np.add.at(work, (team, channel), sample.work[rows])
    found = []
    for code in range(len(agents.groups)):
        total = 100 * wage[here[agents.group[here] == code]].sum()
        spent: Floats = work[code]
        if not spent.sum():
            found.append((code, NOBODY, int(total)))
            continue
        upto = np.rint(total * np.cumsum(spent) / spent.sum()).astype(np.int64)
        parts = np.diff(upto, prepend=0).tolist()
        found += [(code, where, amount) for where, amount in enumerate(parts) if amount]
    return found


def _tools(sample: Sample, month: int, day: int) -> list[int]:
    """A fee for each seat, and once a year the help desk itself."""
    part = sample.plan["costs"]
    seats = round(100 * part["seat"] * len(_employed(sample, day)))
    return [seats, round(100 * part["help_desk_a_year"])] if month == part["help_desk_in_month"] - 1 else [seats]


def _telephone(sample: Sample, month: int, begin: int, end: int) -> list[int]:
    """Lines and minutes, and once money back."""
    part, calls = sample.plan["costs"], sample.calls
    answered = calls.outcome == OUTCOMES.index("answered")
    here = answered & (calls.arrived >= 60 * begin) & (calls.arrived < 60 * end)
    bill = round(100 * (part["lines"] + part["minute"] * calls.talk[here].sum() / 60))
    return [bill, -round(100 * part["credit_note"])] if month == part["credit_note_in_month"] - 1 else [bill]
