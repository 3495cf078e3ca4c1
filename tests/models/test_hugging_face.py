"""Hugging Face folders against `transformers` itself: its processor, its network, its post-processing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hugging_face_folders import NETWORKS, PROCESSORS, edit, make

from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

pytest.importorskip("transformers", reason="the extra transformers is not installed")
WIDTH, HEIGHT = 121, 76
SIDES = ((1, HEIGHT), (0, WIDTH))
DETECTORS = ("detr", "conditional", "deformable", "rt_detr", "rt_detr_v2", "d_fine", "yolos")
CLASSIFIERS = ("vit", "deit", "resnet", "swin", "convnext")
SEGMENTERS = ("segformer", "upernet", "beit")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folders")


@pytest.fixture(scope="module")
def source(home: Path) -> Source:
    rng = np.random.default_rng(1)
    coarse = torch.from_numpy(rng.integers(0, 255, (1, 3, 9, 14)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic").clamp(0, 255)
    save_png(smooth[0].permute(1, 2, 0).byte().numpy(), home / "picture.png")
    return Source.file(home / "picture.png")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def folder(name: str, home: Path) -> Path:
    """The folder of a tiny network, made when first asked for."""
    place = home / name
    return place if (place / "config.json").is_file() else make(name, place)


def ask(engine: Engine, inspection: str, place: Path, source: Source | None, **settings: Any) -> Result:
    found = engine.run(Request.make(inspection, str(place), source, settings))
    assert isinstance(found, Result), (found.text, found.details)
    return found


def theirs(place: Path, engine: Engine, source: Source) -> tuple[Any, Any, Any]:
    """The processor, and the network's own output for the picture as the processor prepares it."""
    import transformers

    named = json.loads((place / "config.json").read_text())["architectures"][0]
    settings = json.loads((place / "preprocessor_config.json").read_text())
    processor = getattr(transformers, settings["image_processor_type"]).from_pretrained(place)
    net = getattr(transformers, named).from_pretrained(place).eval()
    pixels = engine.pixels(Request.make("detect", str(place), source, {}), _context())
    with torch.no_grad():
        inputs = processor(images=np.array(pixels), return_tensors="pt", input_data_format="channels_last")
        return processor, inputs, net(**inputs)


def _context() -> Any:
    from models.runtime.context import Context

    return Context()


