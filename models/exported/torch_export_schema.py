"""Validate the JSON of a torch.export program against torch's schema, with a rule for each text field.

torch writes names from a program into source code that it executes, evaluates sizes as Python, looks operators up by
name and imports types. Therefore each text field has a rule by class and field name, a text field without a rule is
refused, and the validated values are written anew: torch never sees the file's own bytes. Sizes that depend on the
input are replaced by the numbers of the export; they are only descriptive, because a program computes its sizes at run
time.
"""

from __future__ import annotations

import dataclasses
import json
import keyword
import re
import types
import typing
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache
from typing import Any

from torch._export.serde import schema
from torch._export.serde.union import _Union

from models.exported import allowed_operators, size_expressions

MOST_INT = 2**63
MOST_NAME = 400
MOST_TEXT = 2_000
MOST_DEPTH = 100
UNKNOWN_SIZE = 2  # stands for a size that was unknown at export
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
PIECE = re.compile(r"\w+(-\w+)*(@\d+)?", re.ASCII)  # "-" as in RegNet's "block1-0": in source such names are quoted
STACK_KEY = re.compile(r"[\w.@-]*", re.ASCII)
STACK_TYPE = re.compile(r"[\w.<>]*", re.ASCII)
SPECS = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
WORDS = {"Infinity", "-Infinity", "NaN"}
Rule = Callable[[str], bool]


class WrongError(Exception):
    """A value that no network's program contains; the message names it and its field."""

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"{field} {_shown(value)}")
        self.field, self.value = field, value


def name(text: str) -> bool:
    """Return whether a text can be the name of a value in source code, and nothing else."""
    dunder = text.startswith("__") and text.endswith("__")
    return NAME.fullmatch(text) is not None and len(text) <= MOST_NAME and not keyword.iskeyword(text) and not dunder


def path(text: str) -> bool:
    """Return whether a text is the path of a module or tensor: names or numbers joined by dots; "" is the network."""
    return not text or (len(text) <= MOST_NAME and all(_piece(piece) for piece in text.split(".")))


def plain(text: str) -> bool:
    """Return whether a text is one line of printable characters, as modes and equations are."""
    return text.isascii() and text.isprintable() and len(text) <= MOST_TEXT


def _piece(piece: str) -> bool:
    dunder = piece.startswith("__") and piece.endswith("__")
    return PIECE.fullmatch(piece) is not None and not keyword.iskeyword(piece) and not dunder


def _named(text: str) -> bool:
    return not text or name(text)


def _spec(text: str) -> bool:
    """Return whether a tree specification contains only plain containers."""
    if not text:
        return True
    try:
        protocol, found = json.loads(text)
        return protocol == 1 and _plain_spec(found)
    except (ValueError, TypeError, RecursionError):
        return False


def _plain_spec(spec: Any, depth: int = 0) -> bool:
    if not isinstance(spec, dict) or spec.keys() - {"type", "context", "children_spec"} or depth > MOST_DEPTH:
        return False
    kind, children = spec.get("type"), spec.get("children_spec")
    if kind not in SPECS or not isinstance(children, list):
        return False
    if kind in ("builtins.dict", "collections.OrderedDict"):
        keys = json.loads(spec.get("context") or "[]")
        if not isinstance(keys, list) or not all(isinstance(k, str | int) and plain(str(k)) for k in keys):
            return False
    elif spec.get("context") not in (None, "null"):
        return False
    return all(_plain_spec(child, depth + 1) for child in children)


def _verifier(text: str) -> bool:
    return text in ("ATEN", "TRAINING", "")


def _device(text: str) -> bool:
    return text in ("cpu", "cuda", "mps", "xpu")


