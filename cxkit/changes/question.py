"""One question about one change, asked in every way that the data allow; what they do not allow is said, not raised.

::

    asked = question(study, "return_rate", change="chat_closing", margin="0.02")
    asked.audit(), asked.answer(), asked.scorecard(), asked.trend(), asked.beside(), asked.plan()

Without a change and without groups it takes the latest change of the study's own table that has data on both sides;
without a KPI the first usual one that the data carry. Every part is a `Result`, so that a notebook on any study runs to
its end and tells what is missing.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from cxkit.changes.answers import Looks, looked_on, ruled_out, unanswered, ways
from cxkit.changes.asking import change_of
from cxkit.changes.audit import audit
from cxkit.changes.compare import compare
from cxkit.changes.decompose import decompose
from cxkit.changes.did import did
from cxkit.changes.lines import ground, measure_of
from cxkit.changes.listed import FORMATS, carried, first_carried, latest, listed, others
from cxkit.changes.looks import earlier_looks, next_look, question_key
from cxkit.changes.many import Findings, scorecard
from cxkit.changes.own import own_measure, own_table
from cxkit.changes.parts import Look
from cxkit.changes.planning import plan
from cxkit.changes.segments import segments
from cxkit.changes.sides import moment_at, sides
from cxkit.changes.trend import trend_change
from cxkit.changes.words import Column, local_date
from cxkit.errors import CxkitError, ParameterError
from cxkit.lang import Amount, Sentence, Word
from cxkit.measures import Measure
from cxkit.measures.expressions import column_names
from cxkit.result import Format, Result

SEGMENTS = ("channel", "language", "priority", "topic", "team", "queue")
MIXES = ("topic", "channel", "priority", "language", "team", "queue")


@dataclass(frozen=True)
class Wishes:
    """What the front desk says besides the two sides; `narrowed` is the condition without that of the change."""

    cluster: str | list[str] | None = None
    horizon: str | None = None
    margin: float | str | None = None
    guardrails: tuple[str, ...] = ()
    margins: Mapping[str, float | str] = field(default_factory=dict)
    within: str = ""
    mix: str = ""
    narrowed: str = ""
    control: str = ""
    unit: str = ""
    units: tuple[str, ...] = ()
    looks: int = 1
    look: int = 0
    reports: str = ""
    table: str = ""

    @property
    def planned(self) -> int:
        """The number of planned looks; 0 where none were planned."""
        return self.looks if self.looks > 1 else 0

    def told(self, *names: str) -> dict[str, Any]:
        """Those of the wishes that were said."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass(frozen=True, eq=False)
