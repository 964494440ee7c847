"""Which ways cases take: the distinct sequences of activities, and what follows what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from cxkit.figures import ACCENT, CATEGORIES, INK, LINE, PAPER, axis_name, finish, own_axes
from cxkit.lang import Coded, Lasting, Sentence, count, is_rtl, percent, say
from cxkit.process.core import EventLog, case_seconds, directly_follows, trace_of, traces
from cxkit.process.doubts import tie_sensitivity
from cxkit.process.drawing import legend_below
from cxkit.process.log import activity_word, lacking, spoken, study_log
from cxkit.result import Result, Row, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study

COVERED = 0.8  # share of cases whose number of variants is told
STEPS = 12  # steps of a variant that are drawn
ARROW = " › "  # a mirrored character: it points forward in both reading directions


def _trace(row: Row, lang: str) -> str:
    return ARROW.join(activity_word(a, lang) for a in row["trace"])


@dataclass(frozen=True, eq=False)
class Variants(Result):
    """The most frequent variants: exact sequences of activities, every repetition counted.

    `all_variants` distinct ones among `cases` cases; `to_cover` of them hold 80% of the cases.
    """

    all_variants: int = 0
    cases: int = 0
    to_cover: int = 0

    formats: ClassVar = {
        "rank": "count",
        "variant": ("t", _trace),
        "cases": "count",
        "share": "share",
        "cumulative_share": "share",
        "median_seconds": "seconds",
    }
    size: ClassVar = (8.5, 4.4)

    def sentences(self) -> tuple[Sentence, ...]:
        """How many ways there are, how far the commonest reaches, and how many make up most cases."""
        top = self.table.iloc[0]
        params = {
            "n": self.all_variants,
            "cases": self.cases,
            "share": float(top["share"]),
            "length": len(top["trace"]),
            "cover": self.to_cover,
            "covered": COVERED,
        }
        return (Sentence("process.variants.verdict", params),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Each variant as a row of steps coloured by activity, with its share of the cases."""
        ax = own_axes(ax, lang, self.size)
        colours = self._colours()
        shown = self.table.to_dict("records")
        for y, row in enumerate(shown):
            for x, activity in enumerate(row["trace"][:STEPS]):
                ax.add_patch(Rectangle((x + 0.05, y - 0.36), 0.9, 0.72, color=colours.get(activity, LINE)))
            length = min(len(row["trace"]), STEPS)
            label = percent(row["share"], lang) + (" …" if len(row["trace"]) > STEPS else "")
            ax.text(length + 0.2, y, label, ha="right" if is_rtl(lang) else "left", va="center_baseline", fontsize=9)
        ax.set_xlim(0, min(max((len(r["trace"]) for r in shown), default=1), STEPS) + 1.6)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        ax.set_yticks(range(len(shown)), [count(row["rank"], lang) for row in shown])
        ax.set_xticks([])
        ax.set_ylabel(say("process.axis.variant", lang))
        ax.set_xlabel(say("process.axis.steps", lang))
        names = {colour: activity_word(a, lang) for a, colour in colours.items()}
        if any(a not in colours for row in shown for a in row["trace"][:STEPS]):
            names[LINE] = say("process.variants.other", lang)
        legend_below(ax, lang, drop=0.08, entries=([Patch(color=c) for c in names], list(names.values())))
        finish(ax, lang, kind="categories", unit="none", value_axis="x")
        ax.grid(False)
        for side in ax.spines.values():
            side.set_visible(False)
        return ax

    def _colours(self) -> dict[str, str]:
        """A colour for each of the activities most used in the shown variants."""
        weight: dict[str, int] = {}
        for row in self.table.to_dict("records"):
            for activity in row["trace"]:
                weight[activity] = weight.get(activity, 0) + row["cases"]
        ranked = sorted(weight, key=lambda a: (-weight[a], a))
        kept = set(ranked[: len(CATEGORIES)])
        flow = [a for row in self.table["trace"] for a in row if a in kept]
        return dict(zip(dict.fromkeys(flow), CATEGORIES, strict=False))


