"""Which steps are done by a clock instead of people: administrative timers such as "close 15 days after solving"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cxkit.figures import ACCENT, WARN, finish, own_axes, value_formatter
from cxkit.lang import Coded, Lasting, Sentence, duration, say
from cxkit.process.core import EventLog, transitions
from cxkit.process.log import NOTHING, activity_word, lacking, spoken, study_log
from cxkit.result import Result, Row, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study

HOUR, DAY = 3_600.0, 86_400.0
DAY_SHARE = 0.5  # a day-granular timer: this share of the visits within one day of its length ...
FLOOR = 0.05  # ... and hardly any (this part of them) in the day before


@dataclass(frozen=True)
class Concentration:
    """How closely the visits of one transition share one length: by the hour, and by the day."""

    mode_seconds: float
    mode_share: float
    window_seconds: float
    window_share: float
    before_share: float

    def rule(self, share: float) -> str:
        """Which timer rule holds: "clock", "day" or "none"."""
        if self.mode_share >= share:
            return "clock"
        sharp = self.window_share >= DAY_SHARE and self.before_share <= FLOOR * self.window_share
        # Below two days the floor is no evidence: ordinary work that takes a day or so hardly ever takes minutes.
        return "day" if sharp and self.window_seconds >= 2 * DAY else "none"


def concentration(seconds: NDArray[np.floating]) -> Concentration:
    """The commonest hour-rounded length with the share of visits within 1% of it, and the fullest whole-day window.

    Lengths under half an hour are nobody's timer and can be neither; without longer ones all shares are 0.
    """
    mode = _mode(np.rint(seconds / HOUR)) * HOUR
    day = _mode(np.floor(seconds / DAY))
    days = np.floor(seconds / DAY)
    return Concentration(
        mode_seconds=mode,
        mode_share=float((np.abs(seconds - mode) <= 0.01 * mode).mean()) if mode else 0.0,
        window_seconds=day * DAY,
        window_share=float((days == day).mean()) if day else 0.0,
        before_share=float((days == day - 1).mean()) if day else 0.0,
    )


def _mode(whole: NDArray[np.floating]) -> float:
    """The commonest number above zero (the smallest of equals); 0 when there is none."""
    numbers, times = np.unique(whole[whole > 0], return_counts=True)
    return float(numbers[times.argmax()]) if len(numbers) else 0.0


def _length(row: Mapping[Any, Any]) -> float:
    """Seconds of a timer: its commonest length, or where its day begins."""
    return float(row["window_seconds"] if row["timer_rule"] == "day" else row["mode_seconds"])


def _length_text(row: Row, lang: str) -> str:
    return NOTHING if row["timer_rule"] == "none" else duration(_length(row), lang)


@dataclass(frozen=True, eq=False)
class Timers(Result):
    """Every transition with enough visits, and whether it keeps one length, as only a clock does."""

    seconds: NDArray[np.floating] | None = None  # of the first row's visits, for the picture

    formats: ClassVar = {
        "from_activity": spoken("from_activity"),
        "to_activity": spoken("to_activity"),
        "n": "count",
        "timer_rule": "code",
        "length": ("d", _length_text),
        "mode_share": "share",
        "window_share": "share",
    }
    max_rows: ClassVar = 8

    @property
    def found(self) -> pd.DataFrame:
        """The rows that are timers."""
        return self.table[self.table["timer_rule"] != "none"]

    def sentences(self) -> tuple[Sentence, ...]:
        """One sentence per timer found, or that none was."""
        if self.table.empty:
            return (Sentence("process.timers.too_few"),)
        if self.found.empty:
            return (Sentence("process.timers.none", {"n": len(self.table)}),)
        return tuple(_sentence(row) for row in self.found.to_dict("records"))

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """How long the visits of the most timer-like transition last."""
        if self.seconds is None:
            return super().plot(ax, lang)
        ax = own_axes(ax, lang, self.size)
        top = self.table.to_dict("records")[0]
        days = np.sort(self.seconds) / DAY
        ax.hist(days, bins=60, range=(0, max(float(days[int(0.99 * (len(days) - 1))]), 1e-9)), color=ACCENT)
        ax.axvline(_length(top) / DAY, color=WARN, linewidth=1.2, linestyle="--")
        ax.set_title(
            say(
                "process.timers.chart",
                lang,
                start=activity_word(top["from_activity"], lang),
                end=activity_word(top["to_activity"], lang),
            )
        )
        ax.set_xlim(left=0)
        ax.set(xlabel=say("process.axis.days_in_stage", lang), ylabel=say("process.axis.visits", lang))
        ax.xaxis.set_major_formatter(value_formatter("number", lang))
        return finish(ax, lang, kind="series", unit="count")


def _sentence(row: Mapping[Any, Any]) -> Sentence:
    by_clock = row["timer_rule"] == "clock"
    return Sentence(
        f"process.timers.{row['timer_rule']}",
        {
            "start": Coded("activity", row["from_activity"]),
            "end": Coded("activity", row["to_activity"]),
            "share": row["mode_share"] if by_clock else row["window_share"],
            "n": row["n"],
            "length": Lasting(_length(row)),
        },
    )


def timer_table(
    log: EventLog, share: float = 0.3, min_visits: int = 300
) -> tuple[pd.DataFrame, list[NDArray[np.floating]]]:
    """Every transition of at least `min_visits` with its concentration and rule, timers first, and its seconds."""
    rows = []
    found = transitions(log)
    for (start, end), times, part in zip(found.pairs, found.n.tolist(), found.seconds, strict=True):
        if times >= min_visits:
            kept = concentration(part)
            ends = {"from_activity": start, "to_activity": end, "n": times}
            rows.append((ends | vars(kept) | {"timer_rule": kept.rule(share)}, part))
    rows.sort(key=lambda r: (r[0]["timer_rule"] == "none", -max(r[0]["mode_share"], r[0]["window_share"]), -r[0]["n"]))
    columns = ["from_activity", "to_activity", "n", *Concentration.__dataclass_fields__, "timer_rule"]
    return pd.DataFrame([r for r, _ in rows], columns=columns), [part for _, part in rows]


def timers(study: Study, share: float = 0.3, min_visits: int = 300) -> Result:
    """Administrative timers: transitions whose length only a clock could keep.

    Rule "clock": at least `share` of at least `min_visits` visits are within 1% of the commonest hour-rounded length
    (found on two real logs and nowhere else in four). Rule "day", for timers that run once a day: half of the visits
    end within one day after a floor that hardly any undercuts by up to a day.
    """
    if lacks := lacking(study):
        return not_answerable("process.question.timers", lacks)
    table, seconds = timer_table(study_log(study).events, share, min_visits)
    return Timers(table, seconds=seconds[0] if seconds else None)
