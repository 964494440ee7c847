"""Puts a finished folder in the place of the old one in a single step: a reader sees the old report or the new one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cxkit.errors import ReportError

_ASIDE = ".building-"
_REPLACED = ".replaced-"
_LEFT_BEHIND = 86_400  # seconds after which a hidden folder is taken for one that a killed run left behind


def require_folder(out: Path) -> None:
    """Refuse, before anything runs, a folder that cannot hold reports; creates nothing."""
    nearest = next(p for p in (out, *out.parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise ReportError("report_folder", folder=out.name or str(out))


def publish(folder: Path, files: Mapping[str, bytes], keep: bool = True, remove: frozenset[str] = frozenset()) -> None:
    """Make `folder` hold `files` (relative path -> content), and what it held before where `keep` says so.

    The new folder is built beside the old one, written to disk, and then exchanged with it in one step. Whatever fails
    before that step leaves the old folder as it was; ReportError says why. `remove` names old files not to keep.
    """
    recover(folder)
    aside: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        aside = _hidden(folder.parent)
        aside.mkdir()
        if keep and folder.is_dir():
            _copy(folder, aside, remove | files.keys())
        for name, content in files.items():
            write(aside / name, content)
        _sync_folder(aside)
        exchange(aside, folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise ReportError("report_publish", folder=folder.name, reason=os.strerror(error.errno or 0)) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)  # what was built and not used, or the folder it replaced


def replace_file(file: Path, content: bytes) -> None:
    """Write one file beside its old version and rename it over that."""
    aside = _hidden(file.parent)
    try:
        write(aside, content)
        aside.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise ReportError("report_publish", folder=file.name, reason=os.strerror(error.errno or 0)) from error


def write(file: Path, content: bytes) -> None:
    """Write a file through to the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _hidden(parent: Path) -> Path:
    return parent / f"{_ASIDE}{secrets.token_hex(6)}"


def exchange(new: Path, old: Path) -> None:
    """Let `new` and `old` change names; where there is no old one, `new` takes its name.

    One step of the kernel on Linux and macOS. Elsewhere two renames, undone if the second fails, and finished by
    `recover` if the process is killed between them.
    """
    if not old.exists():
        new.rename(old)
    elif not _swap(new, old):
        replaced = old.with_name(f"{_REPLACED}{old.name}")
        old.rename(replaced)
        try:
            new.rename(old)
        except OSError:
            replaced.rename(old)
            raise
        shutil.rmtree(replaced, ignore_errors=True)


def recover(folder: Path) -> None:
    """Bring back an old folder that a killed run had already moved aside."""
    replaced = folder.with_name(f"{_REPLACED}{folder.name}")
    with contextlib.suppress(OSError):
        if replaced.is_dir() and not folder.exists():
            replaced.rename(folder)
        elif replaced.is_dir():
            shutil.rmtree(replaced)


def _swap(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or its file system cannot."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            here, exchange_flag = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
            done = library.renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange_flag)
        elif sys.platform == "darwin":
            done = library.renamex_np(os.fsencode(one), os.fsencode(other), 2)  # RENAME_SWAP
        else:
            return False
    except (AttributeError, OSError, TypeError):
        return False
    return bool(done == 0)


def _copy(old: Path, new: Path, leave: frozenset[str]) -> None:
    """Copy the files of `old` that are not in `leave`; hard links where there are such, as none is written to."""
    for file in sorted(p for p in old.rglob("*") if p.is_file()):
        name = file.relative_to(old)
        if name.as_posix() not in leave:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, new / name)
            except OSError:
                shutil.copy2(file, new / name)


def _sync_folder(folder: Path) -> None:
    """Write the names in a folder through to the disk, on systems that can."""
    with contextlib.suppress(OSError, AttributeError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(parent: Path) -> None:
    """Remove the hidden folders of runs that were killed a day ago or more."""
    for left in parent.glob(f"{_ASIDE}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND:
                shutil.rmtree(left, ignore_errors=True)
