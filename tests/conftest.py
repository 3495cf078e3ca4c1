"""For every test: no screen, and no setting of the user's own is read or written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("vitrine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vitrine")
# The files that take longest, begun first: a process that begins one last would work on alone.
FIRST = (
    "contracts/test_inspections.py",
    "viewer/test_survival.py",
    "stories/test_every_pair.py",
    "stories/test_documented_commands.py",
    "models/test_heads.py",
    "stories/test_command_line.py",
    "trust/test_sandbox.py",
    "models/test_survival.py",
    "viewer/test_live_engine.py",
    "models/test_recognise_detectors.py",
    "trust/test_fuzzed_files.py",
    "stories/test_attribution_command_line.py",
    "stories/test_window_walk.py",
    "models/test_class_activation.py",
)
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["LC_ALL"] = "C.UTF-8"  # the window speaks the system's language


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    places = {name: place for place, name in enumerate(FIRST)}
    here = Path(__file__).parent
    items.sort(key=lambda item: places.get(item.path.relative_to(here).as_posix(), len(FIRST)))


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("VITRINE_HOME", str(home))
    monkeypatch.setenv("PYTHONSAFEPATH", "")  # which `main` sets for its children, not for those of later tests
    return home


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of a quarter of a megabyte."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    place = tmp_path / "disk"
    place.mkdir()
    if mount is None or umount is None:
        pytest.skip("this system has no mount")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "none", place], check=False)
    if done.returncode:
        pytest.skip("only root may mount a disk")
    try:
        yield place
    finally:
        subprocess.run([umount, "-l", place], check=True)  # also while a memory map of it is open
