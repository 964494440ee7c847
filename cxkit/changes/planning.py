"""How long must a test run, and what can it find: cases, what they are worth, weeks at the present volume.

::

    plan(study, "fcr", change=0.03)  # how many weeks until three points would be found, four times out of five
    plan(study, "first_reply_time", where="channel == 'email'")  # what 1, 2, 4, ... weeks can find
    plan(0.70, change=0.05)  # a bare share

Cases of one agent resemble each other, and more weeks bring more cases of the same agents, not more agents: what the
cases of a longer test are worth grows ever slower, and some changes no test of this team can find. Cases that stay open
and repeated looks cost cases, too. All of it is read from the last weeks of the data themselves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.asking import alpha_of, horizon_asked, margin_of
from cxkit.changes.baseline import Baseline, baseline_of
from cxkit.changes.estimands import Estimand
from cxkit.changes.lines import Data, Moment, measure_of
from cxkit.changes.words import Change, Column
from cxkit.errors import ParameterError
from cxkit.lang import Amount, Sentence, Word, frame_line, number, say
from cxkit.measures import Count, Measure
from cxkit.result import Format, Result
from cxkit.stats import Outcome, PowerDesign, mean_outcome, power_of, rows_needed, share_outcome, smallest_effect
from cxkit.stats.power import Aim
from cxkit.stats.sequential import inflation
from cxkit.study.settings import lasting

Assigned = Literal["cluster", "row"]
Way = Literal["parallel", "before_after"]

MOST_WEEKS = 104
_SHOWN = (1, 2, 4, 8, 12, 26, 52)
_COSTS = 1.05  # design effect from which clusters are worth a sentence
_FIXED = 0.3  # growth below which the clusters of a longer test are the same ones
_NAN = float("nan")

_FORMATS: Mapping[str, Format] = {
    "weeks": "count",
    "cases_a_side": ("n", lambda row, lang: Amount(row["n"], "count").text(lang)),
    "worth": ("n", lambda row, lang: Amount(row["effective"], "count").text(lang)),
    "cluster_count": ("n", lambda row, lang: _count(row["clusters"], lang)),
    "smallest": ("d", lambda row, lang: Change(row["smallest"], row["unit"], signed=False).text(lang)),
    "power": (
        "n",
        lambda row, lang: "–" if math.isnan(row["power"]) else Amount(row["power"], "share0").text(lang),
    ),
}


@dataclass(frozen=True, eq=False)
class Plan(Result):
    """One row a length of the test: weeks, cases a side, what they are worth, the smallest change found, the power.

    `n` cases a side (days, of a number of arrivals), `effective` independent ones that are worth as much, `clusters` a
    side, `weeks` at the present volume (NaN: not told), all for the `change` that was asked about, or for the `n`.
    """

    measure: Measure | None = None
    told: Estimand | None = None
    base: float = _NAN
    change: float = _NAN
    smallest: float = _NAN  # change that `n` cases find
    power: float = 0.8
    reached: float = _NAN  # the power of the plan
    n: float = _NAN
    effective: float = _NAN
    clusters: float = _NAN
    weeks: float = _NAN
    per_week: float = _NAN
    icc: float = _NAN
    design_effect: float = 1.0
    growth: float = 0.0  # of the number of clusters with time: 0 always the same, 1 always new ones
    cluster: str = ""
    open_share: float = 0.0
    looks: int = 1
    look_cost: float = 1.0
    aim: Aim = "difference"
    margin: float | None = None
    way: Way = "parallel"
    assigned: Assigned = "cluster"

    size: ClassVar[tuple[float, float]] = (8.0, 4.0)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Weeks, cases and what they are worth, the smallest change found; the power where a change was asked about."""
        return {name: kind for name, kind in _FORMATS.items() if name != "power" or math.isfinite(self.change)}

    @property
    def unit(self) -> str:
        """The unit of a change."""
        return self.told.change if self.told is not None else "share"

    def sentences(self) -> tuple[Sentence, ...]:
        """What is needed, or what can be found; and what clusters, looks and open cases cost."""
        said = [self._answer()]
        if self.cluster and self.design_effect > _COSTS:
            said.append(Sentence("changes.plan.clusters", self._facts()))
            said += [Sentence("changes.plan.fixed", self._facts())] if self.growth < _FIXED else []
        if not math.isfinite(self.n) and self.cluster and self.way == "parallel" and self.assigned == "cluster":
            said.append(Sentence("changes.plan.instead"))
        if self.looks > 1:
            said.append(Sentence("changes.plan.looks", self._facts()))
        if self.open_share > 0.005:
            said.append(Sentence("changes.plan.open", self._facts()))
        return tuple(said)

    def _answer(self) -> Sentence:
        facts, timed = self._facts(), math.isfinite(self.per_week)
        if self.aim != "difference":
            key = f"changes.plan.{self.aim}" if math.isfinite(self.n) else "changes.plan.never_margin"
        elif math.isnan(self.change):
            key = "changes.plan.finds" if math.isfinite(self.smallest) else "changes.plan.nothing"
        else:
            key = "changes.plan.needs" if math.isfinite(self.n) else "changes.plan.never"
        if isinstance(self.measure, Count) and key.rpartition(".")[2] in ("needs", "finds"):
            return Sentence(f"{key}_days", facts)
        return Sentence(f"{key}_weeks" if timed and math.isfinite(self.n) else key, facts)

    def _facts(self) -> dict[str, object]:
        amount = self.told or Estimand("share", "share", "share", "none")
        return {
            "kpi": self._spoken,
            "measured": amount.measured,
            "base": Amount(self.base, amount.unit),
            "change": Change(self.change, self.unit, signed=False),
            "smallest": Change(self.smallest, self.unit, signed=False),
            "margin": Change(_NAN if self.margin is None else self.margin, self.unit, signed=False),
            "power": self.power,
            "n": _whole(self.n),
            "effective": _whole(self.effective),
            "weeks": _whole(self.weeks),
            "most": MOST_WEEKS,
            "per_week": _whole(self.per_week),
            "clusters": _whole(self.clusters),
            "unit": Column(self.cluster),
            "icc": 0.0 if math.isnan(self.icc) else self.icc,
            "effect": self.design_effect,
            "looks": self.looks,
            "cost": self.look_cost - 1,
            "open": Amount(self.open_share, "share"),
        }

    @property
    def _spoken(self) -> Word:
        return self.measure.spoken if self.measure is not None else Column("kpi")

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The smallest change that is found, by the length of the test; level: the change that was asked about."""
        ax = figures.own_axes(ax, lang, self.size)
        known = self.table[self.table["smallest"].notna()]
        timed = bool(known["weeks"].notna().any())
        x = known["weeks" if timed else "n"]
        ax.plot(x, known["smallest"].abs(), "-o", color=figures.ACCENT, markersize=5)
        if math.isfinite(self.change):
            ax.axhline(abs(self.change), color=figures.WARN, linestyle="--")
        at = self.weeks if timed else self.n
        if math.isfinite(at) and len(x) and at <= float(x.max()):
            ax.axvline(at, color=figures.INK, linewidth=1.2)
        ax.set_ylim(0, float(known["smallest"].abs().max()) * 1.08 if len(known) else None)
        ax.set_xlim(0, None)
        ax.set_xlabel(say("changes.plan.axis_weeks" if timed else "changes.plan.axis_n", lang))
        ax.set_title(f"{self._spoken.text(lang)} · {say('changes.plan.title', lang)}")
        figures.finish(ax, lang, "series", "none", "y")
        ax.yaxis.set_major_locator(figures.DurationLocator() if self.unit == "seconds" else ticker.MaxNLocator(5))
        ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda y, _: frame_line(self._size(float(y), lang), lang)))
        ax.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
        ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: frame_line(number(v, lang), lang)))
        return ax

    def _size(self, change: float, lang: str | None) -> str:
        return Change(change, self.unit, signed=False).text(lang) if change else number(0, lang)

    def to_dict(self) -> dict[str, Any]:
        """Everything in machine values."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("table", "notes", "measure", "told")]
        about = {name: getattr(self, name) for name in names}
        finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in about.items()}
        told = self.told.stat if self.told is not None else None
        return {**super().to_dict(), "kpi": self.measure.id if self.measure else None, "stat": told, **finite}


