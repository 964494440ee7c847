"""KPIs that an analyst declares in study.toml, one line each: `kpis.refunded = { kind = "share", where = "..." }`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cxkit.errors import StudyError, nearest
from cxkit.lang import LANGS, learn
from cxkit.measures.declared.given import Given
from cxkit.measures.kinds import Count, Duration, Measure, Net, Ratio, Score, Share
from cxkit.study.settings import lasting

if TYPE_CHECKING:
    from cxkit.study import Study

Read = Callable[[str, Any], Any]  # setting, value -> the value as a kind takes it


def own_measures(study: Study | None) -> tuple[Measure, ...]:
    """The KPIs of `[kpis]`, each with its name in the languages that it has one in.

    StudyError names a key or kind that is none, with the nearest one, and what is missing.
    """
    declared: Mapping[str, Mapping[str, Any]] = study.config.get("kpis", {}) if study is not None else {}
    return tuple(_measure(study, kpi, facts) for kpi, facts in declared.items() if study is not None)


def _measure(study: Study, kpi: str, facts: Mapping[str, Any]) -> Measure:
    setting = f"kpis.{kpi[:40]}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", kpi):
        raise StudyError("own_kpi_id", setting=setting)
    make, known = _checked(setting, facts)
    for key, place in _SPOKEN.items():
        if key in facts:
            learn(place.format(kpi=kpi), _words(f"{setting}.{key}", facts[key]))
    read = {key: known[key](f"{setting}.{key}", value) for key, value in facts.items() if key in known}
    aim = Given(study).aim(kpi) if make is Duration else {}
    return make(kpi, family="own", **read, **aim)


def _checked(setting: str, facts: Mapping[str, Any]) -> tuple[Callable[..., Measure], Mapping[str, Read]]:
    """The declaration of the kind and what it takes, where nothing else is given and nothing it needs is missing."""
    if "kind" not in facts:
        raise StudyError("study_setting_missing", setting=f"{setting}.kind")
    kind = str(facts["kind"])
    if kind not in _KINDS:
        near = nearest(kind, _KINDS) or "none"
        raise StudyError("own_kpi_kind", setting=setting, given=kind[:40], near=near, known=", ".join(_KINDS))
    make, takes, needs = _KINDS[kind]
    known = {**_ANY, **takes}
    for key in facts:
        if key not in {*known, *_SPOKEN, "kind"}:
            near, names = nearest(key, known) or "none", ", ".join((*known, *_SPOKEN))
            raise StudyError("own_kpi_key", setting=setting, given=key[:40], near=near, kind=kind, known=names)
    for key in needs:
        if key not in facts:
            raise StudyError("own_kpi_needs", setting=setting, kind=kind, needs=key)
    return make, known


def _words(setting: str, value: Any) -> dict[str, str]:
    """Words in each language; a language that has none takes the first one's."""
    said = dict.fromkeys(LANGS, value) if isinstance(value, str) else value
    if (
        not isinstance(said, Mapping)
        or not said
        or not all(isinstance(text, str) and text.strip() for text in said.values())
    ):
        raise StudyError("study_setting_type", setting=setting, wanted="text")
    for lang in said:
        if lang not in LANGS:
            raise StudyError(
                "study_setting_unknown",
                setting=f"{setting}.{lang}",
                near=nearest(lang, LANGS) or "none",
                known=", ".join(LANGS),
            )
    first = next(iter(said.values()))
    return {lang: str(said.get(lang, first)) for lang in LANGS}


def _text(setting: str, value: Any) -> str:
    if not isinstance(value, str):
        raise StudyError("study_setting_type", setting=setting, wanted="text")
    return value


def _number(setting: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StudyError("study_setting_type", setting=setting, wanted="number")
    return value


def _several(read: Read) -> Read:
    def read_all(setting: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise StudyError("study_setting_type", setting=setting, wanted="list")
        return tuple(read(setting, entry) for entry in value)

    return read_all


def _pair(read: Read) -> Read:
    def read_two(setting: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != 2:
            raise StudyError("own_kpi_pair", setting=setting)
        return tuple(read(setting, entry) for entry in value)

    return read_two


_SPOKEN = {  # key -> the catalogue's key that its words are learnt under
    "name": "value.kpi.{kpi}",
    "question": "kpi.{kpi}.question",
    "definition": "kpi.{kpi}.definition",
}
_TEXTS, _NUMBERS = _several(_text), _several(_number)
_ANY: dict[str, Read] = {
    **dict.fromkeys(("of", "among", "at", "better", "cluster", "stratum"), _text),
    "exclude": _TEXTS,
}
_ANSWER: dict[str, Read] = {"value": _text, "item": _text, "scale": _pair(_number)}
_DURATION: dict[str, Read] = {
    **dict.fromkeys(("start", "stop", "seconds", "done", "clock"), _text),
    "until": _TEXTS,
    "pauses": _TEXTS,
    "horizon_seconds": lasting,
    "precision": _number,
}
# kind -> the declaration, what it takes beside what all take, what it cannot do without
_KINDS: Mapping[str, tuple[Callable[..., Measure], Mapping[str, Read], tuple[str, ...]]] = {
    "share": (Share, {"where": _text, "follow_up_days": _number}, ("where",)),
    "score": (Score, {**_ANSWER, "top": _NUMBERS}, ("scale", "top")),
    "net": (Net, {**_ANSWER, "promoters": _NUMBERS, "detractors": _NUMBERS}, ()),
    "duration": (Duration, _DURATION, ()),
    "ratio": (Ratio, dict.fromkeys(("top", "bottom", "per", "per_among", "unit"), _text), ("top",)),
    "count": (Count, {"spells": _several(_pair(_text)), "until": _TEXTS}, ()),
}
