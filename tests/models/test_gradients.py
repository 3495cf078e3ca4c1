"""Gradients of the weights: as backward() on a copy gives them, whatever the network does; nothing of it changes."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from odd_networks import Plain
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.classifier import ClassifierAdapter
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.features import gradient_code
from models.pictures.images import read, save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE = 32
NAMES = ("a", "b", "c", "d")


class Normed(nn.Module):
    """Convolutions with batch normalisation and a ReLU in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.norm = nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.fc = nn.Conv2d(4, 6, 3, stride=2), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv1(x)))
        return self.fc(self.relu(self.conv2(x)).mean((2, 3)))


def engine_of(net: nn.Module, *, adapter: Any = ClassifierAdapter) -> Engine:
    about = {"preprocessing": {"resize": SIDE, "crop": SIDE, "mean": (0.5,) * 3, "std": (0.25,) * 3}}
    made = Engine(threads=1)
    net.eval().requires_grad_(False)
    made._models["tiny"] = adapter(net, Card("tiny", classes=NAMES, about=about))
    return made


@pytest.fixture
def picture(tmp_path: Path) -> Source:
    rng = np.random.default_rng(1)
    for name in ("a", "b", "c", "d"):
        save_png(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8), tmp_path / f"{name}.png")
    return Source.file(tmp_path / "a.png")


def ask(engine: Engine, source: Source, **params: Any) -> Result:
    answer = engine.run(Request.make("gradients", "tiny", source, params))
    assert isinstance(answer, Result), answer
    return answer


def inputs(engine: Engine, source: Source) -> Tensor:
    with torch.inference_mode(False):
        return engine.model("tiny").preprocess.input(read(source).pixels, torch.device("cpu")).clone()


def by_backward(net: nn.Module, loss: Any) -> dict[str, Tensor]:
    """What backward() leaves in `.grad` of a copy."""
    twin = copy.deepcopy(net).requires_grad_(True)
    loss(twin).backward()
    return {name: value.grad for name, value in twin.named_parameters() if value.grad is not None}


def lengths(found: dict[str, Tensor], layers: tuple[str, ...]) -> list[float]:
    return [
        math.sqrt(sum(float(g.double().square().sum()) for n, g in found.items() if n.rpartition(".")[0] == layer))
        for layer in layers
    ]


def test_gradients_are_those_of_backward_on_a_copy(picture: Source) -> None:
    net = Normed()
    engine = engine_of(net)
    result = ask(engine, picture, loss="answer", other="weight_decay")
    x = inputs(engine, picture)
    label = net(x).argmax(1)
    first = by_backward(net, lambda n: functional.cross_entropy(n(x.clone()), label))
    layers = result.meta["layers"]
    assert layers == ("conv1", "norm", "conv2", "fc"), "in the order of the calls"
    assert result.arrays["first"] == pytest.approx(lengths(first, layers), rel=1e-6)
    # The gradient of the decay is the weights themselves.
    assert result.arrays["second"] == pytest.approx(result.arrays["weights"], rel=1e-6)
    weights = dict(net.named_parameters())
    assert result.arrays["weights"] == pytest.approx(lengths(weights, layers), rel=1e-6)
    both = by_backward(
        net,
        lambda n: functional.cross_entropy(n(x.clone()), label) + sum(p.square().sum() for p in n.parameters()) / 2,
    )
    assert result.arrays["both"] == pytest.approx(lengths(both, layers), rel=1e-5)
    assert result.meta["sum_difference"] < 1e-6 and "equals the sum" in result.meta["text"]
    for row, layer in enumerate(layers):
        names = [n for n in first if n.rpartition(".")[0] == layer]
        one, other = (torch.cat([part[n].flatten() for n in names]) for part in (first, weights))
        assert result.arrays["cosine"][row] == pytest.approx(
            float(functional.cosine_similarity(one, other, 0)), abs=1e-5
        )
    assert result.meta["values"][0] == pytest.approx(float(functional.cross_entropy(net(x.clone()), label)), rel=1e-6)