class Question(Result):
    """One row a change of the study's own table: name, since when, for whom, its state, whether it is asked about.

    `cut` is how the two sides are told apart, as `compare` takes it; `why_not` the refusal where nothing can be asked.
    """

    data: Any = None  # as `compare` takes it
    measure: Measure | None = None
    cut: Mapping[str, Any] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    as_of: pd.Timestamp | None = None  # of the study, also where a table of one's own is asked
    name: str = ""
    chosen: bool = False  # whether the change was taken because none was named
    why_not: CxkitError | None = None
    rows: float = 0.0  # cases on both sides
    kept: dict[str, Result] = field(default_factory=dict)

    max_rows: ClassVar[int] = 20

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The changes of the study, if it lists any."""
        return FORMATS if len(self.table) else {}

    def sentences(self) -> tuple[Sentence, ...]:
        """What is asked, of whom, and what was chosen because nothing was said."""
        refused = unanswered(self.why_not).sentences() if self.why_not is not None else ()
        if self.measure is None or not (self.cut.get("by") or self.cut.get("at") is not None):
            return refused
        said = [self._asked()]
        if self.cut.get("where"):
            said.append(Sentence("changes.asked.where", {"condition": Amount(self.cut["where"], "text")}))
        said += [Sentence("changes.asked.latest")] if self.chosen else []
        return (*said, *refused)

    def _asked(self) -> Sentence:
        kpi: Word = self.measure.spoken  # type: ignore[union-attr]
        if self.cut.get("by"):
            return Sentence("changes.asked.groups", {"kpi": kpi, "column": Column(self.cut["by"])})
        facts = {"kpi": kpi, "at": Amount(self._day, "date"), "name": Amount(self.name, "text")}  # type: ignore[arg-type]
        return Sentence("changes.asked.change" if self.name else "changes.asked.day", facts)

    @property
    def _day(self) -> pd.Timestamp:
        zone = self._place.time_zone
        return local_date(moment_at(self.cut["at"], zone), zone)

    @property
    def _place(self) -> Any:
        return ground(self.data, self.measure)

    def to_dict(self) -> dict[str, Any]:
        """What is asked in machine values."""
        return {**super().to_dict(), "kpi": self.measure.id if self.measure is not None else None}

    # --- the ways of asking ---

    def audit(self) -> Result:
        """Whether the two sides are fit to be compared."""
        told = {**self.cut, "cluster": self.wishes.cluster}
        return self._once("audit", lambda: audit(self.data, self._kpi, look=self.look, **told))

    def answer(self) -> Result:
        """The finding on the KPI that decides."""
        return self._once("answer", lambda: compare(self.data, self._kpi, **self._told))

    def scorecard(self) -> Result:
        """The other KPIs as guardrails, read together."""
        return self._once("scorecard", self._scorecard)

    def ruled_out(self) -> Result:
        """Which KPIs are the same, and which are merely not shown to have changed."""
        card = self.scorecard()
        return ruled_out(card) if isinstance(card, Findings) else card

    def trend(self) -> Result:
        """The KPI as a series, with the trend and the calendar it had anyway."""
        return self._once("trend", lambda: self._series())

    def beside(self) -> Result:
        """Those whom the change reached beside the others."""
        return self._once("beside", self._beside)

    def segments(self) -> Result:
        """Whether the effect differs by the column `within`."""
        return self._once("segments", lambda: self._by("within", SEGMENTS, self._segments))

    def decompose(self) -> Result:
        """What the mix did and what happened within the groups."""
        return self._once("decompose", lambda: self._by("mix", MIXES, self._decompose))

    def plan(self, find: str = "") -> Result:
        """What a next test can find, or what it takes to find `find`."""
        return self._once(f"plan {find}", lambda: self._plan(find), alone=True)

    def looks(self) -> Result:
        """Which look at running data this is, and what a scheduled report keeps of it."""
        return self._once("looks", self._looks)

    def ways(self) -> Result:
        """The answer beside what the other ways of asking say."""
        found = {"sides": self.answer(), "series": self.trend(), "beside": self.beside()}
        return self._once("ways", lambda: ways(found, self.scorecard()))

    # --- how each is asked ---

    def _once(self, name: str, ask: Callable[[], Result], alone: bool = False) -> Result:
        """The answer to a way of asking, each asked once; `alone` without two sides."""
        if name not in self.kept:
            self.kept[name] = self._tried(ask, alone)
        return self.kept[name]

    def _tried(self, ask: Callable[[], Result], alone: bool) -> Result:
        if self.measure is None or (self.why_not is not None and not alone):
            return unanswered(Sentence("changes.asked.nothing"))
        try:
            return ask()
        except CxkitError as wrong:
            return unanswered(wrong)

    @property
    def _kpi(self) -> Measure:
        assert self.measure is not None  # noqa: S101 - `_tried` asks nothing without one
        return self.measure

    @property
    def _told(self) -> dict[str, Any]:
        """What `compare` is told besides the KPI."""
        return {**self.cut, **self.wishes.told("cluster", "horizon", "margin"), "look": self.look}

    @functools.cached_property
    def look(self) -> Look | None:
        """The number of this look, counted from earlier reports; None where the data are looked at once."""
        wishes, planned = self.wishes, self.wishes.planned
        if wishes.look:
            return Look(wishes.look, planned)
        if not wishes.reports or self.as_of is None:
            return Look(1, planned) if wishes.looks != 1 else None
        found = next_look(wishes.reports, self._key, as_of=self.as_of, rows=self.rows, planned=planned)
        return None if wishes.looks == 1 and found.number == 1 else found

    @property
    def _key(self) -> str:
        day = self._day.date().isoformat() if self.cut.get("at") is not None else None
        return question_key(self._kpi, **{**self.cut, "at": day, "table": self.wishes.table})

    def _looks(self) -> Result:
        wishes, look = self.wishes, self.look
        stamp = pd.Timestamp(self.as_of or self._place.as_of).isoformat()
        now = {"as_of": stamp, "rows": self.rows}
        earlier = earlier_looks(wishes.reports, self._key, pd.Timestamp(stamp)) if wishes.reports else []
        rows, zone = [*earlier, now], self._place.time_zone
        table = pd.DataFrame(
            {
                "look_number": range(1, len(rows) + 1),
                "looked_on": [looked_on(str(row["as_of"]), zone) for row in rows],
                "cases": [float(row["rows"]) for row in rows],
            }
        )
        counted = bool(wishes.reports or wishes.look)
        notes = () if counted or look is None else (Sentence("changes.note.looks_uncounted"),)
        number = 1 if look is None else look.number
        taken = {"key": self._key, "kpi": self._kpi.id, "number": number, **now} if wishes.reports else {}
        return Looks(table, notes, look, taken, wishes.looks)

    def _scorecard(self) -> Result:
        guards = [kpi for kpi in self.wishes.guardrails if kpi != self._kpi.id]
        if not guards:
            return unanswered(Sentence("changes.asked.alone", {"kpi": self._kpi.spoken}))
        told = {name: x for name, x in self._told.items() if name not in ("margin", "horizon")}
        own = {} if self.wishes.margin is None else {self._kpi.id: self.wishes.margin}
        margins = {**self.wishes.margins, **own}
        return scorecard(self.data, [self._kpi, *guards], primary=self._kpi.id, margins=margins, **told)

    def _series(self, control: str = "") -> Result:
        if self.cut.get("at") is None:
            return unanswered(Sentence("changes.asked.no_day"))
        told = {name: self.cut[name] for name in ("at", "where", "dated", "window_days")}
        own = self.wishes.told("horizon", "margin")
        return trend_change(self.data, self._kpi, control=control, look=self.look, **told, **own)

    def _beside(self) -> Result:
        wishes = self.wishes
        if wishes.units:
            own = wishes.told("horizon", "margin")
            told = {"at": self.cut.get("at"), "where": wishes.narrowed, "dated": self.cut["dated"]}
            return did(self.data, self._kpi, unit=wishes.unit, treated=list(wishes.units), **told, **own)
        control = wishes.control
        return self._series(control) if control else unanswered(Sentence("changes.asked.no_control"))

    def _by(self, named: str, usual: Sequence[str], ask: Callable[[str], Result]) -> Result:
        """The column that was named, else the first usual one by which the cases differ."""
        if given := getattr(self.wishes, named):
            return ask(given)
        known = self._place.columns(self._kpi.of)
        taken = column_names(self.cut["where"]) | {self.cut["by"]}
        for column in usual:
            if column in known and column not in taken:
                found = self._tried(lambda column=column: ask(column), alone=False)  # type: ignore[misc]
                if found.table.shape[0] > 1 or not found.sentences()[0].key.startswith("error.segments_values"):
                    return found
        return unanswered(Sentence(f"changes.asked.no_{named}"))

    def _segments(self, column: str) -> Result:
        return segments(self.data, self._kpi, column, **self._told)

    def _decompose(self, column: str) -> Result:
        return decompose(self.data, self._kpi, column, **self.cut, **self.wishes.told("horizon"))

    def _plan(self, find: str) -> Result:
        told = self.wishes.told("cluster", "horizon")
        looks = max(self.wishes.planned, 1)
        where, dated = str(self.cut.get("where", "")), str(self.cut.get("dated", ""))
        change = number_of(find)
        return plan(self.data, self._kpi, change=change, looks=looks, where=where, dated=dated, **told)


def question(
    data: Any,
    kpi: str = "",
    *,
    change: str = "",
    change_on: str = "",
    group: str = "",
    baseline: str = "",
    treated: str = "",
    where: str = "",
    dated: str = "",
    without: str | Sequence[str] = "declared",
    window_days: float = 0,
    cluster: str = "",
    horizon: str = "",
    margin: str = "",
    guardrails: str | Sequence[str] = (),
    guard_margins: str | Sequence[str] = (),
    within: str = "",
    mix: str = "",
    unit: str = "",
    units: str | Sequence[str] = (),
    control: str = "",
    looks: int = 1,
    look: int = 0,
    reports: str = "",
    table: str = "",
    outcome: str = "",
    kind: str = "share",
    better: str = "higher",
) -> Question:
    """The question as a notebook's front desk puts it: texts, an empty one for "not set", several names with commas.

    change, change_on, group: a change of the study's table, a day, or a column with two groups (baseline, treated).
    cluster: columns joined by "+", "none" for none. guard_margins: "csat=0.05". units: of the column `unit`, those that
    got the change; control: a condition for cases that did not. looks: 1 for data that are looked at once, more for
    planned looks, 0 for looks at will; reports: the folder in which earlier looks are found. table, outcome, kind,
    better: a file of one's own instead of the study's tables.
    """
    cut: dict[str, Any] = {"by": group, "baseline": baseline, "treated": treated, "where": where, "dated": dated}
    cut |= {"at": None, "window_days": window_days, "without": ()}
    wishes = Wishes(
        within=within,
        mix=mix,
        narrowed=where,
        control=control,
        unit=unit,
        units=_several(units),
        looks=looks,
        look=look,
        reports=reports,
        table=table,
    )
    put = Question(listed(data), (), data, None, cut, wishes, data.as_of)
    try:
        put = _with(
            put,
            wishes=dataclasses.replace(
                wishes,
                cluster=_cluster(cluster),
                horizon=horizon or None,
                margin=number_of(margin),
                margins=dict(map(_named, _several(guard_margins))),
            ),
        )
        if table:
            rows = own_table(table, data.path, dated)
            own = own_measure(rows, outcome, kind, better, dated)
            put = _with(put, data=rows, measure=own, table=put.table.iloc[:0])
        else:
            put = _with(put, measure=measure_of(data, kpi or first_carried(data)))
        put = _divided(put, change, change_on, without)
        _refuse_planned(put)
        found = sides(put.data, put._kpi, **put.cut)
        guards = _several(guardrails) or (() if table else carried(data, put.cut))
        known = dataclasses.replace(put.wishes, guardrails=guards)
        return _with(put, wishes=known, rows=float(sum(side.known for side in found.pair)))
    except CxkitError as wrong:
        return _with(put, why_not=wrong)


def _with(put: Question, **parts: Any) -> Question:
    return dataclasses.replace(put, kept={}, **parts)


def _refuse_planned(put: Question) -> None:
    """A change that is still to come has no "after"."""
    planned = put.table[put.table["asked"] & (put.table["state"] == "planned")]
    if len(planned):
        raise ParameterError("asked_planned", name=str(planned["change_name"].iloc[0]))


def _divided(put: Question, change: str, change_on: str, without: str | Sequence[str]) -> Question:
    """The question with what divides its two sides."""
    cut, wishes, table, own = dict(put.cut), put.wishes, put.table, isinstance(put.data, pd.DataFrame)
    name, chosen = "", False
    if change_on:
        moment_at(change_on, put._place.time_zone)  # refuses what is no day
        cut["at"] = change_on
    elif not cut["by"] and not own:
        chosen = not change
        change = change or latest(table)
        cut["at"], cut["where"] = change_of(put.data, change, cut["where"])
        row = table[table["change_id"] == change].iloc[0]
        name = str(row["change_name"])
        wishes = dataclasses.replace(wishes, control=wishes.control or others(row, wishes.narrowed))
        table = table.assign(asked=table["change_id"] == change)
    elif not cut["by"]:
        raise ParameterError("asked_nothing")
    if cut["at"] is not None:
        cut["by"] = ""
        cut["without"] = (without,) if isinstance(without, str) and without else tuple(without)
    notes = [Sentence("changes.note.primary_first")] if not own else []
    return _with(put, table=table, cut=cut, wishes=wishes, name=name, chosen=chosen, notes=tuple(notes))


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    """Names as a list, or in one text with commas."""
    parts = re.split("[,،]", given) if isinstance(given, str) else given
    return tuple(part.strip() for part in parts if part.strip())


def _cluster(given: str) -> str | list[str] | None:
    if not given:
        return None
    return "" if given == "none" else [part.strip() for part in given.split("+")]


def number_of(text: str) -> float | str | None:
    """A number as one, a length of time as its text, an empty text as nothing."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _named(text: str) -> tuple[str, float | str]:
    kpi, _, margin = text.partition("=")
    return kpi.strip(), number_of(margin.strip()) or ""
