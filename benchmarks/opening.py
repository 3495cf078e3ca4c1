"""Opening a file of weights, and one inference, against bare torch that does the same work by hand.

`python -m benchmarks.opening`. The peer of opening knows the architecture beforehand, builds it, reads the file with
`weights_only=True` and loads it; Vitrine recognises it by its tensors and checks it besides. The peer of an inference
decodes the picture, preprocesses it as torchvision's preset does and runs the network without gradients.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.models import get_model, get_model_weights
from torchvision.transforms.functional import convert_image_dtype, pil_to_tensor

from benchmarks.paired import SAMPLES, Line, at_most, surroundings, table
from models.cards import card as cards
from models.engine import registry
from models.engine.engine import Engine
from models.loading import architectures, weights
from models.requests import Request
from models.types import Result, Source

OPENED = ("resnet50", "vit_b_32", "fasterrcnn_mobilenet_v3_large_fpn")
ASKED = ("resnet50", "digits-faster-rcnn")  # random boxes are too many to be like any trained ones
OPENING, INFERENCE = 1.2, 1.05


def lines(rounds: int) -> list[Line]:
    """Return a line for each model opened and each asked."""
    with TemporaryDirectory() as folder:
        found = [opening(name, Path(folder), rounds) for name in OPENED]
        return found + [inference(name, Path(folder), rounds) for name in ASKED]


def opening(name: str, folder: Path, rounds: int) -> Line:
    """Compare opening one file, in turn; both give the same network."""
    path = saved(name, folder)

    def bare() -> torch.nn.Module:
        net = plain(name)
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return net.eval()

    ours = registry.open_model(str(path)).net.state_dict()
    for key, value in bare().state_dict().items():
        assert torch.equal(value, ours[key]), key
    size = path.stat().st_size / 1e6
    pairs = [(seconds(lambda: registry.open_model(str(path))), seconds(bare)) for _ in range(rounds)]
    return at_most(f"Open {name}, {size:.0f} MB", *zip(*pairs, strict=True), limit=OPENING)


def inference(name: str, folder: Path, rounds: int) -> Line:
    """Compare the answer about a picture that was not seen before, in turn; both give the same numbers."""
    engine, detector = Engine(threads=torch.get_num_threads()), "rcnn" in name
    model = name if detector else str(saved(name, folder))
    net = trained(name) if detector else plain(name)
    if not detector:
        net.load_state_dict(torch.load(model, map_location="cpu", weights_only=True))
    net.eval()
    preset = None if detector else get_model_weights(name).DEFAULT.transforms()  # type: ignore[attr-defined]
    original = np.array(Image.open(SAMPLES / "board.png").convert("RGB"))
    place = folder / "picture.png"
    inspection = "detect" if detector else "classify"

    def fresh(number: int) -> None:
        Image.fromarray(np.roll(original, number, axis=1)).save(place)

    def ours() -> Result:
        answer = engine.run(Request(inspection, model, Source.file(place)))
        assert isinstance(answer, Result), answer
        return answer

    def bare() -> Any:
        with torch.inference_mode():
            image = pil_to_tensor(Image.open(place).convert("RGB"))
            return net([convert_image_dtype(image)])[0] if detector else net(preset(image)[None])[0]

    fresh(0)
    first, peer = ours(), bare()
    if detector:
        np.testing.assert_array_equal(first.arrays["scores"], peer["scores"].numpy())
    else:
        np.testing.assert_allclose(first.arrays["scores"], peer.sort(descending=True).values[:5].numpy(), rtol=1e-6)
    pairs = []
    for number in range(1, rounds + 1):
        fresh(number)
        pairs.append((seconds(ours), seconds(bare)))
    return at_most(f"Ask {name} about a new picture", *zip(*pairs, strict=True), limit=INFERENCE)


def trained(name: str) -> torch.nn.Module:
    """Return a bundled detector as its training builds it."""
    card = cards.bundled()[name]
    net = architectures.build(card.architecture, classes=len(card.classes))
    net.load_state_dict(weights.read(card.weights or ""))
    return net


def plain(name: str) -> torch.nn.Module:
    """Return the network as somebody builds it by hand."""
    return get_model(name, weights=None, **({"weights_backbone": None} if "rcnn" in name else {}))


def saved(name: str, folder: Path) -> Path:
    """Return a file of random weights."""
    path = folder / f"{name}.pth"
    if not path.exists():
        torch.manual_seed(0)
        torch.save(plain(name).state_dict(), path)
    return path


def seconds(work: Callable[[], Any]) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    before = surroundings()
    print(f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(lines(given.rounds))}")


if __name__ == "__main__":
    main()
