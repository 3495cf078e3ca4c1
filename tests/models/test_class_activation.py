"""Class activation maps: against captum, torch-cam, pytorch-grad-cam and closed forms, on every family, in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from explained import NAMES, SIDES, explained, input_of, network, opened, picture, probe, stages
from torch.nn.modules.module import register_module_forward_pre_hook
from uneven import LAYER, Uneven

from models.adapters.classifier import ClassifierAdapter
from models.attributions import class_activation
from models.attributions.attribution import LayerParams, scores_of
from models.attributions.methods import cam as exact
from models.attributions.methods import grad_cam, grad_cam_pp, guided_grad_cam, hires_cam, layer_cam
from models.attributions.target import TargetParams
from models.subject import Subject
from models.tracing.layers import trace_of
from models.tracing.traced_calls import gradients
from models.types import Refusal

VARIANTS = (grad_cam.attribute, grad_cam_pp.attribute, hires_cam.attribute, layer_cam.attribute)
POOLED = {
    "densenet121": "features, after ReLU",
    "efficientnet_b0": "features",
    "googlenet": "inception5b",
    "inception_v3": "Mixed_7c",
    "mnasnet0_5": "layers",
    "mobilenet_v2": "features",
    "regnet_x_400mf": "trunk_output",
    "regnet_y_400mf": "trunk_output",
    "resnet18": "layer4",
    "shufflenet_v2_x0_5": "conv5",
    "squeezenet1_1": "classifier.2",
    "swin_t": "permute",
    "swin_v2_t": "permute",
}


@pytest.fixture(scope="module")
def photos() -> Any:
    """Return our residual network, whose scores are linear in its last map."""
    net = ClassifierAdapter.tiny().eval()
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.running_mean) * 0.1
            module.bias.data.normal_()
    net.requires_grad_(False)
    return opened(net, side=32)


@pytest.fixture(scope="module", params=NAMES)
def family(request: pytest.FixtureRequest) -> tuple[str, Any]:
    side = SIDES.get(request.param, 64)
    return request.param, opened(network(request.param), side=side)


def near(ours: Any, expected: Any, share: float = 1e-5) -> bool:
    expected = np.asarray(expected)
    assert np.abs(expected).max() > 0
    return ours.shape == expected.shape and np.abs(ours - expected).max() <= share * np.abs(expected).max()


def test_every_family_has_a_grad_cam_by_itself_and_cam_only_where_it_is_exact(family: tuple[str, Any]) -> None:
    name, model = family
    heat = explained(grad_cam.attribute, model)
    assert heat.values.size > 1
    assert np.isfinite(heat.values).all()
    assert heat.values.any()
    if name not in POOLED:
        with pytest.raises(Refusal, match="Grad-CAM is its nearest relative"):
            explained(exact.attribute, model)
        return
    found = explained(exact.attribute, model)
    asked = probe(model, TargetParams())
    assert found.values.mean() + found.more["bias"] == pytest.approx(
        asked.score, abs=1e-4 * float(asked.scores.abs().max())
    )
    reason = exact.verdict(asked.subject, TargetParams(), asked.stages).reason
    assert f" {POOLED[name]}, " in reason
    if "ReLU" not in POOLED[name]:
        assert near(found.values / found.values.size, explained(grad_cam.attribute, model).values, 1e-3)


@pytest.mark.parametrize(("name", "layer"), [("resnet18", "layer3"), ("densenet121", "features")])
def test_grad_cam_equals_captum_before_its_relu(name: str, layer: str) -> None:
    net = network(name)
    model = opened(net)
    heat = explained(grad_cam.attribute, model, grad_cam.Params(target="class 3", layer=layer))
    theirs = captum.attr.LayerGradCam(net, net.get_submodule(layer)).attribute(input_of(model), target=3)
    assert near(heat.values, theirs[0, 0].detach().numpy())
    assert heat.values.min() < 0


def test_the_maps_of_a_pooling_network_have_closed_forms(photos: Any) -> None:
    kept: dict[str, torch.Tensor] = {}
    hook = photos.net.layer3.register_forward_hook(lambda m, i, o: kept.update(map=o[0].detach().clone()))
    with torch.no_grad():
        photos.net(input_of(photos))
    hook.remove()
    activation, weight = kept["map"], photos.net.fc.weight[3]
    cells = activation[0].numel()
    weighed = (weight[:, None, None] * activation).sum(0)
    target = {"target": "class 3"}
    assert near(explained(exact.attribute, photos, exact.Params(**target)).values, weighed)
    assert near(explained(grad_cam.attribute, photos, grad_cam.Params(**target)).values, weighed / cells)
    assert near(explained(hires_cam.attribute, photos, hires_cam.Params(**target)).values, weighed / cells)
    positive = (weight.relu()[:, None, None] * activation).sum(0) / cells
    assert near(explained(layer_cam.attribute, photos, layer_cam.Params(**target)).values, positive)
    slope = weight / cells
    share = cells * slope.relu() / (2 + activation.sum((1, 2)) * slope)
    plus = (share[:, None, None] * activation).sum(0)
    assert near(explained(grad_cam_pp.attribute, photos, grad_cam_pp.Params(**target)).values, plus)
    against = exact.Params(target="class 3", against="class 1")
    both = ((weight - photos.net.fc.weight[1])[:, None, None] * activation).sum(0)
    assert near(explained(exact.attribute, photos, against).values, both)


@pytest.mark.parametrize("method", VARIANTS, ids=lambda m: m.id)
def test_the_variants_equal_other_libraries_where_gradients_differ_by_place(method: Any) -> None:
    """torch-cam's Grad-CAM and Layer-CAM are cut at zero; pytorch-grad-cam's Grad-CAM++ and HiRes-CAM are not."""
    known = np.load(Path(__file__).with_name("cams.npz"))
    net = Uneven().eval()
    net.load_state_dict(
        {k.removeprefix("weight "): torch.tensor(known[k]) for k in known.files if k.startswith("weight ")}
    )
    net.requires_grad_(False)
    x = torch.tensor(known["input"])
    subject = Subject(net, x, net, ("a", "b", "c"), (0, 0, 16, 16), torch.zeros(1, 3, 1, 1))
    for label in range(3):
        found = method.attribute(_asked(subject, label), method.params(layer=LAYER)).values
        expected = known[method.id][label]
        cut = method in (grad_cam.attribute, layer_cam.attribute)
        assert near(found.clip(0) if cut else found, expected)


def _asked(subject: Subject, label: int) -> Any:
    from models.attributions.attribution import Probe
    from models.attributions.target import Target

    using: Any = stages()
    return Probe(subject, Target(label), scores_of(subject, using), using, picture(16))


def test_all_variants_of_a_picture_and_layer_take_one_forward_and_one_backward_pass() -> None:
    model, using = opened(network("resnet18")), stages()
    called: list[str] = []
    backward: list[int] = []
    grad = torch.autograd.grad
    hook = register_module_forward_pre_hook(lambda module, inputs: called.append(type(module).__name__))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.autograd, "grad", lambda *a, **k: (backward.append(1), grad(*a, **k))[1])
        for method in VARIANTS:
            explained(method, model, method.params(target="class 3", layer="layer3"), using=using)
        for label in (1, 2):
            explained(grad_cam.attribute, model, grad_cam.Params(target=f"class {label}", layer="layer3"), using=using)
    hook.remove()
    assert called.count("ResNet") == 1
    assert len(backward) == 3
    assert using.peek("layer forward", (), "layer3").value.grad_fn is None


def test_the_pass_to_a_named_layer_tells_the_trace_and_the_scores_as_passes_of_their_own_do() -> None:
    model = opened(network("densenet121"))
    one, two = stages(), stages()
    subject = model.subject(picture(), one)
    with gradients():
        through = class_activation.forward(subject, "features", one)
    assert one.peek("trace", ()).calls == trace_of(subject, two).calls
    assert one.peek("trace", ()).silent == trace_of(subject, two).silent
    assert torch.equal(one.peek("scores", ()), scores_of(subject, two))
    assert not one.peek("scores", ()).requires_grad
    assert through.value.is_leaf


def test_the_automatic_layer_and_its_name_share_their_pass() -> None:
    model, using = opened(network("resnet18")), stages()
    first = explained(grad_cam.attribute, model, using=using)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model.net), "forward", lambda *a: pytest.fail("another pass"))
        again = explained(grad_cam.attribute, model, grad_cam.Params(layer=first.more["layer"]), using=using)
    assert np.array_equal(first.values, again.values)


@pytest.mark.parametrize("method", (*VARIANTS, guided_grad_cam.attribute), ids=lambda m: m.id)
def test_a_layer_without_places_or_calls_is_refused(method: Any) -> None:
    model = opened(network("resnet18"))
    for layer, words in (("fc", "no map of the picture"), ("layer9", "no layer 'layer9'")):
        with pytest.raises(Refusal, match=words):
            explained(method, model, method.params(layer=layer))
    assert not torch.nn.modules.module._global_forward_hooks


def test_scores_that_are_no_numbers_are_not_kept() -> None:
    net = network("resnet18")
    net.fc.bias.data[0] = float("nan")
    model, using = opened(net), stages()
    with pytest.raises(Refusal, match=r"not a number.* after layer fc"):
        explained(grad_cam.attribute, model, LayerParams(layer="layer4"), using=using)


def test_a_first_map_of_the_automatic_layer_takes_three_passes() -> None:
    """One for the trace and the scores, one to choose the layer, one to it."""
    model, called = opened(network("resnet18")), []
    hook = register_module_forward_pre_hook(lambda module, inputs: called.append(type(module).__name__))
    explained(grad_cam.attribute, model)
    hook.remove()
    assert called.count("ResNet") == 3
