"""cx.py on machines we do not have: an old Python, no venv package, a half made .venv, a folder with an odd name.

Nothing is downloaded here; the real setup was run by hand and is run by .ci/run.
"""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

import cx

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in a folder with spaces and Arabic letters; its package only says what it was asked."""
    folder = tmp_path / "my kit خدمة العملاء"
    (folder / "cxkit").mkdir(parents=True)
    for name in ("cx.py", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "cxkit" / "__init__.py").write_text("")
    (folder / "cxkit" / "__main__.py").write_text(
        "import os, sys; print('ran', sys.argv[1:], os.getcwd(), os.environ.get('PYTHONDONTWRITEBYTECODE'))\n"
        "sys.exit(7 if 'fail' in sys.argv else 0)\n",
    )
    monkeypatch.setattr(cx, "ROOT", folder)
    monkeypatch.setattr(cx, "active_environments", list)
    return folder


def environment_with_everything(folder: Path, kit: Path) -> Path:
    """A real environment that sees this one's packages and cxkit of `kit`, as an editable install would show it."""
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    here = sysconfig.get_path("purelib")
    site.joinpath("all.pth").write_text(f"{kit}\n{here}\n", encoding="utf-8")
    return folder


def run_cx(kit: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), **variables}
    command = [sys._base_executable, str(kit / "cx.py"), *words]
    return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)


