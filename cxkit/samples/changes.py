"""What the team changed in its way of working: which tickets came in under a change, and what it did to them."""

from __future__ import annotations

import numpy as np

from cxkit.samples.plan import CHANNELS, MINUTES_A_DAY, Bools, Floats, Table
from cxkit.samples.world import KINDS, Openings, day_number


def under(plan: Table, tickets: Openings, name: str) -> Bools:
    """Customers' tickets that came in through the channel of the change `name`, on its day or later."""
    change = plan["changes"][name]
    here = tickets.channel == CHANNELS.index(change["channel"])
    since = tickets.opened >= MINUTES_A_DAY * day_number(change["on"])
    return np.asarray(here & since & (tickets.kind == KINDS.index("customer")))


def effect(plan: Table, tickets: Openings, part: str) -> Floats:
    """The planted `part` of all changes, ticket by ticket: factors are multiplied, logits added; 1 or 0 without any."""
    neutral, together = (1.0, np.multiply) if part.endswith("_factor") else (0.0, np.add)
    found = np.full(len(tickets), neutral)
    for name, change in plan["changes"].items():
        if part in change:
            found = np.where(under(plan, tickets, name), together(found, change[part]), found)
    return found
