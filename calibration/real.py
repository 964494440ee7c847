"""Real tickets dealt at random: nothing but the draw parts the two sides, so a claim of a change is a false alarm.

Whole resources (agents, customers, days) are dealt to the sides, as they are when teams or weeks are compared. What the
usual test claims is how unlike they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.kinds import ALPHA
from calibration.runs import OURS, Claims, Job
from cxkit.stats import GIANT, Influenced, contrast, largest_share, reassigned
from cxkit.stats.influence import capped_mean, finished_within, geometric_mean, mean, quantile

SPLITS = 2000
BY_T = "Student’s t by resources, always"
ROWS = "rows taken alone"
Table = Mapping[str, np.ndarray]
Estimate = Callable[[Table], Influenced]


@cache
def help_desk(folder: Path) -> pd.DataFrame:
    """4,569 resolved cases of an Italian software company: who resolved them first, for whom, after how long.

    Reopened: worked on again (taken, queried, waiting, resolved) after the first resolution.
    """
    events = pd.read_csv(folder / "helpdesk" / "helpdesk.csv")
    events["at"] = pd.to_datetime(events["Complete Timestamp"])
    events = events.sort_values(["Case ID", "at"], kind="stable")
    first = events[events["Activity"] == "Resolve ticket"].groupby("Case ID").first()
    opened = events.groupby("Case ID")["at"].min()
    again = events.merge(first["at"].rename("resolved"), left_on="Case ID", right_index=True)
    again = again[(again["at"] > again["resolved"]) & ~again["Activity"].isin(["Closed", "VERIFIED", "DUPLICATE"])]
    days = (first["at"] - opened.reindex(first.index)).dt.total_seconds() / 86_400
    return pd.DataFrame(
        {
            "resolver": first["Resource"],
            "customer": first["customer"],
            "days": days,
            "reopened": first.index.isin(again["Case ID"].unique()),
        }
    ).reset_index(drop=True)


@cache
def bank(folder: Path) -> pd.DataFrame:
    """33,066 calls of February 1999: 28 days, 4,021 known customers of two in five calls, 24 agents of those served."""
    calls = pd.read_csv(folder / "anonymous_bank" / "data_anonymous_bank_february.txt", sep="\t")
    calls = calls[calls["outcome"] != "PHANTOM"].reset_index(drop=True)
    server = calls["server"].str.strip()
    return pd.DataFrame(
        {
            "day": calls["date"],
            "customer": calls["customer_id"].where(calls["customer_id"] > 0),
            "agent": server.where((server != "NO_SERVER") & (calls["outcome"] == "AGENT") & (calls["ser_time"] > 0)),
            "left": calls["outcome"] == "HANG",
            "wait": calls["q_time"].astype(float),
            "talk": calls["ser_time"].astype(float),
        }
    )


def _all_done(rows: Table) -> np.ndarray:
    return np.ones(len(rows["unit"]), dtype=bool)


RESOLUTION: Mapping[str, Estimate] = {
    "resolution time, mean capped at 30 days": lambda c: capped_mean(c["days"], _all_done(c), 30),
    "resolution time, geometric mean": lambda c: geometric_mean(c["days"] + 0.01),
    "resolved within 15 days": lambda c: mean(c["days"] <= 15),
    "resolution time, P90": lambda c: quantile(c["days"], 0.9, clusters=c["unit"]),
    "reopened": lambda c: mean(c["reopened"]),
}
QUEUE: Mapping[str, Estimate] = {
    "abandoned": lambda c: mean(c["left"]),
    "wait, mean": lambda c: mean(c["wait"]),
    "wait, 20 seconds at most": lambda c: mean(c["wait"] <= 20),
    "wait to be answered, mean capped at 5 minutes": lambda c: capped_mean(c["wait"], ~c["left"], 300),
    "answered within 1 minute": lambda c: finished_within(c["wait"], ~c["left"], 60),
}
TALK: Mapping[str, Estimate] = {
    "talk time, geometric mean": lambda c: geometric_mean(c["talk"]),
    "talk time, mean capped at 10 minutes": lambda c: capped_mean(c["talk"], _all_done(c), 600),
}
SOURCES: Mapping[str, tuple[Callable[[Path], pd.DataFrame], str, Mapping[str, Estimate]]] = {
    "help desk, by resolver": (help_desk, "resolver", RESOLUTION),
    "help desk, by customer": (help_desk, "customer", RESOLUTION),
    "bank calls, by day": (bank, "day", QUEUE),
    "bank calls, by customer": (bank, "customer", QUEUE),
    "bank calls, by agent": (bank, "agent", TALK),
}


@cache
def rows_of(source: str, folder: Path) -> Table:
    """The columns of all rows whose resource is known, which is numbered in `unit`."""
    read, column, _ = SOURCES[source]
    found = read(folder)
    found = found[found[column].notna()]
    columns = {name: found[name].to_numpy() for name in found if found[name].dtype.kind in "fb"}
    return {**columns, "unit": pd.factorize(found[column])[0]}


@cache
def whole(source: str, folder: Path) -> dict[str, Influenced]:
    """Each KPI over all rows: what dealing anew is judged by."""
    return {name: estimate(rows_of(source, folder)) for name, estimate in SOURCES[source][2].items()}


def halves(rng: np.random.Generator, source: str, folder: Path, draws: int = 199) -> Claims:
    """One way of dealing the resources to two sides of like number, by KPI.

    Ours: Student's t by resources; where one of them has more than a third of its side, dealing them anew instead.
    """
    rows = rows_of(source, folder)
    unit = rows["unit"]
    late = rng.permutation(np.arange(unit.max() + 1) % 2)[unit] == 1
    a, b = ({name: column[side] for name, column in rows.items()} for side in (~late, late))
    giant, found = largest_share(late, unit) > GIANT, {}
    for name, estimate in SOURCES[source][2].items():
        pair, units = (estimate(a), estimate(b)), (a["unit"], b["unit"])
        by_t = contrast(*pair, clusters=units).p < ALPHA
        both = whole(source, folder)[name]
        both = Influenced(both.value, *(np.concatenate([x[~late], x[late]]) for x in (both.moves, both.n)))
        anew = giant and reassigned(both, *pair, clusters=units, draws=draws, ends=False).p <= ALPHA
        found[name] = {OURS: anew if giant else by_t, BY_T: by_t, ROWS: contrast(*pair).p < ALPHA}
    return found


def shape(source: str, folder: Path) -> dict[str, float]:
    """How many rows and resources, and the share of the largest."""
    counts = np.bincount(rows_of(source, folder)["unit"])
    return {"rows": int(counts.sum()), "resources": len(counts), "largest": float(counts.max() / counts.sum())}


def jobs(folder: Path, splits: int = SPLITS) -> list[Job]:
    return [Job(f"real: {source}", splits, partial(halves, source=source, folder=folder)) for source in SOURCES]
