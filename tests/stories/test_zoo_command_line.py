"""The zoo on the command line: what it lists, a published model that is downloaded and run, one that cannot be."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

import main as program
from models.cards import zoo_catalogue
from models.zoo import cached

PHOTO = Path(__file__).resolve().parents[2] / "assets" / "photos" / "cat.jpg"
NAME = "torchvision:squeezenet1_1:IMAGENET1K_V1"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *given: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder at whose address the zoo has its weights."""
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/weights.pth"
    known = {e.name: replace(e, url=url) if e.name == NAME else e for e in zoo_catalogue.entries()}
    monkeypatch.setattr(zoo_catalogue, "_by_name", lambda: known)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_zoo_is_listed(served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = zoo_catalogue.find("timm:resnet18.a1_in1k")
    cached.place(entry).parent.mkdir(parents=True)
    cached.place(entry).touch()
    assert program.main(["models", "--zoo", "resnet18"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("torchvision:resnet18:IMAGENET1K_V1" in line and "47 MB" in line for line in lines)
    (line,) = (line for line in lines if line.startswith("timm:resnet18.a1_in1k "))
    assert "11.7 M" in line
    assert line.endswith("in the cache")
    assert program.main(["models", "--zoo"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(zoo_catalogue.entries()) + 1


def test_a_published_model_is_downloaded_and_run(
    served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    torch.save(squeezenet1_1(weights=None).state_dict(), served / "weights.pth")
    words = ["run", "classify", str(PHOTO), "--model", "torchvision:squeezenet1_1:DEFAULT", "--out", str(tmp_path)]
    assert program.main(words) == 0
    said = capsys.readouterr().err
    assert f"Downloading {NAME}: 5.0 of 5.0 MB" in said
    assert (tmp_path / f"{PHOTO.stem}.classify.json").is_file()
    (served / "weights.pth").unlink()
    assert program.main(words) == 0
    assert "Downloading" not in capsys.readouterr().err


def test_a_model_that_cannot_be_downloaded_is_told(served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["inspections", "--model", NAME]) == program.FAILED
    assert "weights.pth is not at 127.0.0.1 any more (404)." in capsys.readouterr().err
    assert program.main(["inspections", "--model", "timm:reznet18"]) == program.FAILED
    assert "There is no model 'timm:reznet18' in the zoo." in capsys.readouterr().err
