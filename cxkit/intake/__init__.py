"""Exports of help desks, surveys and phone systems, in any of their encodings and calendars, into canonical tables."""

from cxkit.intake.account import Account, FileAccount, Rejected
from cxkit.intake.mapping import ExportMapping, find_mapping, parse, ready_made
from cxkit.intake.recognise import recognise
from cxkit.intake.run import examine, run_intake

__all__ = [
    "Account",
    "ExportMapping",
    "FileAccount",
    "Rejected",
    "examine",
    "find_mapping",
    "parse",
    "ready_made",
    "recognise",
    "run_intake",
]