def variants(study: Study, top: int = 10) -> Result:
    """Variants of a study: how many, the `top` most frequent ones, and how many hold 80% of the cases."""
    if lacks := lacking(study):
        return not_answerable("process.question.variants", lacks)
    log = study_log(study)
    _, changed, turned = tie_sensitivity(log.events)
    doubtful = changed and not log.events.ordered
    notes = (Sentence("process.note.tie_order", {"cases": changed, "variants": turned}),) if doubtful else ()
    return variant_table(log.events, top, notes)


def variant_table(events: EventLog, top: int = 10, notes: tuple[Sentence, ...] = ()) -> Variants:
    """`Variants` of a log."""
    found = traces(events)
    seconds = case_seconds(events)
    covered = np.cumsum(found.cases) / events.n_cases
    rows = [
        {
            "rank": rank + 1,
            "trace": trace_of(events, int(found.example[rank])),
            "cases": int(found.cases[rank]),
            "share": found.cases[rank] / events.n_cases,
            "cumulative_share": covered[rank],
            "median_seconds": float(np.median(seconds[found.of_case == rank])),
        }
        for rank in range(min(top, len(found.cases)))
    ]
    to_cover = int(np.searchsorted(covered, COVERED - 1e-12) + 1)
    return Variants(pd.DataFrame(rows), notes, all_variants=len(found.cases), cases=events.n_cases, to_cover=to_cover)


@dataclass(frozen=True, eq=False)
class Follows(Result):
    """What follows what: every pair of activities in succession within a case, with the time between them."""

    formats: ClassVar = {
        "from_activity": spoken("from_activity"),
        "to_activity": spoken("to_activity"),
        "n": "count",
        "from_share": "share",
        "mean_seconds": "seconds",
        "median_seconds": "seconds",
        "p90_seconds": "seconds",
    }
    size: ClassVar = (8.0, 5.0)
    max_rows: ClassVar = 12

    def sentences(self) -> tuple[Sentence, ...]:
        """The commonest step."""
        if self.table.empty:
            return (Sentence("process.follows.none"),)
        top = self.table.iloc[0]
        params = {
            "n": len(self.table),
            "start": Coded("activity", top["from_activity"]),
            "end": Coded("activity", top["to_activity"]),
            "times": int(top["n"]),
            "median": Lasting(float(top["median_seconds"])),
        }
        return (Sentence("process.follows.verdict", params),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Where each of the commonest activities leads: share of its visits by next activity."""
        ax = own_axes(ax, lang, self.size)
        if self.table.empty:
            ax.set_axis_off()
            return ax
        share_of = {(r["from_activity"], r["to_activity"]): r["from_share"] for r in self.table.to_dict("records")}
        weight = self.table.groupby("from_activity")["n"].sum().sort_values(ascending=False)
        froms = list(weight.index[:8])
        into = self.table.groupby("to_activity")["n"].sum().sort_values(ascending=False)
        tos = list(into.index[:8])
        for y, start in enumerate(froms):
            for x, end in enumerate(tos):
                share = share_of.get((start, end), 0.0)
                ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=ACCENT, alpha=share, edgecolor=PAPER))
                if share >= 0.005:
                    ink = PAPER if share > 0.5 else INK
                    ax.text(x, y, percent(share, lang, 0), ha="center", va="center", fontsize=8.5, color=ink)
        ax.set_xlim(-0.5, len(tos) - 0.5)
        ax.set_ylim(len(froms) - 0.5, -0.5)
        ax.set_yticks(range(len(froms)), [axis_name(activity_word(a, lang)) for a in froms])
        ax.set_xticks(
            range(len(tos)),
            [axis_name(activity_word(a, lang)) for a in tos],
            rotation=30,
            ha="right",
            rotation_mode="anchor",
        )
        ax.set(ylabel=say("process.axis.from", lang), xlabel=say("process.axis.to", lang))
        finish(ax, lang, kind="categories", unit="none", value_axis="x")
        ax.grid(False)
        return ax


def follows(study: Study) -> Result:
    """Which activity follows which, most frequent pair first; `from_share` is of the visits to the first that go on."""
    if lacks := lacking(study):
        return not_answerable("process.question.follows", lacks)
    table = directly_follows(study_log(study).events)
    exits = table.groupby("from_activity")["n"].transform("sum")
    table.insert(3, "from_share", table["n"] / exits)
    return Follows(table)
