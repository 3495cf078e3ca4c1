"""Every inspection on every family: answers, leaves the model as it was, declares what it reads, travels."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_code import face_adapter
from torch.overrides import _get_current_function_mode_stack

from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.inspection import Description
from models.params import parameters
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache
from models.types import Failure, Result, Source

ADAPTERS = (*registry.adapter_classes(), face_adapter().ADAPTER)
INSPECTIONS = list(registry.all_inspections().values())
CLASSES = ("background", "a", "b", "c")
FOLDERS = {"neighbours": ("folder",), "posterior": ("folder",), "attribute": ("with_folder", "without_folder")}
FOLDERS["influence"] = FOLDERS["real_neighbours"] = ("folder",)

# Fewer passes than a user would want, for methods that make hundreds of them.
FEW = {
    "kernel_shap": {"samples": 60},
    "lime": {"samples": 60},
    "smooth_grad": {"samples": 8},
    "integrated_gradients": {"most": 16},
    "invert": {"starts": 2, "steps": 10},
    "shapley_sampling": {"samples": 1, "segments": 6},
    "gradient_shap": {"samples": 4},
    **{f"layer_{name}": {"steps": 4} for name in ("conductance", "integrated_gradients")},
    "internal_influence": {"steps": 4},
    "neuron_conductance": {"steps": 4},
    "proof": {"squares": 6, "nudges": 1, "steps": 5, "draws": 2},
    "robustness": {"steps": 2, "most": 1.0},
    "synthesise": {"steps": 3, "kept": 2},
    "concepts": {"sets": 3, "cells": 2},
    "style": {"steps": 2, "size": 40},
    "cycle": {"back": "tiny", "draws": 1},
}
CONCEPT = {"concept": 10, "random": 20, "examples": 2}  # folders, with so many pictures


def filled(folder: Path, count: int) -> str:
    """Write small pictures of noise, other ones in each folder, unless they are there; return the folder's path."""
    if not folder.exists():
        folder.mkdir()
        rng = np.random.default_rng(len(folder.name))
        for number in range(count):
            save_png(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8), folder / f"{number}.png")
    return str(folder)


def given_classes(count: int) -> tuple[str, ...]:
    """Names for so many classes: background and others, or, as background alone is no class, one other."""
    return CLASSES[1:2] if count == 1 else CLASSES[:count]


def fingerprint(net: torch.nn.Module) -> str:
    """Everything of a network that an inspection must leave alone."""
    digest = hashlib.sha256()
    for name, module in net.named_modules():
        hooks = [k for k, v in vars(module).items() if k.endswith("_hooks") and v]
        plain = {k: repr(v) for k, v in vars(module).items() if not k.startswith("_")}
        digest.update(repr((name, type(module), id(module), module.training, hooks, sorted(plain.items()))).encode())
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        digest.update(repr((name, tensor.requires_grad, tensor.grad is None, id(tensor))).encode())
        digest.update(tensor.detach().numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(params=ADAPTERS, ids=lambda a: a.__name__, scope="module")
def family(request: pytest.FixtureRequest) -> Engine:
    """An engine with a family's miniature opened, shared by the tests of the family."""
    made = Engine(threads=1)
    net = request.param.tiny()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    count = len(getattr(request.param, "classes", CLASSES))
    card = Card("tiny", classes=given_classes(count))
    ours = request.param in registry.adapter_classes()
    made._models["tiny"] = registry.adapt(net.eval(), card) if ours else request.param(net, card)
    with torch.inference_mode():
        if hasattr(net, "transform"):
            net([torch.zeros(3, 90, 120)])  # torchvision's RoIAlign remembers its scales in its first forward pass
    return made


@pytest.fixture
def engine(family: Engine) -> Iterator[Engine]:
    """The family's engine with nothing in its cache."""
    family.cache = Cache()
    yield family
    family._idle.clear()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        save_png(rng.integers(0, 255, (90, 120, 3), dtype=np.uint8), tmp_path / name)
    return Source.file(tmp_path / "a.png")


def subject(inspection: Any, source: Source) -> Source:
    """What an inspection reads: the picture, or ground truth that has it."""
    if inspection.reads == "picture":
        return source
    path = Path(source.path).with_suffix(".json")
    truth = {
        "images": [{"id": 1, "file_name": Path(source.path).name, "width": 120, "height": 90}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 30], "area": 1200, "iscrowd": 0}
        ],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    }
    path.write_text(json.dumps(truth))
    return Source.file(path)


