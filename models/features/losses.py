"""The losses of an opened model for one picture, each a single number computed from the network's outputs in one pass.

What a classifier, a box or a vector of values is trained with follows from its scores. Torchvision's detectors have
their own losses, which need objects: those of ground truth, or else what the detector finds itself. A VAE has the two
terms of its bound, a GAN the losses of generator and discriminator. `WEIGHT_DECAY` depends on the weights alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.capabilities import provides
from models.latent import anatomy
from models.runtime.forward_passes import seed as seeded
from models.subject import Subject
from models.truth import read
from models.types import Pixels, Refusal, Source

SCORES = "scores"
SURE = 0.5  # detections from this score on stand for objects where there is no ground truth
MOST_OBJECTS = 20


@dataclass(frozen=True)
class Loss:
    """A loss by its id, with a readable title, and what it is in one sentence."""

    id: str
    title: str
    help: str


WEIGHT_DECAY = Loss("weight_decay", "Weight decay", "Half the sum of all squared weights: its gradient is the weights.")


@dataclass(frozen=True)
class Losses:
    """What may be chosen, the usual two, and `values()`, which runs the network once and returns every loss by id.

    `values` may also return the network's own vector of scores (1, C) as "scores", with the column `target` that the
    first loss is about. `of_batch` returns the mean loss of inputs (N, 3, h, w), None if the model does not take
    batches. `size` is that of the network's input. `about` says in a sentence what the losses were computed with.
    """

    offered: tuple[Loss, ...]
    usual: tuple[str, str]
    values: Callable[[], Mapping[str, Tensor]]
    size: tuple[int, int]
    target: int = -1
    link: str = "none"
    of_batch: Callable[[Tensor], Tensor] | None = None
    about: str = ""

    def named(self, wanted: str, usual: str) -> Loss:
        """Return a loss by id, the `usual` one for "". Raises Refusal that lists the known ones."""
        known = {loss.id: loss for loss in self.offered}
        found = known.get(wanted or usual)
        if found is None:
            raise Refusal(f"There is no loss {wanted!r} of this model.", advice=f"Known: {', '.join(known)}.")
        return found


def of_subject(subject: Subject, target: int, runner_up: int) -> Losses:
    """Return the losses of a vector of scores for the class `target`, and for the class that scores next."""
    classes, names = len(subject.classes), subject.classes
    boxed = bool(subject.about)

    def labelled(scores: Tensor, label: int) -> Tensor:
        return loss_of(scores[:, :classes], torch.full((len(scores),), label, device=scores.device), subject.link)

    def values() -> Mapping[str, Tensor]:
        scores = subject.scores(subject.input.clone()).float()
        found = {"answer": labelled(scores, target), SCORES: scores[:, :classes]}
        if runner_up >= 0:
            found["runner_up"] = labelled(scores, runner_up)
        if boxed and scores.shape[1] >= classes + 4:
            found["position"] = scores[0, classes : classes + 4].sum()
        return {**found, "squares": scores[:, :classes].square().mean() / 2}

    def of_batch(x: Tensor) -> Tensor:
        scores = subject.scores(x).float()[:, :classes]
        return loss_of(scores, scores.detach().argmax(1), subject.link)

    about = f" of {subject.about}" if boxed else ""
    kind = {"softmax": "Cross-entropy", "exp": "Cross-entropy", "sigmoid": "Binary cross-entropy"}.get(subject.link)
    offered = [
        Loss("answer", f"{kind}: {names[target]}{about}", f"{kind} with {names[target]} as the label.")
        if kind
        else Loss("answer", f"Square of {names[target]}", f"Half the square of {names[target]}, as if it should be 0.")
    ]
    if runner_up >= 0:
        word = f"{kind}: {names[runner_up]}" if kind else f"Square of {names[runner_up]}"
        offered.append(Loss("runner_up", word, f"The same loss with {names[runner_up]} in its place."))
    if boxed:
        offered.append(Loss("position", f"Place{about}", "The sum of the box's four edges, in pixels of the picture."))
    offered.append(Loss("squares", "Squares of the scores", "Half the mean of all squared scores."))
    second = "position" if boxed else "runner_up" if runner_up >= 0 else "squares"
    return Losses(
        (*offered, WEIGHT_DECAY),
        ("answer", second),
        values,
        subject.size,
        target=target,
        link=subject.link,
        of_batch=None if boxed else of_batch,
    )


def loss_of(scores: Tensor, labels: Tensor, link: str) -> Tensor:
    """Return the mean loss of scores (N, C) with labels (N,): (binary) cross-entropy; for plain values half their
    square.
    """
    match link:
        case "softmax":
            return functional.cross_entropy(scores, labels)
        case "exp":
            return functional.nll_loss(scores, labels)
        case "sigmoid":
            wanted = functional.one_hot(labels, scores.shape[1]).to(scores)
            return functional.binary_cross_entropy_with_logits(scores, wanted)
    return scores.gather(1, labels[:, None]).square().mean() / 2


def of_latent_model(model: Any, pixels: Pixels, *, seed: int) -> Losses:
    """Return the terms of a VAE's bound for a picture, or the losses of a GAN for it and one drawn code."""
    with torch.inference_mode(False), torch.no_grad():
        x, note = model.input(pixels)
        code = model.tensor(model.space.draw(seed))
        noise = torch.randn(code.shape, generator=torch.Generator().manual_seed(seed)).to(code)
    values: Callable[[], Mapping[str, Tensor]]
    if provides(model, "Encodes"):
        seen = anatomy.observation(model, anatomy.OWN, 1.0)

        def values() -> Mapping[str, Tensor]:
            mu, logvar = model.encode(x)
            drawn = mu + (0.5 * logvar).exp() * noise
            if seen.likelihood == "bernoulli":
                lost = -seen.total(x, model.decode(drawn).clamp(0, 1))
            else:
                lost = -seen.total(model.feed(x), model.generate(drawn))
            divergence = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
            return {"reconstruction": lost.sum().float(), "divergence": divergence.sum()}

        offered = (
            Loss("reconstruction", "Reconstruction", "The negative log-likelihood of the picture, in nats."),
            Loss("divergence", "KL divergence", "The divergence of the picture's posterior from the prior, in nats."),
        )
        usual = ("reconstruction", "divergence")
    elif provides(model, "Scores"):

        def values() -> Mapping[str, Tensor]:
            made = model.decode(code)
            judged, real = model.score(made), model.score(x)
            own = model.score(made.detach())
            return {
                "generator": functional.softplus(-judged).mean(),
                "discriminator": (functional.softplus(-real) + functional.softplus(own)).mean(),
            }

        offered = (
            Loss("generator", "Generator", "-log D(G(z)): the generator wants its picture to be taken for a real one."),
            Loss("discriminator", "Discriminator", "-log D(x) - log(1 - D(G(z))): real and made told apart."),
        )
        usual = ("generator", "discriminator")
    else:

        def values() -> Mapping[str, Tensor]:
            made = model.decode(code)
            return {"difference": (made - x).square().mean(), "brightness": made.mean()}

        offered = (
            Loss("difference", "Difference from the picture", "The mean squared error of a made picture."),
            Loss("brightness", "Brightness", "The mean value of a made picture."),
        )
        usual = ("difference", "brightness")
    height, width = int(x.shape[-2]), int(x.shape[-1])
    drawn_with = f"Seed {seed} draws the code. {note}".strip()
    return Losses((*offered, WEIGHT_DECAY), usual, values, (height, width), about=drawn_with)