def test_finite_differences_agree(picture: Source) -> None:
    net = Plain()
    engine = engine_of(net)
    result = ask(engine, picture, loss="squares", accumulate=False)
    x = inputs(engine, picture).double()
    twin = copy.deepcopy(net).double()
    found = by_backward(net, lambda n: n(inputs(engine, picture)).square().mean() / 2)
    assert result.arrays["first"] == pytest.approx(lengths(found, result.meta["layers"]), rel=1e-5)
    rng, step = np.random.default_rng(0), 1e-5
    for name, value in list(twin.named_parameters())[:5]:
        at = int(rng.integers(value.numel()))
        losses = []
        for change in (step, -step):
            with torch.no_grad():
                value.view(-1)[at] += change
                losses.append(float(twin(x).square().mean() / 2))
                value.view(-1)[at] -= change
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(
            float(found[name].view(-1)[at]), rel=1e-3, abs=1e-6
        )


def test_backward_twice_doubles_and_a_third_time_raises(picture: Source) -> None:
    result = ask(engine_of(Normed()), picture)
    steps, times = result.meta["stepper"], [step["times"] for step in result.meta["stepper"]]
    assert times == pytest.approx([0, 1, 2, times[3], 0, 1, 0], rel=1e-5)
    assert [step["none"] for step in steps] == [True, False, False, False, False, False, True]
    assert "second time" in steps[3]["error"] and not any(s["error"] for n, s in enumerate(steps) if n != 3)
    rows = result.arrays["steps"]
    assert rows.shape == (7, 4) and (rows[[0, 6]] == -1).all() and not rows[4].any()
    np.testing.assert_allclose(rows[1], result.arrays["first"], rtol=1e-5)
    np.testing.assert_allclose(rows[2], 2 * rows[1], rtol=1e-5)


def test_a_vector_output_needs_a_v(picture: Source) -> None:
    net = Normed()
    engine = engine_of(net)
    vector = ask(engine, picture, loss="runner_up").meta["vector"]
    assert "only for scalar outputs" in vector["error"] and vector["count"] == 4
    assert 0 <= vector["difference"] < 1e-5, "p - e gives the gradient of the cross-entropy"
    x = inputs(engine, picture)
    column = int(net(x.clone()).argmax())
    one = by_backward(net, lambda n: n(x.clone())[0, column])
    every = by_backward(net, lambda n: n(x.clone()).sum())
    for row, found in zip(vector["rows"], (one, every), strict=False):
        total = math.sqrt(sum(float(g.double().square().sum()) for g in found.values()))
        assert row["length"] == pytest.approx(total, rel=1e-5)


def test_accumulation_is_one_large_batch_unless_batch_normalisation_trains(picture: Source) -> None:
    net = Normed()
    engine = engine_of(net)
    result = ask(engine, picture)
    evaluation, training = result.arrays["evaluation"], result.arrays["training"]
    assert result.meta["accumulated"] and evaluation == pytest.approx(1, abs=1e-5)
    assert training.min() < 0.99 and "accumulation is not a large batch here" in " ".join(result.meta["accumulation"])
    assert "3 of its folder." in result.meta["accumulation"][-1]
    # The same by hand, on a copy.
    files = [picture, *(Source.file(Path(picture.path).with_name(f"{name}.png")) for name in "bcd")]
    x = torch.cat([inputs(engine, source) for source in files])

    def trained(rows: Tensor) -> dict[str, Tensor]:
        twin = copy.deepcopy(net).train()
        labels = copy.deepcopy(net).train()(rows.clone()).argmax(1)
        return by_backward(twin, lambda n: functional.cross_entropy(n(rows.clone()), labels))

    whole, parts = trained(x), [trained(x[:2]), trained(x[2:])]
    one = torch.cat([whole[n].flatten() for n in ("fc.weight", "fc.bias")])
    other = torch.cat([((parts[0][n] + parts[1][n]) / 2).flatten() for n in ("fc.weight", "fc.bias")])
    assert training[-1] == pytest.approx(float(functional.cosine_similarity(one, other, 0)), abs=1e-4)
    assert int(net.norm.num_batches_tracked) == 0 and not net.training
    # Without anything that couples pictures, both modes agree.
    plain = ask(engine_of(Plain()), picture, folder="", batch=3, part=1)
    assert plain.arrays["training"] == pytest.approx(1, abs=1e-5)
    alone = Path(picture.path).parent / "alone"
    alone.mkdir()
    save_png(read(picture).pixels, alone / "a.png")
    copies = ask(engine_of(Normed()), Source.file(alone / "a.png"))
    assert "0 of its folder, and 3 mirrored and shifted copies" in copies.meta["accumulation"][-1]


