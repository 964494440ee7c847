#!/usr/bin/env python3
"""Set cxkit up and run it. Needs git's copy of this folder and Python 3.11 or newer, nothing else.

    python3 cx.py report    make the sample study and its reports in English, Arabic and Persian
    python3 cx.py test      run all tests; further words go to pytest
    python3 cx.py check     style, types, floors of the house, quick tests
    python3 cx.py bench     speed and memory
    python3 cx.py calibrate how often tests cry wolf and intervals miss; writes docs/calibration.md
    python3 cx.py lab       open the notebooks in JupyterLab
    python3 cx.py setup     only set up
    python3 cx.py engines   set up, and add Spark (460 MB, needs Java 17) for the tests that count with it
    python3 cx.py help      this text

The active environment is used when cxkit of this folder is installed there with all it needs.
Otherwise .venv is made here once, from requirements.lock: by uv where it is found, else by venv and pip.
"""

import concurrent.futures
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

# This file keeps to what Python 3.6 can read, so that an old Python gets a sentence and not a SyntaxError.
OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
HEARTBEAT_SECONDS = 10

RUNS = {
    "report": ["-m", "cxkit", "report"],
    "test": ["-m", "pytest", "-n", "2", "--dist", "loadgroup", "--durations=15", "--durations-min=1"],
    "bench": ["-m", "benchmarks"],
    "calibrate": ["-m", "calibration"],
    "lab": [
        "-m",
        "jupyterlab",
        "--ServerApp.root_dir=.",
        "--LabApp.default_url=/lab/tree/notebooks",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ],
}
CHECKS = {
    "style": ["-m", "ruff", "check", "."],
    "format": ["-m", "ruff", "format", "--check", "."],
    "types": ["-m", "mypy"],
    "floors": ["-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-logo"],
    "quick tests": ["-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-m", "not slow and not lab and not real"],
}

# Run by the Python in question: prints why cxkit of this folder cannot run there, or nothing.
PROBE = r"""
import importlib.metadata, importlib.util, json, os, re, sys

def release(version):
    return [int(part) for part in re.match(r"\d+(?:\.\d+)*", version).group().split(".")]

def lacking(root, oldest, wanted):
    if list(sys.version_info[:2]) < oldest:
        return "Python %d.%d or newer" % tuple(oldest)
    found = importlib.util.find_spec("cxkit")
    if not found or not found.origin or not os.path.samefile(os.path.dirname(os.path.dirname(found.origin)), root):
        return "cxkit of this folder"
    for line in wanted:
        pattern = r"([\w.-]+)(?:\[.*?\])?>=([\d.]+)(?:,<(\d+))?$"
        name, bound, below = re.match(pattern, line.replace(" ", "")).groups()
        try:
            found = release(importlib.metadata.version(name))
            if found < release(bound) or (below and found >= release(below)):
                return line
        except importlib.metadata.PackageNotFoundError:
            return line
    return ""

print(json.dumps(lacking(**json.loads(sys.argv[1]))))
"""


class Refusal(Exception):  # noqa: N818 - it refuses, it did not fail
    """One line for the person at the terminal: what is wrong and what to do."""

    def __init__(self, line: str, code: int = 2) -> None:
        super().__init__(line)
        self.code = code


def say(line: str) -> None:
    """One line to the terminal, at once."""
    print("cx: " + line, flush=True)


def too_old(version: Sequence[int], again: str = "report") -> str:
    """What to do about a Python of this version; empty when it is new enough."""
    if tuple(version[:2]) >= OLDEST:
        return ""
    mine = ".".join(str(part) for part in version[:3])
    newer = newer_python()
    do = f"run: {newer} {sys.argv[0]} {again}" if newer else "install one and run this again with it"
    return f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed and this is {mine}; {do}"


def newer_python() -> Optional[str]:
    """Name of a Python on the path that is new enough and starts."""
    names = [f"python3.{minor}" for minor in range(OLDEST[1] + 5, OLDEST[1] - 1, -1)]
    return next(filter(starts, names), None)


def starts(python: Union[str, Path], more: str = "") -> bool:
    """Whether this Python is there, is new enough and can do `more`."""
    test = f"import sys; assert sys.version_info >= {OLDEST}{more}"
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run([str(python), "-c", test], stdout=quiet, stderr=quiet, check=False).returncode == 0
    except OSError:
        return False


# --- which Python ---


def project() -> Dict:
    """What pyproject.toml says."""
    import tomllib  # Python 3.11; this file must be readable by older ones

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def wanted(dev: bool) -> List[str]:
    """Requirements, written `name>=bound` or `name>=bound,<below`; with `dev` also those of tests and checks."""
    table = project()
    return table["project"]["dependencies"] + (table["dependency-groups"]["dev"] if dev else [])


