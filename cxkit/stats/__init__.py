"""Formulas that know no tickets: they take numbers or arrays and return estimates with their bounds."""

from cxkit.stats.intervals import (
    Interval,
    count_interval,
    mean_interval,
    net_adjusted_wald,
    net_wald,
    wilson,
)
from cxkit.stats.survival import KaplanMeier, kaplan_meier

__all__ = [
    "Interval",
    "KaplanMeier",
    "count_interval",
    "kaplan_meier",
    "mean_interval",
    "net_adjusted_wald",
    "net_wald",
    "wilson",
]
