"""Pickles read without unpickling: tensors, containers and numbers come out, and nothing that they name is run."""

from __future__ import annotations

import argparse
import pickle
import random
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.engine.engine import Engine
from models.loading import inert_pickle, weights
from models.requests import Request
from models.types import Refusal, Result

FORMATS = {"zip": True, "older": False}


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2).half())


def save(value: object, path: Path, form: str, protocol: int = 2) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older format misses the source of classes made here
        torch.save(value, path, _use_new_zipfile_serialization=FORMATS[form], pickle_protocol=protocol)
    return path


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_network_pickled_whole_gives_its_state_dict(tmp_path: Path, form: str, protocol: int) -> None:
    made = net()
    contents = inert_pickle.read(
        save({"model": made, "epoch": 3, "args": argparse.Namespace(a=1)}, tmp_path / "w.pt", form, protocol)
    )
    ((key, record),) = inert_pickle.networks(contents.root)
    state, kinds = inert_pickle.state_of(record)
    assert key == "model" and contents.root["epoch"] == 3
    assert list(state) == list(made.state_dict())
    for name, tensor in made.state_dict().items():
        assert state[name].dtype == tensor.dtype and torch.equal(state[name], tensor), name
    assert kinds["0"] == "torch.nn.modules.conv.Conv2d" and "argparse.Namespace" in contents.names
    assert isinstance(contents.root["args"], inert_pickle.Record)


@pytest.mark.parametrize("form", FORMATS)
def test_views_shared_storages_and_types_come_out_as_saved(tmp_path: Path, form: str) -> None:
    whole = torch.arange(24.0).view(2, 3, 4)
    state = {
        "whole": whole,
        "turned": whole.permute(2, 0, 1),
        "part": whole[1, :, ::2],
        "half": torch.tensor([1.5]).half(),
        "brain": torch.tensor([1.5]).bfloat16(),
        "flags": torch.tensor([True, False]),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.ones(2)),
    }
    found = inert_pickle.read(save(state, tmp_path / "w.pt", form)).root
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor.detach()), name
    assert found["whole"].untyped_storage().data_ptr() == found["turned"].untyped_storage().data_ptr()


@pytest.mark.parametrize("form", FORMATS)
def test_numbers_of_numpy_are_harmless(tmp_path: Path, form: str) -> None:
    state = {"conv.weight": torch.ones(2, 3)}
    more = {"acc": np.float64(97.38), "history": np.arange(3.0), "best": np.int64(3), "epoch": 4}
    path = save({"net": state, **more}, tmp_path / "w.pth", form)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    assert torch.equal(weights.read(path)["conv.weight"], state["conv.weight"])


class Marker:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_called_set_or_imported(tmp_path: Path, form: str) -> None:
    module = types.ModuleType("not_to_be_imported")
    module.Net = type("Net", (nn.Linear,), {"__module__": "not_to_be_imported"})  # type: ignore[attr-defined]
    sys.modules["not_to_be_imported"] = module
    try:
        path = save({"model": module.Net(3, 2), "x": Marker(tmp_path / "ran")}, tmp_path / "w.pt", form)
    finally:
        del sys.modules["not_to_be_imported"]
    contents = inert_pickle.read(path)
    ((_, record),) = inert_pickle.networks(contents.root)
    assert record.name == "not_to_be_imported.Net" and set(inert_pickle.state_of(record)[0]) == {"weight", "bias"}
    assert not (tmp_path / "ran").exists() and "not_to_be_imported" not in sys.modules
    with pytest.raises(Refusal, match="could run code"):
        weights.read(path)


def test_a_pickled_yolo_shows_its_filters_and_names_the_export(tmp_path: Path) -> None:
    """A network of a module named as Ultralytics' own: of it nothing is there, so nothing could be imported."""
    module = types.ModuleType("ultralytics")
    module.__path__ = []  # type: ignore[attr-defined]
    inner = types.ModuleType("ultralytics.nn.tasks")
    kind = type("DetectionModel", (nn.Module,), {"__module__": "ultralytics.nn.tasks"})
    inner.DetectionModel = kind  # type: ignore[attr-defined]
    sys.modules |= {"ultralytics": module, "ultralytics.nn": module, "ultralytics.nn.tasks": inner}
    try:
        made: Any = kind()
        made.model = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 64, 1))
        made.names, made.yaml = {0: "person"}, {"nc": 1}
        path = save({"epoch": -1, "model": made.half(), "ema": None, "train_args": {}}, tmp_path / "best.pt", "zip")
    finally:
        for name in ("ultralytics", "ultralytics.nn", "ultralytics.nn.tasks"):
            del sys.modules[name]
    engine = Engine(threads=1)
    answer = engine.run(Request("describe", str(path)))
    assert isinstance(answer, Result), answer
    note = answer.meta["description"].about["note"]
    assert "ultralytics.nn.tasks.DetectionModel" in note and "would run code" in note
    assert "yolo export model=best.pt format=onnx" in note
    assert "ultralytics" not in sys.modules
    from models.cards.card import PHOTOS
    from models.types import Source

    shown = engine.run(Request.make("filters", str(path), Source.file(PHOTOS / "cat.jpg")))
    assert isinstance(shown, Result), shown
    assert shown.arrays["tiles"].shape == (8, 3, 3, 3)
    np.testing.assert_array_equal(
        shown.arrays["tiles"], made.get_submodule("model.0").weight.detach().float().permute(0, 2, 3, 1)
    )
    refused = engine.run(Request.make("detect", str(path), Source.file(PHOTOS / "cat.jpg")))
    assert "without the code of their network" in refused.text  # type: ignore[union-attr]


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_pickles_end_in_a_refusal(tmp_path: Path, form: str) -> None:
    good = save({"model": net(), "n": np.float32(2)}, tmp_path / "good.pt", form).read_bytes()
    path = tmp_path / "w.pt"
    read = 0
    for seed in range(150):
        rng, data = random.Random(f"{form} {seed}"), bytearray(good)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(data))
            if rng.random() < 0.3:
                del data[at : at + rng.randint(1, 30)]
            else:
                data[at] = rng.randrange(256)
        path.write_bytes(data)
        try:
            for _, record in inert_pickle.networks(inert_pickle.read(path).root):
                inert_pickle.state_of(record)
            read += 1
        except Refusal as refusal:
            assert str(refusal) and refusal.advice, seed
    assert read


def test_excessive_pickles_are_refused(tmp_path: Path) -> None:
    import zipfile

    for content in (
        b"\x80\x02" + b"N0" * 1_200_000 + b"N.",
        b"\x80\x02\x8a\xff" + b"\1" * 255 + b"R.",
        b"\x80\x05\x97.",
    ):
        with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
            archive.writestr("archive/data.pkl", content)
        with pytest.raises(Refusal):
            inert_pickle.read(tmp_path / "w.pt")
