"""The canonical tables, their columns and rules, and the one gate that checks data against them."""

from cxkit.contract.findings import Finding, Gate, RowNumbers
from cxkit.contract.gate import complete_rows, gate
from cxkit.contract.moments import moment_of
from cxkit.contract.rules import likely_calendar
from cxkit.contract.schema import Column, Contract, Rule, Table, load
from cxkit.contract.view import SOURCE_FILE, SOURCE_ROW, days_of, last_day

__all__ = [
    "SOURCE_FILE",
    "SOURCE_ROW",
    "Column",
    "Contract",
    "Finding",
    "Gate",
    "RowNumbers",
    "Rule",
    "Table",
    "complete_rows",
    "days_of",
    "gate",
    "last_day",
    "likely_calendar",
    "load",
    "moment_of",
]