def asked(inspection: Any, source: Source, given: Mapping[str, Any] | None = None) -> Request:
    """The question, about what the inspection reads; with a folder of pictures where it compares with some."""
    about = None if inspection.reads == "nothing" else subject(inspection, source)
    folders = dict.fromkeys(FOLDERS.get(inspection.id, ()), str(Path(source.path).parent))
    few = FEW.get(inspection.id, {})
    if inspection.id == "concepts":
        folders = {name: filled(Path(source.path).parent / name, count) for name, count in CONCEPT.items()}
    if inspection.id == "style":
        folders = {"style": str(Path(source.path).with_name("b.png"))}
    return Request.make(inspection.id, "tiny", about, {**(given or {}), **folders, **few})


def skip_if_never(answer: Any) -> None:
    """Skip what a method refuses by its verdict; anything else that it does not answer is a failure."""
    if isinstance(answer, Failure) and " does not apply to tiny. " in answer.message:
        pytest.skip(answer.message)


@pytest.mark.parametrize("inspection", INSPECTIONS, ids=lambda i: i.id)
def test_it_is_called_off_then_answers_and_leaves_the_model_as_it_was(
    inspection: Any, engine: Engine, source: Source
) -> None:
    model = engine.model("tiny")
    offer = inspection.offer(model)
    if offer.reason:
        pytest.skip(offer.reason)
    before = fingerprint(model.net)
    called_off(inspection, engine, source)
    assert fingerprint(model.net) == before
    answer = engine.run(asked(inspection, source))
    engine.finish_idle()
    assert fingerprint(model.net) == before
    skip_if_never(answer)
    assert isinstance(answer, Result), answer
    assert answer.arrays
    assert all(np.isfinite(a).all() for a in answer.arrays.values())
    again = pickle.loads(pickle.dumps(answer, protocol=5))
    assert all(np.array_equal(again.arrays[k], v) for k, v in answer.arrays.items())
    assert nothing_left()
    plain = engine.run(asked(inspection, source)) if answer.meta.get("partial") else answer
    given = engine.run(asked(inspection, source, offer.defaults))
    assert isinstance(plain, Result)
    assert isinstance(given, Result), "a model's own values are valid"
    assert all(np.array_equal(given.arrays[k], v) for k, v in plain.arrays.items())
    assert given.meta["parameters"] == plain.meta["parameters"]


def called_off(inspection: Any, engine: Engine, source: Source) -> None:
    """Ask, and call it off after the first few checks."""
    calls = []

    def cancelled() -> bool:
        calls.append(1)
        return len(calls) > (1 if inspection.reads == "nothing" else 4)

    answer = engine.run(asked(inspection, source), Context(cancelled=cancelled))
    assert isinstance(answer, Failure), "it never looked whether it was called off"
    assert answer.cancelled
    assert nothing_left()


def nothing_left() -> bool:
    """Tell whether no hook and no mode of ours is still in force."""
    hooks = torch.nn.modules.module
    left = (hooks._global_forward_pre_hooks, hooks._global_forward_hooks, _get_current_function_mode_stack())
    return not any(left)


@pytest.mark.parametrize("inspection", INSPECTIONS, ids=lambda i: i.id)
def test_its_parameters_are_declared_in_full(inspection: Any) -> None:
    for parameter in parameters(inspection.params):
        assert parameter.title and parameter.help.endswith("."), parameter.name
        assert parameter.title[0].isupper() and not parameter.title.endswith(":")
        assert parameter.check(parameter.default) == parameter.default


def test_a_description_travels_and_names_every_inspection(engine: Engine) -> None:
    answer = engine.run(Request("describe", "tiny"))
    assert isinstance(answer, Result)
    description: Description = pickle.loads(pickle.dumps(answer.meta["description"]))
    assert set(description.offers) == {i.id for i in INSPECTIONS}
    card = engine.model("tiny").card
    own = getattr(type(engine.model("tiny")), "classes", None)  # such as the colours a translator makes
    assert description.classes == card.classes
    assert card.classes in (own, given_classes(len(card.classes)))
