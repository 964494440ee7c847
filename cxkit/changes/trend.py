"""Did one series shift when the change came: before and after, with the trend, the week and the calendar it had anyway.

::

    trend_change(study, "first_reply_time", change="email_triage")
    trend_change(study, "volume", at="2026-02-01", where="channel == 'email'", control="channel == 'phone'")
    trend_change(series, "drivers killed", at="1983-02-01", season=("month",), log=True, better="lower")

Neighbouring days resemble each other and a service has a trend without any change, so a t test on days cries wolf in up
to 95 of 100 services in which nothing happened; a regression whose noise has a memory of one step errs in 5 to 8.

Each step counts alike: a day of 40 answers is one day of the service, as is one of 60. Steps of fewer than five cases
are gaps, and where a typical day is thin, blocks of seven days take its place. Without a control series the finding
says "changed", never "caused"; with one, the difference of both series is followed.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxkit.changes.asking import alpha_of, change_of, horizon_asked, margin_of
from cxkit.changes.estimands import Estimand
from cxkit.changes.levels import as_look, at_level, levels_of, looked
from cxkit.changes.lines import Data, Ground, Moment, ground, measure_of
from cxkit.changes.parts import Design, Effect, Look, Manner, judge
from cxkit.changes.sides import sides
from cxkit.changes.steps import (
    Freq,
    Steps,
    regressors,
    special_of,
    steps_from,
    steps_of_series,
    steps_of_stock,
    told_of,
)
from cxkit.changes.trend_facts import (
    ENOUGH,
    Origin,
    SeriesFacts,
    checks_of,
    doubts_of,
    method_of,
    naive_of,
    notes_of,
)
from cxkit.changes.trend_finding import TrendFinding
from cxkit.errors import ParameterError
from cxkit.measures import Count, Duration, Measure, Net, Ratio, Score, Share
from cxkit.stats import (
    Inference,
    SeriesChange,
    SeriesModel,
    independent_columns,
    placebo_dates,
    series_change,
)
from cxkit.stats.contrast import from_log
from cxkit.stats.equivalence import Better

Floats = np.typing.NDArray[np.float64]

_NAN = float("nan")


def trend_change(
    data: Data | pd.Series[Any],
    kpi: str | Measure,
    at: Moment | float | None = None,
    *,
    change: str = "",
    freq: Freq = "auto",
    season: str | Sequence[str] = ("weekday",),
    slope: bool = False,
    special_days: bool | pd.DataFrame = True,
    control: str = "",
    placebo: bool = True,
    margin: float | str | None = None,
    where: str = "",
    dated: str = "",
    window_days: float = 0,
    horizon: float | str | None = None,
    estimand: str = "",
    better: Better | None = None,
    log: bool | None = None,
    alpha: float = 0.05,
    look: Look | int | None = None,
    looks: int = 0,
    as_of: Moment | None = None,
) -> TrendFinding:
    """Whether the level of `kpi` shifted at `at`, beyond the trend, the week and the special days it had anyway.

    data: a Study, a DataFrame with a Measure, or a Series of finished values (then `kpi` may be any name, `at` a label
    of its index, `better` the direction, and the index may be dates, periods or numbers such as years).

    at, or change: a `change_id` of the study, as `compare` takes it; where, dated, window_days, horizon, estimand,
    margin, alpha, look, looks likewise. A score is followed by its share of favourable answers.

    freq: "day", "week" (blocks of seven days, counted from the change), or "auto": days if a typical one has 20 cases
    (10 arrivals). season: "weekday", "month". slope: the change may bend the trend, too; the verdict is about the level
    at the change. special_days: True takes those of the study's calendar (Ramadan, the feasts, Nowruz, closed days); a
    table with a column `day` and others of flags or numbers adds an analyst's own. control: a condition for rows that
    did not get the change; the difference of both series is then followed. log: changes are factors; None for numbers
    of arrivals only. placebo: look for the change on days before it, too.

    ParameterError for fewer than 12 known steps, and fewer than four on a side.
    """
    asked = _Asked(
        seasons=(season,) if isinstance(season, str) else tuple(season),
        slope=slope,
        placebo=placebo,
        margin=margin_of(margin),
        alpha=alpha_of(alpha),
        look=as_look(look, looks),
        better=better,
        log=log,
    )
    if isinstance(data, pd.Series):
        measure = kpi if isinstance(kpi, Measure) else Ratio(str(kpi), top="value", better=better or "none")
        given = special_days if isinstance(special_days, pd.DataFrame) else None
        steps = steps_of_series(data, at, _told(measure), bool(log))
        return _found(measure, steps, asked, given, Origin())
    measure = measure_of(data, kpi)
    if change:
        at, where = change_of(data, change, where)
    place = ground(data, measure, as_of)
    if isinstance(measure, Count) and measure.spells:
        steps = steps_of_stock(place, measure, at, freq, where, window_days)
        given = _beside(place, steps, special_days)
        return _found(measure, steps, asked, given, Origin(place=place, where=where))
    cut: dict[str, Any] = {"at": at, "dated": dated, "window_days": window_days, "as_of": as_of}
    cut |= {"cluster": "", "days": True}
    found = sides(data, measure, where=where, **cut)
    told = told_of(measure, estimand, found, horizon_asked(horizon))
    steps = steps_from(found, told, freq)
    rival = None
    if control:
        other = sides(data, measure, where=control, **cut)
        rival = steps_from(other, told, "week" if steps.unit == "week" else "day")
    given = _beside(place, steps, special_days)
    return _found(measure, steps, asked, given, Origin(found, rival, place, where))


@dataclass(frozen=True)
class _Asked:
    """The question as it was put."""

    seasons: tuple[str, ...]
    slope: bool
    placebo: bool
    margin: float | None
    alpha: float
    look: Look | None
    better: Better | None
    log: bool | None


def _told(measure: Measure) -> Estimand:
    """The unit of a series that came as one."""
    unit = {Share: "share", Score: "share", Net: "points", Duration: "seconds"}.get(type(measure), "number2")
    return Estimand("value", unit, unit, measure.better)


def _beside(place: Ground, steps: Steps, special: bool | pd.DataFrame) -> pd.DataFrame | None:
    if isinstance(special, pd.DataFrame):
        if "day" not in special:
            raise ParameterError("steps_beside", column="day")
        return special
    first, last = steps.table["step"].iloc[0], steps.table["step"].iloc[-1] + pd.Timedelta(days=steps.days - 1)
    return special_of(place, first.date(), last.date()) if special else None


def _found(measure: Measure, steps: Steps, asked: _Asked, beside: pd.DataFrame | None, origin: Origin) -> TrendFinding:
    log = steps.log if asked.log is None else asked.log
    seen = steps.value[steps.known]
    if len(seen) and (seen == seen[0]).all() and (seen[0] > 0 or not log):
        raise ParameterError("steps_constant", kpi=measure.spoken, n=len(seen))
    value, log = _followed(steps, origin.control, log)
    columns, hidden = _columns(steps, asked, beside)
    extra = np.column_stack(list(columns.values())) if columns else None
    model = SeriesModel(slope=asked.slope, regressors=extra, log=log and origin.control is None)
    enough = ENOUGH[steps.unit]
    change = series_change(value, steps.at, model, 1 - asked.alpha, enough)
    nothing = placebo_dates(value, steps.at, model, 1 - asked.alpha) if asked.placebo else None
    rows = float(steps.table["n"].iloc[steps.at :].sum())
    levels = levels_of(asked.look, asked.alpha, max(rows, 1.0))
    told = dataclasses.replace(steps.estimand, change="relative") if log else steps.estimand

    def effect_at(level: float) -> Inference:
        return at_level(change.level, level, log)

    head = looked(at_level(change.level, levels[0], False), asked.look, asked.alpha, rows)
    head = from_log(head) if log else head
    effects = [told.effect(head, "primary")]
    if change.slope is not None:
        effects.append(Effect(f"bend_{steps.unit}", told.change, at_level(change.slope, 1 - asked.alpha, log)))
    judgement = judge(
        effect_at,
        better=asked.better or told.better,
        margin=asked.margin,
        alpha=asked.alpha,
        rows=float(change.before + change.after),
        levels=levels,
    )
    series = _series(steps, value, change, log and origin.control is not None)
    facts = SeriesFacts(steps, change, nothing, asked.alpha, tuple(columns), hidden, value, log, origin, asked.look)
    return TrendFinding(
        _table(steps, series, origin),
        notes_of(facts),
        measure=measure,
        design=_design(steps, origin),
        effects=tuple(effects),
        judgement=judgement,
        method=method_of(facts),
        naive=naive_of(facts),
        checks=checks_of(facts),
        alpha=asked.alpha,
        margin=asked.margin,
        look=asked.look,
        shape=series,
        provenance=_provenance(measure, steps, origin),
        steps=steps,
        change=change,
        placebo=nothing,
        doubts=doubts_of(facts, judgement.code),
    )


def _followed(steps: Steps, control: Steps | None, log: bool) -> tuple[Floats, bool]:
    """The values that are followed: those of the series, or how far it lies from the control's (in logs, if asked)."""
    if control is None:
        return steps.value, log
    theirs = control.table.set_index("step")["value"].reindex(steps.table["step"]).to_numpy(np.float64)
    if not log:
        return steps.value - theirs, False
    ours = steps.value
    if (ours[np.isfinite(ours)] <= 0).any() or (theirs[np.isfinite(theirs)] <= 0).any():
        raise ParameterError("stats_positive", n=int((ours <= 0).sum() + (theirs <= 0).sum()))
    return np.log(ours) - np.log(theirs), True


