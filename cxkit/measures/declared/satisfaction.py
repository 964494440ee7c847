"""What customers said, dated by the day of the answer; and how many were never asked, or never answered."""

from __future__ import annotations

import dataclasses
from typing import Any

from cxkit.errors import MeasureError
from cxkit.measures.declared.given import Given, Rivals, default_first
from cxkit.measures.kinds import Net, Score, Share
from cxkit.measures.needs import missing

_CES = {  # version -> scale, answers that mean "easy"
    "1.0": ((1, 5), (1, 2)),
    "2.0": ((1, 7), (5, 6, 7)),
}
_ASKED_DAYS, _ANSWERED_DAYS = 7, 14


def satisfaction(given: Given) -> tuple[Rivals, ...]:
    """CSAT, NPS, CES, and the way from a solved ticket to an answer: asked, seen, answered."""
    nps = Net("nps", of="survey_answers", item="nps", at="answered_at", better="higher", **_SPOKEN)
    return csat(given), (nps,), (effort(given),), *_funnel()


_SPOKEN: dict[str, Any] = {"family": "satisfaction", "caveats": ("respondents",)}


def csat(given: Given) -> Rivals:
    """The share of favourable answers; or, of a help desk without a survey, of good ratings."""
    scored = scored_item(given, "csat", (1, 5), (4, 5))
    rated = Share(
        "csat",
        where="satisfaction == 'good'",
        among="satisfaction in ('good', 'bad')",
        better="higher",
        variant="good_bad",
        family="satisfaction",
        caveats=("respondents", "rating_undated"),
    )
    unasked = given.study is not None and bool(missing(scored, given.study))
    only_rated = unasked and given.offers("tickets", "satisfaction")
    both = (dataclasses.replace(scored, variant="top_box", caveats=("respondents", "ordinal_mean")), rated)
    return default_first(both, "good_bad" if only_rated else "top_box")


def effort(given: Given) -> Score:
    """Version 1.0 asks how much effort it was (low is good), version 2.0 whether it was easy (high is good)."""
    version = str(given.study.config.get("ces_version", "2.0")) if given.study is not None else "2.0"
    if version not in _CES:
        raise MeasureError("measure_ces_version", found=version, known=", ".join(_CES))
    scale, easy = _CES[version]
    found = scored_item(given, "ces", scale, easy)
    return dataclasses.replace(found, variant="v1" if version == "1.0" else "", caveats=("respondents", "ordinal_mean"))


def scored_item(given: Given, item: str, scale: tuple[float, float], top: tuple[float, ...]) -> Score:
    """A survey item on the scale that study.toml declares for it, or on its usual one."""
    declared = given.setting("scales", item, {})
    if declared:
        lacking = {"low", "high", "top"} - declared.keys()
        if lacking:
            raise MeasureError("measure_scale_keys", kpi=item, needs=", ".join(sorted(lacking)))
        scale, top = (declared["low"], declared["high"]), tuple(declared["top"])
    return Score(
        item, of="survey_answers", item=item, scale=scale, top=top, at="answered_at", better="higher", **_SPOKEN
    )


def _funnel() -> tuple[Rivals, ...]:
    """Survey coverage and response; each row gets time, so that young ones do not pass for silent."""
    asked = Share(
        "survey_coverage",
        where=f"surveyed_at is not None and surveyed_at <= first_solved_at + days({_ASKED_DAYS})",
        among="first_solved_at is not None",
        at="first_solved_at",
        follow_up_days=_ASKED_DAYS,
        better="higher",
        family="satisfaction",
    )
    seen, answered = (
        Share(
            name,
            of="surveys",
            where=f"{column} is not None and {column} <= sent_at + days({_ANSWERED_DAYS})",
            follow_up_days=_ANSWERED_DAYS,
            better="higher",
            family="satisfaction",
            caveats=caveats,
        )
        for name, column, caveats in (
            ("survey_viewed", "viewed_at", ("views_blocked",)),
            ("survey_response", "answered_at", ("silent_differ",)),
        )
    )
    return (asked,), (seen,), (answered,)
