"""Weights of every kind that is read, and every file that must not be: above all, no pickle runs anything."""

import argparse
import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from models import files
from models.loading import weights
from models.types import Refusal

LEGACY, ZIP = {"_use_new_zipfile_serialization": False}, {"_use_new_zipfile_serialization": True}


def state() -> dict[str, torch.Tensor]:
    return {
        "conv.weight": torch.arange(2000, dtype=torch.float32).reshape(20, 100),
        "conv.bias": torch.tensor([0.5, -1.5], dtype=torch.bfloat16),
        "half": torch.tensor([1.5], dtype=torch.float16),
        "steps": torch.tensor(7),
    }


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(one[n].dtype == other[n].dtype and one[n].equal(other[n]) for n in one)


def refused(path: Path) -> Refusal:
    with pytest.raises(Refusal) as caught:
        weights.read(path)
    assert path.name in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    assert "Error" not in str(caught.value)
    assert caught.value.advice, "every refusal says what to do"
    return caught.value


class Evil:
    """A pickle of this creates the file `marker` when it is loaded without care."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, (f"touch '{self.marker}'",)


# What is read.


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".PTH"])
@pytest.mark.parametrize("options", [ZIP, LEGACY])
def test_pytorch_files(tmp_path: Path, suffix: str, options: dict[str, bool]) -> None:
    torch.save(state(), tmp_path / f"w{suffix}", **options)
    assert same(weights.read(tmp_path / f"w{suffix}"), state())


def test_safetensors(tmp_path: Path) -> None:
    safetensors.torch.save_file(state(), tmp_path / "w.safetensors")
    read = weights.read(str(tmp_path / "w.safetensors"))
    assert same(dict(sorted(read.items())), dict(sorted(state().items())))


def test_a_file_that_is_overwritten_later_does_not_change_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(state(), path)
    read = weights.read(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert read["conv.weight"].equal(state()["conv.weight"])


@pytest.mark.parametrize("key", ["state_dict", "model", "ema", "model_state_dict", "generator"])
def test_a_wrapper_is_taken_off(tmp_path: Path, key: str) -> None:
    optimizer = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    torch.save({"epoch": 3, key: OrderedDict(state()), "optimizer": optimizer}, tmp_path / "w.pth")
    assert same(weights.read(tmp_path / "w.pth"), state())


def test_the_plain_weights_come_before_the_average(tmp_path: Path) -> None:
    torch.save({"ema": {"a": torch.zeros(1)}, "model": {"a": torch.ones(1)}}, tmp_path / "w.pth")
    assert weights.read(tmp_path / "w.pth")["a"].item() == 1


def test_two_models_in_one_file_are_not_guessed_between(tmp_path: Path) -> None:
    torch.save({"G": {"a": torch.zeros(1)}, "D": {"a": torch.ones(1)}}, tmp_path / "gan.pth")
    refusal = refused(tmp_path / "gan.pth")
    assert "2 sets of weights: G, D" in str(refusal)
    assert refusal.advice == "Say which: gan.pth?entry=G"
    assert weights.read(tmp_path / "gan.pth", "D")["a"].item() == 1
    with pytest.raises(Refusal, match="holds no 'E'"):
        weights.read(tmp_path / "gan.pth", "E")


def test_the_prefix_of_data_parallel_goes_only_if_all_names_have_it(tmp_path: Path) -> None:
    torch.save({f"module.{n}": t for n, t in state().items()}, tmp_path / "all.pth")
    assert same(weights.read(tmp_path / "all.pth"), state())
    mixed = {"module.a": torch.ones(1), "b": torch.ones(1)}
    torch.save(mixed, tmp_path / "mixed.pth")
    assert list(weights.read(tmp_path / "mixed.pth")) == ["module.a", "b"]
    torch.save({f"_orig_mod.{n}": t for n, t in state().items()}, tmp_path / "compiled.pth")
    assert same(weights.read(tmp_path / "compiled.pth"), state())


def test_parameters_come_without_gradients(tmp_path: Path) -> None:
    torch.save(dict(torch.nn.Linear(2, 2).named_parameters()), tmp_path / "w.pth")
    assert not any(t.requires_grad for t in weights.read(tmp_path / "w.pth").values())


def test_weights_saved_on_a_device_that_is_not_here(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "here.pth")
    with zipfile.ZipFile(tmp_path / "here.pth") as here, zipfile.ZipFile(tmp_path / "w.pth", "w") as there:
        for name in here.namelist():
            there.writestr(name, here.read(name).replace(b"X\x03\0\0\0cpu", b"X\x03\0\0\0xpu"))
    with pytest.raises(RuntimeError, match="xpu"):
        torch.load(tmp_path / "w.pth", weights_only=True)
    assert same(weights.read(tmp_path / "w.pth"), state())


def test_a_pickle_of_another_protocol_is_read_quietly(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    for options in (ZIP, LEGACY):
        torch.save(state(), path, pickle_protocol=3, **options)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            assert same(weights.read(path), state())
        assert heard == []
        torch.save(state(), path, pickle_protocol=4, **options)
        assert same(weights.read(path), state())


# What must not run.


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_code(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    content = pickle.dumps({"a": Evil(marker)}, protocol=protocol)
    (tmp_path / "evil.pth").write_bytes(content)
    refusal = refused(tmp_path / "evil.pth")
    assert "evil.pth was not loaded" in str(refusal)
    assert "posix.system" in str(refusal)
    assert "Nothing in it was run" in refusal.advice
    assert "state_dict" in refusal.advice
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists(), "the file is as dangerous as this test believes"


@pytest.mark.parametrize("options", [ZIP, LEGACY])
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_beside_tensors(tmp_path: Path, options: dict[str, bool], protocol: int) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "evil.ckpt"
    torch.save({**state(), "extra": Evil(marker)}, path, pickle_protocol=protocol, **options)
    assert zipfile.is_zipfile(path) == (options is ZIP)
    refusal = refused(path)
    assert "posix.system" in str(refusal)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the file is as dangerous as this test believes"


@pytest.mark.parametrize("protocol", range(6))
def test_reading_the_opcodes_runs_nothing_and_finds_the_names(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps([OrderedDict(a=1), Evil(marker), Evil(marker)], protocol=protocol))
    assert set(weights._globals(path)) == {"posix.system"}
    assert not marker.exists()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("value", "name"),
    [(torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"), ({"args": argparse.Namespace()}, "argparse.Namespace")],
)
def test_whole_models_and_other_objects(tmp_path: Path, value: object, name: str, protocol: int) -> None:
    torch.save(value, tmp_path / "model.pt", pickle_protocol=protocol)
    refusal = refused(tmp_path / "model.pt")
    assert name in str(refusal)
    assert "torch.save(model.state_dict()" in refusal.advice


def test_the_environment_cannot_switch_the_care_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save({"a": Evil(tmp_path / "ran")}, tmp_path / "evil.pth")
    assert "posix.system" in str(refused(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()


def test_a_torchscript_archive(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)).save(str(tmp_path / "scripted.pt"))
    assert "TorchScript" in str(refused(tmp_path / "scripted.pt"))


# What is no weights file, or no longer one.


@pytest.mark.parametrize(
    "value", [[torch.ones(2)], torch.ones(2), {}, {"a": 1}, {1: torch.ones(1)}, {"a": {}}, 3, None]
)
def test_no_named_tensors(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "list.pth")
    refusal = refused(tmp_path / "list.pth")
    assert "not named tensors" in str(refusal)
    assert "state_dict" in refusal.advice


def test_missing_folder_empty_and_unknown(tmp_path: Path) -> None:
    for suffix in (".pth", ".safetensors"):
        assert "is not there" in str(refused(tmp_path / f"gone{suffix}"))
        (tmp_path / f"folder{suffix}").mkdir()
        assert "is a folder" in str(refused(tmp_path / f"folder{suffix}"))
        (tmp_path / f"none{suffix}").touch()
        assert "is empty" in str(refused(tmp_path / f"none{suffix}"))
    (tmp_path / "w.onnx").write_bytes(b"x")
    refusal = refused(tmp_path / "w.onnx")
    assert "not a weights file" in str(refusal)
    assert ".safetensors" in refusal.advice


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(state(), tmp_path / "w.pth")

    def denied(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "may not be read" in str(refused(tmp_path / "w.pth"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_vanishes_between_the_check_and_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    (tmp_path / f"w{suffix}").write_bytes(b"x")
    checked = files.check

    def check(path: Path) -> Path:
        found = checked(path)
        found.unlink()
        return found

    monkeypatch.setattr(files, "check", check)
    assert "is not there" in str(refused(tmp_path / f"w{suffix}"))


def save(kind: str, path: Path) -> bytes:
    if kind == "safetensors":
        safetensors.torch.save_file(state(), path)
    else:
        torch.save(state(), path, **(ZIP if kind == "zip" else LEGACY))
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_truncated(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / ("cut.safetensors" if kind == "safetensors" else "cut.pth")
    whole = save(kind, path)
    path.write_bytes(whole[: int(len(whole) * share)])
    refusal = refused(path)
    assert "cut short or damaged" in str(refusal)
    assert "again" in refusal.advice


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_a_state_dict_or_a_refusal_and_nothing_else(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    content = bytearray(save(kind, path))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert all(isinstance(t, torch.Tensor) for t in weights.read(path).values())
    except Refusal as refusal:
        assert refusal.advice
        assert path.name in str(refusal)


def test_the_wrong_kind(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("letter.txt", "hello")
    contents: list[tuple[Any, str]] = [
        ((tmp_path / "a.png").read_bytes(), "a PNG picture"),
        ((tmp_path / "a.jpg").read_bytes(), "a JPEG picture"),
        ((tmp_path / "a.zip").read_bytes(), "a zip archive"),
        (b"hello, I am a letter\n" * 20, "a text file"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "an HDF5 file"),
        (np.random.default_rng(0).bytes(500), "is not a"),
        (bytes(500), "is not a"),
    ]
    for content, words in contents:
        for name, wanted in (("w.pth", "a PyTorch file"), ("w.safetensors", "a safetensors file")):
            (tmp_path / name).write_bytes(content)
            refusal = refused(tmp_path / name)
            assert f"{name} is not {wanted}" in str(refusal)
            assert words in str(refusal)
            assert ".pth" in refusal.advice


def test_the_right_kind_under_the_other_suffix(tmp_path: Path) -> None:
    safetensors.torch.save_file(state(), tmp_path / "w.pth")
    assert "it is a safetensors file" in str(refused(tmp_path / "w.pth"))
    assert "suffix" in refused(tmp_path / "w.pth").advice
    torch.save(state(), tmp_path / "w.safetensors")
    assert "it is a PyTorch file" in str(refused(tmp_path / "w.safetensors"))
    assert "suffix" in refused(tmp_path / "w.safetensors").advice


# Whether they fit.


def test_weights_that_fit() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    wanted = {n: t.shape for n, t in net.state_dict().items()}
    weights.fits(wanted, net.state_dict())
    old = {n: t for n, t in net.state_dict().items() if "num_batches" not in n}
    weights.fits(wanted, old)
    net.load_state_dict(old)


def test_weights_that_do_not_fit_are_told_apart() -> None:
    wanted = {"a": (2, 3), "b": (1,), **{f"m{i}": (1,) for i in range(5)}}
    given = {"a": torch.ones(3, 3), "b": torch.tensor(1), "x": torch.ones(1), "y": torch.ones(1)}
    with pytest.raises(Refusal) as caught:
        weights.fits(wanted, given, name="other.pth")
    message = str(caught.value)
    assert message.startswith("other.pth does not fit this model: of 7 tensors,")
    assert "5 missing (m0, m1, m2, …)" in message
    assert "2 unexpected (x, y)" in message
    assert "2 of another size (a is 3 x 3 instead of 2 x 3, b is a single number instead of 1)" in message
    assert "same number of classes" in caught.value.advice


@pytest.mark.parametrize(
    ("given_state", "words"),
    [({}, "1 missing (a)"), ({"a": torch.ones(1), "b": torch.ones(1)}, "1 unexpected (b)")],
)
def test_one_difference_is_enough_and_no_other_is_told(given_state: dict[str, torch.Tensor], words: str) -> None:
    with pytest.raises(Refusal) as caught:
        weights.fits({"a": (1,)}, given_state)
    assert f"of 1 tensors, {words}." in str(caught.value)


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert weights.sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea")
