"""Event arithmetic: small logs with hand-computed answers, DuckDB as an outside count, and what must not matter."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.process import core
from tests.event_study import START, events, log_of

TWO_CASES = "1:New@0/ann 2:New@1/ann 1:Work@2/bob 2:Work@3/ann 1:Done@6/bob 2:Work@4/bob 2:Done@10/ann"


def logs(least: int = 1, most: int = 40) -> st.SearchStrategy[pd.DataFrame]:
    """Random logs of few cases, activities and times, so that repetitions and ties are common."""
    row = st.tuples(
        st.integers(0, 5), st.sampled_from("ABCD"), st.integers(0, 12), st.sampled_from(["x", "y", "z", None])
    )
    return st.lists(row, min_size=least, max_size=most).map(_frame)


def _frame(rows: list[tuple[int, str, int, str | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["case_id", "activity", "hour", "resource"])
    at = (START + pd.to_timedelta(frame["hour"], unit="h")).astype("datetime64[us]")
    return frame.assign(at=at, case_id=frame["case_id"].astype(str))


def apart(frame: pd.DataFrame) -> pd.DataFrame:
    """The same log without equal times: every event a minute of its own, in the order of the file."""
    return frame.assign(at=frame["at"] + pd.to_timedelta(np.arange(len(frame)), unit="min"))


def trace_counts(frame: pd.DataFrame) -> dict[tuple[str, ...], int]:
    """Distinct traces and their number of cases, as the core finds them."""
    log = core.event_log(frame)
    found = core.traces(log)
    return {core.trace_of(log, int(e)): int(n) for e, n in zip(found.example, found.cases, strict=True)}


def steps(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[int, float]]:
    """Transitions with their number and summed seconds."""
    table = core.directly_follows(core.event_log(frame))
    rows = table.itertuples(index=False)
    return {(r.from_activity, r.to_activity): (r.n, pytest.approx(r.n * r.mean_seconds)) for r in rows}


def test_what_follows_what_is_counted_within_cases_only() -> None:
    """By hand: case 1 New 2 h Work 4 h Done; case 2 New 2 h Work 1 h Work 6 h Done."""
    table = core.directly_follows(log_of(TWO_CASES)).set_index(["from_activity", "to_activity"])
    assert table["n"].to_dict() == {("New", "Work"): 2, ("Work", "Done"): 2, ("Work", "Work"): 1}
    assert table.loc[("Work", "Done"), "mean_seconds"] == 5 * 3600
    assert table.loc[("Work", "Done"), "p90_seconds"] == pytest.approx((4 + 0.9 * 2) * 3600)


def test_cases_keep_time_order_whatever_order_the_file_has() -> None:
    """The second log is the first, read backwards."""
    backwards = " ".join(reversed(TWO_CASES.split()))
    assert trace_counts(events(TWO_CASES)) == trace_counts(events(backwards))
    assert trace_counts(events(TWO_CASES)) == {("New", "Work", "Done"): 1, ("New", "Work", "Work", "Done"): 1}


def test_equal_times_keep_the_order_of_the_file_unless_numbers_say_otherwise() -> None:
    tied = events("1:A@0 1:B@0 1:C@0")
    assert trace_counts(tied) == {("A", "B", "C"): 1}
    assert trace_counts(tied.assign(order_no=[2, 3, 1])) == {("C", "A", "B"): 1}
    assert core.event_log(tied.assign(order_no=[2, 3, 1])).ordered


def test_a_number_that_rises_while_time_falls_is_counted_as_backwards() -> None:
    log = core.event_log(events("1:A@0 1:B@5 1:C@3").assign(order_no=[1, 2, 3]))
    assert log.backwards == 1
    assert trace_counts(events("1:A@0 1:B@5 1:C@3")) == {("A", "C", "B"): 1}


def test_reversing_ties_turns_each_block_of_equal_times_and_nothing_else() -> None:
    log = core.with_ties_reversed(log_of("1:A@0 1:B@1 1:C@1 1:D@1 1:E@2 2:F@2 2:G@2"))
    assert core.trace_of(log, 0) == ("A", "D", "C", "B", "E")
    assert core.trace_of(log, 1) == ("G", "F")


def test_hand_offs_count_changes_between_known_holders() -> None:
    """ann, bob, (unknown), bob, ann: two hand-offs, one of them back to ann; the run of bob is one station."""
    log = log_of("1:A@0/ann 1:B@1/bob 1:C@2 1:D@3/bob 1:E@4/ann 2:A@0/ann 2:B@1/bob")
    assert log.resource is not None
    held = core.stations(log, log.resource)
    assert core.hand_offs(log, held).tolist() == [2, 1]
    assert core.ping_pongs(log, held).tolist() == [1, 0]
    left = dict(zip(log.activities, core.hand_offs_from(log, held).tolist(), strict=True))
    assert left == {"A": 2, "B": 0, "C": 0, "D": 1, "E": 0}


def test_reach_tells_cases_that_have_an_activity_and_those_that_have_it_again() -> None:
    log = log_of(TWO_CASES)
    cases, again = core.reach(log)
    assert dict(zip(log.activities, zip(cases.tolist(), again.tolist(), strict=True), strict=True)) == {
        "New": (2, 0),
        "Work": (2, 1),
        "Done": (2, 0),
    }


def test_first_at_gives_the_first_of_several_and_minus_one_for_none() -> None:
    log = log_of("1:A@0 1:B@1 1:B@2 2:A@0")
    assert core.first_at(log, log.codes_of(("B", "absent"))).tolist() == [1, -1]


def test_incomplete_events_are_left_out_and_counted() -> None:
    frame = events(TWO_CASES)
    frame.loc[0, "activity"] = None
    frame.loc[1, "at"] = pd.NaT
    log = core.event_log(frame)
    assert (log.size, log.dropped) == (5, 2)
    assert log.row.tolist() == [2, 4, 3, 5, 6]


def test_a_single_event_has_no_transition_and_one_trace() -> None:
    frame = events("1:A@0")
    assert core.directly_follows(core.event_log(frame)).empty
    assert trace_counts(frame) == {("A",): 1}
    assert core.case_seconds(core.event_log(frame)).tolist() == [0.0]


def test_an_empty_log_has_nothing() -> None:
    log = core.event_log(events("1:A@0").iloc[:0])
    assert (log.size, log.n_cases, len(core.traces(log).cases)) == (0, 0, 0)
    assert core.directly_follows(log).empty


def test_traces_that_share_a_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that sees only the first event collides; the comparison notices and other tables are drawn."""
    honest, seeds = core._trace_hash, []

    def first_event_only(log: core.EventLog, position: np.ndarray, seed: int) -> np.ndarray:
        seeds.append(seed)
        return log.activity[log.first].astype(np.uint64) if seed == 0 else honest(log, position, seed)

    monkeypatch.setattr(core, "_trace_hash", first_event_only)
    assert trace_counts(events("1:A@0 1:B@1 2:A@0 2:C@1")) == {("A", "B"): 1, ("A", "C"): 1}
    assert seeds == [0, 1]


