"""Videos on the command line: every frame detected on, written as an MP4 file and a line of JSON each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from videos import frames_of, video

import main as program
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source

SSD = "digits-ssd"


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


def test_every_frame_of_a_video_is_detected_on_and_replayed(tmp_path: Path) -> None:
    clip, out = video(tmp_path / "clip.mp4", 8), tmp_path / "out"
    assert run("run", "detect", clip, "--model", SSD, "--set", "score=0.6", "--out", out) == 0
    assert {p.name for p in out.iterdir()} == {f"clip.detect.{k}" for k in ("mp4", "jsonl", "recipe.json")}
    assert len(frames_of(out / "clip.detect.mp4")) == 8
    lines = [json.loads(line) for line in (out / "clip.detect.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["frame"] for line in lines] == list(range(8))
    assert [line["time_s"] for line in lines] == pytest.approx([n / 30 for n in range(8)], abs=1e-5)
    engine, source = Engine(threads=1), Source.file(clip)
    for line in lines:
        frame = Source(source.path, source.stamp, line["frame"])
        still = engine.run(Request.make("detect", SSD, frame, {"score": 0.6}))
        assert isinstance(still, Result)
        assert [d["box"] for d in line["detections"]] == still.arrays["boxes"].tolist()
    assert sum(len(line["detections"]) for line in lines) > 8
    assert run("replay", out / "clip.detect.recipe.json", "--out", tmp_path / "again") == 0
    again = (tmp_path / "again" / "clip.detect.jsonl").read_bytes()
    assert again == (out / "clip.detect.jsonl").read_bytes()


def test_what_is_no_video_fails_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert run("run", "detect", tmp_path / "text.mp4", "--model", SSD, "--out", tmp_path / "out") == 1
    assert "text.mp4 is not a video: it is a text file" in capsys.readouterr().err
    clip = video(tmp_path / "clip.mp4", 3)
    assert run("run", "anchors", clip, "--model", SSD, "--out", tmp_path / "out") == 1
    assert "clip.mp4 shows more than one picture" in capsys.readouterr().err


def test_a_frame_has_a_recipe_of_its_own(tmp_path: Path) -> None:
    from models import recipe

    source = Source.file(video(tmp_path / "clip.mp4", 8))
    request = Request.make("detect", SSD, Source(source.path, source.stamp, 5), {"score": 0.6})
    engine = Engine(threads=1)
    answer = engine.run(request)
    assert isinstance(answer, Result)
    recipe.write(tmp_path / "clip-5.recipe.json", request, answer)
    found = recipe.read(tmp_path / "clip-5.recipe.json").request
    assert found.source == request.source
    assert run("replay", tmp_path / "clip-5.recipe.json", "--out", tmp_path / "out") == 0
    body = json.loads((tmp_path / "out" / "clip-5.detect.json").read_text(encoding="utf-8"))
    assert [d["box"] for d in body["detections"]] == answer.arrays["boxes"].tolist()
