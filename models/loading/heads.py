"""Determine what a network's final numbers are (logits, probabilities, plain values) by running it on pictures.

If the evidence is not conclusive, the most likely kind is assumed and the user can choose another; the evidence is
given as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models.cards.card import PHOTOS
from models.loading.preprocess import Preprocess
from models.pictures import images
from models.quantity import PROBABILITY, VALUE
from models.types import Refusal

KEY = "scores"
LOGITS, SIGMOID = "logits", "sigmoid"
PROBABILITIES, INDEPENDENT, LOG_PROBABILITIES = "probabilities", "independent", "log_probabilities"
VALUES = "values"
EMBEDDING = "embedding"  # recognised by its length; cannot be chosen
MANY = (LOGITS, SIGMOID, PROBABILITIES, INDEPENDENT, LOG_PROBABILITIES, VALUES)
ALONE = (VALUES, SIGMOID, INDEPENDENT)  # kinds of a single number; a softmax needs two
OFFER = {
    "title": "Scores",
    "help": "What the network's numbers are. It changes how they are read, never what the network calculates.",
    "titles": {
        LOGITS: "logits: one class of many (softmax)",
        SIGMOID: "logits: each label by itself (sigmoid)",
        PROBABILITIES: "probabilities that sum to 1",
        INDEPENDENT: "probabilities, each by itself",
        LOG_PROBABILITIES: "logarithms of probabilities",
        VALUES: "plain numbers (regression)",
    },
}
Link = Literal["softmax", "sigmoid", "exp", "none"]
LINKS: dict[str, Link] = {
    LOGITS: "softmax",
    SIGMOID: "sigmoid",
    PROBABILITIES: "exp",
    INDEPENDENT: "sigmoid",
    LOG_PROBABILITIES: "exp",
    VALUES: "none",
}
SIGNS = ("negative", "positive")
LEAST = 1e-30
SUM_OFF = 1e-3
SHORTEST_EMBEDDING = 16  # elements
# Operations that keep values as they are or only move them.
PASSING = frozenset(
    [
        "view",
        "_unsafe_view",
        "reshape",
        "_reshape_alias",
        "squeeze",
        "unsqueeze",
        "select",
        "slice",
        "expand",
        "permute",
        "transpose",
        "t",
        "clone",
        "detach",
        "_to_copy",
        "contiguous",
        "index",
        "alias",
        "copy",
        "lift_fresh",
        "flatten",
        "squeeze_copy",
        "select_copy",
        "slice_copy",
        "narrow",
        "unbind",
        "split",
        "gather",
        "index_select",
        "stack",
        "cat",
        "resolve_conj",
    ]
)
LINEAR = frozenset(
    [
        "addmm",
        "mm",
        "bmm",
        "baddbmm",
        "matmul",
        "linear",
        "convolution",
        "_convolution",
        "mkldnn_convolution",
        "conv2d",
        "mean",
        "sum",
        "add",
        "sub",
        "native_batch_norm",
        "_native_batch_norm_legit_no_training",
        "cudnn_batch_norm",
        "avg_pool2d",
        "_adaptive_avg_pool2d",
        "adaptive_avg_pool2d",
        "einsum",
    ]
)
BOUNDED = frozenset(["sigmoid", "hardsigmoid", "_softmax", "softmax", "clamp", "special_expit", "reciprocal"])
WORDS = {
    "sigmoid": "a sigmoid",
    "hardsigmoid": "a hard sigmoid",
    "special_expit": "a sigmoid",
    "_softmax": "a softmax",
    "softmax": "a softmax",
    "_log_softmax": "a log-softmax",
    "log_sigmoid_forward": "a log-sigmoid",
    "tanh": "a tanh",
    "relu": "a ReLU",
    "softplus": "a softplus",
    "exp": "an exponential",
    "clamp": "a clamp",
}
POSITIVE = frozenset(["relu", "softplus", "exp", "abs", "clamp_min", "hardtanh"])
SAME_LENGTH = (
    "Have it return as many rows for every picture: boxes, scores and labels padded with zeros, or all candidates."
)
SUMMED, FEW = frozenset(["_softmax", "softmax", "_log_softmax", "sigmoid", "special_expit", "log_sigmoid_forward"]), 2
T = TypeVar("T")
Run = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class Head:
    """The interpretation (`kind`) of the `count` numbers per picture, and the `evidence` for it in a sentence.

    The single number of a binary classifier is expanded to two columns, no and yes, whose probabilities sum to 1.
    """

    kind: str = LOGITS
    count: int = 0
    evidence: str = ""

    @property
    def link(self) -> Link:
        """The function that turns `scores` into probabilities."""
        return LINKS[self.kind]

    @property
    def single(self) -> bool:
        """Whether a single number stands for yes and no."""
        return self.count == 1 and self.link == "sigmoid"

    @property
    def quantity(self) -> str:
        """What is shown for a class: its probability, or the plain value."""
        return VALUE if self.kind == VALUES else PROBABILITY

    @property
    def distribution(self) -> bool:
        """Whether the probabilities sum to 1."""
        return self.kind in (LOGITS, PROBABILITIES, LOG_PROBABILITIES) or self.single

    @property
    def plain(self) -> bool:
        """Whether scores equal the network's output."""
        return self.kind in (LOGITS, VALUES, LOG_PROBABILITIES) or (self.kind == SIGMOID and not self.single)

    def taken_for(self, kind: str) -> Head:
        """Return the head with the kind that the user chose."""
        if kind == self.kind:
            return self
        titles = OFFER["titles"]
        text = f"Chosen: {titles[kind]}. The automatic choice would be {titles[self.kind]}. {self.evidence}"
        return Head(kind, self.count, text)

    def scores(self, made: Tensor) -> Tensor:
        """Return scores (N, C), the input of `link`, from a network's output (N, count).

        Scores of softmax probabilities are their logarithms, those of sigmoid probabilities the logarithms of the odds.
        """
        if self.kind == PROBABILITIES:
            made = made.clamp_min(LEAST).log()
        elif self.kind == INDEPENDENT:
            made = made.clamp_min(LEAST).log() - (1 - made).clamp_min(LEAST).log()
        return torch.cat([-made, made], 1) if self.single else made

    def names(self, given: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
        """Return names for the columns of `scores`: `given` if their number fits, else `usual`."""
        if self.single:
            return tuple(given) if len(given) == 2 else (f"not {given[0]}", given[0]) if len(given) == 1 else SIGNS
        if self.kind == VALUES and len(given) != self.count:
            return ("value",) if self.count == 1 else tuple(f"value {number}" for number in range(self.count))
        return tuple(usual)


def offered(kind: str, count: int, evidence: str, *, known: bool = False) -> dict[str, Any]:
    """Return the assumption about `count` numbers, the kind found as its first choice.

    What is `known`, from a card or a family, is offered but not announced.
    """
    kinds = ALONE if count == 1 else MANY
    choices = (kind, *(each for each in kinds if each != kind))
    return {**OFFER, "choices": choices, "evidence": evidence, "known": known}


def recognised(
    run: Run,
    part: int,
    preprocess: Preprocess,
    device: torch.device,
    about: Mapping[str, Any],
    *,
    known: tuple[int, str] | None = None,
) -> Head:
    """Return the interpretation of output `part` of `run`, from the card or by running several pictures.

    `known` is how many numbers it has for a picture and the operation that made them, where that was seen before. What
    a softmax or a sigmoid made has its bounds by construction, so few pictures suffice to see its sums.
    """
    pixels = _pictures()
    with torch.no_grad():
        if known is None:
            returned, made = followed(lambda: run(preprocess.input(pixels[0], device)))
            known = returned[part].flatten(1).shape[1], made.get(id(returned[part]), ("", 0))[0]
        count, origin = known
        if head := stated(about, count):
            return head
        if origin in LINEAR and count > 1:
            return Head(LOGITS, count, _evidence_of_logits(origin))
        tried = pixels[: FEW if origin in SUMMED else None]
        values = [run(preprocess.input(one, device))[part] for one in tried]
        counts = sorted({value.flatten(1).shape[1] for value in values})
        if len(counts) > 1:
            text = f"The network gives {counts[0]:,} numbers for one picture and {counts[-1]:,} for another."
            raise Refusal(text, advice=SAME_LENGTH)
        table = torch.cat([value.flatten(1).float().cpu() for value in values]).double().numpy()
    return Head(*judged(table, origin))


def stated(about: Mapping[str, Any], count: int) -> Head | None:
    """Return the interpretation a card states for `count` numbers, None if it states none.

    Raises Refusal for an unknown one.
    """
    said = about.get(KEY)
    kinds = ALONE if count == 1 else MANY
    if said is not None and said not in kinds:
        text = f"The card's {KEY} cannot be {said!r}."
        raise Refusal(text, advice=f"Of {count:,} numbers it is one of {', '.join(kinds)}.")
    return Head(said, count, "The card says so.") if said is not None else None


def usual(count: int) -> Head:
    """Return the head of a known family of classifiers, which ends in a linear layer with `count` outputs."""
    if count == 1:
        kind, _, evidence = _single(within=False, origin="", seen="It gives one number")
        return Head(kind, 1, evidence)
    return Head(LOGITS, count, "Networks of this family are trained with a softmax, unless this one was retrained.")


def judged(table: NDArray[np.float64], origin: str) -> tuple[str, int, str]:
    """Return kind, count and evidence for the outputs (P, C) of several pictures; `origin` is the last operation."""
    table = table[np.isfinite(table).all(1)]
    count = table.shape[1]
    made = f"They come from {WORDS[origin]}" if origin in WORDS else ""
    if not len(table):
        return (VALUES if count == 1 else LOGITS), count, "They were NaN or infinite on every picture tried."
    low, high, sums = float(table.min()), float(table.max()), table.sum(1)
    span = f"on {len(table)} pictures they go from {low:.3g} to {high:.3g}"
    seen = f"{made}; {span}" if made else span[0].upper() + span[1:]
    if origin in ("_log_softmax", "log_sigmoid_forward") or (
        count > 1 and high <= SUM_OFF and _near(np.exp(table).sum(1), 1)
    ):
        return LOG_PROBABILITIES, count, f"{seen}, none above 0."
    if low >= -1e-6 and count > 1 and _near(sums, 1):
        return PROBABILITIES, count, f"{seen} and sum to 1."
    within = low >= -1e-6 and high <= 1 + 1e-6
    if count == 1:
        return _single(within=within, origin=origin, seen=seen)
    one_long = count >= SHORTEST_EMBEDDING and _near((table**2).sum(1), 1)
    if within and origin not in LINEAR and not (one_long and origin not in BOUNDED):
        return INDEPENDENT, count, f"{seen} and sum to {sums.min():.3g} to {sums.max():.3g}, not to 1."
    if one_long:
        return EMBEDDING, count, f"{seen}; each picture's make a vector of length 1, as an embedding is."
    if origin == "tanh" or (origin in POSITIVE and low >= 0):
        return VALUES, count, f"{seen}: scores of classes would have no such bound."
    return LOGITS, count, f"{seen}. {_evidence_of_logits(origin)}"


def _single(*, within: bool, origin: str, seen: str) -> tuple[str, int, str]:
    if within and origin in BOUNDED and origin != "clamp":
        return INDEPENDENT, 1, f"{seen}: the probability of one class."
    text = "a regression and the logit of one class look the same, so it is shown as it is"
    return VALUES, 1, f"{seen.replace('they go', 'it goes').replace('They come', 'It comes')}; {text}."


def _evidence_of_logits(origin: str) -> str:
    begin = "They are sums, as before a softmax" if origin in LINEAR else "Nothing bounds them, as before a softmax"
    return f"{begin}; logits of several labels and numbers of a regression look the same."


def _near(values: NDArray[np.float64], wanted: float) -> bool:
    return bool((np.abs(values - wanted) < SUM_OFF).all())


def _pictures() -> list[Any]:
    """Return the pictures used for probing: photos, noise, and uniform ones that drive outputs to extremes."""
    plain = [np.zeros((64, 64, 3), np.uint8) for _ in range(5)]
    plain[1][:] = 255
    for channel in range(3):
        plain[2 + channel][..., channel] = 255
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return [*(images.bundled(path) for path in sorted(PHOTOS.glob("*.jpg"))), noise, *plain]


def followed(run: Callable[[], T]) -> tuple[T, dict[int, tuple[str, int]]]:
    """Return what `run` returns, and the operation that computed each living tensor's values, by the tensor's `id`.

    The second entry counts the operations so far, so the last computed tensor has the largest count. A network that
    cannot run under the dispatch mode is run without it, and nothing is recorded.
    """
    watch = _Operations()
    try:
        with watch:
            return run(), watch.made
    except Exception:
        return run(), {}


class _Operations(TorchDispatchMode):
    """Records the operation that computed each tensor's values."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, tuple[str, int]] = {}
        self._count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self._count += 1
        name = func._schema.name.rpartition("::")[2].rstrip("_")
        first = args[0] if args else None
        first = first[0] if isinstance(first, list | tuple) and first else first
        known = self.made.get(id(first), ("", 0))[0] if isinstance(first, Tensor) else ""
        if name in PASSING or (name == "clamp" and known in BOUNDED):
            name = known
        for tensor in output if isinstance(output, list | tuple) else (output,):
            if isinstance(tensor, Tensor):
                self.made[id(tensor)] = (name, self._count)
        return output
