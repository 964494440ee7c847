"""What is compared of each kind of KPI: the number a side has, how far each row moves it, and which way is better."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxkit.changes.parts import Effect, Role
from cxkit.changes.sides import Sides
from cxkit.changes.words import Measured
from cxkit.errors import ParameterError, nearest
from cxkit.lang import Lasting
from cxkit.measures import Count, Duration, Measure, Net, Ratio, Score, Share
from cxkit.stats import Inference, Influenced, KaplanMeier, kaplan_meier
from cxkit.stats import influence as of
from cxkit.stats.equivalence import Better
from cxkit.stats.inputs import codes, summed, together
from cxkit.stats.ordinal import effect_influences

Floats = NDArray[np.float64]
Pair = tuple[Influenced, Influenced]
Labels = Any

AT_RISK = 10  # rows of a side that must still be watched at the horizon
_CAP = 0.9  # of the pooled curve: beyond it a mean is made by the few slowest
_OPPOSITE: Mapping[Better, Better] = {"higher": "lower", "lower": "higher", "none": "none"}
_NAN = float("nan")


@dataclass(frozen=True)
class Estimand:
    """A statistic of both sides: `unit` of its value, `change` of its difference, `better` of its direction."""

    stat: str
    unit: str
    change: str
    better: Better
    amount: float = _NAN  # horizon, time within which, quantile
    amount_unit: str = "seconds"

    @property
    def measured(self) -> Measured:
        """What is measured, in words."""
        return Measured(self.stat, self.amount, self.amount_unit)

    @property
    def cells(self) -> dict[str, object]:
        """What a row of a table says of it."""
        return {"stat": self.stat, "amount": self.amount, "amount_unit": self.amount_unit, "unit": self.unit}

    def effect(self, found: Inference, role: Role = "companion", unit: str = "") -> Effect:
        """Its effect, written in `unit` if not in its own."""
        return Effect(self.stat, unit or self.change, found, role, self.amount, self.amount_unit)

    @property
    def none(self) -> float:
        """Its value where the sides do not differ."""
        return 0.5 if self.stat == "relative_effect" else 0.0

    @property
    def has_sides(self) -> bool:
        """Whether each side has a value of its own."""
        return self.stat != "relative_effect"

    @property
    def relative(self) -> bool:
        """Whether a change relative to where it stood makes sense."""
        return self.stat not in ("relative_effect", "net", "arrivals")


@dataclass(frozen=True)
class Horizon:
    """Up to which time waits are counted, and why: given, declared, target, or as far as the data reach."""

    seconds: float
    why: str


def estimands(
    measure: Measure, asked: str = "", horizon: Horizon | None = None, within: float = _NAN
) -> tuple[Estimand, ...]:
    """The statistics of a measure, the primary one first: the one `asked` for, or that of its kind."""
    known = _known(measure, horizon, within)
    if not asked:
        return tuple(known.values())
    asked = "p50" if asked == "median" else asked
    if asked in known:
        return (known[asked], *(e for name, e in known.items() if name != asked))
    more = _on_request(measure, asked)
    if more is None:
        names = ", ".join((*known, *_requests(measure)))
        near = nearest(asked, (*known, *_requests(measure))) or "none"
        raise ParameterError("changes_estimand", kpi=measure.spoken, given=asked[:40], near=near, known=names)
    return (more, *known.values())


def _known(measure: Measure, horizon: Horizon | None, within: float) -> dict[str, Estimand]:
    better = measure.better
    match measure:
        case Share():
            found = [Estimand("share", "share", "share", better)]
        case Score():
            way = better if _top_is_high(measure) else _OPPOSITE[better]
            found = [
                Estimand("relative_effect", "chance", "chance", way),
                Estimand("mean", "number2", "number2", way),
                Estimand("top_share", "share", "share", better),
            ]
        case Net():
            found = [Estimand("net", "points", "points", better)]
        case Duration():
            found = [Estimand("capped_mean", "seconds", "seconds", better, horizon.seconds)] if horizon else []
            if within == within:
                found.append(Estimand("within", "share", "share", _OPPOSITE[better], within))
        case Count():
            found = [Estimand("arrivals", "number2", "relative", better)]
        case Ratio():
            unit = _RATIO_UNITS.get(measure.headline, "number2")
            found = [Estimand(measure.headline, unit, unit, better)]
        case _:
            found = []
    return {e.stat: e for e in found}


_RATIO_UNITS = {"mean_seconds": "seconds", "mean_share": "share"}


def _requests(measure: Measure) -> tuple[str, ...]:
    if isinstance(measure, Duration):
        return ("p50", "p90")
    return ("p50", "p90", "geometric_mean") if _rowwise(measure) else ()


def _on_request(measure: Measure, asked: str) -> Estimand | None:
    """A quantile such as p90, or the geometric mean, of what is measured row by row."""
    unit = "seconds" if isinstance(measure, Duration) else _RATIO_UNITS.get(measure.headline, "number2")
    if not (isinstance(measure, Duration) or _rowwise(measure)):
        return None
    if (found := re.fullmatch(r"p(\d{1,2}(?:\.\d+)?)", asked)) and 0 < float(found[1]) < 100:
        return Estimand("quantile", unit, unit, measure.better, float(found[1]) / 100, "share0")
    if asked == "geometric_mean" and _rowwise(measure):
        return Estimand("geometric_mean", unit, unit, measure.better)
    return None


def _rowwise(measure: Measure) -> bool:
    return isinstance(measure, Ratio) and not measure.per and not measure.bottom


def _top_is_high(measure: Score) -> bool:
    """Whether the favourable answers are the high ones."""
    return sum(measure.top) / len(measure.top) >= sum(measure.scale) / 2


def influences(
    estimand: Estimand, measure: Measure, a: pd.DataFrame, b: pd.DataFrame, clusters: Sequence[Labels] | None = None
) -> Pair:
    """Both sides' estimates with how far a row of each line moves them; `clusters` sharpen the spread of a quantile."""
    if estimand.stat == "relative_effect":
        return effect_influences(a["value"], b["value"], a["n"], b["n"])
    labels = clusters or (None, None)
    one, two = (_influenced(estimand, measure, x, c) for x, c in zip((a, b), labels, strict=True))
    return one, two


