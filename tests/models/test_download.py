"""Downloads from a loopback server: whole, gone on with, cut, changed, damaged, refused, called off, two at once."""

from __future__ import annotations

import errno
import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from models.types import Cancelled, Refusal
from models.zoo import download as downloads
from models.zoo.download import SPARE_BYTES, download

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Gives `data` at any address but /404 and /to/...; keeps the ranges asked for in `asked`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.etag, self.ranges, self.cut, self.code, self.wait_s = DATA, '"one"', True, 0, 0, 0.0
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is what is tested."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        asked = self.headers.get("Range", "")
        server.asked.append(asked)
        if server.code:
            self.send_error(server.code)
            return
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", server.headers.get("Location", "/file.pth"))
            if "X-Linked-Etag" in server.headers:
                self.send_header("X-Linked-Etag", server.headers["X-Linked-Etag"])
            self.end_headers()
            return
        start = 0
        if asked and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(server.data):
            self.send_error(416)
            return
        body = server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.data) - 1}/{len(server.data)}")
        self.end_headers()
        sent = body[: server.cut - start] if server.cut else body
        for begin in range(0, len(sent), 1 << 16):
            time.sleep(server.wait_s)
            self.wfile.write(sent[begin : begin + (1 << 16)])
        self.close_connection = True

    def log_message(self, *given: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_arrives_whole_and_leaves_nothing_else(server: Server, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    place = tmp_path / "deep" / "file.pth"
    assert download(server.url, place, digest=SHA256[:8], report=lambda *told: heard.append(told)) == place
    assert place.read_bytes() == DATA
    assert heard[0] == (0, len(DATA))
    assert heard[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert left(place.parent) == {"file.pth"}


def test_what_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.pth").write_bytes(b"there")
    assert download(server.url, tmp_path / "file.pth").read_bytes() == b"there"
    assert not server.asked


def test_a_connection_that_is_cut_keeps_what_came_and_goes_on_from_there(server: Server, tmp_path: Path) -> None:
    server.cut = len(DATA) // 2
    with pytest.raises(Refusal, match=r"cut after 0\.5 MB of 1\.0 MB") as told:
        download(server.url, tmp_path / "file.pth", digest=SHA256)
    assert "continues from there" in told.value.advice
    assert left(tmp_path) == {"file.pth.part", "file.pth.part.json"}
    server.cut = 0
    heard: list[int] = []
    download(server.url, tmp_path / "file.pth", digest=SHA256, report=lambda done, total: heard.append(done))
    assert server.asked == ["", f"bytes={len(DATA) // 2 - 1}-"]
    assert heard[0] == len(DATA) // 2 - 1
    assert (tmp_path / "file.pth").read_bytes() == DATA
    assert left(tmp_path) == {"file.pth"}


def begun(server: Server, tmp_path: Path) -> Path:
    server.cut = len(DATA) // 2
    with pytest.raises(Refusal):
        download(server.url, tmp_path / "file.pth")
    server.cut = 0
    return tmp_path / "file.pth"


def test_a_server_without_ranges_gives_all_of_it_again(server: Server, tmp_path: Path) -> None:
    place, server.ranges = begun(server, tmp_path), False
    download(server.url, place, digest=SHA256)
    assert place.read_bytes() == DATA


def test_a_file_that_changed_meanwhile_is_begun_anew(server: Server, tmp_path: Path) -> None:
    place = begun(server, tmp_path)
    server.data, server.etag = DATA[::-1], '"two"'
    assert download(server.url, place).read_bytes() == DATA[::-1]


def test_a_file_that_became_shorter_is_begun_anew(server: Server, tmp_path: Path) -> None:
    place = begun(server, tmp_path)
    server.data = DATA[:1000]
    assert download(server.url, place).read_bytes() == DATA[:1000]
    assert server.asked[1:] == [f"bytes={len(DATA) // 2 - 1}-", ""]


def test_without_a_way_to_know_the_file_again_it_is_begun_anew(server: Server, tmp_path: Path) -> None:
    server.etag = ""
    assert download(server.url, begun(server, tmp_path)).read_bytes() == DATA
    assert server.asked == ["", ""]


def test_what_came_of_another_address_is_not_gone_on_with(server: Server, tmp_path: Path) -> None:
    place = begun(server, tmp_path)
    download(f"{server.url}/other", place)
    assert server.asked == ["", ""]


def test_a_file_that_came_whole_but_was_not_renamed_costs_one_byte(server: Server, tmp_path: Path) -> None:
    place = begun(server, tmp_path)
    (tmp_path / "file.pth.part").write_bytes(DATA)
    assert download(server.url, place, digest=SHA256).read_bytes() == DATA
    assert server.asked[1:] == [f"bytes={len(DATA) - 1}-"]


@pytest.mark.parametrize("digest", [SHA256[::-1], "00000000"])
def test_a_wrong_checksum_deletes_the_file_and_says_so(server: Server, tmp_path: Path, digest: str) -> None:
    with pytest.raises(Refusal, match=f"{SHA256[:8]}…, not {digest[:8]}…") as told:
        download(server.url, tmp_path / "file.pth", digest=digest)
    assert "deleted" in told.value.advice
    assert not left(tmp_path)


def test_the_hub_tells_the_checksum_with_its_redirect(server: Server, tmp_path: Path) -> None:
    server.headers["X-Linked-Etag"] = f'"{SHA256}"'
    assert download(f"{server.url}/to/file", tmp_path / "right").read_bytes() == DATA
    server.headers["X-Linked-Etag"] = f'"{SHA256[::-1]}"'
    with pytest.raises(Refusal, match="did not arrive"):
        download(f"{server.url}/to/file", tmp_path / "wrong")
    assert left(tmp_path) == {"right"}


def test_a_redirect_is_followed_with_what_was_asked(server: Server, tmp_path: Path) -> None:
    server.cut = len(DATA) // 2
    with pytest.raises(Refusal):
        download(f"{server.url}/to/file", tmp_path / "file.pth")
    server.cut = 0
    assert download(f"{server.url}/to/file", tmp_path / "file.pth").read_bytes() == DATA
    assert server.asked[-2:] == [f"bytes={len(DATA) // 2 - 1}-"] * 2


def test_a_redirect_from_https_to_http_is_refused() -> None:
    import urllib.request

    asked = urllib.request.Request("https://example.org/file.pth")
    with pytest.raises(Refusal, match="without encryption"):
        downloads._Redirects().redirect_request(asked, None, 302, "", {}, "http://example.org/file.pth")


@pytest.mark.parametrize(
    ("code", "words"),
    [(404, "is not at 127.0.0.1 any more"), (403, "only to users who sign in"), (503, "does not answer as it should")],
)
def test_what_a_server_refuses_is_told(server: Server, tmp_path: Path, code: int, words: str) -> None:
    server.code = code
    with pytest.raises(Refusal, match=words) as told:
        download(server.url, tmp_path / "file.pth")
    assert str(code) in str(told.value)
    assert told.value.advice
    assert not left(tmp_path)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Refusal, match="could not be reached") as told:
        download(f"http://127.0.0.1:{port}/file.pth", tmp_path / "file.pth")
    assert "cache" in told.value.advice


def test_being_offline_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*given: Any, **named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Refusal, match="offline"):
        download("http://weights.example/file.pth", tmp_path / "file.pth")


def test_a_server_that_stops_answering_is_given_up(server: Server, tmp_path: Path) -> None:
    server.wait_s = 1.0
    begin = time.monotonic()
    with pytest.raises(Refusal, match="stopped answering"):
        download(server.url, tmp_path / "file.pth", timeout_s=0.2)
    assert time.monotonic() - begin < 2.0


def test_a_disk_without_room_is_told_before_anything_is_written(server: Server, tmp_path: Path) -> None:
    asked: list[Path] = []

    def free(folder: Path) -> int:
        asked.append(folder)
        return len(DATA) + SPARE_BYTES - 1

    with pytest.raises(Refusal, match="not enough room"):
        download(server.url, tmp_path / "file.pth", free=free)
    assert asked == [tmp_path]
    assert not left(tmp_path)
    assert download(server.url, tmp_path / "file.pth", free=lambda folder: len(DATA) + SPARE_BYTES)


def test_a_disk_that_becomes_full_keeps_what_came(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = downloads._copy

    class Full:
        def __init__(self, file: Any) -> None:
            self.file, self.room = file, len(DATA) // 2

        def write(self, chunk: bytes) -> int:
            if len(chunk) > self.room:
                self.file.write(chunk[: self.room])
                raise OSError(errno.ENOSPC, "No space left on device")
            self.room -= len(chunk)
            return self.file.write(chunk)

    monkeypatch.setattr(downloads, "_copy", lambda body, file, *rest: real(body, Full(file), *rest))  # pyright: ignore
    with pytest.raises(Refusal, match="disk became full"):
        download(server.url, tmp_path / "file.pth", digest=SHA256)
    monkeypatch.undo()
    assert (tmp_path / "file.pth.part").stat().st_size == len(DATA) // 2
    assert download(server.url, tmp_path / "file.pth", digest=SHA256).read_bytes() == DATA
    assert server.asked[-1] == f"bytes={len(DATA) // 2 - 1}-"


def test_a_folder_that_may_not_be_written_to_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Refusal):
        download(server.url, tmp_path / "file" / "file.pth")


def test_it_can_be_called_off_and_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.wait_s = 0.01
    done = 0

    def report(came: int, total: int) -> None:
        nonlocal done
        done = came

    with pytest.raises(Cancelled):
        download(server.url, tmp_path / "file.pth", report=report, cancelled=lambda: done > len(DATA) // 3)
    assert len(DATA) // 3 < done < len(DATA)
    assert left(tmp_path) == {"file.pth.part", "file.pth.part.json"}
    assert download(server.url, tmp_path / "file.pth", digest=SHA256).read_bytes() == DATA
    assert server.asked[-1] == f"bytes={done - 1}-"


def test_of_two_at_once_one_downloads_and_both_have_it(server: Server, tmp_path: Path) -> None:
    server.wait_s = 0.02
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: download(server.url, tmp_path / "file.pth", digest=SHA256), range(2)))
    assert [place.read_bytes() for place in places] == [DATA, DATA]
    assert server.asked == [""]
    assert left(tmp_path) == {"file.pth"}


def test_the_one_that_waits_goes_on_where_the_other_was_called_off(server: Server, tmp_path: Path) -> None:
    server.wait_s = 0.02
    started, stop = threading.Event(), threading.Event()

    def first() -> None:
        with pytest.raises(Cancelled):
            download(server.url, tmp_path / "f", report=lambda done, _: done and started.set(), cancelled=stop.is_set)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert started.wait(5)
        other = pool.submit(lambda: download(server.url, tmp_path / "f", digest=SHA256))
        time.sleep(0.05)
        stop.set()
        one.result()
        assert other.result().read_bytes() == DATA
    assert server.asked[1].startswith("bytes=")
