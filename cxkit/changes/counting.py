"""Numbers of arrivals on two sides: by the days they came on, not row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxkit.changes.sides import Side, Sides
from cxkit.stats import Inference, contrast, infer, relative_change
from cxkit.stats.counts import exact_rate_change, rate_change
from cxkit.stats.influence import mean, ratio
from cxkit.stats.intervals import Interval, count_interval


@dataclass(frozen=True, eq=False)
class Days:
    """The days of both sides: what came on each, and on what it is counted."""

    sides: Sides

    @property
    def numbers(self) -> tuple[int, int]:
        """Whole days on either side."""
        a, b = (len(_daily(side)) for side in self.sides.pair)
        return a, b

    @property
    def per(self) -> bool:
        """Whether arrivals are counted on rows of another table."""
        return "under" in _daily(self.sides.baseline)

    @property
    def dispersion(self) -> float:
        """How many times more the days differ than those of arrivals one by one would."""
        days = [_daily(side)["count"].to_numpy(np.float64) for side in self.sides.pair]
        pearson = sum(float(((x - x.mean()) ** 2).sum() / x.mean()) for x in days if len(x) and x.mean() > 0)
        freedom = sum(len(x) for x in days) - 2
        return pearson / freedom if freedom > 0 else float("nan")

    @property
    def varies(self) -> bool:
        """Whether anything came at all."""
        return any(float(_daily(side)["count"].sum()) > 0 for side in self.sides.pair)

    def effect(self, method: str) -> Callable[[float], Inference]:
        """The effect at a level: of rates relative to the baseline's; of a ratio of two tables, its difference."""
        a, b = (_daily(side) for side in self.sides.pair)
        if method == "days":
            pair = self._ratios()
            return lambda level: contrast(*pair, level=level)
        if method == "exact_counts":
            totals = [int(t["count"].sum()) for t in (a, b)]
            return lambda level: exact_rate_change(totals[0], totals[1], len(a), len(b), level)
        return lambda level: rate_change(a["count"], b["count"], level=level)

    def relative(self, level: float) -> Inference | None:
        """The relative change of a ratio of two tables."""
        return relative_change(*self._ratios(), level=level) if self.per else None

    def difference(self, level: float) -> Inference:
        """How many more came on a day."""
        a, b = (mean(_daily(side)["count"]) for side in self.sides.pair)
        return contrast(a, b, level=level)

    def group(self, i: int, level: float) -> Interval:
        """One side's number per day, or per row of the other table."""
        table = _daily(self.sides.pair[i])
        if self.per:
            return infer(self._ratios()[i], level=level).interval
        if len(table) < 3:
            total = count_interval(float(table["count"].sum()), level)
            return Interval(*(float(x) / max(len(table), 1) for x in total))
        return infer(mean(table["count"]), level=level).interval

    def _ratios(self) -> Any:
        return tuple(ratio(_daily(side)["count"], _daily(side)["under"]) for side in self.sides.pair)


def _daily(side: Side) -> Any:
    return side.daily
