"""The desk's own exports: tickets as Zendesk writes them, the change log, customers and agents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cxkit.samples import cells
from cxkit.samples.helpdesk import RATINGS, STATUSES, HelpDesk, Waited
from cxkit.samples.plan import CHANNELS, LANGUAGES, MINUTES_A_DAY, Bools, Ints, phrases, stream
from cxkit.samples.service import Sample
from cxkit.samples.tickets import ACTIVITIES, NEVER, SYSTEM
from cxkit.samples.world import FAR, NOBODY

Faults = dict[str, int]  # what was spoiled on purpose, by kind
FIRST_TICKET = 100_001
LANGUAGE_WORDS = ("Arabic", "Persian", "English")
_VIA = {
    "email": ("Mail",),
    "web": ("Web form",),
    "phone": ("Phone call (inbound)",),
    "chat": ("Chat",),
    "social": ("Twitter", "Instagram", "Facebook Post"),  # one per language
    "in_person": ("In person",),
    "self_service": ("Help Center",),
}
_TYPES = {"information": "Question", "login": "Incident", "app": "Incident"}


def ticket_ids(rows: Ints) -> list[str]:
    """Ticket numbers of these positions; empty for NOBODY."""
    return ["" if row == NOBODY else str(FIRST_TICKET + row) for row in rows.tolist()]


def customer_ids(rows: Ints) -> list[str]:
    """Customer numbers of these positions; empty for NOBODY."""
    return ["" if row == NOBODY else f"C{row + 1:05d}" for row in rows.tolist()]


def agent_ids(rows: Ints) -> list[str]:
    """Agent numbers of these positions; "System" for the automation, empty for everybody else."""
    return ["System" if row == SYSTEM else "" if row < 0 else f"A{row + 1:02d}" for row in rows.tolist()]


def customer_names(sample: Sample) -> list[str]:
    """An invented name for each customer, in the script of the language they write."""
    rng, table = stream(sample.seed, "names"), phrases()["names"]
    draws = rng.random((len(sample.customers.language), 2)).tolist()
    names = []
    for language, (a, b) in zip(sample.customers.language.tolist(), draws, strict=True):
        given, family = (table[LANGUAGES[language]][part] for part in ("given", "family"))
        names.append(f"{given[int(a * len(given))]} {family[int(b * len(family))]}")
    return names


def write_tickets(sample: Sample, desk: HelpDesk, names: list[str], folder: Path) -> Faults:
    """tickets.csv: the header of a Zendesk ticket export, account time without offset, UTF-8 with a byte order mark."""
    rng, mess = stream(sample.seed, "mess tickets"), sample.plan["mess"]
    columns = {**_identity(sample, desk, names), **_times(sample, desk), **_metrics(desk), **_own_fields(sample, desk)}
    most = mess["unreadable_cells"]["tickets"]
    columns["Initially assigned at"], unreadable = cells.spoiled(columns["Initially assigned at"], rng, most)
    cells.write_csv(folder / "tickets.csv", columns, "utf-8-sig")
    return {"unreadable_cells": unreadable}


def _identity(sample: Sample, desk: HelpDesk, names: list[str]) -> dict[str, list[str]]:
    """Who, through which channel, about what."""
    tickets, n = sample.tickets, len(sample.tickets)
    spam, test, outbound = (sample.of_kind(kind).tolist() for kind in ("spam", "test", "outbound"))
    customer, owner = tickets.customer.tolist(), cells.codes(desk.agent, sample.agents.name)
    opener = cells.codes(sample.lives.first_agent, sample.agents.name)
    requester, email, number = [], [], []
    for i in range(n):
        if customer[i] >= 0:
            requester.append(names[customer[i]])
            email.append(f"customer{customer[i] + 1}@example.com")
            number.append(str(360_000_001 + customer[i]))
        else:
            requester.append(opener[i] if test[i] else "Unknown sender")
            email.append("desk@shop.example" if test[i] else f"offer{i}@example.net")
            number.append("350000001" if test[i] else str(370_000_001 + i))
    return {
        "Summation column": [str(i + 1) for i in range(n)],
        "Id": ticket_ids(np.arange(n)),
        "Requester": requester,
        "Requester id": number,
        "Requester external id": customer_ids(tickets.customer),
        "Requester email": email,
        "Requester domain": [address.split("@")[1] for address in email],
        "Submitter": [opener[i] if outbound[i] or test[i] else requester[i] for i in range(n)],
        "Assignee": owner,
        "Group": cells.codes(desk.group, sample.agents.groups),
        "Subject": _subjects(sample),
        "Tags": _tags(sample, desk, spam, test),
        "Status": [name.capitalize() for name in cells.codes(desk.status, STATUSES)],
        "Priority": [name.capitalize() for name in cells.codes(desk.priority, tuple(sample.plan["priorities"]))],
        "Via": _via(sample),
        "Ticket type": [
            _TYPES.get(name, "Problem") for name in cells.codes(tickets.topic, tuple(sample.plan["topics"]))
        ],
    }


def _subjects(sample: Sample) -> list[str]:
    rng, table = stream(sample.seed, "subjects"), phrases()
    topics, spam = tuple(sample.plan["topics"]), sample.of_kind("spam").tolist()
    found = []
    rows = zip(
        sample.tickets.language.tolist(), sample.tickets.topic.tolist(), spam, rng.random(len(spam)), strict=True
    )
    for language, topic, is_spam, draw in rows:
        name = LANGUAGES[language]
        choices = table["spam"][name] if is_spam else table["subjects"][name][topics[topic]]
        found.append(choices[int(draw * len(choices))])
    return found


def _tags(sample: Sample, desk: HelpDesk, spam: list[bool], test: list[bool]) -> list[str]:
    topics = cells.codes(sample.tickets.topic, tuple(sample.plan["topics"]))
    merged = (sample.of_kind("merged") & (desk.solved < NEVER)).tolist()
    follow = (sample.of_kind("customer") & (sample.tickets.follows != NOBODY)).tolist()
    flags = {"spam": spam, "test": test, "closed_by_merge": merged, "escalated": desk.escalated.tolist()}
    flags["follow_up"] = follow
    return [
        " ".join([*([] if spam[i] else [topics[i]]), *(tag for tag, rows in flags.items() if rows[i])])
        for i in range(len(topics))
    ]


def _via(sample: Sample) -> list[str]:
    names = [_VIA[channel] for channel in CHANNELS]
    rows = zip(sample.tickets.channel.tolist(), sample.tickets.language.tolist(), strict=True)
    return [names[channel][language % len(names[channel])] for channel, language in rows]


def _times(sample: Sample, desk: HelpDesk) -> dict[str, list[str]]:
    solved, opened = desk.solved, sample.tickets.opened
    empty = [""] * len(opened)
    return {
        "Created at": cells.local_times(opened),
        "Updated at": cells.local_times(desk.updated),
        "Assigned at": cells.local_times(desk.assigned),
        "Organization": empty,
        "Due date": empty,
        "Initially assigned at": cells.local_times(desk.first_assigned),
        "Solved at": cells.local_times(solved),
        "Resolution time": cells.numbers(np.where(solved < NEVER, (solved - opened) // 60, NEVER)),
    }


def _metrics(desk: HelpDesk) -> dict[str, list[str]]:
    found = {
        "Satisfaction Score": [name.capitalize() for name in cells.codes(desk.rating, RATINGS)],
        "Group stations": cells.numbers(desk.group_stations),
        "Assignee stations": cells.numbers(desk.agent_stations),
        "Reopens": cells.numbers(desk.reopens),
        "Replies": cells.numbers(desk.replies),
    }
    waits: dict[str, Waited] = {
        "First reply time": desk.first_reply,
        "First resolution time": desk.first_resolution,
        "Full resolution time": desk.full_resolution,
        "Agent wait time": desk.agent_wait,
        "Requester wait time": desk.requester_wait,
        "On hold time": desk.on_hold,
    }
    for name, wait in waits.items():
        found[f"{name} in minutes"] = cells.numbers(wait.clock)
        found[f"{name} in minutes within business hours"] = cells.numbers(wait.working)
    return found


def _own_fields(sample: Sample, desk: HelpDesk) -> dict[str, list[str]]:
    """The team's custom fields; some order amounts are typed in the customer's own digits."""
    tickets, rng = sample.tickets, stream(sample.seed, "orders")
    amount = np.ceil(20 + 180 * rng.exponential(1.0, len(tickets))).astype(np.int64)
    native = rng.random(len(tickets)) < sample.plan["mess"]["native_digits_share"]
    spam = sample.of_kind("spam")
    amounts = cells.numbers(np.where(spam | sample.of_kind("test"), NEVER, amount))
    merged = np.where(sample.of_kind("merged") & (desk.solved < NEVER), tickets.follows, NOBODY)
    asked = sample.of_kind("customer") & (desk.first_solved < NEVER)  # a form asks the agent who solves a ticket
    return {
        "Contact reason [list]": cells.codes(np.where(spam, -1, tickets.topic), tuple(sample.plan["topics"])),
        "Language [list]": cells.codes(tickets.language, LANGUAGE_WORDS),
        "Agent id [txt]": agent_ids(desk.agent),
        "Order amount [int]": cells.in_native_digits(amounts, tickets.language, native),
        "Call id [txt]": call_ids_of_tickets(sample),
        "Merged into [int]": ticket_ids(merged),
        "Follow-up of [int]": ticket_ids(np.where(sample.of_kind("customer"), tickets.follows, NOBODY)),
        "Total time spent (sec) [int]": cells.numbers(desk.touch),
        "Solved at first contact [flag]": _ticked(sample.first_contact.agent_says, asked),
        "Could be solved at first contact [flag]": _ticked(sample.first_contact.possible, asked),
    }


def _ticked(yes: Bools, asked: Bools) -> list[str]:
    return [("1" if flag else "0") if there else "" for flag, there in zip(yes.tolist(), asked.tolist(), strict=True)]


def call_ids(sample: Sample) -> list[str]:
    """Asterisk's unique ids: the second (UTC) in which the call came in, and a counter."""
    offset = 3600 * sample.plan["window"]["utc_offset_hours"]
    return [f"{second - offset}.{i + 1}" for i, second in enumerate(sample.calls.arrived.tolist())]


