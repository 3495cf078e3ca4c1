"""Whether maps explain more than chance: mean deletion and insertion areas over CIFAR-10 test pictures, as a table.

Each method stands beside random maps of its own grain, random pixels, and the centre-Gaussian map. The curves follow
the probability of the class predicted.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.attributions import attribution
from models.attributions.attribution import probe_of
from models.attributions.faithfulness import area, centre_map, curves_of, explained, heat_of, on_input, random_map
from models.bundled.photos import CLASSES, MEAN, SIZE_PX, STD, photos_resnet, photos_vit
from models.cards.card import Card
from models.engine import registry
from models.loading.weights import read
from models.params import parameters
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.training.photos import photos

METHODS = ("grad_cam", "integrated_gradients", "occlusion")
BATCH = 64
WINDOW = {"window": 12, "stride": 3}  # of pictures of 32 px


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="folder with cifar10-jpeg.zip")
    options.add_argument("--model", default="photos-resnet", help="a model's name, or weights of one of ours")
    options.add_argument("--count", type=int, default=500)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--baseline", default="mean")
    options.add_argument("--methods", default=",".join(METHODS))
    given = options.parse_args()
    model, begin = opened(given.model), time.perf_counter()
    pictures, labels = photos(given.data, split="test")
    rows = np.linspace(0, len(pictures) - 1, given.count).astype(int)
    known = registry.all_attributions()
    methods = [known[name] for name in given.methods.split(",") if name in known]
    names = [name for m in methods for name in (m.title, f"random, grain of {m.title}")]
    names += ["random pixels", "centre"]
    deletion, insertion, right = [], [], 0
    for row in rows:
        found = proof(model, pictures[row], methods, seed=int(row), steps=given.steps, baseline=given.baseline)
        deletion.append(found[0])
        insertion.append(found[1])
        right += found[2] == labels[row]
    print(table(names, np.array(deletion), np.array(insertion)))
    print(
        f"\n{given.model}, {len(rows)} test pictures ({right / len(rows):.1%} predicted rightly), {given.steps} steps, "
    )
    print(f"{given.baseline} for what is deleted, a blurred picture for insertion; {time.perf_counter() - begin:.0f} s")


def opened(name: str) -> Any:
    """Return a model by its name, or one of our classifiers with the weights of a file."""
    if not name.endswith(".safetensors"):
        return registry.open_model(name)
    state = read(Path(name))
    net = photos_resnet() if "fc.weight" in state else photos_vit()
    net.load_state_dict(state)
    about = {"preprocessing": {"resize": SIZE_PX, "crop": SIZE_PX, "mean": MEAN, "std": STD}}
    return registry.adapt(net.eval().requires_grad_(False), Card(Path(name).stem, classes=CLASSES, about=about))


def proof(
    model: Any, picture: Any, methods: list[Any], *, seed: int, steps: int, baseline: str
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the areas (M,) under deletion and insertion of every map of a picture, and the class predicted."""
    stages = CachedStages(Cache(), seed, Context())
    maps = []
    with torch.no_grad():
        for method in methods:
            params = asked(method, baseline)
            subject = attribution.subject_of(model, picture, params, stages)
            probe = probe_of(subject, params, stages, picture)
            heat = heat_of(method, probe, params)
            own = on_input(heat.values, heat.extent, subject)
            maps += [own, random_map(own, seed=seed)]
        noise = np.random.default_rng(seed).random(subject.size, np.float32)
        curves = curves_of(subject, [*maps, noise, centre_map(subject.size)], steps=steps, filling=baseline, seed=seed)
        rows = np.arange(len(curves.order[0]))
        parts = np.array_split(rows, math.ceil(len(rows) / BATCH))
        inputs = (curves.inputs(part).contiguous(memory_format=torch.channels_last) for part in parts)
        values = explained(probe, torch.cat([subject.scores(x) for x in inputs]).numpy())
    deletion, insertion = curves.read(values, np.ones(len(rows), np.bool_))
    return area(curves.levels, deletion), area(curves.levels, insertion), probe.target.plus


def asked(method: Any, baseline: str) -> Any:
    """Return a method's settings: what it compares the picture with is what the curves put in its place, and windows
    that hide are large enough to hide a part of an object.
    """
    known = {p.name for p in parameters(method.params)}
    wanted = {"baseline": baseline, **(WINDOW if "window" in known else {})}
    return dataclasses.replace(method.params(), **{k: v for k, v in wanted.items() if k in known})


def table(names: list[str], deletion: np.ndarray, insertion: np.ndarray) -> str:
    """Return mean areas (N, M) with their standard errors, and how often a map gains more than the one below it."""
    gain = insertion - deletion
    lines = ["| map | deletion ↓ | insertion ↑ | insertion − deletion ↑ | better than the random one, the centre |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    error = len(gain) ** -0.5
    for at, name in enumerate(names):
        cells = [f"{v[:, at].mean():.3f} ± {error * v[:, at].std():.3f}" for v in (deletion, insertion, gain)]
        often = ""
        if not name.startswith(("random", "centre")):
            often = f"{(gain[:, at] > gain[:, at + 1]).mean():.0%}, {(gain[:, at] > gain[:, -1]).mean():.0%}"
        lines.append(f"| {name} | {' | '.join(cells)} | {often} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
