"""Whom a survey KPI speaks for: those who answered beside all who were asked, weighted, and bounded from both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.disclosure import HIDDEN, disclose, without_numbers
from cxkit.errors import MeasureError
from cxkit.kpis.asked import declared, estimated, lacking
from cxkit.kpis.drawing import write_hidden
from cxkit.kpis.groups import group_word
from cxkit.kpis.judging import widened, with_targets
from cxkit.kpis.page import Page
from cxkit.kpis.words import hidden_note, shielded
from cxkit.lang import Amount, Coded, Range, Sentence, is_rtl, say, value
from cxkit.measures import Net, Score, Share, columns_of, missing, registry, tally
from cxkit.measures.once import once
from cxkit.result import Format, Result, by_unit, not_answerable, records, span
from cxkit.stats import nonresponse_bounds, post_stratified, wilson

if TYPE_CHECKING:
    from cxkit.study import Study

KNOWN = ("channel", "topic", "language")  # what is known of everybody who was asked
_RESPONSE = Share("response", of="surveys", where="answered_at is not None", cluster="", stratum="")
_THIN_STRATUM = 5  # answers below which a stratum is put together with others
_AGENTS = 10


@dataclass(frozen=True, eq=False)
class Values(Result):
    """One row a statistic and way of counting: those who answered, weighted to all who were asked, bounds for all."""

    formats: ClassVar[Mapping[str, Format]] = {
        "stat": "code",
        "way": "code",
        "value": by_unit("value"),
        "interval": span(),
        "n": "count",
    }


@dataclass(frozen=True, eq=False)
class Respondents(Page):
    """One row a known group: its share of those asked and of those who answered, and its response rate.

    `values` holds the KPI as answered, weighted, and bounded.
    """

    kpi: str = ""
    asked: int = 0
    answered: int = 0
    values: Values = field(default_factory=lambda: Values(pd.DataFrame()))

    size: ClassVar[tuple[float, float]] = (10.0, 4.4)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Group, shares, response rate."""
        told: dict[str, Format] = {
            "asked": "count",
            "answered": "count",
            "share_asked": "share",
            "share_answered": "share",
            "response": "share",
            "response_interval": span("response_low", "response_high", kind="share"),
        }
        group: Format = ("t", lambda row, lang: group_word(row["known"], row["group"]).text(lang))
        return {"known": "code", "group": group, **shielded(told)}

    @property
    def more(self) -> Mapping[str, Result]:
        """The KPI as answered, weighted and bounded."""
        return {"kpis.respondents.values": self.values}

    def sentences(self) -> tuple[Sentence, ...]:
        """Who answered; the KPI as answered and weighted; between which bounds all lie."""
        share = Amount(self.answered / self.asked, "share")
        said = [Sentence("kpis.respondents.answered", {"n": self.answered, "asked": self.asked, "share": share})]
        head = self.values.table[self.values.table["headline"]]
        rows = {row["way"]: row for row in records(head)}
        unit = str(head["unit"].iloc[0])
        facts: dict[str, object] = {"kpi": Coded("kpi", self.kpi)}
        for way in ("observed", "weighted"):
            facts[way] = Amount(rows[way]["value"], unit)
            facts[f"{way}_interval"] = Range(rows[way]["low"], rows[way]["high"], unit)
        said.append(Sentence("kpis.respondents.weighted", facts))
        bounds = {"low": Amount(rows["bounds"]["low"], unit), "high": Amount(rows["bounds"]["high"], unit)}
        return (*said, Sentence("kpis.respondents.bounds", bounds))

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Each known group's share of those asked and of those who answered; beside it the KPI counted three ways."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rtl = is_rtl(lang)
        self._draw_groups(ax.inset_axes((0.55, 0.05, 0.3, 0.85) if rtl else (0.16, 0.05, 0.3, 0.85)), lang)
        self._draw_values(ax.inset_axes((0.02, 0.3, 0.36, 0.5) if rtl else (0.63, 0.3, 0.36, 0.5)), lang)
        return ax

    def _draw_groups(self, ax: Axes, lang: str | None) -> None:
        shown = self.table.iloc[::-1].reset_index(drop=True)
        for at, row in enumerate(records(shown)):
            if row.get(HIDDEN):
                write_hidden(ax, at, lang)
                continue
            ax.plot([row["share_asked"], row["share_answered"]], [at, at], color=figures.LINE, linewidth=3)
        places = np.arange(len(shown))
        ax.plot(shown["share_asked"], places, "o", color=figures.MUTED, label=say("column.share_asked", lang))
        ax.plot(shown["share_answered"], places, "D", color=figures.ACCENT, label=say("column.share_answered", lang))
        names = [group_word(row["known"], row["group"]).text(lang) for row in records(shown)]
        ax.set_yticks(list(places), [figures.axis_name(name) for name in names])
        ax.set(ylim=(-0.7, len(shown) - 0.3), xlim=(0, None))
        figures.legend(ax, lang, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)
        figures.finish(ax, lang, "categories", "percent", "x")
        ax.tick_params(labelsize=8)

    def _draw_values(self, ax: Axes, lang: str | None) -> None:
        head = self.values.table[self.values.table["headline"]].iloc[::-1].reset_index(drop=True)
        colours = {"observed": figures.ACCENT, "weighted": figures.GOOD, "bounds": figures.MUTED}
        for at, row in enumerate(records(head)):
            ax.hlines(at, row["low"], row["high"], color=colours[row["way"]], linewidth=7, alpha=0.4)
            if np.isfinite(row["value"]):
                ax.plot(row["value"], at, "o", color=colours[row["way"]])
        ax.set_yticks(range(len(head)), [value("way", way, lang) for way in head["way"]])
        ax.set_ylim(-0.7, len(head) - 0.3)
        ax.set_title(value("kpi", self.kpi, lang))
        figures.finish(ax, lang, "categories", figures.axis_unit(str(head["unit"].iloc[0])), "x")
        ax.tick_params(labelsize=8)


