"""Style: Gram matrices and losses against closed forms, the descent, weights that change on the way, conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.features import style_losses
from models.features.style_losses import Descent, Weights
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

ONE = Weights(1.0, 10.0, 0.0, (1.0, 1.0))


class Small(nn.Module):
    """Two scales of convolutions, the rectifiers in place, and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.one, self.relu = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True)
        self.two = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(inplace=True))
        self.fc = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.two(self.relu(self.one(x))).mean((2, 3)))


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine(threads=1)
    made._models["small"] = registry.adapt(Small().eval().requires_grad_(False), Card("small", classes=tuple("abcd")))
    return made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Path]:
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    y, x = np.mgrid[:40, :60]
    save_png(np.stack([4 * x, 6 * y, 255 - 3 * x], -1).astype(np.uint8), folder / "content.png")
    save_png(rng.integers(0, 255, (50, 50, 3), dtype=np.uint8), folder / "style.png")
    return Source.file(folder / "content.png"), folder / "style.png"


def ask(engine: Engine, pictures: tuple[Source, Path], **settings: Any) -> Any:
    """Ask, and go on to the end as the command line does."""
    request = Request.make(
        "style", "small", pictures[0], {"style": str(pictures[1]), "steps": 6, "size": 48} | settings
    )
    answer = engine.run(request)
    while isinstance(answer, Result) and answer.meta["partial"]:
        engine.work_idle(0.2)
        answer = engine.run(request)
    return answer


def test_a_gram_matrix_forgets_places_and_size() -> None:
    maps = torch.randn(1, 5, 6, 7, dtype=torch.float64)
    order = torch.randperm(42)
    torch.testing.assert_close(style_losses.gram(maps.flatten(2)[..., order].view_as(maps)), style_losses.gram(maps))
    torch.testing.assert_close(style_losses.gram(maps.repeat(1, 1, 2, 3)), style_losses.gram(maps))
    constant = torch.full((1, 3, 4, 4), 2.0)
    torch.testing.assert_close(style_losses.gram(constant), torch.full((1, 3, 3), 4.0))
    # Two pictures of a batch do not mix.
    own = style_losses.gram(maps)
    torch.testing.assert_close(style_losses.gram(torch.cat([maps, 2 * maps])), torch.cat([own, 4 * own]))


def test_the_losses_are_those_of_the_papers() -> None:
    """Gatys' from sums over raw Gram matrices, the fast nets' by mse_loss of matrices divided by C h w."""
    torch.manual_seed(0)
    now, content, styled = (torch.randn(1, 6, 5, 4, dtype=torch.float64) for _ in range(3))

    def raw(maps: torch.Tensor) -> torch.Tensor:
        return maps[0].flatten(1) @ maps[0].flatten(1).T

    places = 20
    wanted = {
        "gatys": (0.5 * (now - content).square().sum(), (raw(now) - raw(styled)).square().sum() / (4 * 36 * places**2)),
        "fast": (
            nn.functional.mse_loss(now, content),
            nn.functional.mse_loss(raw(now) / (6 * places), raw(styled) / (6 * places)),
        ),
    }
    for convention, (of_content, of_style) in wanted.items():
        aims = style_losses.wanted({"l": content}, {"l": styled}, convention)
        found = style_losses.terms({"l": now}, aims)
        assert float(found[0]) == pytest.approx(float(of_content)) and float(found[1]) == pytest.approx(float(of_style))
    aims = style_losses.wanted({"l": content}, {"l": styled}, "relative")
    assert float(style_losses.terms({"l": torch.zeros_like(now)}, aims)[0]) == pytest.approx(1.0)
    for convention in style_losses.CONVENTIONS:
        aims = style_losses.wanted({"l": content}, {"l": content}, convention)
        assert all(float(part) == 0 for part in style_losses.terms({"l": content}, aims))


def descent(
    *, dtype: torch.dtype = torch.float64, steps: int = 6, weights: Any = lambda step: ONE, **more: Any
) -> Descent:
    torch.manual_seed(1)
    conv = nn.Conv2d(3, 4, 3, padding=1).to(dtype).requires_grad_(False)
    content, styled = torch.rand(1, 3, 8, 9, dtype=dtype), torch.rand(1, 3, 8, 9, dtype=dtype)

    def features(x: torch.Tensor) -> dict[str, torch.Tensor]:
        first = conv(x).tanh()
        return {"a": first, "b": first[..., ::2, ::2].square()}

    aims = style_losses.wanted({"b": features(content)["b"]}, features(styled), "gatys")
    return Descent(features, aims, content, weights, steps=steps, rate=0.02, **more)


