"""What a family proposes for a state dict: the network that it builds, what it sees, and what remains assumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

Shapes = Mapping[str, tuple[int, ...]]
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR_100 = tuple(
    name.replace("_", " ")
    for name in (  # noqa: SIM905 - a list of a hundred words takes a hundred lines
        "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly "
        "camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup "
        "dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower "
        "leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid "
        "otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray "
        "road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar "
        "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle "
        "wardrobe whale willow_tree wolf woman worm"
    ).split()
)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "leaky_relu_01": lambda: nn.LeakyReLU(0.01),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}
ACTIVATION: dict[str, Any] = {
    "title": "Activation",
    "help": "The function between the layers; it is not stored in the tensors.",
    "titles": {
        **{"relu": "ReLU", "leaky_relu": "Leaky ReLU, 0.2", "leaky_relu_01": "Leaky ReLU, 0.01", "tanh": "tanh"},
        **{"sigmoid": "sigmoid", "elu": "ELU", "silu": "SiLU", "gelu": "GELU"},
    },
}


@dataclass(frozen=True)
class Proposal:
    """A network that has the tensors of a state dict.

    `build` makes it under a choice for every name in `offered`, the assumptions, whose first choices are usual. `side`
    is that of its input in px, `channels` what its pictures have, `inputs` the names of the ways in which its values
    are usually scaled, `classes` the names of its classes. `judged` are the assumptions that pictures can decide.
    `renamed` returns the tensors by the names that the network gives them. `about` goes into its card, and `stated`
    what depends on the assumptions. Where the statistics in normalisation layers do not decide, `measure` returns how
    badly a network does on pictures (N, 3, S, S) from 0 to 1; `compared` says whether pictures are asked where nothing
    is `judged`; `evidence` says that number in words, a number up to
    `fits` leaves no doubt, and one beyond `far` says that something assumed is probably wrong.
    """

    title: str
    task: str
    build: Callable[[Mapping[str, str]], nn.Module]
    side: int = 32
    channels: int = 3
    classes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("imagenet",)
    offered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    judged: tuple[str, ...] = ()
    renamed: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict
    about: Mapping[str, Any] = field(default_factory=dict)
    stated: Callable[[Mapping[str, str]], Mapping[str, Any]] = lambda assumed: {}
    measure: Callable[[nn.Module, Tensor], float] | None = None
    compared: bool = True
    fits: float = 0.1
    far: float = 2.0  # nats; a trained network that is rebuilt rightly stays below 0.2
    evidence: str = "On bundled pictures its normalisation layers get values {number} nats from those in training"


class Rebuilt(nn.Module):
    """A network that was rebuilt from its tensors; `channels` is 1 if it sees grey pictures, made of RGB here."""

    channels: int = 3

    def forward(self, x: Tensor) -> Any:
        """Return the network's output for normalised RGB, or grey, pictures (N, C, h, w)."""
        return self.run(grey(x) if self.channels == 1 and x.shape[1] == len(GREY) else x)

    def run(self, x: Tensor) -> Any:
        """Return the output for pictures with the network's own channels."""
        raise NotImplementedError


class RebuiltClassifier(Rebuilt):
    """A rebuilt network that returns one score per class (N, K)."""


class RebuiltSegmenter(Rebuilt):
    """A rebuilt network that returns scores of every pixel (N, `count`, h, w); one is the logit of the foreground."""

    count: int = 1

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes, which its tensors do not tell."""
        return ("background", "foreground") if self.count in (1, 2) else numbered(self.count)


class RebuiltTranslator(Rebuilt):
    """A rebuilt network that returns pictures (N, C, H, W) on the scale of its input, or what is added to that.

    `way` is "direct" for the picture itself, "added" and "subtracted" for what is added to and taken off the input.
    `groups` are the labels that it is told: of each group one, or of a group of one whether it is so.
    """

    way: str = "direct"
    groups: tuple[tuple[str, ...], ...] = ()

    def with_labels(self, x: Tensor, labels: Sequence[float]) -> Tensor:
        """Return the output for pictures (N, C, h, w), told the values of its labels."""
        raise NotImplementedError

    def picture(self, x: Tensor) -> Tensor:
        """Return the picture that the network makes of inputs with its own channels."""
        made = self.run(x)
        return made if self.way == "direct" else x + made if self.way == "added" else x - made


class Path(nn.Module):
    """A container without a meaning of its own, so that layers keep the paths they have in the file."""


def grey(x: Tensor) -> Tensor:
    """Return RGB pictures (N, 3, h, w) as grey ones (N, 1, h, w)."""
    return (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)


def place(net: nn.Module, path: str, module: nn.Module) -> nn.Module:
    """Put a module at a dotted path in a network, making the containers on the way; return the module."""
    *parents, name = path.split(".")
    for parent in parents:
        inner = getattr(net, parent, None)
        if not isinstance(inner, nn.Module):
            inner = Path()
            net.add_module(parent, inner)
        net = inner
    net.add_module(name, module)
    return module


def numbered(count: int) -> tuple[str, ...]:
    """Return names for classes without names."""
    return tuple(f"class {number}" for number in range(count))


def unit_paths(shapes: Shapes) -> list[str]:
    """Return the paths of the layers that own tensors, in the file's order."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in shapes))


def indices(shapes: Shapes, prefix: str) -> list[int]:
    """Return the numbers that follow a prefix in the tensors' names, in rising order."""
    found = {name[len(prefix) :].partition(".")[0] for name in shapes if name.startswith(prefix)}
    return sorted(int(one) for one in found if one.isdigit())


def under(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def same(shapes: Shapes, net: nn.Module) -> bool:
    """Return whether a network has exactly these tensors; counters of batches seen do not count."""
    wanted = {k: tuple(v.shape) for k, v in net.state_dict().items() if not k.endswith(STATISTICS[2])}
    return wanted == {k: v for k, v in shapes.items() if not k.endswith(STATISTICS[2])}


def choice(title: str, help: str, choices: Sequence[str], titles: Mapping[str, str] | None = None) -> dict[str, Any]:  # noqa: A002
    """Return an assumption, the usual choice first."""
    return {"title": title, "help": help, "choices": tuple(choices), "titles": dict(titles or {})}


def pooled(x: Tensor) -> Tensor:
    """Return the mean of each channel (N, C) of maps (N, C, h, w)."""
    return functional.adaptive_avg_pool2d(x, 1).flatten(1)
