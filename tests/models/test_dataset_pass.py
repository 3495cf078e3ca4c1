"""The pass over a data set: the same values in any shards, resumed where it stopped, failed pictures as rows."""

from __future__ import annotations

import gc
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.bundled.photos import PhotosResNet
from models.cards.card import Card
from models.dataset_pass.batch import Batch
from models.dataset_pass.fingerprint import fingerprint
from models.dataset_pass.forward import CPU_BATCH, Forward
from models.dataset_pass.job import Job
from models.dataset_pass.layer_choice import choose, spatial
from models.dataset_pass.product import Collecting
from models.dataset_pass.products.embeddings import Embeddings
from models.dataset_pass.products.predictions import Predictions
from models.dataset_pass.shard import compute
from models.datasets.collected import DONE, FAILED, Collected
from models.datasets.opening import open_data_set
from models.datasets.types import DataSet
from models.engine import registry
from models.loading.preprocess import Preprocess
from models.pictures import images
from models.types import Cancelled, Refusal

COUNT = 40
BAD = (5, 17)


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    net = PhotosResNet(width=4, blocks=1, classes=4).eval()
    made = registry.adapt(net, Card("tiny", classes=("a", "b", "c", "d")))
    made.preprocess = Preprocess(resize=32, crop=32)
    return made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        place = folder / "ab"[number % 2] / f"{number // 2}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (30 + number % 3, 40, 3), dtype=np.uint8)).save(place)
    found = open_data_set(folder)
    for row in BAD:
        Path(found.paths[row]).write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    return found


@pytest.fixture(scope="module")
def forward(model: Any, pictures: DataSet) -> Forward:
    made = Forward(model)
    made.settle(images.read(pictures.paths[0]).pixels)
    return made


