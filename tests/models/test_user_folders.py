"""Where nothing can be kept: no home, one that is not there, or is read-only. It is said once, and nothing breaks."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.cards.card import BUNDLED
from models.runtime import user_folders
from models.user_code import consent
from models.zoo import cached
from viewer.saving.crash_recovery import Kept
from viewer.session.document import Document
from viewer.session.preferences import Settings

NOWHERE = "/proc/nowhere"  # where not even root can make a folder
MAIN = BUNDLED.parents[1] / "main.py"
SAMPLE = next((BUNDLED.parent / "samples").glob("*.png"))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No variable that names a folder, and nothing of it known from before."""
    for name in ("VITRINE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    user_folders._writable.cache_clear()
    user_folders._temporary.cache_clear()
    user_folders._reported.clear()
    writable = user_folders._writable
    yield monkeypatch
    writable.cache_clear()
    user_folders._temporary.cache_clear()
    user_folders._reported.clear()


def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("kind", ["none", "missing", "named"])
def test_without_a_home_everything_is_kept_for_this_run_and_that_is_said_once(
    bare: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    bare.chdir(tmp_path)
    if kind == "none":
        unknown(bare)
    elif kind == "missing":
        bare.setenv("HOME", NOWHERE)
    else:
        bare.setenv("VITRINE_HOME", f"{NOWHERE}/vitrine")
    settings = Settings.load()
    assert [text for text in settings.notes if "not remembered beyond this run" in text] == settings.notes
    assert len(settings.notes) == 1 and not Settings.load().notes and not user_folders.note()
    assert settings.folder == user_folders.home() and settings.folder.is_relative_to(tempfile.gettempdir())
    assert os.environ["VITRINE_HOME"] == str(settings.folder), "the engine's process keeps things there too"
    settings.theme = "dark"
    assert settings.save() and Settings.load().theme == "dark"

    code = tmp_path / "code.py"
    code.write_text("x = 1\n")
    digest = hashlib.sha256(code.read_bytes()).hexdigest()
    consent.allow(code, digest)
    assert digest in consent.allowed()
    kept = Kept(settings.folder)
    kept.write(Document())
    assert kept.path.exists()
    kept.end()
    if kind != "named":
        assert cached.checkpoints().is_relative_to(settings.folder)
        assert cached.hub_cache().is_relative_to(settings.folder)
        assert user_folders.user_folder().is_dir()
    assert [p.name for p in tmp_path.iterdir()] == ["code.py"], "no folder called ~"


def test_what_was_set_in_a_home_that_is_read_only_holds_for_this_run(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"theme": "dark"}))
    (tmp_path / "allowed.json").write_text(json.dumps({"0" * 64: "x.py"}))
    bare.setenv("VITRINE_HOME", str(tmp_path))
    bare.setattr(user_folders, "_writable", lambda folder: folder != tmp_path)
    settings = Settings.load()
    assert settings.theme == "dark" and list(consent.allowed()) == ["0" * 64]
    assert settings.folder != tmp_path and f"{tmp_path} cannot be written to" in settings.notes[0]


def test_an_engine_that_is_confined_looks_where_the_program_does(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What it could write in the folder's stead must not allow code to run."""
    bare.setenv("VITRINE_HOME", str(tmp_path))
    bare.setattr(user_folders, "_writable", lambda folder: False)
    assert user_folders.home() == tmp_path and consent.allowed() == {}
    assert os.environ["VITRINE_HOME"] == str(tmp_path)


def test_a_home_that_can_be_written_to_is_looked_at_and_left_as_it_is(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setenv("VITRINE_HOME", str(tmp_path / "a" / "b"))
    user_folders.prepare()
    assert user_folders.home() == tmp_path / "a" / "b" and not user_folders.note()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_program_answers_without_a_home_and_says_it_once(tmp_path: Path) -> None:
    known = {"PATH", "LANG", "LD_LIBRARY_PATH"}
    environment = {k: v for k, v in os.environ.items() if k in known}
    environment |= {"HOME": NOWHERE, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen", "TMPDIR": str(tmp_path)}
    out = tmp_path / "out"
    command = [sys.executable, str(MAIN), "run", "detect", str(SAMPLE), "--model", "digits-ssd", "--out", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not remembered beyond this run") == 1 and "Traceback" not in done.stderr
    assert list(out.glob("*.json")) and not list(tmp_path.glob("vitrine-*")), "the folder goes with the process"

    shot = tmp_path / "shot.png"
    command = [sys.executable, str(MAIN), "--screenshot", str(shot), str(SAMPLE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and shot.exists() and "Traceback" not in done.stderr, done.stderr
    assert not list(tmp_path.glob("vitrine-*"))
