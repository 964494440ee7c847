"""Which method fits the data at hand: a fixed table of cases, whose branch is printed with every finding.

Nothing is chosen by looking at what comes out: only kind, design, numbers of rows and clusters, and how much rows of
one cluster resemble each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cxkit.changes.parts import Manner, Method, Reason
from cxkit.changes.words import Column
from cxkit.lang import Amount
from cxkit.stats import GIANT
from cxkit.stats.proportions import rule_of_three

FEWEST_ROWS = 5
FEWEST_CLUSTERS, FEW_CLUSTERS = 5, 10
FEWEST_DAYS = 14
TAIL = 10  # rows that must lie beyond a quantile

_SHARES = ("share", "top_share", "within")


@dataclass(frozen=True)
class Unit:
    """A column whose rows resemble each other: clusters on either side, on both, and the design effect."""

    name: str
    clusters: tuple[int, int]
    shared: int
    effect: float  # variance of the difference with these clusters over that of independent rows
    largest: float = math.nan  # share of its side's rows that the largest cluster has; unknown if rows lack theirs


@dataclass(frozen=True)
class Facts:
    """All that the choice of a method looks at."""

    kind: str  # of the measure
    stat: str
    manner: Manner
    rows: tuple[float, float]
    open: tuple[float, float] = (0.0, 0.0)
    hits: tuple[float, float] | None = None  # of a share: where it holds; of a wait: those seen to their end
    varies: bool = True
    units: tuple[Unit, ...] = ()
    asked: tuple[str, ...] | None = None  # columns named as clusters; empty: none by the analyst's word
    days: tuple[int, int] | None = None  # of a number of arrivals
    per: bool = False  # counted on the rows of another table
    dispersion: float = math.nan
    quantile: float = math.nan
    adjusted: tuple[str, ...] = ()  # of: strata, population, covariate
    horizon: str = ""
    looks: bool = False  # at running data: their limits lie further out than dealing anew can tell


@dataclass(frozen=True)
class Selected:
    """The method, or why there is none."""

    method: Method
    stop: Reason | None = None

    @property
    def clusters(self) -> tuple[str, ...]:
        """The columns that the method takes as clusters."""
        return self.method.clusters


def select(facts: Facts) -> Selected:
    """The method for these facts, why it, what it is taken instead of, and where it comes from; or why none fits."""
    if stop := _unfit(facts):
        return Selected(Method("none"), stop)
    if facts.days is not None:
        return _counted(facts)
    chosen, stop = _clusters(facts)
    if stop:
        return Selected(Method("none", clusters=chosen), stop)
    found = _method(facts, chosen)
    because = (*_why_stat(facts), *_why_clusters(facts, chosen, found), *_why_adjusted(facts))
    return Selected(Method(found, because, _rejected(facts, chosen), _sources(facts, found), chosen))


def _unfit(facts: Facts) -> Reason | None:
    """What makes any comparison of rows impossible."""
    if facts.days is None and min(facts.rows) < FEWEST_ROWS:
        return Reason("few_rows", {"n": int(min(facts.rows)), "least": FEWEST_ROWS})
    if facts.hits is not None and facts.kind == "duration" and max(facts.hits) == 0:
        return Reason("all_open", {"n": int(sum(facts.rows))})
    if facts.hits is not None and facts.kind == "share" and (stop := _one_way(facts, facts.hits)):
        return stop
    return None if facts.varies else Reason("constant")


def _one_way(facts: Facts, hits: tuple[float, float]) -> Reason | None:
    """Nobody, or everybody, on both sides: what remains possible is a bound."""
    if sum(hits) not in (0, sum(facts.rows)):
        return None
    bounds = [rule_of_three(n) for n in facts.rows]
    said = dict(zip(("first", "second"), (Amount(b, "share") for b in bounds), strict=True))
    return Reason("none_happened" if sum(hits) == 0 else "all_happened", said)


def _counted(facts: Facts) -> Selected:
    """Numbers of arrivals: by the spread of the days, or from bare totals."""
    days = min(facts.days or (0, 0))
    told = {"days": days, "least": FEWEST_DAYS}
    if facts.per:
        if days < FEWEST_DAYS:
            return Selected(Method("none"), Reason("few_days", told))
        because = (Reason("per_day"), Reason("days_differ_ratio"))
        rejected = (("t_test", Reason("rows_of_two_tables")),)
        return Selected(Method("days", because, rejected, ("deng_2018", "welch_1947")))
    if days < FEWEST_DAYS:
        rejected = (("quasi_poisson", Reason("few_days", told)),)
        return Selected(Method("exact_counts", (Reason("totals_only", told),), rejected, ("przyborowski_1940",)))
    why = (Reason("counts", told), *_spread_of_days(facts))
    rejected = (("poisson_z", Reason("bursts", {"times": facts.dispersion})),)
    return Selected(Method("quasi_poisson", why, rejected, ("mccullagh_1989",)))


def _spread_of_days(facts: Facts) -> tuple[Reason, ...]:
    return (Reason("dispersion", {"times": facts.dispersion}),) if facts.dispersion == facts.dispersion else ()


def _clusters(facts: Facts) -> tuple[tuple[str, ...], Reason | None]:
    """The columns taken as clusters: those asked for; else the one with the larger design effect."""
    known = {unit.name: unit for unit in facts.units}
    if facts.asked is not None:
        chosen = tuple(name for name in facts.asked if name in known)
    else:
        few = [unit for unit in facts.units if min(unit.clusters) < FEWEST_CLUSTERS]
        ranked = sorted(facts.units, key=lambda unit: -_size(unit.effect))  # at a tie, the one declared first
        chosen = tuple(unit.name for unit in (few or ranked)[:1])
    for name in chosen:
        if min(known[name].clusters) < FEWEST_CLUSTERS:
            least = min(known[name].clusters)
            return (name,), Reason("too_few_clusters", {"unit": Column(name), "n": least, "least": FEWEST_CLUSTERS})
    return chosen, None


def _size(effect: float) -> float:
    return -math.inf if math.isnan(effect) else effect


def _method(facts: Facts, chosen: tuple[str, ...]) -> str:
    if len(chosen) == 2:
        return "two_way"
    if chosen:
        unit = _unit(facts, chosen[0])
        giant = unit.largest > GIANT and not (facts.adjusted or facts.looks)
        return "crossed" if unit.shared else "reassigned" if giant else "clusters"
    if facts.stat in ("share", "top_share") and not facts.adjusted:
        return "newcombe"
    return "brunner_munzel" if facts.stat == "relative_effect" else "welch"


def _unit(facts: Facts, name: str) -> Unit:
    return next(unit for unit in facts.units if unit.name == name)


_STAT_REASONS = {
    "relative_effect": "ordinal",
    "net": "trinomial",
    "capped_mean": "capped",
    "within": "within",
    "quantile": "quantile",
    "geometric_mean": "multiplies",
}


def _why_stat(facts: Facts) -> tuple[Reason, ...]:
    """Why this statistic."""
    code = _STAT_REASONS.get(facts.stat, "share" if facts.stat in _SHARES else "mean")
    found = [Reason(code)]
    if facts.horizon:
        found.append(Reason(f"horizon_{facts.horizon}"))
    if facts.kind == "duration" and sum(facts.open) > 0:
        whole = sum(facts.rows)
        found.append(Reason("censored", {"n": int(sum(facts.open)), "share": Amount(sum(facts.open) / whole, "share")}))
    return tuple(found)


def _why_clusters(facts: Facts, chosen: tuple[str, ...], found: str) -> tuple[Reason, ...]:
    """Why these clusters, or none; the design effect of each known unit beside."""
    if not chosen:
        code = "rows_by_word" if facts.asked is not None else "no_units"
        return (Reason(code),)
    told = [_resembles(facts, _unit(facts, name)) for name in chosen]
    told += [_beside(unit) for unit in facts.units if unit.name not in chosen]
    if found == "crossed":
        unit = _unit(facts, chosen[0])
        told.append(Reason("shared", {"unit": Column(unit.name), "n": unit.shared}))
    if found == "two_way":
        told.append(Reason("two_units"))
    if found == "reassigned":
        unit = _unit(facts, chosen[0])
        told.append(Reason("giant", {"unit": Column(unit.name), "share": Amount(unit.largest, "share")}))
    return tuple(told)


def _resembles(facts: Facts, unit: Unit) -> Reason:
    a, b = unit.clusters
    facts_of = {"unit": Column(unit.name), "a": a, "b": b, "effect": unit.effect, "n": int(sum(facts.rows))}
    if unit.effect > 1:
        return Reason("resemble", {**facts_of, "worth": round(sum(facts.rows) / unit.effect)})
    return Reason("cancel", facts_of)


def _beside(unit: Unit) -> Reason:
    return Reason("other_unit", {"unit": Column(unit.name), "effect": unit.effect})


def _why_adjusted(facts: Facts) -> tuple[Reason, ...]:
    return tuple(Reason(f"by_{name}") for name in facts.adjusted)


def _rejected(facts: Facts, chosen: tuple[str, ...]) -> tuple[tuple[str, Reason], ...]:
    """What is usually done instead, and why it is not done here."""
    found: list[tuple[str, Reason]] = []
    if facts.kind == "duration":
        found.append(("closed_only", Reason("drops_open" if sum(facts.open) else "few_slowest")))
    if chosen:
        effect = max(_size(_unit(facts, name).effect) for name in chosen)
        why = Reason("rows_alike", {"factor": math.sqrt(effect)}) if effect > 1 else Reason("rows_paired")
        found.append((_USUAL.get(facts.kind, "t_test"), why))
    elif facts.kind == "share" and not facts.adjusted:
        found.append(("wald", Reason("wald_small")))
    if facts.stat == "relative_effect":
        found.append(("mann_whitney", Reason("unequal_spread")))
    return tuple(found)


_USUAL: Mapping[str, str] = {"share": "z_test", "score": "t_test", "net": "t_test", "ratio": "t_test"}
_STAT_SOURCES: Mapping[str, tuple[str, ...]] = {
    "relative_effect": ("brunner_munzel_2000",),
    "capped_mean": ("royston_parmar_2013", "kaplan_meier_1958"),
    "within": ("kaplan_meier_1958",),
    "quantile": ("deng_2018",),
    "net": ("rocks_2016",),
}
_METHOD_SOURCES: Mapping[str, tuple[str, ...]] = {
    "clusters": ("mackinnon_2023",),
    "crossed": ("mackinnon_2023",),
    "reassigned": ("gail_1996", "mackinnon_webb_2020"),
    "two_way": ("cameron_2011",),
    "newcombe": ("newcombe_1998",),
    "welch": ("welch_1947",),
    "brunner_munzel": (),
}
_ADJUSTED_SOURCES: Mapping[str, tuple[str, ...]] = {
    "population": ("holt_smith_1979",),
    "strata": ("holt_smith_1979",),
    "covariate": ("deng_2013",),
}


def _sources(facts: Facts, found: str) -> tuple[str, ...]:
    adjusted = tuple(key for name in facts.adjusted for key in _ADJUSTED_SOURCES[name])
    return tuple(dict.fromkeys((*_STAT_SOURCES.get(facts.stat, ()), *_METHOD_SOURCES[found], *adjusted)))
