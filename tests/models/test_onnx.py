"""ONNX files: equal to onnxruntime, with their own layers; what they name outside their folder is never read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest
import torch

from models.engine.engine import Engine
from models.exported import onnx_file, onnx_graph, onnx_metadata
from models.requests import Request
from models.types import Failure, Refusal, Result, Source

FACE = "face_rfb320/version-RFB-320_without_postprocessing.onnx"
FACE_BOX = (165, 60, 285, 185)  # around the astronaut's face, from the chin to the hair, by eye
ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = Path(os.environ.get("VITRINE_CHECKPOINTS", ROOT.parent / "shared" / "checkpoints"))
ASTRONAUT = ROOT / "assets" / "photos" / "astronaut.jpg"


@pytest.fixture(scope="module")
def onnx() -> Any:
    return pytest.importorskip("onnx", reason="onnx is not installed")


def oracle(path: Path, x: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime makes of an input."""
    runtime: Any = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    runtime.set_default_logger_severity(4)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(path), options)
    return session.run(None, {session.get_inputs()[0].name: x})


def saved(onnx: Any, model: Any, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["plain", "residual_graph", "transformer", "odd"])
def test_outputs_equal_those_of_onnxruntime(onnx: Any, name: str, batch: int, tmp_path: Path) -> None:
    path = saved(onnx, getattr(programs, name)(onnx), tmp_path / "net.onnx")
    model, _ = onnx_file.read(path)
    net, shape = onnx_graph.convert(model, name=path.name)
    assert shape == (3, programs.SIDE, programs.SIDE)
    x = np.random.default_rng(1).normal(size=(batch, *shape)).astype(np.float32)
    given = x.transpose(0, 2, 3, 1) if name == "odd" else x
    with torch.no_grad():
        mine = net(torch.from_numpy(x)).numpy()
    fixed = name in ("plain", "odd")
    theirs = [oracle(path, one)[0] for one in np.split(given, batch)] if fixed else [oracle(path, given)[0]]
    assert np.ptp(mine) > 1e-3
    np.testing.assert_allclose(mine, np.concatenate(theirs), atol=1e-4)


def test_layers_keep_the_names_they_were_exported_with(onnx: Any, tmp_path: Path) -> None:
    model = programs.plain(onnx)
    net, _ = onnx_graph.convert(model, name="net")
    kinds = {path: type(module) for path, module in net.named_modules()}
    assert kinds["stem.conv"] is kinds["stem.deep"] is torch.nn.Conv2d
    assert kinds["stem.norm"] is torch.nn.BatchNorm2d and kinds["head.fc"] is torch.nn.Linear
    assert kinds["stem.act"] is torch.nn.ReLU and kinds["stem.pool"] is torch.nn.MaxPool2d


def test_gradients_and_layers_of_a_converted_network(onnx: Any, tmp_path: Path) -> None:
    path = saved(onnx, programs.residual_graph(onnx), tmp_path / "net.onnx")
    engine = Engine(threads=1)
    for inspection in ("classify", "layers", "activations", "filters", "grad_cam", "saliency"):
        answer = engine.run(Request.make(inspection, str(path), Source.file(ASTRONAUT)))
        assert isinstance(answer, Result), answer
    about = engine.model(str(path)).card.about
    assert about["assumptions"]["scores"]["value"] == "probabilities", "its output is a distribution"
    answer = engine.run(Request.make("classify", str(path), Source.file(ASTRONAUT)))
    assert isinstance(answer, Result)
    model = engine.model(str(path))
    from models.pictures import images

    x = model.preprocess.input(images.read(ASTRONAUT).pixels, torch.device("cpu")).numpy()
    wanted = np.sort(oracle(path, x)[0][0])[::-1]
    np.testing.assert_allclose(answer.arrays["probabilities"], wanted, atol=1e-5)


def test_operators_that_are_not_supported_are_named(onnx: Any) -> None:
    graph = programs.Graph(onnx)
    graph.add("StringSplit", graph.add("MatrixThing", "x", domain="com.somebody"))
    with pytest.raises(Refusal, match=r"StringSplit, com\.somebody\.MatrixThing"):
        onnx_graph.convert(graph.model((1, 3, 8, 8), y="v1_0"), name="net")


