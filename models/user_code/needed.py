"""The part of a file of code that one object in it needs: scripts hold training, data sets and options as well."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from types import CodeType

OPTIONS = ("parse_args", "parse_known_args", "input", "init_process_group")
READS = ("LOAD_NAME", "LOAD_GLOBAL")
SEEDED = ("torch", "np", "numpy", "random")  # what is called with bare numbers of these sets them up
LOOPS = (ast.For, ast.While, ast.With, ast.AsyncFor, ast.AsyncWith)
Defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_script(module: ast.Module) -> bool:
    """Return whether running a file does more than define things: loops, options, calls of its own functions."""
    return any(_acts(node) for node in module.body)


def of(module: ast.Module, name: str) -> ast.Module | None:
    """Return the statements that define `name` and what it uses, in their order; None where nothing defines it."""
    body = [node for node in module.body if not _is_main(node)]
    bound = [set(_bound(node)) for node in body]
    if not any(name in names for names in bound):
        return None
    wanted, taken = {name}, set[int]()
    while True:
        more = {
            row
            for row, node in enumerate(body)
            if row not in taken and (bound[row] & wanted or _always(node) or _changes(node) in wanted)
        }
        if not more:
            break
        taken |= more
        wanted |= {used for row in more for used in _used(body[row])}
    return ast.Module([body[row] for row in sorted(taken)], module.type_ignores)


def left_out(module: ast.Module, part: ast.Module) -> tuple[int, ...]:
    """Return the lines where the statements begin that a part leaves out."""
    kept = {node.lineno for node in part.body}
    return tuple(node.lineno for node in module.body if node.lineno not in kept)


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _acts(node: ast.stmt) -> bool:
    if isinstance(node, LOOPS):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        named = isinstance(call.func, ast.Name) and call.func.id != "print"
        root = _root(call.func)
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        return named or (root not in ("", "sys", "os") and not all(isinstance(each, ast.Constant) for each in given))
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr):
        return any(isinstance(each, ast.Call) and _last(each.func) in OPTIONS for each in ast.walk(node))
    return False


def _always(node: ast.stmt) -> bool:
    """Return whether a statement belongs to any part: what is imported by a star, paths, and settings like seeds."""
    match node:
        case ast.ImportFrom(module="__future__"):
            return True
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            return True
        case ast.Expr(value=ast.Call() as call):
            if ast.unparse(call.func).startswith("sys.path."):
                return True
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            plain = all(isinstance(each, ast.Constant) for each in given)
            return plain and isinstance(call.func, ast.Attribute) and _root(call.func) in SEEDED
    return False


def _changes(node: ast.stmt) -> str:
    """Return the name whose object a statement changes: `net.load_state_dict(…)`, `net.fc = …`; "" for none."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute() as called)):
            root = _root(called)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() as target]) | ast.AugAssign(target=target):
            root = _root(target)
        case _:
            return ""
    return "" if root in ("torch", "np", "numpy", "plt", "os", "sys", "random", "cv2") else root


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds where it stands, also inside an `if`, `try`, `with` or loop."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name.split(".")[0] for alias in names)
            return
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _used(node: ast.stmt) -> Iterator[str]:
    """Yield the names of a module that a statement reads, also in functions, whose own variables do not count."""
    try:
        waiting = [compile(ast.Module([node], []), "", "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
        return
    while waiting:
        code = waiting.pop()
        yield from (str(each.argval) for each in dis.get_instructions(code) if each.opname in READS)
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
