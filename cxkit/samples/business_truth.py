"""The truth of what lies beside the tickets' own clocks: who stays, who comes again, what it costs."""

from __future__ import annotations

import numpy as np

from cxkit.samples.business import Business
from cxkit.samples.calls import OUTCOMES
from cxkit.samples.costs import KINDS, month_ends
from cxkit.samples.help_centre import ASKED, HELPED, next_contact
from cxkit.samples.helpdesk import HelpDesk
from cxkit.samples.plan import CHANNELS, MINUTES_A_DAY, Bools, Ints
from cxkit.samples.reviews import quality, reviewable
from cxkit.samples.service import Sample
from cxkit.samples.shop import Orders, mood
from cxkit.samples.surveys import NO_ANSWER
from cxkit.samples.tickets import NEVER, REOPENED, SOLVED, TRANSFERRED, WAITING
from cxkit.samples.world import NOBODY

Block = dict[str, object]
FCR_DAYS, REPEAT_DAYS, WINDOW_DAYS = 7, 60, 365
SHORT_SECONDS, ANSWER_SECONDS = 5, 60  # callers who leave sooner count for nothing; the promise to those who stay
PROMISES = {  # minutes by priority, low to urgent: the first reply while the desk is open, the solution on the clock
    "first_reply": (480, 240, 120, 60),
    "resolution": (7200, 4320, 2880, 1440),
}


def business_truth(sample: Sample, desk: HelpDesk, business: Business) -> Block:
    """Planted and complete numbers of first contacts, work, promises, orders, help centre, reviews and costs."""
    return {
        "first_contact": _first_contact(sample),
        "handling": _handling(sample, desk),
        "backlog": _backlog(sample),
        "promises": _promises(sample),
        "priorities": _priorities(sample),
        "invitations": _invitations(sample),
        "retention": _retention(sample),
        "orders": _orders(sample, business.orders),
        "contact_rate": _contact_rate(sample, business.orders),
        "help_centre": _help_centre(sample, business),
        "quality": _quality(sample, business),
        "costs": _costs(sample, business),
    }


def _share(yes: Bools) -> float:
    return float(yes.mean()) if len(yes) else 0.0


def next_ticket(sample: Sample, same_topic: bool = False) -> Ints:
    """When the customer of each ticket opened the next one (of the same topic); NEVER without one."""
    tickets, ours = sample.tickets, np.flatnonzero(sample.of_kind("customer"))
    kin = tickets.customer * 100 + (tickets.topic if same_topic else 0)
    order = ours[np.lexsort((tickets.opened[ours], kin[ours]))]
    later = np.where(kin[order][1:] == kin[order][:-1], tickets.opened[order][1:], NEVER)
    found = np.full(len(tickets), NEVER)
    found[order] = np.append(later, NEVER)
    return found


def _first_contact(sample: Sample) -> Block:
    """Each definition of FCR, for the tickets that were solved early enough to be watched for a week."""
    lives, found, limit = sample.lives, sample.first_contact, MINUTES_A_DAY * FCR_DAYS
    replies = np.bincount(sample.steps.ticket[sample.steps.public], minlength=len(sample.tickets))
    rows = sample.of_kind("customer") & (lives.first_solved < sample.end - limit)
    until = lives.first_solved + limit
    quiet = {"": next_ticket(sample) > until, "_on_topic": next_ticket(sample, same_topic=True) > until}
    back = (lives.reopens > 0) & (lives.reopened <= until)
    told = sample.surveys.fcr[(sample.surveys.answered < sample.end) & (sample.surveys.fcr != NO_ANSWER)]
    definitions = {
        "true": found.solved,
        "one_touch": replies == 1,
        "not_reopened": ~back,
        **{f"no_repeat_contact{name}": still & ~back for name, still in quiet.items()},
        "agent_says": found.agent_says,
        "customer_says": found.customer_says,
    }
    return {
        "tickets": int(rows.sum()),
        "possible": _share(found.possible[rows]),
        **{name: _share(yes[rows]) for name, yes in definitions.items()},
        "true_where_possible": _share(found.solved[rows & found.possible]),
        "customer_says_among_answers": _share(told == 1),
    }


