"""Measure `puppets-hourglass` on puppets it never saw and write its card.

Run: python -m models.training.evaluate_puppets --weights FILE --training "how it was trained"
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from models.adapters.hourglass import OWN, HourglassAdapter
from models.bundled.hourglass import POINTS, SIZE_PX, puppets_hourglass
from models.cards.card import Card
from models.detection.heat_map_decoding import DARK, decode
from models.detection.point_errors import mean, pck, torso
from models.features.adversarial_training import Uncached
from models.loading import weights
from models.training.puppets import compose_crop
from models.training.store import save_card

SEED = 2024


def figures(model: HourglassAdapter, count: int) -> dict[str, float]:
    """Return PCK at 0.1 and 0.2 of the torso of `count` crops: of points that are seen, of all, and by the first stack.

    Errors are in pixels of the input of 96 px; points are found by DARK.
    """
    errors, seen, lengths = [], [], []
    for index in range(count):
        scene, which = compose_crop(np.random.default_rng((SEED, index)), side=SIZE_PX)
        truth, visible = scene.points[which], scene.visible[which]
        row = []
        for stack in (-1, 0):
            maps = model.landmarks(scene.image, Uncached(lambda *_: None), stack=stack)[1]
            assert maps is not None
            places = (decode(maps, DARK) + 0.5) * (SIZE_PX / np.array(maps.shape[2:0:-1]))
            row.append(np.hypot(*(places - truth).T))
        errors.append(row)
        seen.append(visible)
        lengths.append(torso(np.column_stack([truth, np.ones(len(truth))]), POINTS))
    away, length = np.array(errors), np.array(lengths)
    only = np.where(np.array(seen)[:, None], away, np.nan)
    return {
        "PCK@0.1 of the torso": round(pck(only[:, 0], length), 4),
        "PCK@0.2 of the torso": round(pck(only[:, 0], length, 0.2), 4),
        "PCK@0.1 of the torso, first stack": round(pck(only[:, 1], length), 4),
        "PCK@0.1 of the torso, hidden points too": round(pck(away[:, 0], length), 4),
        "mean error in px of 96": round(mean(only[:, 0]), 3),
    }


def main() -> None:
    """Measure, and write the card beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500, help="crops that are measured")
    parser.add_argument("--training", default="", help="what to say of the training on the card")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = puppets_hourglass()
    state = weights.read(options.weights)
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    model = HourglassAdapter(net, Card("puppets-hourglass", classes=POINTS))
    found = figures(model, options.count)
    print(found)
    save_card(
        options.weights,
        {
            "name": "puppets-hourglass",
            "title": "Joints of drawn puppets (two stacked hourglasses)",
            "knows": "Finds the 13 joints of a drawn puppet that faces the viewer.",
            "domain": "puppets",
            "task": "landmarks",
            "architecture": "puppets_hourglass",
            "classes": list(POINTS),
            "preprocessing": OWN.about,
            "training_data": "Puppets drawn from seeds (models/training/puppets.py)",
            "training": options.training,
            "figures": {f"{options.count} crops around a drawn puppet, seed {SEED}": found},
            "licence": "MIT",
        },
    )


if __name__ == "__main__":
    main()
