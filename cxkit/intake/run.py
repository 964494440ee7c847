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
from cxkit.intake.derive import derive, tickets_of_cases
from cxkit.intake.mapping import find_mapping, ready_made
from cxkit.intake.publish import publish, recover
from cxkit.intake.queue_log import read_queue_log
from cxkit.intake.read import ITEMS_TABLE, Reading, read_export
from cxkit.intake.recognise import recognise
from cxkit.intake.source import read_table
from cxkit.lang import Sentence, Word

Tables = dict[str, pa.Table]
_EXPORT = "export"  # column with the number of the export that a row is from


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
    recover(study)
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
    stacked = _stacked(readings)
    newest = {name: newest_rows(table, name, _newest_by(name, readings)) for name, table in stacked.items()}
    tables, derived = derive({name: table.filter(pa.array(newest[name])) for name, table in stacked.items()}, config)
    verdict = gate({name: table.drop_columns([_EXPORT]) for name, table in tables.items()}, repeats=_repeats(readings))
    final = {name: table.filter(pa.array(complete_rows(name, table))) for name, table in tables.items()}
    files = tuple(_file_account(i, one, (stacked, tables, final)) for i, one in enumerate(readings))
    final, made = tickets_of_cases(final, config)
    account = _account(files, final, verdict, (*derived, *made))
    return {name: _canonical(name, table) for name, table in final.items()}, account


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


def _stacked(readings: list[Reading]) -> Tables:
    """Per canonical table, in the order of the contract: the rows of all exports, each with its export's number."""
    parts: dict[str, list[pa.Table]] = {name: [] for name in load().tables}
    for i, reading in enumerate(readings):
        for name, table in reading.tables.items():
            parts[name].append(table.append_column(_EXPORT, pa.array(np.full(len(table), i, dtype=np.int32))))
    return {name: pa.concat_tables(some, promote_options="default") for name, some in parts.items() if some}


def _newest_by(name: str, readings: list[Reading]) -> str | None:
    """The column by which a mapping wants only the newest row of each key of the table."""
    rules = (table for reading in readings for table in reading.mapping.tables if table.name == name)
    return next((rule.newest_by for rule in rules if rule.newest_by is not None), None)


def newest_rows(table: pa.Table, name: str, by: str | None) -> NDArray[np.bool_]:
    """Which rows have the latest `by` of their key (of equal ones the last); all, when `by` is None."""
    key = list(load().tables[name].key)
    keep = np.ones(len(table), dtype=bool)
    if by is None or by not in table.column_names or not key or not set(key) <= set(table.column_names):
        return keep
    frame = table.select([*key, by]).to_pandas().sort_values(by, kind="stable", na_position="first")
    older = frame.duplicated(key, keep="last") & frame[key].notna().all(axis="columns")
    keep[frame.index[older]] = False
    return keep


def _repeats(readings: list[Reading]) -> dict[str, int]:
    """Exact duplicates per table, where a record makes one row."""
    out: dict[str, int] = {}
    for reading in readings:
        for name in reading.tables:
            one_row_each = reading.source.lines_of is None and not (name == ITEMS_TABLE and reading.mapping.items)
            if one_row_each and _newest_by(name, readings) is None:
                out[name] = out.get(name, 0) + reading.source.repeats
    return out


def _file_account(i: int, reading: Reading, stages: tuple[Tables, Tables, Tables]) -> FileAccount:
    """What became of the export number `i`; stages: all its rows, without older versions, without incomplete ones."""
    source = reading.source
    read, new, kept = (_rows_of(i, tables) for tables in stages)
    lost = source.rows[~np.isin(source.rows, kept)]
    rules = {
        "nothing_in_row": ~np.isin(lost, read),
        "older_version": np.isin(lost, read) & ~np.isin(lost, new),
        "required_empty": np.isin(lost, new),
    }
    by_rule = {rule: source.lost(lost[mask]) for rule, mask in rules.items()}
    rejected = [*source.rejected, *(Rejected.of(rule, rows) for rule, rows in by_rule.items() if len(rows))]
    return FileAccount(
        file=source.file,
        mapping=reading.mapping.name,
        encoding=source.encoding,
        separator=source.separator,
        rows=source.total,
        kept=source.total - sum(one.rows_n for one in rejected),
        rejected=tuple(rejected),
        feeds={name: int(np.sum(stages[2][name].column(_EXPORT).to_numpy() == i)) for name in reading.tables},
        columns=reading.columns,
        missing=tuple(reading.missing),
        unmapped=reading.unmapped,
        repeats=source.repeats,
        time_zone=", ".join(dict.fromkeys(str(zone.name) for zone in reading.zones_used)) or None,
        time_zone_source=_zone_source(reading),
        notes=tuple(reading.notes),
    )


def _zone_source(reading: Reading) -> str:
    """Who stated the zone of the file's local times; the strongest word where several state the same zone."""
    sources = {zone.source for zone in reading.zones_used}
    if len({zone.name for zone in reading.zones_used}) > 1 and len(sources) > 1:
        return "several"
    return next((who for who in ("export", "file", "mapping", "study") if who in sources), "none")


def _rows_of(i: int, tables: Tables) -> NDArray[np.int64]:
    """Numbers of the records of export `i` that are in these tables."""
    found = (
        table.filter(pc.equal(table.column(_EXPORT), i)).column(SOURCE_ROW).to_numpy() for table in tables.values()
    )
    return np.concatenate([np.array([], dtype=np.int64), *found])


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
