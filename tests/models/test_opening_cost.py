"""How many pictures a network is asked about while it is opened: a few in the usual case, and right all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from detector_outputs import LAYOUTS, SIZE
from torch import Tensor, fx

from models.engine import registry
from models.interpretation import examine

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
