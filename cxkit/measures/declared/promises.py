"""Were the promises kept: first reply and resolution, each within the time that its priority was promised.

Kept over kept, broken, and still open but past due (K17). A ticket that is open and not yet due is left out. One that
was solved without a public reply before the reply was due is left out, too: nobody was kept waiting, nobody answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cxkit.lang import Coded, Lasting, Sentence, Word, say
from cxkit.measures.declared.given import Given, Rivals, as_length
from cxkit.measures.kinds import SOURCES, Share

_ORDER = ("urgent", "high", "normal", "low")


@dataclass(frozen=True)
class Promised(Word):
    """Promised times inside a sentence: of each priority that has its own, then of all the others."""

    times: tuple[tuple[str, float], ...]  # priority, or "default"; seconds

    @property
    def code(self) -> dict[str, float]:  # type: ignore[override]
        """The times by priority, for JSON."""
        return dict(self.times)

    def text(self, lang: str | None = None) -> str:
        """The times as a list, or the one time that holds for all."""
        if not self.times:
            return say("kpi.promise.none", lang)
        if [name for name, _ in self.times] == ["default"]:
            return Lasting(self.times[0][1]).text(lang)
        parts = (
            Sentence(
                "kpi.promise.others" if name == "default" else "kpi.promise.one",
                {"priority": Coded("priority", name), "time": Lasting(seconds)},
            ).text(lang)
            for name, seconds in self.times
        )
        return f"{say('common.comma', lang)} ".join(parts)


def promised_to_all(given: Given, promise: str, clock: str) -> float | None:
    """The one time that a promise gives to every priority on `clock`; None where there is no such time."""
    declared = given.setting("promises", promise, {})
    alone = declared.get("clock") == clock and not any(name in declared for name in _ORDER)
    return declared.get("default") if alone else None


def promises(given: Given) -> tuple[Rivals, ...]:
    """SLA attainment of the first reply, and of the resolution: in the first cycle, or in every cycle."""
    return (_reply(given),), _resolution(given)


def _reply(given: Given) -> Share:
    promise = _Promise.of(given, "first_reply")
    name = "priority_at_opened"
    term = promise.term(name)
    overdue = f"{promise.elapsed('opened_at', 'as_of')} > {term}"
    if given.offers("tickets", "first_solved_at"):
        solved = promise.elapsed("opened_at", "first_solved_at")
        overdue = f"{overdue} and (first_solved_at is None or {solved} > {term})"
    return Share(
        "reply_sla",
        where=f"first_replied_at is not None and {promise.elapsed('opened_at', 'first_replied_at')} <= {term}",
        among=promise.covered(name, f"first_replied_at >= opened_at or (first_replied_at is None and {overdue})"),
        exclude=(*SOURCES["tickets"].exclude, "self_service"),
        better="higher",
        family="reply",
        caveats=promise.caveats,
        facts=promise.facts,
    )


def _resolution(given: Given) -> Rivals:
    """The clock of a reopened ticket runs from the reopening; only the last solution is known of later cycles."""
    promise = _Promise.of(given, "resolution")
    opened, reopened = promise.term("priority_at_opened"), promise.term("priority_at_reopened")
    kept = f"first_solved_at is not None and {promise.elapsed('opened_at', 'first_solved_at', paused=True)} <= {opened}"
    overdue = f"{promise.elapsed('opened_at', 'as_of', paused=True)} > {opened}"
    due = f"first_solved_at >= opened_at or (first_solved_at is None and {overdue})"
    again = f"{promise.elapsed('reopened_at', 'solved_at')} <= {reopened}"
    back = "solved_at is not None and solved_at >= reopened_at"
    late = f"{promise.elapsed('reopened_at', 'as_of')} > {reopened}"
    shared: dict[str, Any] = {"better": "higher", "family": "resolution", "facts": promise.facts}
    return (
        Share(
            "resolution_sla",
            where=kept,
            among=promise.covered("priority_at_opened", due),
            variant="first_cycle",
            caveats=(*promise.caveats, "later_cycles"),
            **shared,
        ),
        Share(
            "resolution_sla",
            where=f"{kept} and (reopened_at is None or ({back} and {again}))",
            among=promise.covered("priority_at_opened", f"({due}) and (reopened_at is None or ({back}) or {late})"),
            variant="every_cycle",
            caveats=(*promise.caveats, "first_reopening"),
            **shared,
        ),
    )


@dataclass(frozen=True)
class _Promise:
    """Times by priority on one clock, as conditions and as words."""

    times: Mapping[str, float]
    clock: str
    pauses: tuple[str, ...]
    dated: bool  # whether the data tell which priority counted when
    undeclared: str  # what conditions read where study.toml promises nothing; no data have it

    @classmethod
    def of(cls, given: Given, name: str) -> _Promise:
        declared = given.setting("promises", name, {})
        order = (*_ORDER, "default")
        return cls(
            times={each: declared[each] for each in order if each in declared},
            clock=declared.get("clock", "wall"),
            pauses=tuple(declared.get("pauses", ())),
            dated=given.offers("priority_changes", "priority"),
            undeclared={"first_reply": "promised_reply_seconds", "resolution": "promised_resolution_seconds"}[name],
        )

    @property
    def by_priority(self) -> bool:
        return bool(set(self.times) - {"default"})

    @property
    def caveats(self) -> tuple[str, ...]:
        """What to doubt: today's priority may be another than the one that counted, and pauses are told in one sum."""
        undated = ("priority_now",) if self.by_priority and not self.dated else ()
        return ("youngest_kept", *undated, *(("pauses_in_one",) if self.pauses else ()))

    @property
    def facts(self) -> tuple[tuple[str, object], ...]:
        """The promise in words."""
        paused = "true" if self.pauses else "false"
        return (("promised", Promised(tuple(self.times.items()))), ("clock", self.clock), ("paused", paused))

    def term(self, column: str) -> str:
        """The promised time of a row as an expression; `column` tells its priority at the time of the event."""
        if not self.times:
            return self.undeclared
        priority = column if self.dated else "priority"
        *others, (_, last) = self.times.items()
        chosen = "".join(f"{as_length(seconds)} if {priority} == '{name}' else " for name, seconds in others)
        return f"({chosen}{as_length(last)})"

    def covered(self, column: str, decided: str) -> str:
        """`decided`, for tickets of a priority that was promised anything."""
        if "default" in self.times or not self.times:
            return decided
        return f"{column if self.dated else 'priority'} in {list(self.times)} and ({decided})"

    def elapsed(self, start: str, stop: str, paused: bool = False) -> str:
        """The time from `start` to `stop` on the promise's clock, pauses taken off where `paused`."""
        if self.clock == "business":
            return f"working({start}, {stop})"
        seconds = "".join(f" - minutes(filled({column}, 0) / 60)" for column in self.pauses if paused)
        return f"{stop} - {start}{seconds}"
