"""Videos, cameras and streams: every frame known by its number; what breaks is told, and tried again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from videos import SAMPLE, Stream, number_in, numbered, until, video

from models.live import capture, multipart_stream, reader
from models.live.capture import Capture, still
from models.live.player import Player
from models.live.reader import Frame
from models.pictures.media import is_live, kind, title
from models.types import Refusal, Source

FRAMES = 120


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("clips") / "clip.mp4", FRAMES)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    monkeypatch.setattr(capture, "READ_MS", 400)
    monkeypatch.setattr(capture, "OPEN_MS", 2000)
    monkeypatch.setattr(reader, "FIRST_WAIT_S", 0.05)
    made = Stream()
    yield made
    made.close()


@pytest.fixture
def play() -> Iterator[type[Player]]:
    """Make players that are closed afterwards."""
    made: list[Player] = []

    def make(path: object, **given: object) -> Player:
        made.append(Player(str(path), **given))  # type: ignore[arg-type]
        return made[-1]

    yield make  # type: ignore[misc]
    for player in made:
        player.close()


def following(player: Player) -> Frame:
    frame = until(player.next)
    assert isinstance(frame, Frame)
    return frame


def rest(player: Player) -> list[int]:
    """Every frame until the end, by the number it carries, which must be the number it is said to have."""
    found: list[int] = []

    def ended() -> bool:
        frame = player.next()
        if frame is not None:
            assert number_in(frame.pixels) == frame.number
            found.append(frame.number)
        return player.state == "ended"

    until(ended)
    return found


# what a path means


def test_paths_are_told_apart() -> None:
    kinds = {"clip.MP4": "video", "camera:0": "camera", "rtsp://a/b": "stream", "HTTP://a": "stream", "a.png": ""}
    assert {path: kind(path) for path in kinds} == kinds
    assert not is_live("camera.png") and not is_live("camera:x") and not is_live("weights.pt")
    assert title("rtsp://user:secret@host:554/door?token=1") == "rtsp://host:554/door"
    assert title("camera:3") == "Camera 3" and title("/a/clip.mp4") == "clip.mp4"


def test_sources_know_their_frames(clip: Path) -> None:
    source = Source.file(clip)
    assert source.moving and source.name == "clip.mp4" and source.stem == "clip"
    frame = Source(source.path, source.stamp, 12)
    assert not frame.moving and frame.name == "clip.mp4, frame 12" and frame.stem == "clip-12"
    assert Source.file("camera:0").path == "camera:0" != Source.file("camera:0").stem
    assert Source.file("rtsp://host/door").path == "rtsp://host/door"
    assert Source.file("camera:0") != Source.file("camera:0"), "what a camera shows now it never shows again"


# files


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_every_frame_comes_in_order_and_any_can_be_sought(tmp_path: Path, suffix: str) -> None:
    opened = Capture(str(video(tmp_path / f"clip{suffix}", 50)))
    assert (opened.fps, opened.count) == (30, 50)
    found = []
    while (pixels := opened.read()) is not None:
        assert pixels.shape == (240, 320, 3) and pixels.dtype == np.uint8
        found.append(number_in(pixels))
    assert found == list(range(50))
    for wanted in [*np.random.default_rng(0).permutation(50).tolist(), 49, 48, 47, 0, 1, 0]:
        opened.seek(wanted)
        pixels = opened.read()
        assert pixels is not None and number_in(pixels) == wanted
    opened.close()


def test_colours_are_red_green_blue(clip: Path) -> None:
    read = still(Source(str(clip), frame=7)).astype(int)
    wanted = numbered(7).astype(int)
    right, swapped = (np.abs(read - w)[20:].mean() for w in (wanted, wanted[..., ::-1]))
    assert right < 4 < swapped


def test_every_frame_pace_passes_over_nothing_and_plays_again_from_the_start(clip: Path, play: type[Player]) -> None:
    player = play(clip, every=True)
    assert rest(player) == list(range(FRAMES))
    assert player.dropped == 0 and not player.playing and player.note == ""
    player.play()
    assert following(player).number == 0


@pytest.mark.parametrize("slowness", [1, 3, 10])
def test_real_time_passes_over_what_a_slow_model_has_no_time_for(clip: Path, play: type[Player], slowness: int) -> None:
    """The clock is ours: each frame takes the model as long as `slowness` frames last."""
    now = [0.0]
    player = play(clip, clock=lambda: now[0])
    shown: list[int] = []
    for _ in range(8):
        frame = following(player)
        assert number_in(frame.pixels) == frame.number
        shown.append(frame.number)
        now[0] += slowness / 30 + 1e-4
    assert shown[0] == 0 and all(b > a for a, b in pairwise(shown))
    assert player.dropped == shown[-1] + 1 - len(shown), "each frame was shown, or counted as dropped"
    assert abs(shown[-1] - 7 * slowness) <= max(3, slowness), "it keeps up with the clock"
    if slowness == 1:
        assert player.dropped == 0


def test_nothing_is_shown_before_it_is_due(clip: Path, play: type[Player]) -> None:
    now = [0.0]
    player = play(clip, clock=lambda: now[0])
    assert following(player).number == 0
    for _ in range(50):
        assert player.next() is None
    now[0] += 1 / 30 + 1e-4
    assert following(player).number == 1


def test_steps_and_seeks_are_exact_and_pause(clip: Path, play: type[Player]) -> None:
    player = play(clip, every=True)
    for _ in range(5):
        following(player)
    for by, wanted in ((1, 5), (1, 6), (-1, 5), (-1, 4), (-1, 3), (1, 4)):
        player.step(by)
        frame = following(player)
        assert (frame.number, number_in(frame.pixels), player.state) == (wanted, wanted, "paused")
        assert player.next() is None
    for wanted in (100, 3, 60, 119, 0):
        player.seek(wanted)
        frame = following(player)
        assert (frame.number, number_in(frame.pixels)) == (wanted, wanted)
    player.step(-1)
    assert following(player).number == 0, "there is nothing before the first"
    player.seek(10_000)
    assert following(player).number == FRAMES - 1
    player.seek(50)
    player.seek(70)
    assert following(player).number == 70, "the newest wins"
    player.play()
    assert [following(player).number for _ in range(3)] == [71, 72, 73]


def test_frames_wait_in_a_short_queue_only(clip: Path, play: type[Player]) -> None:
    player = play(clip, every=True)
    until(lambda: len(player._reader._frames) == reader.AHEAD)
    following(player)
    until(lambda: len(player._reader._frames) == reader.AHEAD)
    assert player._reader._frames[-1].number == reader.AHEAD


def test_a_video_cut_short_plays_as_far_as_it_goes_and_says_so_once(tmp_path: Path, play: type[Player]) -> None:
    whole = video(tmp_path / "whole.avi", FRAMES).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    player = play(tmp_path / "cut.avi", every=True)
    there = rest(player)
    assert there == list(range(len(there))) and 0 < len(there) < FRAMES
    assert player.note == f"cut.avi ends after {len(there)} of 120 frames: it is cut short or damaged."
    assert player.count == len(there)
    player.note = ""
    player.play()
    assert rest(player) == there and player.note == ""


def test_a_place_beyond_a_cut_is_told(tmp_path: Path, play: type[Player]) -> None:
    whole = video(tmp_path / "whole.avi", FRAMES).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    player = play(tmp_path / "cut.avi")
    following(player)
    player.pause()
    player.seek(110)
    until(lambda: player.next() is not None or player.note)
    assert "Frame 110 of cut.avi cannot be read" in player.note and player.last is not None
    player.seek(2)
    assert following(player).number == 2


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.mp4", None, "gone.mp4 is not there"),
        ("empty.mp4", b"", "empty.mp4 is empty"),
        ("text.mp4", b"no video at all", "text.mp4 is not a video: it is a text file"),
        ("noise.mkv", bytes(range(256)) * 9, "noise.mkv is cut short, damaged or of a kind that cannot be read"),
    ],
)
def test_what_is_no_video_is_refused_in_words(
    tmp_path: Path, play: type[Player], name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    player = play(tmp_path / name)
    with pytest.raises(Refusal, match=told):
        until(player.next)


def test_a_video_without_a_frame_is_refused(tmp_path: Path, play: type[Player]) -> None:
    whole = video(tmp_path / "whole.avi", 3).read_bytes()
    (tmp_path / "none.avi").write_bytes(whole[: whole.index(b"movi") + 4])
    with pytest.raises(Refusal, match=r"none\.avi (contains no frame|is cut short)"):
        until(play(tmp_path / "none.avi").next)


def test_an_mp4_without_its_index_is_refused(tmp_path: Path, clip: Path, play: type[Player]) -> None:
    (tmp_path / "half.mp4").write_bytes(clip.read_bytes()[:20_000])
    with pytest.raises(Refusal, match=r"half\.mp4 is cut short, damaged"):
        until(play(tmp_path / "half.mp4").next)


def test_a_camera_that_is_not_there_is_refused(play: type[Player]) -> None:
    with pytest.raises(Refusal, match="Camera 987 is not there, or another program uses it"):
        until(play("camera:987").next)


class Plugged:
    """What OpenCV makes of a camera: here a numbered grey picture, while it is plugged in."""

    plugged = True
    opened: ClassVar[list[int]] = []

    def __init__(self, number: int) -> None:
        self.opened.append(number)
        self.count = 0

    def isOpened(self) -> bool:
        return self.plugged

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.002)
        self.count += 1
        return (True, numbered(self.count)[..., 0]) if self.plugged else (False, None)

    def get(self, what: int) -> float:
        return 0.0

    def set(self, what: int, value: float) -> bool:
        return False

    def release(self) -> None: ...


def test_a_camera_is_opened_by_its_number_and_taken_up_again_when_it_is_back(
    play: type[Player], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Plugged)
    monkeypatch.setattr(reader, "FIRST_WAIT_S", 0.02)
    player = play("camera:3")
    first = following(player)
    assert Plugged.opened[0] == 3 and first.pixels.shape == (240, 320, 3), "grey is made RGB"
    assert player.fps == capture.USUAL_FPS and player.count == 0
    monkeypatch.setattr(Plugged, "plugged", False)
    until(lambda: player.next() is None and player.lost)
    monkeypatch.setattr(Plugged, "plugged", True)
    again = following(player)
    assert again.number > first.number and number_in(again.pixels) < 50, "it began anew; its frames count on"


def test_a_frame_of_a_file_can_be_had_later_and_one_of_a_camera_not(clip: Path) -> None:
    assert number_in(still(Source(str(clip), frame=33))) == 33
    with pytest.raises(Refusal, match=r"clip\.mp4, frame 500 cannot be read"):
        still(Source(str(clip), frame=500))
    with pytest.raises(Refusal, match="Frame 5 of Camera 0 is gone"):
        still(Source("camera:0", frame=5))


# streams


def test_of_a_stream_the_newest_frame_is_shown_and_the_others_counted(stream: Stream, play: type[Player]) -> None:
    player = play(stream.url)
    first = following(player)
    before = stream.sent
    until(lambda: stream.sent > before + 20)
    frame = following(player)
    assert number_in(frame.pixels) > number_in(first.pixels) + 5
    assert player.dropped == frame.number - first.number - 1 > 0
    assert len(player._reader._frames) <= 1


def test_a_stream_that_stalls_is_lost_tried_again_and_comes_back(stream: Stream, play: type[Player]) -> None:
    player = play(stream.url)
    before = following(player)
    stream.stalled = True
    until(lambda: player.next() is None and player.lost)
    assert player.playing and player.last is not None
    stream.size = (480, 360)
    stream.stalled = False
    again = following(player)
    assert again.number > before.number and again.pixels.shape == (360, 480, 3), "it may come back in another size"
    assert not player.lost


def test_a_stream_that_ends_is_tried_again_with_growing_pauses(
    stream: Stream, play: type[Player], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []
    wait_for = reader.threading.Condition.wait_for

    def noted(self: object, predicate: object, timeout: float | None = None) -> object:
        if timeout is not None:
            tried.append(timeout)
        return wait_for(self, predicate, timeout)  # type: ignore[arg-type]

    player = play(stream.url)
    following(player)
    monkeypatch.setattr(reader.threading.Condition, "wait_for", noted)
    stream.away = True
    stream.breaks += 1
    until(lambda: len(tried) >= 4)
    assert [b / a for a, b in pairwise(tried[:4])] == pytest.approx([2, 2, 2])
    assert player.lost and player.retry_s >= 0
    stream.away = False
    following(player)


def test_a_stream_that_nobody_serves_is_refused(stream: Stream, play: type[Player]) -> None:
    stream.away = True
    with pytest.raises(Refusal, match=r"http://127\.0\.0\.1:\d+/live\.mjpg does not answer with a video"):
        until(play(stream.url).next)
    again = play(stream.url, again=True)
    until(lambda: again.next() is None and again.lost)
    stream.away = False
    following(again)


@pytest.mark.parametrize("before", [0, 3])
def test_a_part_that_claims_two_gigabytes_is_refused(stream: Stream, play: type[Player], before: int) -> None:
    """Also after parts that were pictures. FFmpeg takes all of it into memory first."""
    player = play(stream.url)
    for _ in range(before):
        following(player)
    stream.claims = 2 << 30
    sent = stream.sent
    with pytest.raises(Refusal, match=r"says that it has 2,147,483,648 bytes \(at most 64 MB are read\)"):
        until(lambda: player.next() and None)
    assert stream.sent < sent + 100


def test_a_part_without_a_length_ends_with_its_boundary(
    stream: Stream, play: type[Player], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.claims = 0
    player = play(stream.url)
    assert number_in(following(player).pixels) < number_in(following(player).pixels)
    monkeypatch.setattr(multipart_stream, "MOST_PART_BYTES", 1000)
    with pytest.raises(Refusal, match="goes on beyond 1,000 bytes"):
        until(lambda: player.next() and None)


def test_a_picture_that_would_be_too_large_is_refused(
    stream: Stream, play: type[Player], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart_stream, "MAX_PIXELS", 1000)
    with pytest.raises(Refusal, match="is of 320 x 240 pixels"):
        until(play(stream.url).next)


def test_a_paused_stream_goes_on_with_what_is_new(stream: Stream, play: type[Player]) -> None:
    player = play(stream.url)
    following(player)
    player.pause()
    before, dropped = stream.sent, player.dropped
    until(lambda: stream.sent > before + 10)
    assert player.next() is None and player.state == "paused"
    player.step(1)
    stepped = following(player)
    assert number_in(stepped.pixels) >= before and player.state == "paused" and player.next() is None
    player.play()
    following(player)
    assert player.dropped == dropped, "what came while it was paused was not dropped"


def test_closing_ends_the_thread(clip: Path, stream: Stream) -> None:
    for path in (str(clip), stream.url):
        player = Player(path)
        following(player)
        thread = player._reader._thread
        player.close()
        until(lambda thread=thread: not thread.is_alive())


def test_videos_among_pictures(tmp_path: Path, clip: Path) -> None:
    from models.pictures import images

    shutil.copy(clip, tmp_path / "b.mp4")
    shutil.copy(SAMPLE, tmp_path / "a.png")
    assert [Path(s.path).name for s in images.sources([tmp_path])] == ["a.png", "b.mp4"]
    assert [p.name for p in images.pictures_in(tmp_path)] == ["a.png"]
    assert [s.path for s in images.sources(["camera:1", "rtsp://a/b"])] == ["camera:1", "rtsp://a/b"]
