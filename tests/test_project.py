"""The project keeps its own promises: one list of packages, a whole lock, clean notebooks, nothing of one machine."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
NOTEBOOKS = sorted(p for p in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)

# conda-forge's names where they differ from those of the Python index
PYTHON_INDEX_NAME = {"brotli-python": "brotli", "python-duckdb": "duckdb", "playwright-python": "playwright"}


def project_files() -> list[Path]:
    """Files that git keeps or would keep."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = listed.stdout.decode("utf-8").split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def requirements() -> dict[str, Requirement]:
    """What pyproject.toml asks for, to run and to test."""
    lines = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


def conda_lines() -> list[str]:
    return [line for line in CONDA["dependencies"] if isinstance(line, str)]


def conda_pip_lines() -> list[str]:
    return next(line["pip"] for line in CONDA["dependencies"] if isinstance(line, dict))


# --- one list of packages ---


def test_every_requirement_has_a_lower_bound():
    """cx.py compares versions without a library, so it reads `name>=1.2.3` and perhaps `,<4`, and nothing else."""
    for line in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]:
        assert re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?>=\d+(\.\d+)*(,<\d+)?", line), line


def test_conda_and_python_lists_name_the_same_packages_with_the_same_lower_bounds():
    conda = {}
    for line in conda_lines():
        name, _, bound = line.partition(" ")
        if name not in ("python", "pip"):
            conda[PYTHON_INDEX_NAME.get(name, name)] = SpecifierSet(bound)
    for line in conda_pip_lines():
        conda[Requirement(line).name] = Requirement(line).specifier
    assert conda == {name: requirement.specifier for name, requirement in requirements().items()}


def test_conda_environment_is_one_that_conda_can_read():
    assert CONDA["name"] == "cxkit"
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert "pip" in conda_lines(), "pip: is ignored with a warning when pip itself is not asked for"
    assert len(conda_lines()) == len({line.split(" ")[0] for line in conda_lines()})


def test_conda_asks_for_the_python_of_the_project():
    assert f"python {PROJECT['project']['requires-python']}" in conda_lines()


def test_only_what_conda_forge_lacks_stands_under_pip():
    """icu4py is, as far as known, on the Python index alone."""
    assert [Requirement(line).name for line in conda_pip_lines()] == ["icu4py"]


# --- the lock ---


def locked() -> list[tuple[Requirement, int]]:
    """Each requirement of the lock with its number of hashes."""
    found = []
    for block in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE).strip()):
        head, *rest = [line.rstrip("\\ ") for line in block.splitlines()]
        hashes = [line.strip() for line in rest]
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), head
        found.append((Requirement(head), len(hashes)))
    return found


def test_lock_pins_and_hashes_every_package():
    for requirement, hashes in locked():
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), requirement
        assert hashes >= 1, requirement