@pytest.mark.parametrize("name", [name for name in PROCESSORS if name not in ("vitpose",)])
def test_pictures_are_prepared_as_the_processor_does(name: str, home: Path, source: Source, engine: Engine) -> None:
    from models.hugging_face import preparation

    kind, settings = PROCESSORS[name]
    import transformers

    processor = getattr(transformers, kind)(**settings)
    made = preparation.preparation(processor)
    rng = np.random.default_rng(2)
    for height, width in ((76, 121), (121, 76), (300, 301), (67, 67), (64, 64)):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = processor(images=pixels, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        found = made.input(pixels, torch.device("cpu"))
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_most_preparations_are_cards_that_can_be_seen_and_changed() -> None:
    import transformers

    from models.hugging_face import preparation
    from models.loading.preprocess import Preprocess

    made = {name: getattr(transformers, kind)(**settings) for name, (kind, settings) in PROCESSORS.items()}
    plain = {name for name, own in made.items() if name != "vitpose"}
    plain = {name for name in plain if isinstance(preparation.preparation(made[name]), Preprocess)}
    assert {"vit", "deit", "resnet", "convnext", "dinov2", "clip", "rt_detr", "segformer", "beit", "dpt"} <= plain
    assert not {"detr", "yolos", "depth_anything"} & plain  # sides that depend on the picture


@pytest.mark.parametrize(
    ("height", "width", "settings"),
    [
        (90, 200, {"size": {"shortest_edge": 64, "longest_edge": 110}, "pad_size": {"height": 128, "width": 128}}),
        (200, 90, {"size": {"shortest_edge": 64, "longest_edge": 110}}),
    ],
)
def test_where_a_prepared_picture_lies_is_measured(height: int, width: int, settings: dict[str, Any]) -> None:
    from transformers import DetrImageProcessor

    from models.hugging_face.preparation import Prepared

    processor = DetrImageProcessor(**settings)
    made = Prepared(processor)
    pixels = np.zeros((height, width, 3), np.uint8)
    seen = processor(images=pixels, return_tensors="pt", input_data_format="channels_last")
    (rows,), (columns,) = (
        seen["pixel_mask"][0].any(1).nonzero(as_tuple=True),
        seen["pixel_mask"][0].any(0).nonzero(as_tuple=True),
    )
    assert made.inside(width, height) == (len(rows), len(columns))
    tall, wide = seen["pixel_values"].shape[-2:]
    expected = (0, 0, width * wide / len(columns), height * tall / len(rows))
    assert made.extent(width, height) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", DETECTORS)
def test_boxes_are_those_of_the_librarys_own_post_processing(
    name: str, home: Path, source: Source, engine: Engine
) -> None:
    place = folder(name, home)
    processor, _, output = theirs(place, engine, source)
    for threshold in (0.05, 0.3):
        expected = processor.post_process_object_detection(
            output, threshold=threshold, target_sizes=torch.tensor([(HEIGHT, WIDTH)])
        )[0]
        found = ask(engine, "detect", place, source, score=threshold)
        assert len(expected["scores"]), "the miniature finds nothing"
        order = np.argsort(-expected["scores"].numpy(), kind="stable")
        np.testing.assert_allclose(found.arrays["scores"], expected["scores"].numpy()[order], atol=1e-4)
        np.testing.assert_array_equal(found.arrays["labels"], expected["labels"].numpy()[order])
        np.testing.assert_allclose(found.arrays["boxes"], expected["boxes"].numpy()[order], atol=0.02)


def test_nothing_is_left_to_suppress_and_the_score_moves_without_the_network(
    home: Path, source: Source, engine: Engine
) -> None:
    place = folder("rt_detr", home)
    description = ask(engine, "describe", place, None).meta["description"]
    assert "end-to-end" in description.offers["detect"].greyed["iou"]
    assert {"score", "max_detections"} <= description.offers["detect"].defaults.keys()
    assert description.classes == ("class 0", "class 1", "class 2", "class 3", "class 4")
    ask(engine, "detect", place, source, score=0.2)
    again = ask(engine, "detect", place, source, score=0.21)
    assert "network" not in again.meta["timings"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_have_the_networks_own_scores(name: str, home: Path, source: Source, engine: Engine) -> None:
    place = folder(name, home)
    _, _, output = theirs(place, engine, source)
    found = ask(engine, "classify", place, source, top=6)
    logits = output.logits[0].numpy()
    order = np.argsort(-logits, kind="stable")
    np.testing.assert_array_equal(found.arrays["labels"], order)
    np.testing.assert_allclose(found.arrays["scores"], logits[order], atol=1e-3)
    np.testing.assert_allclose(found.arrays["probabilities"].sum(), 1, atol=1e-6)
    if name == "vit":
        assert found.meta["classes"][order[0]] == f"animal {order[0]}"


@pytest.mark.parametrize("name", SEGMENTERS)
def test_class_maps_are_those_of_the_librarys_own_post_processing(
    name: str, home: Path, source: Source, engine: Engine
) -> None:
    place = folder(name, home)
    processor, inputs, output = theirs(place, engine, source)
    size = tuple(inputs["pixel_values"].shape[-2:])
    expected = processor.post_process_semantic_segmentation(output, target_sizes=[size])[0].numpy()
    found = ask(engine, "segment", place, source)
    assert found.arrays["labels"].shape == size
    assert len(np.unique(expected)) > 1
    assert (found.arrays["labels"] == expected).mean() > 0.999


@pytest.mark.parametrize("name", ["resnet", "swin", "detr", "segformer", "dinov2"])
def test_layers_filters_and_attributions_answer(name: str, home: Path, source: Source, engine: Engine) -> None:
    place = folder(name, home)
    assert len(ask(engine, "layers", place, source).meta["calls"]) > 10
    assert np.isfinite(ask(engine, "grad_cam", place, source).arrays["map"]).all()
    found = ask(engine, "saliency", place, source)
    assert found.arrays["map"].any()
    assert found.meta["extent"][2] == pytest.approx(WIDTH, abs=60)


def test_a_named_class_of_no_picture_is_refused_in_a_sentence(home: Path, tmp_path: Path, engine: Engine) -> None:
    place = tmp_path / "text"
    shutil.copytree(folder("vit", home), place)
    edit(place, architectures=["BertForMaskedLM"], model_type="bert")
    said = engine.run(Request.make("describe", str(place), None, {}))
    assert isinstance(said, Failure) and "BertForMaskedLM is not a network that Vitrine can show" in said.message


def _refused(engine: Engine, place: Path) -> Failure:
    said = engine.run(Request.make("describe", str(place), None, {}))
    assert isinstance(said, Failure)
    assert not said.details or "Traceback" not in said.details, said.details
    return said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auto_map": {"AutoModel": "modeling_mine.Mine"}}, "wants code of its own"),
        ({"hidden_size": 10**12}, "which no network has"),
        ({"num_hidden_layers": 10**6}, "which no network has"),
        ({"hidden_size": "wide"}, "is none of ViTForImageClassification"),
        ({"model_type": None}, "does not say what model it is"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantised"),
        ({"hidden_size": 64}, "are not all of ViTForImageClassification"),
        ({"num_hidden_layers": 3}, "are not all of ViTForImageClassification"),
    ],
    ids=["code", "huge", "deep", "type", "no kind", "quantised", "other size", "missing layer"],
)
def test_a_configuration_that_does_not_hold_is_refused(
    changes: dict[str, Any], words: str, home: Path, tmp_path: Path, engine: Engine
) -> None:
    place = tmp_path / "changed"
    shutil.copytree(folder("vit", home), place)
    edit(place, **changes)
    assert words in _refused(engine, place).message


def test_what_a_configuration_says_of_running_it_is_left_out(home: Path, tmp_path: Path, engine: Engine) -> None:
    place = tmp_path / "kernels"
    shutil.copytree(folder("vit", home), place)
    edit(place, _attn_implementation="someone/kernels", attn_implementation="someone/kernels", dtype="float16", evil=1)
    ask(engine, "describe", place, None)
    config = engine.model(str(place)).net.config
    assert config._attn_implementation == "eager"
    assert config.dtype == torch.float32
    assert not hasattr(config, "evil")


def test_a_backbone_elsewhere_is_never_fetched(home: Path, tmp_path: Path, engine: Engine) -> None:
    place = tmp_path / "elsewhere"
    shutil.copytree(folder("detr", home), place)
    edit(place, backbone="someone/backbone", backbone_config=None, use_timm_backbone=False)
    assert "backbone that is elsewhere" in _refused(engine, place).message


@pytest.mark.parametrize("kind", ["pickled", "none", "cut short", "no processor", "text"])
def test_files_that_are_missing_or_damaged_are_named(kind: str, home: Path, tmp_path: Path, engine: Engine) -> None:
    place = tmp_path / kind
    shutil.copytree(folder("vit", home), place)
    weights = place / "model.safetensors"
    match kind:
        case "pickled":
            weights.unlink()
            (place / "pytorch_model.bin.index.json").write_text('{"weight_map": {}}')
            words = "does not list its files"
        case "none":
            weights.unlink()
            words = "no weights"
        case "cut short":
            weights.write_bytes(weights.read_bytes()[:-100])
            words = "cut short"
        case "no processor":
            edit(place, "preprocessor_config.json", image_processor_type="MyImageProcessor")
            (place / "preprocessor_config.json").write_text('{"size": 17e9}')
            words = "not a size"
        case _:
            (place / "config.json").write_text('{"model_type": ')
            words = "config.json"
    said = _refused(engine, place)
    assert words in said.message
    assert said.advice


def test_weights_pickled_in_parts_are_read_as_tensors_alone(
    home: Path, tmp_path: Path, source: Source, engine: Engine
) -> None:
    from safetensors.torch import load_file

    whole, place = folder("vit", home), tmp_path / "parts"
    place.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(whole / name, place)
    state = load_file(whole / "model.safetensors")
    parts = ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin")
    where = {name: parts[number % 2] for number, name in enumerate(state)}
    for part in parts:
        torch.save({name: state[name] for name in state if where[name] == part}, place / part)
    (place / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    found, wanted = (ask(engine, "classify", each, source).arrays["scores"] for each in (place, whole))
    assert (found == wanted).all()
    where[next(iter(where))] = "../elsewhere.bin"
    (place / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    assert "does not list its files" in _refused(Engine(threads=1), place).message


def test_shards_half_precision_and_a_file_inside_open_the_same_network(
    home: Path, tmp_path: Path, source: Source, engine: Engine
) -> None:
    from transformers import ViTForImageClassification

    net = ViTForImageClassification.from_pretrained(folder("vit", home)).half()
    place = tmp_path / "sharded"
    net.save_pretrained(place, max_shard_size="20KB")
    shutil.copy(folder("vit", home) / "preprocessor_config.json", place)
    assert len(list(place.glob("*.safetensors"))) > 1
    found = ask(engine, "classify", place, source)
    whole = ask(engine, "classify", folder("vit", home), source)
    np.testing.assert_allclose(found.arrays["probabilities"], whole.arrays["probabilities"], atol=2e-3)
    inside = ask(engine, "classify", folder("vit", home) / "model.safetensors", source)
    np.testing.assert_array_equal(inside.arrays["scores"], whole.arrays["scores"])
    assert len(found.meta["sha256"]) == 64 and found.meta["sha256"] != whole.meta["sha256"]


def test_a_card_beside_the_weights_renames_the_classes(
    home: Path, tmp_path: Path, source: Source, engine: Engine
) -> None:
    from models.cards import card, form

    place = tmp_path / "named"
    shutil.copytree(folder("vit", home), place)
    assert card.canonical(str(place / "config.json")) == str(place)
    file = card.file_of(str(place))
    assert file is not None
    form.written(file, {"classes": list("abcdef")})
    assert ask(engine, "classify", place, source).meta["classes"] == tuple("abcdef")


def test_every_tiny_network_has_an_adapter_of_its_family(home: Path, engine: Engine) -> None:
    for name in ("vit", "dinov2", "detr", "segformer"):
        model = engine.model(str(folder(name, home)))
        kinds = [kind for kind in registry.adapter_classes() if hasattr(kind, "match") and kind.match(model.net)]
        assert kinds == [type(model)]
    assert set(PROCESSORS) == set(NETWORKS)


@pytest.mark.parametrize("name", ["depth_anything", "dpt", "glpn"])
def test_depth_is_interpolated_as_the_librarys_post_processing_does(
    name: str, home: Path, source: Source, engine: Engine
) -> None:
    place = folder(name, home)
    processor, _, output = theirs(place, engine, source)
    expected = processor.post_process_depth_estimation(output, target_sizes=[(HEIGHT, WIDTH)])[0]["predicted_depth"]
    found = ask(engine, "depth", place, source)
    values = found.arrays["map"]
    assert values.shape == (HEIGHT, WIDTH) and values.std() > 0
    np.testing.assert_allclose(values, expected.numpy(), atol=1e-3 * float(expected.abs().max()))
    assert found.meta["quantity"] == ("metres" if name == "glpn" else "nearness")
    assert found.meta["lowest"] == values.min() and found.meta["highest"] == values.max()
    explained = ask(engine, "saliency", place, source)
    assert explained.arrays["map"].any()


@pytest.mark.parametrize("name", ["mask2former", "maskformer", "detr_masks"])
def test_panoptic_segments_and_classes_are_those_of_the_library(
    name: str, home: Path, source: Source, engine: Engine
) -> None:
    place = folder(name, home)
    processor, _, output = theirs(place, engine, source)
    classes = ask(engine, "segment", place, source).arrays["labels"]
    sides = [tuple(classes.shape)]
    expected = processor.post_process_semantic_segmentation(output, target_sizes=sides)[0].numpy()
    assert (classes == expected).mean() > 0.999
    for threshold, overlap in ((0.2, 0.05), (0.4, 0.5)):
        settings = {"threshold": threshold, "overlap_mask_area_threshold": overlap, "label_ids_to_fuse": set()}
        told = processor.post_process_panoptic_segmentation(output, target_sizes=sides, **settings)[0]
        found = ask(engine, "panoptic", place, source, score=threshold, overlap=overlap)
        assert (found.arrays["labels"] == told["segmentation"].numpy().clip(0)).mean() > 0.999
        assert found.arrays["of_class"][1:].tolist() == [one["label_id"] for one in told["segments_info"]]
    assert len(ask(engine, "panoptic", place, source, score=0.2, overlap=0.05).arrays["of_class"]) > 1


@pytest.mark.parametrize("name", ["mask2former", "maskformer"])
def test_instances_have_the_librarys_scores_and_masks(name: str, home: Path, source: Source, engine: Engine) -> None:
    place = folder(name, home)
    processor, _, output = theirs(place, engine, source)
    told = processor.post_process_instance_segmentation(
        output, threshold=0.05, target_sizes=[(HEIGHT, WIDTH)], return_binary_maps=True
    )[0]
    scores = np.array([one["score"] for one in told["segments_info"]])
    order = np.argsort(-scores, kind="stable")
    found = ask(engine, "masks", place, source, score=0.05)
    assert len(scores) > 1
    np.testing.assert_allclose(found.arrays["scores"], scores[order], atol=1e-3)
    assert found.arrays["labels"].tolist() == [told["segments_info"][row]["label_id"] for row in order]
    whole = told["segmentation"].numpy()[order] > 0
    for box, expected in zip(found.arrays["boxes"], whole, strict=True):
        rows, columns = np.flatnonzero(expected.any(1)), np.flatnonzero(expected.any(0))
        around = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        np.testing.assert_allclose(box, around, atol=4)  # of a mask of 16 cells over 121 pixels
    masks = torch.nn.functional.interpolate(output.masks_queries_logits, (HEIGHT, WIDTH), mode="bilinear")[0].numpy()
    for mask, box, query in zip(found.arrays["masks"], found.arrays["boxes"], found.arrays["ids"] // 5, strict=True):
        cells = (np.arange(56) + 0.5) / 56
        row, column = ((box[i] + cells * (box[i + 2] - box[i])).astype(int).clip(0, end - 1) for i, end in SIDES)
        told_there = masks[query][np.ix_(row, column)] > 0
        assert ((mask > 0.5) == told_there).mean() > 0.9