def call_ids_of_tickets(sample: Sample) -> list[str]:
    """The call of each phone ticket; empty for the others."""
    found = [""] * len(sample.tickets)
    for ticket, call in zip(sample.calls.ticket.tolist(), call_ids(sample), strict=True):
        if ticket != NOBODY:
            found[ticket] = call
    return found


def write_events(sample: Sample, desk: HelpDesk, folder: Path) -> Faults:
    """events.csv: every step of every ticket so far, in local time with its offset."""
    rng, mess, steps = stream(sample.seed, "mess events"), sample.plan["mess"], desk.steps
    group = np.where(steps.who >= 0, sample.agents.group[np.maximum(steps.who, 0)], NOBODY)
    at = cells.local_times(steps.at, glue="T", ending=f":00+{sample.plan['window']['utc_offset_hours']:02d}:00")
    at, unreadable = cells.spoiled(at, rng, mess["unreadable_cells"]["events"])
    columns = {
        "Case ID": ticket_ids(steps.ticket),
        "Order": cells.numbers(desk.order),
        "Activity": cells.codes(steps.activity, ACTIVITIES),
        "Timestamp": at,
        "Resource": agent_ids(steps.who),
        "Group": cells.codes(group, sample.agents.groups),
    }
    columns, repeats = cells.repeated(columns, rng, mess["duplicate_rows"]["events"])
    cells.write_csv(folder / "events.csv", columns)
    return {"unreadable_cells": unreadable, "duplicate_rows": repeats}