@pytest.mark.slow
@given(logs())
def test_duckdb_counts_the_same_steps_and_variants(frame: pd.DataFrame) -> None:
    """Outside count: SQL window functions, equal times in the order of the file."""
    rows = frame.rename(columns={"at": "moment"}).assign(place=range(len(frame)))[
        ["case_id", "activity", "moment", "place"]
    ]
    in_order = "OVER (PARTITION BY case_id ORDER BY moment, place)"
    with duckdb.connect() as base:
        base.register("rows", rows)
        base.execute(
            f"""CREATE VIEW steps AS SELECT activity, following, epoch_us(later - moment) / 1e6 AS gap
                FROM (SELECT *, lead(activity) {in_order} AS following, lead(moment) {in_order} AS later FROM rows)
                WHERE following IS NOT NULL"""
        )
        pairs = base.sql(
            """SELECT activity, following, count(*), avg(gap), median(gap), quantile_cont(gap, .9)
               FROM steps GROUP BY ALL"""
        ).fetchall()
        traces = base.sql(
            """SELECT trace, count(*) FROM
               (SELECT list(activity ORDER BY moment, place) AS trace FROM rows GROUP BY case_id) GROUP BY ALL"""
        ).fetchall()
    found = core.directly_follows(core.event_log(frame)).itertuples(index=False, name=None)
    assert {row[:2]: tuple(row[2:]) for row in found} == {row[:2]: pytest.approx(row[2:]) for row in pairs}
    assert trace_counts(frame) == {tuple(trace): n for trace, n in traces}


@pytest.mark.slow
@given(logs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_where_times_differ(frame: pd.DataFrame, random: object) -> None:
    frame = apart(frame)
    order = list(range(len(frame)))
    random.shuffle(order)  # type: ignore[attr-defined]
    mixed = frame.iloc[order]
    assert trace_counts(mixed) == trace_counts(frame)
    assert steps(mixed) == steps(frame)


@given(logs())
def test_names_of_activities_do_not_matter(frame: pd.DataFrame) -> None:
    """Renaming and counting is counting and renaming."""
    new = {"A": "zulu", "B": "أ", "C": "ب", "D": "charlie"}
    renamed = frame.assign(activity=frame["activity"].map(new))
    assert trace_counts(renamed) == {tuple(new[a] for a in t): n for t, n in trace_counts(frame).items()}
    assert steps(renamed) == {(new[a], new[b]): found for (a, b), found in steps(frame).items()}


@pytest.mark.slow
@given(logs(least=2), st.integers(0, 5))
def test_a_log_split_by_case_adds_up_to_the_whole(frame: pd.DataFrame, border: int) -> None:
    low = frame["case_id"].astype(int) <= border
    parts = [part for part in (frame[low], frame[~low]) if len(part)]
    added: dict[tuple[str, ...], int] = {}
    for part in parts:
        for trace, n in trace_counts(part).items():
            added[trace] = added.get(trace, 0) + n
    assert added == trace_counts(frame)
    assert sum(core.event_log(p).size for p in parts) == core.event_log(frame).size
    changes = [_hand_offs(p) for p in parts]
    assert tuple(map(sum, zip(*changes, strict=True))) == _hand_offs(frame)


def _hand_offs(frame: pd.DataFrame) -> tuple[int, int]:
    log = core.event_log(frame)
    if log.resource is None:
        return 0, 0
    held = core.stations(log, log.resource)
    return int(core.hand_offs(log, held).sum()), int(core.ping_pongs(log, held).sum())


@given(logs())
def test_hand_offs_agree_with_a_walk_through_each_case(frame: pd.DataFrame) -> None:
    """Outside count: a plain loop over the holders of each case."""
    changes = returns = 0
    for _, part in frame.sort_values("at", kind="stable").groupby("case_id"):
        holders = [h for h in part["resource"] if isinstance(h, str)]
        runs = [h for i, h in enumerate(holders) if i == 0 or h != holders[i - 1]]
        changes += max(len(runs) - 1, 0)
        returns += sum(a == c for a, c in zip(runs, runs[2:], strict=False))
    assert _hand_offs(frame) == (changes, returns)
