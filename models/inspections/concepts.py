"""Concepts: whether a class's score depends on a concept that a folder of pictures shows, layer by layer (TCAV).

Arrays of the Result, for L layers and R random sets: `scores` and `accuracies` (L, R) of the concept against each
random set, `chance` and `chance_accuracies` (L, R) of random sets against each other; `p` (L,), the two-sided p-value
of the scores against chance, times the number of layers; `significant` (L,). Meta: `layers`, their ids; `target`;
`concept` and `random`, the folders' names; `pictures`, how many of the concept, of random ones, of the class, and in a
set; `unreadable` files; `text`, the finding in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions import captum_passes, concept_scores, picture_sets
from models.attributions.attribution import Probe, probe_of, subject_of
from models.attributions.captum_passes import Tapped, forward
from models.attributions.concept_scores import LayerScores, scored, significant
from models.attributions.gradients import batch_of
from models.attributions.picture_sets import LEAST, PictureSet
from models.attributions.target import TargetParams
from models.inspection import Inspection
from models.params import param
from models.tracing.layers import hidden
from models.tracing.traced_calls import Call, gradients
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """The class, the folders of pictures, and how the direction of the concept is found."""

    target: str = param("", "Class", "The class whose score is tested; empty is the answer for the open picture.")
    concept: str = param("", "Concept", "A folder with ten or more pictures, or crops, that show the concept.")
    random: str = param("", "Random", "A folder with twenty or more pictures that do not show it.")
    examples: str = param(
        "",
        "Examples",
        "A folder with pictures of the class; empty takes those beside the open picture that get that answer.",
    )
    layers: str = param("", "Layers", "Ids of calls, separated by commas; empty takes some over the whole depth.")
    sets: int = param(10, "Random sets", "How many sets are drawn from the random pictures.", low=3, high=100, step=1)
    most: int = param(30, "Pictures", "The most pictures of the concept, and in a set.", low=10, high=500, step=1)
    cells: int = param(
        7, "Cells a side", "Larger maps of a layer are averaged down to so many cells.", low=1, high=64, step=1
    )
    seed: int = param(0, "Seed", "Another number draws other sets.", low=0, high=2**31 - 1, step=1)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the scores. Raises Refusal for folders with too few pictures, or that share some."""
    concept, random = _sets(model, params, stages)
    given = TargetParams(target=params.target)
    subject = subject_of(model, pixels, given, stages)
    if subject.repeats > 1:
        raise Refusal(captum_passes.AVERAGED.format(count=subject.repeats), advice="Turn averaging off.")
    with gradients():
        probe = probe_of(subject, given, stages, pixels)
        calls = picture_sets.layers_of(subject, params.layers, stages)
        for call in calls:
            asked = captum_passes.PathParams(layer=call.id)
            verdict = captum_passes.verdict(subject, asked, stages)
            if verdict.level == "never":
                raise Refusal(f"TCAV does not apply to {model.card.name}. {verdict.reason}")
        examples = _examples(model, probe, params, stages)
        key = (params.target, concept.paths, random.paths, examples.paths, tuple(c.id for c in calls))
        settings = (params.sets, params.most, params.cells, params.seed)

        def make() -> list[LayerScores]:
            return _scores(probe, calls, (concept, random, examples), params)

        found = stages.run("tcav", make, *key, *settings)
    tested = [significant(one, len(calls)) for one in found]
    size = _size(concept, random, params)
    arrays = {name: np.stack([getattr(one, name) for one in found]) for name in LayerScores.__dataclass_fields__}
    arrays |= {"p": np.array([p for p, _ in tested]), "significant": np.array([yes for _, yes in tested])}
    meta = {
        "kind": "concepts",
        "layers": tuple(call.id for call in calls),
        "target": probe.target.title,
        "concept": Path(params.concept).name,
        "random": Path(params.random).name,
        "pictures": (len(concept.paths), len(random.paths), len(examples.paths), size),
        "unreadable": concept.unreadable + random.unreadable + examples.unreadable,
    }
    return Result(arrays, {**meta, "text": _words(meta, arrays)})


def _sets(model: Any, params: Params, stages: Any) -> tuple[PictureSet, PictureSet]:
    """Return the pictures of the concept and the random ones. Raises Refusal for too few, or for shared ones."""
    found = []
    for text, what, least, most in (
        (params.concept, "pictures of the concept", LEAST, params.most),
        (params.random, "random pictures", 2 * LEAST, params.most * 4),
    ):
        folder = picture_sets.folder_of(text, what)
        paths = picture_sets.listed(folder, most=most)
        if len(paths) < least:
            raise Refusal(
                f"{folder.name} holds {len(paths)} pictures, too few for a direction that means something.",
                advice=f"Put at least {least} {what} there.",
            )
        stamps = tuple((str(path), path.stat().st_mtime_ns) for path in paths)
        made = stages.run(what, lambda paths=paths, what=what: picture_sets.read(model, paths, what, stages), stamps)
        if len(made.paths) < least:
            raise Refusal(
                f"Of {len(paths)} pictures in {folder.name} only {len(made.paths)} can be read.",
                advice=f"Put at least {least} {what} there.",
            )
        found.append(made)
    concept, random = found
    if shared := picture_sets.overlap(concept, random):
        names = ", ".join(shared[:3]) + ("…" if len(shared) > 3 else "")
        raise Refusal(
            f"{len(shared)} of the random pictures {'is' if len(shared) == 1 else 'are'} in the concept's folder too "
            f"({names}).",
            advice="Take them out of the random ones, which must not show the concept.",
        )
    return concept, random


