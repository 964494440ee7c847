"""Did it move: one KPI on two sides, by the method that fits the data, with what the usual test would have said.

::

    compare(study, "first_reply_time", change="email_triage")  # a change of the study's own table
    compare(study, "csat", by="language", baseline="en", treated="ar", population=["channel"])
    compare(table, cx.Share("solved", where="solved"), by="group", baseline="old", cluster="agent_id", margin=0.03)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cxkit.changes.asking import (
    Asked,
    alpha_of,
    beside,
    change_of,
    horizon_asked,
    margin_of,
    names,
    refuse_stock,
)
from cxkit.changes.audit import audited
from cxkit.changes.counting import Days
from cxkit.changes.engine import Engine, events, varies
from cxkit.changes.estimands import Estimand, Horizon, estimands, horizon_of
from cxkit.changes.finding import Finding
from cxkit.changes.levels import as_look, levels_of, looked
from cxkit.changes.lines import Data, Moment, measure_of
from cxkit.changes.naive import naive
from cxkit.changes.parts import Check, Design, Effect, Judgement, Look, Manner, Reason, judge
from cxkit.changes.select import TAIL, Facts, Selected, select
from cxkit.changes.shapes import shape_of
from cxkit.changes.sides import Sides, sides
from cxkit.changes.tables import bare_table, cluster_means, days_table, provenance_of, rows_table
from cxkit.changes.weighing import weighed
from cxkit.lang import Coded, Sentence, Several
from cxkit.measures import Duration, Measure, Share
from cxkit.stats import Inference
from cxkit.stats.survival import log_rank

_NAN = float("nan")


def compare(
    data: Data,
    kpi: str | Measure,
    *,
    by: str = "",
    baseline: str = "",
    treated: str = "",
    at: Moment | None = None,
    change: str = "",
    window_days: float = 0,
    where: str = "",
    dated: str = "",
    without: str | Sequence[str] = (),
    cluster: str | Sequence[str] | None = None,
    strata: str | Sequence[str] = (),
    population: Mapping[Any, float] | str | Sequence[str] | None = None,
    covariate: str = "",
    covariate_at: Moment | None = None,
    margin: float | str | None = None,
    horizon: float | str | None = None,
    estimand: str = "",
    alpha: float = 0.05,
    look: Look | int | None = None,
    looks: int = 0,
    randomised: bool | str = False,
    expected: tuple[float, float] = (0.5, 0.5),
    as_of: Moment | None = None,
) -> Finding:
    """Whether `kpi` differs between two sides, by how much, and how sure one can be.

    data: a Study with a KPI by name, or a pandas DataFrame with a Measure whose conditions name its columns.

    by, baseline, treated: a column and its two groups. at: a day or moment that divides before from after, with
    `window_days` of each. change: a `change_id` of the study's table of changes, which says when and for whom. where: a
    condition that narrows the rows; dated: the column that dates them instead of the measure's own; without: seasons
    ("ramadan", or "declared" for those of the study's calendar) left out on both sides.

    cluster: columns whose rows resemble each other (two for both at once, "" for none); None takes what measure and
    data declare. strata: columns at whose common mix the sides are compared. population: how many of each stratum there
    are, or columns by which the tickets are counted, to speak for those who did not answer. covariate: a column known
    before the change, with `covariate_at`, the column or moment at which it was measured.

    margin: what still counts as no change, in the unit of the effect (0.03 is three points of a share, "30 min" a
    time, 0.05 five percent of a number of arrivals). horizon: up to which time waits are counted. estimand: another
    statistic than the kind's own, such as "top_share", "within", "p90". look, looks: the number of this look at running
    data, of how many planned ones (0: whenever one likes). randomised: True if lot decided, or the column of what was
    drawn; `expected` the shares of the two sides.

    Raises ParameterError for a question that cannot be put; data that cannot carry an answer give the verdict
    "invalid", with the reason.
    """
    measure = measure_of(data, kpi)
    if change:
        at, where = change_of(data, change, where)
    asked = Asked(
        cluster=cluster,
        strata=names(strata),
        population=population,
        covariate=covariate,
        covariate_at=covariate_at,
        margin=margin_of(margin),
        horizon=horizon_asked(horizon),
        estimand=estimand,
        alpha=alpha_of(alpha),
        look=as_look(look, looks),
        randomised=randomised,
        expected=expected,
    )
    refuse_stock(measure)
    found = sides(
        data,
        measure,
        by=by,
        baseline=baseline,
        treated=treated,
        cluster=cluster,
        at=at,
        window_days=window_days,
        where=where,
        dated=dated,
        without=without,
        beside=beside(data, measure, asked),
        as_of=as_of,
    )
    return compared(found, asked)


def compared(found: Sides, asked: Asked) -> Finding:
    """The finding of two sides."""
    return _by_days(found, asked) if found.baseline.daily is not None else _by_rows(found, asked)


def _by_rows(found: Sides, asked: Asked) -> Finding:
    empty = min(side.known for side in found.pair) == 0
    horizon = horizon_of(found, asked.horizon) if isinstance(found.measure, Duration) and not empty else None
    chosen = _chosen(found, asked, horizon)
    primary, strata = chosen[0], None if empty else weighed(found, asked)
    engine = Engine(found, strata, asked.covariate)
    facts = _facts(found, asked, primary, horizon, engine, empty)
    selected = select(facts)
    way = selected.method.id
    engine = dataclasses.replace(engine, clusters=selected.clusters, exact=way == "newcombe", anew=way == "reassigned")
    selected = _tail(primary, engine, selected)
    checks = audited(found, primary, selected.method, facts.units, asked.look, asked.randomised, asked.expected)
    if stop := selected.stop or _stopped(checks):
        return _invalid(found, asked, engine, primary, selected, checks, stop)
    effects = [e.effect(engine.effect(e, 1 - asked.alpha)) for e in chosen[1:]]
    effects += [_log_rank(found, asked.alpha)] if isinstance(found.measure, Duration) else []
    return _finding(
        found,
        asked,
        selected,
        checks,
        primary,
        lambda level: engine.effect(primary, level),
        effects,
        sum(facts.rows),
        table=rows_table(found, engine, chosen, 1 - asked.alpha),
        relative=engine.relative(primary, levels_of(asked.look, asked.alpha, sum(facts.rows))[0]),
    )


def _by_days(found: Sides, asked: Asked) -> Finding:
    """Numbers of arrivals, day by day."""
    days = Days(found)
    (primary,) = estimands(found.measure)
    facts = Facts(
        kind=found.measure.kind,
        stat=primary.stat,
        manner=_manner(found, asked),
        rows=(found.baseline.known, found.other.known),
        varies=days.varies,
        days=days.numbers,
        per=days.per,
        dispersion=days.dispersion,
    )
    selected = select(facts)
    checks = audited(found, primary, selected.method, (), asked.look, asked.randomised, asked.expected)
    if stop := selected.stop or _stopped(checks):
        return _invalid(found, asked, Engine(found), primary, selected, checks, stop)
    effect, rows = days.effect(selected.method.id), float(sum(days.numbers))
    per_day = Estimand("per_day", "number2", "number2", primary.better)
    effects = [] if days.per else [per_day.effect(days.difference(1 - asked.alpha))]
    return _finding(
        found,
        asked,
        selected,
        checks,
        primary,
        effect,
        effects,
        rows,
        table=days_table(found, days, primary, 1 - asked.alpha),
        relative=days.relative(levels_of(asked.look, asked.alpha, rows)[0]),
    )


def _finding(
    found: Sides,
    asked: Asked,
    selected: Selected,
    checks: tuple[Check, ...],
    primary: Estimand,
    effect_at: Callable[[float], Inference],
    beside_it: Sequence[Effect],
    rows: float,
    **parts: Any,
) -> Finding:
    """The finding of an effect that can be had at any level."""
    levels = levels_of(asked.look, asked.alpha, rows)
    head = looked(effect_at(levels[0]), asked.look, asked.alpha, rows, primary.none)
    judgement = judge(
        effect_at,
        better=primary.better,
        margin=asked.margin,
        alpha=asked.alpha,
        rows=rows,
        none=primary.none,
        levels=levels,
    )
    return Finding(
        notes=_notes(found, selected),
        effects=(primary.effect(head, "primary"), *beside_it),
        judgement=judgement,
        naive=naive(found, primary),
        shape=shape_of(found, primary.amount if primary.stat == "capped_mean" else _NAN),
        **_about(found, asked, selected, checks),
        **parts,
    )


def _invalid(
    found: Sides,
    asked: Asked,
    engine: Engine,
    primary: Estimand,
    selected: Selected,
    checks: tuple[Check, ...],
    stop: Reason | Check,
) -> Finding:
    """A finding without an effect: what the sides hold, and why nothing may be said."""
    return Finding(
        bare_table(found, engine, primary),
        _notes(found, selected),
        judgement=Judgement("invalid", stop=stop),
        naive=naive(found, primary) if min(side.known for side in found.pair) > 1 else None,
        cluster_means=cluster_means(found, primary, selected),
        **_about(found, asked, selected, checks),
    )


def _about(found: Sides, asked: Asked, selected: Selected, checks: tuple[Check, ...]) -> dict[str, Any]:
    """What every finding says of the question and of how it was answered."""
    return {
        "measure": found.measure,
        "design": Design(_manner(found, asked), found.names, found.by, found.day, found.where),
        "method": selected.method,
        "checks": checks,
        "alpha": asked.alpha,
        "margin": asked.margin,
        "look": asked.look,
        "provenance": provenance_of(found),
    }


def _chosen(found: Sides, asked: Asked, horizon: Horizon | None) -> tuple[Estimand, ...]:
    """The statistics to compare, the primary one first."""
    measure = found.measure
    known = horizon or (Horizon(_NAN, "") if isinstance(measure, Duration) else None)
    return estimands(measure, asked.estimand, known, _within(found, horizon))


def _within(found: Sides, horizon: Horizon | None) -> float:
    """The time within which the share done is told: the target, if both sides were watched that long."""
    target = found.measure.target_seconds if isinstance(found.measure, Duration) else None
    return float(target) if target and horizon is not None and horizon.why != "beyond" else _NAN


def _facts(
    found: Sides, asked: Asked, primary: Estimand, horizon: Horizon | None, engine: Engine, empty: bool
) -> Facts:
    a, b = found.pair
    return Facts(
        kind=found.measure.kind,
        stat=primary.stat,
        manner=_manner(found, asked),
        rows=(a.known, b.known),
        open=(a.open, b.open),
        hits=_hits(found),
        varies=not empty and varies(found),
        units=() if empty else engine.units(primary),
        asked=None if asked.cluster is None else found.units,
        adjusted=asked.adjusted,
        horizon=horizon.why if horizon and primary.stat == "capped_mean" else "",
        looks=asked.look is not None,
    )


def _hits(found: Sides) -> tuple[float, float] | None:
    """Of a share the rows where it holds, of a wait those seen to their end."""
    if isinstance(found.measure, Share):
        first, second = (float((side.value * side.n).sum()) for side in found.pair)
        return first, second
    return (events(found.baseline), events(found.other)) if isinstance(found.measure, Duration) else None


def _tail(primary: Estimand, engine: Engine, selected: Selected) -> Selected:
    """Refuse a quantile beyond which too few rows lie, or which too many still wait for."""
    if selected.stop is not None or primary.stat != "quantile":
        return selected
    if not all(np.isfinite(x.value) for x in engine.pair(primary)):
        return dataclasses.replace(selected, stop=Reason("not_reached", {"quantile": primary.amount}))
    worth = min(engine.worth(primary, i) for i in (0, 1))
    beyond = worth * min(primary.amount, 1 - primary.amount)
    if not beyond >= TAIL:
        told = {"n": int(np.nan_to_num(beyond)), "least": TAIL}
        return dataclasses.replace(selected, stop=Reason("thin_tail", told))
    return selected


def _stopped(checks: tuple[Check, ...]) -> Check | None:
    return next((check for check in checks if check.level == "stop"), None)


def _log_rank(found: Sides, alpha: float) -> Effect:
    """The log-rank test as a companion."""
    value, done, n = (np.concatenate([getattr(s, part) for s in found.pair]) for part in ("value", "observed", "n"))
    second = np.repeat([False, True], [len(side.lines) for side in found.pair])
    test = log_rank(value, done, second, n)
    return Effect("log_rank", "none", Inference(_NAN, _NAN, _NAN, _NAN, np.inf, test.p, n.sum(), 1 - alpha), "test")


def _manner(found: Sides, asked: Asked) -> Manner:
    if found.design == "before_after":
        return "since"
    return "due" if asked.randomised else "between"


def _notes(found: Sides, selected: Selected) -> tuple[Sentence, ...]:
    notes = []
    if found.left_out:
        notes.append(Sentence("changes.note.left_out", {"n": int(found.left_out)}))
    if found.without:
        seasons = Several(tuple(Coded("season", name) for name in found.without))
        notes.append(Sentence("changes.note.without", {"seasons": seasons}))
    if selected.method.id == "crossed":
        notes.append(Sentence("changes.note.crossed"))
    return tuple(notes)
