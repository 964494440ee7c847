"""Every operation that the measures ask of an engine gives the same answer on DuckDB, PostgreSQL and Spark.

The expected answers are those of Python's own types, row by row; nothing of them is taken from an engine.
"""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import engines
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxkit.measures.expressions import condition, seconds_between
from cxkit.measures.grid import grid_step, on_grid

pytestmark = [pytest.mark.xdist_group("engines"), pytest.mark.timeout(900)]  # one server and one Spark for all
EPOCH = dt.datetime(1970, 1, 1)
NAN, BIG = float("nan"), 1 << 40
# A second that is nearly over, one before 1970, a leap day, a summer-time night of the server's own zone, no time.
A = ["2026-03-01 10:00:00.999999", "1969-12-31 23:59:59.500000", "2024-02-29 00:00:00", "2026-03-21 20:30:00.5", None]
B = ["2026-03-01 10:00:01.000001", "1970-01-01 00:00:00.400000", "2024-03-01 00:00:00.75", "2026-03-22 03:30:00", A[0]]
ROWS: list[dict[str, Any]] = [
    {"a": 0, "x": 1.5, "i": 0, "flag": True, "text": "Zebra", "day": "2026-03-21"},
    {"a": 1, "x": NAN, "i": 1, "flag": False, "text": "apple", "day": "1969-12-31"},
    {"a": 2, "x": None, "i": 7, "flag": None, "text": "", "day": None},
    {"a": 3, "x": -0.0, "i": -7, "flag": True, "text": "Ähre", "day": "2024-02-29"},
    {"a": 4, "x": 1e300, "i": None, "flag": False, "text": None, "day": "2025-01-01"},
    {"a": 0, "x": 2.5, "i": BIG - 1, "flag": None, "text": "ÉTÉ", "day": "2025-01-02"},
    {"a": 1, "x": -2.5, "i": BIG, "flag": True, "text": "éte", "day": "2025-01-03"},
    {"a": 2, "x": 0.1, "i": 86_399, "flag": True, "text": "تذكرة", "day": "2025-01-04"},
    {"a": 3, "x": 3.0, "i": 86_400, "flag": False, "text": "Åbo, \"x\" 'y' \\n", "day": "2025-01-05"},
    {"a": 4, "x": 0.30000000000000004, "i": 5, "flag": None, "text": "a\nb", "day": "2025-01-06"},
]


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _row(place: int, row: dict[str, Any]) -> dict[str, Any]:
    """A row as the contract wants it: an empty text and a number that is none are missing."""
    number = None if row["x"] is None or math.isnan(row["x"]) else row["x"]
    day = dt.date.fromisoformat(row["day"]) if row["day"] else None
    return {
        **row,
        "no": place,
        "a": _time(A[row["a"]]),
        "b": _time(B[row["a"]]),
        "x": number,
        "text": row["text"] or None,
        "day": day,
    }


WANTED = [_row(place, row) for place, row in enumerate(ROWS)]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> engines.Studies:
    """Ten awkward tickets: NaN beside missing, empty texts, letters of other scripts, halves of seconds."""
    folder = tmp_path_factory.mktemp("awkward")
    (folder / "tables").mkdir()
    table = pa.table(
        {
            "ticket_id": pa.array([str(place) for place in range(len(ROWS))]),
            "opened_at": pa.array([_time(A[0])] * len(ROWS), pa.timestamp("us")),
            "no": pa.array(range(len(ROWS)), pa.int64()),
            "a": pa.array([_time(A[row["a"]]) for row in ROWS], pa.timestamp("us")),
            "b": pa.array([_time(B[row["a"]]) for row in ROWS], pa.timestamp("us")),
            "x": pa.array([row["x"] for row in ROWS], pa.float64(), from_pandas=False),
            "i": pa.array([row["i"] for row in ROWS], pa.int64()),
            "flag": pa.array([row["flag"] for row in ROWS], pa.bool_()),
            "text": pa.array([row["text"] for row in ROWS], pa.string()),
            "day": pa.array([row["day"] and dt.date.fromisoformat(row["day"]) for row in ROWS], pa.date32()),
        }
    )
    pq.write_table(table, folder / "tables" / "tickets.parquet")
    return engines.studies(folder)


@pytest.fixture(params=["duckdb", "postgresql", pytest.param("spark", marks=pytest.mark.slow)])
def study(request: pytest.FixtureRequest, studies: engines.Studies) -> Any:
    engine = request.param
    return studies.on(engine, "" if engine == "duckdb" else request.getfixturevalue(engine))


def either(function):
    """`function` of the named cells, unknown where one of them is."""

    def of(row):
        cells = [row[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount]]
        return None if any(cell is None for cell in cells) else function(*cells)

    return of


