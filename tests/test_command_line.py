"""The command line as an analyst meets it: a refusal is one sentence and an exit code, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def cxkit(folder, *words, lang="en"):
    """Exit code and what the error stream says."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "CXKIT_LANG": lang, "PYTHONPATH": path, "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "cxkit", *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, done.stderr.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (("run", "x", "-p", "kpi"), 2, "Parameters are written name=value, such as -p kpi=csat; “kpi” has no “=”."),
        (("run", "x", "-p", "by=a", "-p", "by=b"), 2, "Parameter “by” is given twice. Give it once."),
        (("run", "x", "--lang", " , "), 2, "No language was named. There are: en, ar, fa."),
        (("run", "x", "--lang", "farsi"), 2, "There is no language “farsi” here (did you mean “fa”?)."),
        (("new", "s", "qqqq.csv"), 3, "There is no file “qqqq.csv”."),
    ],
)
def test_a_slip_is_answered_with_one_sentence(tmp_path, words, exit_code, says):
    code, told = cxkit(tmp_path, *words)
    assert (code, len(told.splitlines())) == (exit_code, 1)
    assert told.startswith(says)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_slip_is_answered_in_the_language_of_the_session(tmp_path):
    code, told = cxkit(tmp_path, "run", "x", "-p", "kpi", lang="fa")
    assert code == 2
    assert "علامت" in told
