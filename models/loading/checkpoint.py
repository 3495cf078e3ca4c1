"""Find the state dicts in a checkpoint (under wrappers, prefixes, moving averages), and compare one with a network."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from torch import Tensor

from models.types import Refusal

State = Mapping[str, Tensor]
Shapes = Mapping[str, Sequence[int]]

# Keys under which training scripts store a state dict, and attributes under which they store a network, in order of
# preference: plain weights before averages.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params", "weights")
AVERAGES = ("ema", "model_ema", "ema_model", "state_dict_ema", "params_ema", "ema_state_dict", "ema_net")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
# Networks that learn from one another, of which a training keeps both; the first is the one to use.
PAIRS = (("encoder_q", "encoder_k"), ("teacher", "student"), ("online_model", "ema_model"))
PAIRS += (("online_network", "target_network"), ("online_encoder", "target_encoder"), ("encoder", "momentum_encoder"))
PARTS = ("module", "model", "net", "network", *AVERAGES)
OF_PAIRS = tuple(name for pair in PAIRS for name in pair)
# What training scripts store beside the network.
BESIDE = ("loss", "criterion", "loss_fn", "loss_func", "metric", "metrics", "train_acc", "val_acc", "n_averaged")
BESIDE += ("queue", "queue_ptr", "initted", "step", "ptr", "center")
ENTRY = {
    "title": "Weights in the file",
    "help": "A training may keep the weights and their moving average in one file.",
}
NETWORK_PARTS = ("backbone", "neck", "head", "cls_head")  # of OpenMMLab's toolboxes
MOST_CLASSES, LONGEST_NAME = 100_000, 200
COUNTER = "num_batches_tracked"
# Where training scripts keep the state of the optimizer, whose tensors are no network's.
OPTIMIZERS = ("optimizer", "optimizer_state_dict", "optimizer_states", "optim", "opt", "scheduler", "lr_schedulers")
_SHOWN, _LISTED, _DEEPEST = 3, 200, 3


def sets(loaded: object, name: str) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts in a loaded file by the names the file gives them, the preferred one first.

    Each is as saved, without wrappers such as {"state_dict": ...}, and without a module prefix such as Lightning's
    "model." if an average or a loss is stored beside it. Raises Refusal if there is none.
    """
    if (state := _state(loaded)) is not None:
        return _parts(state)
    inner = _inside(loaded)
    pair = next((pair for pair in PAIRS if inner.keys() >= {*pair}), ())
    known = [key for key in (*WRAPPERS, *AVERAGES, *pair) if key in inner]
    if known:
        found = {key: inner[key] for key in known}
        parts = {key: _parts(value) for key, value in found.items()}
        return parts[known[0]] if len(known) == 1 else {key: next(iter(part.values())) for key, part in parts.items()}
    if len(inner) == 1:
        return _parts(next(iter(inner.values())))
    if inner:
        return {key: dict(value) for key, value in inner.items()}
    what = "nothing" if isinstance(loaded, Mapping) and not loaded else f"a {type(loaded).__name__}"
    raise Refusal(
        f"{name} holds {what}, not named tensors.",
        advice="Where it was made, save only the tensors: torch.save(model.state_dict(), …), or safetensors.",
    )


def chosen(found: Mapping[str, State], entry: str, name: str) -> dict[str, Tensor]:
    """Return one of a file's state dicts, the first if `entry` is "".

    Raises Refusal if the names do not say which is meant.
    """
    if entry and entry not in found:
        raise Refusal(f"{name} holds no {entry!r}.", advice=f"It holds {', '.join(found)}.")
    first = next(iter(found))
    if not entry and len(found) > 1 and first not in (*WRAPPERS, *PARTS, *OF_PAIRS):
        raise Refusal(
            f"{name} holds {len(found)} sets of weights: {_few(list(found))}.",
            advice=f"Say which: {name}?entry={first}",
        )
    return dict(found[entry or first])


COUNTED = ("total_ops", "total_params")  # thop's


def plain(state: State) -> dict[str, Tensor]:
    """Return a state dict without prefixes that all its names share, such as DataParallel's.

    Numbers that tools for counting operations leave in a network are left out.
    """
    own = {name: tensor for name, tensor in state.items() if not name.endswith(COUNTED)}
    return versions(own or state)[-1]


