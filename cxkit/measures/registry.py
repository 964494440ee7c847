"""The KPIs of the method, declared once; a study sets scales and promises, and its columns decide between variants."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxkit.errors import MeasureError, ParameterError, StudyError, nearest
from cxkit.measures.kinds import SOURCES, Count, Duration, Measure, Net, Ratio, Score, Share

if TYPE_CHECKING:
    from cxkit.study import Study

_SOLVED = "first_solved_at is not None"
_FCR_DAYS, _RETURN_DAYS, _ESCALATION_DAYS = 7, 30, 14
_CES = {  # version -> scale, answers that mean "easy"
    "1.0": ((1, 5), (1, 2)),
    "2.0": ((1, 7), (5, 6, 7)),
}


# Nobody served a caller who left, and no agent makes the queue: calls have no clusters here.
_OFFERED, _ANSWERED = "outcome in ('answered', 'abandoned')", "outcome == 'answered'"
_CALLS: tuple[Measure, ...] = (
    Share(
        "abandonment",
        of="calls",
        where="outcome == 'abandoned'",
        among=_OFFERED,
        better="lower",
        cluster="",
        stratum="",
    ),
    Ratio("asa", of="calls", top="wait_seconds", among=_ANSWERED, better="lower", cluster="", stratum=""),
)


def registry(study: Study | None = None) -> dict[str, Measure]:
    """Measures by id: csat nps ces first_reply_time resolution_time fcr return_rate escalation volume abandonment asa.

    With a study: its scales (`[scales.csat]` with low, high, top), `ces_version` ("1.0" or "2.0"), its promised times
    (the threshold of "within"), and the variant of a definition that its columns can carry.
    """
    measures = (*_answers(study), *_times(study), *_outcomes(study), Count("volume"), *_CALLS)
    found = Measures((measure.id, measure) for measure in measures)
    _check_targets(study, found)
    return found


class Measures(dict[str, Measure]):
    """Measures by id; an id that is none is refused with the nearest one."""

    def __missing__(self, kpi: str) -> Measure:
        raise ParameterError("kpi_unknown", kpi=str(kpi)[:40], near=nearest(kpi, self) or "none", known=", ".join(self))


def _check_targets(study: Study | None, measures: Mapping[str, Measure]) -> None:
    """StudyError for a target of no KPI, and for one that its KPI cannot reach: 80 where 0.80 is meant."""
    for kpi, target in (study.targets if study is not None else {}).items():
        if kpi not in measures:
            near, known = nearest(kpi, measures) or "none", ", ".join(measures)
            raise StudyError("target_unknown", kpi=kpi[:40], near=near, known=known)
        headline = measures[kpi].headline
        low, high = {"share": (0, 1), "top_share": (0, 1), "net": (-1, 1)}.get(headline, (-math.inf, math.inf))
        if not low <= target <= high:
            raise StudyError("target_range", kpi=kpi, given=f"{target:g}", low=str(low), high=str(high))


def _answers(study: Study | None) -> tuple[Measure, ...]:
    """What customers said; the answers are dated by the day they were given."""
    nps = Net("nps", of="survey_answers", item="nps", at="answered_at", better="higher")
    return _satisfaction(study), nps, _effort(study)


def _satisfaction(study: Study | None) -> Measure:
    if study is not None and not study.has("survey_answers") and study.has("tickets", "satisfaction"):
        rated = "satisfaction in ('good', 'bad')"
        return Share("csat", where="satisfaction == 'good'", among=rated, better="higher", variant="good_bad")
    return _scored(study, "csat", (1, 5), (4, 5))


def _effort(study: Study | None) -> Score:
    """Version 1.0 asks how much effort it was (low is good), version 2.0 whether it was easy (high is good)."""
    version = str(study.config.get("ces_version", "2.0")) if study is not None else "2.0"
    if version not in _CES:
        raise MeasureError("measure_ces_version", found=version, known=", ".join(_CES))
    scale, easy = _CES[version]
    return dataclasses.replace(_scored(study, "ces", scale, easy), variant="v1" if version == "1.0" else "")


def _scored(study: Study | None, item: str, scale: tuple[float, float], top: tuple[float, ...]) -> Score:
    declared: dict[str, Any] = study.config.get("scales", {}).get(item, {}) if study is not None else {}
    if declared:
        lacking = {"low", "high", "top"} - declared.keys()
        if lacking:
            raise MeasureError("measure_scale_keys", kpi=item, needs=", ".join(sorted(lacking)))
        scale, top = (declared["low"], declared["high"]), tuple(declared["top"])
    return Score(item, of="survey_answers", item=item, scale=scale, top=top, at="answered_at", better="higher")


def _times(study: Study | None) -> tuple[Measure, ...]:
    """How long customers wait.

    A ticket solved before any human reply is neither answered nor waiting any longer: it is watched until it was
    solved. A ticket closed without being solved is watched until it was closed.
    """
    reply = Duration(
        "first_reply_time",
        start="opened_at",
        stop="first_replied_at",
        until=("first_solved_at", "closed_at"),
        exclude=(*SOURCES["tickets"].exclude, "self_service"),
        better="lower",
        target_seconds=_promised(study, "first_reply_time"),
    )
    resolution = Duration(
        "resolution_time",
        start="opened_at",
        stop="first_solved_at",
        until=("closed_at",),
        better="lower",
        target_seconds=_promised(study, "resolution_time"),
    )
    return reply, resolution


def _promised(study: Study | None, kpi: str) -> float | None:
    return study.targets.get(kpi) if study is not None else None


def _outcomes(study: Study | None) -> tuple[Measure, ...]:
    """How tickets end. FCR and return rate are no complements: they watch for 7 and for 30 days.

    Without the moment of the reopening, its recorded number stands in for both ("any reopening up to `as_of`").
    """
    counted = study is not None and not study.has("tickets", "reopened_at") and study.has("tickets", "reopens")
    once = f"reopened_at is None or reopened_at > first_solved_at + days({_FCR_DAYS})"
    again = f"reopened_at <= first_solved_at + days({_RETURN_DAYS}) and reopened_at is not None"
    fcr = Share(
        "fcr",
        where="reopens == 0" if counted else once,
        among=_SOLVED,
        at="first_solved_at",
        follow_up_days=_FCR_DAYS,
        better="higher",
        variant="counted" if counted else "",
    )
    returned = Share(
        "return_rate",
        where="reopens > 0" if counted else again,
        among=_SOLVED,
        at="first_solved_at",
        follow_up_days=_RETURN_DAYS,
        better="lower",
        variant="counted" if counted else "",
    )
    return fcr, returned, _escalation(study)


def _escalation(study: Study | None) -> Share:
    """Tickets get two weeks in which they may move up, so that young ones do not pass for settled.

    Agents are no clusters here: who has the ticket in the end is an outcome of the escalation, not a cause of it.
    """
    moved = study is not None and not study.has("tickets", "escalated") and study.has("tickets", "group_stations")
    return Share(
        "escalation",
        where="group_stations > 1" if moved else "escalated",
        follow_up_days=_ESCALATION_DAYS,
        better="lower",
        cluster="",
        variant="stations" if moved else "",
    )
