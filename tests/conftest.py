"""What all tests share: the folder of the kit, the three languages, the real data, Chromium."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import engines
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

slow_is_fine = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("usual", max_examples=50, derandomize=True, **slow_is_fine)
settings.register_profile("campaign", max_examples=2000, **slow_is_fine)
settings.load_profile("usual")


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the checkout."""
    return ROOT


@pytest.fixture(params=["en", "ar", "fa"])
def lang(request: pytest.FixtureRequest) -> str:
    """Each of the three languages in turn."""
    return request.param


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data, which are not part of the kit; mark such tests with `real`."""
    folder = Path(os.environ.get("CXKIT_REAL_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("the real data are not here: set CXKIT_REAL_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; mark such tests with `lab`."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("Chromium is not here: install it or set CHROMIUM to its path")
    return found


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a PostgreSQL server of these tests' own."""
    with engines.postgresql() as address:
        yield address


@pytest.fixture(scope="session")
def spark() -> Iterator[str]:
    """Address of a Spark of this machine."""
    with engines.spark() as address:
        yield address
