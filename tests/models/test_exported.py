"""torch.export programs and TorchScript: the answers of the network they were made of, and nothing hostile runs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest
import torch
from torch import Tensor, nn

from models import files
from models.attributions.attribution import subject_of
from models.attributions.target import TargetParams
from models.engine.engine import Engine
from models.exported import torch_archive, torchscript
from models.pictures import images
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Failure, Refusal, Result, Source
from models.user_code import consent

CAT = Path(__file__).resolve().parents[2] / "assets" / "photos" / "cat.jpg"
LAYERED = ("layers", "activations", "filters", "receptive", "grad_cam", "layer_cam", "score_cam")
PLAIN = ("classify", "saliency", "integrated_gradients", "smooth_grad", "occlusion", "lime", "kernel_shap", "ablation")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network in three files: exported for one picture, for any number, and as TorchScript."""
    made = tmp_path_factory.mktemp("programs")
    net = programs.residual()
    programs.pt2(net, made / "one.pt2")
    programs.pt2(net, made / "many.pt2", batch=True)
    programs.script(net, made / "script.pt")
    (made / "script.json").write_text(
        json.dumps({"name": "script", "weights": "script.pt", "preprocessing": {"crop": programs.SIDE}})
    )
    return made


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(autouse=True)
def _allowed(folder: Path) -> None:
    """The user has allowed the TorchScript: it is code."""
    path = folder / "script.pt"
    consent.allow(path, files.sha256(path))


def asked(engine: Engine, inspection: str, path: Path, **params: Any) -> Any:
    return engine.run(Request.make(inspection, str(path), Source.file(CAT), params))


@pytest.mark.parametrize("name", ["one.pt2", "many.pt2", "script.pt"])
def test_it_scores_as_the_network_did(engine: Engine, folder: Path, name: str) -> None:
    answer = asked(engine, "classify", folder / name, top=4)
    assert isinstance(answer, Result), answer
    model = engine.model(str(folder / name))
    x = model.preprocess.input(images.read(CAT).pixels, torch.device("cpu"))
    with torch.no_grad():
        wanted = programs.residual()(x)[0].numpy()
    np.testing.assert_allclose(answer.arrays["scores"], wanted[answer.arrays["labels"]], atol=1e-5)
    assert model.card.classes == ("class 0", "class 1", "class 2", "class 3") and model.card.sha256


@pytest.mark.parametrize("name", ["one.pt2", "many.pt2"])
def test_layers_are_the_networks_own(engine: Engine, folder: Path, name: str) -> None:
    answer = asked(engine, "layers", folder / name)
    assert isinstance(answer, Result), answer
    known = {path: type(module).__name__ for path, module in programs.residual().named_modules()}
    listed = {call["module"]: call["kind"] for call in answer.meta["calls"]}
    assert listed == {path: kind for path, kind in known.items() if path}
    weights = asked(engine, "filters", folder / name, layer="stem").arrays["tiles"]
    np.testing.assert_allclose(weights, programs.residual().stem.weight.detach().permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("name", ["one.pt2", "script.pt"])
def test_gradients_are_those_of_the_network(engine: Engine, folder: Path, name: str) -> None:
    model = engine.model(str(folder / name))
    pixels = images.read(CAT).pixels
    subject = subject_of(model, pixels, TargetParams(), CachedStages(Cache(), "x", Context()))
    found = []
    for scores in (subject.scores, programs.residual()):
        x = subject.input.clone().requires_grad_()
        found.append(torch.autograd.grad(scores(x)[0, 1], x)[0])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("name", ["one.pt2", "many.pt2"])
@pytest.mark.parametrize("inspection", [*LAYERED, *PLAIN])
def test_every_method_answers_of_a_program(engine: Engine, folder: Path, name: str, inspection: str) -> None:
    answer = asked(engine, inspection, folder / name)
    engine.finish_idle()
    assert isinstance(answer, Result), answer


@pytest.mark.parametrize("inspection", PLAIN)
def test_methods_without_layers_answer_of_torchscript(engine: Engine, folder: Path, inspection: str) -> None:
    answer = asked(engine, inspection, folder / "script.pt")
    engine.finish_idle()
    assert isinstance(answer, Result), answer


@pytest.mark.parametrize("inspection", [*LAYERED, "guided_backprop"])
def test_methods_with_layers_say_why_not_of_torchscript(engine: Engine, folder: Path, inspection: str) -> None:
    answer = asked(engine, inspection, folder / "script.pt")
    assert isinstance(answer, Failure) and "TorchScript" in answer.text


class Single(nn.Module):
    """Takes one picture and no more, whatever it is asked."""

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, :, ::8, ::8].reshape(1, 48) @ torch.linspace(-0.1, 0.1, 96).reshape(48, 2)).tanh()


def test_a_program_for_one_picture_is_asked_one_at_a_time(engine: Engine, tmp_path: Path) -> None:
    path = programs.pt2(Single(), tmp_path / "single.pt2")
    model = engine.model(str(path))
    pixels = images.read(CAT).pixels
    subject = subject_of(model, pixels, TargetParams(), CachedStages(Cache(), "x", Context()))
    x = torch.randn(5, 3, programs.SIDE, programs.SIDE)
    torch.testing.assert_close(subject.scores(x), torch.cat([Single()(one) for one in x.split(1)]))
    for inspection in ("occlusion", "smooth_grad", "lime"):
        assert isinstance(asked(engine, inspection, path), Result)


