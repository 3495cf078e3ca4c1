"""Infidelity and sensitivity against captum called by hand, and a linear network whose maps are exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import captum.metrics
import numpy as np
import pytest
import torch
from explained import explained, network, opened, probe, stages
from perturbed import engine_of, picture
from torch import Tensor, nn

from models.attributions import captum_metrics
from models.attributions.attribution import Attribution
from models.attributions.captum_metrics import Nudges, infidelity
from models.attributions.methods import integrated_gradients, saliency
from models.attributions.perturbation import baseline
from models.bundled.photos import PhotosResNet
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.types import Cancelled, Result, Source

TARGET = {"target": "class 3"}


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(3 * 144, 10)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


def test_on_a_linear_network_integrated_gradients_are_faithful_and_noise_is_not() -> None:
    model = opened(Linear(), side=12)
    asked = probe(model, integrated_gradients.Params(**TARGET))
    heat = explained(integrated_gradients.attribute, model, integrated_gradients.Params(**TARGET, baseline="black"))
    black = baseline(asked.subject, "black")
    exact = infidelity(asked, heat.values, black, count=40, seed=1)
    assert exact.value < 1e-10 and exact.explained > 0.9999
    thrice = infidelity(asked, 3 * heat.values, black, count=40, seed=1)
    assert thrice.value < 1e-9, "a factor makes no difference"
    noise = np.random.default_rng(0).standard_normal(heat.values.shape).astype(np.float32)
    assert infidelity(asked, noise, black, count=40, seed=1).explained < 0.5
    assert "explains 100%" in captum_metrics.infidelity_words(exact)


def test_infidelity_is_captums_for_the_same_squares() -> None:
    model = opened(network("squeezenet1_1"))
    asked = probe(model, saliency.Params(**TARGET))
    values = explained(saliency.attribute, model, saliency.Params(**TARGET)).values
    filling, masks = baseline(asked.subject, "mean"), captum_metrics._squares(6, asked.subject.size, 3)
    spread = torch.from_numpy(values)[None, None].expand(1, 3, -1, -1) / 3

    def perturbed(inputs: Tensor) -> tuple[Tensor, Tensor]:
        return masks[:, None].expand_as(inputs).float(), torch.where(masks[:, None], filling, inputs)

    x = asked.subject.input
    theirs = captum.metrics.infidelity(
        model.net, perturbed, x, spread.contiguous(), target=3, n_perturb_samples=6, normalize=True
    )
    ours = infidelity(asked, values, filling, count=6, seed=3)
    assert ours.value == pytest.approx(float(theirs), rel=1e-3)


def test_sensitivity_is_captums_for_the_same_nudges() -> None:
    model = opened(PhotosResNet(width=4, blocks=1, classes=10).eval().requires_grad_(False), side=24)
    asked, method = probe(model, saliency.Params(**TARGET)), saliency.attribute
    own = explained(method, model, saliency.Params(**TARGET)).values
    made = Nudges(method, asked, saliency.Params(**TARGET), own, radius=0.05, count=3)
    for _ in made.rest():
        pass
    assert made.complete and made.failure is None
    x = asked.subject.input
    reach = 0.05 * float(x.max() - x.min())
    drawn = [torch.rand(x.shape, generator=torch.Generator().manual_seed(n + 1)) * 2 - 1 for n in range(3)]

    def maps(inputs: Any) -> Tensor:
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        inputs = inputs.detach().requires_grad_()
        with torch.enable_grad():
            (found,) = torch.autograd.grad(model.net(inputs)[:, 3].sum(), inputs)
        return found.abs().amax(1, keepdim=True)

    theirs = captum.metrics.sensitivity_max(maps, x, lambda rows: x + torch.cat(drawn) * reach, n_perturb_samples=3)
    assert made.sensitivity() == pytest.approx(float(theirs), rel=1e-3) and made.sensitivity() > 0.01


def test_a_map_that_ignores_the_input_is_steady_and_nudging_can_be_called_off() -> None:
    model = opened(Linear(), side=12)
    asked = probe(model, saliency.Params(**TARGET))
    method: Attribution = saliency.attribute
    own = explained(method, model, saliency.Params(**TARGET)).values
    made = Nudges(method, asked, saliency.Params(**TARGET), own, radius=0.02, count=2)
    for _ in made.rest():
        pass
    assert made.sensitivity() == 0
    assert "steady" in captum_metrics.sensitivity_words(made.sensitivity(), 0.02)

    def cancelled() -> bool:
        return True

    using = stages(Context(cancelled=cancelled))
    stopped = Nudges(method, probe(model, saliency.Params(**TARGET)), saliency.Params(), own, radius=0.02, count=2)
    stopped._probe.stages.context.cancelled = using.context.cancelled
    with pytest.raises(Cancelled):
        stopped.step()


def test_the_proof_ends_with_both_and_asking_again_gives_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_png(picture(24), tmp_path / "a.png")
    given = {"method": "saliency", "steps": 5, "squares": 10, "nudges": 2}
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        engine = engine_of(PhotosResNet(width=4, blocks=1, classes=4), 24)
        request = Request.make("proof", "tiny", Source.file(tmp_path / "a.png"), given)
        answer = engine.run(request)
        while isinstance(answer, Result) and answer.meta.get("partial"):
            assert "sensitivity" not in answer.meta
            engine.finish_idle()
            answer = engine.run(request)
        assert isinstance(answer, Result), answer
        found.append(answer.meta)
    assert found[0]["collected"] == found[0]["of"]
    for name in ("infidelity", "infidelity_explained", "sensitivity"):
        assert found[0][name] == found[1][name] and np.isfinite(found[0][name])
    assert "±2%" in found[0]["sensitivity_text"]
