"""The program of a worker: computes parts of a pass over a data set with a model that it opens itself.

`python -m models.engine.part_worker` is started by `models.dataset_pass.worker_processes`, which describes the lines;
`compute_part` is what a cluster's machine runs.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
from collections.abc import Callable
from typing import Any

from models.dataset_pass.part_task import PartTask, Unable
from models.runtime import kept_folder, memory_limits
from models.types import Cancelled, Refusal

Progress = Callable[[int], object]


class PartMaker:
    """An engine that computes parts; models stay open between them."""

    def __init__(self, threads: int) -> None:
        gc.disable()  # during the import of torch, as in the engine's process
        from models.engine.engine import Engine

        self._engine = Engine(threads=threads)
        self._forwards: dict[int, Any] = {}
        gc.freeze()
        gc.enable()

    def make(self, task: PartTask, progress: Progress) -> None:
        """Compute a part and write it. Raises Refusal, and Unable if the model is not the one that the task means.

        Code is run only if the user has allowed exactly this content, as in the engine.
        """
        from models.dataset_pass.fingerprint import fingerprint
        from models.dataset_pass.shard import compute

        try:
            model = self._engine.model(task.model)
            same = fingerprint(task.model, model, self._engine.files_of(task.model)) == task.weights
        except Refusal as refusal:
            raise Unable(f"{refusal} {refusal.advice}".strip()) from refusal
        except Exception as error:
            raise Unable(f"The model cannot be opened in another process: {error}") from error
        if not same:
            raise Unable("Another process opens the model with other weights.")
        with self._engine.passing(task.model):
            compute(self._forward(model, task), task.products, task.shard, task.folder, progress=progress)

    def _forward(self, model: Any, task: PartTask) -> Any:
        """Return the model's forward pass, which has looked at the first of the pictures that can be read."""
        import torch

        from models.dataset_pass.forward import Forward
        from models.pictures import images

        found = self._forwards.get(id(model))
        if found is None or found.model is not model:
            found = self._forwards[id(model)] = Forward(model)
        for path in task.shard.paths:
            if found.settled:
                break
            try:
                pixels = images.read(path).pixels
            except Refusal:
                continue
            with torch.inference_mode():
                found.settle(pixels)
        return found


_makers: list[PartMaker] = []


def compute_part(text: str, threads: int = 1, progress: Progress = int) -> list[str]:
    """Compute the task in a line of text; return what became of it, as a worker says it. Never raises."""
    try:
        if not _makers:
            _makers.append(PartMaker(threads))
        _makers[0].make(PartTask.of(text), progress)
    except Unable as unable:
        return ["unable", str(unable)]
    except Refusal as refusal:
        return ["refused", str(refusal), refusal.advice]
    except (Cancelled, BrokenPipeError):
        raise
    except Exception as error:
        return ["unable", f"Another process cannot go over the pictures: {error}"]
    return ["written"]


def main() -> None:
    """Answer the lines on standard input until there are no more. What a model prints goes to standard error."""
    lines = os.fdopen(os.dup(0), "rb")
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    memory_limits.keep(own_group=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def say(*words: object) -> None:
        said.write(json.dumps(words).encode("ascii") + b"\n")
        said.flush()

    begin = json.loads(lines.readline() or b"{}")
    kept_folder.use(str(begin.get("kept", "")))
    _makers.append(PartMaker(int(begin.get("threads", 1))))
    say("ready")
    for line in lines:
        say(*compute_part(line.decode("ascii"), progress=lambda count: say("looked", count)))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the engine is gone
        main()