def _handling(sample: Sample, desk: HelpDesk) -> Block:
    """Mean seconds of work on a contact: of answered calls talk and writing, of tickets all steps to the end.

    `ticket_timed` is what the timer shows where it was started, left running or not.
    """
    calls, rows = sample.calls, sample.of_kind("customer")
    taken = calls.outcome == OUTCOMES.index("answered")
    work = np.bincount(sample.steps.ticket, weights=sample.work, minlength=len(sample.tickets))
    moved = (
        np.bincount(sample.steps.ticket, weights=sample.steps.activity == TRANSFERRED, minlength=len(sample.tickets))
        > 0
    )
    found: Block = {
        "call": float((calls.talk + calls.wrap)[taken].mean()) if taken.any() else 0.0,
        "call_talk": float(calls.talk[taken].mean()) if taken.any() else 0.0,
        "call_transferred": _share(calls.transferred[taken]),
        "ticket_transferred": _share(moved[rows]),
        "ticket": float(work[rows].mean()),
        "ticket_timed": float(desk.touch[rows & (desk.touch < NEVER)].mean()),
    }
    for code, name in enumerate(CHANNELS):
        here = rows & (sample.tickets.channel == code)
        found |= {f"ticket_{name}": float(work[here].mean())} if here.any() else {}
    return found


def _backlog(sample: Sample) -> Block:
    """Customers' tickets that were open at the end of each month; a reopened one is open again."""
    steps, ours = sample.steps, sample.of_kind("customer")
    mine = ours[steps.ticket]
    opened = np.concatenate((sample.tickets.opened[ours], steps.at[mine & (steps.activity == REOPENED)]))
    solved = steps.at[mine & (steps.activity == SOLVED)]
    ends = month_ends(sample)
    names = [str(np.datetime64(end - 1, "m").astype("datetime64[M]")) for end in ends.tolist()]
    waiting = [int((opened < end).sum() - (solved < end).sum()) for end in ends.tolist()]
    return {"month_end": dict(zip(names, waiting, strict=True))}


def _promises(sample: Sample) -> Block:
    """Shares of promises kept, by the priority at the opening; by the latest priority it looks worse."""
    lives, opened, rows = sample.lives, sample.tickets.opened, sample.of_kind("customer")
    last = sample.tickets.priority.copy()
    last[sample.priorities.ticket] = sample.priorities.priority
    waited = {
        "first_reply": sample.clock.between(opened, np.where(rows, lives.replied, opened)),
        "resolution": lives.first_solved - opened - _asked(sample),
    }
    found: Block = {}
    for name, minutes in waited.items():
        here = rows & (sample.tickets.channel != CHANNELS.index("self_service")) if name == "first_reply" else rows
        for judged, priority in (("", sample.tickets.priority), ("_by_latest_priority", last)):
            found[name + judged] = _share((minutes <= np.array(PROMISES[name])[priority])[here])
    return found


def _asked(sample: Sample) -> Ints:
    """Minutes for which each ticket waited for its customer."""
    steps = sample.steps
    rows = np.flatnonzero(steps.activity == WAITING)  # never the last step of a life
    spans = steps.at[rows + 1] - steps.at[rows]
    return np.bincount(steps.ticket[rows], weights=spans, minlength=len(sample.tickets)).astype(np.int64)


def _priorities(sample: Sample) -> Block:
    raised = np.bincount(sample.priorities.ticket, minlength=len(sample.tickets)) > 1
    return {**sample.plan["priority_raises"], "raised_share": _share(raised[sample.of_kind("customer")])}


def _invitations(sample: Sample) -> Block:
    """Of the tickets that a survey was due for, how many were asked; of the asked, how many looked and answered."""
    due = sample.of_kind("customer") & (
        sample.lives.first_solved + 60 * sample.plan["survey"]["after_hours"] < sample.end
    )
    asked = sample.surveys.rows(sample.surveys.sent < sample.end)
    return {
        "coverage": len(asked.ticket) / max(int(due.sum()), 1),
        "viewed_share": _share(asked.viewed < sample.end),
        "answered_share": _share(asked.answered < sample.end),
    }


# --- the shop ---


def _retention(sample: Sample) -> Block:
    people, first, last = sample.customers, sample.start // MINUTES_A_DAY, sample.end // MINUTES_A_DAY
    there = people.since < first
    left = there & (people.left < last)
    return {
        "at_start": int(there.sum()),
        "left": int(left.sum()),
        "at_end": int(((people.since < last) & (people.left >= last)).sum()),
        "share": 1 - _share(left[there]),
        "monthly_leaving": sample.plan["size"]["monthly_leaving"],
    }


