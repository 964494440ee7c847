"""The exports of the other systems: shop, quality desk, help centre, books, and the help desk's list of priorities."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cxkit.samples import cells
from cxkit.samples.business import Business
from cxkit.samples.costs import Postings
from cxkit.samples.exports import Faults, agent_ids, customer_ids, ticket_ids
from cxkit.samples.help_centre import Visits
from cxkit.samples.plan import LANGUAGES, Ints, stream
from cxkit.samples.reviews import Reviews
from cxkit.samples.service import Sample
from cxkit.samples.shop import Orders
from cxkit.samples.tickets import NEVER
from cxkit.samples.world import NOBODY

_LOCALES = ("ar-SA", "fa-IR", "en-US")
_LEDGER_CHANNELS = ("E-mail", "Web form", "Phone", "Chat", "Social media", "In person", "Self-service")
_LEDGER_KINDS = ("Salaries", "Tools", "Telephony")


def write_records(sample: Sample, business: Business, folder: Path) -> dict[str, Faults]:
    """Every file of the other systems, and what was spoiled in each."""
    _write_costs(sample, business.postings, folder)
    write_changes(sample, folder)
    return {
        "orders": _write_orders(sample, business.orders, folder),
        "qa_reviews": _write_reviews(sample, business.reviews, folder),
        "help_centre": _write_visits(sample, business.visits, folder),
        "priority_changes": _write_priorities(sample, folder),
    }


def _spoil(sample: Sample, name: str, texts: list[str]) -> tuple[list[str], Faults]:
    most = sample.plan["mess"]["unreadable_cells"][name]
    found, size = cells.spoiled(texts, stream(sample.seed, f"mess {name}"), most)
    return found, {"unreadable_cells": size}


def _money(halalas: Ints) -> list[str]:
    return [f"{amount // 100:,}.{amount % 100:02d}" for amount in halalas.tolist()]


def _write_orders(sample: Sample, orders: Orders, folder: Path) -> Faults:
    """orders.csv: every order of the year, the cancelled ones too; thousands are grouped."""
    found, part = orders.rows(orders.at < sample.end), sample.plan["orders"]
    total, faults = _spoil(sample, "orders", _money(found.amount))
    n = len(total)
    columns = {
        "Order ID": [f"SO-{100_001 + i}" for i in range(n)],
        "Customer ID": customer_ids(found.customer),
        "Ordered at": cells.local_times(found.at, ending=f":00 +{sample.plan['window']['utc_offset_hours']:02d}00"),
        "Total": total,
        "Currency": [part["currency"]] * n,
        "Channel": cells.codes(found.channel, tuple(part["channels"])),
        "Status": ["Cancelled" if cancelled else "Completed" for cancelled in found.cancelled.tolist()],
    }
    cells.write_csv(folder / "orders.csv", columns)
    return faults | {"cancelled": int(found.cancelled.sum())}


def _write_reviews(sample: Sample, reviews: Reviews, folder: Path) -> Faults:
    """qa_reviews.csv: as a spreadsheet saves "Unicode text", UTF-16 with tabs; scores in percent."""
    score, faults = _spoil(sample, "qa_reviews", [f"{percent}%" for percent in reviews.score.tolist()])
    columns = {
        "Review ID": [f"QA{1001 + i}" for i in range(len(score))],
        "Ticket ID": ticket_ids(reviews.ticket),
        "Agent ID": agent_ids(sample.lives.last_agent[reviews.ticket]),
        "Reviewer": [f"Q{code + 1}" for code in reviews.reviewer.tolist()],
        "Reviewed at": cells.local_times(reviews.at),
        "Score": score,
        "Sampling weight": [f"{weight:.4f}" for weight in reviews.weight.tolist()],
    }
    cells.write_csv(folder / "qa_reviews.csv", columns, "utf-16-le", separator="\t")
    return faults


def _write_visits(sample: Sample, visits: Visits, folder: Path) -> Faults:
    """help_centre.csv: visits in UTC, without a customer where nobody had logged in; machines among them."""
    offset, n = 60 * sample.plan["window"]["utc_offset_hours"], len(visits.started)
    person = ~visits.crawler
    language = sample.customers.language[visits.customer]
    ended = visits.started + visits.minutes
    started, faults = _spoil(sample, "help_centre", cells.local_times(visits.started - offset, "T", ":00Z"))
    columns = {
        "Session ID": [f"HC{200_001 + i}" for i in range(n)],
        "Customer ID": customer_ids(np.where(visits.known & person, visits.customer, NOBODY)),
        "Started at": started,
        "Ended at": cells.local_times(np.where(ended < sample.end, ended - offset, NEVER), "T", ":00Z"),
        "Locale": cells.codes(np.where(person, language, LANGUAGES.index("en")), _LOCALES),
        "Articles viewed": cells.numbers(visits.articles),
        "Searches": cells.numbers(visits.searches),
        "Visitor": ["Person" if human else "Crawler" for human in person.tolist()],
    }
    cells.write_csv(folder / "help_centre.csv", columns)
    return faults | {"crawlers": int(visits.crawler.sum())}


def _write_costs(sample: Sample, postings: Postings, folder: Path) -> None:
    """costs.csv: the books of the department; days first, semicolons, credit notes in brackets."""
    days = postings.day.astype("datetime64[D]").astype(object).tolist()
    sums = zip(_money(np.abs(postings.amount)), (postings.amount < 0).tolist(), strict=True)
    columns = {
        "Booked on": [f"{day:%d/%m/%Y}" for day in days],
        "Cost type": cells.codes(postings.kind, _LEDGER_KINDS),
        "Channel": cells.codes(postings.channel, _LEDGER_CHANNELS),
        "Team": cells.codes(postings.team, sample.agents.groups),
        "Amount": [f"({text})" if credit else text for text, credit in sums],
        "Currency": [sample.plan["orders"]["currency"]] * len(days),
    }
    cells.write_csv(folder / "costs.csv", columns, "utf-8-sig", separator=";")


def _write_priorities(sample: Sample, folder: Path) -> Faults:
    """priority_changes.csv: the history of one field, as a help desk keeps it."""
    found = sample.priorities.rows(sample.priorities.at < sample.end)
    names = tuple(name.capitalize() for name in sample.plan["priorities"])
    new = cells.codes(found.priority, names)
    first = np.append(True, found.ticket[1:] != found.ticket[:-1]).tolist()
    at, faults = _spoil(sample, "priority_changes", cells.local_times(found.at))
    columns = {
        "Ticket ID": ticket_ids(found.ticket),
        "Changed at": at,
        "Old priority": ["" if begun else new[i - 1] for i, begun in enumerate(first)],
        "New priority": new,
    }
    cells.write_csv(folder / "priority_changes.csv", columns)
    return faults


def write_changes(sample: Sample, folder: Path) -> None:
    """changes.csv: what the team changed in its way of working, and what it means to change."""
    plan = sample.plan["changes"]
    columns = {
        "Change ID": list(plan),
        "Date": [change["on"].isoformat() for change in plan.values()],
        "Change": [change["name"] for change in plan.values()],
        "Kind": [change["kind"] for change in plan.values()],
        "Column": ["channel"] * len(plan),
        "Value": [change["channel"] for change in plan.values()],
    }
    cells.write_csv(folder / "changes.csv", columns)
