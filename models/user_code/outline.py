"""What a file of code offers to open (functions, networks, an adapter), found by parsing it without running it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models import files
from models.types import Refusal
from models.user_code import arguments, source

ADAPTER = "ADAPTER"
GIVEN = ("num_classes", "weights")
MOST_BYTES = 8_000_000
INSTANCES = ("model", "net", "network", "generator", "discriminator", "netG", "netD", "G", "D", "unet", "vae")


@dataclass(frozen=True)
class Choice:
    """Something in a file that yields a network: its `name`, the `line` where it starts, its kind and purpose.

    `of` is what makes it where the file makes it itself; `part` tells that another network in the file is built of it.
    """

    name: str
    line: int
    kind: str
    help: str = ""
    of: str = ""
    part: bool = False


def read(file: Path) -> tuple[Choice, ...]:
    """Return what a file offers: its adapter first, then in the file's order.

    Raises Refusal if it is not valid Python.
    """
    return choices(text(file), file.name)


def text(file: Path) -> str:
    """Return a file's source, decoded as Python would. Raises Refusal if it is not a file of code."""
    content = files.check(file)
    if content.stat().st_size > MOST_BYTES:
        raise Refusal(f"{file.name} is too long to be a file of code.", advice="Choose the file that builds the model.")
    return source.text(content.read_bytes(), file.name)


def choices(code: str, name: str) -> tuple[Choice, ...]:
    """Return what a source offers. Raises Refusal, with the line, if it is not valid Python."""
    module = _parsed(code, name)
    found: dict[str, Choice] = {}
    networks: set[str] = set()
    for node in module.body:
        match node:
            case ast.ClassDef() | ast.Assign() | ast.AnnAssign() if ADAPTER in _bound(node):
                found = {ADAPTER: Choice(ADAPTER, node.lineno, "adapter"), **found}
            case ast.ClassDef() if _is_network(node, networks):
                networks.add(node.name)
                asks = open_arguments(node)
                if all(map(_is_given, asks)) or arguments.could_call(module, node.name):
                    found[node.name] = Choice(node.name, node.lineno, "network", _help(node))
            case ast.FunctionDef() if not node.name.startswith("_") and _builds(node):
                if all(map(_is_given, arguments.asked(node))):
                    found[node.name] = Choice(node.name, node.lineno, "function", _help(node))
            case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Call() as value):
                callee = _callee(value)
                if callee in networks or callee.endswith("Sequential") or (bound in INSTANCES and callee in found):
                    found.setdefault(bound, Choice(bound, node.lineno, "network", of=callee))
    inside = _inside(module, networks)
    return tuple(replace(each, part=each.name in inside) for each in found.values())


def likely(offered: Sequence[Choice]) -> Choice | None:
    """Return the choice that is meant: the adapter, the only network, or what the file made of it; None for several."""
    if offered and offered[0].name == ADAPTER:
        return offered[0]
    whole = [each for each in offered if not each.part]
    made = [each for each in whole if each.of]
    rest = [each for each in whole if not each.of and each.name not in {one.of for one in made}]
    if len(made) == 1 and not rest:
        return made[0]
    return whole[0] if len(whole) == 1 else None


def _inside(module: ast.Module, networks: set[str]) -> set[str]:
    """Return the networks that other networks of a file are built of."""
    found: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name in networks:
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            bases = {each.id for base in node.bases for each in ast.walk(base) if isinstance(each, ast.Name)}
            found |= (used & networks) - {node.name} - bases
    return found


def unfilled(code: str, name: str) -> dict[str, tuple[str, ...]]:
    """Return the networks that a source defines but does not offer, with the arguments whose values nothing tells."""
    module = _parsed(code, name)
    offered = {choice.name for choice in choices(code, name)}
    networks: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.ClassDef) and _is_network(node, networks):
            networks.add(node.name)
    bodies = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name in networks - offered]
    return {node.name: tuple(ask for ask in open_arguments(node) if not _is_given(ask)) for node in bodies}


def hub_call(code: str, name: str) -> tuple[str, str] | None:
    """Return repository and entry of the first torch.hub.load in a source, "" for what is not written out; or None."""
    for node in ast.walk(_parsed(code, name)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("hub.load"):
            words = [each.value if isinstance(each, ast.Constant) else "" for each in node.args[:2]]
            repository, entry = [*(str(word) for word in words), "", ""][:2]
            return repository, entry
    return None


def open_arguments(node: ast.ClassDef) -> tuple[str, ...]:
    """Return the arguments that a class cannot be built without."""
    init = next((each for each in node.body if _named(each, "__init__")), None)
    return arguments.asked(init if isinstance(init, ast.FunctionDef) else None, skip=1)


def _parsed(code: str, name: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError as error:
        summary = f"{name}, line {error.lineno}: {error.msg}"
        raise Refusal(f"This is not valid Python: {summary}.", advice=source.advice(error, code)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refusal(f"{name} cannot be read as Python ({error}).", advice="Choose another file.") from error


def _is_given(name: str) -> bool:
    return name in GIVEN or arguments.usual(name)


def _builds(node: ast.FunctionDef) -> bool:
    """Return whether a function may return something: it says `return`, or has no body yet."""
    if any(isinstance(each, ast.Return) and each.value is not None for each in ast.walk(node)):
        return True
    return all(isinstance(each, ast.Pass | ast.Expr | ast.Raise) for each in node.body)


def _callee(call: ast.Call) -> str:
    """Return the name of what makes a value, without the `.to(device)`, `.cuda()`, `.eval()` that follow."""
    func: ast.expr = call.func
    while isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
        func = func.value.func
    return ast.unparse(func)


def _is_network(node: ast.ClassDef, known: set[str]) -> bool:
    if node.name.startswith("_"):
        return False
    bases = [ast.unparse(base).split(".")[-1] for base in node.bases]
    return any(base.endswith("Module") or base == "Sequential" or base in known for base in bases)


def _named(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == name


def _bound(node: ast.stmt) -> set[str]:
    match node:
        case ast.Assign():
            return {target.id for target in node.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.ClassDef(name=name):
            return {name}
    return set()


def _help(node: ast.ClassDef | ast.FunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]
