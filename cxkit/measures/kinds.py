"""The kinds of KPI: what each counts is declared here once, in words and conditions, and hashed.

A declaration says of which table's rows it speaks (`of`), which of them belong (`among`), to which moment a row is
attributed (`at`), and which direction is better. The first argument is a name of the catalogue (`kpi.<name>.name`) or
the analyst's own words.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal

from cxkit.errors import MeasureError, nearest
from cxkit.lang import Coded, Lasting, Sentence, has
from cxkit.measures.expressions import canonical, column_names

Better = Literal["higher", "lower", "none"]


@dataclass(frozen=True)
class Source:
    """How rows of a table enter: when, and which are left out unless a measure says otherwise."""

    entry: str = ""
    exclude: tuple[str, ...] = ()


# rule -> the condition that takes a row out; a rule whose column the table lacks takes nothing out
EXCLUSIONS: Mapping[str, str] = {
    "spam": "is_spam",
    "test": "is_test",
    "merged": "merged_into is not None",
    "deleted": "status == 'deleted'",
    "agent_created": "created_by == 'agent'",
    "self_service": "channel == 'self_service'",
}
_TICKETS = ("spam", "test", "merged", "deleted", "agent_created")
SOURCES: Mapping[str, Source] = {
    "tickets": Source("opened_at", _TICKETS),
    "survey_answers": Source("answered_at"),
    "surveys": Source("sent_at"),
    "calls": Source("arrived_at"),
    "messages": Source("at"),
    "events": Source("at"),
    "customers": Source(),
    "agents": Source(),
}


@dataclass(frozen=True)
class Measure:
    """One KPI, declared; `among` empty means every row that the exclusions leave."""

    name: str
    _: KW_ONLY
    of: str = "tickets"
    among: str = ""
    at: str = ""
    better: Better = "none"
    exclude: tuple[str, ...] | None = None  # rules of EXCLUSIONS; None: the usual ones of the table
    cluster: str = "agent_id"  # rows that share it resemble each other; empty: none are known to
    stratum: str = "channel"  # clusters are compared within it: who serves the phone does not make the phone fast
    variant: str = ""  # which wording of the definition: kpi.<name>.definition_<variant>

    kind: ClassVar[str] = ""
    headline: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.of not in SOURCES:
            _refuse(
                "measure_no_table", self, table=self.of, near=nearest(self.of, SOURCES) or "-", known=_list(SOURCES)
            )
        if self.better not in ("higher", "lower", "none"):
            _refuse("measure_better", self, found=self.better)
        for rule in self.rules:
            if rule not in EXCLUSIONS:
                near = nearest(rule, EXCLUSIONS) or "-"
                _refuse("measure_no_rule", self, rule=rule, near=near, known=_list(EXCLUSIONS))
        canonical(self.among)

    @property
    def id(self) -> str:
        """The catalogue's name, or the analyst's own words."""
        return self.name

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the exclusion rules that apply, in order."""
        return SOURCES[self.of].exclude if self.exclude is None else self.exclude

    @property
    def dated_by(self) -> str:
        """The timestamp a row is attributed to; empty where the table has none."""
        return self.at or self._own_date() or SOURCES[self.of].entry

    @property
    def required(self) -> frozenset[str]:
        """Columns without which the measure cannot be counted."""
        return column_names(self.among) | ({self.dated_by} - {""}) | self._reads()

    @property
    def definition_hash(self) -> str:
        """Twelve hex digits of SHA-256 over the declaration; another name alone keeps it, any other edit changes it."""
        facts = {
            "kind": self.kind,
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in _NOT_HASHED},
            "among": canonical(self.among),
            "exclude": {rule: EXCLUSIONS[rule] for rule in self.rules},
            "dated_by": self.dated_by,
            **self._facts(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:12]

    def _own_date(self) -> str:
        """The timestamp that the kind itself dates rows by."""
        return ""

    def _reads(self) -> frozenset[str]:
        """The columns that the kind itself needs."""
        return frozenset()

    def _facts(self) -> dict[str, Any]:
        """What the kind adds to the hash in another spelling than its fields."""
        return {}

    @property
    def spoken(self) -> Coded:
        """The KPI's name as a word of each language; an analyst's own name stays as it is."""
        return Coded("kpi", self.name)

    @property
    def question(self) -> Sentence:
        """The question that the KPI answers."""
        key = f"kpi.{self.name}.question"
        return Sentence(key) if has(key) else Sentence("measure.question", {"name": self.name})

    @property
    def definition(self) -> Sentence:
        """Population, start, stop, clock and window in words, with the numbers of this declaration."""
        ending = f"definition_{self.variant}" if self.variant else "definition"
        key = f"kpi.{self.name}.{ending}"
        return Sentence(key if has(key) else f"measure.{self.kind}", self._words())

    def _words(self) -> dict[str, object]:
        """The parameters of the definition's sentence."""
        return {
            "of": Coded("table", self.of),
            "among": self.among,
            "chosen": _said(self.among),
            "at": self.dated_by,
            "dated": _said(self.dated_by),
        }


_NOT_HASHED = {"name", "variant", "exclude", "at"}