def test_the_gradient_is_that_of_finite_differences() -> None:
    made = descent()
    _, of_style = made.gradients()

    def loss(x: torch.Tensor) -> float:
        return float(style_losses.weighted(*style_losses.terms(made.features(x), made.aims), x, ONE).sum())

    x, step = made.x.detach(), 1e-6
    total = of_style + made.gradients()[0]
    for row, column in ((0, 0), (3, 4), (7, 8)):
        moved = torch.zeros_like(x)
        moved[0, 1, row, column] = step
        assert (loss(x + moved) - loss(x - moved)) / (2 * step) == pytest.approx(
            float(total[0, 1, row, column]), rel=1e-5
        )


@pytest.mark.parametrize("optimiser", style_losses.OPTIMISERS)
def test_weights_changed_on_the_way_give_what_they_give_from_the_start(optimiser: str) -> None:
    def changing(step: int) -> Weights:
        return ONE if step < 3 else ONE.changed("style", 500.0)

    at_once = descent(weights=changing, optimiser=optimiser)
    while not at_once.complete:
        at_once.step()
    live = descent(optimiser=optimiser)
    for _ in range(3):
        live.step()
    live.keep()
    live.step()  # one more with the old weights before the change arrives
    live.follow(changing, 6)
    assert live.state.step == 3
    while not live.complete:
        live.step()
    assert torch.equal(live.state.picture, at_once.state.picture)
    assert torch.equal(torch.stack(live.state.losses), torch.stack(at_once.state.losses))
    back = live.state.picture
    live.follow(lambda step: ONE, 6)
    assert live.state.step == 3, "the first three steps are the same"
    while not live.complete:
        live.step()
    assert not torch.equal(live.state.picture, back)


def test_a_style_is_taken_and_the_answer_repeats(engine: Engine, pictures: tuple[Source, Path]) -> None:
    answer = ask(engine, pictures)
    assert isinstance(answer, Result)
    arrays, meta = answer.arrays, answer.meta
    assert meta["style_layers"] and meta["content_layers"] and set(meta["style_layers"]) <= set(meta["usable"])
    assert arrays["losses"].shape[0] == 7 and arrays["losses"][-1].sum() < 0.8 * arrays["losses"][0].sum()
    assert sum(row["share"] for row in meta["terms"]) == pytest.approx(1.0, abs=1e-5)
    assert arrays["losses"][0, 0] == 0, "it starts from the content itself"
    assert arrays["picture"].shape == (32, 48, 3) and meta["extent"] == (0, 0, 60, 40)
    assert arrays["film_steps"].tolist() == [0, 5, 6] and arrays["gradient_style"].shape == (32, 48)
    assert np.allclose(arrays["gram_wanted_0"], arrays["gram_wanted_0"].T)
    # From fresh, and with every weight stated, the same picture.
    engine.cache.__init__()
    again = ask(engine, pictures, changes="0 content_weight=1 style_weight=10")
    assert all(np.array_equal(again.arrays[name], values) for name, values in arrays.items())


def test_the_weight_of_one_convention_gives_the_picture_of_another(
    engine: Engine, pictures: tuple[Source, Path]
) -> None:
    gatys = ask(engine, pictures, convention="gatys", content_weight=2, style_weight=4, size=40)
    fast = {row["layer"]: row["same_weight"]["fast"] for row in gatys.meta["terms"] if row["kind"] == "style"}
    count, names = len(fast), gatys.meta["style_layers"]
    content = next(row["same_weight"]["fast"] for row in gatys.meta["terms"] if row["kind"] == "content")
    own = ",".join(repr(fast[name] * count) for name in names)
    same = ask(engine, pictures, convention="fast", content_weight=content, style_weight=1, layer_weights=own, size=40)
    np.testing.assert_allclose(same.arrays["losses"], gatys.arrays["losses"], rtol=1e-3)
    assert np.abs(same.arrays["picture"].astype(int) - gatys.arrays["picture"]).max() <= 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"style": ""}, "No style picture was chosen"),
        ({"style_layers": "fc"}, "has no map of the picture"),
        ({"layer_weights": "1,2,x"}, "cannot be '1,2,x'"),
        ({"changes": "5 w9=1"}, "is not understood"),
        ({"changes": "5 style_weight=2; 3 style_weight=1"}, "not in the order"),
    ],
    ids=["no style", "no map", "layer weights", "unknown layer", "order"],
)
def test_what_cannot_be_is_said(
    engine: Engine, pictures: tuple[Source, Path], settings: dict[str, Any], said: str
) -> None:
    answer = ask(engine, pictures, **settings)
    assert isinstance(answer, Failure) and said in answer.text and "failed at" not in answer.text
