"""The gate: may these tables be used? Pass, warn or stop, with every finding at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from cxkit.contract.findings import Finding, Gate
from cxkit.contract.rules import KINDS, Hit, Scene
from cxkit.contract.schema import Contract, Rule, load
from cxkit.contract.view import Mask, View, arrow, view
from cxkit.errors import ContractError, nearest

Tables = Mapping[str, pa.Table | pd.DataFrame]


def gate(
    tables: Tables,
    as_of: pd.Timestamp | None = None,
    repeats: Mapping[str, int] | None = None,
    contract: Contract | None = None,
) -> Gate:
    """Every rule that `tables` break, stops first, then in the order of the contract.

    tables: canonical name -> Arrow table or DataFrame; timestamps naive UTC. Tables and columns may be missing, rows
    may come in any order. Two more columns are understood and never counted as data: `source_row` (row number in the
    source file) and `source_file`; findings then name rows by them, else by the table's own rows from 1.
    as_of: naive UTC; times after it are reported. None: no time is too late, lone far ones are still reported.
    repeats: exact duplicates per table, where the caller counted them in whole source rows.
    A name that the contract does not have raises ContractError with the nearest one.
    """
    contract = contract or load()
    known = contract.tables
    for name in tables:
        if name not in known:
            near = nearest(name, known) or "-"
            raise ContractError("unknown_table", table=name, near=near, known=", ".join(known))
    views = {name: view(spec, tables[name]) for name, spec in known.items() if name in tables}
    scene = Scene(views, as_of, repeats or {})
    findings = [finding for rule in contract.rules for finding in _findings(rule, scene)]
    return Gate(tuple(sorted(findings, key=lambda finding: finding.severity != "stop")))


def complete_rows(name: str, data: pa.Table | pd.DataFrame) -> Mask:
    """Which rows of table `name` hold all their required values (of the required columns that are there at all)."""
    seen = View(load().tables[name], arrow(data))  # in the order given: the mask is for the caller's own rows
    there = [column for column in seen.spec.required if column in seen.data.column_names]
    mask: Mask = np.all([np.ones(seen.rows, dtype=bool), *(seen.filled(column) for column in there)], axis=0)
    return mask


def _findings(rule: Rule, scene: Scene) -> Iterator[Finding]:
    if rule.kind == "nothing":
        if not any(seen.rows for seen in scene.views.values()):
            yield Finding(rule.id, "", rule.severity)
        return
    for seen in scene.views.values():
        if rule.covers(seen.name):
            for hit in KINDS[rule.kind](seen, rule, scene):
                yield from _finding(rule, seen, hit)


def _finding(rule: Rule, seen: View, hit: Hit) -> Iterator[Finding]:
    n = hit.n if hit.n is not None or hit.mask is None else int(hit.mask.sum())
    share = n / hit.base if n is not None and hit.base else None
    harmless = n == 0 and hit.base is not None
    if harmless or (share is not None and share <= rule.warn_above_share):
        return
    rows, file = ((), None) if hit.mask is None else seen.first_rows(hit.mask)
    yield Finding(rule.id, seen.name, _severity(rule, share), hit.columns, n, hit.base, rows, file, hit.params)


def _severity(rule: Rule, share: float | None) -> str:
    too_many = rule.stop_above_share is not None and share is not None and share > rule.stop_above_share
    return "stop" if too_many else rule.severity