def respondents(study: Study, kpi: str = "csat", level: float = 0.95, least: int = 5) -> Result:
    """Those who answered the survey of `kpi` against all who were asked.

    On the known columns: shares and response rates. Of the KPI: as answered; weighted so that each channel, topic and
    language counts as it was asked (Holt and Smith 1979); and the bounds between which all who were asked lie whatever
    the silent ones think (Manski 1989). Weighting cannot mend that the unhappy answer more, or less, often than others
    of their own group: only the bounds hold for that.
    """
    measure = declared(study)[kpi]
    if gaps := lacking(study, kpi):
        return not_answerable(measure.question, gaps)
    if not isinstance(measure, Score | Net):
        if isinstance(registry()[kpi], Score | Net):  # the help desk's own good-or-bad knows of no invitations
            return not_answerable(measure.question, (f"survey_answers.item={kpi}",))
        raise MeasureError("measure_not_scale", kpi=measure.spoken)
    if gaps := missing(_RESPONSE, study):
        return not_answerable(measure.question, gaps)
    by = tuple(c for c in KNOWN if c in columns_of(study, "surveys") and c in columns_of(study, measure.of))
    asked = once(study, ("asked", by), lambda: _filled(tally(study, _RESPONSE, by), by))
    answers = once(study, ("answers", kpi, by), lambda: _filled(tally(study, measure, by, clusters=True), by))
    answers = answers[answers["value"].notna()]
    total, answered = int(asked["n"].sum()), int(asked.loc[asked["value"] == 1, "n"].sum())
    if total <= answered:
        return not_answerable(measure.question, ("surveys: sent_at",))
    table = pd.concat([_known(asked, column, level, least) for column in by], ignore_index=True)
    values = _values(study, measure, asked, answers, by, level)
    notes = (*hidden_note(table, least), Sentence("kpis.respondents.limits"))
    return Respondents(table, notes, kpi, total, answered, values)


