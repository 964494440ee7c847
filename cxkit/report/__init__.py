"""Notebooks into reports: checked parameters, papermill, self-contained pages, published whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxkit.report.batch import Batch, RunResult, make_reports, run

__all__ = ["Batch", "RunResult", "make_reports", "run"]


def __getattr__(name: str) -> object:
    """`run` and what it returns, loaded when first used: reading a notebook's parameters needs no engine, no kernel."""
    if name not in __all__:
        raise AttributeError(f"module 'cxkit.report' has no attribute {name!r}; it has: {', '.join(__all__)}")
    from cxkit.report import batch

    found: object = getattr(batch, name)
    return found
