"""Which training pictures an answer rests on: similar activations, and TracInCP by the last layer in closed form.

For a linear last layer with cross-entropy, the gradients of two pictures' losses have the dot product
(a · a' + 1) (δ · δ'), where a is the layer's input and δ the probabilities minus the label (Pruthi et al. 2020);
without a bias the 1 falls away, which captum's TracInCPFast always leaves out. Weights of checkpoints take the place of
the network's own while it runs, without being written into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, cosine_similarity

from models import files
from models.attributions.linear_heads import Linears
from models.attributions.random_twin import Twin
from models.files import WEIGHTS_SUFFIXES
from models.loading import checkpoint, weights
from models.subject import Subject
from models.tracing.traced_calls import Call, recorded
from models.types import Refusal

CLOSE = 1e-4


@dataclass(frozen=True)
class Gradient:
    """The last layer's inputs (N, K) and the loss's gradients at its outputs (N, C); `bias` is whether it has one."""

    given: Tensor
    error: Tensor
    bias: bool

    def products(self, other: Gradient) -> Tensor:
        """Return the dot product (N,) of each loss's gradient with that of the single row of another."""
        inputs = (self.given * other.given).sum(1) + (1.0 if self.bias else 0.0)
        return inputs * (self.error * other.error).sum(1)


def similar(subject: Subject, call: Call, batches: Iterator[Tensor], cells: int) -> Tensor:
    """Return the cosine similarity (N,) of a layer's values for each input to those for the picture's."""

    def of(x: Tensor) -> Tensor:
        with torch.no_grad(), recorded(subject.net, [call.id]) as kept:
            subject.scores(x)
        height, width = (min(cells, side) for side in call.layout.grid)
        return adaptive_avg_pool2d(call.layout.planes(kept[call.id]), (height, width)).flatten(1)

    own = of(subject.input)
    return torch.cat([cosine_similarity(of(x), own) for x in batches])


def gradient(subject: Subject, x: Tensor, labels: Tensor) -> Gradient:
    """Return what the loss's gradient at the last layer is made of, for inputs (N, 3, h, w) with labels (N,).

    Raises Refusal for a network that does not end in a linear layer.
    """
    with torch.no_grad(), Linears() as seen:
        scores = subject.scores(x).float()
    if seen.last is None or not _same(seen.last[3], scores):
        raise Refusal(
            "The scores are not what a linear layer gives, so TracIn has no closed form for this network.",
            advice="Use similarity.",
        )
    given, _, bias, _ = seen.last
    target = torch.nn.functional.one_hot(labels, scores.shape[1]).to(scores)
    return Gradient(given.float().reshape(len(x), -1), scores.softmax(1) - target, bias is not None)


def _same(made: Tensor, scores: Tensor) -> bool:
    made = made.float()
    return made.shape == scores.shape and float((made - scores).abs().max()) <= CLOSE * (1 + float(scores.abs().max()))


def traced_in(
    subject: Subject, label: int, batches: Callable[[], Iterator[tuple[Tensor, Tensor]]], checkpoints: Sequence[Path]
) -> Tensor:
    """Return TracInCP's influence (N,) of training pictures on the loss of the answer, summed over checkpoints.

    `batches()` yields inputs with labels. Without checkpoints the network's own weights are the only one.
    """
    total = torch.zeros(0)
    own = torch.tensor([label], device=subject.input.device)
    for state in [loaded(subject, path) for path in checkpoints] or [None]:
        with state.running() if state is not None else torch.no_grad():
            mine = gradient(subject, subject.input, own)
            found = torch.cat([gradient(subject, x, labels).products(mine) for x, labels in batches()]).cpu()
        total = found if not len(total) else total + found
    return total


def loaded(subject: Subject, path: Path) -> Twin:
    """Return a checkpoint's tensors in the place of the network's. Raises Refusal if their names or shapes differ."""
    tensors = dict(subject.net.state_dict(keep_vars=True))
    wanted = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    found = checkpoint.suited(weights.read(path), wanted)
    try:
        checkpoint.fits(wanted, found, name=path.name)
    except Refusal as refusal:
        advice = "All checkpoints must come from the training of this model: same architecture, same classes."
        raise Refusal(str(refusal), advice=advice, details=refusal.details) from None
    with torch.inference_mode(False), torch.no_grad():
        put = {id(tensors[name]): value.to(tensors[name]) for name, value in found.items() if name in tensors}
    return Twin(subject.net, put)


def checkpoints_of(text: str) -> list[Path]:
    """Return the files of weights in a folder, by name, or those listed with semicolons. Raises Refusal for none."""
    if not text.strip():
        return []
    folder = Path(text.strip()).expanduser()
    if folder.is_dir():
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in WEIGHTS_SUFFIXES)
        if not found:
            raise Refusal(
                f"{folder.name} contains no weights.",
                advice=f"Checkpoints are files such as {', '.join(WEIGHTS_SUFFIXES)}.",
            )
        return found
    return [files.check(part.strip()) for part in text.split(";") if part.strip()]
