"""A child process that opens files as the window does, one a line from standard input, and measures itself."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models import files, recipe
from models.engine.engine import Engine
from models.latent import space
from models.pictures import images
from models.requests import Request
from models.truth import read as truths
from models.types import Failure, Refusal, Result, Source
from models.user_code import consent
from viewer.saving import session_file
from viewer.session.preferences import Settings

SSD = "digits-ssd"


def peak() -> int:
    """Return the most memory held since `forget`, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget() -> int:
    """Begin to measure anew, and return what is held now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


class Opener:
    """Opens by kind; what comes back is "opened" or "refused" with the words."""

    def __init__(self) -> None:
        self.engine = Engine(threads=1)
        self.engine.run(Request("describe", SSD))

    def told(self, answer: Any) -> tuple[str, str]:
        if isinstance(answer, Failure):
            return ("crashed" if "The log has the details" in answer.text else "refused"), answer.text
        assert isinstance(answer, Result)
        return "opened", ""

    def model(self, path: str) -> tuple[str, str]:
        return self.told(self.engine.run(Request("describe", path)))

    def script(self, path: str) -> tuple[str, str]:
        consent.allow(Path(path), files.sha256(path))
        try:
            return self.model(path)
        finally:
            consent.revoke()

    def card(self, path: str) -> tuple[str, str]:
        weights = Path(path).with_name("x.pt")
        shutil.copy(sys.argv[1], weights)
        try:
            return self.told(self.engine.run(Request("describe", str(weights))))
        finally:
            weights.unlink()

    def picture(self, path: str) -> tuple[str, str]:
        (source,) = images.sources([path])
        images.read(source)
        return self.told(self.engine.run(Request("detect", SSD, source)))

    def video(self, path: str) -> tuple[str, str]:
        (source,) = images.sources([path])
        first = Source(source.path, source.stamp, 0)
        return self.told(self.engine.run(Request("detect", SSD, first)))

    def truth(self, path: str) -> tuple[str, str]:
        truths.recognise(path)
        truths.read(path)
        return "opened", ""

    def recipe(self, path: str) -> tuple[str, str]:
        return self.told(self.engine.run(recipe.read(Path(path)).request))

    def session(self, path: str) -> tuple[str, str]:
        session_file.is_session(path)
        session_file.read(Path(path))
        return "opened", ""

    def settings(self, path: str) -> tuple[str, str]:
        os.environ["VITRINE_HOME"] = str(Path(path).parent)
        content = Path(path).read_bytes()
        try:
            return "opened", " ".join(Settings.load().notes)
        finally:
            os.environ["VITRINE_HOME"] = sys.argv[2]
            for left in Path(path).parent.iterdir():
                left.unlink()
            Path(path).write_bytes(content)

    def codes(self, path: str) -> tuple[str, str]:
        space._read(Path(path))
        return "opened", ""


def main() -> None:
    opener = Opener()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        kind, path = json.loads(line)
        before, start = forget(), time.perf_counter()
        how: Callable[[str], tuple[str, str]] = getattr(opener, kind)
        try:
            outcome, words = how(path)
        except Refusal as refusal:
            outcome, words = "refused", f"{refusal} {refusal.advice}"
        except BaseException as error:
            outcome, words = "crashed", f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        print(json.dumps([outcome, words[:2000], seconds, peak() - before]), flush=True)


if __name__ == "__main__":
    main()
