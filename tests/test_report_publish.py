"""Claims about publishing: the old folder or the new one, whatever fails and whenever the process is killed."""

import errno
import os
import sys

import pytest

import cxkit.lang  # noqa: F401 - gives refusals their words
from cxkit.errors import ReportError
from cxkit.report import publish as publishing
from cxkit.report.publish import publish, recover, replace_file, require_folder

OLD = {"a.html": b"old a", "fa/b.html": b"old b", "manifest.json": b"old"}
NEW = {"a.html": b"new a", "fa/b.html": b"new b", "manifest.json": b"new", "fa/c.html": b"new c"}
_WRITES = {"os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "ctypes.dlopen", "ctypes.dlsym"}


class Trouble:
    """Counts the writing steps of this process, and does something terrible at one of them."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.seen = 0
        self.kill = False
        sys.addaudithook(self.hook)  # cannot be removed again; does nothing while `at` is None

    def hook(self, event: str, args: tuple) -> None:
        if self.at is None:
            return
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in _WRITES:
            self.seen += 1
            if self.seen == self.at:
                if self.kill:
                    os._exit(9)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(scope="module")
def trouble():
    return Trouble()


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def attempt(action):
    """The refusal of an action, or None when it succeeds."""
    try:
        action()
    except ReportError as refusal:
        return refusal
    return None


def hidden(folder):
    return [p.name for p in folder.parent.iterdir() if p.name.startswith(".")]


def test_a_new_folder_replaces_the_old_one_and_keeps_what_was_not_made_again(tmp_path):
    """Three old files: one is made again, one is to go, one stays."""
    folder = tmp_path / "study" / "2026"
    publish(folder, OLD)
    publish(folder, {"a.html": b"new"}, remove=frozenset({"fa/b.html"}))
    assert files(folder) == {"a.html": b"new", "manifest.json": b"old"}
    assert hidden(folder) == []


@pytest.mark.parametrize("swaps", [True, False])
def test_an_error_at_any_write_leaves_the_old_folder_or_the_new_one(tmp_path, trouble, monkeypatch, swaps):
    """The disk is full at the k-th write, rename or new folder, for every k; with and without the one-step exchange."""
    if not swaps:
        monkeypatch.setattr(publishing, "_swap", lambda one, other: False)
    refused, k = 0, 0
    while True:
        k += 1
        folder = tmp_path / f"{k}" / "2026"
        publish(folder, OLD)
        trouble.seen, trouble.at, trouble.kill = 0, k, False
        refusal = attempt(lambda folder=folder: publish(folder, NEW, keep=False))
        reached, trouble.at = trouble.seen >= k, None
        if refusal is None:
            assert files(folder) == NEW
        else:
            refused += 1
            assert files(folder) == OLD
            assert refusal.text("en") == (
                "The reports were made but could not be put into “2026” (No space left on device). "
                "The old reports are untouched."
            )
        if not reached:
            break
    assert refused >= 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process is killed in a fork of it")
@pytest.mark.parametrize("swaps", [True, False])
def test_a_kill_at_any_write_leaves_the_old_folder_or_the_new_one(tmp_path, trouble, monkeypatch, swaps):
    """Killed before the k-th step. Where two renames are needed, the next run brings the old folder back."""
    if not swaps:
        monkeypatch.setattr(publishing, "_swap", lambda one, other: False)
    k, killed = 0, True
    while killed:
        k += 1
        folder = tmp_path / f"{k}" / "2026"
        publish(folder, OLD)
        child = os.fork()
        if child == 0:
            trouble.seen, trouble.at, trouble.kill = 0, k, True
            publish(folder, NEW, keep=False)
            os._exit(0)
        killed = os.waitpid(child, 0)[1] != 0
        if not swaps:
            recover(folder)
        assert files(folder) in (OLD, NEW)
    assert files(folder) == NEW
    assert k > 6


def test_what_a_killed_run_left_behind_goes_after_a_day(tmp_path):
    """A younger one may belong to a run that is still at work."""
    folder = tmp_path / "2026"
    for name, age in ((".building-old", 90_000), (".building-young", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, times=(0, (tmp_path / name).stat().st_mtime - age))
    publish(folder, OLD)
    assert hidden(folder) == [".building-young"]


def test_one_file_is_replaced_whole(tmp_path, trouble):
    """The page of all studies: the old one or the new one."""
    file = tmp_path / "index.html"
    for k in range(1, 4):
        replace_file(file, b"old")
        trouble.seen, trouble.at, trouble.kill = 0, k, False
        refusal = attempt(lambda: replace_file(file, b"new"))
        trouble.at = None
        assert file.read_bytes() == (b"new" if refusal is None else b"old")
    replace_file(file, b"new")
    assert file.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]


def test_a_place_that_cannot_hold_reports_is_refused_before_anything_runs(tmp_path):
    """A file where a folder should be; nothing is created to find out."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError):
        require_folder(tmp_path / "file" / "reports")
    require_folder(tmp_path / "new" / "reports")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