def _columns(steps: Steps, asked: _Asked, beside: pd.DataFrame | None) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """Columns that say more than trend and change do; and the names of those that the change itself hides."""
    found = regressors(steps, asked.seasons, beside)
    known = steps.known
    t = np.arange(len(known), dtype=np.float64)
    step = (t >= steps.at).astype(np.float64)
    plain = [np.ones_like(t), t - t.mean()]
    moved = [*plain, step, *([step * (t - steps.at)] if asked.slope else [])]
    kept = _kept(found, moved, known)
    without = _kept(found, plain, known)
    hidden = tuple(name for name in without if name not in kept)
    return {name: found[name] for name in kept}, hidden


def _kept(found: Mapping[str, Floats], before: Sequence[Floats], known: np.typing.NDArray[np.bool_]) -> list[str]:
    """Names of the columns that those before them do not hold already, on the known steps."""
    if not found:
        return []
    whole = np.column_stack([*before, *found.values()])[known]
    return [name for name, keep in zip(found, independent_columns(whole)[len(before) :], strict=True) if keep]


def _series(steps: Steps, value: Floats, change: SeriesChange, back: bool) -> pd.DataFrame:
    """The series as it was, as the model has it, and as it would have gone on."""
    lines = {"value": value, "fitted": change.fitted, "without": change.without}
    if back:
        lines = {name: np.exp(line) for name, line in lines.items()}
    return steps.table[["step", "n"]].assign(**lines, kind="steps")