def of_detector(net: Any, pixels: Pixels, truth: str, *, classes: tuple[str, ...], source: Any, seed: int) -> Losses:
    """Return the own losses of one of torchvision's detectors, in training mode of its parts that have losses.

    Its objects are those of the ground truth `truth` (a path, "" for none), else what it finds itself. Backbone and
    heads stay in evaluation mode, as their normalisation does where a detector is trained. Raises Refusal without
    objects.
    """
    device = next(net.parameters()).device
    with torch.inference_mode(False), torch.no_grad():
        image = torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1).float() / 255
        found = {name: value.clone() for name, value in net([image])[0].items()}
    target, about = _objects(found, truth, classes, source, device)

    def values() -> Mapping[str, Tensor]:
        parts = [net, *(getattr(net, name) for name in ("transform", "rpn", "roi_heads") if hasattr(net, name))]
        seeded(seed)
        with _training(parts):
            lost = net([image.clone()], [{name: value.clone() for name, value in target.items()}])
        return {name.removeprefix("loss_"): value for name, value in lost.items()}

    with torch.inference_mode(False), torch.no_grad():
        names = tuple(values())
    offered = tuple(Loss(name, _title(name), f"The detector's own loss {name}, over all objects.") for name in names)
    classifying = next((name for name in names if "class" in name), names[0])
    boxes = next((name for name in names if "box" in name and name != classifying), names[-1])
    size = (int(pixels.shape[0]), int(pixels.shape[1]))
    return Losses((*offered, WEIGHT_DECAY), (classifying, boxes), values, size, about=about)