def versions(state: State) -> list[dict[str, Tensor]]:
    """Return a state dict as it is, and after removing each prefix shared by all names."""
    found = [{name: tensor.detach() for name, tensor in state.items()}]
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in found[-1])), ""):
        found.append({name.removeprefix(prefix): tensor for name, tensor in found[-1].items()})
    return found


def without_holder(state: State) -> dict[str, Tensor] | None:
    """Return a state dict without the attribute that all its names begin with, whatever it is called; None if none."""
    firsts = {name.partition(".")[0] for name in state}
    if len(firsts) != 1 or next(iter(firsts)).isdigit() or not all("." in name for name in state):
        return None
    return {name.partition(".")[2]: tensor for name, tensor in state.items()}


def without_parts(state: State) -> dict[str, Tensor] | None:
    """Return a network's tensors without the names of its parts, as toolboxes put them around a published network.

    None unless all names begin with a part's, the backbone's among them, and stay different without it.
    """
    firsts = {name.partition(".")[0] for name in state}
    if "backbone" not in firsts or firsts - {*NETWORK_PARTS}:
        return None
    found = {name.partition(".")[2]: tensor for name, tensor in state.items()}
    return found if len(found) == len(state) else None


# Where training scripts and toolboxes keep what the network was trained for, and under which names its classes.
STATED_IN = ("meta", "hyper_parameters", "hparams", "config", "cfg", "args", "dataset_meta", "model_config", "data")
CLASS_KEYS = ("classes", "class_names", "classnames", "class_to_idx", "idx_to_class", "label_names", "labels")
CLASS_KEYS += ("categories", "id2label", "label2id", "index_to_class", "class_list", "cat_to_idx", "names")


def stated_classes(loaded: object) -> tuple[str, ...]:
    """Return the class names that a toolbox or a script stores beside the weights, () if there are none."""
    return _classes_in(loaded)


def _classes_in(loaded: object, depth: int = 0) -> tuple[str, ...]:
    """Return the class names in a mapping or in what it keeps of the training, a few levels deep."""
    if not isinstance(loaded, Mapping):
        return ()
    values = {str(key).lower(): value for key, value in loaded.items() if isinstance(key, str)}
    for key in CLASS_KEYS:
        if found := _class_names(values.get(key)):
            return found
    inner = (values.get(key) for key in STATED_IN) if depth < _DEEPEST else ()
    return next((found for value in inner if (found := _classes_in(value, depth + 1))), ())


def _class_names(value: object) -> tuple[str, ...]:
    """Return the names in a list, in a mapping from numbers to names, or from names to numbers; () for any other."""
    names: list[object] = []
    if isinstance(value, Mapping) and 0 < len(value) <= MOST_CLASSES:
        turned = all(isinstance(one, int) for one in value.values())
        pairs = ((number, name) for name, number in value.items()) if turned else value.items()
        numbered = {int(n) if isinstance(n, int) or str(n).isdigit() else -1: name for n, name in pairs}
        if numbered.keys() == set(range(len(value))):
            names = [numbered[number] for number in range(len(value))]
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) <= MOST_CLASSES:
        names = list(value)
    return tuple(str(name)[:LONGEST_NAME] for name in names) if all(isinstance(n, str) for n in names) else ()


def suited(state: State, wanted: Shapes) -> dict[str, Tensor]:
    """Return the version of a state dict in which a network knows the most names."""
    return max(versions(state), key=lambda version: len(version.keys() & wanted.keys()))


def fits(wanted: Shapes, given: State, *, name: str = "This file") -> None:
    """Raise Refusal unless `given` has the names and shapes a model needs; `name` is the file's, used in the message.

    Batch counters (`num_batches_tracked`) may be missing, as in old files; PyTorch fills them in. The refusal's details
    list every difference, and for each missing tensor the unexpected one of its shape with the most similar name.
    """
    missing = [n for n in wanted if n not in given and not n.endswith(COUNTER)]
    unexpected = [n for n in given if n not in wanted]
    both = [n for n in wanted if n in given]
    other = [n for n in both if tuple(given[n].shape) != tuple(wanted[n])]
    if not (missing or unexpected or other):
        return
    misfits = [f"{n} is {shape(given[n].shape)} instead of {shape(wanted[n])}" for n in other]
    groups = (("missing", missing), ("unexpected", unexpected), ("of another size", misfits))
    parts = [f"{len(names):,} {word} ({_few(names)})" for word, names in groups if names]
    message = f"{name} does not fit this model: of {len(wanted):,} tensors, {'; '.join(parts)}."
    advice = "Choose weights of the same architecture, with the same number of classes."
    raise Refusal(message, advice=advice, details=differences(wanted, given))


