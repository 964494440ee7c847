"""Where the time of cases goes, and which stage to look at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.figures import CATEGORIES, LINE, finish, own_axes
from cxkit.lang import Coded, Lasting, Sentence, percent, say, value
from cxkit.process.card import stage_table
from cxkit.process.clocks import timer_table
from cxkit.process.doubts import doubts
from cxkit.process.drawing import legend_below
from cxkit.process.log import STAGE_KINDS, StudyLog, activity_word, after_first_resolve, lacking, study_log, visits
from cxkit.result import Result, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study

OTHERS = ("customer", "vendor")  # kinds of stage in which somebody else has the next move
UNDECLARED = 0.05  # more time than this share in stages without a kind: nobody knows whose it is
NAMED = 6  # stages with a colour of their own


@dataclass(frozen=True, eq=False)
class TimeShares(Result):
    """Recorded time by stage, before and after the first resolve; `share` is of all recorded time."""

    undeclared: bool = False  # too much time lies in stages without a declared kind

    formats: ClassVar = {
        "time_part": "code",
        "activity": "code",
        "stage_kind": "code",
        "seconds": "seconds",
        "share": "share",
    }
    size: ClassVar = (8.0, 2.9)
    max_rows: ClassVar = 12

    def sentences(self) -> tuple[Sentence, ...]:
        """How much comes after the first resolve, and in whose hands the rest lies."""
        if self.table.empty:
            return (Sentence("process.stages.nothing"),)
        part = self.table.groupby("time_part")["seconds"].sum()
        said = []
        if "whole" not in part:
            said.append(Sentence("process.shares.after", {"share": float(part.get("after", 0.0) / part.sum())}))
        before = self.table[self.table["time_part"] != "after"]
        if len(before) and not self.undeclared:
            waiting = before["stage_kind"].isin(OTHERS)
            others = float(before.loc[waiting, "seconds"].sum() / before["seconds"].sum())
            said.append(Sentence("process.shares.hands", {"own": 1 - others, "others": others}))
        return tuple(said) or (Sentence("process.shares.whole"),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """One bar for the time before the first resolve and one for the time after it, cut by stage."""
        ax = own_axes(ax, lang, self.size)
        parts = list(dict.fromkeys(self.table["time_part"]))
        spent = self.table.pivot_table(
            index="activity", columns="time_part", values="share", aggfunc="sum", fill_value=0.0
        )
        ranked = spent.sum(axis=1).sort_values(ascending=False, kind="stable").index
        left = np.zeros(len(parts))
        for i, activity in enumerate(ranked[:NAMED]):
            width = spent.loc[activity, parts].to_numpy(dtype=float)
            ax.barh(
                range(len(parts)),
                width,
                left=left,
                color=CATEGORIES[i],
                label=activity_word(activity, lang),
                height=0.5,
            )
            left += width
        rest = spent.loc[ranked[NAMED:], parts].sum().to_numpy(dtype=float)
        if rest.sum() > 0:
            ax.barh(range(len(parts)), rest, left=left, color=LINE, label=say("process.shares.other", lang), height=0.5)
        for y, total in enumerate(left + rest):
            ax.annotate(
                percent(float(total), lang), (float(total), y), xytext=(0, 16), textcoords="offset points", ha="center"
            )
        ax.set_yticks(range(len(parts)), [value("time_part", p, lang) for p in parts])
        ax.set_ylim(len(parts) - 0.4, -0.8)
        ax.set_xlabel(say("process.axis.share_of_time", lang))
        legend_below(ax, lang, drop=0.27, ncols=4)
        return finish(ax, lang, kind="categories", unit="percent", value_axis="x")


def shares(study: Study) -> Result:
    """Recorded time of a study by stage; before and after the first resolve where resolved activities are declared."""
    if lacks := lacking(study):
        return not_answerable("process.question.shares", lacks)
    log = study_log(study)
    table = _share_table(log)
    before = table[table["time_part"] != "after"]
    unset = float(before.loc[before["stage_kind"] == "unset", "seconds"].sum())
    undeclared = unset > UNDECLARED * float(before["seconds"].sum())
    notes = (*doubts(log), *((Sentence("process.note.no_kinds", STAGE_KINDS),) if undeclared else ()))
    return TimeShares(table, notes, undeclared=undeclared)


def _share_table(log: StudyLog) -> pd.DataFrame:
    stays = visits(log)
    row, seconds = stays.row[stays.ended], stays.seconds[stays.ended]
    activity = stays.activity[stays.ended]
    n = len(log.events.activities)
    after = after_first_resolve(log, row)
    parts = {"before": ~after, "after": after} if len(log.resolved) else {"whole": np.ones(len(row), dtype=bool)}
    tables = [
        pd.DataFrame(
            {
                "time_part": part,
                "activity": log.events.activities,
                "stage_kind": [log.kind(a) for a in log.events.activities],
                "seconds": np.bincount(activity[mask], seconds[mask], minlength=n),
            }
        ).sort_values(["seconds", "activity"], ascending=[False, True])
        for part, mask in parts.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    table = table[table["seconds"] > 0].reset_index(drop=True)
    return table.assign(share=table["seconds"] / table["seconds"].sum())


@dataclass(frozen=True, eq=False)
class Focus(Result):
    """Stages in the order in which they are worth a look: the team's own first, by their share of the time.

    `share` is of the recorded time before the first resolve (of all of it where none is declared); stages whose length
    a timer sets, and those in which somebody else has the next move, come after the team's own.
    """

    formats: ClassVar = {
        "activity": "code",
        "stage_kind": "code",
        "own": "yesno",
        "share": "share",
        "visits_per_case": "number2",
        "median_seconds": "seconds",
        "p90_seconds": "seconds",
    }
    max_rows: ClassVar = 6

    def sentences(self) -> tuple[Sentence, ...]:
        """The first of the team's own stages, and a longer one of others."""
        own = self.table[self.table["own"]]
        if own.empty:
            return (Sentence("process.focus.nothing"),)
        top = own.iloc[0]
        said = [_look("process.focus.unsorted" if top["stage_kind"] == "unset" else "process.focus.own", top)]
        others = self.table[~self.table["own"] & self.table["stage_kind"].isin(OTHERS)]
        if len(others) and others.iloc[0]["share"] > top["share"]:
            said.append(_look("process.focus.others", others.iloc[0]))
        return tuple(said)