@pytest.mark.parametrize(("shape", "words"), [((1, 7), "takes no picture"), ((1, 5, 8, 8), "of 5 channels")])
def test_inputs_that_are_no_picture_are_refused(onnx: Any, shape: Any, words: str, tmp_path: Path) -> None:
    graph = programs.Graph(onnx)
    path = saved(onnx, graph.model(shape, y=graph.add("Relu", "x")), tmp_path / "net.onnx")
    answer = Engine(threads=1).run(Request.make("describe", str(path)))
    assert isinstance(answer, Failure) and words in answer.message


def outside(onnx: Any, location: str, *, length: int | None = None, offset: int = 0) -> Any:
    """A network whose first weights lie elsewhere."""
    model = programs.plain(onnx)
    tensor = next(t for t in model.graph.initializer if t.name == "stem.conv.weight")
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    told = {"location": location, "offset": str(offset), "length": str(size if length is None else length)}
    for key, value in told.items():
        tensor.external_data.add(key=key, value=value)
    return model


def test_external_data_beside_the_file_is_read(onnx: Any, tmp_path: Path) -> None:
    wanted = programs.plain(onnx)
    weights = next(t for t in wanted.graph.initializer if t.name == "stem.conv.weight").raw_data
    (tmp_path / "w.bin").write_bytes(b"\0" * 16 + weights)
    path = saved(onnx, outside(onnx, "w.bin", offset=16), tmp_path / "net.onnx")
    model, files = onnx_file.read(path)
    assert files == (tmp_path / "w.bin",)
    x = torch.randn(1, 3, programs.SIDE, programs.SIDE)
    nets = [onnx_graph.convert(one, name="net")[0] for one in (model, wanted)]
    assert torch.equal(nets[0](x), nets[1](x))


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/passwd", "a/../../secret.bin", "..\\secret.bin", "", "C:\\x"]
)
def test_external_data_outside_the_folder_is_not_read(onnx: Any, location: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"\1" * 4096)
    folder = tmp_path / "models"
    folder.mkdir()
    path = saved(onnx, outside(onnx, location), folder / "net.onnx")
    with pytest.raises(Refusal, match="outside its own folder"):
        onnx_file.read(path)


def test_external_data_by_way_of_links_is_not_read(onnx: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "w.bin").write_bytes(b"\1" * 4096)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link.bin").symlink_to(secret / "w.bin")
    (folder / "inner").symlink_to(secret)
    for location in ("link.bin", "inner/w.bin"):
        path = saved(onnx, outside(onnx, location), folder / "net.onnx")
        with pytest.raises(Refusal, match="a link"):
            onnx_file.read(path)


def test_external_data_that_is_missing_or_short_is_told(onnx: Any, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="not there"):
        onnx_file.read(saved(onnx, outside(onnx, "gone.bin"), tmp_path / "net.onnx"))
    (tmp_path / "w.bin").write_bytes(b"\1" * 10)
    for more in ({}, {"length": 10}, {"offset": -4}):
        with pytest.raises(Refusal, match="too short"):
            onnx_file.read(saved(onnx, outside(onnx, "w.bin", **more), tmp_path / "net.onnx"))


def test_bombs_are_refused(onnx: Any, tmp_path: Path) -> None:
    nodes = b"\x0a\x00" * 5_000_000  # five million empty nodes in ten megabytes
    size, length = b"", len(nodes)
    while length:
        size += bytes([length & 127 | (128 if length > 127 else 0)])
        length >>= 7
    path = tmp_path / "bomb.onnx"
    path.write_bytes(b"\x3a" + size + nodes)
    with pytest.raises(Refusal, match="more parts"):
        onnx_file.read(path)
    graph = programs.Graph(onnx)
    large = graph.add("ConstantOfShape", graph.hold("sides", [1 << 20, 1 << 12], np.int64))
    model = graph.model((1, 3, 8, 8), y=graph.add("Add", "x", large))
    with pytest.raises(Refusal, match=r"4,294,967,296 numbers"):
        onnx_graph.convert(model, name="net")


