"""Influence: which training pictures support or oppose the answer, by similar activations or by TracInCP.

Arrays of the Result: `supporting` and `opposing` (K, 72, 72, 3) uint8 RGB, the strongest first, with their scores in
`support` and `opposition` (K,). Meta: `support_paths`, `oppose_paths`, and their classes in `support_labels` and
`oppose_labels`; `target`, the answer; `method`; `layer`; `among`, how many pictures were looked at; `unreadable`;
`checkpoints`, the names of those used; `text`, in words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from models.attributions import picture_sets, training_influence
from models.attributions.attribution import Probe, probe_of, subject_of
from models.attributions.captum_passes import AVERAGED
from models.attributions.gradients import batch_of
from models.attributions.target import TargetParams
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.tracing.layers import call_of, hidden
from models.types import Pixels, Refusal, Result, Source

SIDE_PX = 72
SIMILARITY, TRACIN = "similarity", "tracin"
NOTHING = np.zeros((0, SIDE_PX, SIDE_PX, 3), np.uint8)


@dataclass(frozen=True)
class Params:
    """The answer, the training pictures, and how their influence is measured."""

    target: str = param("", "Answer", "The class whose support is sought; empty is the answer for the open picture.")
    folder: str = param("", "Training pictures", "A folder of them, with one folder inside for each class.")
    method: str = param(
        SIMILARITY,
        "Method",
        "Similar values of a layer; or TracIn, how much learning a picture's label changes this answer.",
        choices=(SIMILARITY, TRACIN),
        titles=("Similar values", "TracIn"),
    )
    layer: str = param(
        "", "Layer", "A call whose values are compared; empty takes the best one.", only=("method", SIMILARITY)
    )
    checkpoints: str = param(
        "",
        "Checkpoints",
        "A folder of weights saved during the training, or files with semicolons; empty takes the open weights alone.",
        only=("method", TRACIN),
    )
    count: int = param(8, "Pictures", "How many are listed for and against.", low=1, high=64, step=1)
    most: int = param(1000, "Up to", "At most so many training pictures are looked at.", low=2, high=100_000, step=1)
    cells: int = param(
        7,
        "Cells a side",
        "Larger maps of the layer are averaged down to so many.",
        low=1,
        high=64,
        step=1,
        only=("method", SIMILARITY),
    )


@dataclass(frozen=True)
class Listed:
    """Training pictures: their files, the folder each lies in, and its class in the model, -1 for none."""

    paths: tuple[Path, ...]
    folders: tuple[str, ...]
    labels: tuple[int, ...]


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the pictures for and against. Raises Refusal for unsuitable folders, labels or checkpoints."""
    given = TargetParams(target=params.target)
    subject = subject_of(model, pixels, given, stages)
    if subject.repeats > 1:
        raise Refusal(AVERAGED.format(count=subject.repeats), advice="Turn averaging off.")
    with torch.inference_mode(False):
        probe = probe_of(subject, given, stages, pixels)
        listed = _listed(params, subject.classes, stages)
        checkpoints = training_influence.checkpoints_of(params.checkpoints) if params.method == TRACIN else []
        stamps = tuple((str(path), path.stat().st_mtime_ns) for path in (*listed.paths, *checkpoints))
        layer = call_of(subject, params.layer, stages, spatial=True).id if params.method == SIMILARITY else ""
        key = (subject.key, probe.target.plus, stamps, params.method, layer, params.cells)
        found = stages.run(
            "influence", lambda: _measured(model, probe, listed, params, checkpoints=checkpoints, layer=layer), *key
        )
    scores, rows, own = found
    label = probe.target.plus
    if params.method == TRACIN:
        order = np.argsort(-scores, kind="stable")
        support = [row for row in order if scores[row] > 0]
        oppose = [row for row in order[::-1] if scores[row] < 0]
    else:
        order = np.argsort(-scores, kind="stable")
        support = [row for row in order if own[row] == label]
        oppose = [row for row in order if own[row] != label]
    support, oppose = support[: params.count], oppose[: params.count]
    names = [_name(listed, rows[row], int(own[row]), subject.classes) for row in range(len(rows))]
    arrays = {
        "supporting": _thumbnails(listed, rows, support),
        "opposing": _thumbnails(listed, rows, oppose),
        "support": scores[support].astype(np.float32),
        "opposition": scores[oppose].astype(np.float32),
    }
    meta: dict[str, Any] = {
        "kind": "influence",
        "target": probe.target.title,
        "method": params.method,
        "layer": layer,
        "among": len(rows),
        "unreadable": len(listed.paths) - len(rows),
        "checkpoints": tuple(path.name for path in checkpoints),
        "support_paths": tuple(str(listed.paths[rows[row]]) for row in support),
        "oppose_paths": tuple(str(listed.paths[rows[row]]) for row in oppose),
        "support_labels": tuple(names[row] for row in support),
        "oppose_labels": tuple(names[row] for row in oppose),
    }
    return Result(arrays, {**meta, "text": _words(meta, arrays)})


