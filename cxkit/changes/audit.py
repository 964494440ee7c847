"""Are the two sides fit to be compared: what was looked at, whether it is in order, and what to do if not.

Each check is a code with a level: ok, warn, or stop. Chance is a rival explanation of every small difference, so a
check warns only where a difference is both larger than chance makes it and large enough to matter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.calendars import special_days
from cxkit.changes.engine import Engine
from cxkit.changes.estimands import Estimand, estimands, horizon_of, shared_clusters
from cxkit.changes.lines import Data, everybody, lines_of
from cxkit.changes.looks import look_check
from cxkit.changes.parts import Check, Design, Level, Look, Manner, Method
from cxkit.changes.select import FEW_CLUSTERS, FEWEST_CLUSTERS, Unit
from cxkit.changes.sides import SEASONS, Sides, declared_seasons, sides, whole_days
from cxkit.changes.words import Column
from cxkit.contract import load
from cxkit.lang import Amount, Coded, Sentence, Several, Word, frame_line, is_rtl, say
from cxkit.measures import Count, Duration, Measure, Ratio, Share, missing
from cxkit.measures.expressions import column_names
from cxkit.result import Format, Result
from cxkit.stats import Association, association, calendar_imbalance, kaplan_meier, sample_ratio, skew_reach
from cxkit.stats.balance import SAMPLE_RATIO_ALARM, SKEWED

_SURE = 0.01  # p below which chance is not taken for an explanation
_MOVED = 0.05  # share of rows of another kind from which a mix has shifted
_DAYS = 0.10  # share of days of another kind from which a calendar is uneven
_RATES = 0.03  # difference of two shares (answered, missing, open) that may matter
_TWICE = 0.01  # share of rows that stand there twice, from which nothing is counted
_MIX = ("channel", "topic", "language", "priority")
_COLOURS = {"ok": figures.GOOD, "warn": figures.WARN, "stop": figures.BAD}


@dataclass(frozen=True, eq=False)
class Audit(Result):
    """One row a check: what was looked at, the level, and one sentence."""

    measure: Measure | None = None
    design: Design = field(default_factory=lambda: Design("since"))
    checks: tuple[Check, ...] = ()

    formats: ClassVar[Mapping[str, Format]] = {
        "check": ("c", lambda row, lang: say(f"changes.check.{row['check']}.name", lang)),
        "level": ("c", lambda row, lang: say(f"changes.level.{row['level']}", lang)),
        "finding": ("c", lambda row, lang: row["finding"].text(lang)),
    }
    size: ClassVar[tuple[float, float]] = (8.0, 3.2)

    def sentences(self) -> tuple[Sentence, ...]:
        """Whether the sides may be compared, and what speaks against it."""
        counts = {level: sum(check.level == level for check in self.checks) for level in ("ok", "warn", "stop")}
        code = "stop" if counts["stop"] else "warn" if counts["warn"] else "ok"
        return (Sentence(f"changes.audit.{code}", {"n": len(self.checks), **counts}),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """A mark for each check: in order, to be weighed, or a reason to stop."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rtl, shown = is_rtl(lang), self.checks
        for place, check in enumerate(shown):
            at = 1 - (place + 0.5) / max(len(shown), 1)
            mark = {"ok": "o", "warn": "^", "stop": "X"}[check.level]
            ax.plot(0.97 if rtl else 0.03, at, mark, color=_COLOURS[check.level], markersize=9, clip_on=False)
            words = f"{_name(check, lang)}: {say(f'changes.level.{check.level}', lang)}"
            side = "right" if rtl else "left"
            ax.text(0.93 if rtl else 0.07, at, frame_line(words, lang), ha=side, va="center")
        ax.set(xlim=(0, 1), ylim=(0, 1))
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Checks in machine values."""
        codes = pd.Series([check.sentence.key for check in self.checks], dtype=object)
        return Result.to_dict(dataclasses.replace(self, table=self.table.assign(finding=codes)))


def _name(check: Check, lang: str | None) -> str:
    """What was looked at; of clusters, by which column."""
    name, unit = say(f"changes.check.{check.code}.name", lang), check.params.get("unit")
    return f"{name} ({unit.text(lang)})" if isinstance(unit, Word) else name


def audit(
    data: Data,
    kpi: str | Measure,
    *,
    randomised: bool | str = False,
    expected: tuple[float, float] = (0.5, 0.5),
    look: Look | None = None,
    **question: Any,
) -> Audit:
    """Whether the two sides of a question are fit to be compared; `question` is what `sides` takes.

    Looked at: sizes of a declared experiment, clusters, how long either side was watched, the calendar, who answered,
    the mix of what came in, rows that stand there twice, skewness, what is missing.
    """
    found = sides(data, kpi, **question)
    primary = _primary(found)
    units = Engine(found).units(primary) if min(side.known for side in found.pair) else ()
    units = units if found.baseline.daily is None else ()
    checks = audited(found, primary, None, units, look, randomised, expected)
    table = pd.DataFrame(
        {
            "check": [check.code for check in checks],
            "level": [check.level for check in checks],
            "finding": [check.sentence for check in checks],
        }
    )
    manner: Manner = "since" if found.at is not None else "due" if randomised else "between"
    return Audit(table, (), found.measure, Design(manner, found.names, found.by, found.day, found.where), checks)


def _primary(found: Sides) -> Estimand:
    waits = isinstance(found.measure, Duration) and min(side.known for side in found.pair) > 0
    return estimands(found.measure, horizon=horizon_of(found) if waits else None)[0]


def audited(
    found: Sides,
    primary: Estimand,
    method: Method | None,
    units: Sequence[Unit],
    look: Look | None,
    randomised: bool | str,
    expected: tuple[float, float],
) -> tuple[Check, ...]:
    """All checks that apply to the two sides, in the order of the card."""
    clusters = method.clusters if method is not None else tuple(u.name for u in units)
    came = _came(found)
    parts: list[Iterator[Check]] = [
        _control(found, randomised),
        _sample_ratio(found, randomised, expected),
        _clusters(units, clusters, found),
        _follow_up(found, primary),
        _calendar(found, came),
        _response(found),
        _mix(found, came),
        _twice(found),
        _skewed(found, primary),
        _missing(found),
        iter(look_check(look)),
    ]
    return tuple(check for part in parts for check in part)


def _level(bad: bool, level: Level = "warn") -> Level:
    return level if bad else "ok"


def _control(found: Sides, randomised: bool | str) -> Iterator[Check]:
    """What else may have made the difference."""
    if found.design == "before_after":
        yield Check("control", "warn")
    elif randomised:
        yield Check("lot", "ok")
    else:
        yield Check("groups", "warn")


def _sample_ratio(found: Sides, randomised: bool | str, expected: tuple[float, float]) -> Iterator[Check]:
    """Whether the sides of a declared experiment have the sizes they were meant to have."""
    if not randomised or found.design != "parallel":
        return
    waits = isinstance(found.measure, Duration)  # whose open rows are known ones
    rows = [side.known + side.missing + (0 if waits else side.open) for side in found.pair]
    if isinstance(randomised, str) and all(randomised in side.lines for side in found.pair):
        a, b = shared_clusters([side.lines[randomised] for side in found.pair])[0]
        rows = [float(a), float(b)]
    test = sample_ratio(rows, expected)
    share = expected[0] / sum(expected)
    told = {"a": int(rows[0]), "b": int(rows[1]), "share": Amount(share, "share"), "p": test.p}
    yield Check("sample_ratio", _level(test.p < SAMPLE_RATIO_ALARM, "stop"), told)


def _clusters(units: Sequence[Unit], chosen: Sequence[str], found: Sides) -> Iterator[Check]:
    """How many clusters there are to tell how alike their rows are."""
    if found.baseline.daily is not None:
        return
    known = [unit for unit in units if unit.name in chosen]
    if not known:
        yield Check("no_clusters", "warn")
    for unit in known:
        least = min(unit.clusters)
        level: Level = "stop" if least < FEWEST_CLUSTERS else "warn" if least < FEW_CLUSTERS else "ok"
        told = {"unit": Column(unit.name), "a": unit.clusters[0], "b": unit.clusters[1], "least": FEW_CLUSTERS}
        yield Check("clusters", level, told)


def _follow_up(found: Sides, primary: Estimand) -> Iterator[Check]:
    """Whether either side was watched alike: what is still open, and how long rows were watched."""
    if not isinstance(found.measure, Duration) or min(side.known for side in found.pair) == 0:
        return
    if not any(side.open for side in found.pair):
        yield Check("followed", "ok")
        return
    watched = [kaplan_meier(side.value, ~side.observed, side.n).median for side in found.pair]
    table = [[side.open, side.known - side.open] for side in found.pair]
    yield _uneven("follow_up", table, **_watched(watched))


def _uneven(code: str, table: Sequence[Sequence[float]], **told: object) -> Check:
    """Whether a share, in either row of `table` the first of two numbers, is another on the other side."""
    first, second = (some / (some + rest) for some, rest in table)
    bad = abs(first - second) > _RATES and association(table).test.p < _SURE
    return Check(code, _level(bad), {"first": Amount(first, "share"), "second": Amount(second, "share"), **told})


def _watched(medians: Sequence[float]) -> dict[str, object]:
    return {name: Amount(x, "seconds") if np.isfinite(x) else _Endless() for name, x in zip("ab", medians, strict=True)}


class _Endless(Word):
    """A time that was not reached because all were seen to their end."""

    code = None

    def text(self, lang: str | None = None) -> str:
        return say("changes.watched.to_the_end", lang)


Came = tuple[pd.DataFrame, pd.DataFrame]  # what came in on either side, by kind and day; empty where nothing is known


def _came(found: Sides) -> Came:
    """How many rows came on either side, told apart by what is known of their kind, and by day where they have one."""
    known = found.place.columns(found.measure.of)
    columns = [c for c in _MIX if c in known and c != found.by]
    days = _has_days(found)
    if not columns and not days:
        return pd.DataFrame(), pd.DataFrame()
    keys = (*columns, *([found.by] if found.by else []))
    rows = lines_of(found.place, _everybody(found), keys, days=days, **narrowed(found))
    number = found.number_of(rows)
    return rows[number == 0], rows[number == 1]


def narrowed(found: Sides) -> dict[str, Any]:
    """What narrows the rows of both sides, for other rows than those of the measure."""
    return {"where": found.where, "split": found.at, "between": found.between, "apart": found.apart}


def _has_days(found: Sides) -> bool:
    """Whether rows have a moment."""
    at = found.dated or found.measure.dated_by
    if not at or at not in found.place.columns(found.measure.of):
        return False
    frame = found.place.frame
    return frame is None or pd.api.types.is_datetime64_any_dtype(frame[at].dtype)


def _everybody(found: Sides) -> Count:
    """The rows of the measure, whatever they say."""
    at = found.dated or found.measure.dated_by
    return everybody(found.measure, at if at in found.place.columns(found.measure.of) else "")


def _calendar(found: Sides, came: Came) -> Iterator[Check]:
    """Whether both sides have the same weekdays and special days."""
    if not all("day" in part and len(part) for part in came):
        return
    zone = found.place.time_zone
    spans = [whole_days(p["day"].min().date(), p["day"].max().date(), found.apart, zone) for p in came]
    moved = calendar_imbalance(*(np.asarray(days.day_of_week) for days in spans))
    yield Check("weekdays", _level(moved > _DAYS), {"share": Amount(moved, "share")})
    special = _special(spans, _seasons(found))
    if special:
        name, a, b = max(special, key=lambda found: abs(found[1] - found[2]))
        told = {"season": Coded("season", name), "first": Amount(a, "share"), "second": Amount(b, "share")}
        yield Check("special_days", _level(abs(a - b) > _DAYS), told)


def _seasons(found: Sides) -> tuple[str, ...]:
    """The seasons that matter: those that the study's calendar declares, else all that are known."""
    return declared_seasons(found.place) or SEASONS