def _examples(model: Any, probe: Probe, params: Params, stages: Any) -> PictureSet:
    """Return pictures of the class. Raises Refusal if there are not at least two."""
    if params.examples:
        folder = picture_sets.folder_of(params.examples, "pictures of the class")
        paths = picture_sets.listed(folder, most=params.most * 4)
    elif stages.source is not None and stages.source.frame < 0 and Path(stages.source.path).is_file():
        folder = Path(stages.source.path).parent
        paths = picture_sets.listed(folder, most=params.most * 4)
    else:
        raise Refusal("A frame of a video has no pictures of its class beside it.", advice="Choose a folder with some.")
    made = picture_sets.read(model, paths, "pictures of the class", stages)
    if not params.examples:
        classes = len(probe.subject.classes)
        with torch.no_grad():
            answers = [int(probe.subject.scores(x)[0, :classes].argmax()) for x in made.inputs]
        rows = [row for row, label in enumerate(answers) if label == probe.target.plus]
        made = PictureSet(
            tuple(made.inputs[row] for row in rows), tuple(made.paths[row] for row in rows), made.unreadable
        )
    if len(made.paths) < 2:
        raise Refusal(
            f"{folder.name} holds {len(made.paths)} pictures of {probe.target.title}: a share of them says nothing.",
            advice="Choose a folder with pictures of the class, ten or more.",
        )
    return made


def _size(concept: PictureSet, random: PictureSet, params: Params) -> int:
    """Return how many pictures a random set holds: as many as the concept, and at most half of the random ones."""
    return min(len(concept.paths), len(random.paths) // 2, params.most)


def _scores(probe: Probe, calls: Sequence[Call], sets: Sequence[PictureSet], params: Params) -> list[LayerScores]:
    """Return the scores of each layer."""
    concept, random, examples = sets
    tapped, batch = Tapped(probe.subject, *calls), batch_of(probe.subject)
    total = sum(len(one.inputs) for one in sets)

    def run_of(what: str) -> Any:
        return forward(probe, what, total=total, run=lambda x: probe.target.of(tapped(x)))

    run = run_of("Concepts: activations")
    shown, other = (concept_scores.features(tapped, run, one.inputs, params.cells, batch) for one in (concept, random))
    slopes = concept_scores.slopes(tapped, run, examples.inputs, params.cells, batch)
    rng, size = np.random.default_rng(params.seed), _size(concept, random, params)
    rows = _draws(rng, len(random.inputs), size, params.sets)
    found = []
    for number, call in enumerate(calls):
        if not bool(torch.isfinite(slopes[number]).all()):
            raise Refusal(f"The gradients at {call.id} are not numbers.", advice="Leave that layer out.")
        probe.stages.progress(number / len(calls), f"Concepts: directions in {call.id}")
        drawn: list[Tensor] = [other[number][torch.from_numpy(row)] for row in rows]
        found.append(scored(shown[number], drawn, slopes[number], seed=params.seed))
    return found


def _draws(rng: np.random.Generator, count: int, size: int, sets: int) -> list[np.ndarray]:
    """Return rows of the random pictures for each set; a set and the next share none."""
    drawn: list[np.ndarray] = []
    while len(drawn) < sets:
        order = rng.permutation(count)
        drawn += [order[at : at + size] for at in range(0, count - size + 1, size)]
    drawn = drawn[:sets]
    for number in range(1, sets + 1):
        before, now = drawn[number - 1], drawn[number % sets]
        if np.intersect1d(before, now).size:
            rest = np.setdiff1d(np.arange(count), before)
            drawn[number % sets] = rng.permutation(rest)[:size]
    return drawn


def _words(meta: dict[str, Any], arrays: dict[str, Any]) -> str:
    rows = np.flatnonzero(arrays["significant"])
    target, concept = meta["target"], meta["concept"]
    if not len(rows):
        return (
            f"In no layer does {target} depend on {concept} more than chance would have it: either the network has no "
            "direction for it, or that direction does not matter to this class."
        )
    means = arrays["scores"].mean(1)
    best = rows[np.argmax(np.abs(means[rows] - arrays["chance"].mean(1)[rows]))]
    way = "rises" if means[best] > arrays["chance"].mean(1)[best] else "falls"
    return (
        f"{target} {way} with {concept}: in {meta['layers'][best]} for {means[best]:.0%} of its pictures "
        f"(p {arrays['p'][best]:.2g}); it counts in {len(rows)} of {len(meta['layers'])} layers."
    )


INSPECTION = Inspection(
    id="concepts",
    title="Concepts",
    help="Whether a class's score depends on a concept shown by a folder of pictures, by layer, against chance (TCAV).",
    needs=("Classifies", "Explains"),
    params=Params,
    answer=answer,
    lacks=hidden,
)
