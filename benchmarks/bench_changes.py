"""Two sides of a million rows each: `bench_changes.py {make,cxkit,PEER} FOLDER ROWS {mean,net,median,waits}`.

- mean: of an answer from 1 to 5 by 800 agents, difference with interval and p (statsmodels, OLS with clusters)
- net, median: difference with interval (scipy.stats.bootstrap; 40 of its 10,000 resamples, multiplied up). The kit
  needs no resamples: it knows how far each row moves the estimate
- waits: curves, medians, log-rank test and capped means of times of which some are still open (lifelines, whose capped
  means come without an error)

Both read the same Parquet file, and that counts. A peer must find what the kit finds, or its time would mean nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from timing import report

AGENTS, RESAMPLES, SAMPLE = 400, 10_000, 40
HORIZON = 72 * 60.0  # minutes
Found = dict[str, float]


def make(file: Path, rows: int) -> None:
    """Answers, handle times and waits of tickets of two times 400 unlike agents."""
    if file.exists():
        return
    rng = np.random.default_rng(1)
    side, agent = np.repeat([0, 1], rows // 2), rng.integers(0, AGENTS, rows)
    who = agent + AGENTS * side
    ease = rng.normal(0, 0.3, 2 * AGENTS)[who] + rng.normal(size=rows)
    waits, watched = np.ceil(60 * np.exp(3.2 - ease)), rng.integers(6 * 60, 240 * 60, rows)
    table = pd.DataFrame(
        {
            "late": side.astype("int8"),
            "agent": who.astype("int16"),
            "answer": np.clip(np.rint(4 + ease), 1, 5).astype("int8"),
            "score": np.clip(np.rint(8 + 2 * ease), 0, 10).astype("int8"),
            "seconds": np.ceil(np.exp(6 - 0.5 * ease)).astype("int32"),
            "minutes": np.minimum(waits, watched).astype("int32"),
            "done": waits <= watched,
        }
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    table.sample(frac=1, random_state=1).to_parquet(file)


def tally(file: Path, *columns: str) -> list[dict[str, np.ndarray]]:
    """Distinct lines of either side with their counts, counted by the engine."""
    names = ", ".join(columns)
    lines = duckdb.sql(f"select late, {names}, count(*) as n from '{file}' group by all order by all").fetchnumpy()
    return [{name: np.asarray(lines[name][lines["late"] == late]) for name in (*columns, "n")} for late in (0, 1)]


def by_agent(file: Path) -> list[dict[str, np.ndarray]]:
    """Number and mean of each agent's answers, added up by the engine: all that errors by agent depend on."""
    sums = "count(*) as n, sum(answer::double) as total"  # as the kit's own sums: whole numbers are exact in it
    found = duckdb.sql(f"select late, agent, {sums} from '{file}' group by late, agent").fetchnumpy()
    lines = {**found, "answer": found["total"] / found["n"]}
    return [{name: column[lines["late"] == late] for name, column in lines.items()} for late in (0, 1)]


def columns(file: Path, *names: str) -> list[tuple[np.ndarray, ...]]:
    """The rows of either side, as a peer takes them."""
    table = pd.read_parquet(file, columns=["late", *names])
    return [tuple(table.loc[table["late"] == late, name].to_numpy() for name in names) for late in (0, 1)]


# --- the kit ---


def ours(file: Path) -> dict[str, Callable[[], Found]]:
    """Each task as the kit does it."""
    from cxkit.stats import contrast, kaplan_meier, log_rank, mean, net, quantile

    def mean_by_agent() -> Found:
        a, b = by_agent(file)
        found = contrast(*(mean(s["answer"], s["n"]) for s in (a, b)), clusters=(a["agent"], b["agent"]))
        return {"value": found.value, "se": found.se}

    def net_score() -> Found:
        found = contrast(*(net(s["score"], s["n"]) for s in tally(file, "score")))
        return {"value": found.value, "se": found.se}

    def median() -> Found:
        found = contrast(*(quantile(s["seconds"], 0.5, s["n"]) for s in tally(file, "seconds")))
        return {"value": found.value, "se": found.se}

    def waits() -> Found:
        a, b = tally(file, "minutes", "done")
        curves = [kaplan_meier(s["minutes"], s["done"], s["n"]) for s in (a, b)]
        both = {name: np.concatenate([a[name], b[name]]) for name in a}
        late = np.repeat([False, True], [len(a["n"]), len(b["n"])])
        capped = [curve.capped_mean(HORIZON).estimate for curve in curves]
        test = log_rank(both["minutes"], both["done"], late, both["n"])
        return {"value": capped[1] - capped[0], "chi2": test.chi2, "median": curves[1].median - curves[0].median}

    return {"mean": mean_by_agent, "net": net_score, "median": median, "waits": waits}


