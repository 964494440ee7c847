"""The two sides of a question: with and without, before and after, one group and another.

`sides` divides the rows of a KPI by a column with two values, or at a moment::

    found = sides(study, csat, by="language", baseline="en", treated="ar")
    found = sides(study, first_reply_time, at="2026-02-01", where="channel == 'email'")
    found = sides(table, cx.Share("solved", where="solved"), by="group", baseline="old")
    found.baseline.lines  # value, observed, n, and a column for each unit that repeats: agent_id, customer_id
    found.baseline.known, found.baseline.open, found.baseline.missing  # how many rows
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from cxkit.calendars import local_midnight, special_days
from cxkit.changes.lines import Data, Ground, Moment, ground, lines_of, measure_of
from cxkit.changes.words import local_date, local_time
from cxkit.errors import ParameterError, nearest
from cxkit.measures import Count, Duration, Measure, Ratio, begins_at, check_group
from cxkit.measures.expressions import known_column

Design = Literal["parallel", "before_after"]
Edges = tuple[pd.Timestamp | None, pd.Timestamp | None]
Stretch = tuple[pd.Timestamp, pd.Timestamp]

PERSONS = ("agent_id", "customer_id", "reviewer_id")  # a group of one person is no side of a comparison
_FIRST = ("before", "control", "baseline", "old", "pre")  # names of a side that is always the baseline
SEASONS = ("ramadan", "eid_fitr", "eid_adha", "nowruz")
DECLARED = "declared"  # in the place of a season: all that the study's calendar declares
_DAY = pd.Timedelta(days=1)
_TICK = pd.Timedelta(microseconds=1)  # a day is over when its last moment has passed


@dataclass(frozen=True, eq=False)
class Side:
    """One side: its lines, and how many rows they stand for.

    `lines` hold what is known (columns value, observed, n, `bottom` of a Ratio, and what was asked to stand beside);
    `daily` holds, of a number of arrivals, each whole day with `count` and what it is counted on (`under`).
    """

    name: str
    lines: pd.DataFrame
    open: float  # rows still waiting (of a Duration, among the known ones), or not yet decided
    missing: float  # rows without a value, whatever happens
    daily: pd.DataFrame | None = None

    @property
    def known(self) -> float:
        """Number of rows with a value."""
        return float(self.lines["n"].sum())

    @property
    def value(self) -> Any:
        """Values of the lines."""
        return self.lines["value"].to_numpy(np.float64)

    @property
    def n(self) -> Any:
        """How many rows each line stands for."""
        return self.lines["n"].to_numpy(np.float64)

    @property
    def observed(self) -> Any:
        """Whether each line was seen to its end."""
        return self.lines["observed"].to_numpy(bool)

    @property
    def open_share(self) -> float:
        """Share (0-1) of all rows that could have a value, but are still open or undecided."""
        beside = 0.0 if bool((~self.observed).any()) else self.open
        whole = self.known + beside
        return self.open / whole if whole else float("nan")


@dataclass(frozen=True, eq=False)
class Sides:
    """Both sides of a question, baseline first, and how they came about."""

    measure: Measure
    design: Design
    by: str  # the column that divides; empty where a moment does
    at: pd.Timestamp | None  # the moment that divides, naive UTC
    baseline: Side
    other: Side
    units: tuple[str, ...]  # columns whose rows resemble each other, as far as the lines hold them
    left_out: float  # rows that belong to neither side
    place: Ground
    where: str = ""
    dated: str = ""
    days: tuple[tuple[dt.date, dt.date], tuple[dt.date, dt.date]] | None = None  # first and last whole day of each
    between: Edges = (None, None)  # the moments outside which rows do not count, naive UTC
    without: tuple[str, ...] = ()  # seasons that are left out on both sides
    apart: tuple[Stretch, ...] = ()  # and the stretches that they are, naive UTC

    @property
    def pair(self) -> tuple[Side, Side]:
        """Baseline and other side."""
        return self.baseline, self.other

    @property
    def day(self) -> pd.Timestamp | None:
        """The local day that divides."""
        return None if self.at is None else local_date(self.at, self.place.time_zone)

    @property
    def names(self) -> tuple[str, str]:
        """Names of baseline and other side."""
        return self.baseline.name, self.other.name

    def number_of(self, rows: pd.DataFrame) -> Any:
        """The side of other rows: 0 for the baseline, 1, or -1 for neither; they hold `after`, or the column."""
        if self.at is not None:
            return rows["after"].to_numpy(bool).astype(np.int64)
        return _numbered(rows[self.by], self.names)


@dataclass(frozen=True)
class Cut:
    """How rows are divided: by a column, or at a moment."""

    by: str = ""
    baseline: str = ""
    treated: str = ""
    at: Moment | None = None
    window_days: float = 0
    where: str = ""
    dated: str = ""
    without: tuple[str, ...] = ()


def sides(
    data: Data,
    measure: str | Measure,
    *,
    by: str = "",
    baseline: str = "",
    treated: str = "",
    cluster: str | Sequence[str] | None = None,
    at: Moment | None = None,
    window_days: float = 0,
    where: str = "",
    dated: str = "",
    without: str | Sequence[str] = (),
    beside: Sequence[str] = (),
    days: bool = False,
    as_of: Moment | None = None,
) -> Sides:
    """The rows of `measure` in two sides.

    data: a Study, or a pandas DataFrame whose columns the measure's conditions name. by: a column with two values; the
    baseline is the one named, else a category's first, else the first in order. With more values, name both. at: a
    day (its local midnight) or moment that divides before from after, `window_days` of each if given. where: a
    condition that narrows the rows. dated: the column that dates rows instead of the measure's own. without: seasons
    ("ramadan") left out on both sides; "declared" for all that the study's calendar declares. cluster: columns whose
    rows resemble each other; None for those that the measure and the data declare (agents, customers), "" for none.
    beside: further columns to keep, `days` the local day. ParameterError where there are not two sides.
    """
    measure = measure_of(data, measure)
    place = ground(data, measure, as_of)
    seasons = _named_seasons(place, (without,) if isinstance(without, str) and without else tuple(without))
    cut = Cut(by, baseline, treated, at, window_days, where, dated, seasons)
    if bool(by) == (at is not None):
        raise ParameterError("changes_by_or_at")
    counted = isinstance(measure, Count) or (isinstance(measure, Ratio) and bool(measure.per))
    units = () if counted else units_of(place, measure, cluster)
    columns = tuple(dict.fromkeys([*units, *beside]))
    return _divided(place, measure, cut, columns, units, counted, days)


def units_of(place: Ground, measure: Measure, cluster: str | Sequence[str] | None) -> tuple[str, ...]:
    """The columns whose rows resemble each other: those named, or those that measure and data declare."""
    known = place.columns(measure.of)
    if cluster is None:
        declared = (measure.cluster, "customer_id" if measure.of != "customers" else "")
        return tuple(dict.fromkeys(c for c in declared if c and c in known))
    named = [cluster] if isinstance(cluster, str) else list(cluster)
    named = [c for c in named if c]
    for column in named:
        known_column(column, known, measure.of if place.study is not None else "DataFrame")
    if len(named) > 2:
        raise ParameterError("changes_three_clusters", n=len(named))
    return tuple(dict.fromkeys(named))


def moment_at(at: Any, time_zone: str) -> pd.Timestamp:
    """A day as its local midnight, or a moment, as naive UTC; a time without an offset is local."""
    try:
        if isinstance(at, dt.date) and not isinstance(at, dt.datetime):
            return local_midnight(at, time_zone).as_unit("us")
        found = pd.Timestamp(at)
        if pd.isna(found):
            raise ValueError
        aware = found if found.tzinfo else found.tz_localize(ZoneInfo(time_zone), nonexistent="shift_forward")
        return aware.tz_convert("UTC").tz_localize(None).as_unit("us")
    except (ValueError, TypeError, OverflowError):
        raise ParameterError("changes_moment", given=str(at)[:40]) from None


def _divided(
    place: Ground,
    measure: Measure,
    cut: Cut,
    columns: tuple[str, ...],
    units: tuple[str, ...],
    counted: bool,
    days: bool,
) -> Sides:
    split = None if cut.at is None else moment_at(cut.at, place.time_zone)
    window = pd.Timedelta(days=cut.window_days)
    edges = (split - window, split + window) if split is not None and cut.window_days else (None, None)
    keys = (*columns, *([cut.by] if cut.by and cut.by not in columns else []))
    apart = stretches(place, measure, cut.without, cut.dated) if cut.without else ()
    asked: dict[str, Any] = {
        "where": cut.where,
        "dated": cut.dated,
        "split": split,
        "between": edges,
        "apart": apart,
    }
    if cut.by:
        _check_by(place, measure, cut.by)
    found = lines_of(place, measure, keys, days=days or counted, **asked)
    number, names, left_out = _sides_of(found, place, cut)
    spans = _whole_days(place, found, number, split, edges) if days or counted else None
    daily = _daily(place, measure, cut, found, number, names, spans, asked) if counted else (None, None)
    kept = [c for c in found if c not in (cut.by, "after") or c in columns]
    both = [_side(measure, names[i], found.loc[number == i, kept], daily[i]) for i in (0, 1)]
    return Sides(
        measure=measure,
        design="parallel" if split is None else "before_after",
        by=cut.by,
        at=split,
        baseline=both[0],
        other=both[1],
        units=tuple(u for u in units if all(bool(side.lines[u].notna().any()) for side in both)),
        left_out=left_out,
        place=place,
        where=cut.where,
        dated=cut.dated,
        days=spans,
        between=edges,
        without=cut.without,
        apart=apart,
    )


def stretches(place: Ground, measure: Measure, seasons: Sequence[str], dated: str = "") -> tuple[Stretch, ...]:
    """The stretches of the special seasons named, as far as the rows reach, naive UTC."""
    unknown = next((name for name in seasons if name not in SEASONS), None)
    if unknown is not None:
        near, known = nearest(str(unknown), SEASONS) or "none", ", ".join(SEASONS)
        raise ParameterError("changes_season", given=str(unknown)[:40], near=near, known=known)
    first, last = _reach(place, measure, dated)
    table = special_days(first, last, _sighted(place))
    days = table.loc[table[list(seasons)].any(axis=1), "day"].tolist()
    found: list[list[dt.date]] = []
    for day in days:
        if found and day == found[-1][1] + dt.timedelta(days=1):
            found[-1][1] = day
        else:
            found.append([day, day])
    zone = place.time_zone
    return tuple((local_midnight(a, zone), local_midnight(b + dt.timedelta(days=1), zone)) for a, b in found)


def declared_seasons(place: Ground) -> tuple[str, ...]:
    """The special seasons that the study's calendar declares; none of a table."""
    declared = place.study.config.get("calendar", {}).get("seasons", ()) if place.study is not None else ()
    return tuple(dict.fromkeys(season["season"] for season in declared if season.get("season") in SEASONS))


