"""What `study.toml` may say: every key and value checked, every mistake named with the nearest right word."""

from __future__ import annotations

import datetime as dt
import math
import re
import tomllib
import zoneinfo
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cxkit.errors import StudyError, nearest
from cxkit.lang import LANGS

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("gregorian", "jalali")
STAGE_KINDS = ("touch", "queue", "customer", "vendor", "after")
ENGINES = ("duckdb://",)

Check = Callable[[str, Any], Any]


def read_settings(folder: Path) -> dict[str, Any]:
    """`study.toml` of `folder`, checked, with every default filled in; StudyError names what to change."""
    file = folder / "study.toml"
    if not file.is_file():
        raise StudyError("study_settings_missing", folder=folder.name)
    try:
        raw = tomllib.loads(file.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise StudyError("study_settings_broken", line=_line(broken, file.read_bytes())) from None
    return checked(raw, folder.name)


def _line(broken: tomllib.TOMLDecodeError | UnicodeDecodeError, text: bytes) -> int:
    """The line at which a file cannot be read; the last one where something is left open."""
    if isinstance(broken, UnicodeDecodeError):
        return text[: broken.start].count(b"\n") + 1
    found = re.search(r"at line (\d+)", str(broken))
    return int(found[1]) if found else len(text.splitlines())


def checked(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings of a study called `name` unless they say otherwise, with defaults filled in."""
    settings = _table(_STUDY)("", raw)
    if "time_zone" not in settings:
        raise StudyError("study_setting_missing", setting="time_zone")
    calendar = {"week_start": "monday", "weekend": ["saturday", "sunday"], "months": "gregorian"}
    process: dict[str, Any] = {"resolved": [], "closed": [], "stages": {}}
    defaults = {
        "name": name,
        "title": {},
        "languages": list(LANGS),
        "targets": {},
        "export": [],
        "engine": {"url": ENGINES[0]},
    }
    return {
        **defaults,
        **settings,
        "calendar": {**calendar, **settings.get("calendar", {})},
        "process": {**process, **settings.get("process", {})},
    }


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def zone(setting: str, value: Any) -> str:
    """An IANA time zone; StudyError names the nearest one, also when only the city was given."""
    text = _text(setting, value)
    if text in _zones():
        return text
    cities = {name.rpartition("/")[2]: name for name in sorted(_zones()) if "/" in name}
    near = nearest(text, _zones()) or cities.get(nearest(text.replace(" ", "_"), cities) or "", "UTC")
    raise StudyError("study_zone", setting=setting, given=text, near=near)


def _text(setting: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise StudyError("study_setting_type", setting=setting, wanted="text")
    return value


def _sign(setting: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1:
        raise StudyError("study_setting_type", setting=setting, wanted="sign")
    return value


def _number(setting: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise StudyError("study_setting_type", setting=setting, wanted="number")
    return float(value)


def _as_of(setting: str, value: Any) -> Any:
    if not isinstance(value, dt.date | str):
        raise StudyError("study_setting_type", setting=setting, wanted="date")
    return value


def _one_of(known: tuple[str, ...]) -> Check:
    def check(setting: str, value: Any) -> str:
        text = _text(setting, value)
        if text not in known:
            raise StudyError(
                "study_setting_word",
                setting=setting,
                given=text,
                near=nearest(text, known) or known[0],
                known=", ".join(known),
            )
        return text

    return check


def _list(check: Check, empty: bool = True) -> Check:
    def check_all(setting: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or (not value and not empty):
            raise StudyError("study_setting_type", setting=setting, wanted="list")
        return [check(setting, entry) for entry in value]

    return check_all


def _map(check: Check) -> Check:
    def check_all(setting: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise StudyError("study_setting_type", setting=setting, wanted="table")
        return {name: check(f"{setting}.{name}", entry) for name, entry in value.items()}

    return check_all


def _table(checks: Mapping[str, Check], needed: tuple[str, ...] = ()) -> Check:
    def check_all(setting: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise StudyError("study_setting_type", setting=setting, wanted="table")
        for name in value:
            if name not in checks:
                near = nearest(name, checks) or "none"
                raise StudyError(
                    "study_setting_unknown", setting=_path(setting, name), near=near, known=", ".join(checks)
                )
        for name in needed:
            if name not in value:
                raise StudyError("study_setting_missing", setting=_path(setting, name))
        return {name: checks[name](_path(setting, name), entry) for name, entry in value.items()}

    return check_all


def _path(setting: str, name: str) -> str:
    return f"{setting}.{name}" if setting else name


def _title(setting: str, value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return dict.fromkeys(LANGS, _text(setting, value))
    titles: dict[str, str] = _table(dict.fromkeys(LANGS, _text))(setting, value)
    return titles


def _engine(setting: str, value: Any) -> str:
    text = _text(setting, value)
    if text not in ENGINES:
        kind = text.partition("://")[0]  # the rest may hold a password
        raise StudyError("study_engine", given=kind, known=", ".join(ENGINES))
    return text


_STUDY: dict[str, Check] = {
    "name": _text,
    "title": _title,
    "languages": _list(_one_of(LANGS), empty=False),
    "time_zone": zone,
    "as_of": _as_of,
    "calendar": _table({"week_start": _one_of(DAYS), "weekend": _list(_one_of(DAYS)), "months": _one_of(MONTHS)}),
    "targets": _map(_number),
    "ces_version": _one_of(("1.0", "2.0")),
    "scales": _map(_table({"low": _number, "high": _number, "top": _list(_number)}, needed=("low", "high", "top"))),
    "process": _table({"resolved": _list(_text), "closed": _list(_text), "stages": _map(_one_of(STAGE_KINDS))}),
    "export": _list(
        _table(
            {"file": _text, "mapping": _text, "time_zone": zone, "encoding": _text, "separator": _sign},
            needed=("file", "mapping"),
        )
    ),
    "engine": _table({"url": _engine}),
}