RULES: dict[tuple[str, str], Rule] = {
    ("Device", "type"): _device,
    ("SymExpr", "expr_str"): size_expressions.size,
    ("SymIntArgument", "as_name"): name,
    ("SymFloatArgument", "as_name"): name,
    ("SymBoolArgument", "as_name"): name,
    ("TensorArgument", "name"): name,
    ("TokenArgument", "name"): name,
    ("GraphArgument", "name"): name,
    ("Argument", "as_string"): plain,
    ("Argument", "as_strings"): plain,
    ("NamedArgument", "name"): _named,
    ("Node", "target"): allowed_operators.target,
    ("Node", "name"): name,
    ("Graph", "tensor_values"): name,
    ("Graph", "sym_int_values"): name,
    ("Graph", "sym_bool_values"): name,
    ("Graph", "sym_float_values"): name,
    ("ConstantValue", "as_string"): plain,
    ("InputToConstantInputSpec", "name"): name,
    ("InputToParameterSpec", "parameter_name"): path,
    ("InputToBufferSpec", "buffer_name"): path,
    ("InputToTensorConstantSpec", "tensor_constant_name"): path,
    ("BufferMutationSpec", "buffer_name"): path,
    ("ParameterMutationSpec", "parameter_name"): path,
    ("GradientToParameterSpec", "parameter_name"): path,
    ("GradientToUserInputSpec", "user_input_name"): name,
    ("UserInputMutationSpec", "user_input_name"): name,
    ("ModuleCallSignature", "in_spec"): _spec,
    ("ModuleCallSignature", "out_spec"): _spec,
    ("ModuleCallSignature", "forward_arg_names"): name,
    ("ModuleCallEntry", "fqn"): path,
    ("ExportedProgram", "opset_version"): name,
    ("ExportedProgram", "range_constraints"): lambda text: size_expressions.SYMBOL.fullmatch(text) is not None,
    ("ExportedProgram", "verifiers"): _verifier,
    ("ExportedProgram", "torch_version"): plain,
    ("ExportedProgram", "guards_code"): size_expressions.guard,
    ("PayloadConfig", "config"): path,
    ("PayloadMeta", "path_name"): lambda text: re.fullmatch(r"(weight|tensor)_\d{1,6}", text, re.ASCII) is not None,
}
# Fields a program can be read without: they are validated like the rest and then removed.
LEFT_OUT: dict[tuple[str, str], Any] = {
    ("ExportedProgram", "guards_code"): [],
    ("ExportedProgram", "range_constraints"): {},
}
# Fields that are removed without validation: comments on the origin of nodes.
UNREAD: dict[tuple[str, str], Any] = {
    ("GraphModule", "metadata"): {},
    ("GraphModule", "treespec_namedtuple_fields"): {},
}


def program(value: Any) -> dict[str, Any]:
    """Return a program's JSON, validated and reduced to what torch may see. Raises WrongError."""
    return _checked(schema.ExportedProgram, value, "program", 0)


def payload(value: Any) -> dict[str, Any]:
    """Return the JSON of a list of tensors, validated. Raises WrongError."""
    return _checked(schema.PayloadConfig, value, "config", 0)


def free_sides(value: Any) -> dict[str, tuple[int, ...]]:
    """Return the dynamic dimensions of a program's tensors by name, from the original JSON."""
    found = value["graph_module"]["graph"]["tensor_values"]
    return {key: tuple(at for at, one in enumerate(meta["sizes"]) if "as_expr" in one) for key, meta in found.items()}


@cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, globalns=dict(vars(schema)))
    if issubclass(kind, _Union):
        return hints
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _checked(kind: Any, value: Any, where: str, depth: int) -> Any:
    """Return a value of a schema type, with each text checked by its field's rule."""
    if depth > MOST_DEPTH:
        raise WrongError(where, "too deep")
    if not isinstance(value, dict):
        raise WrongError(where, value)
    label, fields = kind.__name__, _fields(kind)
    if issubclass(kind, _Union):
        if len(value) != 1 or (only := next(iter(value))) not in fields:
            raise WrongError(where, value)
        if only == "as_expr":
            _field(kind, fields, only, value, depth)
            return _number(label, value[only])
        return {only: _field(kind, fields, only, value, depth)}
    made = {}
    for key in fields:
        place = (label, key)
        if place in UNREAD:
            made[key] = UNREAD[place]
        elif key in value:
            found = _field(kind, fields, key, value, depth)
            made[key] = LEFT_OUT.get(place, found)
        elif key in _needed(kind):
            raise WrongError(where, f"without {key}")
    return made


