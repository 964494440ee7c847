"""Estimates, effects and intervals of two sides by the method that was selected."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxkit.changes.estimands import Estimand, Pair, Strata, both_together, influences, shared_clusters, weighted
from cxkit.changes.levels import at_level
from cxkit.changes.select import Unit
from cxkit.changes.sides import Side, Sides
from cxkit.measures import Net
from cxkit.stats import (
    Inference,
    adjusted,
    contrast,
    infer,
    largest_share,
    net_adjusted_wald,
    reassigned,
    relative_change,
    wilson,
)
from cxkit.stats.contrast import from_log, in_logs
from cxkit.stats.intervals import Interval
from cxkit.stats.proportions import relative_share_change, share_difference, share_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Engine:
    """The two sides with what is allowed for: clusters, strata, an earlier covariate."""

    sides: Sides
    strata: Strata | None = None
    covariate: str = ""
    clusters: tuple[str, ...] = ()
    exact: bool = False  # independent rows: shares by score intervals
    anew: bool = False  # one giant among the clusters: judged by dealing them anew
    _pairs: dict[tuple[Any, ...], Pair] = field(default_factory=dict, repr=False)
    _found: dict[tuple[Any, ...], Inference] = field(default_factory=dict, repr=False)  # spreads are asked for often

    def pair(self, estimand: Estimand) -> Pair:
        """Both sides' estimates with their influences."""
        key = (estimand.stat, estimand.amount, self.clusters[:1])
        if key not in self._pairs:
            self._pairs[key] = self._estimated(estimand)
        return self._pairs[key]

    def _estimated(self, estimand: Estimand) -> Pair:
        a, b = (side.lines for side in self.sides.pair)
        measure, labels = self.sides.measure, self._labels(self.clusters[:1])
        if self.strata is not None:
            found = weighted(estimand, measure, self.sides, self.strata, labels)
        else:
            found = influences(estimand, measure, a, b, labels)
        if self.covariate:
            one, two = adjusted(found, [side.lines[self.covariate] for side in self.sides.pair])
            found = (one, two)
        return found

    def _labels(self, names: Sequence[str]) -> tuple[Any, Any] | None:
        if not names:
            return None
        one, two = (side.lines[names[0]] for side in self.sides.pair)
        return one, two

    def design(self, clusters: Sequence[str] | None = None) -> dict[str, Any]:
        """What `contrast` takes besides the two sides."""
        names = self.clusters if clusters is None else tuple(clusters)
        return {
            "clusters": self._labels(names[:1]),
            "second_clusters": self._labels(names[1:]),
            "strata": self.strata.labels if self.strata is not None else None,
        }

    def effect(self, estimand: Estimand, level: float) -> Inference:
        """How much higher the other side is; of a relative effect the chance itself."""
        if self.exact and estimand.stat in ("share", "top_share"):
            return share_difference(*self._hits(estimand), level)
        found = self._dealt(estimand, level) or at_level(self._contrast(estimand, self.clusters), level)
        if estimand.none:
            low, high = max(found.low + estimand.none, 0.0), min(found.high + estimand.none, 1.0)
            unknown = np.isnan(found.low)
            nan = float("nan")
            found = found._replace(
                value=found.value + estimand.none, low=nan if unknown else low, high=nan if unknown else high
            )
        return found

    def _dealt(self, estimand: Estimand, level: float, log: bool = False) -> Inference | None:
        """The same by dealing the clusters anew, where that is the method."""
        labels = self._labels(self.clusters) if self.anew else None
        if labels is None:
            return None
        key = (estimand.stat, estimand.amount, "anew", level, log)
        if key not in self._found:
            both = both_together(estimand, self.sides.measure, *(side.lines for side in self.sides.pair))
            three = (both, *self.pair(estimand))
            self._found[key] = reassigned(*(map(in_logs, three) if log else three), clusters=labels, level=level)
        return self._found[key]

    def _contrast(self, estimand: Estimand, clusters: tuple[str, ...]) -> Inference:
        key = (estimand.stat, estimand.amount, self.clusters[:1], clusters)
        if key not in self._found:
            self._found[key] = contrast(*self.pair(estimand), **self.design(clusters))
        return self._found[key]

    def _infer(self, estimand: Estimand, i: int, clusters: tuple[str, ...]) -> Inference:
        key = (estimand.stat, estimand.amount, self.clusters[:1], clusters, i)
        if key not in self._found:
            self._found[key] = infer(self.pair(estimand)[i], **self._own(i, clusters))
        return self._found[key]

    def relative(self, estimand: Estimand, level: float) -> Inference | None:
        """How much higher the other side is, as a share of the baseline; None where that says nothing."""
        if not estimand.relative:
            return None
        if self.exact and estimand.stat in ("share", "top_share"):
            return relative_share_change(*self._hits(estimand), level)
        found = relative_change(*self.pair(estimand), level=level, **self.design())
        if np.isnan(found.low) or not (dealt := self._dealt(estimand, level, log=True)):
            return found
        return from_log(dealt)

    def _hits(self, estimand: Estimand) -> tuple[float, float, float, float]:
        """Hits and rows of either side."""
        a, b = self.pair(estimand)
        return a.value * a.rows, a.rows, b.value * b.rows, b.rows

    def units(self, estimand: Estimand) -> tuple[Unit, ...]:
        """Each column whose rows resemble each other, with its clusters and its design effect on this comparison."""
        alone = self._contrast(estimand, ())
        return tuple(self._unit(estimand, name, alone) for name in self.sides.units)

    def _unit(self, estimand: Estimand, name: str, alone: Inference) -> Unit:
        labels = self._labels((name,))
        counts, shared = shared_clusters(labels) if labels else ((0, 0), 0)
        together = self._contrast(estimand, (name,))
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = float(np.float64(together.se) ** 2 / np.float64(alone.se) ** 2)
        largest = self._largest(estimand, labels) if labels else float("nan")
        return Unit(name, counts, shared, effect if np.isfinite(effect) else float("nan"), largest)

    def _largest(self, estimand: Estimand, labels: tuple[Any, Any]) -> float:
        """Share of its side's rows that the largest cluster has; NaN where rows have none."""
        a, b = self.pair(estimand)
        both, n = pd.concat([pd.Series(side) for side in labels]), np.concatenate([a.n, b.n])
        second = np.repeat([False, True], [len(a.n), len(b.n)])
        return float("nan") if both[n > 0].isna().any() else largest_share(second, both, n)

    def group(self, estimand: Estimand, i: int, level: float) -> Interval:
        """One side's value with its interval."""
        side, found = self.sides.pair[i], self.pair(estimand)[i]
        told = at_level(self._infer(estimand, i, self.clusters), level)
        plain = self.strata is None and not self.covariate and not self.clusters
        if estimand.unit == "share" and estimand.stat != "within":
            rows = found.rows
            interval = share_interval(told) if not plain and told.se > 0 else wilson(found.value * rows, rows, level)
        elif estimand.stat == "net" and plain:
            interval = net_adjusted_wald(*_net_parts(self.sides, side), level)
        else:
            interval = told.interval
        return _within(estimand, Interval(found.value, interval.low, interval.high))

    def _own(self, i: int, clusters: tuple[str, ...]) -> dict[str, Any]:
        return {name: None if labels is None else labels[i] for name, labels in self.design(clusters).items()}

    def worth(self, estimand: Estimand, i: int) -> float:
        """How many independent rows one side's rows are worth."""
        found = self.pair(estimand)[i]
        if not self.clusters:
            return found.rows
        together, alone = self._infer(estimand, i, self.clusters), self._infer(estimand, i, ())
        if not (together.se > 0 and alone.se > 0):
            return float("nan")
        return found.rows / max((together.se / alone.se) ** 2, 1.0)

    @functools.cached_property
    def numbers(self) -> tuple[float, float]:
        """Clusters (rows, where there are none) of either side."""
        labels = self._labels(self.clusters[:1])
        if labels is None:
            return self.sides.baseline.known, self.sides.other.known
        a, b = shared_clusters(labels)[0]
        return float(a), float(b)


def _net_parts(sides: Sides, side: Side) -> tuple[float, float, float]:
    measure = sides.measure
    if not isinstance(measure, Net):
        return (0.0, 0.0, 0.0)
    up, down = (float(side.n[np.isin(side.value, ends)].sum()) for ends in (measure.promoters, measure.detractors))
    return up, side.known - up - down, down


def _within(estimand: Estimand, found: Interval) -> Interval:
    """An interval that does not leave what is possible."""
    least = 0.0 if estimand.unit in ("share", "seconds") else -1.0 if estimand.unit == "points" else -np.inf
    most = {"share": 1.0, "points": 1.0}.get(estimand.unit, np.inf)
    most = estimand.amount if estimand.stat == "capped_mean" else most
    return Interval(found.estimate, float(np.maximum(found.low, least)), float(np.minimum(found.high, most)))


def events(side: Side) -> float:
    """Number of rows seen to their end."""
    return float(side.n[side.observed].sum())


def varies(sides: Sides) -> bool:
    """Whether not all rows of both sides are the same."""
    parts = ("value", "observed", *(["bottom"] if "bottom" in sides.baseline.lines else []))
    both = pd.concat([side.lines[list(parts)] for side in sides.pair])
    return len(both.drop_duplicates()) > 1