def plan(
    data: Data | float,
    kpi: str | Measure | None = None,
    *,
    change: float | str | None = None,
    n: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    margin: float | str | None = None,
    aim: Aim | None = None,
    cluster: str | Sequence[str] | None = None,
    assigned: Assigned = "cluster",
    way: Way = "parallel",
    share: float = 0.5,
    looks: int = 1,
    where: str = "",
    dated: str = "",
    horizon: float | str | None = None,
    estimand: str = "",
    baseline_weeks: int = 8,
    icc: float | None = None,
    cluster_size: float | None = None,
    sd: float | None = None,
    as_of: Moment | None = None,
) -> Plan:
    """What a test of `kpi` needs to find `change`, or what `n` cases a side find; with neither, what weeks can find.

    data: a Study or a DataFrame whose last `baseline_weeks` whole weeks say how the KPI stands, how its cases scatter
    and resemble each other, and how many come a week; or a number, the share (0-1) at which the KPI stands, or its mean
    with `sd`.

    change: in the unit of the effect (0.03 is three points of a share, "30 min" a time, 0.05 five percent of a number
    of arrivals). margin: plans to show "not worse" (aim "not_worse") or "the same" ("equivalence") by it. cluster: as
    `compare` takes it. assigned: whether lot draws whole clusters, or single cases (the same agents on both sides).
    way: "parallel", or "before_after" for equal stretches before and after. share: of the cases on the second side.
    looks: planned ones. icc, cluster_size: likeness and size of clusters where the data do not tell.

    ParameterError for a change that the KPI cannot make, and for numbers that no test can be planned with.
    """
    asked = _Asked(alpha_of(alpha), power, looks, margin_of(margin), aim, share, assigned, way)
    wanted = _NAN if change is None else lasting("change", change) if isinstance(change, str) else float(change)
    if isinstance(data, int | float):
        outcome, told = _bare(float(data), sd)
        found = Baseline(outcome, told, cluster_sizes=None if cluster_size is None else np.array([cluster_size]))
        measure = kpi if isinstance(kpi, Measure) else None
    else:
        if kpi is None:
            raise ParameterError("plan_kpi")
        measure = measure_of(data, kpi)
        split = asked.assigned == "row" or asked.way == "before_after"
        if isinstance(measure, Count):
            asked = dataclasses.replace(asked, way="before_after")  # lot cannot decide on which side a request comes in
        found = baseline_of(
            data, measure, cluster, baseline_weeks, split, where, dated, horizon_asked(horizon), estimand, as_of
        )
    if icc is not None:
        found = dataclasses.replace(found, icc=float(icc))
    return _planned(measure, found, asked, wanted, n)


