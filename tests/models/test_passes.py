"""Every method on networks whose passes do more than take a picture to scores, beside what they come to one by one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import odd_networks
import pytest
import torch
from captum.attr import FeatureAblation, IntegratedGradients, Occlusion
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from models import model_name
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.loading.pass_behaviour import is_ordinary
from models.params import build
from models.pictures.images import read
from models.requests import Request
from models.runtime.context import Context
from models.runtime.forward_passes import Behaviour, guarded, repetition, through
from models.runtime.network_state import Loan, State
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Failure, Result, Source
from models.user_code import consent

CODE = Path(odd_networks.__file__).resolve()
CAT = Source.file(Path(__file__).resolve().parents[2] / "assets" / "photos" / "cat.jpg")
SETTINGS: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": 8},
    "smooth_grad": {"samples": 4},
    "lime": {"samples": 40},
    "kernel_shap": {"samples": 40},
}
METHODS = tuple(registry.all_attributions())
GRADIENT = tuple(name for name, method in registry.all_attributions().items() if method.gradient and name != "cam")
RECTIFIED = ("deconvnet", "guided_backprop", "guided_grad_cam")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(autouse=True)
def allowed() -> None:
    consent.allow(CODE, hashlib.sha256(CODE.read_bytes()).hexdigest())


def full(name: str, **given: str) -> str:
    return model_name.join(f"{CODE}:{name}", {"size": "32x32", **given})


def ask(engine: Engine, inspection: str, name: str, **settings: Any) -> Result | Failure:
    """Return an answer, once all of it is there."""
    request = Request.make(inspection, name, CAT, {**SETTINGS.get(inspection, {}), **settings})
    answer = engine.run(request)
    if isinstance(answer, Result) and answer.meta.get("partial"):
        engine.finish_idle()
        answer = engine.run(request)
        assert isinstance(answer, Failure) or not answer.meta.get("partial")
    return answer


def answered(engine: Engine, inspection: str, name: str, **settings: Any) -> Result:
    answer = ask(engine, inspection, name, **settings)
    assert isinstance(answer, Result), answer
    return answer


def made(name: str) -> nn.Module:
    return getattr(odd_networks, name)().eval().requires_grad_(False)


def the_input(engine: Engine, name: str) -> Tensor:

    return engine.model(name).subject(read(CAT).pixels, CachedStages(Cache(), "x", Context())).input.clone()


def scores_alone(name: str, inputs: Tensor) -> Tensor:
    """Return what fresh copies of a network say of inputs, each asked of its own."""
    with torch.no_grad():
        return torch.cat([made(name)(one.clone(memory_format=torch.contiguous_format)) for one in inputs.split(1)])


# Their graph starts at the layer, behind what the network writes over.
OF_LAYERS = ("internal_influence", "layer_conductance", "layer_integrated_gradients")


@pytest.mark.parametrize("name", odd_networks.PAIRS)
def test_every_map_is_that_of_the_network_which_only_takes_a_picture_to_scores(engine: Engine, name: str) -> None:
    odd, plain = full(name), full(odd_networks.PAIRS[name])
    first = answered(engine, "classify", odd)
    for method in METHODS:
        if name == "Average" and method in (
            *RECTIFIED,
            *(m for m in GRADIENT if "cam" not in m and m not in OF_LAYERS),
        ):
            found = ask(engine, method, odd)
            assert isinstance(found, Failure) and "the network writes over values that it is made of" in found.message
            continue
        if name == "ByData" and method in GRADIENT and "cam" not in method:
            continue  # torch does not know what goes through .data: its gradient is another
        if name == "ByData" and method in RECTIFIED:
            continue
        found, wanted = ask(engine, method, odd), ask(engine, method, plain)
        if isinstance(wanted, Failure):
            assert isinstance(found, Failure) and found.message == wanted.message.replace(plain, odd).replace(
                f":{odd_networks.PAIRS[name]}", f":{name}"
            )
            continue
        assert isinstance(found, Result), (method, found)
        assert "warning" not in found.meta
        assert found.meta["score"] == pytest.approx(wanted.meta["score"], rel=1e-4)
        values, right = found.arrays["map"], wanted.arrays["map"]
        assert np.abs(values - right).max() <= 1e-4 * np.abs(right).max(), method
    again = answered(Engine(threads=1), "classify", odd)
    assert np.array_equal(first.arrays["scores"], again.arrays["scores"]), "nothing that was asked has left a trace"
    engine.cache.discard(None)
    after = answered(engine, "classify", odd, top=4)
    assert np.array_equal(after.arrays["scores"], first.arrays["scores"])


@pytest.mark.parametrize("name", [*odd_networks.PAIRS, "ByOut", *odd_networks.NO_GRADIENT])
def test_scores_and_occlusion_are_what_fresh_copies_say_of_one_input_after_another(engine: Engine, name: str) -> None:
    seed = {"Dropout", "ModeDropout", "StaysInTraining"}
    run = "Seeded" if name in seed else "SeededNumpy" if name == "Numpy" else name
    x = the_input(engine, full(name))
    found = answered(engine, "classify", full(name), top=4)
    order = np.argsort(found.arrays["labels"])
    alone = scores_alone(run, x)
    assert np.allclose(found.arrays["scores"][order], alone[0].numpy(), rtol=1e-5, atol=1e-4)

    def score(inputs: Tensor) -> Tensor:
        return scores_alone(run, inputs)[:, int(alone.argmax())]

    with torch.no_grad():
        wanted = Occlusion(score).attribute(x, (3, 8, 8), (3, 4, 4), baselines=0, perturbations_per_eval=1)
    values = answered(engine, "occlusion", full(name), window=8, stride=4, baseline="mean").arrays["map"]
    assert np.abs(values - wanted[0, 0].numpy()).max() <= 1e-4 * float(wanted.abs().max())


@pytest.mark.parametrize("name", ["SubDiv", "ByViews", "BySubmodule", "rectifies_first", "View", "BatchNorm", "Branch"])
def test_gradients_are_those_of_plain_torch_and_captum_on_a_fresh_copy(engine: Engine, name: str) -> None:
    x = the_input(engine, full(name)).contiguous()
    label = int(scores_alone(name, x).argmax())

    def score(inputs: Tensor) -> Tensor:
        return torch.cat([made(name)(one.clone()) for one in inputs.split(1)])[:, label]

    leaf = x.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(score(leaf).sum(), leaf)
    found = answered(engine, "saliency", full(name)).arrays["map"]
    assert np.allclose(found, wanted.abs().amax(1)[0].numpy(), rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    captums = IntegratedGradients(score).attribute(x, torch.zeros_like(x), n_steps=8, method="gausslegendre")
    values = answered(engine, "integrated_gradients", full(name), baseline="mean").arrays["map"]
    assert np.allclose(values, captums.sum(1)[0].numpy(), atol=1e-4 * float(captums.abs().max()))
    parts = answered(engine, "ablation", full(name))
    mask = torch.from_numpy(parts.arrays["segments"])[None, None].expand(1, 3, -1, -1)
    with torch.no_grad():
        ablated = FeatureAblation(score).attribute(x, torch.zeros_like(x), feature_mask=mask)
    assert np.allclose(parts.arrays["map"], ablated[0, 0].numpy(), atol=1e-4 * float(ablated.abs().max()))


@pytest.mark.parametrize("name", odd_networks.NO_GRADIENT)
@pytest.mark.parametrize("method", GRADIENT)
def test_where_no_gradient_arrives_one_sentence_says_so(engine: Engine, name: str, method: str) -> None:
    found = ask(engine, method, full(name))
    assert isinstance(found, Failure)
    assert "No gradient arrives at " in found.message, found.message
    assert "such as occlusion, still work" in found.text
    assert "\n" not in found.text and ".." not in found.text and "Traceback" not in found.text


@pytest.mark.parametrize("name", odd_networks.NO_GRADIENT)
@pytest.mark.parametrize("method", ["occlusion", "ablation", "lime", "kernel_shap", "score_cam"])
def test_methods_that_need_no_gradient_work_where_none_arrives(engine: Engine, name: str, method: str) -> None:
    found, plain = answered(engine, method, full(name)), answered(engine, method, full("Plain"))
    right = plain.arrays["map"]
    assert np.abs(found.arrays["map"] - right).max() <= 1e-4 * np.abs(right).max()


def test_what_was_found_is_said_on_the_card_and_in_every_answer(engine: Engine) -> None:
    words = {
        "BatchNorm": "depends on what else is in the batch",
        "WhereBranch": "depends on what else is in the batch",
        "ItemBranch": "reads values of its whole input",
        "Counts": "A pass changes the network itself (calls, history, seen)",
        "Dropout": "Its answers are random: asked twice about one picture it gave",
        "SystemNoise": "Its answers do not repeat",
        "ModeDropout": "runs layers in training mode (drop)",
    }
    for name, said in words.items():
        answer = answered(engine, "classify", full(name))
        assert any(said in line for line in answer.meta["behaviour"]), name
        described = answered(engine, "describe", full(name)).meta["description"]
        assert described.about["behaviour"] == answer.meta["behaviour"]
    for name in ("Plain", "View", "SubDiv", "ByData", "Shifted", "OneOnly", "OwnBranch", "NoGrad"):
        assert "behaviour" not in answered(engine, "classify", full(name)).meta


def test_random_answers_repeat_and_are_averaged_over_passes(engine: Engine) -> None:
    x = the_input(engine, full("Dropout"))
    net, scores = made("Dropout"), []
    with torch.no_grad():
        for seed in range(4):
            torch.manual_seed(seed)
            scores.append(net(x.contiguous())[0])
    mean = torch.stack(scores).mean(0)
    for way, wanted in ((full("Dropout"), scores[0]), (full("Dropout", passes="4"), mean)):
        found = answered(engine, "classify", way, top=4)
        again = answered(Engine(threads=1), "classify", way, top=4)
        assert np.array_equal(found.arrays["scores"], again.arrays["scores"])
        right = wanted.numpy()[found.arrays["labels"]]
        assert np.allclose(found.arrays["scores"], right, rtol=1e-5, atol=1e-4)
    label = int(mean.argmax())
    leaf = x.contiguous().clone().requires_grad_()
    total = leaf.new_zeros(())
    for seed in range(4):
        torch.manual_seed(seed)
        total = total + net(leaf)[0, label] / 4
    (gradient,) = torch.autograd.grad(total, leaf)
    found = answered(engine, "saliency", full("Dropout", passes="4")).arrays["map"]
    assert np.allclose(found, gradient.abs().amax(1)[0].numpy(), rtol=1e-4, atol=1e-4 * float(gradient.abs().max()))


def test_grad_cam_and_activations_of_averaged_passes_are_made_of_their_means(engine: Engine) -> None:
    way = full("Dropout", passes="4")
    x = the_input(engine, way).contiguous()
    net: Any = made("Dropout")
    activations, gradients = [], []
    label = int(answered(engine, "classify", way).arrays["labels"][0])
    for seed in range(4):
        torch.manual_seed(seed)
        value = net.conv2(net.pool(net.relu(net.conv1(net.before(x))))).detach().requires_grad_()
        score = net.fc(net.pool(net.relu(value)).flatten(1))[0, label]
        activations.append(value.detach()[0])
        gradients.append(torch.autograd.grad(score, value)[0][0])
    activation, gradient = torch.stack(activations).mean(0), torch.stack(gradients).mean(0)
    wanted = (gradient.mean((1, 2))[:, None, None] * activation).sum(0).numpy()
    found = answered(engine, "grad_cam", way, layer="conv2").arrays["map"]
    assert np.allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())
    calls = answered(engine, "layers", way).meta["calls"]
    assert [call["id"] for call in calls] == [
        call["id"] for call in answered(engine, "layers", full("Plain")).meta["calls"]
    ]
    shown = answered(engine, "activations", way, layer="conv2")
    means = activation.mean((1, 2)).numpy()
    assert np.allclose(np.sort(shown.arrays["mean"]), np.sort(means), atol=1e-4)


@pytest.mark.parametrize("name", ["ModeDropout", "StaysInTraining"])
def test_evaluation_mode_turns_off_what_the_code_sets(engine: Engine, name: str) -> None:
    found = answered(engine, "classify", full(name, mode="evaluation"), top=4)
    plain = answered(engine, "classify", full("Plain"), top=4)
    assert np.allclose(found.arrays["scores"], plain.arrays["scores"], rtol=1e-5)
    assert not any("random" in line for line in found.meta.get("behaviour", ()))
    both = answered(engine, "saliency", full(name, mode="evaluation", passes="4")).arrays["map"]
    assert np.allclose(both, answered(engine, "saliency", full("Plain")).arrays["map"], rtol=1e-4)


def test_evaluation_mode_normalises_by_what_was_learned(engine: Engine) -> None:
    found = answered(engine, "occlusion", full("TrainedNorm", mode="evaluation"))
    right = answered(engine, "occlusion", full("Plain")).arrays["map"]  # its running mean is 0, its variance 1
    assert np.abs(found.arrays["map"] - right).max() <= 1e-3 * np.abs(right).max()


@pytest.mark.parametrize(("name", "given"), [("Plain", {"passes": "4"}), ("Dropout", {"mode": "evaluation"})])
def test_what_makes_no_difference_is_not_offered(engine: Engine, name: str, given: dict[str, str]) -> None:
    found = ask(engine, "classify", full(name, **given))
    assert isinstance(found, Failure) and "has no assumption" in found.message


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_done_while_idle_is_done_as_what_was_asked(engine: Engine, precision: str) -> None:
    name = full("View", precision=precision)
    found = answered(engine, "occlusion", name, window=8, stride=4)
    whole = Engine(threads=1)
    request = Request.make("occlusion", name, CAT, {"window": 8, "stride": 4})
    whole._later = lambda *given: None  # type: ignore[method-assign]
    model = whole.model(name)

    stages = CachedStages(Cache(), "x", Context())  # nothing can be put off here
    inspection = registry.all_inspections()["occlusion"]

    params = build(
        inspection.params, {p.name: p.default for p in inspection.offer(model).parameters} | request.settings
    )
    with torch.inference_mode(), whole._passes(name):
        at_once = inspection.answer(model, read(CAT).pixels, params, stages)
    right = at_once.arrays["map"]
    # Batches of other sizes round otherwise.
    assert np.abs(found.arrays["map"] - right).max() <= (1e-4 if precision == "float32" else 0.03) * np.abs(right).max()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["traced", "scripted"])
@pytest.mark.parametrize("name", ["View", "SubDiv"])
def test_torchscript_is_asked_as_its_code_is(kind: str, name: str) -> None:
    net = made(name)
    program: Any = torch.jit.trace(net, torch.rand(1, 3, 32, 32)) if kind == "traced" else torch.jit.script(net)
    scripted, plain = (registry.adapt(each, Card("net"), {"size": "32x32"}) for each in (program, made(name)))
    assert scripted.behaviour == plain.behaviour
    pixels, maps = read(CAT).pixels, []
    for model in (scripted, plain):
        stages = CachedStages(Cache(), "x", Context())
        for method in ("saliency", "occlusion", "integrated_gradients"):
            inspection = registry.all_inspections()[method]
            own = {parameter.name: parameter.default for parameter in inspection.offer(model).parameters}
            with guarded(model.net, model.behaviour):
                maps.append(inspection.answer(model, pixels, build(inspection.params, own), stages).arrays["map"])
    for found, right in zip(maps[:3], maps[3:], strict=True):
        assert np.allclose(found, right, atol=1e-4 * np.abs(right).max())


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("scripted", [False, True])
def test_dynamic_quantisation_is_asked_one_input_at_a_time(scripted: bool) -> None:
    net: Any = torch.ao.quantization.quantize_dynamic(made("View"), {nn.Linear}, dtype=torch.qint8)
    net = torch.jit.trace(net, torch.rand(1, 3, 32, 32)) if scripted else net
    model = registry.adapt(net, Card("net"), {"size": "32x32"})
    assert model.behaviour.alone
    said = "depends on what else is in the batch" if scripted else "quantised dynamically"
    assert any(said in line for line in model.behaviour.notes)


def test_a_detectors_own_backbone_that_writes_in_place_finds_the_same_again(tmp_path: Path) -> None:
    class Body(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.conv, self.out_channels, self.in_place = nn.Conv2d(3, 8, 8, stride=8), 8, in_place

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x.mul_(2.0).add_(0.5) if self.in_place else x * 2 + 0.5).relu_()

    def detector(in_place: bool) -> nn.Module:
        torch.manual_seed(0)
        anchors = AnchorGenerator(((32, 64),), ((1.0,),))

        pool = MultiScaleRoIAlign(["0"], 3, 2)
        body = Body(in_place)
        return FasterRCNN(body, 3, rpn_anchor_generator=anchors, box_roi_pool=pool, min_size=64, max_size=64).eval()

    found = []
    for in_place in (False, True):
        model = registry.adapt(detector(in_place).requires_grad_(False), Card("net"))
        stages, pixels = CachedStages(Cache(), "x", Context()), read(CAT).pixels
        with guarded(model.net, model.behaviour):
            with torch.inference_mode():
                candidates = model.candidates(pixels, {}, stages)
                subject = model.subject(pixels, stages, region=(10.0, 10.0, 200.0, 200.0))
            with torch.no_grad():
                found.append([candidates.score, subject.scores(subject.input).numpy()])
                found[-1].append(subject.scores(subject.input).numpy())
    for right, got in zip(*found, strict=True):
        assert np.allclose(right, got, rtol=1e-5)


def test_a_network_of_a_known_family_costs_nothing() -> None:
    net = resnet18().eval()
    assert is_ordinary(net)
    model = registry.adapt(net, Card("net"))
    assert model.scores is net
    hooks = len(nn.modules.module._global_forward_pre_hooks)
    with guarded(net, model.behaviour):
        assert len(nn.modules.module._global_forward_pre_hooks) == hooks
    assert not is_ordinary(resnet18(norm_layer=lambda width: nn.BatchNorm2d(width, track_running_stats=False)).eval())
    assert not is_ordinary(resnet18())  # in training mode
    assert not is_ordinary(nn.Sequential(nn.ReLU(inplace=True), nn.Flatten()))


def test_a_known_family_without_running_statistics_is_asked_one_input_at_a_time() -> None:
    torch.manual_seed(0)
    net = resnet18(norm_layer=lambda width: nn.BatchNorm2d(width, track_running_stats=False), num_classes=3)
    model = registry.adapt(net.eval().requires_grad_(False), Card("net"))
    x = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        alone = torch.cat([net(one) for one in x.split(1)])
        assert torch.allclose(model.scores(x), alone, atol=1e-5)
        assert not torch.allclose(net(x), alone, atol=1e-2)


def test_a_lent_state_is_put_back_whatever_happens() -> None:
    net: Any = made("Counts")
    state = State(net)
    places = ()
    for _ in range(2):
        net(torch.rand(1, 3, 32, 32))
        places = state.changed()
        state.restore()
        assert [place.title for place in places] == ["calls", "history", "seen"] and state.changed() == ()
    seen, history = net.seen, net.history
    behaviour = Behaviour(copies=True, changing=places)
    with guarded(net, behaviour):
        with pytest.raises(RuntimeError):
            net(torch.rand(1, 3, 5, 5))
        assert net.seen is seen and net.history is history and net.calls == 0 and float(seen) == 0
        net(torch.rand(1, 3, 32, 32))
        assert net.seen is seen and net.history is history and net.history == [] and net.calls == 0
    loan = Loan(net, places)
    loan.give()
    assert net.seen is not seen
    loan.take_back()
    assert net.seen is seen


def test_passes_through_are_one_by_one_and_their_mean_has_the_mean_gradient() -> None:
    batches: list[int] = []
    draws: list[float] = []

    def run(x: Tensor) -> Tensor:

        batches.append(len(x))
        draws.append(float(repetition()))
        return x.flatten(1) * (1 + repetition())

    x = torch.rand(3, 2).requires_grad_()
    made = through(Behaviour(alone=True, repeats=3), run)(x)
    assert batches == [1] * 9 and draws == [0.0, 1.0, 2.0] * 3
    assert torch.allclose(made, 2 * x)
    (gradient,) = torch.autograd.grad(made.sum(), x)
    assert torch.equal(gradient, torch.full_like(gradient, 2))
    assert through(Behaviour(copies=True), run) is run
