"""A real JupyterLab in headless Chromium: open a notebook, run all its cells, read what came out."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, sync_playwright

_QUIET = {"checkForUpdates": False, "doNotDisturbMode": True, "fetchNews": "false"}
_READY = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.kernelDisplayStatus === 'idle'"
_SETTLED = """async () => { const shown = jupyterapp.shell.currentWidget;
  await shown.context.ready; await shown.sessionContext.ready; }"""
_RUN = """() => { window.__ran = null;
  jupyterapp.commands.execute('notebook:run-all-cells').then(
    () => window.__ran = 'ok', e => window.__ran = String(e)); }"""
_CELLS = """() => { const found = []; const cells = jupyterapp.shell.currentWidget.content.model.cells;
  for (let i = 0; i < cells.length; i++) { const cell = cells.get(i).toJSON();
    if (cell.cell_type === 'code') found.push({id: cell.id, outputs: cell.outputs}); }
  return found; }"""


@dataclass
class Ran:
    """What a notebook left behind: outputs per code cell, page errors, requests that wanted to leave the machine."""

    outputs: dict[str, list[dict[str, Any]]]
    page_errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    @property
    def failed(self) -> dict[str, str]:
        """Cells with an error, and what it said."""
        return {
            cell: f"{out['ename']}: {out['evalue']}"
            for cell, outs in self.outputs.items()
            for out in outs
            if out["output_type"] == "error"
        }


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab whose root is `root`."""

    address: str
    token: str
    browser: Browser

    def run_all(self, notebook: str, picture: Path | None = None, timeout: float = 240) -> Ran:
        """Open `notebook` (below the root), run all cells as the menu does, and wait for the kernel to rest."""
        context = self.browser.new_context(viewport={"width": 1400, "height": 1000})
        ran = Ran({})

        def only_here(route: Route) -> None:
            if route.request.url.startswith((self.address, "data:", "blob:")):
                route.continue_()
            else:
                ran.outside.append(route.request.url)
                route.abort()

        context.route("**/*", only_here)
        page = context.new_page()
        page.set_default_timeout(timeout * 1000)
        page.on("pageerror", lambda error: ran.page_errors.append(str(error)))
        page.goto(f"{self.address}/doc/tree/{notebook}?token={self.token}&reset", wait_until="domcontentloaded")
        _wait_ready(page)
        page.evaluate(_RUN)
        page.wait_for_function("() => window.__ran !== null")
        page.wait_for_function(_READY)
        ran.outputs = {cell["id"]: cell["outputs"] for cell in page.evaluate(_CELLS)}
        if picture:
            page.screenshot(path=str(picture))
        context.close()
        return ran


def _wait_ready(page: Page) -> None:
    """The toolbar says "idle" while the kernel is still connecting, so the session itself is asked."""
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
    page.evaluate(
        "async () => { const w = jupyterapp.shell.currentWidget; await w.context.ready; await w.sessionContext.ready; }"
    )
    page.wait_for_function(_READY)


@contextmanager
def jupyterlab(root: Path, home: Path, chromium: str) -> Iterator[Lab]:
    """JupyterLab on a free port with settings of its own in `home`; everything is stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, address = secrets.token_hex(16), f"http://127.0.0.1:{port}"
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(_QUIET))
    folders = {f"JUPYTER_{part}_DIR": str(home / part.lower()) for part in ("CONFIG", "DATA", "RUNTIME")}
    lab_folders = {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "spaces")}
    log = (home / "lab.log").open("w+")
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.port={port}"),
            *("--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={root}"),
            *(
                "--ServerApp.allow_root=True",
                "--LabApp.extension_manager=readonly",
                "--LabApp.expose_app_in_browser=True",
            ),
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **folders, **lab_folders, "JUPYTER_TOKEN": token, "IPYTHONDIR": str(home / "ipython")},
        start_new_session=True,
    )
    try:
        _wait_for_server(address, token, server, log.name)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            yield Lab(address, token, browser)
            browser.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
        log.close()


def _wait_for_server(address: str, token: str, server: subprocess.Popen[bytes], log: str) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=2).read()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{Path(log).read_text()[-3000:]}")