def python_in(folder: Path) -> Path:
    """The interpreter of a virtual or conda environment."""
    if os.name != "nt":
        return folder / "bin" / "python"
    return next((p for p in (folder / "Scripts" / "python.exe", folder / "python.exe") if p.exists()), folder)


def lacks(python: Path, dev: bool) -> str:
    """What this Python lacks to run the kit; empty when it lacks nothing."""
    question = json.dumps({"root": str(ROOT), "oldest": OLDEST, "wanted": wanted(dev)})
    try:
        answer = subprocess.run([str(python), "-I", "-c", PROBE, question], capture_output=True, check=False)
        return json.loads(answer.stdout.decode("ascii"))
    except (OSError, ValueError):
        return "a Python that starts"


def active_environments() -> List[Path]:
    """Interpreters of the environments that are active, without our own .venv."""
    named = [os.environ.get("VIRTUAL_ENV"), os.environ.get("CONDA_PREFIX")]
    pythons = [Path(sys.executable)] + [python_in(Path(folder)) for folder in named if folder]
    return [python for python in {p.parent: p for p in pythons}.values() if venv() not in python.parents]


def choose(dev: bool) -> Path:
    """The Python to run with; .venv is made or mended if no active environment can do it."""
    for python in active_environments():
        lacking = lacks(python, dev)
        if not lacking:
            return python
        if python != Path(sys.executable) or sys.prefix != sys.base_prefix:
            say(f"the active environment {python.parent.parent} lacks {lacking}; using .venv")
    with alone():
        if not ready():
            begun = time.monotonic()
            set_up()
            say(f"stage setup {time.monotonic() - begun:.0f} s")
    return python_in(venv())


# --- our own environment: .venv ---


def venv() -> Path:
    """Folder of our own environment."""
    return ROOT / ".venv"


def stamp_file() -> Path:
    """Where .venv says what it was made from."""
    return venv() / "cxkit-setup.json"


def stamp(state: str) -> Dict[str, str]:
    """What .venv was made from: the lock, the project's tables, the folder."""
    table = project()
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    digest.update(json.dumps([table["project"], table["build-system"]], sort_keys=True).encode())
    return {"state": state, "made_from": digest.hexdigest(), "root": str(ROOT)}


def stamped() -> Dict[str, str]:
    """What .venv says it was made from; empty when it does not say."""
    try:
        return json.loads(stamp_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def ready() -> bool:
    """Whether .venv was made to the end from this lock, for this folder, and still has all it needs."""
    return stamped() == stamp("ready") and not lacks(python_in(venv()), dev=True)


def reusable(uv: Optional[str]) -> bool:
    """Whether packages can be installed into the .venv that is there: it starts and was not left half made."""
    if stamped().get("state") == "started" or stamped().get("root", str(ROOT)) != str(ROOT):
        return False
    return starts(python_in(venv()), "" if uv else "; import pip")


def set_up() -> None:
    """Make .venv or bring it up to the lock."""
    uv = shutil.which("uv")
    say("setting up .venv with {}; this is done once".format("uv" if uv else "venv and pip (a minute or two)"))
    if not reusable(uv):
        create(uv)
    stamp_file().write_text(json.dumps(stamp("started")), encoding="utf-8")
    for what, command in installation(uv):
        step(what, command)
    stamp_file().write_text(json.dumps(stamp("ready")), encoding="utf-8")


def create(uv: Optional[str]) -> None:
    """An empty .venv in place of what is there."""
    base = getattr(sys, "_base_executable", None) or sys.executable  # cx.py may itself be run by .venv's Python
    if venv().is_symlink():
        venv().unlink()
    elif venv().exists():
        shutil.rmtree(str(venv()))
    if uv:
        command = [uv, "venv", "--quiet", "--python", base, str(venv())]
    else:
        need_venv()
        command = [base, "-m", "venv", str(venv())]
    step("making .venv", command)


def need_venv() -> None:
    """Debian and Ubuntu keep venv in a package of its own."""
    if all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return
    raise Refusal(
        "this Python cannot make environments; on Debian or Ubuntu run: {}apt install python3.{}-venv"
        " (or install uv), then run this again".format("sudo " if effective_user() else "", sys.version_info[1])
    )


def effective_user() -> int:
    """0 for root."""
    return os.geteuid() if hasattr(os, "geteuid") else 1


def installation(uv: Optional[str]) -> Iterator[Tuple[str, List[str]]]:
    """The steps from an empty .venv to one that runs the kit."""
    python, lock = str(python_in(venv())), str(ROOT / "requirements.lock")
    from_lock = ["--no-deps", "--require-hashes", "-r", lock]
    itself = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    if uv:
        install = [uv, "pip", "install", "--python", python]
        yield "installing", [*install, "--compile-bytecode", *from_lock]
        yield "installing cxkit", [*install, *itself]
        return
    install = [python, "-m", "pip", "install", "--progress-bar", "off"]
    yield "installing", [*install, "--no-compile", *from_lock]
    # All cores at once, and not the packages' own tests: a third of the time pip would take.
    yield "compiling", [python, "-m", "compileall", "-q", "-j", "0", "-x", r"[/\\]tests?[/\\]", str(venv())]
    yield "installing cxkit", [*install, *itself]


def add_engines(python: Path) -> None:
    """Spark's Python package into an environment that is ready; published as a source, it is built without asking."""
    uv, begun = shutil.which("uv"), time.monotonic()
    install = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
    lock = str(ROOT / "engines.lock")
    step("installing Spark", [*install, "--no-deps", "--no-build-isolation", "--require-hashes", "-r", lock])
    say(f"stage engines {time.monotonic() - begun:.0f} s")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait while another terminal sets up this folder (where the system can lock a folder)."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder = os.open(str(ROOT), os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network drives cannot lock
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another terminal that sets up this folder")
                fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


# --- running ---


def environment(python: Path) -> Dict[str, str]:
    """Variables for what we start: this environment's programs first, bytecode kept, nothing from other Pythons."""
    drop = {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "UV_SYSTEM_PYTHON", "PIP_USER", "PIP_TARGET"}
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    kept.setdefault("PYTHONUTF8", "1")
    kept.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PATH=str(python.parent) + os.pathsep + kept.get("PATH", ""))
    if venv() in python.parents:
        kept["VIRTUAL_ENV"] = str(venv())
    return kept