@dataclass(frozen=True)
class _Asked:
    """The test as it is meant to be."""

    alpha: float
    power: float
    looks: int
    margin: float | None
    aim: Aim | None
    share: float
    assigned: Assigned
    way: Way

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ParameterError("plan_share", share=str(self.share))
        if self.way not in ("parallel", "before_after") or self.assigned not in ("cluster", "row"):
            raise ParameterError("plan_way", way=str(self.way)[:40], assigned=str(self.assigned)[:40])
        if self.looks < 1:
            raise ParameterError("sequential_looks", looks=self.looks)

    @property
    def target(self) -> Aim:
        """What the test is to show."""
        return self.aim or ("difference" if self.margin is None else "not_worse")

    def design(self, found: Baseline, weeks: float | None, scale: float) -> PowerDesign:
        """The comparison after so many weeks: the same clusters, each with more cases."""
        sizes = found.cluster_sizes if weeks is None else found.sizes_after(weeks)
        if sizes is not None and weeks is not None and self.way == "parallel" and self.assigned == "row":
            sizes = np.maximum(sizes * scale, 1.0)  # either side has its part of every cluster
        return PowerDesign(
            alpha=self.alpha,
            power=self.power,
            per_first=1.0 if self.way == "before_after" else self.share / (1 - self.share),
            cluster_sizes=sizes,
            icc=float(np.nan_to_num(found.icc)) if sizes is not None else 0.0,
            open_share=found.open_share,
            looks=self.looks,
            aim=self.target,
            margin=0.0 if self.margin is None else self.margin * found.scale,
        )


def _bare(base: float, sd: float | None) -> tuple[Outcome, Estimand]:
    if sd is not None:
        return mean_outcome(base, sd), Estimand("mean", "number2", "number2", "none")
    return share_outcome(base), Estimand("share", "share", "share", "none")


def _planned(measure: Measure | None, found: Baseline, asked: _Asked, change: float, n: float | None) -> Plan:
    """The plan: by weeks where the volume is known, by cases where it is not."""
    if asked.target != "difference" and asked.margin is None:
        raise ParameterError("verdict_margin", margin="-")
    effect = 0.0 if math.isnan(change) else change * found.scale * _sign(found, change)
    timed = found.per_week > 0
    first = found.per_week * (1 - asked.share) if asked.way == "parallel" else found.per_week
    table = _table(found, asked, first, effect, change)
    weeks, rows = _NAN, _NAN
    if n is not None:
        rows, weeks = float(n), float(n) / first if timed else _NAN
    elif math.isfinite(change) or asked.target != "difference":
        weeks, rows = _needed(found, asked, first, effect) if timed else (_NAN, _rows(found, asked, effect))
    elif timed:
        weeks, rows = 4.0, 4 * first
    else:
        raise ParameterError("plan_nothing")
    design = asked.design(found, weeks if timed and math.isfinite(weeks) else None, 1 - asked.share)
    known = math.isfinite(rows)
    told = power_of(found.outcome, rows, effect, design) if known else None
    finds = _smallest(found, rows, design) if known else _at_most(found, asked, first)
    return Plan(
        table,
        _notes(found, asked),
        measure=measure,
        told=found.told,
        base=found.outcome.base,
        change=change,
        smallest=finds,
        power=asked.power,
        reached=told.power if told is not None and (effect or asked.target != "difference") else _NAN,
        n=math.ceil(rows) if known else _NAN,
        effective=told.effective if told is not None else _NAN,
        clusters=_clusters(
            found, asked, weeks if known else MOST_WEEKS, told.clusters[0] if told and told.clusters else _NAN
        ),
        weeks=math.ceil(weeks - 1e-9) if math.isfinite(weeks) else _NAN,
        per_week=found.per_week or _NAN,
        icc=found.icc,
        design_effect=told.design_effect if told is not None else _longest(found, asked),
        growth=found.growth,
        cluster=found.cluster,
        open_share=found.open_share,
        looks=asked.looks,
        look_cost=inflation(asked.looks, asked.alpha, asked.power) if asked.looks > 1 else 1.0,
        aim=asked.target,
        margin=asked.margin,
        way=asked.way,
        assigned=asked.assigned,
    )


