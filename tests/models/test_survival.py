"""Models that misbehave without ending the engine: what they raise, return, change in themselves and around them."""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from misbehaving import model

from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.runtime import isolation, memory_limits
from models.runtime.weight_watch import Watch
from models.types import Failure, Result, Source


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    save_png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), tmp_path / "noise.png")
    return Source.file(tmp_path / "noise.png")


def ask(engine: Engine, name: str, source: Source) -> Result | Failure:
    return engine.run(Request("classify", name, source))


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("sys.exit(3)", "odd.py:build called sys.exit at classify"),
        ("raise Mute", "odd.py:build failed at classify: Mute"),
        ("raise StopIteration", "failed at classify: StopIteration"),
        ("raise GeneratorExit", "failed at classify: GeneratorExit"),
        ("raise KeyboardInterrupt", "failed at classify: KeyboardInterrupt"),
        ("self.forward(x)", "failed at classify: RecursionError: maximum recursion depth exceeded"),
        ("raise RuntimeError('a\\nb')", "failed at classify: RuntimeError: a"),
        ("torch.empty(1 << 60)", "There is not enough memory for this. odd.py:build asked for more than there is"),
        ("raise MemoryError", "There is not enough memory for this."),
        ("return x * float('nan')", "not a number"),
        ("return None", "failed at classify: TypeError"),
        ("return x[:, :7]", "failed at classify: RuntimeError: addmm: mat1 and mat2 shapes cannot be"),
        ("return 'text'", "failed at classify: TypeError"),
        ("return x.to(torch.complex64)", "failed at classify: RuntimeError"),
    ],
)
def test_what_it_raises_or_returns_is_a_failure(
    engine: Engine, source: Source, tmp_path: Path, what: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)  # as in the engine's own process
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    answer = ask(engine, model(tmp_path, "odd", what), source)
    assert isinstance(answer, Failure) and answer.advice, answer
    raised = told.removeprefix("failed at classify: ")  # told when it is asked, or at opening
    assert told in answer.message or ("runs on no blank picture" in answer.message and raised in answer.message), answer
    assert not answer.cancelled and "\n" not in answer.message
    good = ask(engine, model(tmp_path, "good", "pass"), source)
    assert isinstance(good, Result) and np.isfinite(good.arrays["probabilities"]).all()


def test_the_keyboard_still_ends_the_command_line(
    engine: Engine, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shell that starts the tests in the background has them ignore SIGINT.
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        ask(engine, model(tmp_path, "odd", "raise KeyboardInterrupt"), source)


@pytest.mark.parametrize(
    ("what", "part"),
    [
        ("self.weight.add_(1)", "fc.0.weight"),
        ("self.weight.data.add_(1)", "fc.0.weight"),
        ("self.seen += 1", "fc.0.seen"),
        ("self.norm.train()(torch.rand(2, 1024))", "fc.0.norm.num_batches_tracked"),
        ("self.train()", "fc.0.training"),
        ("self.weight = torch.nn.Parameter(torch.zeros(1))", "fc.0.weight"),
        ("self.register_buffer('more', torch.zeros(1))", "fc.0.more"),
        ("self.weight.data.fill_(float('nan'))", "fc.0.weight"),
    ],
)
def test_a_model_that_changes_itself_is_lent_what_it_changes_and_it_is_told(
    engine: Engine, source: Source, tmp_path: Path, what: str, part: str
) -> None:
    name = model(tmp_path, "own", what)
    first = ask(engine, name, source)
    assert isinstance(first, Result) and "warning" not in first.meta
    assert any("A pass changes the network itself" in said and part in said for said in first.meta["behaviour"])
    opened = engine.model(name)
    second = ask(engine, name, source)
    assert isinstance(second, Result) and "warning" not in second.meta
    assert np.array_equal(first.arrays["scores"], second.arrays["scores"], equal_nan=True)
    assert engine.model(name) is opened, "nothing of it has changed"


def test_a_model_that_changes_itself_late_is_told_once_and_opened_afresh(
    engine: Engine, source: Source, tmp_path: Path
) -> None:
    name = model(tmp_path, "late", "os.environ.get('VITRINE_LATE') and self.weight.data.add_(1)")
    save_png(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8), tmp_path / "other.png")
    still = ask(engine, name, source)
    assert isinstance(still, Result) and "behaviour" not in still.meta and "warning" not in still.meta
    os.environ["VITRINE_LATE"] = "1"
    try:
        first = ask(engine, name, Source.file(tmp_path / "other.png"))
    finally:
        del os.environ["VITRINE_LATE"]
    assert isinstance(first, Result)
    assert "late.py:build changed itself while it was asked (fc.0.weight)" in str(first.meta["warning"])
    assert name not in engine._models, "the next question is asked of it as its file has it"
    second = ask(engine, name, source)
    assert isinstance(second, Result) and "warning" not in second.meta