def both_together(estimand: Estimand, measure: Measure, a: pd.DataFrame, b: pd.DataFrame) -> Influenced:
    """The estimate over both sides’ rows; of a relative effect the mean rank, whose gap is the effect less 1/2."""
    both = pd.concat([a, b], ignore_index=True)
    if estimand.stat != "relative_effect":
        return _influenced(estimand, measure, both, None)
    n = both["n"].to_numpy(np.float64)
    order, place = np.unique(both["value"].to_numpy(np.float64), return_inverse=True)
    rows = summed(place, n, len(order))
    return of.mean(((np.cumsum(rows) - rows / 2) / rows.sum())[place], n)


def _influenced(estimand: Estimand, measure: Measure, lines: pd.DataFrame, clusters: Labels) -> Influenced:
    value, n, at = lines["value"].to_numpy(np.float64), lines["n"].to_numpy(np.float64), estimand.amount
    match estimand.stat:
        case "capped_mean":
            return of.capped_mean(value, lines["observed"], at, n)
        case "within":
            return of.finished_within(value, lines["observed"], at, n)
        case "quantile" if isinstance(measure, Duration):
            return of.waiting_quantile(value, lines["observed"], at, n, clusters)
        case "quantile":
            return of.quantile(value, at, n, clusters)
        case "geometric_mean":
            return of.geometric_mean(value, n)
        case _ if "bottom" in lines:
            return of.ratio(value, lines["bottom"], n)
    return of.mean(row_values(estimand, measure, value), n)


def row_values(estimand: Estimand, measure: Measure, value: Floats) -> Floats:
    """What a mean is taken of: 1 and 0 of a share, -1 to 1 of a net score, else the value."""
    if estimand.stat == "top_share" and isinstance(measure, Score):
        return np.isin(value, measure.top).astype(np.float64)
    if isinstance(measure, Net):
        return np.isin(value, measure.promoters).astype(np.float64) - np.isin(value, measure.detractors)
    return value


@dataclass(frozen=True, eq=False)
class Strata:
    """The stratum of each line of either side, and what each stratum weighs; thin ones are put together."""

    labels: tuple[NDArray[np.int64], NDArray[np.int64]]
    weights: Floats
    pooled: int  # strata that had too few rows on a side to speak for themselves


def strata_of(
    sides: Sides, columns: Sequence[str], population: Mapping[Any, float] | None = None, least: float = 5
) -> Strata:
    """Strata by one or more columns, weighed by the rows of both sides together, or by `population`.

    The keys of `population` are values of the column, or tuples of them; a missing value is None. A stratum with fewer
    than `least` rows on a side is put together with other such, and they with the smallest of the others if need be.
    """
    tables = [side.lines for side in sides.pair]
    keys = [_keys(table, columns) for table in tables]
    names = list(dict.fromkeys([*keys[0], *keys[1], *(map(_key, population) if population else ())]))
    place = {name: i for i, name in enumerate(names)}
    labels = [np.array([place[key] for key in side], dtype=np.int64) for side in keys]
    counts = [summed(x, t["n"], len(names)) for x, t in zip(labels, tables, strict=True)]
    if population is None:
        weights: Floats = counts[0] + counts[1]
    else:
        given = {_key(name): float(size) for name, size in population.items()}
        weights = np.array([given.get(name, 0.0) for name in names])
        lost = sum(1 for name, w in zip(names, weights, strict=True) if w == 0 and name not in given)
        if lost or not weights.sum() > 0:
            raise ParameterError("changes_population", n=lost)
    home = _homes(counts, weights, least)
    _, home = np.unique(home, return_inverse=True)
    total = summed(home, weights)
    pooled = int((np.bincount(home)[home] > 1).sum())
    return Strata((home[labels[0]], home[labels[1]]), total / total.sum(), pooled)


