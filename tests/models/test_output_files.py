"""Files that are written: whole or not at all, sets of them together, through links, and never into what is no file."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models import output_files
from models.output_files import OutputFiles, write_whole

ROOT = Path(__file__).resolve().parents[2]
FULL_BYTES = 256 << 10  # of `small_disk`


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_full_disk_leaves_the_older_file_and_is_told(small_disk: Path) -> None:
    write_whole(small_disk / "a.json", b"good")
    with pytest.raises(OSError, match="No space") as caught:
        write_whole(small_disk / "a.json", bytes(2 * FULL_BYTES))
    assert caught.value.filename == str(small_disk / "a.json")
    assert (small_disk / "a.json").read_bytes() == b"good" and names(small_disk) == {"a.json"}


def test_of_a_set_all_or_none_appear(small_disk: Path) -> None:
    write_whole(small_disk / "a.json", "old")
    with pytest.raises(OSError), OutputFiles() as files:
        files.add(small_disk / "a.json", "new")
        files.add(small_disk / "b.recipe.json", bytes(2 * FULL_BYTES))
    assert (small_disk / "a.json").read_text() == "old" and names(small_disk) == {"a.json"}
    with OutputFiles() as files:
        files.add(small_disk / "a.json", "new")
        files.add(small_disk / "b.recipe.json", "recipe")
        assert names(small_disk) > {"a.json"} and "b.recipe.json" not in names(small_disk)
    assert names(small_disk) == {"a.json", "b.recipe.json"} and (small_disk / "a.json").read_text() == "new"


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_set_that_fails_at_its_last_step_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    for name in ("a", "c"):
        (tmp_path / name).write_text("old")
    count, before = [0], Path.replace

    def replace(path: Path, target: Path) -> Path:
        count[0] += output_files.PART in path.name and ".old" not in path.name
        if count[0] == failing:
            count[0] += 10
            raise OSError(errno.EIO, "torn off")
        return before(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="torn off"), OutputFiles() as files:
        for name in ("a", "b", "c"):
            files.add(tmp_path / name, "new")
    assert names(tmp_path) == {"a", "c"}
    assert (tmp_path / "a").read_text() == (tmp_path / "c").read_text() == "old"


def test_links_are_followed_and_stay_links(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "a.txt", tmp_path / "a.txt"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    write_whole(link, "new")
    assert link.is_symlink() and real.read_text() == "new" and names(real.parent) == {"a.txt"}
    (tmp_path / "b.txt").symlink_to(real.parent / "not-yet.txt")
    write_whole(tmp_path / "b.txt", "made")
    assert (real.parent / "not-yet.txt").read_text() == "made"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_stay(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    path.chmod(mode)
    write_whole(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "b.json", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "b.json").stat().st_mode) == 0o640


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "round").symlink_to("about")
    (tmp_path / "about").symlink_to("round")
    (tmp_path / "full").symlink_to("/dev/full")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to-pipe").symlink_to("pipe")
    before = names(tmp_path)
    for name, words in {
        "pipe": "named pipe",
        "to-pipe": "named pipe",
        "loop": "symbolic links",
        "round": "symbolic links",
        "full": "device",
        "folder": "folder",
        "gone/a": "No such file",
        "x" * 300: "too long",
        "pipe/a": "Not a directory",
    }.items():
        with pytest.raises(OSError, match=words) as caught:
            write_whole(tmp_path / name, "new")
        refusal = output_files.refusal(tmp_path, caught.value)
        assert name in str(refusal) and "cannot be written" in str(refusal) and output_files.PART not in str(refusal)
    assert names(tmp_path) == before


def test_a_file_that_may_not_be_changed_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("mine")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may change everything
    with pytest.raises(PermissionError):
        write_whole(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "mine"


def test_names_as_long_as_they_may_be_are_written(tmp_path: Path) -> None:
    for name in ("x" * 250 + ".json", "é" * 120 + ".json", "a." + "s" * 250):
        write_whole(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"


def test_what_a_killed_program_left_goes_after_an_hour(tmp_path: Path) -> None:
    left, fresh = tmp_path / ".a.0123abcd.part.json", tmp_path / ".a.4567abcd.part.json"
    other = tmp_path / ".b.0123abcd.part.json"
    for path in (left, fresh, other):
        path.touch()
    long_ago = time.time() - 2 * output_files.FORGOTTEN_S
    for path in (left, other):
        os.utime(path, (long_ago, long_ago))
    write_whole(tmp_path / "a.json", "new")
    assert names(tmp_path) == {"a.json", fresh.name, other.name}


def test_two_files_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), OutputFiles() as files:
        files.add(tmp_path / "a", "1")
        files.add(tmp_path / "a", "2")
    assert not names(tmp_path)


@pytest.mark.parametrize("number", range(12))
def test_a_killed_program_leaves_the_old_or_the_new(tmp_path: Path, number: int) -> None:
    """Real kills: a child writes set after set, each of one letter, until it is killed at some moment."""
    code = (
        "import itertools, sys\n"
        "from pathlib import Path\n"
        "from models.output_files import write_whole\n"
        "for letter in itertools.cycle('abcdefgh'):\n"
        "    write_whole(Path(sys.argv[1]), letter * 200_000)\n"
        "    print(letter, flush=True)\n"
    )
    place = tmp_path / "a.txt"
    child = subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    for _ in range(1 + number % 3):
        assert child.stdout.readline()
    time.sleep(0.0007 * number)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    text = place.read_text()
    assert len(text) == 200_000 and len(set(text)) == 1