@pytest.fixture(scope="module")
def whole(forward: Forward, pictures: DataSet, products: Any, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """What the pass finds in one go."""
    return job(forward, pictures, products, tmp_path_factory.mktemp("whole")).run()


@pytest.fixture(scope="module")
def products(forward: Forward, pictures: DataSet) -> tuple[Any, ...]:
    seen = forward.prepare(images.read(pictures.paths[0]).pixels)
    layers = choose(forward, seen), choose(forward, seen, "layer2", "max"), choose(forward, seen, "layer1", "position")
    return Embeddings.of(*layers), Predictions()


def job(forward: Forward, pictures: DataSet, products: Any, folder: Path, **more: Any) -> Job:
    return Job(forward, pictures, products, "weights", folder=folder, **more)


def test_vectors_and_predictions_are_those_of_the_network_itself(
    model: Any, pictures: DataSet, whole: Collected
) -> None:
    found = whole
    net, kept = model.net, {}
    hooks = [net.fc.register_forward_pre_hook(lambda _, given: kept.update(fc=given[0]))]
    hooks += [
        getattr(net, name).register_forward_hook(lambda _, __, out, name=name: kept.update({name: out}))
        for name in ("layer1", "layer2")
    ]
    try:
        for row in (0, 1, 39):
            with torch.no_grad():
                scores = net(model.preprocess.input(images.read(pictures.paths[row]).pixels, torch.device("cpu")))
            assert np.allclose(found.array("vector.0")[row], kept["fc"][0], atol=1e-6)
            assert np.allclose(found.array("vector.1")[row], kept["layer2"][0].amax((1, 2)), atol=1e-6)
            high, wide = kept["layer1"].shape[2:]
            assert np.allclose(found.array("vector.2")[row], kept["layer1"][0, :, high // 2, wide // 2], atol=1e-6)
            assert np.allclose(found.array("probabilities")[row], scores[0].softmax(0), atol=1e-6)
            assert found.column("prediction", -1)[row] == int(scores.argmax())
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("shard", [CPU_BATCH, 16])
def test_any_shards_give_the_same_table(
    forward: Forward, pictures: DataSet, products: Any, shard: int, whole: Collected, tmp_path: Path
) -> None:
    one = whole
    many = job(forward, pictures, products, tmp_path / "shards", shard=shard)
    assert len(many.shards) == -(-COUNT // shard)
    found = many.run()
    for name in one.names:
        assert found.column(name, None, object).tolist() == one.column(name, None, object).tolist(), name
    for name in ("vector.0", "vector.1", "vector.2", "probabilities"):
        assert np.array_equal(found.array(name), one.array(name), equal_nan=True), name


def test_shards_in_another_order_and_by_another_process_are_taken_in(
    forward: Forward, pictures: DataSet, products: Any, tmp_path: Path
) -> None:
    here = job(forward, pictures, products, tmp_path, shard=16)
    for first in reversed(here.missing):
        compute(forward, products, here.shards[first], here.folder)
    assert not here.complete
    here.look()
    assert here.complete and here.collected.done == COUNT - len(BAD)


def test_pictures_that_cannot_be_read_are_rows_with_the_reason(
    whole: Collected,
) -> None:
    found = whole
    assert np.flatnonzero(found.state == FAILED).tolist() == list(BAD)
    assert all("PNG" in found.failures[row] for row in BAD)
    assert np.isnan(found.array("vector.0")[list(BAD)]).all() and found.column("prediction", -1)[5] == -1
    assert (found.state == DONE).sum() == found.done == COUNT - len(BAD)


def test_a_pass_that_stopped_goes_on_and_does_no_finished_part_again(
    forward: Forward, pictures: DataSet, products: Any, whole: Collected, tmp_path: Path
) -> None:
    first = job(forward, pictures, products, tmp_path / "parts", shard=16)
    for _ in range(3):  # a part of two batches, and half of the next: the program ends here
        first.step()
    assert len(first.missing) == 2 and first.looked_at == 3 * CPU_BATCH
    again, read = job(forward, pictures, products, tmp_path / "parts", shard=16), []
    assert again.missing == [16, 32]
    original = images.read

    def watched(source: Any) -> Any:
        read.append(source)
        return original(source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "read", watched)
        found = again.run()
    assert len(read) == COUNT - 16
    assert np.array_equal(found.array("vector.0"), whole.array("vector.0"), equal_nan=True)


def test_a_torn_part_is_done_again_and_strange_ones_are_left_alone(
    forward: Forward, pictures: DataSet, products: Any, tmp_path: Path
) -> None:
    here = job(forward, pictures, products, tmp_path, shard=16)
    here.run()
    keys = [here.shards[first].key for first in (0, 16, 32)]
    (here.folder / f"{keys[0]}.json").unlink()
    (here.folder / f"{keys[1]}.vector.0.npy").write_bytes(b"torn")
    (here.folder / f"{keys[2]}.json").write_text("[1, 2")
    assert job(forward, pictures, products, tmp_path, shard=16).missing == [0, 16, 32]


def test_calling_it_off_keeps_the_parts(forward: Forward, pictures: DataSet, products: Any, tmp_path: Path) -> None:
    told: list[float] = []

    def progress(share: float, text: str) -> None:
        told.append(share)
        if share > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        job(forward, pictures, products, tmp_path, shard=16).run(progress=progress)
    assert told == sorted(told) and len(job(forward, pictures, products, tmp_path, shard=16).missing) < 3


def test_what_failed_is_looked_at_again_only_when_asked(
    forward: Forward, products: Any, pictures: DataSet, tmp_path: Path
) -> None:
    place = tmp_path / "a" / "picture.png"
    place.parent.mkdir()
    place.write_bytes(b"nothing")
    here = job(forward, open_data_set(place.parent), products, tmp_path / "parts")
    assert here.run().failures
    assert here.retry() == 1 and here.missing == [0]
    shutil.copy(pictures.paths[0], place)
    renewed = job(forward, open_data_set(place.parent), products, tmp_path / "parts")
    assert renewed.missing == [0], "another file is another part"
    assert not renewed.run().failures


def test_a_full_disk_is_told_and_keeps_the_parts_that_are_done(
    forward: Forward, pictures: DataSet, small_disk: Path
) -> None:
    @dataclass(frozen=True)
    class Large(Embeddings):
        def collector(self, forward: Forward) -> Any:
            return _Large()

    class _Large(Collecting):
        def add(self, batch: Batch) -> None:
            self.array("large", np.zeros((len(batch), 2000), np.float32))

    here = job(forward, pictures, (Large(()),), small_disk, shard=16)
    with pytest.raises(Refusal, match=r"cannot be written \(No space left") as told:
        here.run()
    assert "parts that are done are kept" in told.value.advice
    assert job(forward, pictures, (Large(()),), small_disk, shard=16).missing == here.missing == [16, 32]
    del here, told
    gc.collect()  # memory maps keep the disk busy


class Picky(nn.Module):
    """A network that fails for a picture that is black, and gives NaN for one that is white."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(4, 4)
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        flat = x.flatten(1)
        if bool((flat.mean(1) < -1.5).any()):
            raise ValueError("a black picture")
        return self.fc(self.body(x)) / (flat.mean(1, keepdim=True) < 2.0).float()


def test_one_failing_picture_does_not_take_its_batch_along(model: Any, pictures: DataSet, tmp_path: Path) -> None:
    for number in range(CPU_BATCH):
        Image.fromarray(np.full((32, 32, 3), {2: 0, 5: 255}.get(number, 90), np.uint8)).save(tmp_path / f"{number}.png")
    torch.manual_seed(0)
    picky = registry.adapt(PhotosResNet(width=4, blocks=1, classes=4).eval(), Card("picky", classes=tuple("abcd")))
    picky.net = Picky().eval()
    forward = Forward(picky)
    forward.settle(images.read(tmp_path / "0.png").pixels)
    layer = choose(forward, forward.prepare(images.read(tmp_path / "0.png").pixels))
    assert layer.layer == "fc:input"
    found = job(forward, open_data_set(tmp_path), (Embeddings.of(layer), Predictions()), tmp_path / "parts").run()
    assert sorted(found.failures) == [2, 5]
    assert found.failures[2] == "The model failed: a black picture" and "NaN" in found.failures[5]
    assert np.isfinite(found.array("vector.0")[[0, 1, 3, 4, 6, 7]]).all()


@dataclass(frozen=True)
class Brightness:
    """A product as the interface's documentation shows one, with a merged array."""

    name: ClassVar[str] = "brightness"
    version: ClassVar[int] = 1
    wants_inputs: ClassVar[tuple[str, ...]] = ()

    def collector(self, forward: Forward) -> Any:
        return _Brightness()


class _Brightness(Collecting):
    def add(self, batch: Batch) -> None:
        assert batch.inputs is not None
        self.column("brightness", batch.inputs.mean((1, 2, 3)).tolist())

    def merged(self) -> dict[str, np.ndarray]:
        best = int(np.argmax(self.columns["brightness"]))
        return {"brightest": np.array([self.rows[best]])}


def test_all_products_share_one_pass_and_a_new_one_is_a_few_lines(
    model: Any, forward: Forward, pictures: DataSet, products: Any, tmp_path: Path
) -> None:
    passes = []
    hook = model.net.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        found = job(forward, pictures, (*products, Brightness()), tmp_path, shard=16).run()
    finally:
        hook.remove()
    sizes_in_a_batch = 1  # pictures of several sizes all become inputs of one size
    assert len(passes) == COUNT // CPU_BATCH * sizes_in_a_batch
    bright = found.column("brightness", np.nan)
    assert np.isnan(bright[list(BAD)]).all() and np.isfinite(np.delete(bright, BAD)).all()
    best = [first + int(rows[0]) for first, rows in found.merged("brightest")]
    assert best == [first + int(np.nanargmax(bright[first : first + 16])) for first in (0, 16, 32)]


def test_parts_are_of_one_model_layer_and_file(
    model: Any, forward: Forward, pictures: DataSet, products: Any, tmp_path: Path
) -> None:
    job(forward, pictures, products, tmp_path).run()
    assert job(forward, pictures, products, tmp_path).complete
    others = [
        Job(forward, pictures, products, "other weights", folder=tmp_path),
        job(forward, pictures, products[:1], tmp_path),
        job(forward, pictures, (Embeddings((("layer1", "mean"),)), Predictions()), tmp_path),
    ]
    assert not any(other.complete for other in others)
    torch.manual_seed(1)
    twin = registry.adapt(PhotosResNet(width=4, blocks=1, classes=4).eval(), Card("tiny", classes=tuple("abcd")))
    names = [
        fingerprint(name, each) for name, each in (("tiny", model), ("tiny", twin), ("tiny?scores=sigmoid", model))
    ]
    assert len(set(names)) == 3 and fingerprint("tiny?device=cpu", model) == names[0]


@pytest.mark.parametrize(
    ("layer", "pooling", "said"),
    [
        ("layer9", "automatic", "Did you mean layer"),
        ("fc", "class token", ""),
        ("layer1", "class token", "no class token"),
        ("fc", "position", ""),
        ("nothing:input", "automatic", "There is no layer"),
    ],
)
def test_layers_that_do_not_exist_or_have_no_such_vector_are_refused(
    forward: Forward, pictures: DataSet, layer: str, pooling: str, said: str
) -> None:
    seen = forward.prepare(images.read(pictures.paths[0]).pixels)
    if not said:  # a vector is one already
        assert choose(forward, seen, layer, pooling).layer == layer
        return
    with pytest.raises(Refusal) as told:
        choose(forward, seen, layer, pooling)
    assert said in f"{told.value} {told.value.advice}"


def test_a_region_is_compared_in_a_layer_with_places(forward: Forward, pictures: DataSet) -> None:
    seen = forward.prepare(images.read(pictures.paths[0]).pixels)
    assert spatial(forward, seen).layer == "layer3" and spatial(forward, seen, "layer1", "max").pooling == "max"
    with pytest.raises(Refusal, match="fc has no places"):
        spatial(forward, seen, "fc")


def test_an_empty_set_and_one_that_cannot_be_read_are_refused(forward: Forward, products: Any, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no pictures"):
        job(forward, DataSet("none", "list", str(tmp_path), ()), products, tmp_path)
