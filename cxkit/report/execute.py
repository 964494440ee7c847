"""One notebook run by papermill in a kernel of its own: the executed notebook, how it ended, and why.

The status comes from exceptions and from what was executed, never from what papermill writes into the notebook: that
says "completed" even after a dead kernel or a timeout.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from cxkit.errors import CxkitError

Executed = Mapping[str, Any]  # nbformat's NotebookNode, which is a dict
_ENGINE = "cxkit"


@dataclass(frozen=True)
class Limits:
    """Seconds that one cell, one whole report and the start of a kernel may take."""

    cell: float = 600.0
    report: float = 1800.0
    start: int = 60


@dataclass(frozen=True)
class Failure:
    """Why a report was not made: status, id of the cell, the code in it, the error's name and its (masked) words."""

    status: str
    cell: str
    source: str
    name: str
    words: str


@dataclass(frozen=True, eq=False)
class Run:
    """An executed notebook; `failure` is None when every code cell ran to its end."""

    notebook: Executed
    seconds: float
    failure: Failure | None = None

    @property
    def status(self) -> str:
        """One of "ok", "failed" (a cell raised or stopped the notebook), "timed-out" and "kernel-died"."""
        return self.failure.status if self.failure else "ok"


@dataclass(eq=False)
class Kernels:
    """The kernels now running, so that an interrupt can end them all."""

    stopping: threading.Event = field(default_factory=threading.Event)
    _managers: dict[int, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, manager: object) -> None:
        """Remember a kernel manager, or end it at once if all are being ended."""
        with self._lock:
            self._managers[id(manager)] = manager
        if self.stopping.is_set():
            self._kill(manager)

    def remove(self, manager: object) -> None:
        """Forget a kernel that has ended by itself."""
        with self._lock:
            self._managers.pop(id(manager), None)

    def kill(self) -> None:
        """End every kernel now; each report then fails with a dead kernel."""
        self.stopping.set()
        with self._lock:
            managers = list(self._managers.values())
        for manager in managers:
            self._kill(manager)

    @staticmethod
    def _kill(manager: Any) -> None:
        process = getattr(getattr(manager, "provisioner", None), "process", None)
        if process is not None and process.poll() is None:
            process.kill()


_loading = threading.Lock()


def papermill() -> ModuleType:
    """Papermill with the kit's engine, imported once and without a tax of one to two seconds.

    JupyterLab's extras make jsonschema import `rfc3987_syntax`, which builds some 35 parsers only to check the format
    "iri", which no Jupyter schema uses (python-jsonschema #1428). While papermill is imported the package is hidden,
    which jsonschema takes as "not installed"; afterwards it is there again for whoever wants it.
    """
    with _loading:
        hide = "rfc3987_syntax" not in sys.modules
        if hide:
            sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
        try:
            import papermill as pm
            from papermill.engines import papermill_engines
        finally:
            if hide:
                sys.modules.pop("rfc3987_syntax", None)
        if _ENGINE not in papermill_engines._engines:
            from cxkit.report.engine import OwnEngine

            papermill_engines.register(_ENGINE, OwnEngine)
            # Its warnings are about annotations it cannot read; the kit reads and checks parameters itself.
            logging.getLogger("papermill").setLevel(logging.CRITICAL)
    return pm  # type: ignore[no-any-return]


def execute(
    notebook: Mapping[str, Any],
    parameters: Mapping[str, object],
    folder: Path,
    limits: Limits | None = None,
    kernels: Kernels | None = None,
    on_cell: Callable[[], object] = lambda: None,
) -> Run:
    """Run a copy of `notebook` from `folder`, which is its working directory as in JupyterLab.

    `on_cell` is called after each executed cell. Never raises for what a notebook does; the failure is in the result.
    """
    pm = papermill()
    import nbformat

    limits = limits or Limits()
    node = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    began = time.monotonic()
    held: dict[str, Any] = {"nb": node, "done": set()}
    try:
        pm.execute_notebook(
            node,
            None,
            dict(parameters),
            engine_name=_ENGINE,
            kernel_name="python3",
            language="python",  # a notebook saved with an analyst's own kernel name runs all the same
            progress_bar=False,
            request_save_on_cell_execute=False,
            start_timeout=limits.start,
            timeout_func=lambda _cell: max(1, int(min(limits.cell, limits.report - (time.monotonic() - began)))),
            store_widget_state=False,
            resources={"metadata": {"path": str(folder)}},
            held=held,
            kernels=kernels or Kernels(),
            on_cell=on_cell,
            environment=_environment(),
        )
        failure = _unfinished(held["nb"])
    except Exception as error:  # whatever a kernel or a cell does ends as a failed report
        failure = _failure(error, held["nb"], held["done"])
    return Run(held["nb"], time.monotonic() - began, failure)


