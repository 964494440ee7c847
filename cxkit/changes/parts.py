"""The parts of a finding, as codes with parameters: reasons, checks, effects, the design, the verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from cxkit.changes.words import Group, Measured
from cxkit.lang import Sentence, Word
from cxkit.result import Format
from cxkit.stats import Inference, more_rows, verdict
from cxkit.stats.equivalence import Better
from cxkit.stats.intervals import z_of

Code = Literal["improved", "worsened", "changed", "equivalent", "not_worse", "no_evidence", "inconclusive", "invalid"]
Level = Literal["ok", "warn", "stop"]
Manner = Literal["between", "due", "since", "beyond"]
Role = Literal["primary", "companion", "test"]

CLAIMS = ("improved", "worsened", "changed")  # the verdicts that say something moved
STAT: Format = ("c", lambda row, lang: Measured(str(row["stat"]), row["amount"], row["amount_unit"]).text(lang))
_NAN = float("nan")


@dataclass(frozen=True)
class Reason:
    """Why a method was taken, or another was not: the catalogue's `changes.reason.<code>`."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def sentence(self) -> Sentence:
        """The reason in words."""
        return Sentence(f"changes.reason.{self.code}", self.params)


@dataclass(frozen=True)
class Check:
    """Something that was looked at: the catalogue's `changes.check.<code>.<level>`."""

    code: str
    level: Level
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def sentence(self) -> Sentence:
        """What was found, in words."""
        return Sentence(f"changes.check.{self.code}.{self.level}", self.params)


@dataclass(frozen=True)
class Method:
    """How the effect was found: `changes.method.<id>`, why, what was not taken and why, and the sources."""

    id: str
    because: tuple[Reason, ...] = ()
    rejected: tuple[tuple[str, Reason], ...] = ()
    sources: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()  # the columns whose rows resemble each other, as the method allows for them


@dataclass(frozen=True)
class Naive:
    """What the usual test on rows would have said: `changes.naive.<id>`, its p and its effect."""

    id: str
    p: float
    value: float = _NAN
    rows: float = _NAN


@dataclass(frozen=True)
class Effect:
    """One effect: what was measured, in which unit it is written, and what is known of it.

    The primary one carries the verdict; companions are shown beside it and decide nothing; a test has a p and no size.
    """

    stat: str
    unit: str
    found: Inference
    role: Role = "companion"
    amount: float = _NAN  # the horizon, the time within which, the quantile
    amount_unit: str = "seconds"

    @property
    def measured(self) -> Measured:
        """What was measured, in words."""
        return Measured(self.stat, self.amount, self.amount_unit)


@dataclass(frozen=True)
class Look:
    """Which look at running data this is, of how many planned ones (0: whenever one likes).

    `shares` are the shares (0-1) of all the information that were in at each planned look up to this one; even steps if
    not given. `tuned_for` is the number of rows at which looks without a plan are tightest.
    """

    number: int = 1
    planned: int = 0
    shares: tuple[float, ...] = ()
    tuned_for: float = 5000


@dataclass(frozen=True)
class Design:
    """How the sides came about: the manner in which the verdict may speak.

    between: groups that were there. due: groups drawn by lot. since: before and after. beyond: more than others did.
    """

    manner: Manner
    names: tuple[str, str] = ("before", "after")
    by: str = ""
    at: pd.Timestamp | None = None  # the local day of the change
    where: str = ""
    id: str = "compare"  # compare, trend_change, did, ...

    @property
    def groups(self) -> tuple[Group, Group]:
        """Both sides in words."""
        return Group(self.by, self.names[0]), Group(self.by, self.names[1])


@dataclass(frozen=True)
class Judgement:
    """The verdict: its code, what is ruled out, how many more rows it would take, and why it is invalid if it is."""

    code: Code
    rules_out: float = math.inf
    within_margin: bool = False
    above_worst: bool = False
    more: float = _NAN
    stop: Reason | Check | None = None


Levels = tuple[float, float]  # of the interval that decides whether it changed, and of the one held against a margin


def judge(
    effect_at: Callable[[float], Inference],
    *,
    better: Better,
    margin: float | None,
    alpha: float,
    rows: float,
    none: float = 0.0,
    levels: Levels | None = None,
) -> Judgement:
    """The verdict on an effect that can be had at any level; `none` is its value where nothing changed.

    `levels` are 1 - alpha and 1 - 2 alpha, unless looks at running data ask for wider ones.
    """
    wide, narrow = (effect_at(level).interval for level in levels or (1 - alpha, 1 - 2 * alpha))
    moved = [type(wide)(*(x - none for x in interval)) for interval in (wide, narrow)]
    found = verdict(moved[0], moved[1], better, margin)
    more = _more(effect_at(1 - alpha), alpha, margin, rows, none)
    return Judgement(found.code, found.rules_out, found.within_margin, found.above_worst, more)


def _more(found: Inference, alpha: float, margin: float | None, rows: float, none: float) -> float:
    """Rows still missing to find a change as large as the margin, or as the one that was seen."""
    half = (found.high - found.low) / 2
    aim = margin if margin else abs(found.value - none)
    if not (np.isfinite(half) and half > 0 and aim > 0 and rows > 0):
        return _NAN
    return more_rows(rows, half / z_of(1 - alpha), aim, alpha)


def plain(x: object) -> Any:
    """`x` as JSON takes it: parts of a finding as mappings, words as their codes, what is not finite as null."""
    if isinstance(x, Word):
        return plain(x.code)
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return {f.name: plain(getattr(x, f.name)) for f in dataclasses.fields(x)}
    if isinstance(x, tuple) and hasattr(x, "_asdict"):
        return plain(x._asdict())
    if isinstance(x, Mapping):
        return {str(k): plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [plain(v) for v in x]
    if isinstance(x, np.generic):
        return plain(x.item())
    if isinstance(x, float):
        return x if math.isfinite(x) else None
    if isinstance(x, pd.Timestamp):
        return x.isoformat()
    return x if x is None or isinstance(x, str | int | bool) else str(x)
