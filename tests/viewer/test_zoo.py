"""The zoo in a window: what it lists, how it is searched, its downloads from a loopback server, what opens then."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from torchvision.models import squeezenet1_1

from models.cards import zoo_catalogue
from models.zoo import cached
from viewer.widgets.tables.zoo_table import CACHED
from viewer.window.model_zoo import ModelZoo

NAME = "torchvision:squeezenet1_1:IMAGENET1K_V1"


class Server(http.server.ThreadingHTTPServer):
    """Gives `data`; of it the first `gate` bytes until `gate` is None, then the rest."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.first, self.code = b"", 0, 200
        self.go = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is what is tested."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        if server.code != 200:
            self.send_error(server.code)
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.data) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(server.data) - 1}/{len(server.data)}")
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(server.data[start : server.first])
        self.wfile.flush()
        server.go.wait(10)
        try:
            self.wfile.write(server.data[max(start, server.first) :])
        except OSError:
            return

    def log_message(self, *given: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that has SqueezeNet's weights, random ones, and a zoo that gets them there."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    torch.manual_seed(0)
    torch.save(squeezenet1_1(weights=None).state_dict(), tmp_path / "weights.pth")
    with Server() as running:
        running.data = (tmp_path / "weights.pth").read_bytes()
        running.first = len(running.data) // 2
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{running.server_address[1]}/squeezenet.pth"
        known = {e.name: replace(e, url=url) if e.name == NAME else e for e in zoo_catalogue.entries()}
        monkeypatch.setattr(zoo_catalogue, "entries", lambda: tuple(known.values()))
        monkeypatch.setattr(zoo_catalogue, "_by_name", lambda: known)
        yield running
        running.go.set()
        running.shutdown()
        thread.join()


def shown(one: Any) -> ModelZoo:
    """Open the zoo and wait for its list."""
    one.run("zoo")
    zoo = one.window.zoo
    one.until(lambda: zoo.dialog.table.rows.entries)
    return zoo


def names(zoo: ModelZoo) -> list[str]:
    return [entry.name for entry in zoo.dialog.table.rows.entries]


def test_it_lists_everything_and_finds_by_words_or_letters(desk: Callable[..., Any], server: Server) -> None:
    zoo = shown(desk())
    dialog = zoo.dialog
    assert names(zoo) == [e.name for e in zoo_catalogue.entries()]
    assert QApplication.focusWidget() is dialog.search
    dialog.search.setText("resnet18 a1")
    assert names(zoo)[0] == "timm:resnet18.a1_in1k"
    assert all("resnet18" in name and "a1" in name for name in names(zoo))
    dialog.search.setText("sqznet11")
    assert names(zoo)[0] == NAME
    dialog.search.setText("nothing like it")
    assert not names(zoo)
    assert "No model" in dialog.facts.text()
    assert not dialog.open_button.isEnabled()
    dialog.search.clear()
    dialog.task.setCurrentText("Segmentation")
    assert {zoo_catalogue.find(name).task for name in names(zoo)} == {"segmentation"}
    assert len(names(zoo)) == 6
    dialog.only.setChecked(True)
    assert not names(zoo)


def test_columns_sort_and_what_is_in_the_cache_is_marked(desk: Callable[..., Any], server: Server) -> None:
    entry = zoo_catalogue.find("torchvision:alexnet:DEFAULT")
    cached.place(entry).parent.mkdir(parents=True)
    cached.place(entry).touch()
    zoo = shown(desk())
    rows = zoo.dialog.table.rows
    downloaded = [e.name for e in rows.entries if rows.text(e, CACHED) and not e.packages]
    assert downloaded == [entry.name], "but for what is installed"
    zoo.dialog.table.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    counts = [e.parameters for e in rows.entries]
    assert counts == sorted(counts, reverse=True)
    zoo.dialog.search.setText("alexnet")
    assert zoo.dialog.open_button.text() == "Open"
    assert "licence of the weights: not stated" in zoo.dialog.facts.text()


def test_return_downloads_and_opens(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    zoo = shown(one)
    zoo.dialog.search.setText("squeezenet1_1")
    assert zoo.dialog.open_button.text() == "Download and open (5 MB)"
    one.key(Qt.Key.Key_Return)
    assert zoo.busy
    one.until(lambda: zoo.downloads.done > 0.9 * server.first)
    assert not zoo.dialog.open_button.isEnabled()
    assert re.fullmatch(rf"Downloading {NAME}: 2\.[345] of 5\.0 MB", zoo.dialog.message.text())
    assert zoo.dialog.bar.value() == pytest.approx(500, abs=20)
    server.go.set()
    one.until(lambda: one.document.model == NAME)
    one.settle()
    assert not zoo.dialog.isVisible()
    assert cached.place(zoo_catalogue.find(NAME)).read_bytes() == server.data
    assert one.session.description.capabilities[:1] == ("Classifies",)
    assert one.window.model_box.currentText() == NAME


def test_a_download_is_stopped_and_gone_on_with(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    zoo = shown(one)
    zoo.dialog.search.setText("squeezenet1_1")
    zoo.dialog.open_button.click()
    one.until(lambda: zoo.downloads.done > 0.9 * server.first)
    zoo.dialog.stop.click()
    assert zoo.dialog.message.text().startswith("Stopping")
    server.go.set()
    one.until(lambda: not zoo.busy)
    assert zoo.dialog.message.text() == "The download was stopped. What has been downloaded is kept."
    assert zoo.dialog.open_button.text().startswith("Resume download")
    assert one.document.model == "digits-ssd"
    zoo.dialog.open_button.click()
    one.until(lambda: one.document.model == NAME)
    assert cached.place(zoo_catalogue.find(NAME)).read_bytes() == server.data


def test_what_goes_wrong_is_told_in_the_dialog(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    zoo = shown(one)
    server.code = 404
    zoo.dialog.search.setText("squeezenet1_1")
    zoo.dialog.open_button.click()
    one.until(lambda: zoo.dialog.message.text() and not zoo.busy)
    assert "is not at 127.0.0.1 any more (404)" in zoo.dialog.message.text()
    assert zoo.dialog.open_button.isEnabled()
    assert one.document.model == "digits-ssd"


def test_a_download_goes_on_behind_a_closed_dialog_and_opens_nothing(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    zoo = shown(one)
    zoo.dialog.search.setText("squeezenet1_1")
    zoo.dialog.open_button.click()
    one.until(lambda: zoo.downloads.done > 0.9 * server.first)
    zoo.dialog.dismiss()
    one.until(one.window.status.activity.isVisible)
    assert one.window.status.activity.text.text() == "Downloading squeezenet1_1"
    server.go.set()
    one.until(lambda: not zoo.busy)
    assert one.messages[-1] == f"{NAME} was downloaded: it opens from the zoo."
    assert one.document.model == "digits-ssd"
    one.until(lambda: not one.window.status.activity.busy)


def test_escape_stops_a_download_behind_a_closed_dialog(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    zoo = shown(one)
    zoo.dialog.search.setText("squeezenet1_1")
    zoo.dialog.open_button.click()
    one.until(lambda: zoo.downloads.done > 0.9 * server.first)
    zoo.dialog.dismiss()
    one.run("cancel")
    server.go.set()
    one.until(lambda: not zoo.busy)
    assert cached.begun(zoo_catalogue.find(NAME)) > 0.9 * server.first
    assert cached.find(zoo_catalogue.find(NAME)) is None


def test_a_name_from_elsewhere_is_downloaded_first(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    server.go.set()
    one.window.zoo.open_model(NAME)
    one.until(lambda: one.document.model == NAME)
    one.window.zoo.open_model("digits-ssd")
    one.until(lambda: one.document.model == "digits-ssd")


def test_weights_that_the_engine_misses_are_offered(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    server.go.set()
    one.session.open_model(f"{NAME}?device=cpu")  # a name that the engine, which all tests share, has not opened yet
    one.until(lambda: any("not on this computer yet" in text for text in one.messages))
    (message,) = (m for m in one.window.toasts.messages if "not on this computer" in m.text)
    words, act = message.action
    assert words == "Download"
    act()
    one.until(lambda: one.document.model == NAME)


def test_without_weights_nothing_is_downloaded(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    zoo = shown(one)
    zoo.dialog.search.setText("squeezenet1_1")
    zoo.dialog.bare.click()
    one.until(lambda: one.document.model == "squeezenet1_1")
    assert not zoo.dialog.isVisible()
    assert cached.begun(zoo_catalogue.find(NAME)) == 0


def test_everything_is_reached_with_the_keyboard(desk: Callable[..., Any], server: Server) -> None:
    one = desk()
    dialog = shown(one).dialog
    met = []
    for _ in range(6):
        met.append(QApplication.focusWidget())
        one.key(Qt.Key.Key_Tab)
    assert met == [dialog.search, dialog.task, dialog.only, dialog.table, dialog.bare, dialog.open_button]
    assert QApplication.focusWidget() is dialog.search
    one.key(Qt.Key.Key_Down)
    assert QApplication.focusWidget() is dialog.table
    one.key(Qt.Key.Key_Up)
    assert QApplication.focusWidget() is dialog.search
    one.key(Qt.Key.Key_Escape)
    assert not dialog.isVisible()