def _listed(params: Params, classes: tuple[str, ...], stages: Any) -> Listed:
    """Return the training pictures, without the open one. Raises Refusal for none, or without labels for TracIn."""
    folder = picture_sets.folder_of(params.folder, "training pictures")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    known = {name.casefold(): label for label, name in reversed(list(enumerate(classes)))}
    labels = {path.name: known.get(path.name.casefold(), -1) for path in inside}
    for path in inside:
        if labels[path.name] < 0 and path.name.isdecimal() and int(path.name) < len(classes):
            labels[path.name] = int(path.name)
    found = [(path, sub.name, labels[sub.name]) for sub in inside for path in images.pictures_in(sub)]
    if not found:
        found = [(path, "", -1) for path in images.pictures_in(folder)]
    opened = Path(stages.source.path).absolute() if stages.source is not None else None
    found = [each for each in found if each[0].absolute() != opened]
    if not found:
        raise Refusal(
            f"{folder.name} contains no pictures besides the open one.",
            advice="Choose the folder of the training pictures.",
        )
    if params.method == TRACIN:
        unknown = sorted({name for _, name, label in found if label < 0})
        if unknown:
            reason = (
                "the pictures lie in no folders" if unknown == [""] else f"{unknown[0]!r} is not a class of this model"
            )
            raise Refusal(
                f"TracIn needs the label of every training picture, and {reason}.",
                advice=f"Put each class into a folder of its name, such as {classes[0]}, or use similar values.",
            )
    picked = [found[i] for i in np.linspace(0, len(found) - 1, min(params.most, len(found))).round().astype(int)]
    paths, folders, numbers = zip(*picked, strict=True)
    return Listed(tuple(paths), tuple(folders), tuple(numbers))


def _measured(
    model: Any, probe: Probe, listed: Listed, params: Params, *, checkpoints: list[Path], layer: str
) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Return the scores (N,) of the pictures that can be read, their rows in the list, and their classes (N,).

    The class of a picture whose folder names none is the model's own answer.
    """
    subject = probe.subject
    batch, rows, answers = (1 if subject.alone else batch_of(subject)), list[int](), list[int]()
    turns = itertools.count()
    passes = max(1, len(checkpoints))

    def inputs() -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of inputs of one size with their labels, reading the pictures as they are needed."""
        part: list[Tensor] = []
        labels: list[int] = []
        turn, first = next(turns), not rows
        for row, path in enumerate(listed.paths):
            done = (turn + row / len(listed.paths)) / passes
            probe.stages.progress(min(done, 1.0), f"Influence: {row:,} of {len(listed.paths):,} pictures")
            try:
                x = picture_sets.input_of(model, images.read(path).pixels, probe.stages)
            except Refusal:
                continue
            if first:
                rows.append(row)
            if part and (len(part) >= batch or part[0].shape != x.shape):
                yield torch.cat(part), torch.tensor(labels, device=x.device)
                part, labels = [], []
            part.append(x)
            labels.append(listed.labels[row])
        if part:
            yield torch.cat(part), torch.tensor(labels, device=part[0].device)

    def answered() -> Iterator[Tensor]:
        """Yield the inputs, noting the model's answer for each that has no label."""
        for x, labels in inputs():
            if bool((labels < 0).any()):
                with torch.no_grad():
                    own = subject.scores(x)[:, : len(subject.classes)].argmax(1)
                answers.extend(torch.where(labels < 0, own, labels).tolist())
            else:
                answers.extend(labels.tolist())
            yield x

    if params.method == TRACIN:
        scores = training_influence.traced_in(subject, probe.target.plus, inputs, checkpoints)
        answers = [listed.labels[row] for row in rows]
    else:
        call = call_of(subject, layer, probe.stages, spatial=True)
        scores = training_influence.similar(subject, call, answered(), params.cells)
    values = scores.double().cpu().numpy()
    if not np.isfinite(values).all():
        raise Refusal("The influences came out with NaN or infinite values.", advice="Try another layer or method.")
    return values, rows, np.array(answers)


def _name(listed: Listed, row: int, label: int, classes: tuple[str, ...]) -> str:
    if listed.labels[row] >= 0:
        return classes[listed.labels[row]]
    return listed.folders[row] or f"taken for {classes[label]}"


def _thumbnails(listed: Listed, rows: list[int], chosen: list[int]) -> Pixels:
    """Return small square pictures (K, h, w, 3), the middle of each."""
    made = []
    for row in chosen:
        small = images.thumbnail(Source.file(listed.paths[rows[row]]), side=2 * SIDE_PX)
        side = min(small.shape[:2])
        top, left = ((length - side) // 2 for length in small.shape[:2])
        square = np.ascontiguousarray(small[top : top + side, left : left + side])
        made.append(cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))
    return np.stack(made).astype(np.uint8) if made else NOTHING


def _words(meta: dict[str, Any], arrays: dict[str, Any]) -> str:
    among = f"Of {meta['among']:,} training pictures"
    first = f"{Path(meta['support_paths'][0]).name} supports {meta['target']} most" if meta["support_paths"] else ""
    against = f"{Path(meta['oppose_paths'][0]).name} opposes it most" if meta["oppose_paths"] else ""
    said = ", ".join(part for part in (first, against) if part) or f"none supports or opposes {meta['target']}"
    if meta["method"] == SIMILARITY:
        how = f"Compared are the values of {meta['layer']} (cosine); those of another class count against the answer."
    elif meta["checkpoints"]:
        how = f"TracIn by the last layer over {len(meta['checkpoints'])} checkpoints, with one learning rate for all."
    else:
        how = "TracIn by the last layer of the open weights alone: with checkpoints of the training it would say more."
    return f"{among} {said}. {how}"


INSPECTION = Inspection(
    id="influence",
    title="Influence",
    help="Which training pictures support or oppose the answer: by similar values of a layer, or by TracIn.",
    needs=("Classifies", "Explains"),
    params=Params,
    answer=answer,
    lacks=hidden,
)
