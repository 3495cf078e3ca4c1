"""Where models run and how precisely: devices, precisions, what comes back in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.cards.card import DIGITS, PHOTOS, SAMPLES
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import pictures_in
from models.requests import Request
from models.runtime import device
from models.types import Failure, Refusal, Result, Source


def ask(engine: Engine, inspection: str, model: str, folder: Any, **params: Any) -> Result:
    answer = engine.run(Request.make(inspection, model, Source.file(pictures_in(folder)[0]), params))
    assert isinstance(answer, Result), answer
    return answer


@pytest.mark.parametrize(
    ("inspection", "model", "folder", "key"),
    [
        ("detect", "digits-ssd", SAMPLES, "scores"),
        ("detect", "digits-faster-rcnn", SAMPLES, "scores"),
        ("classify", "photos-resnet", PHOTOS, "probabilities"),
        ("grad_cam", "photos-resnet", PHOTOS, "map"),
        ("occlusion", "photos-resnet", PHOTOS, "map"),
        ("integrated_gradients", "photos-vit", PHOTOS, "map"),
        ("attention", "photos-vit", PHOTOS, "rows"),
        ("activations", "photos-resnet", PHOTOS, "maps"),
        ("reconstruct", "digits-vae", DIGITS, "picture"),
    ],
)
def test_bfloat16_is_near_float32_and_not_the_same(inspection: str, model: str, folder: Any, key: str) -> None:
    engine = Engine(threads=1)
    full, narrow = (ask(engine, inspection, name, folder) for name in (model, f"{model}?precision=bfloat16"))
    key = key if key in full.arrays else next(iter(full.arrays))
    a, b = np.asarray(full.arrays[key], np.float64), np.asarray(narrow.arrays[key], np.float64)
    assert a.shape == b.shape
    assert np.abs(a - b).max() < 0.15 * np.abs(a).max()
    assert not np.array_equal(a, b)


def test_weights_and_what_comes_out_stay_float32() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    inner: list[torch.dtype] = []
    net[0].register_forward_hook(lambda module, inputs, output: inner.append(output.dtype))
    with torch.no_grad(), device.calculating(device.Runtime("cpu", "bfloat16")):
        out = net(torch.rand(1, 3, 8, 8))
    assert inner == [torch.bfloat16] and out.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in net.parameters())
    with torch.no_grad():
        assert not torch.equal(out, net(torch.rand(1, 3, 8, 8)))
    assert not nn.modules.module._global_forward_hooks and not nn.modules.module._global_forward_pre_hooks


def test_an_error_inside_leaves_the_depth_right() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError

    linear = nn.Linear(2, 2)
    with torch.no_grad(), device.calculating(device.Runtime("cpu", "bfloat16")):
        with pytest.raises(ValueError):
            Odd()(torch.rand(1, 2))
        assert linear(torch.rand(1, 2)).dtype == torch.float32


def test_containers_keep_their_kind() -> None:
    half = torch.zeros(1, dtype=torch.bfloat16)
    made = device.widened({"a": [half, (half, 3)], "b": None})
    assert made["a"][0].dtype == torch.float32 and isinstance(made["a"][1], tuple) and made["a"][1][1] == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits-ssd?device=cuda:7", "no device 'cuda:7'"),
        ("digits-ssd?precision=float8", "'float8' does not run"),
        ("digits-ssd?precision=float16&device=cpu", "'float16' does not run on cpu"),
    ],
)
def test_what_this_machine_lacks_is_refused(name: str, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        registry.open_model(name)


def test_a_full_graphics_processor_offers_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    engine = Engine(threads=1)
    engine.model("digits-ssd")
    monkeypatch.setattr(device, "take", lambda given: (device.Runtime("cuda:0"), {}))
    found = registry.all_inspections()["detect"]

    def full(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setitem(registry.all_inspections(), "detect", replace(found, answer=full))
    answer = engine.run(Request("detect", "digits-ssd", Source.file(pictures_in(SAMPLES)[0])))
    assert isinstance(answer, Failure) and "cuda:0" in answer.message
    assert answer.offer == ("model", "digits-ssd?device=cpu", "Run on the processor")


def test_threads_leave_one_core_of_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)), raising=False)
    assert device.threads() == 5
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0}, raising=False)
    assert device.threads() == 1