@cache
def _needed(kind: type) -> frozenset[str]:
    """Return the fields of a schema class that have no default."""
    none = dataclasses.MISSING
    every = dataclasses.fields(kind)
    return frozenset(one.name for one in every if one.default is none and one.default_factory is none)


def _field(kind: type, fields: Mapping[str, Any], key: str, value: Mapping[str, Any], depth: int) -> Any:
    if (kind.__name__, key) == ("Node", "metadata"):
        return _metadata(value[key])
    return _typed(fields[key], value[key], (kind.__name__, key), depth + 1)


def _typed(hint: Any, value: Any, place: tuple[str, str], depth: int) -> Any:
    """Return a value of an annotated type."""
    where, given = place[1], typing.get_args(hint)
    origin = typing.get_origin(hint)
    if isinstance(hint, str | typing.ForwardRef):
        hint = getattr(schema, hint if isinstance(hint, str) else hint.__forward_arg__)
    if origin in (typing.Union, types.UnionType):
        return (
            None if value is None else _typed(next(one for one in given if one is not type(None)), value, place, depth)
        )
    if origin is list and isinstance(value, list):
        return [_typed(given[0], one, place, depth + 1) for one in value]
    if origin is dict and isinstance(value, dict):
        if place not in RULES and value:
            raise WrongError(where, next(iter(value)))
        for key in value:
            if not RULES[place](key):
                raise WrongError(where, key)
        return {key: _typed(given[1], one, place, depth + 1) for key, one in value.items()}
    if hint is str:
        if not isinstance(value, str) or place not in RULES or not RULES[place](value):
            raise WrongError(where, value)
        return value
    if hint is bool and isinstance(value, bool):
        return value
    if isinstance(hint, type) and issubclass(hint, IntEnum) and type(value) is int and value in set(hint):
        return value
    if hint is int and type(value) is int and -MOST_INT <= value < MOST_INT:
        return value
    if hint is float and (type(value) in (int, float) or value in WORDS) and abs(float(value)) != 2**1024:
        return value
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, _Union)):
        return _checked(hint, value, where, depth)
    raise WrongError(where, value)


def _number(label: str, expression: Mapping[str, Any]) -> dict[str, Any]:
    """Return the number that a size expression had at export."""
    hint = next(iter((expression.get("hint") or {"as_none": None}).values()))
    match label:
        case "SymInt":
            return {"as_int": hint if type(hint) is int and 0 <= hint < MOST_INT else UNKNOWN_SIZE}
        case "SymFloat":
            return {"as_float": float(hint) if isinstance(hint, int | float) else float(UNKNOWN_SIZE)}
        case _:
            return {"as_bool": bool(hint)}


def _metadata(value: Any) -> dict[str, str]:
    """Return the modules a node was called in: key, path and type of each."""
    if not isinstance(value, dict):
        raise WrongError("metadata", value)
    stack = value.get("nn_module_stack")
    if stack is None or stack == "":
        return {}
    if not isinstance(stack, str):
        raise WrongError("nn_module_stack", stack)
    for item in stack.split(";"):
        parts = item.split(",")
        if len(parts) != 3 or not STACK_KEY.fullmatch(parts[0]) or not STACK_TYPE.fullmatch(parts[2]):
            raise WrongError("nn_module_stack", item)
        if not path(parts[1]) and parts[1] != parts[0]:
            raise WrongError("nn_module_stack", parts[1])
    return {"nn_module_stack": stack}


def _shown(value: object) -> str:
    """Return a value in displayable form: one line, shortened, with non-printable characters escaped."""
    return ascii(value)[:80]