def _special(spans: Sequence[pd.DatetimeIndex], seasons: Sequence[str]) -> list[tuple[str, float, float]]:
    """Each season's share of the days of either side."""
    try:
        tables = [special_days(days.min().date(), days.max().date()) for days in spans]
    except LookupError:
        return []
    kept = [t[t["day"].isin(set(days.date))] for t, days in zip(tables, spans, strict=True)]
    shares = [(name, float(kept[0][name].mean()), float(kept[1][name].mean())) for name in seasons]
    return [(name, a, b) for name, a, b in shares if a + b > 0]


def _response(found: Sides) -> Iterator[Check]:
    """Whether as many answered on either side."""
    study, measure = found.place.study, found.measure
    if study is None or measure.of != "survey_answers" or missing(_ANSWERED, study):
        return
    if found.by and found.by not in found.place.columns("surveys"):
        return
    where = found.where if _readable(found.where, found.place.columns("surveys")) else ""
    if found.where and not where:
        return
    keys = (found.by,) if found.by else ()
    rows = lines_of(found.place, _ANSWERED, keys, **{**narrowed(found), "where": where})
    number = found.number_of(rows)
    parts = [rows[(number == i) & rows["value"].notna()] for i in (0, 1)]
    table = [[float((p["value"] * p["n"]).sum()), float(((1 - p["value"]) * p["n"]).sum())] for p in parts]
    if min(map(sum, table)) == 0:
        return
    yield _uneven("response", table)


