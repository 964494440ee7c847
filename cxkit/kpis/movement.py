"""Did the service change, or the mix of what came in: the movement of one KPI in a mix part and a rate part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.errors import ParameterError
from cxkit.kpis.asked import declared, estimated, lacking
from cxkit.kpis.comparison import period_of
from cxkit.kpis.groups import OTHERS, check_persons, group_format, group_word
from cxkit.kpis.judging import UNITS
from cxkit.kpis.spans import written
from cxkit.kpis.trend import in_periods
from cxkit.kpis.words import Change, headline_name
from cxkit.lang import Amount, Coded, Sentence, Word, value
from cxkit.measures import Count, Duration, Measure, Net, Ratio, Score, check_group, columns_of, tally
from cxkit.measures.once import once
from cxkit.measures.periods import measured_periods
from cxkit.result import Format, Result, by_unit, not_answerable
from cxkit.stats import Inference, Rows, mix_change

if TYPE_CHECKING:
    from cxkit.study import Study

_MOMENT = pd.Timedelta(microseconds=1)
_AGENTS = 10  # fewer cannot tell how alike the tickets of one agent are


@dataclass(frozen=True, eq=False)
class Movement(Result):
    """One row a group: its weight and rate before and after, and its part of the change by mix and by rate."""

    kpi: str = ""
    by: str = "channel"
    periods: tuple[Any, ...] = ()
    unit: str = "month"
    within: float = float("nan")  # of a duration: the time within which the share counted here is
    total: Inference | None = None
    mix: Inference | None = None
    rate: Inference | None = None
    before: float = float("nan")
    simpson: bool = False

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Group, weights, rates, parts."""
        return {
            self.by: group_format(self.by),
            "n_before": "count",
            "n_after": "count",
            "weight_before": "share",
            "weight_after": "share",
            "rate_before": by_unit("rate_before"),
            "rate_after": by_unit("rate_after"),
            "mix_part": ("d", lambda row, lang: Change(row["mix_part"], row["unit"]).text(lang)),
            "rate_part": ("d", lambda row, lang: Change(row["rate_part"], row["unit"]).text(lang)),
        }

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: a bar for the mix and one for each group."""
        return (8.0, 0.4 * (len(self.table) + 3) + 0.8)

    @property
    def amounts_in(self) -> str:
        """The unit of the KPI, or of the share that stands for a duration."""
        return str(self.table["unit"].iloc[0])

    def sentences(self) -> tuple[Sentence, ...]:
        """The whole movement; its two parts with intervals; an alarm where the total contradicts every group."""
        if self.total is None or self.mix is None or self.rate is None:
            return ()
        unit = self.amounts_in
        facts: dict[str, object] = {
            "kpi": self._spoken,
            "before": Amount(self.before, unit),
            "after": Amount(self.before + self.total.value, unit),
            "from": Amount(self.periods[0], self.unit),
            "to": Amount(self.periods[1], self.unit),
            **_told("total", self.total, unit),
        }
        parts = {"by": Coded("by", self.by), **_told("mix", self.mix, unit), **_told("rate", self.rate, unit)}
        key = "kpis.movement.total" if math.isnan(self.within) else "kpis.movement.total_within"
        facts["within"] = Amount(self.within, "seconds")
        said = [Sentence(key, facts), Sentence("kpis.movement.parts", parts)]
        return (*said, Sentence("kpis.movement.simpson", {"kpi": self._spoken})) if self.simpson else tuple(said)

    @property
    def _spoken(self) -> Word:
        return Coded("kpi", self.kpi)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """From the earlier period to the later one: first what the mix did, then what each group did."""
        ax = figures.own_axes(ax, lang, self.size)
        if self.total is None or self.mix is None:
            return ax
        names = [Amount(self.periods[0], self.unit).text(lang), value("part", "mix", lang)]
        names += [figures.axis_name(group_word(self.by, group).text(lang)) for group in self.table[self.by]]
        names += [Amount(self.periods[1], self.unit).text(lang)]
        amounts = [self.before, self.mix.value, *self.table["rate_part"], self.before + self.total.value]
        stat = "within" if not math.isnan(self.within) else str(self.table["stat"].iloc[0])
        ax.set_title(headline_name(self.kpi, stat, lang))
        figures.steps_of(ax, names, amounts)
        return figures.finish(ax, lang, "categories", figures.axis_unit(self.amounts_in), "x")


@dataclass(frozen=True, eq=False)
class Unmoved(Result):
    """The answer for a KPI whose movement has no mix and no rate."""

    kpi: str = ""

    size: ClassVar[tuple[float, float]] = (8.0, 1.0)

    def sentences(self) -> tuple[Sentence, ...]:
        """Why there are no parts."""
        return (Sentence("kpis.movement.kind", {"kpi": Coded("kpi", self.kpi)}),)


def _told(name: str, found: Inference, unit: str) -> dict[str, object]:
    return {
        name: Change(found.value, unit),
        f"{name}_low": Change(found.low, unit),
        f"{name}_high": Change(found.high, unit),
    }


def movement(
    study: Study,
    kpi: str,
    by: str = "channel",
    periods: Sequence[str] = (),
    period: str = "month",
    level: float = 0.95,
    least: int = 5,
) -> Result:
    """How `kpi` moved between two periods, in a mix part and a rate part (Kitagawa 1955), with intervals.

    `periods`: a day in each of the two; without them the last two complete ones. A duration is followed by its share
    within the promised time (without one, within the earlier period's median). Groups of fewer than `least` cases in
    either period are put together.
    """
    measure = declared(study)[kpi]
    check_persons(by, agent_detail=False)
    check_group(by, columns_of(study, measure.of))
    gaps = lacking(study, kpi) or (() if by in columns_of(study, measure.of) else (f"{measure.of}.{by}",))
    if gaps:
        return not_answerable(measure.question, gaps)
    if isinstance(measure, Count) or (isinstance(measure, Ratio) and (measure.per or measure.bottom)):
        return Unmoved(pd.DataFrame(), (), measure.id)
    within = _within(study, measure)
    days = _two(study, measure, period, tuple(periods), within)
    if days is None:
        return not_answerable(measure.question, (f"{measure.of}: 2 × {period}",))
    lines = once(study, ("lines", kpi, by, period), lambda: tally(study, measure, (by, period), clusters=True))
    at = lines[period].astype("datetime64[us]")
    sides = [lines[at == day].reset_index(drop=True) for day in days]
    sides = [_valued(measure, side, within) for side in sides]
    known = [side[side["amount"].notna()] for side in sides]
    undecided = sum(int(side["n"].sum()) for side in sides) - sum(int(side["n"].sum()) for side in known)
    sides = _pooled(known, by, least)
    if not all(len(side) for side in sides):
        return not_answerable(measure.question, (f"{measure.of}: 2 × {period}",))
    return _moved(study, measure, by, sides, days, period, within, level, undecided)


def _moved(
    study: Study,
    measure: Measure,
    by: str,
    sides: Sequence[pd.DataFrame],
    days: tuple[pd.Timestamp, pd.Timestamp],
    period: str,
    within: float,
    level: float,
    undecided: int,
) -> Movement:
    """The decomposition of two sides with amounts and groups."""
    unit = "share" if isinstance(measure, Duration) else UNITS[measure.headline]
    known = all("cluster" in side and side["cluster"].nunique() >= _AGENTS for side in sides)
    rows = [Rows(s["amount"], s[by], s["n"], s["cluster"] if known else None) for s in sides]
    found = mix_change(*rows, level=level)
    n = [side.groupby(by)["n"].sum() for side in sides]
    table = pd.DataFrame(
        {
            by: [part.group for part in found.groups],
            "n_before": [int(n[0].get(part.group, 0)) for part in found.groups],
            "n_after": [int(n[1].get(part.group, 0)) for part in found.groups],
            "weight_before": [part.share_before for part in found.groups],
            "weight_after": [part.share_after for part in found.groups],
            "rate_before": [part.rate_before for part in found.groups],
            "rate_after": [part.rate_after for part in found.groups],
            "mix_part": [part.mix for part in found.groups],
            "rate_part": [part.rate for part in found.groups],
            "unit": unit,
            "stat": measure.headline,
        }
    ).sort_values("n_after", ascending=False, kind="stable", ignore_index=True)
    before = float((sides[0]["amount"] * sides[0]["n"]).sum() / sides[0]["n"].sum())
    notes = [Sentence("kpis.movement.why")]
    if isinstance(measure, Duration) and undecided:
        notes.append(Sentence("kpis.movement.undecided", {"n": undecided}))
    return Movement(
        table,
        tuple(notes),
        measure.id,
        by,
        days,
        written(study, period),
        within,
        found.total,
        found.mix,
        found.rate,
        before,
        found.simpson,
    )


def _two(
    study: Study, measure: Measure, period: str, asked: tuple[str, ...], within: float
) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """The first days of the two periods: those asked for, or the last two settled ones; None where there are none."""
    table = in_periods(study, measure, period)
    known = table[table["n"] > 0]
    if asked:
        if len(asked) != 2:
            raise ParameterError("movement_periods", n=len(asked))
        return period_of(known[period], asked[0]), period_of(known[period], asked[1])
    followed = study.as_of - pd.Timedelta(seconds=0 if math.isnan(within) else within)
    ended = {
        pd.Timestamp(span.first_on)
        for span in measured_periods(study, measure, period)
        if span.end_at <= followed + _MOMENT
    }
    days = [day for day in known.loc[known["complete"], period] if day in ended]
    return (days[-2], days[-1]) if len(days) > 1 else None


def _within(study: Study, measure: Measure) -> float:
    """Of a duration: its promised time, or its median; NaN of what is none."""
    if not isinstance(measure, Duration):
        return float("nan")
    found = estimated(study, [measure.id]).set_index("stat")["value"]
    return float(measure.target_seconds or found["median"])


def _valued(measure: Measure, side: pd.DataFrame, within: float) -> pd.DataFrame:
    """`side` with the `amount` whose mean is the KPI: 1 and 0 of a share, -1 to 1 of a net score, else the value.

    A case of a duration is decided when it is done, or open for longer than the time within which it should be.
    """
    found = side["value"].astype(float)
    if isinstance(measure, Score):
        found = found.isin(measure.top).astype(float).where(found.notna())
    elif isinstance(measure, Net):
        up, down = found.isin(measure.promoters), found.isin(measure.detractors)
        found = (up.astype(float) - down.astype(float)).where(found.notna())
    elif isinstance(measure, Duration):
        decided = side["observed"].astype(bool) | (found > within)
        found = (found <= within).astype(float).where(found.notna() & decided)
    return side.assign(amount=found)


def _pooled(sides: Sequence[pd.DataFrame], by: str, least: int) -> list[pd.DataFrame]:
    """`sides` in which groups of few cases on either side are one group, large enough not to tell of anybody."""
    sides = [side.assign(**{by: side[by].astype(object).where(side[by].notna(), "unknown")}) for side in sides]
    n = pd.concat([side.groupby(by)["n"].sum() for side in sides], axis=1).fillna(0)
    thin = ((n > 0) & (n < least)).any(axis=1)
    small, others = list(n.index[thin]), list(n[~thin].sum(axis=1).sort_values(kind="stable").index)
    while small and others and not _enough(n.loc[small].sum(), least):
        small.append(others.pop(0))
    return [side.assign(**{by: side[by].where(~side[by].isin(small), OTHERS)}) for side in sides]


def _enough(n: pd.Series[float], least: int) -> bool:
    """Whether on either side there is nobody, or not too few."""
    return bool(((n == 0) | (n >= least)).all())
