"""Models of the hub by name, from a loopback server: whole, cut and gone on with, called off, refused, cached."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hugging_face_folders import make

from models.cards import card, zoo_catalogue
from models.engine.engine import Engine
from models.requests import Request
from models.types import Cancelled, Failure, Refusal, Result
from models.zoo import cached, hub_model
from models.zoo.fetch import fetch, missing
from models.zoo.search import search

pytest.importorskip("transformers", reason="the extra transformers is not installed")
NAME, COMMIT = "hf:someone/tiny-vit", "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.ThreadingHTTPServer):
    """Gives the files of a folder as the hub does; answers for weights are cut after `cut` bytes if that is set."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.cut, self.asked = folder, 0, list[str]()
        self.left_out: set[str] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is what is tested."""

    def listing(self) -> dict[str, Any]:
        siblings = []
        for path in sorted(self.folder.iterdir()):
            if path.name not in self.left_out:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                large = {"lfs": {"sha256": digest}} if path.suffix == ".safetensors" else {}
                siblings.append({"rfilename": path.name, "size": path.stat().st_size, **large})
        return {"sha": COMMIT, "siblings": [*siblings, {"rfilename": "../../evil.py", "size": 3}]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        hub: Any = self.server
        hub.asked.append(self.path)
        if self.path.startswith("/api/models/someone/tiny-vit/revision/main"):
            content = json.dumps(hub.listing()).encode()
        elif self.path.startswith(f"/someone/tiny-vit/resolve/{COMMIT}/"):
            content = (hub.folder / self.path.rpartition("/")[2]).read_bytes()
        else:
            self.send_error(404)
            return
        begin = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", '"one"')
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        cut = hub.cut if self.path.endswith(".safetensors") and hub.cut else len(content)
        self.wfile.write(content[begin : begin + cut])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("vit", tmp_path_factory.mktemp("hub") / "vit")


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    for name in ("HF_HUB_CACHE", "HF_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    served = Hub(folder)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{served.server_address[1]}")
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def test_a_name_is_downloaded_whole_and_opens_and_is_listed(hub: Hub, folder: Path) -> None:
    entry = missing(NAME)
    assert entry is not None and card.is_zoo(NAME)
    engine = Engine(threads=1)
    said = engine.run(Request.make("describe", NAME, None, {}))
    assert isinstance(said, Failure) and said.offer == ("download", NAME)
    told: list[tuple[int, int]] = []
    place = fetch(entry, report=lambda done, total: told.append((done, total)))
    total = sum((folder / path.name).stat().st_size for path in place.iterdir())
    assert told[-1] == (total, total) and [done for done, _ in told] == sorted(done for done, _ in told)
    assert {path.name for path in place.iterdir()} == {"config.json", "preprocessor_config.json", "model.safetensors"}
    assert missing(NAME) is None and NAME in {one.name for one in cached.listed()} & cached.found([entry])
    found = engine.run(Request.make("describe", NAME, None, {}))
    assert isinstance(found, Result), found
    assert found.meta["description"].name == NAME and found.meta["description"].classes[0] == "animal 0"


def test_a_cut_download_goes_on_and_counts_only_when_whole(hub: Hub) -> None:
    entry, hub.cut = zoo_catalogue.find(NAME), 30_000
    with pytest.raises(Refusal, match="cut"):
        fetch(entry)
    assert missing(NAME) is not None
    hub.cut = 0
    fetch(entry)
    assert missing(NAME) is None


def test_a_download_that_is_called_off_stops(hub: Hub) -> None:
    with pytest.raises(Cancelled):
        fetch(zoo_catalogue.find(NAME), cancelled=lambda: len(hub.asked) > 1)
    assert missing(NAME) is not None


def test_a_revision_without_safetensors_is_refused_before_its_files(hub: Hub) -> None:
    hub.left_out = {"model.safetensors"}
    with pytest.raises(Refusal, match="no safetensors") as said:
        fetch(zoo_catalogue.find(NAME))
    assert "could run code" in said.value.advice
    assert len(hub.asked) == 1


def test_hugging_faces_own_cache_is_found(hub: Hub, folder: Path) -> None:
    place = cached.hub_cache() / "models--someone--tiny-vit"
    shutil.copytree(folder, place / "snapshots" / COMMIT)
    assert missing(NAME) is not None  # no revision is named yet
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    assert missing(NAME) is None and not hub.asked
    assert hub_model.find(zoo_catalogue.find(NAME), cached.hub_cache()) == place / "snapshots" / COMMIT


@pytest.mark.parametrize("name", ["hf:", "hf:vit", "hf:../vit", "hf:a/../b", "hf:a/b/c", "hf:a/b?c", "hf:a--b/c"])
def test_what_is_no_name_of_a_repository_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="names no model"):
        zoo_catalogue.find(name)


def test_a_typed_name_is_an_entry_of_the_selector() -> None:
    entries = zoo_catalogue.entries()
    assert [entry.name for entry in search(entries, f" {NAME} ")] == [NAME]
    assert NAME not in {entry.name for entry in search(entries, "vit")}
    assert np.all([entry.name != NAME for entry in entries])


def test_weights_in_parts_are_whole_only_with_every_part(hub: Hub, folder: Path, tmp_path: Path) -> None:
    from transformers import ViTForImageClassification

    ViTForImageClassification.from_pretrained(folder).save_pretrained(tmp_path / "parts", max_shard_size="40KB")
    shutil.copy(folder / "preprocessor_config.json", tmp_path / "parts")
    hub.folder = tmp_path / "parts"
    place = fetch(zoo_catalogue.find(NAME))
    parts = sorted(place.glob("*.safetensors"))
    assert len(parts) > 1 and missing(NAME) is None
    assert isinstance(Engine(threads=1).run(Request.make("describe", NAME, None, {})), Result)
    parts[0].unlink()
    assert missing(NAME) is not None
