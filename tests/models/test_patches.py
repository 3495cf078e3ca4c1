"""Top patches: equal to brute force in any shards, planted templates at their exact pixels, units that never fire."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import main
from models.bundled.photos import PhotosResNet
from models.cards.card import Card
from models.dataset_pass.forward import Forward
from models.dataset_pass.job import Job
from models.dataset_pass.products.patches import SAMPLE, Patches
from models.dataset_pass.unit_extremes import layers, unit_values
from models.datasets.collected import Collected
from models.datasets.opening import open_data_set
from models.datasets.types import DataSet
from models.engine import registry
from models.engine.engine import Engine
from models.features.patch_crops import GREY, crop
from models.loading.preprocess import Preprocess
from models.pictures import images
from models.requests import Request
from models.types import Failure, Result, Source

COUNT, BAD = 40, 7
LAYERS = ("conv1", "bn1", "layer1", "layer2.0.conv1", "layer3", "fc")
SIDE, TEMPLATE = 24, 5
PLANTED = {"a.png": (11, 4), "b.png": (2, 15), "c.png": (18, 18)}  # x, y of the template's corner


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    made = registry.adapt(PhotosResNet(width=4, blocks=1, classes=4).eval(), Card("tiny", classes=tuple("abcd")))
    made.preprocess = Preprocess(resize=32, crop=32)
    return made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(COUNT):
        pixels = rng.integers(0, 255, (32, 36, 3), dtype=np.uint8)
        if number in (11, 30):  # copies tie: the earlier picture comes first
            pixels = np.zeros_like(pixels)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    found = open_data_set(folder)
    Path(found.paths[BAD]).write_bytes(b"\x89PNG cut")
    return found


def passed(model: Any, pictures: DataSet, folder: Path, shard: int, product: Patches | None = None) -> Collected:
    forward = Forward(model)
    forward.settle(images.read(pictures.paths[0]).pixels)
    return Job(forward, pictures, (product or Patches(),), "weights", folder=folder, shard=shard).run()


@pytest.fixture(scope="module")
def whole(model: Any, pictures: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    return passed(model, pictures, tmp_path_factory.mktemp("whole"), 256)


def every_map(model: Any, pictures: DataSet) -> tuple[list[int], dict[str, list[Tensor]]]:
    """The values (C, h, w) of the layers for each readable picture, by hooks of its own and one picture at a time."""
    rows = [row for row in range(COUNT) if row != BAD]
    kept: dict[str, list[Tensor]] = {name: [] for name in LAYERS}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: kept[name].append(out[0].clone()))
        for name, module in model.net.named_modules()
        if name in kept
    ]
    try:
        for row in rows:
            with torch.no_grad():
                model.net(model.preprocess.input(images.read(pictures.paths[row]).pixels, torch.device("cpu")))
    finally:
        for hook in hooks:
            hook.remove()
    return rows, {name: [v if v.ndim == 3 else v[:, None, None] for v in each] for name, each in kept.items()}


def test_every_unit_has_the_patches_of_brute_force(model: Any, pictures: DataSet, whole: Collected) -> None:
    known = {layer.id: layer for layer in layers(whole)}
    assert {*LAYERS} <= {*known} and len(known) > 20
    assert known["layer3"].channels == known["layer3.0"].channels
    rows, every = every_map(model, pictures)
    for name, maps in every.items():
        found = unit_values(whole, name, count=9)
        assert found.pictures == COUNT - 1 and known[name].channels == len(maps[0])
        table = np.array([each.flatten(1).amax(1).numpy() for each in maps])
        for channel in range(known[name].channels):
            order = np.argsort(-table[:, channel], kind="stable")
            for ranked, wanted in (
                (found.top.of(channel), order[:9]),
                (found.low.of(channel), np.argsort(table[:, channel], kind="stable")[:9]),
            ):
                assert np.allclose(ranked.values, table[wanted, channel], atol=1e-5), (name, channel)
                for rank, picture in enumerate(ranked.rows.tolist()):
                    values = maps[rows.index(picture)][channel]
                    assert np.isclose(float(values[ranked.cell(rank)]), ranked.values[rank], atol=1e-5)
            middle = found.median(channel, 9).values
            assert np.allclose(middle, np.sort(table[:, channel])[15:24], atol=1e-5)
            assert found.fires[channel] == (table[:, channel] > 0).sum()


@pytest.mark.parametrize("shard", [8, 16])
def test_any_shards_give_the_same_patches(
    model: Any, pictures: DataSet, whole: Collected, shard: int, tmp_path: Path
) -> None:
    many = passed(model, pictures, tmp_path, shard)
    assert len(many.parts) == -(-COUNT // shard) and layers(many) == layers(whole)
    for layer in layers(whole):
        one, other = (unit_values(each, layer.id, count=9) for each in (whole, many))
        for a, b in ((one.top, other.top), (one.low, other.low), (one.sample, other.sample)):
            assert np.array_equal(a.values, b.values) and np.array_equal(a.rows, b.rows)
            assert np.array_equal(a.at, b.at)
        assert np.array_equal(one.fires, other.fires)
    assert {11, 30} <= set(range(COUNT))


def test_equal_values_are_listed_by_the_order_of_the_pictures(whole: Collected) -> None:
    tied = 0
    for layer in layers(whole):
        found = unit_values(whole, layer.id, count=9)
        for ranked in (found.top, found.low):
            same = ranked.values[1:] == ranked.values[:-1]
            assert (ranked.rows[1:] > ranked.rows[:-1])[same].all()
            tied += int(same.sum())
    assert tied


def test_a_sample_stays_small_however_many_pictures_there_are(
    model: Any, pictures: DataSet, whole: Collected, tmp_path: Path
) -> None:
    assert Patches.of(SAMPLE).every == 1
    for count in (SAMPLE + 1, 3000, 100_000):
        assert count / Patches.of(count).every <= 2 * SAMPLE
    found = passed(model, pictures, tmp_path, 256, Patches(every=4, kept=3))
    layer = layers(found)[0].id
    few, all_of = (unit_values(each, layer, count=3) for each in (found, whole))
    assert len(few.sample) == 10 and few.pictures == COUNT - 1
    assert np.array_equal(few.top.values, all_of.top.values) and np.array_equal(
        few.sample.values, all_of.sample.values[::4]
    )


class Template(nn.Module):
    """A unit that answers to a template, one that never fires, one that is always the same, and one for brightness."""

    def __init__(self, template: Tensor) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 4, TEMPLATE)
        self.relu = nn.ReLU()
        self.head = nn.Linear(4, 2)
        with torch.no_grad():
            self.look.weight.zero_()
            self.look.weight[0] = template - template.mean()
            self.look.weight[3] = 0.01
            assert self.look.bias is not None
            self.look.bias.copy_(torch.tensor([-10.0, -1.0, 2.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.look(x)).amax((2, 3)))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An engine with a network that knows a template, and a folder where three pictures have it."""
    folder, rng = tmp_path_factory.mktemp("planted"), np.random.default_rng(1)
    template = rng.choice(np.array([0, 255], np.uint8), (TEMPLATE, TEMPLATE, 3))
    for number in range(12):
        Image.fromarray(np.full((SIDE, SIDE, 3), 100 + number, np.uint8)).save(folder / f"plain{number}.png")
    for name, (x, y) in PLANTED.items():
        pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
        pixels[y : y + TEMPLATE, x : x + TEMPLATE] = template
        Image.fromarray(pixels).save(folder / name)
    net = Template(torch.from_numpy(template.astype(np.float32) / 255).permute(2, 0, 1)).eval()
    engine = Engine(threads=1)
    model = registry.adapt(net, Card("template", classes=("a", "b")))
    model.preprocess = Preprocess(resize=SIDE, crop=SIDE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    engine._models["template"] = model
    return engine, Source.file(folder), template


def ask(planted: Any, **given: Any) -> Any:
    engine, source, _ = planted
    request = Request.make("patches", "template", source, {"layer": "look", "channel": 0, "count": 3, **given})
    engine.run(request)
    engine.finish_idle()
    return engine.run(request)


def test_a_planted_template_is_found_at_its_exact_pixels(planted: Any) -> None:
    answer = ask(planted)
    assert isinstance(answer, Result), answer
    top = [entry for entry in answer.meta["patches"] if entry["end"] == "top"]
    assert {Path(entry["path"]).name for entry in top} == set(PLANTED) and not answer.meta["partial"]
    for rank, entry in enumerate(top):
        x, y = PLANTED[Path(entry["path"]).name]
        assert (entry["row"], entry["column"]) == (y, x)
        assert entry["reach"] == [x, y, x + TEMPLATE, y + TEMPLATE]
        x0, y0, x1, y1 = (round(v) for v in entry["box"])
        shown = answer.arrays["pictures"][rank]
        wanted = crop(images.read(entry["path"]).pixels, entry["box"], 96)
        assert np.array_equal(shown, wanted) and x <= x0 < x1 <= x + TEMPLATE and y <= y0 < y1 <= y + TEMPLATE
    assert "Channel 0 of look in 15 of 15 pictures." in answer.meta["text"]
    assert len(answer.arrays["values"]) == 15 and answer.meta["channels"] == 4


def test_a_unit_that_never_fires_is_said_instead_of_shown(planted: Any) -> None:
    answer = ask(planted, layer="relu", channel=1)
    assert "never fires in 15 pictures" in answer.meta["text"] and not len(answer.arrays["pictures"])
    assert answer.meta["never"] and answer.meta["silent"] == 1
    answer = ask(planted, layer="relu", channel=2)
    assert "2 in each, so no picture stands out" in answer.meta["text"] and not answer.meta["never"]
    answer = ask(planted, layer="relu", channel=0, show="low")
    silent = answer.meta["patches"][-1]
    assert silent["end"] == "low" and silent["value"] == 0 and silent["reach"][2] - silent["reach"][0] == TEMPLATE


def test_vectors_and_the_automatic_choice_are_answered(planted: Any) -> None:
    answer = ask(planted, layer="", channel=-1)
    assert answer.meta["layer"] == "relu" and answer.meta["channel"] == int(answer.arrays["largest"].argmax())
    answer = ask(planted, layer="head", channel=1, show="median")
    assert "whole pictures" in answer.meta["notes"][0] and len(answer.arrays["pictures"]) == 3
    assert not any("box" in entry for entry in answer.meta["patches"])


def test_what_does_not_exist_is_refused_with_what_does(planted: Any) -> None:
    answer = ask(planted, layer="lock")
    assert isinstance(answer, Failure) and "Did you mean look" in answer.text
    answer = ask(planted, channel=4)
    assert isinstance(answer, Failure) and "look has 4 channels" in answer.text and "0 to 3" in answer.text


def test_a_crop_beyond_the_picture_is_grey_there() -> None:
    pixels = np.full((10, 10, 3), 7, np.uint8)
    made = crop(pixels, (-4.0, 2.0, 4.0, 10.0), 8)
    assert (made[:, :4] == GREY).all() and (made[:, 4:] == 7).all()


def test_the_command_line_answers_and_replays_unless_the_folder_has_changed(
    planted: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, source, _ = planted
    folder = tmp_path / "set"
    shutil.copytree(source.path, folder)
    out, again = tmp_path / "out", tmp_path / "again"
    words = ["run", "patches", str(folder), "--model", "photos-resnet", "--set", "layer=layer2", "--set", "channel=3"]
    assert main.main([*words, "--out", str(out)]) == main.DONE
    found = json.loads((out / "set.patches.json").read_text(encoding="utf-8"))
    assert len(found["patches"]) == 27 and (out / "set.patches.png").is_file()
    assert main.main(["replay", str(out / "set.patches.recipe.json"), "--out", str(again)]) == main.DONE
    assert json.loads((again / "set.patches.json").read_text(encoding="utf-8"))["patches"] == found["patches"]
    (folder / "a.png").unlink()
    assert main.main(["replay", str(out / "set.patches.recipe.json"), "--out", str(again)]) == main.FAILED
    assert "has changed since the recipe" in capsys.readouterr().err