def _sign(found: Baseline, change: float) -> float:
    """A size without a sign is a change for the better."""
    return -1.0 if found.told.better == "lower" and change > 0 else 1.0


def _rows(found: Baseline, asked: _Asked, effect: float) -> float:
    """Cases of the first side, where nothing is known of weeks."""
    return rows_needed(found.outcome, effect, asked.design(found, None, 1.0)).rows[0]


def _needed(found: Baseline, asked: _Asked, first: float, effect: float) -> tuple[float, float]:
    """The fewest whole weeks that are enough, and their cases; NaN where none are."""
    if asked.target == "difference" and effect == 0:
        raise ParameterError("power_never", effect="0", margin="0")
    for weeks in range(1, MOST_WEEKS + 1):
        design = asked.design(found, weeks, 1 - asked.share)
        if power_of(found.outcome, weeks * first, effect, design).power >= asked.power:
            return float(weeks), weeks * first
    return _NAN, _NAN


def _smallest(found: Baseline, rows: float, design: PowerDesign) -> float:
    """The smallest change for the better that is found, in the unit of the effect."""
    plain = dataclasses.replace(design, aim="difference", margin=0.0)
    way: Literal[1, -1] = -1 if found.told.better == "lower" else 1
    return smallest_effect(found.outcome, rows, plain, way).effect / found.scale


def _at_most(found: Baseline, asked: _Asked, first: float) -> float:
    """The smallest change that the longest test finds."""
    return _smallest(found, MOST_WEEKS * first, asked.design(found, MOST_WEEKS, 1 - asked.share))


def _longest(found: Baseline, asked: _Asked) -> float:
    return power_of(found.outcome, 2.0, 0.0, asked.design(found, MOST_WEEKS, 1 - asked.share)).design_effect


def _clusters(found: Baseline, asked: _Asked, weeks: float, counted: float) -> float:
    """Clusters on the first side after so many weeks; without weeks, as the cases make them."""
    if not (math.isfinite(weeks) and found.cluster):
        return counted
    whole = found.clusters_after(weeks)
    return whole * (1 - asked.share) if asked.way == "parallel" and asked.assigned == "cluster" else whole


def _table(found: Baseline, asked: _Asked, first: float, effect: float, change: float) -> pd.DataFrame:
    rows = []
    steps = [(float(w), w * first) for w in _SHOWN] if found.per_week > 0 else [(_NAN, float(r)) for r in _ROWS]
    for weeks, cases in steps:
        if cases < 2:
            continue
        design = asked.design(found, weeks if math.isfinite(weeks) else None, 1 - asked.share)
        told = power_of(found.outcome, cases, effect, design)
        asked_for = math.isfinite(change) or asked.target != "difference"
        rows.append(
            {
                "weeks": weeks,
                "n": math.ceil(cases),
                "effective": told.effective,
                "clusters": _clusters(found, asked, weeks, told.clusters[0] if told.clusters else _NAN),
                "smallest": abs(_smallest(found, cases, design)),
                "power": told.power if asked_for else _NAN,
                "unit": found.told.change,
            }
        )
    return pd.DataFrame(rows, columns=["weeks", "n", "effective", "clusters", "smallest", "power", "unit"])


_ROWS = (100, 200, 500, 1000, 2000, 5000, 10_000)


def _notes(found: Baseline, asked: _Asked) -> tuple[Sentence, ...]:
    notes = []
    if found.weeks > 0:
        notes.append(Sentence("changes.note.baseline", {"weeks": round(found.weeks), "n": int(found.rows)}))
    if found.told.stat == "top_share":
        notes.append(Sentence("changes.note.plan_score"))
    if asked.way == "before_after" and found.told.change == "relative":
        notes.append(Sentence("changes.note.plan_days"))
    elif asked.way == "before_after":
        notes.append(Sentence("changes.note.plan_before_after"))
    return tuple(notes)


def _whole(x: float) -> float:
    return math.ceil(x - 1e-9) if math.isfinite(x) else 0


def _count(x: float, lang: str) -> str:
    return "–" if math.isnan(x) else Amount(x, "count").text(lang)
