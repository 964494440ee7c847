"""Whether customers stay, and what it costs to serve them."""

from __future__ import annotations

from typing import Any

from cxkit.measures.declared.given import Given, Rivals, default_first
from cxkit.measures.declared.outcomes import SOLVED
from cxkit.measures.kinds import Duration, Ratio, Share

WINDOW_DAYS = 365


def worth(given: Given) -> tuple[Rivals, ...]:
    """Retention, churn, how long customers stay, cost per contact and per resolution."""
    stay = Duration(
        "customer_lifetime",
        of="customers",
        start="since_on",
        stop="left_on",
        better="higher",
        cluster="",
        stratum="",
        family="retention",
        caveats=("leaving_recorded",),
    )
    return _kept(given, "retention"), _kept(given, "churn"), (stay,), *_costs()


def _kept(given: Given, name: str) -> Rivals:
    """Retention or churn: of customers who were there when the window began (K13), or by a declared rule of inactivity.

    (E - N) / S: of S customers at the start those who are there at the end, E without the N who came in between.
    """
    window = given.setting("retention", "window_days", WINDOW_DAYS)
    declared = given.setting("retention", "inactive_after_days", None)
    idle = "inactive_after_days" if declared is None else f"{declared:g}"
    kept = name == "retention"
    begin = f"as_of - days({window:g})"
    again = f"next_order_at is not None and next_order_at <= ordered_at + days({idle})"
    shared: dict[str, Any] = {"better": "higher" if kept else "lower", "stratum": "", "family": "retention"}
    rivals = (
        Share(
            name,
            of="customers",
            where="left_on is None" if kept else "left_on is not None",
            among=f"since_on <= {begin} and (left_on is None or left_on > {begin})",
            cluster="",
            variant="contract",
            caveats=("leaving_recorded",),
            facts=(("window", window),),
            **shared,
        ),
        Share(
            name,
            of="orders",
            where=again if kept else f"next_order_at is None or next_order_at > ordered_at + days({idle})",
            among="customer_id is not None",
            follow_up_days=declared or 0,
            cluster="customer_id",
            variant="orders",
            caveats=("inactivity_rule",),
            **shared,
        ),
    )
    by_orders = not given.offers("customers", "left_on") and given.offers("orders", "customer_id")
    return default_first(rivals, "orders" if by_orders else "contract")


def _costs() -> tuple[Rivals, ...]:
    shared: dict[str, Any] = {
        "of": "costs",
        "top": "amount",
        "per": "tickets",
        "unit": "money",
        "better": "lower",
        "cluster": "",
        "stratum": "",
        "family": "cost",
        "caveats": ("costs_booked",),
    }
    return (Ratio("cost_per_contact", **shared),), (Ratio("cost_per_resolution", per_among=SOLVED, **shared),)