_ANSWERED = Share("response", of="surveys", where="answered_at is not None", cluster="", stratum="")


def _readable(where: str, columns: Sequence[str]) -> bool:
    return column_names(where) <= set(columns)


def _mix(found: Sides, came: Came) -> Iterator[Check]:
    """Whether the same kinds of requests came in on either side; one check, of the column that moved most."""
    columns = [c for c in _MIX if all(c in part for part in came)]
    shifts = [(column, shift) for column in columns if (shift := _shift(came, column)) is not None]
    if not shifts:
        return
    column, shift = max(shifts, key=lambda pair: pair[1].moved)
    bad = shift.moved > _MOVED and shift.test.p < _SURE
    looked = Several(tuple(Column(c) for c, _ in shifts))
    yield Check("mix", _level(bad), {"column": Column(column), "share": Amount(shift.moved, "share"), "looked": looked})


def _shift(came: Came, column: str) -> Association | None:
    a, b = (part.groupby(column, observed=True)["n"].sum() for part in came)
    table = pd.concat([a, b], axis=1).fillna(0).to_numpy(np.float64).T
    if table.shape[1] < 2 or min(table.sum(axis=1)) == 0:
        return None
    return association(table)


def _twice(found: Sides) -> Iterator[Check]:
    """Whether rows stand there more than once."""
    key = load().tables[found.measure.of].key
    if len(key) != 1 or key[0] not in found.place.columns(found.measure.of):
        return
    study, frame = found.place.study, found.place.frame
    if study is not None:
        if key[0] not in study.columns(found.measure.of):
            return
        table = study.table(found.measure.of)
        asked = [table[key[0]].count().name("n"), table[key[0]].nunique().name("distinct")]
        (row,) = table.aggregate(asked).to_pyarrow().to_pylist()
        n, distinct = int(row["n"]), int(row["distinct"])
    else:
        values = frame[key[0]].dropna() if frame is not None else pd.Series(dtype=object)
        n, distinct = len(values), int(values.nunique())
    twice = n - distinct
    level: Level = "ok" if not twice else "stop" if twice > _TWICE * n else "warn"
    yield Check("twice", level, {"n": twice})


def _skewed(found: Sides, primary: Estimand) -> Iterator[Check]:
    """Whether a few large values make the mean."""
    if not isinstance(found.measure, Ratio) or found.baseline.daily is not None or primary.stat in _NOT_MEANS:
        return
    if "bottom" in found.baseline.lines:
        return
    a, b = found.pair
    reach = skew_reach(a.value, b.value, a.n, b.n)
    if np.isfinite(reach):
        yield Check("skewed", _level(reach > SKEWED), {"reach": reach, "most": SKEWED})


_NOT_MEANS = ("quantile", "geometric_mean")


def _missing(found: Sides) -> Iterator[Check]:
    """Whether values are missing on one side more than on the other."""
    table = [[side.missing, side.known] for side in found.pair]
    if found.baseline.daily is None and min(map(sum, table)) > 0:
        yield _uneven("missing", table)