def _named_seasons(place: Ground, names: tuple[str, ...]) -> tuple[str, ...]:
    """The seasons named, "declared" for those of the calendar."""
    parts = (declared_seasons(place) if name == DECLARED else (name,) for name in names)
    return tuple(dict.fromkeys(name for part in parts for name in part))


def _sighted(place: Ground) -> Any:
    return place.study.config.get("calendar", {}).get("sighted") if place.study is not None else None


def _reach(place: Ground, measure: Measure, dated: str) -> tuple[dt.date, dt.date]:
    """First and last day of the rows."""
    if place.study is not None:
        return begins_at(place.study, measure).date() - dt.timedelta(days=1), place.as_of.date() + dt.timedelta(days=1)
    at = dated or measure.dated_by
    times = pd.to_datetime(place.frame[known_column(at, place.columns(""), "DataFrame")])  # type: ignore[index]
    return times.min().date(), times.max().date()


def _check_by(place: Ground, measure: Measure, by: str) -> None:
    if by in PERSONS:
        raise ParameterError("changes_persons", by=by)
    known = place.columns(measure.of)
    if place.study is not None and by not in known:
        check_group(by, known)
    known_column(by, known, measure.of if place.study is not None else "DataFrame")


def _sides_of(found: pd.DataFrame, place: Ground, cut: Cut) -> tuple[Any, tuple[str, str], float]:
    """The side of each line (-1: neither), the names, and how many rows are on neither."""
    if cut.at is not None:
        number = found["after"].to_numpy(bool).astype(np.int64)
        counts = [float(found.loc[number == i, "n"].sum()) for i in (0, 1)]
        if min(counts) == 0:
            raise ParameterError("changes_one_period", before=int(counts[0]), after=int(counts[1]))
        return number, ("before", "after"), 0.0
    present = list(dict.fromkeys(map(_name, found[cut.by].dropna().unique().tolist())))
    first, second = _two(present, cut, _ordered(place, cut.by, found[cut.by]))
    number = _numbered(found[cut.by], (first, second))
    return number, (first, second), float(found.loc[number < 0, "n"].sum())


