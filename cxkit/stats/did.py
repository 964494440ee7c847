"""What did a change do to those who got it, beyond what happened to all: difference in differences.

Weeks of one team resemble each other, so each unit is collapsed to one change (Bertrand, Duflo and Mullainathan 2004)
and units are compared. Where units got the change at different times, each cohort is compared only with units that do
not have it yet, and the effects are then combined (Callaway and Sant'Anna 2021): a unit that has the change already is
no yardstick. Whether both kinds of units went the same way before is looked at in the periods before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Inference, contrast, infer, inference
from cxkit.stats.influence import mean
from cxkit.stats.inputs import Floats, floats, same_length
from cxkit.stats.multiplicity import simultaneous_p, simultaneous_quantile
from cxkit.stats.variance import Spread

Flags = NDArray[np.bool_]
FEW = 5  # units on a side, below which an interval says little


@dataclass(frozen=True, eq=False)
class Difference:
    """How much more the treated units changed than the others."""

    effect: Inference
    treated: Inference  # mean change of the treated units
    control: Inference
    left_out: int  # units not known on both sides of the change
    cautions: tuple[str, ...]  # of: few_units


@dataclass(frozen=True, eq=False)
class CohortEffect:
    """Effect on the units that got the change at one time, as far as there were units without it to compare with."""

    start: int
    units: int
    effect: float
    periods: int


@dataclass(frozen=True, eq=False)
class StaggeredEffect:
    """Effect of a change that came to units at different times."""

    effect: Inference
    cohorts: tuple[CohortEffect, ...]
    moves: (
        Floats  # how far each unit moves the effect: their squares sum to its variance, before the small-sample factor
    )
    not_compared: int  # treated units for which there was nobody to compare with
    cautions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EventStudy:
    """Effect by periods since the change; those before it say whether the units went the same way anyway."""

    since: NDArray[np.intp]  # 0 is the first period with the change
    effects: tuple[Inference, ...]  # each by itself
    low: Floats  # bounds that hold for all periods together
    high: Floats
    before_p: float  # whether the periods before, taken together, differ from 0 by more than chance
    before_trend: Inference  # how much faster the treated units rose per period before the change


def difference_in_differences(
    before: ArrayLike, after: ArrayLike, treated: ArrayLike, level: float = 0.95
) -> Difference:
    """Welch's comparison of the changes of treated and other units, one value a unit before and one after.

    A unit with a missing value is left out. ParameterError with fewer than two units on a side.
    """
    change, flag = floats(after) - floats(before), np.asarray(treated, dtype=bool)
    same_length(change, flag)
    known = np.isfinite(change)
    with_it, without = change[known & flag], change[known & ~flag]
    _refuse_few(len(with_it), len(without))
    a, b = mean(without), mean(with_it)
    cautions = ("few_units",) if min(len(with_it), len(without)) < FEW else ()
    return Difference(
        contrast(a, b, level=level), infer(b, level=level), infer(a, level=level), int((~known).sum()), cautions
    )


def collapsed(values: ArrayLike, at: int) -> tuple[Floats, Floats]:
    """Mean of each unit (row) over the periods before `at` and from it on; missing values count for nothing."""
    panel = floats(values)
    return _row_mean(panel[:, :at]), _row_mean(panel[:, at:])


def staggered_effect(
    values: ArrayLike,
    start: ArrayLike,
    *,
    base: Literal["before", "last"] = "before",
    against: Literal["not_yet", "never"] = "not_yet",
    per: Literal["unit", "period"] = "unit",
    level: float = 0.95,
) -> StaggeredEffect:
    """Mean effect on the units that got the change, in the periods since they did.

    `values` has a row a unit and a column a period; `start` is the first column with the change, missing for units
    that never got it. Each is measured against its own mean `before` the change (or the `last` period before it).
    `per` says whether every unit counts alike or every unit and period.
    """
    panel, starts = _panel(values, start)
    cells = [
        cell
        for cohort in _cohorts(panel, starts)
        for cell in _cells(panel, starts, cohort, range(cohort, panel.shape[1]), base, against)
    ]
    reached = {cell.start: sum(c.start == cell.start for c in cells) for cell in cells}
    masses = [1 / reached[cell.start] if per == "unit" else 1.0 for cell in cells]
    effect, moves, corrected = _combined(cells, masses, panel, starts)
    found = inference(effect, _spread(corrected, cells), level)
    cohorts = tuple(_cohort_effect([cell for cell in cells if cell.start == g]) for g in reached)
    treated, control = _sides(cells)
    few = min(int(treated.sum()), int(control.sum())) < FEW
    not_compared = int((np.isfinite(starts) & (starts < panel.shape[1]) & ~treated).sum())
    return StaggeredEffect(found, cohorts, moves, not_compared, ("few_units",) if few else ())


def event_study(
    values: ArrayLike,
    start: ArrayLike,
    *,
    against: Literal["not_yet", "never"] = "not_yet",
    level: float = 0.95,
) -> EventStudy:
    """Effect by periods since the change, each measured against the last period before it."""
    panel, starts = _panel(values, start)
    by_period: dict[int, list[_Cell]] = {}
    for cohort in _cohorts(panel, starts):
        others = [t for t in range(panel.shape[1]) if t != cohort - 1]
        for cell in _cells(panel, starts, cohort, others, "last", against):
            by_period.setdefault(cell.period - cohort, []).append(cell)
    since = sorted(by_period)
    parts = [_combined(by_period[e], [1.0] * len(by_period[e]), panel, starts) for e in since]
    spreads = [_spread(part[2], by_period[e]) for part, e in zip(parts, since, strict=True)]
    effects = tuple(inference(part[0], s, level) for part, s in zip(parts, spreads, strict=True))
    value, moves, df = np.array([p[0] for p in parts]), np.array([p[2] for p in parts]), min(s.df for s in spreads)
    covariance = moves @ moves.T
    se = np.sqrt(np.diagonal(covariance))
    sure = se > 0
    scaled = covariance[np.ix_(sure, sure)] / np.outer(se[sure], se[sure])
    reach = simultaneous_quantile(scaled, df, level) * se if sure.any() else se
    before = sure & (np.array(since) < 0)
    p = simultaneous_p(value[before], covariance[np.ix_(before, before)], df) if before.any() else float("nan")
    return EventStudy(np.array(since), effects, value - reach, value + reach, p, _trend(panel, starts, against, level))


@dataclass(frozen=True, eq=False)
class _Cell:
    """One cohort in one period (or its trend before): its units against those without the change."""

    start: int
    period: int
    change: Floats  # of every unit, NaN where not known
    treated: Flags
    control: Flags

    @property
    def size(self) -> int:
        return int(self.treated.sum())

    @property
    def effect(self) -> float:
        return float(self.change[self.treated].mean() - self.change[self.control].mean())


def _cohort_effect(cells: list[_Cell]) -> CohortEffect:
    effect = float(np.mean([cell.effect for cell in cells]))
    return CohortEffect(cells[0].start, max(cell.size for cell in cells), effect, len(cells))


def _cells(
    panel: Floats, starts: Floats, cohort: int, periods: range | list[int], base: str, against: str
) -> Iterator[_Cell]:
    """The comparisons of one cohort that have at least two units to compare with."""
    held = _row_mean(panel[:, :cohort]) if base == "before" else panel[:, cohort - 1]
    for period in periods:
        change = panel[:, period] - held
        yield from _compared(change, starts, cohort, period, max(period, cohort), against)


def _compared(change: Floats, starts: Floats, cohort: int, period: int, until: int, against: str) -> Iterator[_Cell]:
    known = np.isfinite(change)
    without = ~np.isfinite(starts) if against == "never" else ~(starts <= until)
    cell = _Cell(cohort, period, change, known & (starts == cohort), known & without)
    if cell.size and int(cell.control.sum()) >= 2:
        yield cell


def _combined(cells: list[_Cell], masses: list[float], panel: Floats, starts: Floats) -> tuple[float, Floats, Floats]:
    """The mean of the cells, each unit counting with its mass, and how far each unit moves it, plain and corrected.

    A unit moves its own cell's mean, and the mix of cells; the correction is n / (n - 1) on either side of a cell, so
    that one cohort against units that never changed is Welch's comparison.
    """
    if not cells:
        raise ParameterError("did_nobody")
    treated, control = _sides(cells)
    _refuse_few(int(treated.sum()), int(control.sum()))
    total = sum(mass * cell.size for mass, cell in zip(masses, cells, strict=True))
    value = sum(mass * cell.size * cell.effect for mass, cell in zip(masses, cells, strict=True)) / total
    as_treated, as_control, grown = np.zeros(len(panel)), np.zeros(len(panel)), np.zeros(len(panel))
    for mass, cell in zip(masses, cells, strict=True):
        inside, outside = cell.change[cell.treated], cell.change[cell.control]
        as_treated[cell.treated] += mass * (inside - outside.mean() - value) / total
        drawn = -mass * cell.size * (outside - outside.mean()) / (total * len(outside))
        as_control[cell.control] += drawn
        grown[cell.control] += drawn * np.sqrt(len(outside) / (len(outside) - 1))
    n = int(treated.sum())
    return float(value), as_treated + as_control, as_treated * np.sqrt(n / (n - 1)) + grown


def _spread(moves: Floats, cells: list[_Cell]) -> Spread:
    """Standard error and Satterthwaite's degrees of freedom, over units that got the change and units that did not."""
    treated, _ = _sides(cells)
    rest = ~treated & (moves != 0)
    parts = [(float((moves[side] ** 2).sum()), int(side.sum()) - 1) for side in (treated, rest)]
    variance = sum(v for v, _ in parts)
    norm = sum(v**2 / n for v, n in parts if n > 0)
    df = variance**2 / norm if norm > 0 else float(treated.sum() - 1)
    return Spread(float(np.sqrt(variance)), float(df), float(treated.sum() + rest.sum()))


