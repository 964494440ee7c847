"""How long customers wait for a first reply and for a solution, on the clock on the wall and in business hours."""

from __future__ import annotations

from typing import Any

from cxkit.measures.declared.given import Given, Rivals
from cxkit.measures.declared.promises import promised_to_all
from cxkit.measures.kinds import SOURCES, Duration

_NOT_SELF_SERVED = (*SOURCES["tickets"].exclude, "self_service")


def reply_times(given: Given) -> tuple[Rivals, ...]:
    """Time to the first human reply.

    A ticket solved before any human reply is neither answered nor waiting any longer: it is watched until it was
    solved. A ticket closed without being solved is watched until it was closed.
    """
    shared: dict[str, Any] = {
        "start": "opened_at",
        "stop": "first_replied_at",
        "until": ("first_solved_at", "closed_at"),
        "exclude": _NOT_SELF_SERVED,
        "better": "lower",
        "family": "reply",
    }
    wall, business = "first_reply_time", "first_reply_time_business"
    return (
        (Duration(wall, **shared, **given.aim(wall, promised_to_all(given, "first_reply", "wall"))),),
        (
            Duration(
                business,
                clock="business",
                caveats=("open_hours_only",),
                **shared,
                **given.aim(business, promised_to_all(given, "first_reply", "business")),
            ),
        ),
    )


def resolution_times(given: Given) -> tuple[Rivals, ...]:
    """Time to the first solution, or to the last one, from the opening or from the first assignment.

    To the last one, a ticket that was reopened and is not solved again still waits.
    """
    wall, business = "resolution_time", "resolution_time_business"
    ends = {"first": "first_solved_at", "full": "solved_at"}
    starts = {"": "opened_at", "_assigned": "first_assigned_at"}
    aim = given.aim(wall, promised_to_all(given, "resolution", "wall"))
    shared: dict[str, Any] = {"until": ("closed_at",), "better": "lower", "family": "resolution"}
    rivals = tuple(
        Duration(
            wall,
            start=start,
            stop=stop,
            at="opened_at",
            among=f"{start} is not None" if ending else "",
            variant=f"{name}{ending}",
            **shared,
            **aim,
        )
        for ending, start in starts.items()
        for name, stop in ends.items()
    )
    working = Duration(
        business,
        start="opened_at",
        stop="first_solved_at",
        clock="business",
        caveats=("open_hours_only",),
        **shared,
        **given.aim(business, promised_to_all(given, "resolution", "business")),
    )
    return rivals, (working,)
