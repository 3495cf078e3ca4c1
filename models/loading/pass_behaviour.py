"""Find out what the output of an unknown network depends on besides the picture, by probing it when it is opened.

A dark and a bright photo pass through it separately and together, while changes of its state, random draws and values
read out of tensors are observed. The findings configure later passes (`models.runtime.forward_passes`) and are shown to
the user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import model_name
from models.cards.card import PHOTOS
from models.exported.operation_budget import after_first_run
from models.exported.pure_graph import batch_of
from models.loading.asked_passes import APART, DIFFERS, AskedPasses, close
from models.pictures import images
from models.runtime.context import Context
from models.runtime.forward_passes import CAREFUL, INNOCENT, Behaviour, guarded, seed
from models.runtime.network_state import ATTRIBUTES, Place, State, lazy
from models.runtime.stage_cache import Cache, CachedStages
from models.runtime.watched_pass import Reading, put_random_state, random_state
from models.types import Cancelled, Pixels

ONE_AT_A_TIME = Behaviour(alone=True, channels_last=False)  # of a graph exported for one picture at a time
KNOWN = ("torchvision", "timm", "transformers", "models")  # packages whose networks need no probing
LAYERS = "torch.nn.modules"
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
DRAWS = 3  # passes with other random numbers that must agree before random draws count as irrelevant
PASSES, MODE = "passes", "mode"
EVALUATION, AS_IT_IS = "evaluation", "as_it_is"
OFFERED: dict[str, dict[str, Any]] = {
    PASSES: {
        "title": "Passes",
        "help": "Its answers are random: they are averaged over this many passes, each with its own random numbers.",
        "choices": ("1", "4", "16", "64"),
    },
    MODE: {
        "title": "Mode",
        "help": "Some of its layers run in training mode, which its own code sets. In evaluation mode dropout is off "
        "and normalisation goes by what was learned.",
        "choices": (AS_IT_IS, EVALUATION),
        "titles": {AS_IT_IS: "as its code sets it", EVALUATION: "evaluation"},
    },
}


def is_ordinary(net: nn.Module, served_by: type | None = None) -> bool:
    """Return whether a network consists only of classes from known packages, so that it needs no probing."""
    if type(net).__module__.partition(".")[0] not in KNOWN or (served_by is not None and not _known(served_by)):
        return False
    for module in net.modules():
        if not _known(type(module)) or "forward" in vars(module):
            return False
        hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        if any(getattr(hook, "__module__", "").partition(".")[0] not in KNOWN for hook in hooks):
            return False
        if isinstance(module, BATCH_NORMS) and (module.training or module.running_mean is None):
            return False
    return True


def _known(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in KNOWN or kind.__module__.startswith(LAYERS)


def taken(given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Split the user's assumptions into those about passes and all others."""
    own = {name: value for name, value in given.items() if name in OFFERED}
    return own, {name: value for name, value in given.items() if name not in OFFERED}


@contextmanager
def kept(net: nn.Module) -> Iterator[None]:
    """Restore the network's state after the block, unless its passes are known to change nothing."""
    if is_ordinary(net) or batch_of(net) is not None or any(lazy(parameter) for parameter in net.parameters()):
        yield
        return
    state = State(net)
    try:
        yield
    finally:
        state.restore()


def settle(model: Any, given: Mapping[str, str]) -> Any:
    """Return an opened model with its `behaviour` set, and the findings on its card.

    `given` are the user's assumptions about passes. Raises Refusal for values that are not offered.
    """
    behaviour, offered = INNOCENT, {}
    if not is_ordinary(model.net, type(model)) and callable(getattr(model, "subject", None)):
        batch = batch_of(model.net)
        graph = batch is not None and hasattr(model, "interpretation")
        behaviour, offered = (_of_graph(model, batch), {}) if graph else _observed(model, given)
        if not hasattr(model, "behaviour"):
            offered.pop(PASSES, None)  # such an adapter does not average passes
    assumed = model_name.check(given, offered, name=model.card.name)
    if behaviour is INNOCENT:
        return model
    own = hasattr(model, "behaviour")  # such an adapter applies the behaviour itself
    model.behaviour = behaviour
    if not own:
        plain = model.subject
        model.subject = lambda *given, **more: behaviour.subject(plain(*given, **more))
    about = dict(model.card.about)
    if behaviour.notes:
        about["behaviour"] = behaviour.notes
    if offered:
        assumptions = {name: {**item, "value": assumed[name]} for name, item in offered.items()}
        about["assumptions"] = {**about.get("assumptions", {}), **assumptions}
    model.card = replace(model.card, about=about)
    return model


@dataclass
class _Pass:
    """Observations of one pass: scores (N, C), values read out of tensors, modules in training mode, random draws."""

    scores: Tensor
    read: list[Any] = field(default_factory=list)
    training: list[str] = field(default_factory=list)
    draws: bool = False