def _trend(panel: Floats, starts: Floats, against: str, level: float) -> Inference:
    """How much faster each cohort rose before its change than the units it is compared with."""
    cells = [
        cell
        for cohort in _cohorts(panel, starts)
        if cohort > 1
        for cell in _compared(_slopes(panel[:, :cohort]), starts, cohort, cohort - 1, cohort, against)
    ]
    if not cells:
        return inference(float("nan"), Spread(float("nan"), 0.0, 0.0), level)
    value, _, moves = _combined(cells, [1.0] * len(cells), panel, starts)
    return inference(value, _spread(moves, cells), level)


def _slopes(panel: Floats) -> Floats:
    """Least-squares rise per period of each unit; NaN with fewer than two known values."""
    known = np.isfinite(panel)
    at = np.where(known, np.arange(panel.shape[1], dtype=np.float64), 0.0)
    n = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.where(known, at - (at.sum(axis=1) / n)[:, None], 0.0)
        slopes: Floats = (centred * np.where(known, panel, 0.0)).sum(axis=1) / (centred**2).sum(axis=1)
    return np.where(n > 1, slopes, np.nan)


def _sides(cells: list[_Cell]) -> tuple[Flags, Flags]:
    """Units that count as treated in some comparison, and units that are compared with in some."""
    return np.logical_or.reduce([c.treated for c in cells]), np.logical_or.reduce([c.control for c in cells])


def _cohorts(panel: Floats, starts: Floats) -> list[int]:
    """Starts that lie inside the panel with at least one period before them."""
    inside = starts[np.isfinite(starts) & (starts >= 1) & (starts < panel.shape[1])]
    return [int(g) for g in np.unique(inside)]


def _panel(values: ArrayLike, start: ArrayLike) -> tuple[Floats, Floats]:
    panel, starts = floats(values), floats(start)
    if panel.ndim != 2 or panel.shape[1] < 2:
        raise ParameterError("did_panel")
    same_length(panel, starts)
    return panel, starts


def _row_mean(panel: Floats) -> Floats:
    known = np.isfinite(panel)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(known, panel, 0.0).sum(axis=1) / known.sum(axis=1)
    return found


def _refuse_few(treated: int, control: int) -> None:
    if min(treated, control) < 2:
        raise ParameterError("did_units", treated=treated, control=control)