def test_a_model_that_keeps_still_is_kept(engine: Engine, source: Source, tmp_path: Path) -> None:
    name = model(tmp_path, "still", "self.kept.append(1)")
    assert "warning" not in ask(engine, name, source).meta  # type: ignore[union-attr]
    opened = engine.model(name)
    ask(engine, name, source)
    assert engine.model(name) is opened


def test_a_detector_whose_values_are_no_numbers_is_told_of(source: Source) -> None:
    engine = Engine(threads=1)
    with torch.no_grad():
        engine.model("digits-ssd").net.head.classification_head.module_list[0].bias[0] = float("nan")
    first = engine.run(Request("detect", "digits-ssd", source))
    assert isinstance(first, Result)
    assert "digits-ssd gave what is not a number (NaN) at the stage head" in str(first.meta["warning"])
    assert "digits-ssd changed itself" in str(first.meta["warning"]), "so somebody did"
    good = engine.run(Request("detect", "digits-faster-rcnn", source))
    assert isinstance(good, Result) and "warning" not in good.meta


def test_watching_sees_one_changed_value_of_a_small_tensor() -> None:
    first, second = torch.nn.Conv2d(1, 1, 3), torch.nn.Linear(3, 3)
    vars(second)["forward"] = second.forward  # something of one's own
    watch = Watch(torch.nn.Sequential(first, second))
    assert watch.changed() == ""
    assert first.bias is not None
    first.bias.data[0] = float("nan")
    assert watch.changed() == "0.bias"


CHANGES = """torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(not torch.is_grad_enabled())
torch.set_num_threads(2)
os.chdir("/")
random.seed(1); np.random.seed(1); torch.manual_seed(1)
sys.path.insert(0, "/nowhere")
warnings.simplefilter("error"); warnings.filters = list(warnings.filters)
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGUSR1, lambda *_: None)
np.seterr(all="raise"); sys.setrecursionlimit(5000); sys.stdout = sys.stderr"""


def around() -> dict[str, Any]:
    return {
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tobytes(),  # type: ignore[union-attr]
        "torch": torch.get_rng_state().numpy().tobytes(),
        "folder": os.getcwd(),  # noqa: PTH109
        "path": (id(sys.path), list(sys.path)),
        "filters": (id(warnings.filters), list(warnings.filters)),
        "handlers": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)],
        "errors": np.geterr(),
        "recursion": sys.getrecursionlimit(),
        "stdout": sys.stdout,
    }


@pytest.mark.parametrize("end", ["", "raise ValueError", "sys.exit()"])
def test_what_it_changes_around_it_is_put_back(engine: Engine, source: Source, tmp_path: Path, end: str) -> None:
    before = around()
    ask(engine, model(tmp_path, "changing", f"{CHANGES}\n{end}"), source)
    assert around() == before


def test_an_alarm_it_sets_never_rings() -> None:
    own = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        with isolation.kept():
            signal.setitimer(signal.ITIMER_REAL, 1000)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *own)


def test_keeping_the_surroundings_costs_little() -> None:
    import timeit

    def once() -> None:
        with isolation.kept():
            pass

    assert min(timeit.repeat(once, number=100, repeat=3)) / 100 < 2e-3


def test_memory_that_can_be_had_is_known() -> None:
    found = memory_limits.available_bytes()
    assert 1e8 < found < 1e13