def _table(steps: Steps, series: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """What the steps were on average: before, after, and what was to be expected after."""
    told, after = steps.estimand, np.arange(len(series)) >= steps.at
    parts = [("before", series["value"], ~after), ("after", series["value"], after)]
    parts += [("expected", series["without"], after)]
    unit = told.unit if origin.control is None or not steps.log else "times"
    rows = []
    for name, line, rows_of in parts:
        known = rows_of & np.isfinite(line.to_numpy(np.float64))
        rows.append(
            {
                "group": name,
                **told.cells,
                "unit": unit,
                "value": float(line[known].mean()) if known.any() else _NAN,
                "steps": int(known.sum()),
                "n": float(series["n"][rows_of].sum()) if name != "expected" else _NAN,
            }
        )
    return pd.DataFrame(rows)


def _design(steps: Steps, origin: Origin) -> Design:
    """Since the change; or beyond what the control did."""
    manner: Manner = "since" if origin.control is None else "beyond"
    at = steps.label if isinstance(steps.label, pd.Timestamp) else None
    if origin.sides is not None:
        at = origin.sides.day
    names = ("before", "after") if origin.control is None else ("without", "with")
    return Design(manner, names, at=at, where=origin.where, id="trend_change")


def _provenance(measure: Measure, steps: Steps, origin: Origin) -> dict[str, Any]:
    """A mark of the series behind the finding, and of the definition."""
    known = pd.util.hash_pandas_object(steps.table, index=False).to_numpy().tobytes()
    as_of = None if origin.place is None else origin.place.as_of.isoformat()
    mark = hashlib.sha256(known).hexdigest()[:12]
    return {"rows": mark, "definition": measure.definition_hash, "as_of": as_of, "where": origin.where}