def whole(time: dt.datetime) -> int:
    """Seconds since 1970, the begun one cut off."""
    return (time - EPOCH) // dt.timedelta(seconds=1)


def _says(text):
    return lambda t: condition(text, t, "tickets", ibis.literal(_time(A[0]), type="timestamp(6)"))


def _cut(seconds: Any) -> Any:
    return on_grid(seconds, grid_step(seconds, 0.01))


def grid(seconds: int, bits: int) -> int:
    """The definition of the grid with whole numbers: steps of 2^(k - bits) between 2^k and 2^(k + 1)."""
    return seconds - seconds % (1 << max(max(seconds, 1).bit_length() - 1 - bits, 0))


CASES: dict[str, tuple[Any, Any]] = {
    # times
    "whole seconds between": (lambda t: seconds_between(t.a, t.b), either(lambda a, b: whole(b) - whole(a))),
    "a time and seconds": (lambda t: t.a + t.no.as_interval("s"), either(lambda a, no: a + dt.timedelta(seconds=no))),
    "a time and days": (lambda t: t.a + ibis.interval(seconds=86_400), either(lambda a: a + dt.timedelta(days=1))),
    "earlier": (lambda t: t.a < t.b, either(lambda a, b: a < b)),
    "the earlier of two": (lambda t: ibis.least(t.a, t.b), lambda r: min(filter(None, (r["a"], r["b"])), default=None)),
    "a moment": (lambda t: t.a <= ibis.literal(_time(A[0]), "timestamp(6)"), either(lambda a: a <= _time(A[0]))),
    "seen or not": (
        lambda t: (t.a < ibis.literal(_time(A[3]), "timestamp(6)")).ifelse(t.a, ibis.null()),
        lambda r: r["a"] if r["a"] and r["a"] < _time(A[3]) else None,
    ),
    "a day as its midnight": (
        lambda t: t.day.cast("timestamp(6)"),
        either(lambda day: dt.datetime.combine(day, dt.time())),
    ),
    "days in order": (
        lambda t: t.day <= ibis.literal(dt.date(2025, 1, 1)),
        either(lambda day: day <= dt.date(2025, 1, 1)),
    ),
    "the day of a time": (lambda t: t.a.date(), either(lambda a: a.date())),
    # numbers
    "a quotient": (lambda t: t.x / t.i.nullif(0), lambda r: r["x"] / r["i"] if r["i"] and r["x"] is not None else None),
    "a quotient of whole ones": (lambda t: t.no / t.i.nullif(0), lambda r: r["no"] / r["i"] if r["i"] else None),
    "a product": (lambda t: t.x * 3, either(lambda x: x * 3)),
    "a difference": (lambda t: t.i - t.no, either(lambda i, no: i - no)),
    "compared": (lambda t: t.x <= 0.3, either(lambda x: x <= 0.3)),
    "no NaN": (lambda t: t.x.notnull(), lambda r: r["x"] is not None),
    "a gap filled": (lambda t: t.x.fill_null(9.0), lambda r: 9.0 if r["x"] is None else r["x"]),
    "down to whole": (
        lambda t: (t.x < 1e9).ifelse(t.x, ibis.null()).floor().cast("int64"),
        lambda r: math.floor(r["x"]) if r["x"] is not None and r["x"] < 1e9 else None,
    ),
    "day number": (lambda t: (t.i / 86_400).floor().cast("int64"), either(lambda i: i // 86_400)),
    "at least": (lambda t: ibis.greatest(t.no - 5, 0), lambda r: max(r["no"] - 5, 0)),
    "on the grid": (
        lambda t: _cut((t.i >= 0).ifelse(t.i, ibis.null())),
        lambda r: None if r["i"] is None or r["i"] < 0 else grid(r["i"], 7),
    ),
    # yes and no
    "a yes as one": (
        lambda t: ibis.cases((t.flag, 1), (~t.flag, 0)).cast("int8"),
        lambda r: None if r["flag"] is None else int(r["flag"]),
    ),
    "and": (lambda t: t.flag & (t.i > 0), lambda r: _and(r["flag"], None if r["i"] is None else r["i"] > 0)),
    "or": (lambda t: t.flag | (t.i > 0), lambda r: _or(r["flag"], None if r["i"] is None else r["i"] > 0)),
    "unknown is no": (lambda t: t.flag.fill_null(False), lambda r: bool(r["flag"])),
    # texts
    "empty is missing": (lambda t: t.text.isnull(), lambda r: r["text"] is None),
    "by code point": (lambda t: t.text < "a", either(lambda text: text < "a")),
    "after in the alphabet": (lambda t: t.text >= "Ä", either(lambda text: text >= "Ä")),
    "small letters": (lambda t: t.text.lower(), either(lambda text: text.lower())),
    "small letters in order": (lambda t: t.text.lower() < "z", either(lambda text: text.lower() < "z")),
    "one of": (lambda t: t.text.isin(["apple", "تذكرة"]), either(lambda text: text in ("apple", "تذكرة"))),
    "none of": (lambda t: ~t.text.isin(["apple", "تذكرة"]), either(lambda text: text not in ("apple", "تذكرة"))),
    "the same text": (lambda t: t.text, lambda r: r["text"]),
    "text, or a word": (lambda t: ibis.coalesce(t.text, "none"), lambda r: r["text"] or "none"),
    # what an analyst writes
    "condition: between times": (
        _says("b - a <= minutes(1) and a <= as_of"),
        either(lambda a, b: whole(b) - whole(a) <= 60 and a <= _time(A[0])),
    ),
    "condition: after some days": (
        _says("b > a + days(no)"),
        either(lambda a, b, no: b > a + dt.timedelta(days=no)),
    ),
    "condition: part of a minute": (
        _says("a + minutes(no / 7) - a <= minutes(no / 7)"),
        either(lambda a, no: True),
    ),
    "condition: by zero": (_says("10 / (no - 3) > 2"), lambda r: None if r["no"] == 3 else 10 / (r["no"] - 3) > 2),
    "condition: tenths": (_says("no * 0.1 <= 0.3"), lambda r: r["no"] <= 3),
    "condition: letters": (_says("lower(text) in ('été', 'zebra')"), either(lambda text: text in ("ÉTÉ", "Zebra"))),
    "condition: filled": (_says("filled(i, 0) == 0 or flag"), lambda r: _or(not r["i"], r["flag"])),
    "condition: not": (_says("not (flag and i > 5)"), lambda r: _not(_and(r["flag"], _more(r["i"], 5)))),
    "condition: either": (_says("(i if flag else no) > 4"), lambda r: _more(r["i"] if r["flag"] else r["no"], 4)),
}


def _and(a: bool | None, b: bool | None) -> bool | None:
    """Kleene's "and": a no decides."""
    return False if a is False or b is False else None if a is None or b is None else True


def _or(a: bool | None, b: bool | None) -> bool | None:
    return _not(_and(_not(a), _not(b)))


def _not(a: bool | None) -> bool | None:
    return None if a is None else not a


def _more(a: float | None, b: float) -> bool | None:
    return None if a is None else a > b


def test_each_engine_answers_as_python_does(study: Any):
    """All expressions in one question, so that an engine is asked once."""
    table = study.table("tickets")
    found = table.select("no", **{name: ask(table) for name, (ask, _) in CASES.items()}).order_by("no").to_pyarrow()
    wrong = []
    for name, (_, expected) in CASES.items():
        wanted = [expected(row) for row in WANTED]
        answers = found[name].to_pylist()
        if not all(_equal(answer, right) for answer, right in zip(answers, wanted, strict=True)):
            wrong.append((name, [pair for pair in zip(answers, wanted, strict=True) if not _equal(*pair)]))
    assert wrong == []


def _equal(answer: Any, right: Any) -> bool:
    if isinstance(right, float) and isinstance(answer, float):
        return answer == pytest.approx(right, rel=1e-15, abs=0)
    return type(answer) is type(right) and answer == right


def test_the_grid_is_exact_at_every_power_of_two(study: Any):
    """A logarithm that comes out a hair too small would put 2^k into the octave below; checked up to 35,000 years."""
    near = sorted({2**k + step for k in range(41) for step in (-1, 0, 1) if 2**k + step >= 0})
    edges = study.lookup("edges", pa.table({"seconds": pa.array(near, pa.int64())}))
    found = edges.select("seconds", on=_cut(edges["seconds"])).order_by("seconds").to_pyarrow()
    assert found["on"].to_pylist() == [grid(seconds, 7) for seconds in near]


def test_what_follows_is_found_in_the_same_order(study: Any):
    """A window by group, times and texts: missing ones come last, texts by code point; ties are told by the text."""
    table = study.table("tickets")
    window = ibis.window(group_by=table.flag, order_by=[table.a, table.text])
    found = table.select("no", next=table.no.lead().over(window), place=ibis.row_number().over(window))
    found = {row["no"]: (row["next"], row["place"]) for row in found.to_pyarrow().to_pylist()}
    last = (dt.datetime(9999, 1, 1), "\U0010ffff")
    expected = {}
    for flag in (True, False, None):
        group = [row for row in WANTED if row["flag"] is flag]
        group.sort(key=lambda row: (row["a"] or last[0], row["text"] or last[1]))
        for place, row in enumerate(group):
            after = group[place + 1]["no"] if place + 1 < len(group) else None
            expected[row["no"]] = (after, place)
    assert found == expected


def test_rows_come_out_in_the_same_order(study: Any):
    table = study.table("tickets")
    found = table.order_by(["text", "no"]).select("no").to_pyarrow()["no"].to_pylist()
    assert found == [r["no"] for r in sorted(WANTED, key=lambda r: (r["text"] or "\U0010ffff", r["no"]))]


def test_sums_counts_and_extremes_leave_gaps_out(study: Any):
    table = study.table("tickets")
    asked = table.aggregate(
        n=table.count(),
        x=(table.x < 1e9).ifelse(table.x, ibis.null()).sum(),
        known=table.x.count(),
        yes=table.flag.cast("boolean").ifelse(1, 0).sum(),
        first=table.text.min(),
        last=table.text.max(),
        newest=table.a.max(),
        latest_text=table.text.argmax(table.no),
        first_text=table.text.argmin(table.no),
        where=table.a.max(where=table.no < 2),
    )
    (row,) = asked.to_pyarrow().to_pylist()
    texts = [r["text"] for r in WANTED if r["text"]]
    assert row.pop("x") == pytest.approx(math.fsum(r["x"] for r in WANTED if r["x"] is not None and r["x"] < 1e9))
    assert row == {
        "n": 10,
        "known": 8,
        "yes": sum(r["flag"] is True for r in WANTED),
        "first": min(texts),
        "last": max(texts),
        "newest": _time(A[3]),
        "latest_text": "a\nb",
        "first_text": "Zebra",
        "where": _time(A[0]),
    }


def test_groups_are_counted_once_whatever_the_key(study: Any):
    """A missing text, a missing yes or no and minus zero are one key each."""
    table = study.table("tickets")
    keys = table.select("flag", short=(table.text == "apple").fill_null(False), zero=(table.x == 0).fill_null(False))
    found = keys.group_by(keys.columns).agg(n=keys.count()).to_pyarrow().to_pylist()
    counted = {(row["flag"], row["short"], row["zero"]): row["n"] for row in found}
    expected: dict[Any, int] = {}
    for row in WANTED:
        key = (row["flag"], row["text"] == "apple", row["x"] == 0)
        expected[key] = expected.get(key, 0) + 1
    assert counted == expected


def test_joins_find_what_is_there(study: Any):
    """A small table of the analyst's own beside the study's: texts with quotes and gaps, numbers, times, yes and no."""
    texts = ["Åbo, \"x\" 'y' \\n", "تذكرة", None, "nobody"]
    small = pa.table(
        {
            "word": texts,
            "weight": pa.array([0.1, None, 2.0, 3.0]),
            "whole": pa.array([BIG, 2, None, -3]),
            "at": pa.array([_time(A[1]), None, _time(A[0]), _time(A[2])], pa.timestamp("us")),
            "on": pa.array([dt.date(1969, 12, 31), None, dt.date(2026, 1, 1), dt.date(2024, 2, 29)]),
            "yes": [True, False, None, True],
        }
    )
    table, other = study.table("tickets"), study.lookup("own", small)
    assert other.to_pyarrow().sort_by("weight").to_pylist() == small.sort_by("weight").to_pylist()
    joined = table.left_join(other, table.text == other.word).select("no", "weight", "whole", "at", "on", "yes")
    found = {row.pop("no"): row for row in joined.to_pyarrow().to_pylist()}
    known = {row.pop("word"): row for row in small.to_pylist()}
    assert len(found) == len(ROWS)
    for row in WANTED:
        nothing = dict.fromkeys(("weight", "whole", "at", "on", "yes"))
        assert found[row["no"]] == (known[row["text"]] if row["text"] in texts and row["text"] else nothing)


def test_a_study_is_read_alike_with_all_its_gaps(study: Any, tmp_path: Path):
    """Frames as Study promises them: naive UTC in microseconds, dates at midnight, nullable yes or no."""
    frame = study.frame("tickets").sort_values("no")
    assert [str(frame[c].dtype) for c in ("a", "day", "flag", "x")] == [
        "datetime64[us]",
        str(frame["day"].dtype),
        "boolean",
        "float64",
    ]
    assert str(frame["day"].dtype).startswith("datetime64")
    assert frame["x"].isna().tolist() == [row["x"] is None for row in WANTED]
    assert frame["text"].isna().tolist() == [row["text"] is None for row in WANTED]
    assert study.filled("tickets") == {
        "*": 10,
        **{c: sum(row[c] is not None for row in WANTED) for c in ("no", "a", "b", "i", "flag", "text", "day")},
        **dict.fromkeys(("ticket_id", "opened_at"), 10),
        "x": 8,
    }
