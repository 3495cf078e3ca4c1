"""What a network of the user's is built with: arguments that are given, those of the file's calls, or usual ones."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

from models.user_code import source

CHANNELS = frozenset(
    {"in_channels", "in_channel", "in_ch", "in_chans", "in_c", "c_in", "ch_in", "nc_in", "ch", "channels"}
    | {"n_channels", "num_channels", "num_in_channels", "input_channels", "input_channel", "inp_channels"}
    | {"img_channels", "image_channels", "n_input_channels", "input_nc", "inchannels", "in_planes"}
)
CLASSES = frozenset(
    {"num_classes", "n_classes", "nclasses", "nb_classes", "classes", "class_num", "num_class", "n_class", "nclass"}
    | {"out_classes", "number_of_classes", "num_labels", "n_labels", "class_count", "nc"}
)
PICTURE = 3  # channels
# What is said after a model's name of its answers, and so is no argument.
RESERVED = frozenset(
    {"weights", "entry", "device", "precision", "input", "colours", "fit", "padding", "size", "reading", "scores"}
    | {"part", "passes"}
)


def asked(node: ast.FunctionDef | None, *, skip: int = 0) -> tuple[str, ...]:
    """Return the names of the arguments that a function cannot be called without, the first `skip` left out."""
    if node is None:
        return ()
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    plain = plain[: len(plain) - len(given.defaults)] if given.defaults else plain
    names = [each.arg for each in plain[skip:]]
    named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return (*names, *(each.arg for each, default in named if default is None))


def usual(name: str) -> bool:
    """Return whether an argument of this name has a value that can be told: channels, or the number of classes."""
    return name in CHANNELS or name in CLASSES


def calls(module: ast.Module, name: str) -> list[ast.Call]:
    """Return the calls of an object by its name anywhere in a file, in the order of their lines."""
    found = [each for each in ast.walk(module) if isinstance(each, ast.Call) and _is(each.func, name)]
    return sorted(found, key=lambda call: (call.lineno, call.col_offset))


def _is(func: ast.AST, name: str) -> bool:
    return isinstance(func, ast.Name) and func.id == name


def could_call(module: ast.Module, name: str) -> bool:
    """Return whether a file calls an object with arguments that may be known where it is defined."""
    own = {each.id for node in module.body for each in ast.walk(node) if isinstance(each, ast.Name)}
    return any(_plain(call, own) for call in calls(module, name))


def _plain(call: ast.Call, names: set[str]) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    inside = [each for one in given for each in ast.walk(one)]
    if any(isinstance(each, ast.Starred) for each in inside):
        return False
    return all(not isinstance(each, ast.Name) or each.id in names for each in inside)


class Open(Exception):  # noqa: N818 - an expected answer
    """Arguments, by `names`, whose values nothing tells."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


def filled(
    build: Callable[..., Any],
    asks: Sequence[str],
    chosen: Mapping[str, Any],
    *,
    module: ModuleType | None,
    tree: ast.Module | None,
    name: str,
) -> tuple[tuple[Any, ...], dict[str, Any], str]:
    """Return arguments to call `build` with, and a sentence on where they come from, "" where none are needed.

    `asks` are those it cannot do without, `chosen` what is known by name already. The file's own calls of it tell the
    others, else their names do. Raises Open for those that stay open.
    """
    if all(ask in chosen for ask in asks):
        return (), dict(chosen), ""
    for call in calls(tree, name) if tree is not None and module is not None else ():
        with suppress(Exception):  # a value that is not known outside of the function that calls it
            args = tuple(_evaluated(each, module) for each in call.args)
            named = {str(keyword.arg): _evaluated(keyword.value, module) for keyword in call.keywords}
            bound = inspect.signature(build).bind(*args, **named)
            said = f"Built as line {call.lineno} builds it: {ast.unparse(call)}."
            if not chosen:
                return args, named, said
            return (), {**bound.arguments, **chosen}, said
    usual_ones = {ask: PICTURE for ask in asks if ask in CHANNELS and ask not in chosen}
    if left := [ask for ask in asks if ask not in chosen and ask not in usual_ones]:
        raise Open(left)
    said = ", ".join(f"{key} = {value}" for key, value in usual_ones.items())
    return (), {**usual_ones, **chosen}, f"Built with {said}."


def values(given: Mapping[str, str]) -> dict[str, Any]:
    """Return arguments that were written as text, as numbers, lists and so on where they are some."""
    return {key: _value(value) for key, value in given.items()}


def taken(build: Any, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return which of what was said after a model's name are arguments of a function, and the others."""
    names = set(_names(build)) - RESERVED
    return {k: v for k, v in given.items() if k in names}, {k: v for k, v in given.items() if k not in names}


def _evaluated(node: ast.expr, module: ModuleType | None) -> Any:
    if any(isinstance(each, ast.Starred | ast.Await | ast.Yield) for each in ast.walk(node)):
        raise ValueError
    return eval(compile(ast.Expression(source.runnable(copy.deepcopy(node))), "", "eval"), vars(module))


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _names(build: Any) -> Iterator[str]:
    with suppress(TypeError, ValueError):
        yield from inspect.signature(build).parameters