def test_the_tape_names_what_each_layer_wrote_and_keeps(picture: Source) -> None:
    result = ask(engine_of(Normed()), picture, accumulate=False)
    tape = result.meta["tape"]
    by_layer: dict[str, str] = {}
    for row in tape:
        by_layer.setdefault(row["layer"], row["node"])
    assert tape[0]["node"].startswith("NllLoss") and tape[0]["layer"] == ""
    assert by_layer["conv1"].startswith("Convolution") and by_layer["fc"].startswith("Addmm")
    assert "1×3×32×32" in next(row["saved"] for row in tape if row["layer"] == "conv1")
    assert by_layer["conv2.weight"].endswith("AccumulateGrad") and len(tape) == result.meta["tape_nodes"]
    order = [row["layer"] for row in tape if row["layer"] in ("conv1", "norm", "conv2", "fc")]
    assert list(dict.fromkeys(order)) == ["fc", "conv2", "norm", "conv1"], "backward, the last first"
    ends = [row["layer"] for row in tape if row["node"].endswith("AccumulateGrad")]
    assert ends == [name for name, _ in reversed(list(Normed().named_parameters()))], "the same in every process"


def test_the_programs_run_and_print_the_same_sizes(picture: Source, capsys: pytest.CaptureFixture[str]) -> None:
    net = Normed()
    engine = engine_of(net)
    result = ask(engine, picture, accumulate=False)
    x = inputs(engine, picture)
    label = net(x.clone()).argmax(1)
    twin = copy.deepcopy(net).requires_grad_(True)
    given = {
        "torch": torch,
        "net": twin,
        "x": torch.cat([x, x]),
        "y": torch.cat([label, label]),
        "size": 1,
        "loss_of": lambda output: functional.cross_entropy(output[:1], label),
        "other_loss_of": lambda output: output.square().mean(),
        "optimizer": torch.optim.SGD(twin.parameters(), lr=0.0),
    }
    assert [title for title, _ in result.meta["code"]] == [title for title, _ in gradient_code.programs("conv1")]
    for _, code in result.meta["code"]:
        exec(code, dict(given))
    printed = capsys.readouterr().out
    found = by_backward(net, lambda n: functional.cross_entropy(n(x.clone()), label))
    assert f"fc.weight: gradient {found['fc.weight'].norm().item():.3g}" in printed
    assert "conv1 (2, 4, 15, 15)" in printed and "cosine" in printed


@pytest.mark.parametrize(
    "name", ["SsdAdapter", "RcnnAdapter", "MaskRcnnAdapter", "KeypointRcnnAdapter", "RetinaNetAdapter"]
)
def test_a_detectors_own_losses_are_torchvisions(name: str, picture: Source) -> None:
    kind = next(each for each in registry.adapter_classes() if each.__name__.lower() == name.lower())
    net = kind.tiny().requires_grad_(False)
    engine = Engine(threads=1)
    engine._models["tiny"] = kind(net, Card("tiny", classes=("background", "a", "b", "c")[: 2 if "Key" in name else 4]))
    result = ask(engine, picture)
    assert result.meta["loss"] != result.meta["other"] and result.meta["sum_difference"] < 1e-5
    assert "stand for the objects" in result.meta["notes"][0] and not net.training
    known = [loss[0] for loss in result.meta["losses"]]
    assert "weight_decay" in known and any("class" in each for each in known)
    if name != "SsdAdapter":
        return
    # By hand: SSD draws no random numbers.
    pixels = torch.from_numpy(read(picture).pixels.copy()).permute(2, 0, 1).float() / 255
    with torch.no_grad():
        found = copy.deepcopy(net).eval()([pixels.clone()])[0]
    rows = found["scores"].argsort(descending=True, stable=True)
    rows = rows[found["scores"][rows] >= 0.5][:20] if (found["scores"] >= 0.5).any() else rows[:1]
    twin = copy.deepcopy(net).eval().requires_grad_(True)
    twin.training = True
    losses = twin([pixels.clone()], [{"boxes": found["boxes"][rows], "labels": found["labels"][rows]}])
    assert result.meta["values"] == pytest.approx(
        (losses["classification"].item(), losses["bbox_regression"].item()), rel=1e-5
    )
    losses["classification"].backward()
    grads = {n: p.grad for n, p in twin.named_parameters() if p.grad is not None}
    assert result.arrays["first"] == pytest.approx(lengths(grads, result.meta["layers"]), rel=1e-4, abs=1e-7)


