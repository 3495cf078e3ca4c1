"""Measure `puppets-parts` on puppets it never saw and write its card.

Run: python -m models.training.evaluate_puppets_parts --weights FILE --training "how it was trained"
"""

from __future__ import annotations

import argparse
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from models.adapters.puppet_parts import OWN, PuppetPartsAdapter
from models.bundled.puppet_parts import CLASSES, SIZE_PX, STUFF, puppets_parts
from models.cards.card import Card
from models.detection import panoptic_quality
from models.detection.panoptic_fusion import HEURISTIC, UPSNET
from models.inspections import fusion
from models.loading import weights
from models.training.answers import fresh_stages
from models.training.puppets import Scene, compose
from models.training.store import save_card

SEED = 2024


def true_segments(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Return the segments (H, W) of a scene from 1 and their classes in the order of the adapter's pixel classes."""
    count = len(scene.boxes)
    made = np.where(scene.figure > 0, scene.figure, count + 1 + scene.stuff)
    return made, np.array([-1, *([0] * count), *range(1, 1 + len(STUFF))])


@torch.inference_mode()
def figures(model: PuppetPartsAdapter, scenes: list[Scene]) -> dict[str, float]:
    """Return PQ with its factors by both rules, the share of parts that are right, and the error of u and v there."""
    found: dict[str, float] = {}
    for rule, name in ((HEURISTIC, ""), (UPSNET, ", UPSNet's head")):
        made = []
        for scene in scenes:
            params = fusion.Params(**{**model.defaults, "rule": rule})
            seen = fusion.answer(model, scene.image, params, fresh_stages()).arrays
            truth, kinds = true_segments(scene)
            own = np.concatenate([[-1], seen["of_class"]])
            made.append(panoptic_quality.measure(seen["labels_full"], own, truth, kinds, classes=1 + len(STUFF)))
        whole = reduce(add, made)
        found[f"PQ{name}"] = float(whole.panoptic.mean())
        found[f"SQ{name}"], found[f"RQ{name}"] = float(whole.segmentation.mean()), float(whole.recognition.mean())
        if rule == HEURISTIC:
            found |= {f"PQ of {each}": float(v) for each, v in zip((*CLASSES, *STUFF), whole.panoptic, strict=True)}
    right, total, error = 0, 0, []
    for scene in scenes:
        seen = model.charts(scene.image, fresh_stages())
        on = scene.part > 0
        same = on & (seen.part == scene.part)
        right, total = right + int(same.sum()), total + int(on.sum())
        error.append(np.abs(seen.chart.transpose(1, 2, 0)[same] - scene.chart[same]))
    away = np.concatenate(error).mean(0)
    found |= {"pixels of puppets with their part": right / total}
    found |= {"error of u": float(away[0]), "error of v": float(away[1]), "error of u and v": float(away.mean())}
    return {name: round(value, 4) for name, value in found.items()}


def main() -> None:
    """Measure, and write the card beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="scenes that are measured")
    parser.add_argument("--training", default="", help="what to say of the training on the card")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = puppets_parts()
    state = weights.read(options.weights)
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    model = PuppetPartsAdapter(net, Card("puppets-parts", classes=CLASSES))
    height, width = SIZE_PX
    scenes = [compose(np.random.default_rng((SEED, i)), width=width, height=height) for i in range(options.count)]
    found: dict[str, Any] = figures(model, scenes)
    print(found)
    save_card(
        options.weights,
        {
            "name": "puppets-parts",
            "title": "Drawn puppets: boxes with masks, classes of pixels, parts with charts",
            "knows": "Finds drawn puppets with their masks, sky, ground and water, and the parts of their surface.",
            "domain": "puppets",
            "task": "detection",
            "architecture": "puppets_parts",
            "classes": list(CLASSES),
            "preprocessing": OWN.about,
            "training_data": "Puppets drawn from seeds (models/training/puppets.py)",
            "training": options.training,
            "figures": {f"{options.count} scenes of drawn puppets, {width} x {height} px, seed {SEED}": found},
            "licence": "MIT",
        },
    )


if __name__ == "__main__":
    main()