@dataclass(frozen=True, kw_only=True)
class Share(Measure):
    """A yes or no with its denominator: rows where `where` holds, among those where it is known.

    With `follow_up_days`, a row is decided that many days after the moment it is attributed to; younger ones are not
    counted but reported as open.
    """

    where: str
    follow_up_days: float = 0

    kind = "share"
    headline = "share"

    def __post_init__(self) -> None:
        super().__post_init__()
        canonical(self.where)
        if not self.where:
            _refuse("measure_empty", self, field="where")
        if self.follow_up_days < 0:
            _refuse("measure_negative", self, field="follow_up_days")

    def _reads(self) -> frozenset[str]:
        return column_names(self.where)

    def _facts(self) -> dict[str, Any]:
        return {"where": canonical(self.where)}

    def _words(self) -> dict[str, object]:
        days = _whole(self.follow_up_days)
        return {**super()._words(), "where": self.where, "days": days, "follow_up": _said(days)}


@dataclass(frozen=True, kw_only=True)
class Score(Measure):
    """An ordinal answer with its scale: distribution, mean, and the share of answers in `top`.

    Answers on another scale in the same data are refused, never mixed.
    """

    scale: tuple[float, float]
    top: tuple[float, ...]
    value: str = "value"
    item: str = ""

    kind = "score"
    headline = "top_share"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_scale(self, self.scale, self.top)

    def _reads(self) -> frozenset[str]:
        return frozenset({self.value, "item"} if self.item else {self.value})

    def _words(self) -> dict[str, object]:
        low, high = self.scale
        numbers = {"low": low, "high": high, "top_low": min(self.top), "top_high": max(self.top)}
        return {**super()._words(), "value": self.value, **{k: _whole(v) for k, v in numbers.items()}}


@dataclass(frozen=True, kw_only=True)
class Net(Measure):
    """Promoters minus detractors as a share of all answers (-1 to 1)."""

    scale: tuple[float, float] = (0, 10)
    promoters: tuple[float, ...] = (9, 10)
    detractors: tuple[float, ...] = (0, 1, 2, 3, 4, 5, 6)
    value: str = "value"
    item: str = ""

    kind = "net"
    headline = "net"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_scale(self, self.scale, (*self.promoters, *self.detractors))
        if set(self.promoters) & set(self.detractors):
            _refuse("measure_net_overlap", self)

    def _reads(self) -> frozenset[str]:
        return frozenset({self.value, "item"} if self.item else {self.value})

    def _words(self) -> dict[str, object]:
        low, high = self.scale
        numbers = {"low": low, "high": high, "up": min(self.promoters), "down": max(self.detractors)}
        return {**super()._words(), "value": self.value, **{k: _whole(v) for k, v in numbers.items()}}


@dataclass(frozen=True, kw_only=True)
class Duration(Measure):
    """Time from `start` to `stop` on the clock on the wall; rows that have not stopped are censored, never dropped.

    A row is watched until the study's `as_of`, or until the first of `until` if it left before without stopping. Times
    are whole seconds, cut down; with `precision` they are cut to a log-linear grid whose relative error stays below it,
    so that a tally of a billion rows stays small. A row that stops before it starts counts as missing.
    """

    start: str
    stop: str
    until: tuple[str, ...] = ()
    target_seconds: float | None = None
    horizon_seconds: float | None = None
    precision: float = 0.0

    kind = "duration"
    headline = "median"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("target_seconds", "horizon_seconds"):
            if (getattr(self, name) or 0) < 0:
                _refuse("measure_negative", self, field=name)
        if not 0 <= self.precision < 1:
            _refuse("measure_precision", self)

    def _own_date(self) -> str:
        return self.start

    def _reads(self) -> frozenset[str]:
        return frozenset({self.start, self.stop})

    def _words(self) -> dict[str, object]:
        promise = {"has_target": _said(self.target_seconds), "target": Lasting(self.target_seconds or 0)}
        return {**super()._words(), "start": self.start, "stop": self.stop, **promise}


@dataclass(frozen=True, kw_only=True)
class Ratio(Measure):
    """The sum of the column `top` over the number of rows where it is known, such as waited seconds per answered call.

    A sum over a sum, not an average of averages: a day with few calls weighs as little as it should.
    """

    top: str

    kind = "ratio"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.top:
            _refuse("measure_empty", self, field="top")

    @property
    def headline(self) -> str:  # type: ignore[override]
        """Name of its statistic: a mean of seconds is written as a duration."""
        return "mean_seconds" if self.top.endswith("_seconds") else "mean"

    @property
    def required(self) -> frozenset[str]:
        """Columns without which the measure cannot be counted."""
        return super().required | {self.top}

    def _words(self) -> dict[str, object]:
        return {**super()._words(), "top": self.top}


@dataclass(frozen=True, kw_only=True)
class Count(Measure):
    """How many arrived: rows per period and group."""

    kind = "count"
    headline = "count"


def _check_scale(measure: Measure, scale: tuple[float, float], points: tuple[float, ...]) -> None:
    low, high = scale
    if not low < high:
        _refuse("measure_scale_order", measure, low=low, high=high)
    if not points or min(points) < low or max(points) > high:
        _refuse("measure_top_outside", measure, low=low, high=high)


def _refuse(code: str, measure: Measure, **params: object) -> None:
    raise MeasureError(code, kpi=measure.spoken, **params)


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))


def _said(fact: object) -> str:
    """What ICU's select takes."""
    return "true" if fact else "false"


def _whole(x: float) -> float:
    return int(x) if float(x).is_integer() else x