def test_ground_truth_is_taken_for_the_objects(picture: Source, tmp_path: Path) -> None:
    import json

    annotation = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [4, 4, 20, 16], "area": 320, "iscrowd": 0}
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "width": SIDE, "height": SIDE}],
        "annotations": [annotation],
        "categories": [{"id": 7, "name": "b"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    kind = next(each for each in registry.adapter_classes() if each.__name__ == "SsdAdapter")
    engine = Engine(threads=1)
    engine._models["tiny"] = kind(
        kind.tiny().requires_grad_(False), Card("tiny", classes=("background", "a", "b", "c"))
    )
    own, given = ask(engine, picture), ask(engine, picture, truth=str(tmp_path / "truth.json"))
    assert "The objects are the 1 of" in given.meta["notes"][0] and given.meta["values"] != own.meta["values"]


class Constant(nn.Module):
    """As a network read from ONNX: constants in buffers, no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.mean((2, 3)), self.weight)


class Empty(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3)), x.amax((1, 2, 3))[:, None]], 1)


class Detached(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach() * 1.0


class Whole(Plain):
    """Answers in whole numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).round().long().float()


class Once(Plain):
    """Fails in training mode."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise ValueError("needs a teacher")
        return super().forward(x)


def test_what_is_odd_about_a_network_is_a_sentence(picture: Source) -> None:
    constant = ask(engine_of(Constant()), picture)
    assert constant.meta["constant"] and "constants are taken" in " ".join(constant.meta["notes"])
    x = inputs(engine_of(Constant()), picture)
    net = Constant()
    net.weight.requires_grad_()
    functional.cross_entropy(net(x), net(x).argmax(1)).backward()
    assert constant.arrays["first"][0] == pytest.approx(float(net.weight.grad.norm()), rel=1e-5)  # type: ignore[union-attr]
    for net_, words in ((Empty(), "no weights"), (Detached(), "cuts it off"), (Whole(), "cuts it off")):
        answer = engine_of(net_).run(Request.make("gradients", "tiny", picture, {}))
        assert isinstance(answer, Failure) and words in answer.text, answer
    once = ask(engine_of(Once()), picture)
    assert not once.meta["accumulated"] and "could not be run: needs a teacher" in " ".join(once.meta["accumulation"])
    unknown = engine_of(Plain()).run(Request.make("gradients", "tiny", picture, {"loss": "hinge"}))
    assert isinstance(unknown, Failure) and "There is no loss 'hinge'" in unknown.text and "squares" in unknown.text


@pytest.mark.parametrize("name", ["VAEAdapter", "GANAdapter"])
def test_a_generators_losses_are_the_terms_of_its_training(name: str, picture: Source) -> None:
    kind = next(each for each in registry.adapter_classes() if each.__name__ == name)
    net = kind.tiny().requires_grad_(False)
    engine = Engine(threads=1)
    engine._models["tiny"] = model = registry.adapt(net.eval(), Card("tiny"))
    result = ask(engine, picture, seed=3)
    x, _ = model.input(read(picture).pixels)
    code = torch.from_numpy(model.space.draw(3))
    if name == "VAEAdapter":
        noise = torch.randn(code.shape, generator=torch.Generator().manual_seed(3))
        mu, logvar = model.encode(x)
        divergence = float(
            torch.distributions.kl_divergence(
                torch.distributions.Normal(mu, (0.5 * logvar).exp()), torch.distributions.Normal(0.0, 1.0)
            ).sum()
        )
        made = model.decode(mu + (0.5 * logvar).exp() * noise)
        lost = float(functional.binary_cross_entropy(made, x, reduction="sum"))
        assert result.meta["values"] == pytest.approx((lost, divergence), rel=1e-4)
        assert result.meta["loss"] == "reconstruction" and result.meta["other"] == "divergence"
        decoder = [row for row, layer in enumerate(result.meta["layers"]) if "dec" in layer]
        assert decoder and not result.arrays["second"][decoder].any(), "the divergence does not reach the decoder"
    else:
        score = model.score(model.decode(code))
        wanted = functional.binary_cross_entropy_with_logits(score, torch.ones_like(score))
        assert result.meta["values"][0] == pytest.approx(float(wanted), rel=1e-5)
        made = [row for row, layer in enumerate(result.meta["layers"]) if layer.startswith("generator")]
        assert made and not result.arrays["second"][made].any() and result.arrays["first"][made].any()
