"""The canonical tables and rules as `contract.toml` declares them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Column:
    """What one canonical column may hold."""

    name: str
    type: str  # text, choice, timestamp, date, seconds, count, number, bool
    unit: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    references: str | None = None  # "table.column"
    observed: bool = False  # a time that shows how far the data reach


@dataclass(frozen=True)
class Table:
    """One canonical table: its columns in order, and what makes a row unique."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which the table is of no use."""
        return tuple(column.name for column in self.columns.values() if column.required)

    def of_type(self, *types: str) -> tuple[Column, ...]:
        """The columns of these types, in order."""
        return tuple(column for column in self.columns.values() if column.type in types)


@dataclass(frozen=True)
class Rule:
    """One rule that tables must keep; what its kind needs to know is in `settings`."""

    id: str
    table: str | tuple[str, ...]  # "*": every table
    kind: str
    severity: str  # warn or stop
    stop_above_share: float | None = None
    warn_above_share: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, table: str) -> bool:
        """Whether the rule is about `table`."""
        return self.table == "*" or table == self.table or table in self.table


@dataclass(frozen=True)
class Contract:
    """All canonical tables and all rules."""

    tables: Mapping[str, Table]
    rules: tuple[Rule, ...]


@cache
def load() -> Contract:
    """The contract that ships with the kit."""
    raw = tomllib.loads(resources.files("cxkit.contract").joinpath("contract.toml").read_text("utf-8"))
    tables = {name: _table(name, spec) for name, spec in raw["tables"].items()}
    return Contract(tables, tuple(_rule(spec) for spec in raw["rules"]))


def _table(name: str, spec: Mapping[str, Any]) -> Table:
    columns = {column: _column(column, words) for column, words in spec["columns"].items()}
    return Table(name, columns, tuple(spec.get("key", ())))


def _column(name: str, spec: Mapping[str, Any]) -> Column:
    words = {"observed": spec["type"] == "timestamp", **spec, "choices": tuple(spec.get("choices", ()))}
    return Column(name=name, **words)


def _rule(spec: Mapping[str, Any]) -> Rule:
    table = spec["table"] if isinstance(spec["table"], str) else tuple(spec["table"])
    known = {"id", "kind", "severity", "stop_above_share", "warn_above_share"}
    settings = {name: entry for name, entry in spec.items() if name not in known | {"table"}}
    return Rule(table=table, settings=settings, **{name: spec[name] for name in known & spec.keys()})
