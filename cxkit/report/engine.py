"""The papermill engine of the kit: this interpreter's kernel, the live notebook handed out, a call after each cell.

Registered in the process that runs reports, not as an entry point: nobody else's papermill imports it.
"""

from __future__ import annotations

from typing import Any

import zmq
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine


class OwnKernel(AsyncKernelManager):
    """A kernel of the interpreter that makes the report, whatever kernels this machine has registered as `python3`."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The specification of ipykernel in this interpreter."""
        return KernelSpec(resource_dir="", **get_kernel_dict())


class OwnEngine(NBClientEngine):  # type: ignore[misc]  # papermill is not typed
    """Runs a notebook cell by cell; hands out the notebook it works on, so that a failed run leaves its outputs."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> object:
        """Run the notebook of `nb_man`; see `cxkit.report.execute.execute` for the options."""
        held, kernels, on_cell = options["held"], options["kernels"], options["on_cell"]
        held["nb"] = nb_man.nb

        def executed(cell: Any, **_: object) -> None:
            held["done"].add(cell.id)
            on_cell()

        manager = OwnKernel(kernel_name=kernel_name)
        if _can_encrypt():
            # Without it ipykernel 7.4 prints a notice about plain TCP for every kernel; it costs nothing measurable.
            manager.transport_encryption = "required"
        client = PapermillNotebookClient(
            nb_man,
            km=manager,
            kernel_name=kernel_name,
            startup_timeout=options["start_timeout"],
            timeout_func=options["timeout_func"],
            store_widget_state=options["store_widget_state"],
            resources=options["resources"],
            on_cell_executed=executed,
            shutdown_kernel="immediate",
        )
        kernels.add(manager)
        try:
            # A manager handed to nbclient stays running unless told otherwise.
            return client.execute(env=options["environment"], cleanup_kc=True)
        finally:
            kernels.remove(manager)


def _can_encrypt() -> bool:
    declared = get_kernel_dict()["metadata"].get("supported_encryption", [])
    return zmq.has("curve") and "curve" in declared and "transport_encryption" in OwnKernel.class_trait_names()