def _orders(sample: Sample, orders: Orders) -> Block:
    """Orders that stand, and how many were followed by another soon, whatever the end of the data."""
    stands = orders.rows(~orders.cancelled)
    mine = stands.rows(stands.customer != NOBODY)
    order = np.lexsort((mine.at, mine.customer))
    same = mine.customer[order][1:] == mine.customer[order][:-1]
    later = np.full(len(order), NEVER)
    later[order] = np.append(np.where(same, mine.at[order][1:], NEVER), NEVER)
    again = later - mine.at <= MINUTES_A_DAY * REPEAT_DAYS
    seen, felt = mine.at < sample.end, mood(sample, mine.customer, mine.at)
    kinds = sample.plan["orders"]["after_service"]
    in_window = stands.at < sample.end
    return {
        "orders": int(in_window.sum()),
        "amount": float(stands.amount[in_window].sum() / 100),
        "guests": int((in_window & (stands.customer == NOBODY)).sum()),
        "buyers": len(np.unique(mine.customer[seen])),
        f"again_within_{REPEAT_DAYS}_days": _share(again[seen]),
        "factor_after_service": dict(kinds),
        "again_after": {name: _share(again[seen & (felt == x)]) for name, x in kinds.items()},
    }


def _contact_rate(sample: Sample, orders: Orders) -> Block:
    """Contacts per order, and per customer who is still one."""
    opened = sample.tickets.opened[sample.of_kind("customer")]
    bought = orders.at[~orders.cancelled & (orders.at < sample.end)]
    here, last = int((sample.customers.left * MINUTES_A_DAY >= sample.end).sum()), month_ends(sample)[-2]
    return {
        "per_order": len(opened) / max(len(bought), 1),
        "per_order_last_month": int((opened >= last).sum()) / max(int((bought >= last).sum()), 1),
        "per_customer": len(opened) / max(here, 1),
    }


def _help_centre(sample: Sample, business: Business) -> Block:
    """What is told by visits of known customers that could be watched for two days, and what was so."""
    visits = business.visits.rows(~business.visits.crawler)
    watched = visits.known & (visits.started < sample.end - 2 * MINUTES_A_DAY)
    wait, opened = next_contact(sample, visits), int(sample.of_kind("customer").sum())
    asking = np.isin(visits.outcome, (ASKED, HELPED))
    return {
        "visits": len(visits.started),
        "known": int(visits.known.sum()),
        "helps": sample.plan["help_centre"]["helps"],
        "helped_share": _share((visits.outcome == HELPED)[watched]),
        "helped_share_of_questions": _share((visits.outcome == HELPED)[asking]),
        "no_ticket_within_24_hours": _share((wait > MINUTES_A_DAY)[watched]),
        "no_ticket_within_48_hours": _share((wait > 2 * MINUTES_A_DAY)[watched]),
        "visits_per_ticket": len(visits.started) / max(opened, 1),
        "share_of_contacts": len(visits.started) / max(len(visits.started) + opened, 1),
    }


def _quality(sample: Sample, business: Business) -> Block:
    reviews, true = business.reviews, quality(sample)
    score = reviews.score / 100
    once, size = np.unique(reviews.ticket, return_counts=True)
    return {
        "mean": float(true[reviewable(sample)].mean()),
        "leaning": sample.plan["reviews"]["leaning"],
        "reviewer_sd": sample.plan["reviews"]["reviewer_sd"],
        "reviews": len(score),
        "tickets": len(once),
        "twice": int((size > 1).sum()),
        "weighted_mean": float((score * reviews.weight).sum() / reviews.weight.sum()),
        "unweighted_mean": float(score.mean()),
    }


def _costs(sample: Sample, business: Business) -> Block:
    postings = business.postings
    money = postings.amount / 100
    opened = np.bincount(sample.tickets.channel[sample.of_kind("customer")], minlength=len(CHANNELS))
    direct = np.bincount(postings.channel[postings.channel >= 0], money[postings.channel >= 0], len(CHANNELS))
    return {
        "total": float(money.sum()),
        **{kind: float(money[postings.kind == code].sum()) for code, kind in enumerate(KINDS)},
        "per_contact": float(money.sum() / opened.sum()),
        "direct_per_contact": {
            name: float(direct[code] / opened[code]) for code, name in enumerate(CHANNELS) if opened[code]
        },
    }