# --- the peers ---


def theirs(file: Path) -> dict[str, Callable[[], Found]]:
    """Each task as the peer's documentation has it."""
    return {
        "mean": lambda: by_statsmodels(file),
        "net": lambda: by_scipy(columns(file, "score"), net_gap),
        "median": lambda: by_scipy(columns(file, "seconds"), median_gap),
        "waits": lambda: by_lifelines(file),
    }


def by_statsmodels(file: Path) -> Found:
    """Least squares on the side, errors by agent (CR1)."""
    import statsmodels.formula.api as smf

    table = pd.read_parquet(file, columns=["late", "agent", "answer"])
    fit = smf.ols("answer ~ late", table).fit(cov_type="cluster", cov_kwds={"groups": table["agent"]})
    return {"value": float(fit.params.iloc[1]), "se": float(fit.bse.iloc[1])}


def net_gap(a: np.ndarray, b: np.ndarray, axis: int = -1) -> Any:
    """Difference of net scores."""
    shares = [(s >= 9).mean(axis=axis) - (s <= 6).mean(axis=axis) for s in (a, b)]
    return shares[1] - shares[0]


def median_gap(a: np.ndarray, b: np.ndarray, axis: int = -1) -> Any:
    """Difference of medians."""
    return np.median(b, axis=axis) - np.median(a, axis=axis)


def by_scipy(sides: list[tuple[np.ndarray, ...]], gap: Callable[..., Any]) -> Found:
    """In batches of five: all at once would take 75 GB."""
    from scipy import stats

    data = tuple(side[0] for side in sides)
    drawn = stats.bootstrap(
        data, gap, n_resamples=SAMPLE, batch=5, vectorized=True, method="percentile", rng=np.random.default_rng(1)
    )
    return {"value": float(gap(*data)), "se": float(drawn.standard_error)}


def by_lifelines(file: Path) -> Found:
    """Curves, medians, test and capped means, without an error of the latter: lifelines' is that of one ticket."""
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import logrank_test
    from lifelines.utils import restricted_mean_survival_time

    (a, a_done), (b, b_done) = columns(file, "minutes", "done")
    curves = [KaplanMeierFitter().fit(a, a_done), KaplanMeierFitter().fit(b, b_done)]
    capped = [float(restricted_mean_survival_time(curve, t=HORIZON)) for curve in curves]
    test = logrank_test(a, b, a_done, b_done)
    medians = [float(curve.median_survival_time_) for curve in curves]
    return {"value": capped[1] - capped[0], "chi2": float(test.test_statistic), "median": medians[1] - medians[0]}


def must_agree(task: str, found: Found, kits: Found) -> None:
    """The value alike; errors of 40 resamples, and CR1 beside CR3, as far as they can be."""
    for name, value in found.items():
        near = {"se": 0.5 if task in ("net", "median") else 0.02}.get(name, 1e-3)
        if abs(value - kits[name]) > near * abs(kits[name]):
            raise SystemExit(f"{task}: the peer’s {name} is {value:g}, the kit’s {kits[name]:g}")


def main(side: str, folder: Path, rows: int, task: str) -> None:
    """Make the table, or time one side on it."""
    file, found = folder / "two_sides.parquet", list[Found]()
    if side == "make":
        make(file, rows)
    elif side == "cxkit":
        import cxkit.stats  # noqa: F401 - imports are not timed

        duckdb.sql("select 1").fetchall()  # nor is opening an engine
        run = ours(file)[task]
        report(lambda: found.append(run()))
        (folder / f"{task}.json").write_text(json.dumps(found[0]))
    else:
        _imported(side)
        run = theirs(file)[task]
        drawn = {"sample": SAMPLE, "rows": RESAMPLES, "of": "resamples"} if side == "scipy" else {}
        report(lambda: found.append(run()), **drawn)
        must_agree(task, found[0], json.loads((folder / f"{task}.json").read_text()))


def _imported(peer: str) -> None:
    """Imports are not timed, nor is that of the reader of files."""
    import pyarrow.parquet  # noqa: F401

    if peer == "statsmodels":
        import statsmodels.formula.api  # noqa: F401
    elif peer == "scipy":
        import scipy.stats  # noqa: F401
    else:
        import lifelines.statistics  # noqa: F401


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
