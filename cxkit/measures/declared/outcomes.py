"""How tickets end: solved at the first contact, back again, passed to a higher level."""

from __future__ import annotations

import dataclasses
from typing import Any

from cxkit.lang import Coded, Several
from cxkit.measures.declared.given import Given, Rivals, default_first
from cxkit.measures.declared.satisfaction import scored_item
from cxkit.measures.kinds import Measure, Ratio, Share

SOLVED = "first_solved_at is not None"
_FCR_DAYS, _RETURN_DAYS, _ESCALATION_DAYS = 7, 30, 14


def outcomes(given: Given) -> tuple[Rivals, ...]:
    """FCR, the family of returns, and escalation.

    FCR and return rate are no complements: they watch for 7 and for 30 days.
    """
    return first_contact(given), *_returns(given), _escalation(given)


def first_contact(given: Given) -> Rivals:
    """First contact resolution in the definitions in use (K08).

    Gross ones speak of all solved tickets, net ones of those that could have been solved at the first contact. All of
    them watch a ticket for the same days, so that they speak of the same tickets.
    """
    once = _once(given)
    seen = _counted(given) or given.offers("tickets", "reopened_at")
    stayed, unseen = (f"({once}) and ", ()) if seen else ("", ("reopened_unseen",))
    silent = f"next_contact_at is None or next_contact_at > first_solved_at + days({_FCR_DAYS})"
    no_topic = silent.replace("next_contact_at", "next_same_topic_at")
    known = "customer_id is not None"
    definitions = (
        ("counted" if _counted(given) else "no_reopen", once, "", ()),
        ("one_touch", "replies == 1", "", ("later_trouble",)),
        ("one_agent", f"agent_stations == 1 and ({once})", "", ()),
        ("no_repeat", f"{stayed}({silent})", known, ("same_customer", "other_matter", *unseen)),
        (
            "no_repeat_topic",
            f"{stayed}({no_topic})",
            f"{known} and topic is not None",
            ("same_customer", "topic_given", *unseen),
        ),
        ("agent_flagged", "solved_first_contact", "", ("agent_says",)),
    )
    gross = tuple(
        Share(
            "fcr",
            where=where,
            among=" and ".join(filter(None, (SOLVED, also))),
            at="first_solved_at",
            follow_up_days=_FCR_DAYS,
            better="higher",
            variant=variant,
            family="return",
            caveats=caveats,
        )
        for variant, where, also, caveats in definitions
    )
    reported = dataclasses.replace(scored_item(given, "fcr", (0, 1), (1,)), variant="reported", family="return")
    net = (
        dataclasses.replace(
            each,
            among=f"{each.among} and resolvable",
            variant=f"{each.variant}_net",
            caveats=(*each.caveats, "resolvable_judged"),
        )
        for each in gross
    )
    return *gross, reported, *net


def _counted(given: Given) -> bool:
    """Without the moment of the reopening, its recorded number stands in ("any reopening up to `as_of`")."""
    return not given.offers("tickets", "reopened_at") and given.offers("tickets", "reopens")


def _once(given: Given) -> str:
    late = f"reopened_at > first_solved_at + days({_FCR_DAYS})"
    return "reopens == 0" if _counted(given) else f"reopened_at is None or {late}"


def _within(column: str) -> str:
    return f"({column} is not None and {column} <= first_solved_at + days({_RETURN_DAYS}))"


def _returns(given: Given) -> tuple[Rivals, ...]:
    """Return rate, reopenings per ticket, follow-up tickets and repeat contacts, each within the same days."""
    shared: dict[str, Any] = {
        "among": SOLVED,
        "at": "first_solved_at",
        "better": "lower",
        "family": "return",
    }
    watched: dict[str, Any] = {**shared, "follow_up_days": _RETURN_DAYS}
    settled = f"{SOLVED} and first_solved_at <= as_of - days({_RETURN_DAYS})"
    per_ticket = Ratio(
        "reopens_per_ticket",
        top="reopens",
        unit="number",
        **{**shared, "among": settled},
        caveats=("thanks",),
        facts=(("days", _RETURN_DAYS),),
    )
    followed = Share("follow_up_rate", where=_within("followed_up_at"), **watched, caveats=("follow_up_outside",))
    repeated = Share(
        "repeat_contact_rate",
        where=_within("next_contact_at"),
        **{**watched, "among": f"{SOLVED} and customer_id is not None"},
        caveats=("same_customer", "other_matter"),
    )
    return _return_rate(given, watched), (per_ticket,), (followed,), (repeated,)


def _return_rate(given: Given, watched: dict[str, Any]) -> Rivals:
    """Solved tickets that came back: reopened, or in any of the ways that the data can tell."""
    counted = _counted(given)
    reopened = "reopens > 0" if counted else _within("reopened_at")
    ways = {
        "reopened": (reopened, ("tickets", "reopened_at")),
        "followed_up": (_within("followed_up_at"), ("tickets", "follow_up_of")),
        "contacted": (_within("next_contact_at"), ("tickets", "customer_id")),
    }
    told = {way: where for way, (where, need) in ways.items() if given.offers(*need) or (way == "reopened" and counted)}
    if not told:
        told = {"reopened": reopened}
    return (
        Share(
            "return_rate",
            where=reopened,
            **watched,
            variant="counted" if counted else "reopened",
            caveats=("thanks", "closed_tickets"),
        ),
        Share(
            "return_rate",
            where=" or ".join(told.values()),
            **watched,
            variant="any",
            caveats=("thanks", "other_matter"),
            facts=(("ways", Several(tuple(Coded("way_back", way) for way in told))),),
        ),
    )


def _escalation(given: Given) -> Rivals:
    """Tickets get two weeks in which they may move up, so that young ones do not pass for settled.

    Agents are no clusters here: who has the ticket in the end is an outcome of the escalation, not a cause of it.
    """
    shared: dict[str, Any] = {
        "follow_up_days": _ESCALATION_DAYS,
        "better": "lower",
        "cluster": "",
        "family": "resolution",
    }
    both: tuple[Measure, ...] = (
        Share("escalation", where="escalated", variant="recorded", **shared),
        Share("escalation", where="group_stations > 1", variant="stations", caveats=("no_tiers",), **shared),
    )
    moved = not given.offers("tickets", "escalated") and given.offers("tickets", "group_stations")
    return default_first(both, "stations" if moved else "recorded")