def write_customers(sample: Sample, names: list[str], folder: Path) -> Faults:
    """customers.csv: in the code page of Arabic Windows, which has no Persian yeh."""
    customers, n = sample.customers, len(sample.customers.language)
    rng, mess = stream(sample.seed, "mess customers"), sample.plan["mess"]
    today = sample.end // MINUTES_A_DAY
    since = cells.dates(customers.since, np.ones(n, dtype=bool))
    since, unreadable = cells.spoiled(since, rng, mess["unreadable_cells"]["customers"])
    columns = {
        "Customer ID": customer_ids(np.arange(n)),
        "Customer name": [name.replace("ی", "ي") for name in names],
        "Customer since": since,
        "Left on": cells.dates(customers.left, customers.left < today),
        "Language": cells.codes(customers.language, LANGUAGE_WORDS),
        "Segment": ["Business" if business else "Private" for business in customers.business.tolist()],
    }
    cells.write_csv(folder / "customers.csv", columns, "cp1256")
    return {"unreadable_cells": unreadable}


def write_agents(sample: Sample, folder: Path) -> None:
    """agents.csv: the team."""
    agents, n = sample.agents, len(sample.agents.name)
    first_day = sample.start // MINUTES_A_DAY
    started = np.where(agents.started > -FAR, agents.started, first_day - 200 - 37 * np.arange(n))
    columns = {
        "Agent ID": agent_ids(np.arange(n)),
        "Name": list(agents.name),
        "Group": cells.codes(agents.group, agents.groups),
        "Tier": cells.numbers(agents.tier),
        "Started on": cells.dates(started, np.ones(n, dtype=bool)),
        "Ended on": cells.dates(agents.ended, agents.ended < FAR),
        "Languages": [
            " ".join(lang for lang, speaks in zip(LANGUAGES, row, strict=True) if speaks)
            for row in agents.speaks.tolist()
        ],
    }
    cells.write_csv(folder / "agents.csv", columns)