class _Case:
    """A model with the two probe pictures."""

    def __init__(self, model: Any) -> None:
        self.net: nn.Module = model.net
        self.state = State(model.net)

    def prepare(self, model: Any) -> None:
        """Prepare the inputs."""
        cache, context, subjects = Cache(), Context(), []
        for number, pixels in enumerate(pictures()):
            whole = (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
            with torch.no_grad():
                subjects.append(model.subject(pixels, CachedStages(cache, number, context), region=whole))
        self.classes = subjects[0].classes
        self.run: Callable[[Tensor], Tensor] = subjects[0].scores
        self.first, self.second = (subject.input for subject in subjects)
        self.together = torch.cat([self.first, self.second])

    def ask(self, x: Tensor, behaviour: Behaviour, *, number: int = 0, watched: bool = False) -> _Pass:
        """Run one pass on inputs (N, 3, h, w) with the random seed `number`, and return what was observed."""
        names = {id(module): name for name, module in self.net.named_modules()}
        training: list[str] = []

        def see(module: nn.Module, inputs: Any) -> None:
            if module.training and id(module) in names:
                training.append(names[id(module)])

        reading = Reading()
        with torch.inference_mode(False), torch.no_grad(), guarded(self.net, replace(behaviour, seeded=False)):
            seed(number)
            before = random_state()
            hook = nn.modules.module.register_module_forward_pre_hook(see)
            try:
                with reading.modes() if watched else nullcontext():
                    scores = self.run(x)
            finally:
                hook.remove()
        return _Pass(scores.float(), reading.read, training, random_state() != before)


def _of_graph(model: Any, batch: int | None) -> Behaviour:
    """Return how a graph that draws nothing and keeps nothing treats batches, by one comparison at most."""
    told = model.interpretation.batches if batch != 1 else APART
    if not told:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(2, 3, *model.preprocess.size, generator=generator) * torch.tensor([0.5, 1.0]).view(2, 1, 1, 1)
        first, second = (model.interpretation.input(one).to(model.device) for one in x.split(1))
        asked = AskedPasses(model.net)
        with torch.no_grad(), after_first_run():
            asked(first)
            told = asked.settled(second)
    if told == DIFFERS:
        text = "Its answer for a picture depends on what else is in the batch, so it runs on one input at a time."
        return replace(ONE_AT_A_TIME, notes=(text,))
    return ONE_AT_A_TIME if told == APART else INNOCENT


def _observed(model: Any, given: Mapping[str, str]) -> tuple[Behaviour, dict[str, dict[str, Any]]]:
    """Return how a network behaves, and the assumptions to offer.

    A network that raises is treated with every precaution; its error is reported when it is used.
    """
    before, case = random_state(), _Case(model)
    try:
        case.prepare(model)
        return _note(case, given)
    except (KeyboardInterrupt, Cancelled):
        raise
    except BaseException:  # the network's code may raise anything
        return CAREFUL, {}
    finally:
        case.state.restore()
        put_random_state(before)


def _note(case: _Case, given: Mapping[str, str]) -> tuple[Behaviour, dict[str, dict[str, Any]]]:
    first, behaviour = _first(case, Behaviour(copies=True))
    notes, offered = [], {}
    chance = _chance(case, first, behaviour)
    batch = _together(case, first, behaviour, chance)
    if chance:
        offered[PASSES] = OFFERED[PASSES]
    if first.training and (chance or batch.alone or behaviour.changing):
        offered[MODE] = OFFERED[MODE]
        if given.get(MODE) == EVALUATION:
            for module in case.net.modules():
                module.training = False
            case.state = State(case.net)
            first, behaviour = _first(case, Behaviour(copies=True, evaluation=True))
            chance = _chance(case, first, behaviour)
            batch = _together(case, first, behaviour, chance)
        else:
            layers = _listed(dict.fromkeys(first.training))
            notes.append(f"Its own code runs layers in training mode ({layers}): the choice Mode turns that off.")
    repeats = given.get(PASSES, "1") if chance and given.get(PASSES) in OFFERED[PASSES]["choices"] else "1"
    if chance:
        notes.append(f"{chance} What is shown {_share(int(repeats))}.")
    if batch.reason:
        notes.append(batch.reason)
    moved = [place for place in behaviour.changing if place.name != "training" or place.module not in first.training]
    if changes := _changes(case.net, moved):
        notes.append(changes)
    return replace(
        behaviour,
        seeded=first.draws,
        alone=batch.alone,
        channels_last=batch.channels_last,
        repeats=int(repeats),
        notes=tuple(notes),
    ), offered


def _share(repeats: int) -> str:
    return "is one draw" if repeats == 1 else f"is the mean of {repeats} draws"


def _first(case: _Case, behaviour: Behaviour) -> tuple[_Pass, Behaviour]:
    """Return the first picture's pass on the network as opened, and the behaviour with the state that it changes."""
    case.ask(case.first, behaviour)
    changing = case.state.changed()
    case.state.restore()
    behaviour = replace(behaviour, changing=changing)
    try:
        return case.ask(case.first, behaviour, watched=True), behaviour
    except Exception:  # the network does not run under observation
        return case.ask(case.first, behaviour), behaviour


def _chance(case: _Case, first: _Pass, behaviour: Behaviour) -> str:
    """Return a sentence if the output is random, "" if it is not."""
    if not first.draws:
        return ""
    for number in range(1, DRAWS + 1):
        other = case.ask(case.first, behaviour, number=number)
        if not close(first.scores, other.scores):
            at = int((first.scores - other.scores).abs()[0].argmax())
            a, b = float(first.scores[0, at]), float(other.scores[0, at])
            name = case.classes[at] if at < len(case.classes) else "its box"
            again = case.ask(case.first, behaviour)
            if not close(first.scores, again.scores):
                return _unrepeatable(case, first, again)
            return (
                f"Its answers are random: asked twice about one picture it gave {a:.3f} and {b:.3f} for {name}. "
                "Every pass draws the same random numbers here, so that answers repeat."
            )
    return ""


@dataclass(frozen=True)
class _Together:
    """Whether inputs must run one at a time, whether they may be channels last, and why they run one at a time."""

    alone: bool = True
    channels_last: bool = False
    reason: str = ""


def _together(case: _Case, first: _Pass, behaviour: Behaviour, chance: str) -> _Together:
    """Return how a network treats batches: compare its scores for two pictures together with those for each alone."""
    if first.draws:  # each input of a batch would get different random numbers
        return _Together()
    try:
        second = case.ask(case.second, behaviour, watched=True)
    except Exception:  # the network does not run under observation
        second = case.ask(case.second, behaviour)
    if first.read != second.read:
        return _Together(reason="Its code reads values of its whole input, so it runs on one input at a time.")
    wanted = torch.cat([first.scores, second.scores])
    if any("quantized.dynamic" in type(module).__module__ for module in case.net.modules()):
        text = "It is quantised dynamically, by the range of a whole batch, so it runs on one input at a time."
        return _Together(reason=text)
    for channels_last in (True, False):
        order = torch.channels_last if channels_last else torch.contiguous_format
        try:
            both = case.ask(
                case.together.contiguous(memory_format=order), replace(behaviour, channels_last=channels_last)
            )
        except Exception:  # a program exported for batch size 1 may raise anything
            continue
        if close(both.scores, wanted):
            return _Together(alone=False, channels_last=channels_last)
        found = both.scores
        if not channels_last and found.shape == wanted.shape:
            again = case.ask(case.first, behaviour)
            if not close(first.scores, again.scores):
                return _Together(reason=_unrepeatable(case, first, again))
            off = float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-12))
            return _Together(
                reason="Its answer for a picture depends on what else is in the batch "
                f"(by {off:.2g} of the largest score for two photos), so it runs on one input at a time."
            )
    return _Together()  # such as a program exported for batch size 1


