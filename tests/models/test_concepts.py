"""TCAV: a planted concept in the layer that has it, chance elsewhere; captum's own TCAV gives the same scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.concept import TCAV, Concept
from PIL import Image
from scipy import stats
from torch import Tensor, nn

from models.adapters.classifier import ClassifierAdapter
from models.attributions.concept_classifier import ConceptClassifier, logistic
from models.attributions.concept_scores import LayerScores, scored, significant, student, welch
from models.cards.card import Card
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE = 8


class Planted(nn.Module):
    """The second convolution has a channel for redness, which the class "red" reads; the first mixes all colours."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.early = nn.Conv2d(3, 6, 1)
        self.late = nn.Conv2d(3, 2, 1)
        self.head = nn.Linear(8, 3)
        with torch.no_grad():
            self.early.weight.copy_(torch.rand_like(self.early.weight) * 0.01)
            self.early.bias.zero_()
            self.late.weight.copy_(torch.tensor([[2.0, -1, -1], [0, 0, 0]]).view(2, 3, 1, 1))
            self.late.bias.copy_(torch.tensor([0.0, 1.0]))
            self.head.weight.zero_()
            self.head.bias.zero_()
            self.head.weight[0, 6] = 1.0  # "red" reads redness
            self.head.weight[1, :6] = torch.tensor([1.0, -1, 1, -1, 1, -1])  # "mixed" reads the early layer
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        early, late = self.early(x).mean((2, 3)), self.late(x).mean((2, 3))
        return self.head(torch.cat([early, late], 1))


def engine() -> Engine:
    about = {"preprocessing": {"resize": SIDE, "crop": SIDE, "mean": [0.5] * 3, "std": [0.25] * 3}}
    made = Engine(threads=1)
    made._models["tiny"] = ClassifierAdapter(
        Planted().eval(), Card("tiny", classes=("red", "mixed", "flat"), about=about)
    )
    return made


def fill(folder: Path, count: int, *, red: bool, seed: int) -> Path:
    """Write noise pictures, reddish or not."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        drawn = rng.integers(0, 255, (SIDE, SIDE, 3))
        if red:
            drawn[..., 0] = rng.integers(170, 255, (SIDE, SIDE))
            drawn[..., 1:] = rng.integers(0, 90, (SIDE, SIDE, 2))
        save_png(drawn.astype(np.uint8), folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("concepts")
    return {
        "red": fill(base / "red", 14, red=True, seed=1),
        "noise": fill(base / "noise", 14, red=False, seed=2),
        "random": fill(base / "random", 60, red=False, seed=3),
        "class": fill(base / "class", 12, red=False, seed=4),
        "few": fill(base / "few", 9, red=True, seed=5),
    }


def run(folders: dict[str, Path], name: str, **params: Any) -> Any:
    given = {"concept": str(folders[name]), "random": str(folders["random"]), "examples": str(folders["class"])}
    source = Source.file(next(folders["class"].glob("*.png")))
    return engine().run(Request.make("concepts", "tiny", source, {"target": "red", "sets": 16, **given, **params}))


def test_a_planted_concept_is_found_in_the_right_layer_and_random_pictures_in_none(folders: dict[str, Path]) -> None:
    found = run(folders, "red", layers="early,late")
    assert isinstance(found, Result), found
    significant_in = dict(zip(found.meta["layers"], found.arrays["significant"].tolist(), strict=True))
    assert significant_in == {"early": False, "late": True}
    late = found.arrays["scores"][1]
    assert (late == 1).all() and (found.arrays["accuracies"][1] > 0.9).all() and found.arrays["p"][1] < 0.05
    assert "red rises with red: in late for 100% of its pictures" in found.meta["text"]
    chance = run(folders, "noise", layers="early,late")
    assert not chance.arrays["significant"].any() and "no layer" in chance.meta["text"]
    again = run(folders, "red", layers="early,late")
    assert all(np.array_equal(again.arrays[name], values) for name, values in found.arrays.items())
    other = run(folders, "red", layers="early,late", seed=1)
    assert not np.array_equal(other.arrays["chance_accuracies"], found.arrays["chance_accuracies"])


def test_layers_are_chosen_by_themselves_and_examples_beside_the_picture(folders: dict[str, Path]) -> None:
    found = run(folders, "red", examples="", target="")
    assert isinstance(found, Result), found
    assert set(found.meta["layers"]) == {"early", "late"}
    assert 2 <= found.meta["pictures"][2] <= 12


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scores_are_those_of_captums_own_tcav(tmp_path: Path) -> None:
    """With the same classifier and pictures, and captum keeping its files in a folder of the test's."""
    net = Planted().eval()
    generator = torch.Generator().manual_seed(0)
    reds, noise = (torch.rand(12, 3, 4, 4, generator=generator) for _ in range(2))
    reds[:, 0] += 1
    inputs = torch.rand(10, 3, 4, 4, generator=generator)

    def concept(number: int, name: str, rows: Tensor) -> Concept:
        return Concept(number, name, torch.utils.data.DataLoader(rows, batch_size=6))  # type: ignore[arg-type]

    class Ids(ConceptClassifier):
        """Has captum's batches, whose ids are repeated."""

    sets = [[concept(0, "noise", noise), concept(1, "red", reds)]]
    tcav = TCAV(net, ["early", "late"], classifier=Ids(0), save_path=str(tmp_path))
    theirs = tcav.interpret(inputs, sets, target=1)["0-1"]
    for layer in ("early", "late"):
        module = net.get_submodule(layer)
        with torch.no_grad():
            shown, other = module(reds).flatten(1), module(noise).flatten(1)
        x = inputs.clone().requires_grad_()
        kept: list[Tensor] = []
        hook = module.register_forward_hook(lambda m, i, o, kept=kept: kept.append(o))
        (slope,) = torch.autograd.grad(net(x)[:, 1].sum(), kept[0])
        hook.remove()
        ours = scored(shown, [other, other + 0.1, other - 0.1], slope.flatten(1)).scores[0]
        assert ours == pytest.approx(float(theirs[layer]["sign_count"][1]))


