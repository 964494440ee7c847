"""The rows of a KPI with what they can be told apart by, from a study or from any table, alike rows counted as one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cxkit.errors import MeasureError, ParameterError
from cxkit.measures import Count, Measure, Net, Ratio, Score, columns_of, registry
from cxkit.measures.expressions import AS_OF, column_names, known_column
from cxkit.measures.kinds import EXCLUSIONS, SOURCES
from cxkit.measures.needs import must_answer
from cxkit.measures.rows import bottom_value, counted_value, steps
from cxkit.measures.sources import as_time, moment, source

if TYPE_CHECKING:
    from cxkit.study import Study

Data: TypeAlias = "Study | pd.DataFrame"
Moment: TypeAlias = str | dt.date  # a day, or a moment: datetimes and timestamps are dates, too
_FARTHEST = 1e150  # beyond it a square is infinite
_QUARTER = 900  # seconds: every local midnight lies on a quarter of an hour


@dataclass(frozen=True, eq=False)
class Ground:
    """What the rows are read from: a study or a table of one's own, up to which moment, on which clock."""

    study: Study | None
    frame: pd.DataFrame | None
    as_of: pd.Timestamp
    time_zone: str

    def columns(self, of: str) -> tuple[str, ...]:
        """The columns that rows of `of` have."""
        if self.study is not None:
            return columns_of(self.study, of)
        return tuple(map(str, self.frame)) if self.frame is not None else ()


def ground(data: Data, measure: Measure | None = None, as_of: Moment | None = None) -> Ground:
    """Where `data` stand: a study at its own `as_of`; a table at `as_of`, or the newest time that `measure` reads."""
    if isinstance(data, pd.DataFrame):
        twice = len(data.columns) - data.columns.nunique()
        if twice:
            raise ParameterError("changes_columns_twice", n=int(twice))
        return Ground(None, data, _newest(data, measure) if as_of is None else pd.Timestamp(as_of), "UTC")
    if not hasattr(data, "as_of"):
        raise ParameterError("changes_data", found=type(data).__name__)
    return Ground(data, None, data.as_of, data.time_zone)


def measure_of(data: Data, kpi: str | Measure) -> Measure:
    """The measure itself, or the one that the study's registry knows under the name `kpi`."""
    if isinstance(kpi, Measure):
        return kpi
    if isinstance(data, pd.DataFrame):
        raise ParameterError("changes_frame_measure")
    return registry(data)[kpi]


def everybody(measure: Measure, at: str) -> Count:
    """The rows of a measure, whatever they say, dated by the column `at`."""
    item = f"item == {measure.item!r}" if isinstance(measure, Score | Net) and measure.item else ""
    among = f"({measure.among}) and {item}" if measure.among and item else measure.among or item
    return Count(measure.name, of=measure.of, among=among, exclude=measure.exclude, at=at)


