"""What is known of units with and without a change: why this method, what was looked at, what makes it doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxkit.changes.panel import Panel, Rows
from cxkit.changes.parts import Check, Method, Reason
from cxkit.changes.words import Change, Column, P
from cxkit.lang import Amount, Sentence
from cxkit.stats import EventStudy, StaggeredEffect
from cxkit.stats.did import FEW

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

APART = 0.05  # p below which both kinds of units did not go the same way before
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class UnitFacts:
    """Units, when each got the change (NaN: never), and the periods before it."""

    rows: Rows
    unit: str
    start: Floats
    at: pd.Timestamp | None
    left_out: int
    cautions: tuple[str, ...]
    event: EventStudy | None
    panel: Panel
    log: bool

    @property
    def flag(self) -> Flags:
        """Which units got the change."""
        return np.isfinite(self.start)

    @property
    def effect_unit(self) -> str:
        """The unit of the effect: relative where values are taken in logarithms."""
        unit = self.rows.estimand.change
        return "relative" if self.log else unit if unit != "relative" else "number2"

    @property
    def numbers(self) -> tuple[int, int]:
        """Units with the change, and without it."""
        return int(self.flag.sum()), int((~self.flag).sum())


def method_of(facts: UnitFacts, way: str) -> Method:
    """Why units are collapsed and compared, and what is usually done instead."""
    with_it, without = facts.numbers
    because = [Reason("did", {"with": with_it, "without": without})]
    because.append(Reason("collapsed" if way == "did" else "not_yet"))
    if facts.log:
        because.append(Reason("factors"))
    rejected = (
        ("treated_only", Reason("befell_all")),
        ("twfe", Reason("weeks_alike" if way == "did" else "forbidden")),
    )
    sources = ("bertrand_2004", "welch_1947") if way == "did" else ("callaway_2021", "bertrand_2004")
    return Method("did" if way == "did" else "staggered", tuple(because), rejected, sources, (facts.unit,))


def checks_of(facts: UnitFacts) -> tuple[Check, ...]:
    """Units, the way they went before, and who could not be compared."""
    return tuple(check for part in (_units(facts), _before(facts)) for check in part)


def _units(facts: UnitFacts) -> Iterator[Check]:
    with_it, without = facts.numbers
    told = {"with": with_it, "without": without, "least": FEW, "unit": Column(facts.unit)}
    yield Check("units", "warn" if "few_units" in facts.cautions else "ok", told)
    if facts.left_out:
        yield Check("units_lost", "warn", {"n": facts.left_out})


def _before(facts: UnitFacts) -> Iterator[Check]:
    """Whether both kinds of units went the same way before the change."""
    event = facts.event
    if event is None or not np.isfinite(event.before_p):
        yield Check("before_room", "warn")
        return
    yield Check("before", "warn" if _apart(facts) else "ok", _before_told(facts))


def _apart(facts: UnitFacts) -> bool:
    event = facts.event
    if event is None:
        return False
    return bool(event.before_p < APART or event.before_trend.p < APART)


def _before_told(facts: UnitFacts) -> dict[str, object]:
    event = facts.event
    if event is None:
        return {}
    log, trend = facts.panel.log, event.before_trend
    unit = "relative" if log else facts.rows.estimand.change if not facts.rows.counted else "number2"
    drift = np.expm1(trend.value) if log else trend.value
    return {
        "n": int((event.since < 0).sum()),
        "p": P(event.before_p),
        "drift": Change(float(drift), unit),
        "drift_p": P(trend.p),
    }


def doubts_of(facts: UnitFacts) -> tuple[Reason, ...]:
    """What speaks against a firm verdict: few units, or units that went different ways before."""
    with_it, without = facts.numbers
    found = [Reason("few_units", {"with": with_it, "without": without, "least": FEW})] if facts.cautions else []
    return (*found, *((Reason("apart", _before_told(facts)),) if _apart(facts) else ()))


def notes_of(facts: UnitFacts, way: str) -> tuple[Sentence, ...]:
    """How units count, and until when."""
    notes = [Sentence("changes.note.units_alike", {"unit": Column(facts.unit)})]
    if way == "staggered" and facts.panel.days:
        notes.append(Sentence("changes.note.periods", {"days": facts.panel.days}))
    if facts.rows.settled is not None:
        day = Amount(facts.rows.settled, "date")  # type: ignore[arg-type]
        notes.append(Sentence("changes.note.settled", {"day": day}))
    return tuple(notes)


def sides_table(rows: Rows, flag: Flags, values: tuple[Floats, Floats], n: Floats, log: bool) -> pd.DataFrame:
    """Mean value of the units with and without the change, before and after; geometric where it is in logarithms."""
    told, parts = rows.estimand, []
    for name, which in (("with", flag), ("without", ~flag)):
        for place, (stage, value) in enumerate(zip(("before", "after"), values, strict=True)):
            known = which & np.isfinite(values[0]) & np.isfinite(values[1])
            middle = float(value[known].mean()) if known.any() else _NAN
            parts.append(
                {
                    "group": name,
                    "stage": stage,
                    **told.cells,
                    "value": float(np.exp(middle)) if log else middle,
                    "units": int(known.sum()),
                    "n": float(n[known, place].sum()),
                }
            )
    return pd.DataFrame(parts)


def cohorts_table(found: StaggeredEffect, panel: Panel, unit: str) -> pd.DataFrame:
    """The effect on the units that got the change at one time."""
    rows = [
        {
            "start": panel.labels[cohort.start],
            "units": cohort.units,
            "value": float(np.expm1(cohort.effect)) if panel.log else cohort.effect,
            "unit": unit,
            "periods": cohort.periods,
        }
        for cohort in found.cohorts
    ]
    return pd.DataFrame(rows, columns=["start", "units", "value", "unit", "periods"])


def lines_of_groups(facts: UnitFacts) -> pd.DataFrame:
    """The mean of both kinds of units in each period: label, group, value, after; units count alike."""
    parts, since = [], np.arange(len(facts.panel.labels)) >= np.nanmin(facts.start)
    for name, which in (("without", ~facts.flag), ("with", facts.flag)):
        values = facts.panel.values[which]
        known = np.isfinite(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            middle: Any = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
        middle = np.exp(middle) if facts.panel.log else middle
        parts.append(pd.DataFrame({"label": facts.panel.labels, "group": name, "value": middle, "after": since}))
    return pd.concat(parts, ignore_index=True).assign(kind="groups")
