"""Nearest real pictures: the real images nearest to a generated one, as a check for memorisation.

Arrays of the Result: `picture` (H, W, 3) uint8 the generated image, `pictures` (K, H, W, 3) its nearest real ones,
nearest first, and their `distances` (K,), Euclidean in pixels from 0 to 1 or in a classifier's scores; `typical` (M,)
the distances of real images to their own nearest neighbours. `meta["ratio"]` is the nearest distance over the median
of those, `percentile` the percentage of real images with a nearer neighbour, `paths` the files of the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.inspection import Inspection
from models.latent import neighbours, real_pictures
from models.latent.space import CODE_HELP
from models.params import param
from models.types import Result


@dataclass(frozen=True)
class Params:
    """The code, and the pictures to search."""

    code: str = param("seed:0", "Code", CODE_HELP)
    folder: str = param("", "Folder", "A folder of real pictures, ideally those the model was trained on.")
    features: str = param("pixels", "Compared in", "pixels, or the name of a classifier whose scores are compared.")
    count: int = param(8, "Nearest", "How many pictures are listed.", low=1, high=64, step=1)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the nearest real images. Raises Refusal for a folder without pictures, or an invalid code."""
    codes = model.space.one(params.code)
    real = real_pictures.real_pictures(model, params.folder, stages)
    key = (params.folder, params.features, real.paths)
    known = stages.run(
        "real features", lambda: real_pictures.features(params.features, model, real.pictures, stages), *key
    )
    spread = stages.run("typical distances", lambda: neighbours.typical(known), *key)
    made = model.pictures(codes)
    query = real_pictures.features(params.features, model, made, stages)[0]
    found = neighbours.among(query, known, spread, count=params.count)
    arrays = {
        "picture": made[0],
        "pictures": real.pictures[found.rows],
        "distances": found.distances,
        "typical": found.typical,
        "code": codes[0],
    }
    meta = {
        "kind": "latent",
        "ratio": found.ratio,
        "percentile": found.percentile,
        "paths": tuple(real.paths[row] for row in found.rows),
        "among": len(real.paths),
        "unreadable": real.unreadable,
        "features": params.features,
    }
    return Result(arrays, meta)


INSPECTION = Inspection(
    id="real_neighbours",
    title="Nearest real pictures",
    help="The real pictures nearest to a generated one: is it a copy of one the model was trained on?",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
)
