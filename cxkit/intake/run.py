"""All exports of a study into its tables: read, check, write; or nothing at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxkit.contract import SOURCE_ROW, Gate, complete_rows, gate, load
from cxkit.errors import IntakeError
from cxkit.intake.account import Account, FileAccount, Rejected
from cxkit.intake.config import Export, IntakeConfig, intake_config
from cxkit.intake.convert import ARROW, Zone
from cxkit.intake.derive import derive
from cxkit.intake.mapping import find_mapping, ready_made
from cxkit.intake.publish import publish
from cxkit.intake.queue_log import read_queue_log
from cxkit.intake.read import ITEMS_TABLE, Reading, read_export
from cxkit.intake.recognise import recognise
from cxkit.intake.source import read_table
from cxkit.lang import Sentence, Word

Tables = dict[str, pa.Table]


@dataclass(frozen=True)
class _Stops(Word):
    """The findings that stop the gate, inside an error: one line each, in the language that is asked for."""

    gate: Gate

    @property
    def code(self) -> object:  # type: ignore[override]
        """The rules that are broken."""
        return tuple(finding.rule for finding in self.gate.stops)

    def text(self, lang: str | None = None) -> str:
        """One line a finding: what, where, and how to mend it."""
        return "\n".join(f"- {finding.text(lang)}" for finding in self.gate.stops)


def run_intake(study: Path | str) -> Account:
    """Read the exports that STUDY/study.toml names, check them, write STUDY/tables; say what became of every record.

    All or nothing: an export that cannot be read safely, or a gate that says stop, raises IntakeError with every
    finding and how to mend it, and leaves the old tables as they were. The same inputs give the same bytes.
    """
    study = Path(study)
    tables, account = examine(study)
    if account.gate.level == "stop":
        raise IntakeError("gate_stopped", findings=_Stops(account.gate))
    publish(study, tables, account.to_dict())
    return account


def examine(study: Path | str) -> tuple[Tables, Account]:
    """The canonical tables of the study's exports and the account with the gate's findings; nothing is written."""
    study = Path(study)
    config = intake_config(study)
    readings = [_reading(study, export, config) for export in config.exports]
    parts = _parts(readings)
    tables, derived = derive(
        {name: _stacked(name, [table for _, table in some]) for name, some in parts.items()}, config
    )
    verdict = gate(tables, repeats=_repeats(readings))
    complete = {name: complete_rows(name, table) for name, table in tables.items()}
    files = tuple(_file_account(i, reading, parts, complete) for i, reading in enumerate(readings))
    final = {name: _canonical(name, table.filter(pa.array(complete[name]))) for name, table in tables.items()}
    return final, _account(files, final, verdict, derived)


def _reading(study: Path, export: Export, config: IntakeConfig) -> Reading:
    name = export.mapping or recognise(study / export.file, study)
    if name is None:
        raise IntakeError("intake_unrecognised", file=export.file, known=", ".join(ready_made()))
    mapping = find_mapping(name, study)
    raw = (study / export.file).read_bytes()
    encoding = export.encoding or mapping.encoding
    if mapping.layout == "queue_log":
        source = read_queue_log(raw, export.file, encoding)
    else:
        source = read_table(raw, export.file, mapping.header_rows, export.separator or mapping.separator, encoding)
    stated = {"export": export.time_zone, "mapping": mapping.time_zone, "study": config.time_zone}
    return read_export(source, mapping, tuple(Zone(zone, who) for who, zone in stated.items() if zone))


@dataclass(frozen=True)
class _Part:
    """Where the rows of one export lie in a stacked table."""

    export: int
    first: int
    last: int


def _parts(readings: list[Reading]) -> dict[str, list[tuple[_Part, pa.Table]]]:
    """Per canonical table, in the order of the contract: the rows that each export gave."""
    out: dict[str, list[tuple[_Part, pa.Table]]] = {}
    for name in load().tables:
        first = 0
        for i, reading in enumerate(readings):
            if name in reading.tables:
                table = reading.tables[name]
                out.setdefault(name, []).append((_Part(i, first, first + len(table)), table))
                first += len(table)
    return out


def _stacked(name: str, tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="default").combine_chunks()


def _repeats(readings: list[Reading]) -> dict[str, int]:
    """Exact duplicates per table, where a record makes one row."""
    out: dict[str, int] = {}
    for reading in readings:
        for name in reading.tables:
            if reading.source.lines_of is None and not (name == ITEMS_TABLE and reading.mapping.items):
                out[name] = out.get(name, 0) + reading.source.repeats
    return out


def _file_account(
    i: int, reading: Reading, parts: dict[str, list[tuple[_Part, pa.Table]]], complete: dict[str, NDArray[np.bool_]]
) -> FileAccount:
    source = reading.source
    mine = [(name, part, table) for name, some in parts.items() for part, table in some if part.export == i]
    alive = [table.column(SOURCE_ROW).to_numpy()[complete[name][part.first : part.last]] for name, part, table in mine]
    there = np.concatenate(
        [np.array([], dtype=np.int64), *(table.column(SOURCE_ROW).to_numpy() for _, _, table in mine)]
    )
    lost = source.rows[~np.isin(source.rows, np.concatenate([np.array([], dtype=np.int64), *alive]))]
    incomplete = np.isin(lost, there)
    rejected = [
        *source.rejected,
        *_rejected("required_empty", source.lost(lost[incomplete])),
        *_rejected("nothing_in_row", source.lost(lost[~incomplete])),
    ]
    return FileAccount(
        file=source.file,
        mapping=reading.mapping.name,
        encoding=source.encoding,
        separator=source.separator,
        rows=source.total,
        kept=source.total - sum(one.rows_n for one in rejected),
        rejected=tuple(rejected),
        feeds={name: int(complete[name][part.first : part.last].sum()) for name, part, _ in mine},
        columns=reading.columns,
        missing=tuple(reading.missing),
        unmapped=reading.unmapped,
        repeats=source.repeats,
        time_zone=", ".join(dict.fromkeys(str(zone.name) for zone in reading.zones_used)) or None,
        time_zone_source=", ".join(dict.fromkeys(zone.source for zone in reading.zones_used)) or "none",
        notes=tuple(reading.notes),
    )


def _rejected(rule: str, rows: NDArray[np.int64]) -> Iterator[Rejected]:
    if len(rows):
        yield Rejected.of(rule, rows)


def _canonical(name: str, table: pa.Table) -> pa.Table:
    """The table's own columns, in the order and the types of the contract."""
    columns = [column for column in load().tables[name].columns.values() if column.name in table.column_names]
    return pa.table(
        {column.name: table.column(column.name).cast(ARROW[column.type]) for column in columns}
    ).combine_chunks()


def _account(files: tuple[FileAccount, ...], tables: Tables, verdict: Gate, derived: tuple[Sentence, ...]) -> Account:
    edges = [edge for name, table in tables.items() for edge in _edges(name, table)]
    span = (min(edges).isoformat(), max(edges).isoformat()) if edges else None
    return Account(files, {name: len(table) for name, table in tables.items()}, span, verdict, derived)


def _edges(name: str, table: pa.Table) -> Iterator[dt.datetime]:
    for column in load().tables[name].of_type("timestamp"):
        if column.observed and column.name in table.column_names and table.column(column.name).null_count < len(table):
            found = pc.min_max(table.column(column.name)).as_py()
            yield from (found["min"], found["max"])