def _look(key: str, row: pd.Series) -> Sentence:
    return Sentence(
        key,
        {
            "stage": Coded("activity", row["activity"]),
            "share": float(row["share"]),
            "median": Lasting(float(row["median_seconds"])),
            "p90": Lasting(float(row["p90_seconds"])),
            **(STAGE_KINDS if key == "process.focus.unsorted" else {}),
        },
    )


def focus(study: Study, share: float = 0.3, min_visits: int = 300) -> Result:
    """The stage that takes most of the time a team can influence; `share` and `min_visits` as in `timers`."""
    if lacks := lacking(study):
        return not_answerable("process.question.focus", lacks)
    log = study_log(study)
    table = stage_table(log)
    table["share"] = table["before_share"] if len(log.resolved) else table["time_share"]
    kept = table[table["share"] > 0]
    timers, _ = timer_table(log.events, share, min_visits)
    timed = set(timers.loc[timers["timer_rule"] != "none", "from_activity"])
    own = ~kept["stage_kind"].isin([*OTHERS, "after"]) & ~kept["activity"].isin(timed)
    ranked = kept.assign(own=own).sort_values(["own", "share"], ascending=[False, False], ignore_index=True)
    columns = ["activity", "stage_kind", "own", "share", "visits_per_case", "median_seconds", "p90_seconds"]
    return Focus(ranked[columns], doubts(log))
