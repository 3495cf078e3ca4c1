"""Which state dicts a checkpoint holds, under wrappers, prefixes and moving averages; how one differs from a network.

It reads no file and builds no network.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from models.types import Refusal

State = Mapping[str, Tensor]
Shapes = Mapping[str, Sequence[int]]

# Keys that trainings wrap a state dict in, and modules that they wrap a network in: the plain weights before averages.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params", "weights")
AVERAGES = ("ema", "model_ema", "ema_model", "state_dict_ema", "params_ema", "ema_state_dict", "ema_net")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
PARTS = ("module", "model", "net", "network", *AVERAGES)
# What a training keeps beside its network: no part of it.
BESIDE = ("loss", "criterion", "loss_fn", "loss_func", "metric", "metrics", "train_acc", "val_acc", "n_averaged")
ENTRY = {
    "title": "Weights in the file",
    "help": "A training may keep the weights and their moving average in one file.",
}
COUNTER = "num_batches_tracked"
_SHOWN, _LISTED = 3, 200


def sets(loaded: object, name: str) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts in what a file held, by the word it has for each; the one that is meant first.

    A set is as it was saved, less wrappers such as {"state_dict": ...} and less modules such as Lightning's "model."
    where an average or a loss stands beside them. Raises Refusal if there is none.
    """
    if _is_state(loaded):
        return _parts(loaded)  # pyright: ignore[reportArgumentType]
    inner: dict[str, Any] = {}
    if isinstance(loaded, Mapping):
        inner = {str(key): value for key, value in loaded.items() if _is_state(value)}
    known = [key for key in (*WRAPPERS, *AVERAGES) if key in inner]
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
    """Return one of a file's sets, the first where `entry` is "". Raises Refusal where no word tells which is meant."""
    if entry and entry not in found:
        raise Refusal(f"{name} holds no {entry!r}.", advice=f"It holds {', '.join(found)}.")
    first = next(iter(found))
    if not entry and len(found) > 1 and first not in (*WRAPPERS, *PARTS):
        raise Refusal(
            f"{name} holds {len(found)} sets of weights: {_few(list(found))}.",
            advice=f"Say which: {name}?entry={first}",
        )
    return dict(found[entry or first])


def plain(state: State) -> dict[str, Tensor]:
    """Return a state dict less the prefixes that all its names have, such as that of DataParallel."""
    return versions(state)[-1]


def versions(state: State) -> list[dict[str, Tensor]]:
    """Return a state dict as it is, and after each prefix that is taken off all its names."""
    found = [{name: tensor.detach() for name, tensor in state.items()}]
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in found[-1])), ""):
        found.append({name.removeprefix(prefix): tensor for name, tensor in found[-1].items()})
    return found


def suited(state: State, wanted: Shapes) -> dict[str, Tensor]:
    """Return that version of a state dict whose names a network knows most of."""
    return max(versions(state), key=lambda version: len(version.keys() & wanted.keys()))


def fits(wanted: Shapes, given: State, *, name: str = "This file") -> None:
    """Raise Refusal unless `given` has the names and shapes that a model wants; `name` is the file's, to be told.

    Counters of seen batches may be missing: PyTorch fills them in, as old files lack them. The refusal's details list
    every difference, and for a missing tensor the unexpected one of its shape whose name is nearest.
    """
    missing = [n for n in wanted if n not in given and not n.endswith(COUNTER)]
    unexpected = [n for n in given if n not in wanted]
    both = [n for n in wanted if n in given]
    other = [n for n in both if tuple(given[n].shape) != tuple(wanted[n])]
    if not (missing or unexpected or other):
        return
    told = [f"{n} is {shape(given[n].shape)} instead of {shape(wanted[n])}" for n in other]
    groups = (("missing", missing), ("unexpected", unexpected), ("of another size", told))
    parts = [f"{len(names):,} {word} ({_few(names)})" for word, names in groups if names]
    message = f"{name} does not fit this model: of {len(wanted):,} tensors, {'; '.join(parts)}."
    advice = "Choose weights of the same architecture, with the same number of classes."
    raise Refusal(message, advice=advice, details=differences(wanted, given))


def differences(wanted: Shapes, given: State) -> str:
    """Return every difference between the tensors a network wants and those it is given, a line each."""
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
    """Return a shape in words."""
    return " x ".join(map(str, size)) or "a single number"


def _parts(state: State) -> dict[str, dict[str, Tensor]]:
    """Return the networks in one state dict whose names begin with words for them, as Lightning's do, else all."""
    firsts = dict.fromkeys(name.partition(".")[0] for name in state)
    parts = [word for word in PARTS if word in firsts]
    if not parts or set(firsts) - {*parts, *BESIDE} or set(firsts) == {*parts[:1]}:
        return {"state_dict": dict(state)}
    begin = {word: f"{word}." for word in parts}
    return {w: {n.removeprefix(p): t for n, t in state.items() if n.startswith(p)} for w, p in begin.items()}


def _is_state(value: object) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _cut(rows: Sequence[str], count: int = 0) -> list[str]:
    rest = (count or len(rows)) - _LISTED
    return [*rows[:_LISTED], *([f"  … and {rest:,} more"] if rest > 0 else [])]
