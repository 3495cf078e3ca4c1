"""Directions and attribute vectors as the engine answers them: on users' small models and with planted attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result
from tests.models.generators import gan, vae


def ask(engine: Engine, inspection: str, model: str, **params: Any) -> Result:
    answer = engine.run(Request.make(inspection, model, None, params))
    assert isinstance(answer, Result), answer
    return answer


class Mixed(nn.Module):
    """A linear generator of 4 x 4 pixels from a choice of 3, 2 uniform numbers and 3 normal ones."""

    latent = [  # noqa: RUF012 - as networks declare it
        {"kind": "categorical", "size": 3},
        {"kind": "uniform", "size": 2},
        {"kind": "gaussian", "size": 3},
    ]
    range = (0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(8, 12)
        self.second = nn.Linear(12, 16)
        self.generator = nn.Sequential(self.first, self.second, nn.Unflatten(1, (1, 4, 4)))


def mixed() -> tuple[Engine, Mixed]:
    engine, net = Engine(threads=1), Mixed().eval().requires_grad_(False)
    engine._models["mixed"] = registry.adapt(net, Card("mixed"))
    return engine, net


def same_up_to_sign(found: np.ndarray, wanted: np.ndarray) -> None:
    assert (np.abs((found * wanted).sum(1)) > 0.999).all()


def test_directions_leave_choices_alone_and_keep_uniform_numbers_inside() -> None:
    engine, net = mixed()
    code = "0,1,0,0.9,-0.9,0.3,-1,2"
    answer = ask(engine, "directions", "mixed", code=code, count=4, reach=3.0, frames=5)
    both = (net.second.weight @ net.first.weight)[:, 3:].double().numpy()
    _, values, rows = np.linalg.svd(both)
    np.testing.assert_allclose(answer.arrays["strength"], values[:4], rtol=1e-4)
    vectors = answer.arrays["vectors"]
    assert not vectors[:, :3].any()
    same_up_to_sign(vectors[:, 3:], rows[:4])
    np.testing.assert_allclose(answer.arrays["cosines"], np.eye(4), atol=1e-5)
    assert answer.arrays["offsets"].tolist() == [-3, -1.5, 0, 1.5, 3]
    here = np.array([float(v) for v in code.split(",")], np.float32)
    for row, offset in ((0, 0), (1, 4), (3, 2)):
        moved = here + answer.arrays["offsets"][offset] * vectors[row]
        moved[3:5] = moved[3:5].clip(-1, 1)
        made = ask(engine, "decode", "mixed", code=",".join(map(str, moved.tolist())))
        assert np.abs(answer.arrays["strips"][row, offset].astype(int) - made.arrays["picture"]).max() <= 1


def test_the_first_weight_and_an_early_layer_are_found_in_the_network() -> None:
    engine, net = mixed()
    first = ask(engine, "directions", "mixed", method="weights", count=3)
    _, values, rows = np.linalg.svd(net.first.weight[:, 3:].double().numpy())
    np.testing.assert_allclose(first.arrays["strength"], values[:3], rtol=1e-4)
    same_up_to_sign(first.arrays["vectors"][:, 3:], rows[:3])
    layer = ask(engine, "directions", "mixed", method="layer", count=3)
    assert 0.3 < layer.arrays["strength"].sum() <= 1
    assert first.meta["strength_text"] != layer.meta["strength_text"]


@pytest.mark.parametrize("make", [vae, gan])
def test_directions_of_users_own_models_change_the_picture_as_much_as_they_say(tmp_path: Path, make: Any) -> None:
    engine, model = Engine(threads=1), make(tmp_path)
    for method in ("jacobian", "weights", "layer"):
        answer = ask(engine, "directions", model, method=method, count=2, frames=3)
        assert answer.arrays["strips"].shape[:2] == (2, 3)
    answer = ask(engine, "directions", model, count=3, code="seed:4")
    opened = engine.model(model)
    code, vectors = torch.from_numpy(answer.arrays["code"]), torch.from_numpy(answer.arrays["vectors"])
    with torch.no_grad():
        change = (opened.decode(code + 1e-3 * vectors) - opened.decode(code - 1e-3 * vectors)).flatten(1).norm(dim=1)
    np.testing.assert_allclose(change / 2e-3, answer.arrays["strength"], rtol=0.05)
    assert (np.diff(answer.arrays["strength"]) <= 0).all()


class Reads(nn.Module):
    """An autoencoder whose code is the mean of each quarter of a 4 x 4 picture."""

    latent = [{"kind": "gaussian", "size": 4}]  # noqa: RUF012 - as networks declare it
    range = (0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()), requires_grad=False)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = nn.functional.avg_pool2d(x, 2).flatten(1) * 4 - 2
        return mean, torch.zeros_like(mean)

    def decode(self, z: Tensor) -> Tensor:
        return nn.functional.interpolate(((z + 2) / 4 * self.scale).view(-1, 1, 2, 2), scale_factor=2.0)


def planted(folder: Path, level: int, *, count: int = 40, seed: int = 0) -> str:
    """Write grey noise whose first quarter is brighter by `level`."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        picture = rng.integers(60, 120, (4, 4), dtype=np.uint8)
        picture[:2, :2] += np.uint8(level)
        save_png(np.repeat(picture[..., None], 3, 2), folder / f"{number:03}.png")
    return str(folder)