def test_what_is_no_onnx_file_is_refused(onnx: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for content in (b"\x80\x04K\x01.", rng.bytes(3000), b"{}", b"\x08\x07"):
        path = tmp_path / "net.onnx"
        path.write_bytes(content)
        with pytest.raises(Refusal, match="not an ONNX file"):
            onnx_file.read(path)


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(onnx_file.importlib, "import_module", missing)
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(Refusal, match="package onnx, which is not installed") as caught:
        onnx_file.read(tmp_path / "net.onnx")
    assert "pip install" in caught.value.advice


@pytest.fixture(scope="module")
def face(onnx: Any) -> tuple[Engine, str]:
    path = CHECKPOINTS / FACE
    if not path.is_file():
        pytest.skip(f"no {FACE} in {CHECKPOINTS}; VITRINE_CHECKPOINTS names its folder")
    return Engine(threads=1), str(path)


def test_the_face_detector_equals_onnxruntime(face: tuple[Engine, str]) -> None:
    engine, path = face
    x = torch.randn(1, 3, 240, 320, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = engine.model(path).net(x)
    assert list(made) == ["scores", "boxes"]
    for mine, theirs in zip(made.values(), oracle(Path(path), x.numpy()), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, atol=1e-4)


def test_the_face_detector_finds_the_astronaut(face: tuple[Engine, str]) -> None:
    """As it is guessed, and with the values that its readme says."""
    engine, path = face
    assumed = {k: v["value"] for k, v in engine.model(path).card.about["assumptions"].items()}
    assert assumed["boxes"] == "offsets" and assumed["anchors"] == "ultra_light" and assumed["background"] == "first"
    assert assumed["input"] in ("minus_127", "minus_one_one"), "told by the first normalisation; hardly different"
    for name in (path, f"{path}?input=minus_127"):
        answer = engine.run(Request.make("detect", name, Source.file(ASTRONAUT)))
        assert isinstance(answer, Result), answer
        assert len(answer.arrays["boxes"]) == 1 and answer.arrays["scores"][0] > 0.99
        x0, y0, x1, y1 = answer.arrays["boxes"][0]
        assert FACE_BOX[0] < x0 < x1 < FACE_BOX[2] and FACE_BOX[1] - 15 < y0 < y1 < FACE_BOX[3]
        assert x1 - x0 > 60 and y1 - y0 > 80


def test_grad_cam_of_the_face_score_lies_in_the_face(face: tuple[Engine, str]) -> None:
    engine, path = face
    found = engine.run(Request.make("detect", path, Source.file(ASTRONAUT)))
    cam = engine.run(Request.make("grad_cam", path, Source.file(ASTRONAUT), {"box": int(found.arrays["ids"][0])}))
    assert isinstance(cam, Result), cam
    heat, (x0, y0, x1, y1) = cam.arrays["map"], cam.meta["extent"]
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    x = x0 + (column + 0.5) / heat.shape[1] * (x1 - x0)
    y = y0 + (row + 0.5) / heat.shape[0] * (y1 - y0)
    left, top, right, bottom = found.arrays["boxes"][0]
    assert left < x < right and top < y < bottom
    for inspection in ("layers", "activations", "anchors", "lineage", "filters"):
        answer = engine.run(Request.make(inspection, path, Source.file(ASTRONAUT)))
        assert isinstance(answer, Result), answer


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ("{0: 'person', 1: 'bicycle'}", ("person", "bicycle")),
        ("['cat', 'dog']", ("cat", "dog")),
        ("{0: 'a', 2: 'b'}", ()),
        ("{0: 1}", ()),
        ("__import__('os').system('true')", ()),
        ("[" * 5000, ()),
    ],
)
def test_class_names_in_metadata_are_literals(onnx: Any, told: str, names: tuple[str, ...]) -> None:
    model = programs.plain(onnx)
    model.metadata_props.add(key="names", value=told)
    assert onnx_metadata.names(model) == names
