"""A table of the analyst's own, and the outcome in it as a KPI: two groups from any spreadsheet take the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from cxkit.errors import ParameterError, nearest
from cxkit.measures import Duration, Measure, Net, Ratio, Score, Share
from cxkit.measures.expressions import column_names, known_column
from cxkit.stats.equivalence import Better

Kind = Literal["share", "score", "net", "time", "amount"]
_TOP = 2  # favourable answers of a scale of five or more


def own_table(path: str | Path, beside: str | Path = ".", dates: str = "") -> pd.DataFrame:
    """The table in a CSV or Parquet file, looked for beside the study first; the column `dates` as moments.

    ParameterError for a file that is not there, is no table, or whose dates are none.
    """
    given = Path(path).expanduser()
    file = next((p for p in (Path(beside) / given, given) if p.is_file()), None)
    if file is None:
        raise ParameterError("own_missing", file=given.name)
    try:
        frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, encoding="utf-8-sig")
    except (ValueError, OSError):
        raise ParameterError("own_unreadable", file=given.name) from None
    frame.columns = frame.columns.astype(str).str.strip()
    if dates:
        known_column(dates, tuple(map(str, frame)), given.name)
        try:
            frame[dates] = pd.to_datetime(frame[dates], format="ISO8601")
        except (ValueError, TypeError):
            raise ParameterError("own_dates", column=dates) from None
    return frame


def own_measure(frame: pd.DataFrame, outcome: str, kind: str, better: str, dates: str = "") -> Measure:
    """The outcome as a KPI: a yes or no (a column, or a condition), an answer, a time in seconds, an amount."""
    if kind not in get_args(Kind):
        near = nearest(kind, get_args(Kind)) or "none"
        raise ParameterError("own_kind", given=kind[:40], near=near, known=", ".join(get_args(Kind)))
    if not outcome:
        raise ParameterError("own_outcome", known=", ".join(map(str, frame)))
    wanted: Better = better if better in ("higher", "lower") else "none"  # type: ignore[assignment]
    for column in column_names(outcome) if kind == "share" else (outcome,):
        known_column(column, tuple(map(str, frame)), "DataFrame")
    told = {"at": dates, "better": wanted}
    if kind == "share":
        return Share(outcome, where=_yes(frame, outcome), **told)  # type: ignore[arg-type]
    values = frame[outcome]
    if not pd.api.types.is_numeric_dtype(values):
        raise ParameterError("own_numbers", column=outcome)
    if kind == "score":
        low, high = float(values.min()), float(values.max())
        top = tuple(high - i for i in range(_TOP if high - low >= 4 else 1))
        return Score(outcome, value=outcome, scale=(low, high), top=top, **told)  # type: ignore[arg-type]
    if kind == "net":
        return Net(outcome, value=outcome, **told)  # type: ignore[arg-type]
    if kind == "time":
        return Duration(outcome, seconds=outcome, **told)  # type: ignore[arg-type]
    return Ratio(outcome, top=outcome, **told)  # type: ignore[arg-type]


def _yes(frame: pd.DataFrame, outcome: str) -> str:
    """A condition as it is; of a column the condition that it says yes."""
    if outcome not in frame or pd.api.types.is_bool_dtype(frame[outcome]):
        return outcome
    return f"{outcome} == 1" if pd.api.types.is_numeric_dtype(frame[outcome]) else outcome