def _unrepeatable(case: _Case, first: _Pass, again: _Pass) -> str:
    at = int((first.scores - again.scores).abs()[0].argmax())
    a, b = float(first.scores[0, at]), float(again.scores[0, at])
    return (
        f"Its answers do not repeat: asked twice about one picture it gave {a:.3f} and {b:.3f}, although it was given "
        "the same random numbers. Every number shown is one such answer."
    )


def _changes(net: nn.Module, changing: Sequence[Place]) -> str:
    """Return a sentence on the state that a pass changes, if it could affect results.

    Cached activations do not count.
    """
    modules = dict(net.named_modules())
    named = [
        place.title
        for place in changing
        if place.kind != ATTRIBUTES
        or isinstance(vars(modules[place.module]).get(place.name), int | float | list | dict | set)
    ]
    if not named:
        return ""
    return (
        f"A pass changes the network itself ({_listed(named)}): every pass begins with what the file says, so no "
        "answer depends on what was asked before."
    )


def _listed(names: Any) -> str:
    found = [name or "the network" for name in names]
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


@cache
def pictures() -> tuple[Pixels, Pixels]:
    """Return the darkest and the brightest of the bundled photos, cropped to squares of the same size."""
    found = [images.read(path).pixels for path in sorted(PHOTOS.glob("*.jpg"))]
    side = min(min(pixels.shape[:2]) for pixels in found)
    cut = [np.ascontiguousarray(pixels[:side, :side]) for pixels in found]
    order = sorted(cut, key=lambda pixels: float(pixels.mean()))
    return order[0], order[-1]