class Steps:
    """Stands in for the steps that download: notes them, and makes what `making .venv` would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fail_at: str = "", uv: str | None = None):
        self.done: list[str] = []
        self.commands: list[list[str]] = []
        self.fail_at = fail_at
        monkeypatch.setattr(cx, "step", self)
        monkeypatch.setattr(cx, "lacks", lambda python, dev: "" if python.exists() else "a Python that starts")
        monkeypatch.setattr(shutil, "which", lambda name: uv if name == "uv" else None)

    def __call__(self, what: str, command: list[str]) -> None:
        if what == self.fail_at:
            raise KeyboardInterrupt
        self.done.append(what)
        self.commands.append(command)
        if what == "making .venv":
            venv.create(cx.venv(), with_pip=False)
            # pip is part of a real one; here it is enough that `import pip` works
            Path(sysconfig.get_path("purelib", vars={"base": str(cx.venv())}), "pip.py").write_text("")


ALL_STEPS = ["making .venv", "installing", "compiling", "installing cxkit"]


# --- an old Python ---


def test_an_old_python_can_read_the_script():
    """Python 3.6 is the oldest that systems of 2026 still carry; a SyntaxError would tell nobody what to do."""
    read = ast.parse((ROOT / "cx.py").read_text(encoding="utf-8"), feature_version=(3, 6))
    assert "main" in {part.name for part in read.body if isinstance(part, ast.FunctionDef)}


def test_an_old_python_is_told_in_one_line_what_to_do():
    """Its version is pretended; the real 3.6 to 3.10 were tried by hand."""
    pretend = "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0); sys.argv = ['cx.py', 'report']; "
    command = [sys.executable, "-c", pretend + f"runpy.run_path({str(ROOT / 'cx.py')!r}, run_name='__main__')"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("cx: Python 3.11 or newer is needed and this is 3.9.18; ")
    assert done.stderr.count("\n") == 1


def test_an_old_python_is_told_which_newer_one_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cx, "starts", lambda python, more="": python == "python3.12")
    monkeypatch.setattr(sys, "argv", ["cx.py"])
    expected = "Python 3.11 or newer is needed and this is 3.9.18; run: python3.12 cx.py test"
    assert cx.too_old((3, 9, 18, "final", 0), "test") == expected


def test_an_old_python_alone_is_told_to_get_a_newer_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cx, "starts", lambda python, more="": False)
    expected = "Python 3.11 or newer is needed and this is 3.6.15; install one and run this again with it"
    assert cx.too_old((3, 6, 15, "final", 0)) == expected
    assert cx.too_old((3, 11, 0, "final", 0)) == ""


# --- what is asked ---


def test_a_word_that_is_no_command_is_refused_with_those_there_are():
    done = run_cx(ROOT, "reprot")
    assert done.returncode == 2
    assert (
        done.stderr
        == "cx: there is no 'reprot'; there is: report, test, bench, calibrate, lab, check, setup, engines, help\n"
    )


def test_help_is_given_without_setting_anything_up(kit: Path):
    for words in ([], ["help"], ["--help"]):
        done = run_cx(kit, *words)
        assert done.returncode == 0
        assert "python3 cx.py report" in done.stdout
    assert not (kit / ".venv").exists()


# --- the active environment ---


def test_the_active_environment_is_used_from_any_folder_and_any_name(kit: Path, tmp_path: Path):
    active = environment_with_everything(tmp_path / "active", kit)
    done = run_cx(kit, "report", "--lang", "fa", VIRTUAL_ENV=str(active), PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stderr
    assert f"ran ['report', '--lang', 'fa'] {kit} None" in done.stdout
    assert not (kit / ".venv").exists()


def test_an_exit_code_is_passed_on(kit: Path, tmp_path: Path):
    active = environment_with_everything(tmp_path / "active", kit)
    assert run_cx(kit, "report", "fail", VIRTUAL_ENV=str(active)).returncode == 7


def test_an_environment_with_cxkit_of_another_folder_is_not_used(kit: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(kit, other)
    active = environment_with_everything(tmp_path / "active", other)
    assert cx.lacks(cx.python_in(active), dev=False) == "cxkit of this folder"


def test_an_environment_that_lacks_a_version_is_not_used(kit: Path, tmp_path: Path):
    active = environment_with_everything(tmp_path / "active", kit)
    assert cx.lacks(cx.python_in(active), dev=False) == ""
    project = (kit / "pyproject.toml").read_text(encoding="utf-8")
    (kit / "pyproject.toml").write_text(project.replace('"pandas>=3.0"', '"pandas>=99.1"'), encoding="utf-8")
    assert cx.lacks(cx.python_in(active), dev=False) == "pandas>=99.1"


def test_what_only_tests_need_is_not_asked_for_a_report(kit: Path, tmp_path: Path):
    active = environment_with_everything(tmp_path / "active", kit)
    project = (kit / "pyproject.toml").read_text(encoding="utf-8")
    (kit / "pyproject.toml").write_text(project.replace('"hatchling>=1.27"', '"no-such-package>=1"'), encoding="utf-8")
    assert cx.lacks(cx.python_in(active), dev=False) == ""
    assert cx.lacks(cx.python_in(active), dev=True) == "no-such-package>=1"


def test_an_environment_that_is_gone_is_not_used(kit: Path, tmp_path: Path):
    assert cx.lacks(cx.python_in(tmp_path / "gone"), dev=False) == "a Python that starts"


# --- our own environment ---


def test_setting_up_twice_does_nothing_the_second_time(kit: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    steps = Steps(monkeypatch)
    python = cx.choose(dev=True)
    assert python == kit / ".venv" / "bin" / "python"
    assert steps.done == ALL_STEPS
    assert "stage setup 0 s" in capsys.readouterr().out
    assert cx.choose(dev=False) == python
    assert steps.done == ALL_STEPS
    assert capsys.readouterr().out == ""


def test_uv_is_used_where_it_is_found(kit: Path, monkeypatch: pytest.MonkeyPatch):
    steps = Steps(monkeypatch, uv="/opt/bin/uv")
    cx.choose(dev=True)
    assert steps.done == ["making .venv", "installing", "installing cxkit"]
    assert {command[0] for command in steps.commands} == {"/opt/bin/uv"}
    assert {"--compile-bytecode", "--require-hashes", str(kit / "requirements.lock")} <= set(steps.commands[1])


def test_pip_installs_only_what_the_lock_has_hashes_for(kit: Path, monkeypatch: pytest.MonkeyPatch):
    steps = Steps(monkeypatch)
    cx.choose(dev=True)
    assert {"--no-deps", "--require-hashes", str(kit / "requirements.lock")} <= set(steps.commands[1])
    assert {"--no-deps", "--no-build-isolation", str(kit)} <= set(steps.commands[3])


@pytest.mark.parametrize("uv", [None, "/opt/bin/uv"])
def test_spark_comes_from_a_lock_of_its_own(kit: Path, monkeypatch: pytest.MonkeyPatch, uv: str | None):
    """It is published as a source only: what builds it is installed already, and nothing is fetched unhashed."""
    steps = Steps(monkeypatch, uv=uv)
    assert cx.main(["engines"]) == 0
    assert steps.done[-2:] == ["installing cxkit", "installing Spark"]
    held = {"--no-deps", "--no-build-isolation", "--require-hashes", str(kit / "engines.lock")}
    assert held <= set(steps.commands[-1])
    assert str(kit / "requirements.lock") not in steps.commands[-1]


def test_a_new_lock_is_installed_into_the_same_environment(kit: Path, monkeypatch: pytest.MonkeyPatch):
    steps = Steps(monkeypatch)
    cx.choose(dev=True)
    with (kit / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    cx.choose(dev=True)
    assert steps.done == ALL_STEPS + ALL_STEPS[1:]


def test_settings_of_tools_do_not_ask_for_a_new_setup(kit: Path, monkeypatch: pytest.MonkeyPatch):
    steps = Steps(monkeypatch)
    cx.choose(dev=True)
    with (kit / "pyproject.toml").open("a") as project:
        project.write("\n[tool.other]\nx = 1\n")
    cx.choose(dev=True)
    assert steps.done == ALL_STEPS


def test_a_setup_that_was_stopped_starts_anew(kit: Path, monkeypatch: pytest.MonkeyPatch):
    """Half an installed package may look whole to pip, so what was left half made is not trusted."""
    steps = Steps(monkeypatch, fail_at="compiling")
    with pytest.raises(KeyboardInterrupt):
        cx.choose(dev=True)
    assert not cx.ready()
    (cx.venv() / "left over").write_text("")
    steps.fail_at = ""
    steps.done.clear()
    cx.choose(dev=True)
    assert steps.done == ALL_STEPS
    assert not (cx.venv() / "left over").exists()
    assert cx.ready()


def test_an_environment_that_was_stopped_while_it_was_made_is_made_anew(kit: Path, monkeypatch: pytest.MonkeyPatch):
    venv.create(kit / ".venv", with_pip=False)  # as `python -m venv` leaves it before pip is in
    steps = Steps(monkeypatch)
    cx.choose(dev=True)
    assert steps.done == ALL_STEPS


def test_a_moved_folder_gets_a_new_environment(kit: Path, monkeypatch: pytest.MonkeyPatch):
    """Environments hold absolute paths: that of a copied or renamed checkout would run the old folder's code."""
    steps = Steps(monkeypatch)
    cx.choose(dev=True)
    moved = kit.rename(kit.with_name("moved"))
    monkeypatch.setattr(cx, "ROOT", moved)
    steps.done.clear()
    cx.choose(dev=True)
    assert steps.done == ALL_STEPS


