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
from torch.overrides import _get_current_function_mode_stack

from models import registry
from models.cards import Card
from models.engine import Engine
from models.images import save_png
from models.inspection import Description
from models.params import parameters
from models.requests import Request
from models.types import Failure, Result, Source

ADAPTERS = registry.adapter_classes()
INSPECTIONS = list(registry.all_inspections().values())
CLASSES = ("background", "a", "b", "c")


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


@pytest.fixture(params=ADAPTERS, ids=lambda a: a.__name__)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = Engine(threads=1)
    net = request.param.tiny()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    made._models["tiny"] = registry.adapt(net.eval(), Card("tiny", classes=CLASSES))
    with torch.inference_mode():
        if hasattr(made.model("tiny"), "candidates"):
            net([torch.zeros(3, 90, 120)])  # torchvision's RoIAlign remembers its scales in its first forward pass
    yield made
    made._idle.clear()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 255, (90, 120, 3), dtype=np.uint8), tmp_path / "a.png")
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
    folder = {"folder": str(Path(source.path).parent)} if inspection.id == "neighbours" else {}
    return Request.make(inspection.id, "tiny", about, {**(given or {}), **folder})


def skip_if_never(answer: Any) -> None:
    """Skip what a method refuses by its verdict; anything else that it does not answer is a failure."""
    if isinstance(answer, Failure) and " does not apply to tiny. " in answer.message:
        pytest.skip(answer.message)


@pytest.mark.parametrize("inspection", INSPECTIONS, ids=lambda i: i.id)
def test_it_answers_and_leaves_the_model_as_it_was(inspection: Any, engine: Engine, source: Source) -> None:
    model = engine.model("tiny")
    if inspection.offer(model).reason:
        pytest.skip(inspection.offer(model).reason)
    before = fingerprint(model.net)
    answer = engine.run(asked(inspection, source))
    engine.finish_idle()
    assert fingerprint(model.net) == before
    skip_if_never(answer)
    assert isinstance(answer, Result), answer
    assert answer.arrays
    assert all(np.isfinite(a).all() for a in answer.arrays.values())
    again = pickle.loads(pickle.dumps(answer, protocol=5))
    assert all(np.array_equal(again.arrays[k], v) for k, v in answer.arrays.items())
    assert not torch.nn.modules.module._global_forward_pre_hooks


@pytest.mark.parametrize("inspection", INSPECTIONS, ids=lambda i: i.id)
def test_it_can_be_cancelled(inspection: Any, engine: Engine, source: Source) -> None:
    from models.context import Context

    if inspection.offer(engine.model("tiny")).reason:
        pytest.skip(inspection.offer(engine.model("tiny")).reason)
    calls = []

    def called_off() -> bool:
        calls.append(1)
        return len(calls) > (1 if inspection.reads == "nothing" else 4)

    answer = engine.run(asked(inspection, source), Context(cancelled=called_off))
    assert isinstance(answer, Failure)
    assert answer.cancelled
    assert not torch.nn.modules.module._global_forward_pre_hooks
    assert not torch.nn.modules.module._global_forward_hooks
    assert not _get_current_function_mode_stack()
    again = engine.run(asked(inspection, source))
    skip_if_never(again)
    assert isinstance(again, Result)


@pytest.mark.parametrize("inspection", INSPECTIONS, ids=lambda i: i.id)
def test_its_parameters_are_declared_in_full(inspection: Any) -> None:
    for parameter in parameters(inspection.params):
        assert parameter.title and parameter.help.endswith("."), parameter.name
        assert parameter.title[0].isupper() and not parameter.title.endswith(":")
        assert parameter.check(parameter.default) == parameter.default


@pytest.mark.parametrize("inspection", INSPECTIONS, ids=lambda i: i.id)
def test_its_own_values_are_valid_on_every_family(inspection: Any, engine: Engine, source: Source) -> None:
    offer = inspection.offer(engine.model("tiny"))
    if offer.reason:
        pytest.skip(offer.reason)
    plain = engine.run(asked(inspection, source))
    skip_if_never(plain)
    given = engine.run(asked(inspection, source, offer.defaults))
    assert isinstance(plain, Result)
    assert isinstance(given, Result)
    assert all(np.array_equal(given.arrays[k], v) for k, v in plain.arrays.items())
    assert given.meta["parameters"] == plain.meta["parameters"]


def test_a_description_travels_and_names_every_inspection(engine: Engine) -> None:
    answer = engine.run(Request("describe", "tiny"))
    assert isinstance(answer, Result)
    description: Description = pickle.loads(pickle.dumps(answer.meta["description"]))
    assert set(description.offers) == {i.id for i in INSPECTIONS}
    assert description.classes == CLASSES
