"""Where a study's tables live and who counts them: the part [engine] of study.toml.

    [engine]
    url = "postgresql://analyst@db.example/desk"     # or duckdb:// (the default), spark://local[4], spark://host:7077, sc://host
    password = "env:DESK_PASSWORD"                   # never the password itself
    schema = "cx"                                    # PostgreSQL: where the tables are looked for
    prefix = "cx_"                                   # what stands before each canonical name
    tables = { tickets = "helpdesk.tickets_v" }      # tables that have names of their own

Spark takes `tables = "path/to/parquet"` or `database = "catalogue.database"`; without either it counts the study's own
tables. `env:NAME`, there and inside a url, stands for what the environment variable NAME holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cxkit.contract import load
from cxkit.errors import StudyError, nearest

_KINDS = {"duckdb": "duckdb", "postgresql": "postgresql", "postgres": "postgresql", "spark": "spark", "sc": "spark"}
ENGINES = ("duckdb://", "postgresql://", "spark://", "sc://")
_OPTIONS = {
    "duckdb": ("url",),
    "postgresql": ("url", "password", "schema", "prefix", "tables"),
    "spark": ("url", "database", "prefix", "tables"),
}
_VARIABLE = re.compile(r"env:([A-Za-z_]\w*)")
_SECRET = re.compile(r"(?:^|[?&;])(?:ssl)?(?:password|token)=(?!env:)", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """The part [engine] of study.toml, checked; its texts hold no secret, only the names of variables that do."""

    kind: str  # duckdb, postgresql or spark
    url: str
    password: str = ""
    schema: str = ""
    database: str = ""
    prefix: str = ""
    folder: str = ""  # of Parquet files, for Spark
    tables: Mapping[str, str] = field(default_factory=dict)  # canonical name -> its name there

    @property
    def elsewhere(self) -> bool:
        """Whether the tables are not the Parquet files of the study's own folder."""
        return self.kind == "postgresql" or bool(self.database or self.folder or self.tables)

    def named(self, name: str) -> str:
        """What the canonical table `name` is called there."""
        return self.tables.get(name, self.prefix + name)


def address(settings: Mapping[str, Any]) -> Address:
    """The part [engine], read; StudyError names what is wrong in it, and never quotes a password."""
    url = settings["url"]
    scheme, found, _ = url.partition("://")
    kind = _KINDS.get(scheme.lower())
    if not found or kind is None or (kind == "duckdb" and url != ENGINES[0]):
        given = scheme if found and scheme.isalnum() else "-"  # anything else may hold a password
        raise StudyError("study_engine", given=given, known=", ".join(ENGINES))
    for name in settings:
        if name not in _OPTIONS[kind]:
            known = _OPTIONS[kind]
            raise StudyError(
                "study_setting_unknown",
                setting=f"engine.{name}",
                near=nearest(name, known) or "none",
                known=", ".join(known),
            )
    _no_secret(settings)
    tables = settings.get("tables", {})
    if kind == "postgresql" and isinstance(tables, str):
        raise StudyError("study_setting_type", setting="engine.tables", wanted="table")
    rest = {name: settings.get(name, "") for name in ("password", "schema", "database", "prefix")}
    if isinstance(tables, str):
        return Address(kind, url, folder=tables, **rest)
    return Address(kind, url, tables=dict(_known_tables(tables)), **rest)


def _known_tables(tables: Mapping[str, str]) -> Mapping[str, str]:
    contract = load().tables
    for name in tables:
        if name not in contract:
            near = nearest(name, contract) or "none"
            raise StudyError(
                "study_setting_unknown", setting=f"engine.tables.{name}", near=near, known=", ".join(contract)
            )
    return tables


def _no_secret(settings: Mapping[str, Any]) -> None:
    """StudyError if a password or a token stands in study.toml itself."""
    url, password = settings["url"], settings.get("password", "")
    user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    written = user.partition(":")[2] if at else ""
    for setting, text in (("engine.url", written), ("engine.password", password)):
        if text and not _VARIABLE.fullmatch(text):
            raise StudyError("study_engine_password", setting=setting)
    if _SECRET.search(url):
        raise StudyError("study_engine_password", setting="engine.url")


def resolved(setting: str, text: str, in_url: bool = False) -> str:
    """`text` with every `env:NAME` replaced by what the variable holds; StudyError if one is not set."""

    def value(found: re.Match[str]) -> str:
        held = os.environ.get(found[1])
        if held is None:
            raise StudyError("study_engine_variable", setting=setting, name=found[1])
        return quote(held, safe="") if in_url else held

    return _VARIABLE.sub(value, text)
