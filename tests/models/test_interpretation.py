"""The inspection that tells what a network's outputs are taken for, and a reading chosen in a model's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from models.cards.card import PHOTOS, Card
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Failure, Refusal, Result, Source

PLAIN = {"crop": [128, 128], "fit": "stretch", "mean": [0, 0, 0], "std": [1, 1, 1]}


class Red(nn.Module):
    """Finds what is red and gives it as YOLOv8 gives its boxes: (1, 4 + 2 classes, cells), in pixels of 128 px."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2:] == (128, 128)
        made = []
        for stride in (8, 16, 32):
            seen = functional.avg_pool2d(x, stride)
            red = seen[:, 0] - seen[:, 1:].amax(1) - 0.5
            scores = torch.stack([(40 * (red - 0.02 * stride / 8)).sigmoid(), 0.001 + 0 * red], 1)
            side = torch.arange(128 // stride)
            y, row = torch.meshgrid(side, side, indexing="ij")
            centres = ((torch.stack([row, y]) + 0.5) * stride).to(x)
            box = torch.cat([centres, torch.full_like(centres, 36.0)]).expand(len(x), -1, -1, -1)
            made.append(torch.cat([box, scores], 1).flatten(2))
        return torch.cat(made, 2)


class Colours(nn.Module):
    """The mean of each colour, as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.tell = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.tell(x).mean((2, 3))


def engine(net: nn.Module, assumed: Mapping[str, str] | None = None, **about: Any) -> Engine:
    """Return an engine with a network opened as "net" under assumptions."""
    torch.manual_seed(0)
    made = Engine(threads=1)
    made._models["net"] = registry.adapt(net.eval(), Card("net", about=about), assumed)
    return made


def interpreted(made: Engine, picture: Path = PHOTOS / "cat.jpg", **settings: Any) -> Result:
    answer = made.run(Request.make("interpretation", "net", Source.file(picture), settings))
    assert isinstance(answer, Result), answer
    return answer


def chosen(answer: Result) -> dict[str, Any]:
    (row,) = [row for row in answer.meta["readings"] if row["chosen"]]
    return row


@pytest.fixture(scope="module")
def red_square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "red.png"
    pixels = np.full((256, 256, 3), 90, np.uint8)
    pixels[100:180, 40:120] = (230, 20, 20)
    Image.fromarray(pixels).save(path)
    return path


def test_outputs_are_listed_and_every_reading_tells_what_it_finds(red_square: Path) -> None:
    made = engine(Red(), preprocessing=PLAIN)
    answer = interpreted(made, red_square)
    (output,) = answer.meta["outputs"]
    assert output["shape"] == (1, 6, 336) and output["finite"] and output["used"]
    assert output["low"] < 0.01 and output["high"] == pytest.approx(124)
    assert answer.arrays[output["picture"]].dtype == np.uint8 and answer.arrays[output["picture"]].ndim == 3
    own = chosen(answer)
    assert own["kind"] == "boxes" and own["fit"] > 0.4 and own["evidence"]
    boxes = answer.arrays[own["arrays"]["boxes"]]
    assert len(boxes) >= 1 and own["finds"].startswith(f"{len(boxes)} box")
    x0, y0, x1, y1 = boxes[0]
    assert abs((x0 + x1) / 2 - 80) < 30 and abs((y0 + y1) / 2 - 140) < 30, "in pixels of the picture"
    kinds = [row["kind"] for row in answer.meta["readings"]]
    assert kinds[-1] == "features" and len({row["id"] for row in answer.meta["readings"]}) == len(kinds)
    assert {key: own["assume"][key] for key in own["assume"]} == {"reading": own["id"]}


@pytest.mark.parametrize("net", [Red(), Colours()], ids=["detector", "classifier"])
def test_every_reading_that_is_listed_opens_by_its_id(net: nn.Module) -> None:
    about = {"preprocessing": PLAIN} if isinstance(net, Red) else {}
    listed = interpreted(engine(net, **about)).meta["readings"]
    assert len(listed) > 1
    for row in listed:
        again = interpreted(engine(net, row["assume"], **about))
        assert chosen(again)["id"] == row["id"]
        assert {each["id"] for each in again.meta["readings"]} == {each["id"] for each in listed}


def test_a_reading_changes_what_is_answered_and_never_the_network() -> None:
    net = Colours()
    source = Source.file(PHOTOS / "cat.jpg")
    softmax = engine(net).run(Request.make("classify", "net", source))
    labels = engine(net, {"reading": "sigmoid"}).run(Request.make("classify", "net", source))
    numbers = engine(net, {"reading": "values"}).run(Request.make("classify", "net", source))
    assert isinstance(softmax, Result) and isinstance(labels, Result) and isinstance(numbers, Result)
    assert softmax.arrays["probabilities"].sum() == pytest.approx(1)
    logits = np.sort(numbers.arrays["scores"])[::-1]
    np.testing.assert_allclose(labels.arrays["probabilities"], 1 / (1 + np.exp(-logits)), rtol=1e-5)
    assert "probabilities" not in numbers.arrays, "plain numbers are no percentages"


def test_other_preparations_are_tried_where_asked_for() -> None:
    made = engine(Colours())
    plain, asked = interpreted(made), interpreted(made, preparations=True)
    assert plain.meta["preparations"] == []
    rows = asked.meta["preparations"]
    assert sum(row["chosen"] for row in rows) == 1
    assert {row["assume"]["input"] for row in rows} >= {"imagenet", "zero_one", "zero_255", "caffe"}
    merits = [row["merit"] for row in rows]
    assert merits == sorted(merits, reverse=True) and all(row["finds"] for row in rows)
    for row in rows[:3]:
        again = interpreted(engine(made._models["net"].net, row["assume"]))
        assert chosen(again)["finds"] == row["finds"], "what is listed is what is found when it is opened so"


def test_an_unknown_reading_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Refusal, match="reading cannot be 'nonsense'") as refused:
        engine(Colours(), {"reading": "nonsense"})
    assert "sigmoid" in refused.value.advice


def test_a_known_family_needs_no_interpretation() -> None:
    answer = Engine(threads=1).run(Request.make("interpretation", "digits-ssd", Source.file(PHOTOS / "cat.jpg")))
    assert isinstance(answer, Failure) and "known family" in answer.message