def _environment() -> dict[str, str]:
    """The kernel's environment: it imports the cxkit that runs it, and leaves out debugger warnings."""
    here = str(Path(__file__).resolve().parents[2])
    own = [] if here == sysconfig.get_path("purelib") else [here]  # a checkout that may not be installed
    paths = dict.fromkeys([*own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def _unfinished(notebook: Executed) -> Failure | None:
    """A notebook that stopped early without an error: `sys.exit()` in a cell, or cells never reached."""
    for cell in notebook["cells"]:
        allowed = "raises-exception" in cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and cell["source"].strip() and not allowed:
            left = next((o for o in cell["outputs"] if o["output_type"] == "error"), None)
            if left is not None or cell.get("execution_count") is None:
                name, words = (left["ename"], left["evalue"]) if left is not None else ("", "")
                return _at(cell, "failed", name or "SystemExit", words, notebook)
    return None


# Errors that quote names of the code, never a value of the data.
_ABOUT_CODE = {"AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "SyntaxError"}
_STATUS = {"CellTimeoutError": "timed-out", "DeadKernelError": "kernel-died"}


def _failure(error: Exception, notebook: Executed, done: set[str]) -> Failure:
    status = _STATUS.get(type(error).__name__, "failed")
    cell = _culprit(notebook, done)
    if type(error).__name__ == "PapermillExecutionError":
        return _at(cell, status, error.ename, error.evalue, notebook)  # type: ignore[attr-defined]
    words = "" if status != "failed" else str(error)
    return _at(cell, status, type(error).__name__, words, notebook)


def _culprit(notebook: Executed, done: set[str]) -> Mapping[str, Any]:
    """The cell that raised, else the first one that was not finished."""
    code = [c for c in notebook["cells"] if c["cell_type"] == "code" and c["source"].strip()]
    raised = [c for c in code if any(o["output_type"] == "error" for o in c["outputs"])]
    open_ = [c for c in code if c["id"] not in done]
    found: Mapping[str, Any] = (raised or open_ or code or [{"id": "-", "source": ""}])[0]
    return found


def _at(cell: Mapping[str, Any], status: str, name: str, words: str, notebook: Executed) -> Failure:
    return Failure(status, str(cell.get("id", "-")), cell["source"], name, mask(name, words, notebook))


def mask(name: str, words: str, notebook: Executed) -> str:
    """The words of an error without values from the data: libraries quote them, and a report is passed on.

    The kit's own refusals hold no values and stay whole. Elsewhere e-mail addresses, long runs of digits, and quoted
    text that does not stand in the notebook's own code become "…".
    """
    if name in _own_errors() | _ABOUT_CODE:
        return words
    code = "\n".join(c["source"] for c in notebook["cells"] if c["cell_type"] == "code")
    words = re.sub(r"[^\s@'\"]+@[^\s@'\"]+", "…", words)
    words = re.sub(r"'([^']*)'|\"([^\"]*)\"", lambda m: m[0] if (m[1] or m[2] or "") in code else "'…'", words)
    return re.sub(r"\d{5,}", "…", words)


def _own_errors() -> set[str]:
    found, todo = {CxkitError.__name__}, [CxkitError]
    while todo:
        subclasses = todo.pop().__subclasses__()
        found |= {c.__name__ for c in subclasses}
        todo += subclasses
    return found
