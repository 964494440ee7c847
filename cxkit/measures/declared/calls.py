"""The telephone queue: who waits, who hangs up, who is served in time, and how much work a contact is.

Nobody served a caller who left, and no agent makes the queue: calls have no clusters, but for the work on them.
"""

from __future__ import annotations

from typing import Any

from cxkit.lang import Lasting
from cxkit.measures.declared.given import Given, Rivals, default_first
from cxkit.measures.kinds import Count, Duration, Ratio, Share

ANSWERED = "outcome == 'answered'"
ANSWER_WITHIN_SECONDS, SHORT_ABANDON_SECONDS = 20, 0
PATIENCE_HORIZON_SECONDS = 600  # of the mean wait that callers would bear: few queues show what lies beyond
_ESCALATION_DAYS = 14
_QUEUE: dict[str, Any] = {"of": "calls", "cluster": "", "stratum": "", "family": "calls"}


def calls(given: Given) -> tuple[Rivals, ...]:
    """Abandonment, waits, patience, service level, handle time, transfers, volume."""
    short = given.setting("calls", "short_abandon_seconds", SHORT_ABANDON_SECONDS)
    gone = _left(short)
    dropped = _said_short(short)
    lost = Share(
        "abandonment",
        where="outcome == 'abandoned'",
        among=_offered(short),
        better="lower",
        facts=dropped,
        caveats=("callers_return",),
        **_QUEUE,
    )
    asa = Ratio("asa", top="wait_seconds", among=ANSWERED, better="lower", caveats=("hang_ups",), **_QUEUE)
    waited = Ratio("abandoned_wait", top="wait_seconds", among=gone, facts=dropped, **_QUEUE)
    patience = Duration(
        "patience",
        seconds="wait_seconds",
        done="outcome == 'abandoned'",
        among="outcome in ('answered', 'abandoned', 'timed_out') and wait_seconds > 0",
        horizon_seconds=PATIENCE_HORIZON_SECONDS,
        caveats=("as_patient",),
        **_QUEUE,
    )
    arrived = Count("call_volume", among="outcome != 'self_service'", **_QUEUE)
    return (
        (lost,),
        (asa,),
        (waited,),
        (patience,),
        service_level(given),
        handle_time(given),
        _transfers(given),
        (arrived,),
    )


def _left(short: float) -> str:
    """Calls that were abandoned, those of fewer than `short` seconds apart; an unknown wait counts as long."""
    return (
        f"outcome == 'abandoned' and filled(wait_seconds, {short:g}) >= {short:g}"
        if short
        else "outcome == 'abandoned'"
    )


def _offered(short: float) -> str:
    return f"{ANSWERED} or ({_left(short)})" if short else "outcome in ('answered', 'abandoned')"


def _said_short(short: float) -> tuple[tuple[str, object], ...]:
    return (("short", Lasting(short)), ("drops_short", "true" if short else "false"))


def service_level(given: Given) -> Rivals:
    """The share answered in time in the five formulas of the field (K12), and without short abandons, the default.

    AN answered, AB abandoned, with a number: within so many seconds. Below the short-abandon threshold a call was no
    demand.
    """
    within = given.setting("calls", "answer_within_seconds", ANSWER_WITHIN_SECONDS)
    short = given.setting("calls", "short_abandon_seconds", SHORT_ABANDON_SECONDS)
    quick, offered = f"wait_seconds <= {within:g}", "outcome in ('answered', 'abandoned')"
    early = f"(outcome == 'abandoned' and wait_seconds < {short:g})"
    in_time = f"{ANSWERED} and {quick}"
    formulas = {
        "drop_short": (in_time, _offered(short)),  # AN20 / (AN + AB - AB5)
        "with_abandons": (quick, offered),  # (AN20 + AB20) / (AN + AB)
        "answered_only": (quick, ANSWERED),  # AN20 / AN
        "all_offered": (in_time, offered),  # AN20 / (AN + AB)
        "late_abandons": (in_time, f"{ANSWERED} or (outcome == 'abandoned' and wait_seconds > {within:g})"),
        "short_as_kept": (f"({in_time}) or {early}", offered),  # (AN20 + AB5) / (AN + AB)
    }
    return tuple(
        Share(
            "service_level",
            where=where,
            among=among,
            better="higher",
            variant=variant,
            caveats=("formulas_differ",),
            facts=(("seconds", Lasting(within)), *_said_short(short)),
            **_QUEUE,
        )
        for variant, (where, among) in formulas.items()
    )


def handle_time(given: Given) -> Rivals:
    """Talk, hold and after-call work of answered calls; or the touch time of tickets, where the tool measures it.

    Without after-call work there is no handle time, and from opening to closing is none either.
    """
    handled: dict[str, Any] = {"of": "calls", "among": ANSWERED, "stratum": "queue"}
    shared: dict[str, Any] = {"better": "none", "unit": "seconds", "family": "calls"}
    rivals = (
        Ratio("aht", top="talk_seconds + filled(hold_seconds, 0) + wrap_seconds", variant="calls", **handled, **shared),
        Ratio(
            "aht",
            top="talk_seconds + wrap_seconds",
            variant="without_hold",
            caveats=("hold_unknown",),
            **handled,
            **shared,
        ),
        Ratio(
            "aht",
            top="touch_seconds",
            among="first_solved_at is not None",
            at="first_solved_at",
            variant="tickets",
            caveats=("tool_measures",),
            **shared,
        ),
    )
    if given.offers("calls", "talk_seconds", "wrap_seconds"):
        return default_first(rivals, "calls" if given.offers("calls", "hold_seconds") else "without_hold")
    return default_first(rivals, "tickets" if given.offers("tickets", "touch_seconds") else "calls")


def _transfers(given: Given) -> Rivals:
    """Calls passed on; or tickets that more than one agent had.

    Agents are no clusters: who has it in the end is an outcome of the transfer.
    """
    rivals = (
        Share("transfer", where="transferred", among=ANSWERED, better="lower", variant="calls", **_QUEUE),
        Share(
            "transfer",
            where="agent_stations > 1",
            follow_up_days=_ESCALATION_DAYS,
            better="lower",
            cluster="",
            variant="tickets",
            family="calls",
            caveats=("stations_shift",),
        ),
    )
    on_tickets = not given.offers("calls", "transferred") and given.offers("tickets", "agent_stations")
    return default_first(rivals, "tickets" if on_tickets else "calls")