def _two(present: list[str], cut: Cut, ordered: list[str]) -> tuple[str, str]:
    """Baseline and other: as named, else in order; refused where that leaves less or more than one each."""
    for name in (cut.baseline, cut.treated):
        if name and str(name) not in present:
            near = nearest(str(name), present) or "none"
            raise ParameterError("changes_no_group", group=str(name)[:40], by=cut.by, near=near, n=len(present))
    if len(present) < 2:
        raise ParameterError("changes_one_group", by=cut.by, n=len(present))
    if cut.baseline and cut.treated:
        return str(cut.baseline), str(cut.treated)
    if len(present) > 2:
        raise ParameterError("changes_many_groups", by=cut.by, n=len(present))
    usual = [name for name in ordered if name.casefold() in _FIRST]
    first = str(cut.baseline) or next((n for n in present if cut.treated and n != str(cut.treated)), "")
    first = first or (usual or ordered)[0]
    return first, next(name for name in present if name != first)


def _ordered(place: Ground, by: str, values: pd.Series[Any]) -> list[str]:
    """The names of the groups in their order: that of the categories, else that of the values."""
    frame = place.frame
    if frame is not None and isinstance(frame[by].dtype, pd.CategoricalDtype):
        known = list(frame[by].cat.categories)
    else:
        known = sorted(values.dropna().unique().tolist(), key=lambda v: (str(type(v)), v))
    present = {_name(v) for v in values.dropna().unique().tolist()}
    return [name for name in map(_name, known) if name in present]


