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
from cxkit.lang import Coded, Lasting, Sentence, Several, has
from cxkit.measures.expressions import AS_OF, canonical, clocked_names, column_names

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
    "bot_only": "bot_only",
    "self_service": "channel == 'self_service'",
}
_TICKETS = ("spam", "test", "merged", "deleted", "agent_created", "bot_only")
SOURCES: Mapping[str, Source] = {
    "tickets": Source("opened_at", _TICKETS),
    "survey_answers": Source("answered_at"),
    "surveys": Source("sent_at"),
    "calls": Source("arrived_at"),
    "messages": Source("at"),
    "events": Source("at"),
    "customers": Source(),
    "agents": Source(),
    "orders": Source("ordered_at"),
    "qa_reviews": Source("reviewed_at"),
    "kb_sessions": Source("started_at"),
    "costs": Source("booked_on"),
    "priority_changes": Source("at"),
}
FAMILIES = (
    "satisfaction",
    "reply",
    "resolution",
    "return",
    "calls",
    "volume",
    "self_service",
    "quality",
    "retention",
    "cost",
    "own",
)
Clock = Literal["wall", "business"]


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
    family: str = "own"  # one of FAMILIES: what a reader looks at together
    caveats: tuple[str, ...] = ()  # what a careful reader should doubt: kpi.caveat.<code>
    facts: tuple[tuple[str, object], ...] = ()  # numbers inside the conditions, for the words of the definition

    kind: ClassVar[str] = ""
    headline: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.of not in SOURCES:
            _refuse(
                "measure_no_table", self, table=self.of, near=nearest(self.of, SOURCES) or "-", known=_list(SOURCES)
            )
        if self.better not in ("higher", "lower", "none"):
            _refuse("measure_better", self, found=self.better)
        if self.family not in FAMILIES:
            near = nearest(self.family, FAMILIES) or "-"
            _refuse("measure_family", self, found=self.family, near=near, known=", ".join(FAMILIES))
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
    def clocked(self) -> frozenset[str]:
        """Timestamps, or `as_of`, whose place on the business clock the measure reads; empty: the clock on the wall."""
        return clocked_names(self.among)

    @property
    def definition_hash(self) -> str:
        """Twelve hex digits of SHA-256 over the declaration; another name alone keeps it, any other edit changes it.

        What is left at its default is not hashed, so that a later version may learn a new word without a new hash.
        """
        said = (f for f in dataclasses.fields(self) if f.name not in _NOT_HASHED and getattr(self, f.name) != f.default)
        facts = {
            "kind": self.kind,
            **{f.name: getattr(self, f.name) for f in said},
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
        return Sentence(key if has(key) else f"measure.{self.kind}", {**self._words(), **dict(self.facts)})

    def _words(self) -> dict[str, object]:
        """The parameters of the definition's sentence."""
        return {
            "of": Coded("table", self.of),
            "among": self.among,
            "chosen": _said(self.among),
            "at": self.dated_by,
            "dated": _said(self.dated_by),
            "left_out": Several(tuple(Coded("rule", rule) for rule in self.rules)),
            "leaves_out": _said(self.rules),
        }


_NOT_HASHED = {"name", "variant", "exclude", "at", "family", "caveats", "facts", "target_share"}


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

    @property
    def clocked(self) -> frozenset[str]:
        """Timestamps whose place on the business clock the measure reads."""
        return super().clocked | clocked_names(self.where)

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
    """Time from `start` to `stop`; rows that have not stopped are censored, never dropped.

    A row is watched until the study's `as_of`, or until the first of `until` if it left before without stopping; with
    `stop="as_of"` every row is as old as it is. Or the data say how long it took: `seconds` is then a numeric
    expression, and `done` the condition under which it went to its end.

    The clock on the wall, or the study's business hours; `pauses` are columns of seconds that are taken off. Times are
    whole seconds, cut down; with `precision` they are cut to a log-linear grid whose relative error stays below it, so
    that a tally of a billion rows stays small. A row that stops before it starts counts as missing.
    """

    start: str = ""
    stop: str = ""
    until: tuple[str, ...] = ()
    seconds: str = ""
    done: str = ""
    clock: Clock = "wall"
    pauses: tuple[str, ...] = ()
    target_seconds: float | None = None
    target_share: float | None = None  # of the rows that are to be within `target_seconds`
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
        if self.clock not in ("wall", "business"):
            _refuse("measure_clock", self, found=str(self.clock))
        if bool(self.seconds) == bool(self.start and self.stop) or (self.seconds and self.clock != "wall"):
            _refuse("measure_two_times", self)
        canonical(self.seconds)
        canonical(self.done)

    @property
    def clocked(self) -> frozenset[str]:
        """Timestamps whose place on the business clock the measure reads."""
        named = clocked_names(self.seconds) | clocked_names(self.done) | super().clocked
        own = {self.start, self.stop, *self.until, AS_OF}
        return named | own if self.clock == "business" else named

    def _own_date(self) -> str:
        return self.start

    def _reads(self) -> frozenset[str]:
        times = {self.start, self.stop} - {"", AS_OF}
        return frozenset(times | set(self.pauses)) | column_names(self.seconds) | column_names(self.done)

    def _facts(self) -> dict[str, Any]:
        return {"seconds": canonical(self.seconds), "done": canonical(self.done)}

    def _words(self) -> dict[str, object]:
        promise = {"has_target": _said(self.target_seconds), "target": Lasting(self.target_seconds or 0)}
        times = {"start": self.start, "stop": Coded("moment", self.stop), "clock": self.clock}
        told = {"told": _said(self.seconds), "seconds": self.seconds, "ends": _said(self.done), "done": self.done}
        return {**super()._words(), **times, **told, **promise}


@dataclass(frozen=True, kw_only=True)
class Ratio(Measure):
    """The sum of `top` over the sum of `bottom`, such as waited seconds per answered call; both numeric expressions.

    A sum over a sum, not an average of averages: a day with few calls weighs as little as it should. Without `bottom`
    each row counts as one. With `per` the rows of another table (those where `per_among` holds) of the same period and
    group are counted underneath, such as tickets per order; groups that the other table does not know share its total.
    """

    top: str
    bottom: str = ""
    per: str = ""
    per_among: str = ""
    unit: Literal["seconds", "share", "number", "money"] | None = None  # of the result; None: as the name of `top` says

    kind = "ratio"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.top:
            _refuse("measure_empty", self, field="top")
        if self.per and self.per not in SOURCES:
            _refuse(
                "measure_no_table", self, table=self.per, near=nearest(self.per, SOURCES) or "-", known=_list(SOURCES)
            )
        if self.per and self.bottom:
            _refuse("measure_two_bottoms", self)
        for expression in (self.top, self.bottom, self.per_among):
            canonical(expression)

    @property
    def denominator(self) -> Count | None:
        """With `per`: what is counted underneath."""
        return Count(f"{self.name}_per", of=self.per, among=self.per_among) if self.per else None

    @property
    def headline(self) -> str:  # type: ignore[override]
        """Name of its statistic, which says in what unit it is written."""
        if self.per:
            return "cost" if self.unit == "money" else "rate"
        unit = self.unit or ("seconds" if self.top.endswith("_seconds") else "number")
        return {"seconds": "mean_seconds", "share": "mean_share", "money": "cost"}.get(unit, "mean")

    @property
    def clocked(self) -> frozenset[str]:
        """Timestamps whose place on the business clock the measure reads."""
        return super().clocked | clocked_names(self.top) | clocked_names(self.bottom)

    def _reads(self) -> frozenset[str]:
        return column_names(self.top) | column_names(self.bottom)

    def _facts(self) -> dict[str, Any]:
        spelt = {name: canonical(getattr(self, name)) for name in ("top", "bottom", "per_among")}
        return spelt | ({"denominator": self.denominator.definition_hash} if self.denominator else {})

    def _words(self) -> dict[str, object]:
        under = {"bottom": self.bottom, "has_bottom": _said(self.bottom), "per": Coded("table", self.per)}
        return {**super()._words(), "top": self.top, **under, "has_per": _said(self.per)}


@dataclass(frozen=True, kw_only=True)
class Count(Measure):
    """How many arrived: rows per period and group; with `spells`, how many were there at the end of the period.

    A spell is the column at which a row comes and the one at which it goes, such as opened and first solved, reopened
    and solved at last; the first of `until` ends any spell. A row that goes before it comes is still there.
    """

    spells: tuple[tuple[str, str], ...] = ()
    until: tuple[str, ...] = ()

    kind = "count"

    @property
    def headline(self) -> str:  # type: ignore[override]
        """Name of its statistic: arrivals or a stock."""
        return "stock" if self.spells else "count"

    def _reads(self) -> frozenset[str]:
        return frozenset(self.spells[0]) if self.spells else frozenset()

    def _words(self) -> dict[str, object]:
        start, stop = self.spells[0] if self.spells else ("", "")
        return {**super()._words(), "stock": _said(self.spells), "start": start, "stop": stop}


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
