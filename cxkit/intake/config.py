"""What a study declares about its exports, in study.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cxkit.errors import IntakeError, StudyError, nearest
from cxkit.intake.fold import shown


@dataclass(frozen=True)
class Export:
    """One file of a study, with what the study says about it."""

    file: str  # relative to the study
    mapping: str | None = None
    time_zone: str | None = None
    encoding: str | None = None
    separator: str | None = None


@dataclass(frozen=True)
class IntakeConfig:
    """The part of study.toml that intake needs."""

    exports: tuple[Export, ...]
    time_zone: str | None = None
    resolved: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()  # activities that do not reopen a case


def intake_config(study: Path) -> IntakeConfig:
    """What study.toml says about exports, time zone and process; IntakeError for an export that cannot be meant."""
    words = _read(study)
    exports = tuple(_export(study, spec) for spec in words.get("export", ()))
    if not exports:
        raise IntakeError("intake_no_exports", study=study.name)
    process = words.get("process", {})
    stages: Mapping[str, str] = process.get("stages", {})
    return IntakeConfig(
        exports=exports,
        time_zone=checked_zone("study.toml", words.get("time_zone")),
        resolved=frozenset(process.get("resolved", ())),
        closed=frozenset(process.get("closed", ())),
        after=frozenset(activity for activity, kind in stages.items() if kind == "after"),
    )


def _read(study: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((study / "study.toml").read_text("utf-8-sig"))
    except FileNotFoundError:
        raise StudyError("study_settings_missing", folder=study.name) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise IntakeError("intake_bad_toml", file="study.toml", why=why_not_toml(error)) from None


def why_not_toml(error: Exception) -> str:
    """Line and column of what is wrong in a TOML file, without its text."""
    place = str(error).rpartition("(at ")[2].rstrip(")")
    return place if isinstance(error, tomllib.TOMLDecodeError) else "UTF-8"


def _export(study: Path, spec: Mapping[str, Any]) -> Export:
    known = Export.__dataclass_fields__
    for key in spec:
        if key not in known:
            raise IntakeError(
                "intake_unknown_key",
                mapping="study",
                where="export",
                key=key,
                near=nearest(key, known) or "none",
                known=", ".join(known),
            )
    if "file" not in spec:
        raise IntakeError("intake_no_file_named")
    export = Export(**{key: str(entry) for key, entry in spec.items()})
    checked_zone(export.file, export.time_zone)
    _inside(study, export.file)
    return export


def _inside(study: Path, file: str) -> None:
    """IntakeError unless `file` lies in the study and is there: a study that was handed on must not read elsewhere."""
    if "\x00" in file or not (study / file).resolve().is_relative_to(study.resolve()):
        raise IntakeError("intake_outside", file=file.replace("\x00", ""))
    if not (study / file).is_file():
        folder = (study / file).parent
        beside = [entry.name for entry in sorted(folder.iterdir()) if entry.is_file()] if folder.is_dir() else []
        raise IntakeError("intake_no_file", file=file, near=nearest(Path(file).name, beside) or "none")


def checked_zone(where: str, zone: str | None) -> str | None:
    """`zone`, if it is one; `where` tells the analyst where it is written."""
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (KeyError, OSError, ValueError):
            raise IntakeError("intake_unknown_zone", where=where, zone=shown(str(zone))) from None
    return zone