def _name(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _side(measure: Measure, name: str, lines: pd.DataFrame, daily: pd.DataFrame | None) -> Side:
    known = lines["value"].notna().to_numpy()
    if "bottom" in lines:
        known &= lines["bottom"].notna().to_numpy()
    observed, n = lines["observed"].to_numpy(bool), lines["n"].to_numpy()
    waiting = ~observed & known if isinstance(measure, Duration) else ~observed & ~known
    kept = lines[known].reset_index(drop=True)
    return Side(name, kept, float(n[waiting].sum()), float(n[observed & ~known].sum()), daily)


def _whole_days(
    place: Ground, found: pd.DataFrame, number: Any, split: pd.Timestamp | None, edges: tuple[Any, Any]
) -> tuple[tuple[dt.date, dt.date], tuple[dt.date, dt.date]]:
    """First and last whole day of each side: sides at the same time share theirs, a moment's own day is nobody's."""
    seen = found.loc[number >= 0, "day"]
    first, last = pd.Timestamp(seen.min()), pd.Timestamp(seen.max())
    if place.study is not None and last >= (end := local_time(place.as_of + _TICK, place.time_zone)).normalize():
        last = end.normalize() - _DAY  # the day that `as_of` cuts short
    if edges[0] is not None:
        first = max(first, local_time(edges[0], place.time_zone).ceil("D"))
        last = min(last, local_time(edges[1], place.time_zone).floor("D") - _DAY)
    if split is None:
        return ((first.date(), last.date()),) * 2
    change = local_time(split, place.time_zone)
    return (first.date(), (change.floor("D") - _DAY).date()), (change.ceil("D").date(), last.date())


def _daily(
    place: Ground,
    measure: Measure,
    cut: Cut,
    found: pd.DataFrame,
    number: Any,
    names: tuple[str, str],
    spans: Any,
    asked: dict[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Per side its whole days with the sum of what came, and of what it is counted on."""
    under = None
    if isinstance(measure, Ratio) and measure.denominator is not None:
        keys = (cut.by,) if cut.by else ()
        asked = {**asked, "where": "", "dated": ""}
        under = lines_of(place, measure.denominator, keys, days=True, **asked)
        beneath = _number(under, cut, names)
    tables = []
    for i, (first, last) in enumerate(spans):
        days = whole_days(first, last, asked["apart"], place.time_zone)
        mine = found[number == i]
        table = pd.DataFrame({"count": _per_day(mine, days, mine["value"].fillna(0) * mine["n"])}, index=days)
        if under is not None:
            below = under[beneath == i]
            table["under"] = _per_day(below, days, below["n"])
        tables.append(table.rename_axis("day").reset_index())
    return tables[0], tables[1]


def whole_days(first: dt.date, last: dt.date, apart: Sequence[Stretch], time_zone: str) -> pd.DatetimeIndex:
    """The days from `first` to `last`, without those that lie in a stretch left out."""
    days = pd.DatetimeIndex(pd.date_range(first, last, freq="D")).as_unit("us")
    out = np.zeros(len(days), dtype=bool)
    for start, stop in apart:
        out |= (days >= local_time(start, time_zone)) & (days < local_time(stop, time_zone))
    return days[~out]


def _number(found: pd.DataFrame, cut: Cut, names: tuple[str, str]) -> Any:
    return found["after"].to_numpy(bool).astype(np.int64) if cut.at is not None else _numbered(found[cut.by], names)


def _numbered(values: pd.Series[Any], names: tuple[str, str]) -> Any:
    """0 where a value is the first name, 1 where it is the second, else -1."""
    code, known = pd.factorize(values)
    place = np.array([*(names.index(n) if (n := _name(v)) in names else -1 for v in np.asarray(known)), -1])
    return place[code]


def _per_day(rows: pd.DataFrame, days: pd.DatetimeIndex, amount: pd.Series[Any]) -> Any:
    summed = amount.groupby(rows["day"]).sum()
    return summed.reindex(days, fill_value=0.0).to_numpy(np.float64)