def reading() -> Engine:
    engine = Engine(threads=1)
    engine._models["reads"] = registry.adapt(Reads().eval(), Card("reads"))
    return engine


def test_a_planted_attribute_is_the_vector_found(tmp_path: Path) -> None:
    engine = reading()
    folders = {"with_folder": planted(tmp_path / "a", 100), "without_folder": planted(tmp_path / "b", 0, seed=1)}
    answer = ask(engine, "attribute", "reads", **folders, frames=3, reach=0.5)
    np.testing.assert_allclose(answer.arrays["vector"], [100 / 255 * 4, 0, 0, 0], atol=0.15)
    assert answer.meta["auc"] == 1 and answer.meta["held_out"] == 20 and not answer.meta["few"]
    assert answer.meta["cosine"] > 0.98 and answer.arrays["normal"][0] > 0.98
    assert answer.meta["with_count"] == answer.meta["without_count"] == 40
    middle = answer.arrays["strip"][1]
    assert abs(float(middle[:2, :2].mean()) - 140) < 4 and abs(float(middle[2:, 2:].mean()) - 89.5) < 4
    ends = answer.arrays["strip"][[0, 2], :2, :2].mean((1, 2, 3))
    np.testing.assert_allclose(ends, [90, 190], atol=5)


def test_what_is_not_there_is_told_by_the_area(tmp_path: Path) -> None:
    folders = {"with_folder": planted(tmp_path / "a", 0), "without_folder": planted(tmp_path / "b", 0, seed=1)}
    answer = ask(reading(), "attribute", "reads", **folders)
    assert 0.2 < answer.meta["auc"] < 0.8


@pytest.mark.parametrize(
    ("with_it", "words"), [("gone", "not a folder"), ("one", "fewer than two"), ("empty", "no picture")]
)
def test_folders_that_do_not_do_are_refused(tmp_path: Path, with_it: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    planted(tmp_path / "one", 9, count=1)
    given = {"with_folder": str(tmp_path / with_it), "without_folder": planted(tmp_path / "b", 0)}
    answer = reading().run(Request.make("attribute", "reads", None, given))
    assert isinstance(answer, Failure) and words in answer.message, answer


def test_several_codes_have_no_one_direction(tmp_path: Path) -> None:
    answer = Engine(threads=1).run(Request.make("directions", vae(tmp_path), None, {"code": "1,2,3,4;1,2,3,4"}))
    assert isinstance(answer, Failure) and "2 codes" in answer.message