def test_the_classifier_is_the_logistic_regression_it_says(folders: dict[str, Path]) -> None:
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(1)).double()
    sign = torch.where(x[:, 2] + 0.3 * x[:, 0] > 0.2, 1.0, -1.0).double()
    weight, bias = logistic(x, sign)
    assert (((x @ weight + bias) > 0) == (sign > 0)).double().mean() > 0.95
    assert weight.abs().argmax() == 2
    first, second = logistic(x + 7, sign), logistic(3 * x, sign)
    torch.testing.assert_close(first[0], weight)
    torch.testing.assert_close(second[0] * 3, weight)


def test_the_t_test_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.normal(0.3, 1, 7), rng.normal(0, 2, 12)
        assert welch(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, abs=1e-9)
    assert student(12.0, 1.5) == pytest.approx(2 * stats.t.sf(12.0, 1.5), rel=1e-4)
    assert welch([1, 1, 1], [0.5, 0.5]) == 0 and welch([1, 1], [1, 1]) == 1


def test_bonferroni_and_telling_apart_are_both_needed() -> None:
    high, low = np.array([1, 1, 0.9, 1], np.float32), np.array([0.5, 0.4, 0.6, 0.3], np.float32)
    sure, half = np.array([1, 0.9, 1, 1], np.float32), np.array([0.5, 0.6, 0.4, 0.5], np.float32)
    assert significant(LayerScores(high, low, sure, half), 1)[1]
    assert not significant(LayerScores(high, low, half, half), 1)[1]
    p, counts = significant(LayerScores(high, low, sure, half), 1000)
    assert p == pytest.approx(min(1, 1000 * significant(LayerScores(high, low, sure, half), 1)[0])) and not counts


@pytest.mark.parametrize(
    ("concept", "params", "words"),
    [
        ("few", {}, "few holds 9 pictures"),
        ("red", {"random": ""}, "No folder with random pictures is chosen"),
        ("red", {"concept": "/nowhere/at all"}, "/nowhere/at all is not a folder"),
        ("red", {"layers": "nothing"}, "There is no layer 'nothing'"),
        ("red", {"target": "blue"}, "no class 'blue'"),
        ("red", {"examples": "", "target": "flat"}, "pictures of flat"),
    ],
    ids=["few", "none", "missing", "layer", "class", "examples"],
)
def test_what_cannot_be_tested_says_what_to_do(
    folders: dict[str, Path], concept: str, params: dict[str, Any], words: str
) -> None:
    answer = run(folders, concept, **params)
    assert isinstance(answer, Failure) and words in answer.text and answer.advice


def test_random_pictures_that_show_the_concept_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    mixed = fill(tmp_path / "mixed", 20, red=False, seed=9)
    (mixed / "copy.png").write_bytes((folders["red"] / "3.png").read_bytes())
    answer = run(folders, "red", random=str(mixed))
    assert isinstance(answer, Failure)
    assert "1 of the random pictures is in the concept's folder too (copy.png)" in answer.message
    assert "Take them out" in answer.advice
    (mixed / "copy.png").unlink()
    Image.open(folders["red"] / "3.png").save(mixed / "saved again.bmp")
    again = run(folders, "red", random=str(mixed))
    assert isinstance(again, Failure) and "(saved again.bmp)" in again.message
