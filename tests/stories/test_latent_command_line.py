"""Stories of paths through codes on the command line: what is typed, what lies in the folder, what replay gives."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

import main as program
from models.engine import registry
from models.latent.space import write
from models.live import record
from models.live.capture import Capture
from models.output_files import OutputFiles, whole, write_whole
from models.pictures.images import save_png
from models.types import Result
from tests.models.generators import gan, vae
from viewer.export import generated

KINDS = ("mp4", "gif", "png", "npy", "json", "recipe.json")


@pytest.fixture
def model(tmp_path: Path) -> str:
    return vae(tmp_path)


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


def walk(model: str, out: Path, *settings: str) -> int:
    given = [word for setting in settings for word in ("--set", setting)]
    return run("run", "interpolate", "--model", model, *given, "--out", out)


def test_a_path_becomes_a_film_an_animation_a_strip_codes_and_numbers(model: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert walk(model, out, "from=seed:1", "to=seed:2", "frames=12", "path=slerp", "fps=25") == 0
    assert {path.name for path in out.iterdir()} == {f"vae.interpolate.{kind}" for kind in KINDS}

    codes = np.load(out / "vae.interpolate.npy")
    assert codes.shape == (12, 4) and codes.dtype == np.float32
    for row, seed in ((0, 1), (-1, 2)):
        assert np.array_equal(codes[row], np.random.default_rng([seed, 0]).standard_normal(4).astype(np.float32))
    body = json.loads((out / "vae.interpolate.json").read_text())
    assert body["parameters"]["from"] == "seed:1" and len(body["norms"]) == 12 and len(body["speed"]) == 11
    assert np.allclose(body["norms"], np.linalg.norm(codes, axis=1), rtol=1e-5)

    with Image.open(out / "vae.interpolate.png") as strip:
        cells = np.array(strip)[2:34, 2:]
        assert strip.size == (12 * 34 + 2, 36)
    with Image.open(out / "vae.interpolate.gif") as gif:
        frames = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
        assert gif.info["duration"] == 40 and "loop" not in gif.info
    assert len(frames) == 12 and frames[0].shape == (256, 256, 3)
    film = Capture(str(out / "vae.interpolate.mp4"))
    assert film.count == 12 and film.fps == 25
    for number in range(12):
        picture = cells[:, 34 * number : 34 * number + 32]
        assert np.array_equal(frames[number][4::8, 4::8], picture)  # grey is kept to the bit
        shown = film.read()
        assert shown is not None and np.abs(shown[4::8, 4::8].astype(int) - picture).mean() < 6


def test_replay_gives_the_same_bytes_also_when_the_file_of_a_code_has_changed(model: str, tmp_path: Path) -> None:
    code = np.random.default_rng(3).standard_normal(4).astype(np.float32)
    np.save(tmp_path / "my code.npy", code)
    first, again = tmp_path / "first", tmp_path / "again"
    keys = f"keys=seed:7 lerp | {tmp_path / 'my code.npy'} easeInOutQuad"
    assert walk(model, first, "from=seed:1", keys, "loop=true", "retime=true", "frames=10") == 0
    recipe = json.loads((first / "vae.interpolate.recipe.json").read_text())
    assert recipe["parameters"]["keys"] == f"seed:7 lerp | {write(code)} easeInOutQuad"
    np.save(tmp_path / "my code.npy", np.zeros(4, np.float32))
    assert run("replay", first / "vae.interpolate.recipe.json", "--out", again) == 0
    for kind in ("png", "npy", "gif"):
        name = f"vae.interpolate.{kind}"
        assert (again / name).read_bytes() == (first / name).read_bytes(), kind
    assert not np.array_equal(np.load(again / "vae.interpolate.npy")[5], np.zeros(4))


def test_a_code_of_decode_is_kept_as_numbers_too(model: str, tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.array([[1, 2, 3, 0.1]], np.float32))
    out = tmp_path / "out"
    assert run("run", "decode", "--model", model, "--set", f"code={tmp_path / 'z.npy'}", "--out", out) == 0
    assert json.loads((out / "vae.decode.recipe.json").read_text())["parameters"]["code"] == "1,2,3,0.100000001"


@pytest.mark.parametrize(
    ("settings", "said", "code"),
    [
        (("from=seed:1",), "there is one key", 1),
        (("from=1,2", "to=seed:1"), "Key 1: The code has 2 numbers; this model's have 4.", 1),
        (("from=nan,0,0,0", "to=seed:1"), "not a number", 1),
        (("from=1,0,0,0", "to=-1,0,0,0"), "opposite each other", 1),
        (("frames=1",), "a whole number from 2 to 3600", 2),
        (("path=round",), "one of auto, slerp, lerp, variance_preserving", 2),
        (("from=gone.npy", "to=seed:1"), "gone.npy is not there", 2),
        (("form=seed:1",), "Did you mean from?", 2),
    ],
)
def test_what_is_no_path_is_said_and_nothing_is_written(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: tuple[str, ...], said: str, code: int
) -> None:
    assert walk(model, tmp_path / "out", *settings) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("kind", ["mp4", "gif", "png", "npy", "json"])
def test_a_full_disk_leaves_no_half_file_and_an_older_one_stays(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    old = out / f"vae.interpolate.{kind}"
    old.write_bytes(b"older")
    monkeypatch.setattr(generated, "REEL", (kind,))
    monkeypatch.setattr(os, "fsync", full)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(record.shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
    assert walk(model, out, "frames=4") == 1
    assert f"{old} cannot be written" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {old.name} and old.read_bytes() == b"older"


def test_a_film_that_the_encoder_cut_short_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = record.Recording.write

    def skip(recording: Any, pixels: Any, *, at: float | None = None) -> None:
        if recording.written == 2:
            recording.written += 1  # as an encoder does that says nothing of a full disk
        else:
            before(recording, pixels, at=at)

    monkeypatch.setattr(record.Recording, "write", skip)
    frames = [np.full((64, 64, 3), 40 * n, np.uint8) for n in range(5)]
    with pytest.raises(OSError, match="4 of 5 frames"), OutputFiles() as files:
        record.write_film(files, tmp_path / "a.mp4", frames, fps=10)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_file_whatever_goes_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="odd"), whole(tmp_path / "a.bin") as part:
        part.write_bytes(b"half")
        raise ValueError("odd")
    assert not list(tmp_path.iterdir())
    write_whole(tmp_path / "a.bin", b"all")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"all"]


def test_gifs_of_many_frames_a_second_leave_some_out_and_keep_time() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(generated.gif(frames, fps=60, loop=True))) as gif:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
        assert gif.info["loop"] == 0
    assert len(durations) == 30 and sum(durations) == 1000 and min(durations) >= 20


def test_strips_go_on_in_rows_and_small_pictures_are_enlarged_by_whole_numbers() -> None:
    assert generated.enlarged(np.zeros((28, 28, 3), np.uint8), 256).shape == (252, 252, 3)
    assert generated.enlarged(np.zeros((600, 300, 3), np.uint8), 256).shape == (600, 300, 3)
    wide = np.zeros((50, 32, 2000, 3), np.uint8)
    sheet = generated.whole(Result({"pictures": wide, "segment": np.zeros(50)}, {}))
    assert sheet.shape[1] == 4 * 2002 + 2 and sheet.shape[0] == 13 * 34 + 2


@pytest.mark.parametrize(
    ("inspection", "settings", "kinds"),
    [
        ("directions", ("count=2", "frames=3"), ("png", "npy", "json")),
        ("attribute", ("with_folder={folder}", "without_folder={folder}", "frames=3"), ("png", "npy", "json")),
        ("posterior", ("folder={folder}",), ("npy", "json")),
        ("manifold", ("side=3",), ("png", "json")),
        ("real_neighbours", ("folder={folder}",), ("png", "npy", "json")),
    ],
)
def test_what_is_asked_about_the_model_alone_is_written_too(
    model: str, tmp_path: Path, inspection: str, settings: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    folder, out = tmp_path / "real", tmp_path / "out"
    folder.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (32, 32), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    given = [word for setting in settings for word in ("--set", setting.format(folder=folder))]
    assert run("run", inspection, "--model", model, *given, "--out", out) == 0
    assert {path.name for path in out.iterdir()} == {f"vae.{inspection}.{kind}" for kind in (*kinds, "recipe.json")}
    sizes = {
        "directions": (3 * 34 + 2, 2 * 34 + 2),
        "attribute": (3 * 34 + 2, 36),
        "manifold": (3 * 34 + 2, 3 * 34 + 2),
    }
    if inspection in sizes:
        with Image.open(out / f"vae.{inspection}.png") as sheet:
            assert sheet.size == sizes[inspection]
    shapes = {"directions": (2, 4), "attribute": (4,), "real_neighbours": (4,)}
    if inspection in shapes:
        assert np.load(out / f"vae.{inspection}.npy").shape == shapes[inspection]


GENERATIVE = [one for one in registry.all_inspections().values() if "Generates" in one.needs]
NEEDS = {"real_neighbours": "folder", "posterior": "folder"}


@pytest.mark.parametrize("inspection", GENERATIVE, ids=lambda one: one.id)
@pytest.mark.parametrize("family", [vae, gan], ids=["vae", "gan"])
def test_every_question_to_a_generator_is_answered_in_files_or_refused(
    family: Any, inspection: Any, tmp_path: Path
) -> None:
    path, folder, out = family(tmp_path), tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(3):
        save_png(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8), folder / f"{number}.png")
    about = {"picture": [folder / "0.png"], "folder": [folder], "nothing": []}[inspection.reads]
    given = ["--set", f"{NEEDS[inspection.id]}={folder}"] if inspection.id in NEEDS else []
    given += (
        ["--set", f"with_folder={folder}", "--set", f"without_folder={folder}"] if inspection.id == "attribute" else []
    )
    if inspection.id == "interpolate":
        given += ["--set", "from=seed:1", "--set", "to=seed:2", "--set", "frames=4"]
    applies = not inspection.offer(registry.open_model(path)).reason
    assert run("run", inspection.id, *about, "--model", path, *given, "--out", out) == (0 if applies else 2)
    written = {file.name.split(f".{inspection.id}.")[1] for file in out.iterdir()} if applies else set()
    assert not applies or {"json", "recipe.json"} < written | {""}
