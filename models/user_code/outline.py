"""What a file of code offers to open (functions, networks, an adapter), found by parsing it without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from models import files
from models.types import Refusal

ADAPTER = "ADAPTER"
GIVEN = ("num_classes", "weights")
MOST_BYTES = 2_000_000


@dataclass(frozen=True)
class Choice:
    """Something in a file that yields a network: its `name`, the `line` where it starts, its kind and purpose."""

    name: str
    line: int
    kind: str
    help: str = ""


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
    try:
        return content.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{file.name} is no text in UTF-8.", advice="Save it as UTF-8.") from error


def choices(source: str, name: str) -> tuple[Choice, ...]:
    """Return what a source offers. Raises Refusal, with the line, if it is not valid Python."""
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        summary = f"{name}, line {error.lineno}: {error.msg}"
        raise Refusal(f"This is not valid Python: {summary}.", advice="Fix it, then press F5.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refusal(f"{name} cannot be read as Python ({error}).", advice="Choose another file.") from error
    found: list[Choice] = []
    networks: set[str] = set()
    for node in body:
        match node:
            case ast.ClassDef() if _is_network(node, networks):
                networks.add(node.name)
                if _callable(next((f for f in node.body if _named(f, "__init__")), None), skip=1):
                    found.append(Choice(node.name, node.lineno, "network", _help(node)))
            case ast.FunctionDef() if not node.name.startswith("_") and _callable(node):
                found.append(Choice(node.name, node.lineno, "function", _help(node)))
            case ast.Assign() | ast.AnnAssign() | ast.ClassDef() if ADAPTER in _bound(node):
                found.insert(0, Choice(ADAPTER, node.lineno, "adapter"))
    return tuple(found)


def _is_network(node: ast.ClassDef, known: set[str]) -> bool:
    if node.name.startswith("_"):
        return False
    bases = [ast.unparse(base).split(".")[-1] for base in node.bases]
    return any(base.endswith("Module") or base == "Sequential" or base in known for base in bases)


def _callable(node: ast.stmt | None, *, skip: int = 0) -> bool:
    """Return whether a function can be called with only the arguments that Vitrine passes."""
    if not isinstance(node, ast.FunctionDef):
        return node is None
    given = node.args
    plain = [*given.posonlyargs, *given.args][skip:]
    asked = plain[: len(plain) - len(given.defaults)] if given.defaults else plain
    asked += [a for a, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    return all(each.arg in GIVEN for each in asked)


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
