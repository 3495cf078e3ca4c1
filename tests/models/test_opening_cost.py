"""How many pictures a network is asked about while it is opened: a few in the usual case, and right all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from detector_outputs import LAYOUTS, SIZE
from torch import Tensor, fx

from models.cards.card import Card
from models.engine import registry
from models.interpretation import detector_reading, examine

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "models"
MOST = 3


@pytest.mark.parametrize("file", ["yolox_nano.onnx", "nanodet_m_320.onnx", "yunet_n_320_320.onnx"])
def test_a_real_detector_is_opened_with_three_passes(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (SHARED / file).is_file():
        pytest.skip("the shared cases are not here")
    passes, plain = [], fx.GraphModule.__call__

    def counted(net: fx.GraphModule, x: Tensor) -> object:
        passes.append(len(x))
        return plain(net, x)

    monkeypatch.setattr(fx.GraphModule, "__call__", counted)
    model = registry.open_model(str(SHARED / file))
    assert 1 <= sum(passes) <= MOST, passes
    assert "Detects" in registry.describe(model).capabilities


@pytest.mark.parametrize("layout", ["v8 of 80 classes", "nanodet", "yunet"])
def test_what_is_sure_ends_the_search_and_what_finds_nothing_goes_on(layout: str) -> None:
    outputs, _ = LAYOUTS[layout](0)
    sure = [(name, torch.from_numpy(np.ascontiguousarray(a))) for name, a in outputs]
    asked = []

    def run(x: Tensor) -> list[tuple[str, Tensor]]:
        asked.append(x)
        return sure

    found = examine.examine(run, SIZE, torch.device("cpu"), given={})
    assert found is not None and found.proposals[0].fit > 0.5
    assert len(asked) <= MOST
    more = []

    def quiet(x: Tensor) -> list[tuple[str, Tensor]]:
        more.append(x)
        return [(name, _faint(name, tensor)) for name, tensor in sure]

    examine.examine(quiet, SIZE, torch.device("cpu"), given={})
    assert len(more) > MOST, "a network that is sure of nothing is tried in every usual way"


def _faint(name: str, tensor: Tensor) -> Tensor:
    """Return an output with its scores a tenth as high, boxes as they were."""
    if name == "output0":  # box and classes in one
        return torch.cat([tensor[:, :4], tensor[:, 4:] * 0.1], 1)
    return tensor * 0.1 if bool((tensor >= 0).all() and (tensor <= 1).all()) else tensor


def test_a_detector_stays_one_when_pictures_are_prepared_so_that_it_finds_nothing() -> None:
    outputs, _ = LAYOUTS["v8 of 80 classes"](0)
    ((name, array),) = outputs
    sure = torch.from_numpy(np.ascontiguousarray(array))

    def run(x: Tensor) -> list[tuple[str, Tensor]]:
        seen = 1.0 if float(x.max()) <= 1 else 0.0  # blind to values beyond 0 to 1
        return [(name, torch.cat([sure[:, :4], sure[:, 4:] * seen], 1))]

    given = {"input": "zero_255"}
    assert examine.examine(run, SIZE, torch.device("cpu"), given=given) is None
    read = detector_reading.read(run, SIZE, torch.device("cpu"), given=given, preprocess=None, card=Card("net"))
    assert read is not None and read.readings[0].kind == "boxes"
    assert read.preprocess.range == 255, "as the user chose"