def step(what: str, command: List[str]) -> None:
    """Run one step of the setup; a line now and then while it takes its time, its output only if it fails."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as sink:
            env = environment(python_in(venv()))
            child = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, cwd=str(ROOT), env=env)
            try:
                while child.poll() is None:
                    try:
                        child.wait(HEARTBEAT_SECONDS)
                    except subprocess.TimeoutExpired:
                        say(f"{what}, {time.monotonic() - begun:.0f} s{fetched(log)}")
            finally:
                child.terminate()
                child.wait()
        output = log.read_text(encoding="utf-8", errors="replace")
    if child.returncode and what != "compiling":  # a package may carry a file that no Python compiles
        sys.stderr.write("\n".join(output.splitlines()[-20:]) + "\n")
        raise Refusal(f"{what} failed; its last lines are above. Mend that and run this again", code=1)


def fetched(log: Path) -> str:
    """How far pip has come, from what it wrote."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if any(line.startswith("Installing collected") for line in lines):
        return ": all fetched, unpacking"
    count = sum(line.startswith(("Collecting ", "Processing ")) for line in lines)
    return f": {count} packages fetched" if count else ""


def run(python: Path, arguments: List[str]) -> int:
    """Run in the kit's folder until it ends by itself; its exit code. Ctrl-C is left to what runs."""
    child = subprocess.Popen([str(python), *arguments], cwd=str(ROOT), env=environment(python))
    signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
    while child.returncode is None:
        with contextlib.suppress(KeyboardInterrupt):
            child.wait()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def check(python: Path) -> int:
    """Every check, side by side; a line for each and the output of those that fail. 0 when all pass."""

    def one(name: str) -> Tuple[str, int, str, float]:
        begun = time.monotonic()
        command, env = [str(python), *CHECKS[name]], environment(python)
        done = subprocess.run(command, cwd=str(ROOT), env=env, capture_output=True, check=False)
        return name, done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace"), time.monotonic() - begun

    worst = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for name, code, output, seconds in pool.map(one, CHECKS):
            say("check {} {}, {:.0f} s".format(name, "FAILED" if code else "ok", seconds))
            if code:
                print(output, flush=True)
            worst = max(worst, code)
    return worst


def main(words: List[str]) -> int:
    """Do what the words ask; the exit code. 2: nothing was run."""
    command, rest = (words[0], words[1:]) if words else ("help", [])
    old = too_old(sys.version_info, command)
    if old:
        raise Refusal(old)
    sys.stdout.reconfigure(errors="replace")  # a folder's name may have letters that the terminal has not
    if command in ("help", "-h", "--help"):
        print(__doc__)
        return 0
    known = [*RUNS, "check", "setup", "engines"]
    if command not in known:
        raise Refusal("there is no '{}'; there is: {}".format(command, ", ".join([*known, "help"])))
    python = choose(dev=command not in ("report", "lab"))
    begun = time.monotonic()
    if command == "engines":
        add_engines(python)
    if command in ("setup", "engines"):
        say(f"ready: {python}")
        return 0
    code = check(python) if command == "check" else run(python, RUNS[command] + rest)
    say(f"stage {command} {time.monotonic() - begun:.0f} s")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refusal as refusal:
        sys.stderr.write(f"cx: {refusal}\n")
        sys.exit(refusal.code)
    except KeyboardInterrupt:
        sys.stderr.write("cx: stopped; run the same again to go on\n")
        sys.exit(130)