def _keys(table: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    parts = [table[c].astype(object).where(table[c].notna(), None).tolist() for c in columns]
    return list(zip(*parts, strict=True))


def _key(name: Any) -> tuple[Any, ...]:
    return name if isinstance(name, tuple) else (name,)


def _homes(counts: Sequence[Floats], weights: Floats, least: float) -> NDArray[np.int64]:
    """The stratum that each is counted with."""
    home = np.arange(len(weights))
    for _ in range(len(weights)):
        inside = np.minimum(*(summed(home, c, len(home)) for c in counts))
        alive = np.isin(np.arange(len(home)), home)
        thin = np.flatnonzero(alive & (inside < least))
        if not len(thin) or alive.sum() < 2:
            break
        others = np.flatnonzero(alive & (inside >= least))
        together = thin if len(thin) > 1 else np.append(thin, others[np.argmin(inside[others])])
        home[np.isin(home, together)] = together[0]
    return home


def weighted(
    estimand: Estimand,
    measure: Measure,
    sides: Sides,
    strata: Strata,
    clusters: Sequence[Labels] | None = None,
) -> Pair:
    """Both sides' estimates as the weighted mean of those of the strata, with how far each row moves them."""
    tables = [side.lines for side in sides.pair]
    value, moves = [0.0, 0.0], [np.zeros(len(t)) for t in tables]
    for stratum, weight in enumerate(strata.weights):
        inside = [labels == stratum for labels in strata.labels]
        if weight == 0 or not all(rows.any() for rows in inside):
            continue
        parts = [table[rows] for table, rows in zip(tables, inside, strict=True)]
        labels = None if clusters is None else [_taken(c, rows) for c, rows in zip(clusters, inside, strict=True)]
        for i, found in enumerate(influences(estimand, measure, parts[0], parts[1], labels)):
            value[i] += weight * found.value
            moves[i][inside[i]] = weight * found.moves
    one, two = (Influenced(v, m, t["n"].to_numpy(np.float64)) for v, m, t in zip(value, moves, tables, strict=True))
    return one, two


def _taken(labels: Labels, rows: NDArray[np.bool_]) -> Labels:
    return labels[rows] if isinstance(labels, np.ndarray) else pd.Series(labels).reset_index(drop=True)[rows]


def curve(lines: pd.DataFrame) -> KaplanMeier:
    """The curve of a side that waits."""
    return kaplan_meier(lines["value"], lines["observed"], lines["n"])


def horizon_of(sides: Sides, given: float | None = None) -> Horizon:
    """Up to which time the waits of both sides are counted.

    As given; else the measure's own horizon, else its target; else, or where the data do not reach that far, the
    longest time at which on either side `AT_RISK` rows are still watched, at most the time by which nine of ten of all
    rows are done. ParameterError for a given horizon that the data do not reach.
    """
    measure = sides.measure
    curves = [curve(side.lines) for side in sides.pair]
    farthest = min(_reach(c) for c in curves)
    if given is not None:
        if not 0 < given <= farthest:
            raise ParameterError("changes_horizon", given=Lasting(given), most=Lasting(farthest))
        return Horizon(float(given), "given")
    wanted = _declared(measure) if isinstance(measure, Duration) else {}
    for why, seconds in wanted.items():
        if seconds and seconds <= farthest:
            return Horizon(float(seconds), why)
    watched = min(_watched(c) for c in curves)
    together = (np.concatenate([getattr(s, part) for s in sides.pair]) for part in ("value", "observed", "n"))
    cap = kaplan_meier(*together).quantile(_CAP)
    beyond = any(wanted.values())
    return Horizon(float(max(min(watched, cap), 1.0)), "beyond" if beyond else "data")


def _declared(measure: Duration) -> dict[str, float | None]:
    return {"declared": measure.horizon_seconds, "target": measure.target_seconds}


def _reach(found: KaplanMeier) -> float:
    """The longest time at which the curve is known: for ever, once all are done."""
    done = len(found.survival) > 0 and float(found.survival[-1]) <= 0
    return float("inf") if done else float(found.followed)


def _watched(found: KaplanMeier) -> float:
    """The longest time at which enough rows are still watched; all that were, where they are few."""
    enough = found.times[found.at_risk >= AT_RISK]
    return float(enough[-1]) if len(enough) else float(found.followed)


def shared_clusters(labels: Sequence[Labels]) -> tuple[tuple[int, int], int]:
    """How many clusters each side has, and how many are on both."""
    number, _ = codes(together(labels))
    sides = np.split(number, [len(labels[0])])
    a, b = (np.unique(side[side >= 0]) for side in sides)
    return (len(a), len(b)), len(np.intersect1d(a, b, assume_unique=True))
