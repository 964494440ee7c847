"""The kinds of rule: each looks at one table and names what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cxkit.contract.schema import Rule
from cxkit.contract.view import MICROSECONDS_A_DAY, MISSING, Mask, View, days_of, last_day


@dataclass(frozen=True)
class Hit:
    """What one rule met in one table: rows under a mask, or only a count, or neither."""

    columns: tuple[str, ...] = ()
    mask: Mask | None = None
    n: int | None = None
    base: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """All tables of the data together, with the moment up to which they count."""

    views: Mapping[str, View]
    as_of: pd.Timestamp | None = None
    repeats: Mapping[str, int] = field(default_factory=dict)  # exact duplicates counted in the source rows

    def last_day(self) -> int | None:
        """The last day (since 1970) that belongs to the data; see `view.last_day`."""
        columns = [(view, column) for view in self.views.values() for column in _observed(view)]
        return last_day([days_of(view.times(column)) for view, column in columns])


Kind = Callable[[View, Rule, Scene], Iterator[Hit]]


def _observed(view: View) -> list[str]:
    return [column.name for column in view.spec.columns.values() if column.observed and view.has(column.name)]


def _columns(view: View, *types: str) -> list[str]:
    return [column.name for column in view.spec.of_type(*types) if view.has(column.name)]


def _present(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    for column in view.spec.required:
        there = column in view.data.column_names
        if not there or (view.rows and not view.filled(column).any()):
            yield Hit((column,))


def _typed(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    for column in view.spec.columns.values():
        if column.name in view.data.column_names and not view.fits(column.name):
            yield Hit((column.name,), params={"type": column.type})


def _complete(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    for column in view.spec.required:
        if view.has(column):
            yield Hit((column,), ~view.filled(column), base=view.rows)


def _unique(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    key = list(view.spec.key)
    if key and view.has(*key):
        yield Hit(tuple(key), view.repeated(key), base=view.rows)


def _repeats(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    columns = [column for column in view.spec.columns if view.has(column)]
    if not columns:
        return
    mask = _same_rows(view, columns)
    yield Hit((), mask, n=scene.repeats.get(view.name), base=view.rows)


def _same_rows(view: View, columns: list[str]) -> Mask:
    """Rows that repeat an earlier one in every column; all columns are compared only where the first ones agree."""
    narrow = [c for c in view.spec.key if c in columns] or _columns(view, "timestamp")[:1] or columns[:1]
    alike = view.data.select(narrow).to_pandas().duplicated(keep=False).to_numpy()
    mask = np.zeros(view.rows, dtype=bool)
    if alike.any():
        mask[alike] = view.data.select(columns).filter(pa.array(alike)).to_pandas().duplicated().to_numpy()
    return mask


def _choices(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    for name in _columns(view, "choice"):
        filled = view.filled(name)
        known = view.among(name, pa.array(view.spec.columns[name].choices))
        yield Hit((name,), filled & ~known, base=int(filled.sum()))


def _range(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    for name in _columns(view, "seconds", "count", "number"):
        column = view.spec.columns[name]
        if column.min is None and column.max is None:
            continue
        low, high = (-np.inf if column.min is None else column.min), (np.inf if column.max is None else column.max)
        numbers = view.numbers(name)
        params = {"low": column.min or 0, "high": column.max or 0, "bounded": str(column.max is not None).lower()}
        outside = (numbers < low) | (numbers > high)
        yield Hit((name,), outside, base=int(view.filled(name).sum()), params=params)


def _years(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    for name in _columns(view, "timestamp", "date"):
        is_date = view.spec.columns[name].type == "date"
        first = rule.settings.get("first_of_dates", rule.settings["first"]) if is_date else rule.settings["first"]
        last, floor = rule.settings["last"], rule.settings.get("not_before")
        times = view.times(name)
        wrong = (times < _year_start(first)) | (times >= _year_start(last + 1))
        if floor is not None:
            wrong &= times >= _year_start(floor)
        wrong &= times != MISSING
        years = times[wrong].astype("datetime64[us]").astype("datetime64[Y]").astype(int) + 1970
        calendar = likely_calendar(int(np.median(years))) if len(years) else "none"
        params = {"first": str(first), "last": str(last), "calendar": calendar}
        yield Hit((name,), wrong, base=int(view.filled(name).sum()), params=params)


def _year_start(year: int) -> int:
    return int(np.datetime64(f"{year:04d}-01-01", "us").astype(np.int64))


def likely_calendar(year: int) -> str:
    """The calendar in which `year` is about now: "jalali", "hijri", "buddhist" or "none".

    >>> likely_calendar(1404), likely_calendar(1447), likely_calendar(2568), likely_calendar(1970)
    ('jalali', 'hijri', 'buddhist', 'none')
    """
    nows = {"jalali": year + 621, "hijri": round(year * 0.970224 + 621.5), "buddhist": year - 543}
    return next((name for name, now in nows.items() if 1990 <= now <= 2035), "none")


def _ahead(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    last = scene.last_day() if scene.as_of is None else None  # with as_of declared, `future` reports them
    if last is None:
        return
    for name in _observed(view):
        times = view.times(name)
        ahead = (times >= (last + 1) * MICROSECONDS_A_DAY) & (times < _year_start(2101))  # later years have a rule
        yield Hit((name,), ahead, base=int(view.filled(name).sum()))


def _future(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    if scene.as_of is None:
        return
    edge = int(scene.as_of.to_datetime64().astype("datetime64[us]").astype(np.int64))
    for name in _observed(view):
        yield Hit((name,), view.times(name) > edge, base=int(view.filled(name).sum()))


def _reference(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    for name in _columns(view, "text"):
        target, _, key = (view.spec.columns[name].references or "").partition(".")
        if target in scene.views and scene.views[target].has(key):
            filled = view.filled(name)
            known = view.among(name, scene.views[target].data[key])
            yield Hit((name,), filled & ~known, base=int(filled.sum()), params={"target": target})


def _day_stamped(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    found = []
    for name in _columns(view, "timestamp"):
        times = view.times(name)
        times = times[times != MISSING]
        clock = times % MICROSECONDS_A_DAY
        # Two times of day, not one: midnight is another UTC time after a clock change.
        one_clock = bool(((clock == clock.min()) | (clock == clock.max())).all())
        if len(times) >= rule.settings["least"] and one_clock and np.ptp(times) >= MICROSECONDS_A_DAY:
            found.append(name)
    if found:
        yield Hit(tuple(found))


def _constant(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    found = []
    for name in _columns(view, "timestamp", "seconds"):
        cells = view.data[name].drop_null()
        edges = pc.min_max(cells).as_py()
        if len(cells) >= rule.settings["least"] and edges["min"] == edges["max"]:
            found.append(name)
    if found:
        yield Hit(tuple(found))


def _empty(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    optional = [c.name for c in view.spec.columns.values() if not c.required and c.name in view.data.column_names]
    found = [name for name in optional if view.fits(name) and not view.filled(name).any()]
    if found and view.rows:
        yield Hit(tuple(found))


def _uniform(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    least = rule.settings["least"]
    if view.name == "survey_answers":
        found = ["value"] if view.has("item", "value") and _even_answers(view, least) else []
        needed = 1
    else:
        found = [name for name in _columns(view, "choice") if _even(_tally(view.data[name]), least)]
        needed = 2
    if len(found) >= needed:
        yield Hit(tuple(found))


def _tally(cells: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(pc.value_counts(cells.drop_null()).field("counts").to_numpy(), dtype=float)


def _even_answers(view: View, least: int) -> bool:
    items = pc.unique(view.data["item"]).to_pylist()
    answers = (view.data["value"].filter(pc.equal(view.data["item"], item)) for item in items[:50] if item)
    return any(_even(_tally(values), least) for values in answers)


def _even(counts: np.ndarray[Any, np.dtype[np.float64]], least: int) -> bool:
    """Whether three or more categories are as equally frequent as if drawn by lot.

    Chi-squared within two standard deviations of its mean: k - 1, with variance 2(k - 1), when all categories are
    equally likely (Pearson 1900).
    """
    if counts.sum() < least or not 3 <= len(counts) <= 20:
        return False
    expected = counts.sum() / len(counts)
    degrees = len(counts) - 1
    return bool(((counts - expected) ** 2 / expected).sum() <= degrees + 2 * np.sqrt(2 * degrees))


def _few(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    if view.rows < rule.settings["least"]:
        yield Hit((), n=view.rows, params={"least": rule.settings["least"]})


def _order(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    earlier, later = rule.settings["earlier"], rule.settings["later"]
    later = next((name for name in np.atleast_1d(later).tolist() if view.has(name)), None)
    if later is None or not view.has(earlier):
        return
    both = view.filled(earlier) & view.filled(later)
    yield Hit((earlier, later), both & (view.times(later) < view.times(earlier)), base=int(both.sum()))


def _state(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    when, column = rule.settings["when"], rule.settings["column"]
    if view.has(when, column):
        there = view.among(when, pa.array(rule.settings["holds"]))
        yield Hit((when, column), there & (view.filled(column) == rule.settings["filled"]), base=int(there.sum()))


def _unmatched(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    when, column = rule.settings["when"], rule.settings["column"]
    if view.has(when, column):
        there = view.filled(when)
        yield Hit((when, column), there & ~view.filled(column), base=int(there.sum()))


def _unfilled(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    column = rule.settings["column"]
    if view.has(column):
        n = int((~view.filled(column)).sum())
        yield Hit((column,), n=n, base=view.rows)


def _scale(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    if view.has("value", "scale_min", "scale_max"):
        value, low, high = (view.numbers(name) for name in ("value", "scale_min", "scale_max"))
        asked = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
        yield Hit(("value",), asked & ((value < low) | (value > high)), base=int(asked.sum()))


def _one_scale(view: View, rule: Rule, scene: Scene) -> Iterator[Hit]:
    if view.has("item", "scale_min", "scale_max"):
        scales = view.data.select(["item", "scale_min", "scale_max"]).to_pandas().dropna().drop_duplicates()
        per_item = scales["item"].value_counts()
        yield Hit(("scale_min", "scale_max"), n=int((per_item > 1).sum()), base=len(per_item))


KINDS: Mapping[str, Kind] = {
    "present": _present,
    "typed": _typed,
    "complete": _complete,
    "unique": _unique,
    "repeats": _repeats,
    "choices": _choices,
    "range": _range,
    "years": _years,
    "ahead": _ahead,
    "future": _future,
    "reference": _reference,
    "day_stamped": _day_stamped,
    "constant": _constant,
    "empty": _empty,
    "uniform": _uniform,
    "few": _few,
    "order": _order,
    "state": _state,
    "unmatched": _unmatched,
    "unfilled": _unfilled,
    "scale": _scale,
    "one_scale": _one_scale,
}