def _filled(lines: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """`lines` whose missing groups are a group of their own."""
    return lines.assign(**{c: lines[c].astype(object).where(lines[c].notna(), "unknown") for c in by})


def _known(asked: pd.DataFrame, column: str, level: float, least: int) -> pd.DataFrame:
    """Shares of those asked and of those who answered, and response rates, for the groups of one column."""
    total = asked.groupby(column)["n"].sum()
    came = asked[asked["value"] == 1].groupby(column)["n"].sum().reindex(total.index, fill_value=0)
    rate = wilson(came.to_numpy(float), total.to_numpy(float), level)
    table = pd.DataFrame(
        {
            "known": column,
            "group": total.index,
            "asked": total.to_numpy(float),
            "answered": came.to_numpy(float),
            "share_asked": (total / total.sum()).to_numpy(float),
            "share_answered": (came / max(came.sum(), 1)).to_numpy(float),
            "response": rate.estimate,
            "response_low": rate.low,
            "response_high": rate.high,
        }
    )
    table = table.sort_values(["asked", "group"], ascending=[False, True], ignore_index=True)
    # few answers tell of somebody, and so do few invitations
    hidden = [disclose(table, "group", n=n, least=least)[HIDDEN].to_numpy(dtype=bool) for n in ("asked", "answered")]
    return without_numbers(table, ["known", "group"], hidden[0] | hidden[1])


def _values(
    study: Study, measure: Score | Net, asked: pd.DataFrame, answers: pd.DataFrame, by: Sequence[str], level: float
) -> Values:
    """The statistics of the KPI in three ways of counting."""
    found = with_targets(estimated(study, [measure.id], (), level), study, declared(study), level)
    rows = []
    for line in records(found):
        amount, lowest, highest = _amounts(measure, str(line["stat"]), answers["value"])
        low, high = widened(line)
        shared = {"stat": line["stat"], "unit": line["unit"], "headline": line["headline"]}
        rows.append({**shared, "way": "observed", "value": line["value"], "low": low, "high": high, "n": line["n"]})
        rows.append({**shared, "way": "weighted", **_weighted(amount, answers, asked, by, level)})
        silent = float(asked["n"].sum() - answers["n"].sum())
        bounds = nonresponse_bounds([*amount, np.nan], [*answers["n"], silent], lowest=lowest, highest=highest)
        least, most = bounds.interval(level)
        rows.append({**shared, "way": "bounds", "value": np.nan, "low": least, "high": most, "n": asked["n"].sum()})
    return Values(pd.DataFrame(rows))


def _amounts(
    measure: Score | Net, stat: str, answer: pd.Series[Any]
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float, float]:
    """What the statistic is the mean of, answer by answer, and between which ends it can lie."""
    if isinstance(measure, Net):
        up, down = answer.isin(measure.promoters), answer.isin(measure.detractors)
        return np.asarray(up.astype(float) - down.astype(float)), -1.0, 1.0
    if stat == "top_share":
        return np.asarray(answer.isin(measure.top), dtype=np.float64), 0.0, 1.0
    return np.asarray(answer, dtype=np.float64), float(measure.scale[0]), float(measure.scale[1])


def _weighted(
    amount: np.ndarray[Any, np.dtype[np.float64]],
    answers: pd.DataFrame,
    asked: pd.DataFrame,
    by: Sequence[str],
    level: float,
) -> dict[str, float]:
    """The mean weighted to those who were asked, with its interval."""
    population = asked.groupby(list(by))["n"].sum().to_dict() if by else {}
    labels = list(answers[list(by)].itertuples(index=False, name=None)) if by else [()] * len(answers)
    if len(by) == 1:
        labels = [label for (label,) in labels]
    for label, n in zip(labels, answers["n"], strict=True):  # an answer without its invitation stands for itself
        population.setdefault(label, float(n))
    found = post_stratified(amount, pd.Series(labels), population, answers["n"], least=_THIN_STRATUM)
    known = "cluster" in answers and answers["cluster"].nunique() >= _AGENTS
    told = found.infer(answers["cluster"] if known else None, level)
    return {"value": told.value, "low": told.low, "high": told.high, "n": float(answers["n"].sum())}
