"""Inspections on models through the command line: each answers into files, or refuses in a sentence of ours.

A few models are asked every inspection, each of the others every fourth of them, so that each is asked of every fourth.
tests/contracts/test_inspections.py asks every inspection of every family, without the command line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import main
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png

HEADED = Path(__file__).resolve().parents[1] / "models"
FOLDERS = {
    "neighbours": ("folder",),
    "real_neighbours": ("folder",),
    "posterior": ("folder",),
    "attribute": ("with_folder", "without_folder"),
}
QUICK = {
    "interpolate": {"frames": "4"},
    "occlusion": {"window": "60", "stride": "60"},
    "kernel_shap": {"samples": "60"},
    "lime": {"samples": "20"},
    "smooth_grad": {"samples": "2"},
    "proof": {"steps": "5", "method": "input_x_gradient", "squares": "6", "nudges": "1"},
    "manifold": {"side": "3"},
    "shapley_sampling": {"samples": "1", "segments": "6"},
    "gradient_shap": {"samples": "4"},
    "layer_conductance": {"steps": "4"},
    "layer_integrated_gradients": {"steps": "4"},
    "internal_influence": {"steps": "4"},
    "neuron_conductance": {"steps": "4"},
    "robustness": {"steps": "2", "most": "1"},
    "synthesise": {"steps": "3", "kept": "2"},
    "style": {"steps": "2", "size": "40"},
}
# What would be an exception's own words, or a traceback.
OURS_NEVER = ("Traceback", "Error:", "Exception", "failed at", "Something went wrong")
FAMILIES = """
from models.engine import registry
for kind in registry.adapter_classes():
    globals()[kind.__name__] = kind.tiny
"""
ODD = """
import sys
sys.path.insert(0, {folder!r})
import torch
from torch import nn
from torch.nn import functional
from headed import ALONE, FORMS, Means

def labels(): return Means(torch.sigmoid)
def yes_or_no(): return Means(lambda y: y[:, 0].sigmoid())
def logarithms(): return Means(lambda y: y.log_softmax(1))
def regression(): return Means(ALONE["row"])
def regressions(): return Means(torch.tanh)
def several(): return Means(FORMS["features first"])
def embedding(): return Means(lambda y: functional.normalize(y.repeat(1, 8), dim=1))
def no_numbers(): return Means(lambda y: y * float("nan"))
def compiled(): return torch.compile(Means())
class compiled_inside(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.compile(Means())
    def forward(self, x): return self.body(x)
class compiled_forward(Means):
    @torch.compile
    def forward(self, x): return self.head(self.logits(x))
def grey(): return nn.Sequential(nn.Conv2d(1, 4, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
class detached(Means):
    @torch.no_grad()
    def forward(self, x): return super().forward(x)
class through_numpy(Means):
    def forward(self, x): return torch.from_numpy(super().forward(x).detach().numpy())
class raises(Means):
    def forward(self, x):
        if torch.is_grad_enabled() or torch.is_inference_mode_enabled():
            raise KeyError("what its author did not think of")
        return super().forward(x)
class prints(Means):
    def forward(self, x):
        print("forward", tuple(x.shape))
        return super().forward(x)
"""
ODD_NAMES = [line.split()[1].split("(")[0] for line in ODD.splitlines() if line.startswith(("def ", "class "))]
# As own code it is read as classes of pixels, which AnySegmenterAdapter is asked too, and asked for pictures of 640 px.
READ_AS_ANOTHER = "YoloAdapter"
KINDS = [kind.__name__ for kind in registry.adapter_classes() if kind.__name__ != READ_AS_ANOTHER]
MODELS = [("families", name) for name in KINDS] + [("odd", name) for name in ODD_NAMES]
SHARE = 4  # of the inspections, one in so many is asked of a model that is not among `SOME`
# Asked in every run: a detector, a classifier, a generator, a likelihood, and networks that do what they should not.
SOME = ("SsdAdapter", "ClassifierAdapter", "GANAdapter", "AutoregressiveAdapter", "several", "no_numbers", "raises")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a.png", "b.png"):
        save_png(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8), pictures / name)
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [9, 9, 30, 20], "area": 600, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "class 1"}, {"id": 2, "name": "class 2"}],
    }
    (pictures / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "families.py").write_text(FAMILIES)
    (tmp_path / "odd.py").write_text(ODD.format(folder=str(HEADED)))
    return tmp_path


def asked(inspection: Any, model: str, folder: Path, out: Path) -> list[str]:
    """The command that asks an inspection of a model."""
    pictures = folder / "pictures"
    about = {"picture": [str(pictures / "a.png")], "folder": [str(pictures / "truth.json")], "nothing": []}
    settings = dict(QUICK.get(inspection.id, {})) | dict.fromkeys(FOLDERS.get(inspection.id, ()), str(pictures))
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    return ["run", inspection.id, *about[inspection.reads], "--model", model, "--allow", *given, "--out", str(out)]


def _those_for(name: str) -> list[Any]:
    """Return the inspections that a model is asked."""
    every, at = list(registry.all_inspections().values()), [model for _, model in MODELS].index(name)
    return every if name in SOME else every[at % SHARE :: SHARE]


@pytest.mark.timeout(600)  # some ninety commands
@pytest.mark.parametrize(
    ("file", "name"),
    [
        pytest.param(file, name, id=name, marks=[] if name in SOME else [pytest.mark.exhaustive])
        for file, name in MODELS
    ],
)
def test_every_inspection_answers_or_refuses_in_a_sentence(
    file: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    engine, model = Engine(threads=1), f"{folder / file}.py:{name}"
    monkeypatch.setattr(main, "_engine", lambda: engine)  # one for all of them: it would open the model every time
    wrong: list[str] = []
    for inspection in _those_for(name):
        out = folder / "out" / inspection.id
        code = main.main(asked(inspection, model, folder, out))
        said = capfd.readouterr().err.strip()
        files = [path for path in out.glob("*") if path.is_file()] if out.is_dir() else []
        if code == main.DONE:
            good = len(files) >= 2 and any(path.name.endswith(".recipe.json") for path in files)
        else:
            good = code in (main.FAILED, main.WRONG_USE) and not files and said.splitlines()[-1][-1:] in ".…!"
        if name == "raises":  # the words of the network's author are told as such, and nothing else of the code
            good &= "Traceback" not in said and "Something went wrong" not in said
        else:
            good &= not any(word in said for word in OURS_NEVER)
        wrong += [] if good else [f"{inspection.id}: {code} {said[-300:]!r} {[path.name for path in files]}"]
    assert not wrong, "\n".join(wrong)
    assert not torch.nn.modules.module._global_forward_pre_hooks