def has_own_losses(net: Any) -> bool:
    """Return whether a network is one of torchvision's detectors, which return their losses in training mode."""
    return type(net).__module__.startswith("torchvision.models.detection.") and hasattr(net, "transform")


def of_model(
    model: Any, pixels: Pixels, subject: Subject | None, scores: Tensor | None, *, truth: str, source: Any, seed: int
) -> Losses:
    """Return the losses of a model for a picture; `scores` (1, C) are those of the `subject`, for models that explain.

    Raises Refusal if there are none.
    """
    if has_own_losses(model.net):
        return of_detector(model.net, pixels, truth, classes=model.card.classes, source=source, seed=seed)
    if subject is not None and scores is not None:
        ranked = scores[0, : len(subject.classes)].argsort(descending=True, stable=True).tolist()
        target = subject.label if subject.label >= 0 else ranked[0]
        return of_subject(subject, target, next((row for row in ranked if row != target), -1))
    if provides(model, "Generates"):
        return of_latent_model(model, pixels, seed=seed)
    raise Refusal(f"{model.card.name} has no loss for a picture.", advice="Open a classifier, detector or generator.")


def _objects(
    found: Mapping[str, Tensor], truth: str, classes: tuple[str, ...], source: Any, device: Any
) -> tuple[dict[str, Tensor], str]:
    """Return the objects to be learnt as torchvision takes them, and where they come from in words."""
    shaped = "masks" in found or "keypoints" in found
    picture = read.truth_at(Source.file(truth)) if truth and not shaped else None
    page = picture.of(source.path) if picture is not None and source is not None else None
    if picture is not None and page is not None:
        ids = picture.label_ids(classes)[page.labels]
        boxes = torch.from_numpy(page.boxes).float().reshape(-1, 4)
        keep = torch.from_numpy((ids >= 0) & ~page.crowd) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        if keep.any():
            rows = {"boxes": boxes[keep], "labels": torch.from_numpy(ids).long()[keep]}
            about = f"The objects are the {int(keep.sum())} of {picture.name}."
            return {name: value.to(device) for name, value in rows.items()}, about
    order = found["scores"].argsort(descending=True, stable=True)
    sure = order[found["scores"][order] >= SURE][:MOST_OBJECTS]
    rows_of = sure if len(sure) else order[:1]
    boxes = found["boxes"][rows_of]
    rows_of = rows_of[(boxes[:, 2:] > boxes[:, :2]).all(1)]
    if not len(rows_of):
        raise Refusal(
            "Nothing was found in this picture, so there is no object that a loss could be about.",
            advice="Open ground truth, or another picture.",
        )
    made = {"boxes": found["boxes"][rows_of], "labels": found["labels"][rows_of]}
    if "masks" in found:
        made["masks"] = (found["masks"][rows_of, 0] > 0.5).to(torch.uint8)
    if "keypoints" in found:
        made["keypoints"] = found["keypoints"][rows_of]
    own = "its own detections" if len(sure) else "its best detection"
    return made, f"No ground truth is taken: {own} ({len(rows_of)}) stand for the objects."


@contextmanager
def _training(modules: list[nn.Module]) -> Iterator[None]:
    """Put some modules into training mode, without those inside them."""
    before = [module.training for module in modules]
    for module in modules:
        module.training = True
    try:
        yield
    finally:
        for module, mode in zip(modules, before, strict=True):
            module.training = mode


def _title(name: str) -> str:
    words = name.replace("_", " ").replace("bbox", "box").replace("box reg", "box regression")
    words = words.replace("regressionression", "regression")
    return words[0].upper() + words[1:]