def lines_of(
    place: Ground,
    measure: Measure,
    columns: Sequence[str] = (),
    *,
    where: str = "",
    dated: str = "",
    split: pd.Timestamp | None = None,
    between: tuple[pd.Timestamp | None, pd.Timestamp | None] = (None, None),
    apart: Sequence[tuple[pd.Timestamp, pd.Timestamp]] = (),
    days: bool = False,
) -> pd.DataFrame:
    """The rows of `measure`, each distinct combination once: value, observed, n, and what they are told apart by.

    `columns` of the data stand beside them under their own names; `bottom` of a Ratio that has one; with `split` a
    column `after` (the row's moment is at or after it), with `days` a column `day` (local, at midnight). `where` is a
    condition that narrows the rows; `between` two moments (naive UTC, the second left out), `apart` stretches that are
    left out. A row's moment is that of the measure, or the column `dated`.

    Values are float64: 1 or 0 of a Share, the answer, seconds, or `top` of a Ratio; NaN where there is none: `observed`
    says whether it is missing, or not yet decided.
    """
    narrowed = dataclasses.replace(measure, among=_both(measure.among, where)) if where else measure
    at = dated or measure.dated_by
    timed = split is not None or days or bool(apart) or any(edge is not None for edge in between)
    wanted = dict.fromkeys([*columns, *([at] if timed else [])])
    table, narrowed = _table(place, narrowed, tuple(wanted))
    stay = [step for _, step in steps(narrowed, table, place.as_of)]
    keys: dict[str, ir.Value] = {f"cx_by_{i}": table[c] for i, c in enumerate(columns)}
    if timed:
        time = as_time(table[at])
        stay += [time.notnull(), *_between(time, between)]
        stay += [(time < moment(first)) | (time >= moment(last)) for first, last in apart]
        keys |= {"after": time >= moment(split)} if split is not None else {}
        keys |= {"cx_quarter": (time.epoch_seconds().cast("float64") / _QUARTER).floor().cast("int64")} if days else {}
    value, observed = counted_value(narrowed, table, place.as_of)
    keys |= {"value": value.cast("float64"), "observed": ibis.literal(True) if observed is None else observed}
    if isinstance(narrowed, Ratio) and (bottom := bottom_value(narrowed, table, place.as_of)) is not None:
        keys["bottom"] = bottom
    belong = functools.reduce(operator.and_, stay, ibis.literal(True))
    kept = table.filter(belong)
    _one_scale(narrowed, kept)
    chosen = table.filter(belong).select(**keys)
    counted = chosen.group_by(chosen.columns).agg(n=chosen.count()).order_by(chosen.columns)
    found = _frame(counted).rename(columns={f"cx_by_{i}": c for i, c in enumerate(columns)})
    found = found.astype({"value": "float64", "observed": bool, "n": "float64"})
    if days:
        found["day"] = local_days(found.pop("cx_quarter").to_numpy(np.int64) * _QUARTER, place.time_zone)
    return _on_scale(narrowed, found)


def local_days(seconds: Any, time_zone: str) -> Any:
    """The local days (naive, at midnight) of moments in seconds since 1970."""
    unique, which = np.unique(np.asarray(seconds, dtype=np.int64), return_inverse=True)
    times = pd.to_datetime(pd.Series(unique), unit="s", utc=True).dt.tz_convert(time_zone)
    return times.dt.tz_localize(None).dt.floor("D").astype("datetime64[us]").to_numpy()[which]


def _both(among: str, where: str) -> str:
    return f"({among}) and ({where})" if among else where


def _between(
    time: ir.TimestampColumn, edges: tuple[pd.Timestamp | None, pd.Timestamp | None]
) -> Iterable[ir.BooleanValue]:
    first, last = edges
    if first is not None:
        yield time >= moment(first)
    if last is not None:
        yield time < moment(last)


def _table(place: Ground, measure: Measure, columns: tuple[str, ...]) -> tuple[ir.Table, Measure]:
    if place.study is not None:
        must_answer(place.study, measure)
        return source(place.study, [measure], columns), measure
    return _of_frame(place, measure, columns)


def _of_frame(place: Ground, measure: Measure, columns: tuple[str, ...]) -> tuple[ir.Table, Measure]:
    """The needed columns of a table of one's own, for DuckDB; and the measure without a date that the table lacks."""
    frame = place.frame if place.frame is not None else pd.DataFrame()
    names = [str(c) for c in frame]
    if isinstance(measure, Ratio) and measure.per:
        raise MeasureError("changes_frame_per", kpi=measure.spoken)
    if measure.clocked:
        raise MeasureError("changes_frame_clock", kpi=measure.spoken)
    if measure.at and measure.at not in names and measure.at not in columns:
        measure = dataclasses.replace(measure, at="")
    if measure.exclude is None:  # the usual rules are about canonical columns; a table's own may mean something else
        measure = dataclasses.replace(measure, exclude=())
    entry = SOURCES[measure.of].entry
    needed = measure.required
    if _undated(measure, names) and measure.dated_by not in dataclasses.replace(measure, at=_NO_DATE).required:
        needed = needed - {measure.dated_by}
    for column in (*columns, *sorted(needed)):
        known_column(column, names, _SHOWN)
    rules = set().union(*(column_names(EXCLUSIONS[rule]) for rule in measure.rules)) if measure.rules else set()
    optional = {entry, *rules, *getattr(measure, "until", ()), "scale_min", "scale_max"}
    kept = [c for c in names if c in needed | set(columns) or c in optional]
    rows = {c: _column(frame.iloc[:, names.index(c)], c) for c in kept}
    if not rows:
        raise MeasureError("changes_no_columns", kpi=measure.spoken)
    engine = ibis.duckdb.connect(autoinstall_known_extensions=False, autoload_known_extensions=False)
    engine.con.register("cx_rows", pa.table(rows))
    return engine.table("cx_rows"), measure


