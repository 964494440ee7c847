"""Measures of a long table, added up by the engine: no row leaves it."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from cxkit.errors import MeasureError
from cxkit.measures.amounts import Amounts, Floats, Lines, Moves, Pooled
from cxkit.measures.counted import Counted
from cxkit.measures.curves import Curves, curves_of, joined
from cxkit.measures.facts import Sizes, many_clusters, rows_of, scale_words, sizes, sizes_in
from cxkit.measures.groups import Groups, coded, grouped
from cxkit.measures.kinds import Duration, Measure, Net, Ratio, Score
from cxkit.measures.passes import CLUSTER, STRATUM, Pass, Place
from cxkit.measures.sums import Sum, Sums, added, pooled, read
from cxkit.stats import Interval

_FINE_SCORE = 2.0**-10  # of the scale: no answer is told more finely
MANY_CLUSTERS = 50_000  # above it not even the sums of each cluster leave the engine
Roles = dict[str, str]  # what a sum is of a measure -> the sum's name
# products of two sums of a cluster, added over the clusters
_PRODUCTS = {
    "top top": ("top", "top"),
    "top bottom": ("top", "bottom"),
    "bottom bottom": ("bottom", "bottom"),
    "top n": ("top", "n"),
    "bottom n": ("bottom", "n"),
    "n n": ("n", "n"),
}


def counted_by_engine(look: Pass, level: float) -> tuple[Groups, dict[Measure, Counted]]:
    """What a look at a table finds for each of its measures, by groups."""
    durations = [m for m in look.places if isinstance(m, Duration)]
    curves = curves_of(look, durations, level) if durations else None
    table = joined(look, curves) if curves else look.table
    sums, known = Sums(rows_of(look.study, next(iter(look.places)).of)), _sizes(look)
    roles = {m: _roles(m, place, table, sums, known) for m, place in look.places.items()}
    for measure in durations:
        if curves and look.places[measure].clustered:
            for role, moved in curves.moved(measure).items():
                roles[measure][role] = sums.whole(table[moved.column], *moved[1:])
    found = _Found(look, table, sums, roles)
    return found.groups, {m: found.counted(m, curves) for m in look.places}


def _roles(measure: Measure, place: Place, table: ir.Table, sums: Sums, known: Mapping[str, Sizes]) -> Roles:
    """The sums that a measure needs."""
    value, belongs = table[place.value], table[place.belongs] if place.belongs else None
    roles = {"n": sums.yes(value.notnull()), "total": sums.every() if belongs is None else sums.yes(belongs)}
    if place.observed:
        left = ~table[place.observed]
        roles["open"] = sums.yes(left if belongs is None else belongs & left)
    match measure:
        case Score(scale=(low, high)):
            inside = value.between(low, high).ifelse(value, ibis.null())
            size = Sizes(float(max(abs(low), abs(high))), (high - low) * _FINE_SCORE)
            roles |= {"inside": sums.yes(inside.notnull()), "top": sums.yes(value.isin(measure.top))}
            roles |= {"value": sums.real(inside, size), "value2": sums.real(inside * inside, size.times(size))}
        case Net(scale=(low, high)):
            up, down = value.isin(measure.promoters), value.isin(measure.detractors)
            roles |= {"inside": sums.yes(value.between(low, high)), "up": sums.yes(up)}
            roles["top"] = sums.whole(up.ifelse(1.0, 0.0) - down.ifelse(1.0, 0.0), 1.0, sums.rows, 1.0)
        case Ratio():
            roles |= _ratio_roles(place, table, sums, known)
        case Duration():
            pass
        case _:
            roles["top"] = sums.yes(value == 1)
    return roles


def _ratio_roles(place: Place, table: ir.Table, sums: Sums, known: Mapping[str, Sizes]) -> Roles:
    value, a = table[place.value], known[place.value]
    roles = {"top": sums.real(value, a), "top2": sums.real(value * value, a.times(a)), "negative": sums.yes(value < 0)}
    if place.bottom:
        below, b = value.notnull().ifelse(table[place.bottom], ibis.null()), known[place.bottom]
        roles |= {"bottom": sums.real(below, b), "both": sums.real(value * below, a.times(b))}
        roles["bottom2"] = sums.real(below * below, b.times(b))
    return roles


def _sizes(look: Pass) -> Mapping[str, Sizes]:
    """The sizes of each number that a ratio adds up: they decide how finely sums are kept."""
    found: dict[str, Sizes] = {}
    unknown: list[str] = []
    for measure, place in look.places.items():
        for text, column in (
            ((measure.top, place.value), (measure.bottom, place.bottom)) if isinstance(measure, Ratio) else ()
        ):
            if column is None:
                continue
            if (known := sizes(look.study, measure.of, text)) is None:
                unknown.append(column)
            else:
                found[column] = known
    return found | (sizes_in(look.table, list(dict.fromkeys(unknown))) if unknown else {})


class _Found:
    """The sums of a look, out of the engine."""

    def __init__(self, look: Pass, table: ir.Table, sums: Sums, roles: Mapping[Measure, Roles]) -> None:
        self.look, self.sums, self.roles = look, sums, roles
        self.number = {measure: place for place, measure in enumerate(roles)}
        clustered = next((m for m, place in look.places.items() if place.clustered), None)
        self.pooled = clustered is not None and many_clusters(look.study, clustered) > MANY_CLUSTERS
        # so many clusters are customers, whom no stratum holds apart: each counts once, wherever its rows are
        keys = [*look.keys, *(c for c in ((CLUSTER,) if self.pooled else (STRATUM, CLUSTER)) if c in look.clustered)]
        self.products: Mapping[str, Sum] = {}
        if self.pooled:
            sizes = {self._name(m, "held"): mine["n"] for m, mine in roles.items()}
            counted, self.products = pooled(table, keys, sums, self._pairs(), sizes)
        else:
            counted = added(table, keys, sums)
        self.frame = look.framed(counted)
        self.groups = grouped(self.frame, look.keys)

    def counted(self, measure: Measure, curves: Curves | None) -> Counted:
        """What was counted of a measure."""
        n, total = self._sum(measure, "n"), self._sum(measure, "total")
        opened = self._sum(measure, "open") if "open" in self.roles[measure] else np.zeros_like(n)
        unknown = total - n - (0 if isinstance(measure, Duration) else opened)
        everywhere = Lines(self.groups.number, n, len(self.groups))
        sizes = everywhere.per_group(opened), everywhere.per_group(unknown)
        held = n > 0
        lines = self._lines(measure, n, held)
        if isinstance(measure, Duration) and curves:
            moves = self._time_moves(measure, lines, held) if lines.cluster is not None else {}
            return Counted(lines, *sizes, times=_placed(curves, measure, self.groups), moves=moves)
        self._must_be_on_scale(measure, n)
        return Counted(lines, *sizes, amounts=self._amounts(measure, lines, held))

    def _lines(self, measure: Measure, n: Floats, held: NDArray[np.bool_]) -> Lines:
        group = self.groups.number[held]
        if not self.look.places[measure].clustered:
            return Lines(group, n[held], len(self.groups))
        strata = coded(self.frame[STRATUM])[0][held] if STRATUM in self.frame else None
        if not self.pooled:
            return Lines(group, n[held], len(self.groups), coded(self.frame[CLUSTER])[0][held], strata)
        alone = self.frame["cx_alone"].to_numpy()[held] == 1
        many = Pooled(*(self._product(measure, name)[held] for name in ("held", "n n")))
        return Lines(group, n[held], len(self.groups), np.where(alone, -1, 0), strata, many)

    def _amounts(self, measure: Measure, lines: Lines, held: NDArray[np.bool_]) -> Amounts:
        mine, n = {role: self._sum(measure, role)[held] for role in self.roles[measure]}, lines.n
        top = mine["top"]
        bottom = mine.get("bottom", n)
        top2 = 2 * mine["up"] - top if "up" in mine else mine.get("top2", top)
        more: dict[str, Floats] = {role: mine[role] for role in ("value", "value2", "negative") if role in mine}
        if lines.pooled:
            more |= self._pooled_products(measure, "bottom" in mine, held)
        both, bottom2 = mine.get("both", top), mine.get("bottom2", n)
        return Amounts(lines, top, top2, bottom, both, bottom2, more)

    def _pooled_products(self, measure: Measure, below: bool, held: NDArray[np.bool_]) -> dict[str, Floats]:
        b = "bottom" if below else "n"
        names = {"tt": "top top", "tb": f"top {b}", "bb": f"{b} {b}", "tn": "top n", "bn": f"{b} n"}
        return {f"pooled_{short}": self._product(measure, name)[held] for short, name in names.items()}

    def _time_moves(self, measure: Measure, lines: Lines, held: NDArray[np.bool_]) -> dict[str, Moves]:
        found = {}
        for role in (role for role in self.roles[measure] if role.startswith("push_")):
            stat = role.removeprefix("push_")
            sums, square = self._sum(measure, role)[held], f"square_{stat}"
            squares = self._sum(measure, square)[held] if square in self.roles[measure] else np.zeros_like(sums)
            over = None
            if lines.pooled:
                over = self._product(measure, f"{role} {role}")[held], self._product(measure, f"{role} n")[held]
            found[stat] = Moves(sums, squares, over)
        return found

    def _pairs(self) -> dict[str, tuple[str, str]]:
        """The names of products -> the names of their two sums."""
        found = {}
        for measure, roles in self.roles.items():
            times = {role: role for role in roles if role.startswith("push_")}
            wanted = {**_PRODUCTS, **{f"{t} {t}": (t, t) for t in times}, **{f"{t} n": (t, "n") for t in times}}
            for name, (a, b) in wanted.items():
                if a in roles and b in roles:
                    found[self._name(measure, name)] = (roles[a], roles[b])
        return found

    def _must_be_on_scale(self, measure: Measure, n: Floats) -> None:
        if isinstance(measure, Score | Net):
            outside = int((n - self._sum(measure, "inside")).sum())
            if outside:
                words = scale_words(*measure.scale)
                raise MeasureError("measure_outside_scale", kpi=measure.spoken, n=outside, scale=words)

    def _sum(self, measure: Measure, role: str) -> Floats:
        name = self.roles[measure][role]
        return read(self.frame, name, self.sums.named[name])

    def _product(self, measure: Measure, name: str) -> Floats:
        column = self._name(measure, name)
        if column in self.products:
            return read(self.frame, column, self.products[column])
        return self.frame[column].to_numpy(dtype=np.float64)

    def _name(self, measure: Measure, name: str) -> str:
        return f"cx_p{self.number[measure]}_{name.replace(' ', '_')}"


def _placed(curves: Curves, measure: Measure, groups: Groups) -> dict[str, Interval]:
    """What the curves say, in the order of `groups`."""
    place = groups.places(curves.groups.keys)

    def spread_out(found: Floats) -> Floats:
        whole = np.full(len(groups), np.nan)
        whole[place] = found
        return whole

    said = curves.times[measure].said.stats
    return {stat: Interval(*(spread_out(end) for end in found)) for stat, found in said.items()}
