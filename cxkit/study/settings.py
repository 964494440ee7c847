"""What `study.toml` may say: every key and value checked, every mistake named with the nearest right word."""

from __future__ import annotations

import datetime as dt
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cxkit.calendars import check_calendar, zone
from cxkit.contract import load
from cxkit.errors import StudyError, nearest
from cxkit.lang import LANGS
from cxkit.study.address import ENGINES, address

STAGE_KINDS = ("touch", "queue", "customer", "vendor", "after")
CLOCKS = ("wall", "business")
PRIORITIES = load().tables["tickets"].columns["priority"].choices
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}

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


def _calendar(setting: str, value: Any) -> dict[str, Any]:
    """[calendar], whose schedules may hang on a column of tickets."""
    table = check_calendar(setting, value)
    columns = load().tables["tickets"].columns
    if table.get("column", "team") not in columns:
        raise StudyError(
            "study_setting_word",
            setting=f"{setting}.column",
            given=table["column"],
            near=nearest(table["column"], columns) or "team",
            known=", ".join(columns),
        )
    return table


def _title(setting: str, value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return dict.fromkeys(LANGS, _text(setting, value))
    titles: dict[str, str] = _table(dict.fromkeys(LANGS, _text))(setting, value)
    return titles


def _engine(setting: str, value: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("url", "password", "schema", "database", "prefix"), _text)
    found: dict[str, Any] = _table({**texts, "tables": _text_or_map}, needed=("url",))(setting, value)
    address(found)
    return found


def _text_or_map(setting: str, value: Any) -> str | dict[str, Any]:
    return _text(setting, value) if isinstance(value, str) else _map(_text)(setting, value)


def lasting(setting: str, value: Any) -> float:
    """A length of time in seconds, from a number of seconds or from text such as "90 min", "4 h" or "2 d"."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+(?:[.]\d+)?)\s*([a-z]+)\s*", value)
        if found is None or found[2] not in _UNITS:
            raise StudyError("study_duration", setting=setting, given=value[:40])
        return float(found[1]) * _UNITS[found[2]]
    return _not_negative(setting, value)


def _not_negative(setting: str, value: Any) -> float:
    number = _number(setting, value)
    if number < 0:
        raise StudyError("study_negative", setting=setting)
    return number


def _positive(setting: str, value: Any) -> float:
    number = _number(setting, value)
    if number <= 0:
        raise StudyError("study_not_positive", setting=setting)
    return number


def _portion(setting: str, value: Any) -> float:
    number = _number(setting, value)
    if not 0 < number <= 1:
        raise StudyError("study_share", setting=setting, given=f"{number:g}")
    return number


def _target(setting: str, value: Any) -> float | dict[str, float]:
    """A number; or, of a duration, the time within which a share of the cases is to be done."""
    if isinstance(value, Mapping):
        held: dict[str, float] = _table({"within": lasting, "share": _portion}, needed=("within", "share"))(
            setting, value
        )
        return held
    written = isinstance(value, str) and value.strip()[:1].isdigit()
    return lasting(setting, value) if written else _number(setting, value)


def _promise(setting: str, value: Any) -> dict[str, Any]:
    """Promised times, by priority or for all the others, on one clock; seconds.

    On the business clock a day may mean eight hours or twenty-four, and what waits for the customer is known on the
    clock on the wall only: neither is guessed.
    """
    times = ("default", *PRIORITIES)
    checks = {"clock": _one_of(CLOCKS), "pauses": _list(_text), **dict.fromkeys(times, lasting)}
    promise: dict[str, Any] = {"clock": CLOCKS[0], "pauses": [], **_table(checks)(setting, value)}
    if not promise.keys() & set(times):
        raise StudyError("study_setting_missing", setting=_path(setting, "default"))
    for name in times:
        if promise["clock"] == "business" and re.search(r"\d\s*d", str(value.get(name, ""))):
            raise StudyError("study_business_day", setting=_path(setting, name), given=str(value[name]))
    if promise["clock"] == "business" and promise["pauses"]:
        raise StudyError("study_business_pauses", setting=setting)
    return promise


_STUDY: dict[str, Check] = {
    "name": _text,
    "title": _title,
    "languages": _list(_one_of(LANGS), empty=False),
    "time_zone": zone,
    "as_of": _as_of,
    "calendar": _calendar,
    "targets": _map(_target),
    "promises": _table({"first_reply": _promise, "resolution": _promise}),
    "calls": _table({"short_abandon_seconds": lasting, "answer_within_seconds": lasting}),
    "retention": _table({"window_days": _positive, "inactive_after_days": _positive}),
    "definitions": _map(_text),
    "kpis": _map(_map(lambda setting, value: value)),  # the measures know what their kinds take
    "ces_version": _one_of(("1.0", "2.0")),
    "scales": _map(_table({"low": _number, "high": _number, "top": _list(_number)}, needed=("low", "high", "top"))),
    "process": _table({"resolved": _list(_text), "closed": _list(_text), "stages": _map(_one_of(STAGE_KINDS))}),
    "export": _list(
        _table(
            {"file": _text, "mapping": _text, "time_zone": zone, "encoding": _text, "separator": _sign},
            needed=("file", "mapping"),
        )
    ),
    "engine": _engine,
}