def test_a_package_taken_out_by_hand_is_put_back(kit: Path, monkeypatch: pytest.MonkeyPatch):
    steps = Steps(monkeypatch)
    cx.choose(dev=True)
    steps.done.clear()
    answers = iter(["pandas>=3.0", ""])
    monkeypatch.setattr(cx, "lacks", lambda python, dev: next(answers))
    cx.choose(dev=True)
    assert steps.done == ALL_STEPS[1:]


def test_a_python_without_venv_says_the_line_to_type(kit: Path, monkeypatch: pytest.MonkeyPatch):
    """Debian and Ubuntu only suggest python3-venv; without it ensurepip is missing."""
    Steps(monkeypatch)
    monkeypatch.setattr(cx.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    monkeypatch.setattr(cx, "effective_user", lambda: 1000)
    with pytest.raises(cx.Refusal) as refusal:
        cx.choose(dev=True)
    minor = sys.version_info[1]
    assert str(refusal.value) == (
        f"this Python cannot make environments; on Debian or Ubuntu run: sudo apt install python3.{minor}-venv"
        " (or install uv), then run this again"
    )
    assert refusal.value.code == 2
    monkeypatch.setattr(cx, "effective_user", lambda: 0)
    with pytest.raises(cx.Refusal, match="run: apt install"):
        cx.choose(dev=True)


# --- steps and runs ---


def test_a_long_step_is_not_silent(kit: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(cx, "HEARTBEAT_SECONDS", 0.2)
    code = "import time; print('Collecting a\\nProcessing b', flush=True); time.sleep(.5)"
    cx.step("installing", [sys.executable, "-c", code])
    assert "cx: installing, 0 s: 2 packages fetched\n" in capsys.readouterr().out


def test_a_step_that_fails_shows_its_last_lines(kit: Path, capsys):
    with pytest.raises(cx.Refusal, match="installing failed; its last lines are above") as refusal:
        cx.step("installing", [sys.executable, "-c", "print('ERROR: no network'); raise SystemExit(1)"])
    assert refusal.value.code == 1
    assert "ERROR: no network" in capsys.readouterr().err


def test_what_runs_gets_no_variables_of_other_pythons(kit: Path, monkeypatch: pytest.MonkeyPatch):
    """Without bytecode every kernel starts about twice as slowly."""
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH"):
        monkeypatch.setenv(name, "1")
    env = cx.environment(cx.python_in(cx.venv()))
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH"} & set(env)
    assert env["VIRTUAL_ENV"] == str(kit / ".venv")
    assert env["PATH"].startswith(str(kit / ".venv" / "bin"))


def test_check_runs_every_check_and_fails_when_one_does(kit: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    checks = {"good": ["-c", "print('quiet')"], "bad": ["-c", "print('loud'); raise SystemExit(3)"], "last": ["-c", ""]}
    monkeypatch.setattr(cx, "CHECKS", checks)
    assert cx.check(Path(sys.executable)) == 3
    said = capsys.readouterr().out
    assert [line.split(",")[0] for line in said.splitlines() if line.startswith("cx: check")] == [
        "cx: check good ok",
        "cx: check bad FAILED",
        "cx: check last ok",
    ]
    assert "loud" in said
    assert "quiet" not in said


@pytest.mark.skipif(os.name == "nt", reason="signals are different on Windows")
def test_a_run_that_is_told_to_stop_stops_what_it_started(kit: Path, tmp_path: Path):
    active = environment_with_everything(tmp_path / "active", kit)
    (kit / "cxkit" / "__main__.py").write_text(
        "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    )
    env = {"PATH": os.environ["PATH"], "VIRTUAL_ENV": str(active)}
    run = subprocess.Popen([sys._base_executable, str(kit / "cx.py"), "report"], env=env, stdout=subprocess.PIPE)
    for _ in range(100):
        if (kit / "pid").exists() and (kit / "pid").read_text():
            break
        time.sleep(0.1)
    run.send_signal(signal.SIGTERM)
    assert run.wait(20) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((kit / "pid").read_text()), 0)


def test_the_stamp_says_what_the_environment_was_made_from(kit: Path, monkeypatch: pytest.MonkeyPatch):
    Steps(monkeypatch)
    cx.choose(dev=True)
    stamp = json.loads((kit / ".venv" / "cxkit-setup.json").read_text(encoding="utf-8"))
    assert stamp["state"] == "ready"
    assert stamp["root"] == str(kit)
    assert len(stamp["made_from"]) == 64
