"""How many customers a survey reaches: from the solved ticket to the answer, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.disclosure import HIDDEN, disclose
from cxkit.kpis.drawing import write_hidden
from cxkit.kpis.words import hidden_note, shielded
from cxkit.lang import Amount, Sentence, value
from cxkit.measures import Measure, Share, columns_of, missing, tally
from cxkit.measures.once import once
from cxkit.result import Format, Result, not_answerable, records, span
from cxkit.stats import wilson

if TYPE_CHECKING:
    from cxkit.study import Study

STEPS = ("eligible", "sent", "viewed", "answered")
_ASKED = Share("asked", where="surveyed_at is not None", among="first_solved_at is not None", cluster="", stratum="")
_VIEWED = Share("viewed", of="surveys", where="viewed_at is not None", cluster="", stratum="")
_ANSWERED = Share("answered", of="surveys", where="answered_at is not None", cluster="", stratum="")
_ALL = "all"


@dataclass(frozen=True, eq=False)
class Coverage(Result):
    """One row a channel and step: number, and its share of the step before with Wilson's interval."""

    formats: ClassVar[Mapping[str, Format]] = {
        "channel": "code",
        "step": "code",
        **shielded({"n": "count", "share": "share", "interval": span(kind="share")}),
    }
    size: ClassVar[tuple[float, float]] = (8.0, 4.0)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that these data record."""
        return tuple(step for step in STEPS if (self.table["step"] == step).any())

    def sentences(self) -> tuple[Sentence, ...]:
        """Of all who might have been asked, how many were, and how many of those answered."""
        total = {row["step"]: row for row in records(self.table[self.table["channel"] == _ALL])}
        n = {step: int(row["n"]) for step, row in total.items()}
        said = []
        if "eligible" in n:
            share = Amount(total["sent"]["share"], "share")
            said.append(Sentence("kpis.coverage.sent", {"n": n["sent"], "of": n["eligible"], "share": share}))
        share = Amount(n["answered"] / max(n["sent"], 1), "share")
        return (*said, Sentence("kpis.coverage.answered", {"n": n["answered"], "of": n["sent"], "share": share}))

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """For each channel the steps as bars inside one another, of the first step's number."""
        ax = figures.own_axes(ax, lang, self.size)
        channels = list(dict.fromkeys(self.table["channel"]))[::-1]
        colours = dict(zip(STEPS, (figures.LINE, "#9cc0e4", "#4f8fcb", figures.ACCENT), strict=True))
        for place, step in enumerate(self.steps):
            rows = self.table[self.table["step"] == step].set_index("channel").reindex(channels)
            first = self.table[self.table["step"] == self.steps[0]].set_index("channel").reindex(channels)
            share = (rows["n"] / first["n"]).to_numpy(float)
            height = 0.78 - 0.17 * place
            ax.barh(range(len(channels)), share, height=height, color=colours[step], label=value("step", step, lang))
        hidden = self.table.groupby("channel")[HIDDEN].any()
        for at, channel in enumerate(channels):
            if hidden[channel]:
                write_hidden(ax, at, lang)
        ax.set_yticks(range(len(channels)), [value("channel", channel, lang) for channel in channels])
        figures.legend(ax, lang, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
        return figures.finish(ax, lang, "categories", "percent", "x")


def coverage(study: Study, level: float = 0.95, least: int = 5) -> Result:
    """The funnel of a survey by channel: eligible (solved tickets), sent, viewed, answered; as far as the data tell."""
    question = Sentence("kpis.coverage.question")
    if gaps := missing(_ANSWERED, study):
        return not_answerable(question, gaps)
    counts = _steps(study)
    if not (counts["sent"].sum() > counts["answered"].sum() > 0):
        return not_answerable(question, ("surveys: sent_at",))  # answers alone do not know who was asked
    counts = counts.sort_values("sent", ascending=False, kind="stable")
    judged = disclose(counts.reset_index(), "channel", n="answered", least=least).set_index("channel")[HIDDEN]
    counts.loc[_ALL] = counts.sum()
    rows = []
    for channel, line in counts.iterrows():
        hidden = bool(judged.get(channel, False))
        previous = None
        for step in line.index:
            n, of = float(line[step]), float(line[previous]) if previous else np.nan
            rate = wilson(min(n, of), of, level) if previous else (np.nan, np.nan, np.nan)
            facts = dict(zip(("share", "low", "high"), rate, strict=True))
            shown = {key: np.nan if hidden else x for key, x in {"n": n, **facts}.items()}
            rows.append({"channel": channel, "step": step, **shown, HIDDEN: hidden})
            previous = step
    table = pd.DataFrame(rows)
    first = table[table["step"] == table["step"].iloc[0]]
    return Coverage(table, (*hidden_note(first, least), Sentence("kpis.coverage.why")))


def _steps(study: Study) -> pd.DataFrame:
    """A row for each channel, a column for each step that the data record."""
    found = {}
    if not missing(_ASKED, study):
        found["eligible"] = _counted(study, _ASKED).groupby("channel")["n"].sum()
    answered = _counted(study, _ANSWERED)
    found["sent"] = answered.groupby("channel")["n"].sum()
    if not missing(_VIEWED, study):
        found["viewed"] = _held(_counted(study, _VIEWED))
    found["answered"] = _held(answered)
    return pd.DataFrame(found).fillna(0.0)


def _held(lines: pd.DataFrame) -> pd.Series[float]:
    return lines[lines["value"] == 1].groupby("channel")["n"].sum()


def _counted(study: Study, measure: Measure) -> pd.DataFrame:
    """The tally of a yes or no by channel; one channel where the data know none."""
    by = ("channel",) if "channel" in columns_of(study, measure.of) else ()
    lines = once(study, ("coverage", measure.name), lambda: tally(study, measure, by))
    channel = lines["channel"].astype(object) if by else pd.Series("unknown", lines.index, dtype=object)
    return lines.assign(channel=channel.where(channel.notna(), "unknown"))