rewritten, graph_with, nodes = programs.rewritten, programs.graph_with, programs.nodes


def size(program: dict[str, Any], text: str) -> None:
    values = program["graph_module"]["graph"]["tensor_values"]
    next(iter(values.values()))["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}


def spec(program: dict[str, Any], **more: Any) -> None:
    calls = program["graph_module"]["module_call_graph"]
    calls[0]["signature"]["out_spec"] = json.dumps([1, {"type": None, "context": None, "children_spec": [], **more}])


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a function of torch's imports": lambda p: nodes(p)[0].update(target="torch.serialization.os.system"),
    "another module's function": lambda p: nodes(p)[0].update(target="math.__loader__.load_module"),
    "loading": lambda p: nodes(p)[0].update(target="torch.load"),
    "a file's operator": lambda p: nodes(p)[0].update(target="torch.ops.aten.from_file.default"),
    "a library": lambda p: nodes(p)[0].update(target="torch.ops.load_library"),
    "code for a size": lambda p: size(p, "__import__('os').system('touch HERE')"),
    "attributes for a size": lambda p: size(p, "s0.__class__.__base__"),
    "a guard": lambda p: p.update(guards_code=["__import__('os').system('touch HERE')"]),
    "an enumeration": lambda p: spec(p, type="builtins.dict", context='{"__enum__": true, "fqn": "antigravity:x"}'),
    "a default factory": lambda p: spec(p, type="collections.defaultdict", context='{"default_factory_module": "os"}'),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_program_that_names_more_than_a_network_is_refused(kind: str, folder: Path, tmp_path: Path) -> None:
    path = rewritten(folder / "one.pt2", tmp_path / "x.pt2", graph_with(HOSTILE[kind]))
    with pytest.raises(Refusal, match=r"no network needs|Python code") as caught:
        torch_archive.exported(path)
    assert "Nothing of it was run" in caught.value.advice


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_pickles_in_a_program_are_not_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    pickled = io.BytesIO()
    torch.save(Touch(mark), pickled)

    def samples(name: str, content: bytes) -> bytes:
        return pickled.getvalue() if name == torch_archive.SAMPLES else content

    def weights(name: str, content: bytes) -> bytes:
        if name == "data/weights/weight_0":
            return pickled.getvalue()
        if name == torch_archive.CONFIGS[torch_archive.WEIGHTS]:
            config = json.loads(content)
            next(iter(config["config"].values())).update(use_pickle=True, path_name="weight_0")
            return json.dumps(config).encode()
        return content

    for change in (samples, weights):
        path = rewritten(folder / "one.pt2", tmp_path / "x.pt2", change)
        with pytest.raises(Refusal, match="could run code"):
            torch_archive.exported(path)
    assert not mark.exists()
    torch.load(io.BytesIO(pickled.getvalue()), weights_only=False)
    assert mark.exists(), "the trap works"


@pytest.mark.parametrize(
    "more", ["data/weights/model.pt", "data/constants/opaque_obj_0", "data/aotinductor/model/x.so"]
)
def test_other_things_in_a_program_are_refused(more: str, folder: Path, tmp_path: Path) -> None:
    path = rewritten(folder / "one.pt2", tmp_path / "x.pt2", lambda name, content: content)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(f"{file.namelist()[0].partition('/')[0]}/{more}", b"x")
    with pytest.raises(Refusal, match=r"compiled code|no plain program"):
        torch_archive.exported(path)


def test_tensors_larger_than_the_file_are_refused(folder: Path, tmp_path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        if name != torch_archive.CONFIGS[torch_archive.WEIGHTS]:
            return b"" if name == "data/weights/weight_0" else content
        config = json.loads(content)
        next(iter(config["config"].values()))["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}]
        return json.dumps(config).encode()

    with pytest.raises(Refusal, match="too short"):
        torch_archive.exported(rewritten(folder / "one.pt2", tmp_path / "x.pt2", change))


def test_archives_that_unpack_to_more_than_they_are_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("one.pt2", "script.pt"):
        path = rewritten(folder / name, tmp_path / name, lambda name, content: content)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
            file.writestr(f"{file.namelist()[0].partition('/')[0]}/extra/zeros", bytes(80 * 2**20))
        with pytest.raises(Refusal, match="unpacks to far more"):
            if name.endswith("2"):
                torch_archive.exported(path)
            torchscript.opened(path.read_bytes(), name=name)


def test_broken_files_are_told(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "one.pt2").read_bytes()
    rng = np.random.default_rng(0)
    for content in (whole[: len(whole) // 2], rng.bytes(2000), b"PK\x03\x04" + rng.bytes(500)):
        path = tmp_path / "x.pt2"
        path.write_bytes(content)
        with pytest.raises(Refusal, match="not an archive"):
            torch_archive.exported(path)
    path = rewritten(folder / "one.pt2", tmp_path / "y.pt2", graph_with(lambda p: nodes(p).pop(0)))
    with pytest.raises(Refusal, match="is broken"):
        torch_archive.exported(path)