@pytest.mark.parametrize("python", ["3.11.9", "3.12.5", "3.13.0"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_lock_covers_every_requirement_within_its_bounds(python: str, system: str):
    here = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": system,
        "os_name": "nt" if system == "win32" else "posix",
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[system],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    pins = [r for r, _ in locked() if r.marker is None or r.marker.evaluate(here)]
    versions = {canonicalize_name(pin.name): Version(str(pin.specifier)[2:]) for pin in pins}
    assert len(versions) == len(pins), "two pins of one package"
    for name, requirement in requirements().items():
        assert name in versions
        assert versions[name] in requirement.specifier


def test_lock_names_no_address_and_no_machine():
    assert not re.search(r"://|@|\.whl|(^|\s)-[ief]\b|index-url|find-links", LOCK)
    assert LOCK.startswith("# This file was autogenerated by uv via the following command:\n#    make lock\n")


def test_lock_was_made_from_this_pyproject():
    """`make lock` resolves these very lists: a new requirement without a new lock fails here, not at the analyst's."""
    pins = {canonicalize_name(requirement.name) for requirement, _ in locked()}
    assert set(requirements()) <= pins
    assert "hatchling" in pins, "needed to install cxkit itself without asking the network"


# --- licence, tree, addresses ---


def test_licence_is_permissive():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n")
    assert "The cxkit authors" in text
    assert "to deal\nin the Software without restriction" in text
    assert PROJECT["project"]["license"] == "MIT"


def test_readme_tree_names_every_entry_of_the_top_level_and_no_other():
    """Entries that start with a dot are settings of git and the like; they need not be named, nor the README itself."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = next(block for block in re.findall(r"```text\n(.*?)```", readme, flags=re.DOTALL) if "cx.py" in block)
    named = set(re.findall(r"^([\w.-]+)/?(?=\s)", tree, flags=re.MULTILINE))
    there = {path.relative_to(ROOT).parts[0] for path in project_files()} - {"README.md"}
    assert {name for name in there - named if not name.startswith(".")} == set(), "here, but not in the tree"
    assert named - there == set(), "in the tree, but not here"


def test_no_file_names_a_path_of_one_machine_or_a_package_registry():
    own_place = re.compile(r"(?<![\w.])/(?:work|root|tmp|home|Users|farm)/\w|[A-Z]:\\Users\\")
    registry = re.compile(r"pypi\.org|pythonhosted\.org|conda\.anaconda\.org|--(?:extra-)?index-url|--find-links")
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture, or a fixture in another encoding
        if path == Path(__file__).resolve():
            continue
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in [own_place.search(text), registry.search(text)] if m]
    assert found == []


# --- the package ---


def test_importing_cxkit_loads_no_heavy_library():
    """A kernel that only opens a study shall not pay for all of them (nltk alone is 1.5 s of CPU)."""
    heavy = ["nltk", "seaborn", "scipy.stats", "matplotlib.pyplot", "papermill", "nbconvert", "IPython"]
    code = f"import sys, cxkit; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_house_has_no_module_larger_than_its_limit():
    """design.md: about 6,000 lines in all, no file over 500."""
    lengths = {str(p): len(p.read_text(encoding="utf-8").splitlines()) for p in (ROOT / "cxkit").rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 500} == {}


# --- notebooks ---


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_notebooks_are_valid_and_their_cells_have_names(notebook: nbformat.NotebookNode):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    assert [i for i in ids if not re.fullmatch(r"[a-z][a-z0-9-]*", i) or re.fullmatch(r"[0-9a-f]{8}", i)] == []


def test_notebooks_are_kept_without_outputs(notebook: nbformat.NotebookNode):
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.slow
def test_notebooks_are_what_nbstripout_would_leave():
    if not NOTEBOOKS:
        pytest.skip("no notebooks")
    command = [sys.executable, "-m", "nbstripout", "--verify", "--keep-id", *map(str, NOTEBOOKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_notebooks_have_one_parameters_cell(notebook: nbformat.NotebookNode):
    tagged = [cell for cell in code_cells(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert re.fullmatch(r"[a-z_]+: (str|int|float|bool) = [^#|]+  # .+", line), line
    for statement in ast.parse(tagged[0].source).body:
        ast.literal_eval(statement.value)


def test_notebooks_define_and_print_nothing(notebook: nbformat.NotebookNode):
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda), cell.id
            assert not (isinstance(node, ast.Name) and node.id == "print"), cell.id


def test_notebooks_say_something_before_every_step(notebook: nbformat.NotebookNode):
    """style-guide.md: title first, a sentence before every code cell; a table and its picture are one step."""
    assert notebook.cells[0].source.startswith("# ")
    kinds = "".join(cell.cell_type[0] for cell in notebook.cells)
    assert "ccc" not in kinds


def test_notebooks_are_json_that_changes_little(notebook: nbformat.NotebookNode, request: pytest.FixtureRequest):
    """Written by nbformat, so that a changed cell is a changed line and nothing else."""
    path = request.node.callspec.params["notebook"]
    written = path.read_text(encoding="utf-8")
    assert json.loads(written)
    assert written == nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"