_SHOWN = "DataFrame"
_NO_DATE = "-"  # in the place of the date, to see what else is read


def _undated(measure: Measure, names: Sequence[str]) -> bool:
    """Whether the measure's date is only that of its table's rows, which a table of one's own may lack."""
    return measure.dated_by == SOURCES[measure.of].entry and measure.dated_by not in names


def _column(column: pd.Series[Any], name: str) -> pa.Array:
    """A column of any type as Arrow: no categories, no zones, no nanoseconds, nothing infinite."""
    try:
        found = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        raise ParameterError("changes_column_mixed", column=name) from None
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    if pa.types.is_timestamp(found.type):
        found = found.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_floating(found.type):
        infinite = pc.sum(pc.greater(pc.abs(found), _FARTHEST)).as_py() or 0
        if infinite:
            raise ParameterError("changes_infinite", column=name, n=int(infinite))
        found = pc.if_else(pc.is_nan(found), pa.scalar(None, found.type), found)
    return found


def _newest(frame: pd.DataFrame, measure: Measure | None) -> pd.Timestamp:
    """The newest time in the columns that a duration or a follow-up reads; without any, the beginning of time."""
    if measure is None:
        return pd.Timestamp(0)
    ends = getattr(measure, "until", ())
    read = {*measure.required, *ends, measure.dated_by} - {"", AS_OF}
    newest = []
    for name in map(str, frame):
        if name in read:
            times = _column(frame[name], name)
            if pa.types.is_temporal(times.type) and (top := pc.max(times).as_py()) is not None:
                newest.append(pd.Timestamp(top))
    return max(newest, default=pd.Timestamp(0)).as_unit("us")


def _frame(table: ir.Table) -> pd.DataFrame:
    """The table out of the engine, each distinct text kept once."""
    whole = table.to_pyarrow()
    columns = [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in whole.columns]
    slim = pa.table(columns, names=whole.column_names).unify_dictionaries()
    frame: pd.DataFrame = slim.to_pandas(split_blocks=True)
    return frame


def _one_scale(measure: Measure, kept: ir.Table) -> None:
    """Refuse answers that were given on other scales than the declared one."""
    if not isinstance(measure, Score | Net) or not {"scale_min", "scale_max"} <= set(kept.columns):
        return
    given = kept.filter(kept[measure.value].notnull() & kept["scale_min"].notnull())
    scales = given.select("scale_min", "scale_max").distinct().to_pyarrow().to_pylist()
    pairs = sorted((float(row["scale_min"]), float(row["scale_max"])) for row in scales)
    if any(pair != tuple(map(float, measure.scale)) for pair in pairs):
        shown = ", ".join(f"{low:g}–{high:g}" for low, high in pairs)
        declared = "{:g}–{:g}".format(*measure.scale)
        raise MeasureError("measure_mixed_scales", kpi=measure.spoken, scales=shown, declared=declared)


def _on_scale(measure: Measure, found: pd.DataFrame) -> pd.DataFrame:
    """`found`, unless it holds answers that the declared scale does not have."""
    if isinstance(measure, Score | Net):
        low, high = measure.scale
        outside = int(found.loc[(found["value"] < low) | (found["value"] > high), "n"].sum())
        if outside:
            raise MeasureError("measure_outside_scale", kpi=measure.spoken, n=outside, scale=f"{low:g}–{high:g}")
    return found