def differences(wanted: Shapes, given: State) -> str:
    """Return every difference between the tensors a network needs and those given, one per line."""
    missing = {n: tuple(s) for n, s in wanted.items() if n not in given and not n.endswith(COUNTER)}
    unexpected = {n: tuple(t.shape) for n, t in given.items() if n not in wanted}
    other = [n for n in wanted if n in given and tuple(given[n].shape) != tuple(wanted[n])]
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for name, size in unexpected.items():
        by_shape.setdefault(size, []).append(name)
    lines = []
    if other:
        rows = [f"  {n}: {shape(given[n].shape)} in the file, {shape(wanted[n])} in the network" for n in other]
        lines += [f"Of another size ({len(other):,}):", *_cut(rows)]
    if missing:
        rows = []
        for name, size in list(missing.items())[: _LISTED + 1]:
            near = difflib.get_close_matches(name, by_shape.get(size, ()), 1, cutoff=0.5)
            rows.append(f"  {name}: {shape(size)}" + (f"; nearest in the file: {near[0]}" if near else ""))
        lines += [f"Missing in the file ({len(missing):,}):", *_cut(rows, len(missing))]
    if unexpected:
        rows = [f"  {name}: {shape(size)}" for name, size in unexpected.items()]
        lines += [f"Unexpected in the file ({len(unexpected):,}):", *_cut(rows)]
    return "\n".join(lines)


def shape(size: Sequence[int]) -> str:
    """Return a shape as text."""
    return " x ".join(map(str, size)) or "a single number"


def _parts(state: State) -> dict[str, dict[str, Tensor]]:
    """Return the networks in one state dict whose names start with a network's attribute, as in Lightning.

    Else all as one.
    """
    whole = versions(state)[-1]
    firsts = dict.fromkeys(name.partition(".")[0] for name in whole)
    pair = next((pair for pair in PAIRS if firsts.keys() >= {*pair}), ())
    if pair and not {*firsts} - {*pair, *BESIDE}:
        return {w: {n.removeprefix(f"{w}."): t for n, t in whole.items() if n.startswith(f"{w}.")} for w in pair}
    firsts = dict.fromkeys(name.partition(".")[0] for name in state)
    parts = [word for word in PARTS if word in firsts]
    if not parts or set(firsts) - {*parts, *BESIDE} or set(firsts) == {*parts[:1]}:
        return {"state_dict": dict(state)}
    begin = {word: f"{word}." for word in parts}
    return {w: {n.removeprefix(p): t for n, t in state.items() if n.startswith(p)} for w, p in begin.items()}


def _inside(loaded: object, depth: int = 0) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts in a mapping by their keys; if it has none, those in its mappings, a few levels deep."""
    if not isinstance(loaded, Mapping) or depth > _DEEPEST:
        return {}
    found = {str(key): state for key, value in loaded.items() if (state := _state(value)) is not None}
    if found:
        return found
    for key, value in loaded.items():
        if str(key) not in OPTIMIZERS:
            found |= {
                name if name not in found else f"{key}.{name}": s for name, s in _inside(value, depth + 1).items()
            }
    return found


def _state(value: object) -> dict[str, Tensor] | None:
    """Return the tensors of a mapping of names to tensors, None if it is none.

    A few plain values may lie among many tensors of layers, such as the values of masks; they are left out.
    """
    if not isinstance(value, Mapping) or not value or not all(isinstance(key, str) for key in value):
        return None
    found = {str(name): tensor for name, tensor in value.items() if isinstance(tensor, Tensor)}
    rest = [one for one in value.values() if not isinstance(one, Tensor)]
    layers = sum("." in name for name in found)
    if rest and (layers <= len(rest) or any(isinstance(one, Mapping) for one in rest)):
        return None
    return found or None


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _cut(rows: Sequence[str], count: int = 0) -> list[str]:
    rest = (count or len(rows)) - _LISTED
    return [*rows[:_LISTED], *([f"  … and {rest:,} more"] if rest > 0 else [])]
