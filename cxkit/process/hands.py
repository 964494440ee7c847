"""How often cases change hands between people and teams, and how often they come back to the same hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.figures import ACCENT, CATEGORIES, finish, legend, own_axes
from cxkit.lang import Coded, Sentence, count, is_rtl, percent, say, value
from cxkit.process.core import MISSING, Codes, EventLog, case_seconds, hand_offs, ping_pongs, stations
from cxkit.process.log import lacking, study_log
from cxkit.result import Result, not_answerable, span
from cxkit.stats.intervals import wilson

if TYPE_CHECKING:
    from cxkit.study import Study

LEVELS = ("resource", "team")
MOST = 6  # hand-offs drawn one by one; more share a last bar
HIDDEN = 0.05  # events without a holder above this share are worth a note


@dataclass(frozen=True, eq=False)
class HandOffs(Result):
    """Changes of hands per case, between people and between teams, before the step that closes it.

    `closing_per_case` counts that step, too, as most tools do; often it is the tool itself that closes. `ping_share`:
    cases that return to someone who had them before the last hand-off (A to B to A). The two medians compare the
    recorded length of such cases with that of all others: an association, not an effect.
    """

    distribution: pd.DataFrame = field(default_factory=pd.DataFrame)  # holder, hand_offs (MOST: and more), share

    formats: ClassVar = {
        "holder": "code",
        "cases": "count",
        "hand_offs_per_case": "number2",
        "closing_per_case": "number2",
        "any_share": "share",
        "ping_share": "share",
        "ping_interval": span("ping_low", "ping_high", kind="share"),
        "ping_median_seconds": "seconds",
        "other_median_seconds": "seconds",
    }

    def sentences(self) -> tuple[Sentence, ...]:
        """How often cases change hands, and how often they return, for people and for teams."""
        return tuple(
            Sentence(
                "process.handoffs.verdict",
                {
                    "holder": Coded("holder", row["holder"]),
                    "mean": row["hand_offs_per_case"],
                    "closing": row["closing_per_case"],
                    "any": row["any_share"],
                    "ping": row["ping_share"],
                },
            )
            for row in self.table.to_dict("records")
        )

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Share of cases by their number of hand-offs."""
        ax = own_axes(ax, lang, self.size)
        levels = list(self.table["holder"])
        width = 0.8 / len(levels)
        for i, level in enumerate(levels):
            part = self.distribution[self.distribution["holder"] == level]
            place = part["hand_offs"] + (i - (len(levels) - 1) / 2) * width
            colour, name = (ACCENT, CATEGORIES[1])[i], value("holder", level, lang)
            bars = ax.bar(place, part["share"], width, color=colour, label=name)
            labels = [percent(s, lang, 0) if s >= 0.005 else "" for s in part["share"]]
            ax.bar_label(bars, labels, fontsize=8, padding=2)
        more = say("process.handoffs.or_more", lang, n=MOST)
        ax.set_xticks(range(MOST + 1), [*(count(i, lang) for i in range(MOST)), more])
        ax.set(xlabel=say("process.axis.hand_offs", lang), ylabel=say("process.axis.share_of_cases", lang))
        legend(ax, lang, loc="upper left" if is_rtl(lang) else "upper right")
        return finish(ax, lang, kind="categories", unit="percent", value_axis="y")


def handoffs(study: Study) -> Result:
    """Hand-offs of a study, for each of resource and team that its events name."""
    if lacks := lacking(study):
        return not_answerable("process.question.handoffs", lacks)
    log = study_log(study)
    if not log.holders:
        return not_answerable("process.question.handoffs", tuple(f"events.{level}" for level in LEVELS))
    rows, shares, notes = [], [], []
    working = ~np.isin(log.events.activity, log.closed)
    for level, holder in log.holders.items():
        row, share = _level(log.events, level, holder)
        rows.append(row)
        shares.append(share)
        absent = float((holder[working] == MISSING).mean()) if working.any() else 0.0
        if absent > HIDDEN:
            notes.append(Sentence("process.note.no_holder", {"holder": Coded("holder", level), "share": absent}))
    return HandOffs(pd.DataFrame(rows), tuple(notes), distribution=pd.concat(shares, ignore_index=True))


def _level(events: EventLog, level: str, holder: Codes) -> tuple[dict[str, object], pd.DataFrame]:
    held = stations(events, holder)
    changes, returned = hand_offs(events, held), ping_pongs(events, held) > 0
    n, seconds = events.n_cases, case_seconds(events)
    some, ping = wilson(int((changes > 0).sum()), n), wilson(int(returned.sum()), n)
    everyone = events.resource if level == "resource" else events.team
    closing = hand_offs(events, stations(events, everyone)).sum() / n if everyone is not None else float("nan")
    row: dict[str, object] = {"holder": level, "cases": n}
    row |= {"hand_offs_per_case": changes.sum() / n, "closing_per_case": closing}
    row |= {"any_share": some.estimate, "any_low": some.low, "any_high": some.high}
    row |= {"ping_share": ping.estimate, "ping_low": ping.low, "ping_high": ping.high}
    row |= {"ping_median_seconds": _median(seconds[returned]), "other_median_seconds": _median(seconds[~returned])}
    shares = np.bincount(np.minimum(changes, MOST), minlength=MOST + 1) / n
    return row, pd.DataFrame({"holder": level, "hand_offs": np.arange(MOST + 1), "share": shares})


def _median(seconds: np.ndarray) -> float:
    return float(np.median(seconds)) if len(seconds) else float("nan")
