"""How much customers ask for, how much of it waits, and how much they solve without an agent."""

from __future__ import annotations

from typing import Any

from cxkit.measures.declared.given import Given, Rivals
from cxkit.measures.declared.outcomes import SOLVED
from cxkit.measures.kinds import SOURCES, Count, Duration, Ratio, Share

_OPEN = "first_solved_at is None"
_BACK = "(reopened_at is not None and (solved_at is None or solved_at < reopened_at))"


def demand(given: Given) -> tuple[Rivals, ...]:
    """Volume, solved tickets, contact rate, backlog and its age."""
    shared: dict[str, Any] = {"family": "volume"}
    solved = Count("solved_volume", among=SOLVED, at="first_solved_at", **shared)
    return (Count("volume", **shared),), (solved,), contact_rate(), *_backlog(given)


def contact_rate() -> Rivals:
    """Tickets per order, or per customer."""
    shared: dict[str, Any] = {
        "top": "1",
        "unit": "number",
        "better": "lower",
        "cluster": "",
        "stratum": "",
        "family": "volume",
    }
    return (
        Ratio("contact_rate", per="orders", variant="orders", caveats=("same_period",), **shared),
        Ratio("contact_rate", per="customers", per_among="left_on is None", variant="customers", **shared),
    )


def _backlog(given: Given) -> tuple[Rivals, ...]:
    """Tickets that were open at the end of a period, made from their own times and not from snapshots; and their age.

    A reopened ticket is open again until its last solution; a closed one is open no more.
    """
    again = given.offers("tickets", "reopened_at") and given.offers("tickets", "solved_at")
    spells = (("opened_at", "first_solved_at"), *((("reopened_at", "solved_at"),) if again else ()))
    is_open = f"({_OPEN} or {_BACK})" if again else _OPEN
    if given.offers("tickets", "closed_at"):
        is_open = f"closed_at is None and {is_open}"
    caveats = ("first_reopening",) if again else ("reopened_unseen",)
    shared: dict[str, Any] = {"better": "lower", "family": "volume", "caveats": caveats}
    stock = Count("backlog", spells=spells, until=("closed_at",), **shared)
    age = Duration("backlog_age", start="opened_at", stop="as_of", among=is_open, **shared)
    return (stock,), (age,)


def self_service(given: Given) -> tuple[Rivals, ...]:
    """Help-centre sessions per ticket, contacts without an agent, and sessions that no ticket followed."""
    shared: dict[str, Any] = {"better": "higher", "family": "self_service"}
    score = Ratio(
        "self_service_score",
        of="kb_sessions",
        top="1",
        per="tickets",
        unit="number",
        cluster="",
        stratum="",
        caveats=("idle_browsing",),
        **shared,
    )
    deflected = tuple(
        Share(
            "deflection",
            of="kb_sessions",
            where=f"next_contact_at is None or next_contact_at > started_at + hours({hours})",
            among="customer_id is not None",
            follow_up_days=hours / 24,
            cluster="customer_id",
            stratum="",
            variant=f"hours_{hours}",
            caveats=("idle_browsing", "silent_giving_up", "signed_in_only"),
            facts=(("hours", hours),),
            **shared,
        )
        for hours in (48, 24)
    )
    return (score,), (_alone(given),), deflected


def _alone(given: Given) -> Share:
    """Recorded contacts in which no agent took part: on the self-service channel, or answered by a bot alone."""
    ways = {"bot_only": "filled(bot_only, False)", "channel": "channel == 'self_service'"}
    told = [where for column, where in ways.items() if given.offers("tickets", column)]
    return Share(
        "self_service_rate",
        where=" or ".join(told) or ways["channel"],
        exclude=tuple(rule for rule in SOURCES["tickets"].exclude if rule != "bot_only"),
        better="higher",
        cluster="",
        family="self_service",
        caveats=("recorded_contacts",),
    )
