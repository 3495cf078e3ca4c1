"""Check the source in a TorchScript file against what TorchScript's own printer writes, before torch sees it.

torch parses the source when it loads a file, and runs its `__setstate__` methods. So it is first parsed here with
Python's parser, and only constructs that both languages read alike are allowed: no comments, no line continuations,
plain string literals. A name may refer to an operator in three forms only: `torch.NAME(...)`, `ops.SPACE.NAME(...)` and
`x.NAME(...)`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable

import torch

from models.exported import allowed_operators

MOST_CHARACTERS = 4_000_000  # of a file: ten times that of DenseNet-201
MOST_LINE = 200_000
TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"', re.ASCII)
NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?j?|\.\d+([eE][+-]?\d+)?", re.ASCII)
PLAIN = re.compile(r"[\w.@-]+", re.ASCII)
CONSTANT = re.compile(r"c\d+", re.ASCII)
RESERVED = {"torch", "ops", "CONSTANTS", "__torch__", "prim", "aten", "fork", "awaitable", "builtins"}
BUILTINS = {
    "annotate",
    "unchecked_cast",
    "uninitialized",
    "isinstance",
    "getattr",
    "int",
    "float",
    "bool",
    "str",
    "range",
}
BASES = {"Module", "Interface", "ModuleInterface", "NamedTuple", "Enum"}
METHODS = {"forward", "tolist", "unpack", "__len__", "__call__", "__getstate__", "__setstate__", "__new__", "__init__"}
METHODS |= {"__enter__", "__exit__", "__contains__", "__getitem__"}
PARAMETERS = re.compile(r"__torch__\.torch\.classes\.quantized\.(Conv[23]d|Linear)PackedParamsBase", re.ASCII)
EXPRESSIONS = (
    *(ast.Name, ast.Constant, ast.Subscript, ast.Slice, ast.List, ast.Tuple, ast.Dict, ast.UnaryOp, ast.BinOp),
    *(ast.BoolOp, ast.Compare, ast.IfExp, ast.keyword, ast.withitem, ast.expr_context, ast.operator, ast.unaryop),
    *(ast.boolop, ast.cmpop),
)


class ForeignError(Exception):
    """The source contains what no network's does; the message says what and where."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(f"{ascii(what)[1:-1][:80]}{f' in line {line}' if line else ''}")


def check(sources: Iterable[tuple[str, str]]) -> None:
    """Raise ForeignError unless every source, given by name, contains only what networks contain."""
    trees = [(name, _parsed(text)) for name, text in sources]
    defined = {node.name for _, tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for _, tree in trees:
        _File(defined).check(tree)


def _parsed(text: str) -> ast.Module:
    """Return the syntax tree of a source.

    Raises ForeignError where Python and TorchScript could read it differently.
    """
    if len(text) > MOST_CHARACTERS:
        raise ForeignError(f"{len(text):,} characters of source")
    if not text.isascii() or re.search(r"[^\x20-\x7e\n]", text) or "\\\n" in text:
        raise ForeignError("characters that no printer writes")
    if max(map(len, text.split("\n"))) > MOST_LINE:
        raise ForeignError("a line of source that is too long")
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            match token.type:
                case tokenize.COMMENT:
                    raise ForeignError("a comment", token.start[0])
                case tokenize.STRING if not TEXT.fullmatch(token.string):
                    raise ForeignError("a text in other quotes", token.start[0])
                case tokenize.NUMBER if not NUMBER.fullmatch(token.string):
                    raise ForeignError(f"the number {token.string}", token.start[0])
                case tokenize.OP if token.string in (";", ":=", "@", "**=", "..."):
                    raise ForeignError(token.string, token.start[0])
                case tokenize.ERRORTOKEN:
                    raise ForeignError("what cannot be read", token.start[0])
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError, IndentationError) as error:
        raise ForeignError(f"what cannot be read ({type(error).__name__})") from error


def operator(name: str) -> bool:
    """Return whether a TorchScript operator `aten::NAME` is on the allow-list."""
    return allowed_operators.tensor_operator(name) or name in allowed_operators.LANGUAGE


def exists(name: str) -> bool:
    """Return whether torch has any operator of this name, allowed or not."""
    return any(torch._C._jit_get_schemas_for_operator(f"{space}::{name}") for space in ("aten", "prim"))


class _File:
    """Walks one source: statements and expressions by kind, and each name by what it may refer to there."""

    def __init__(self, defined: set[str]) -> None:
        self._defined = defined
        self._class: set[str] = set()
        self._self = ""
        self._aliases: set[str] = set()

    def check(self, tree: ast.Module) -> None:
        for node in tree.body:
            match node:
                case ast.ClassDef():
                    self._of_class(node)
                case ast.FunctionDef():
                    self._of_function(node, "")
                case ast.Import(names=names) if all(one.name.startswith("__torch__") for one in names):
                    pass
                case ast.Assign(targets=[ast.Name(id="op_version_set")], value=ast.Constant(value=int())):
                    pass
                case _:
                    raise ForeignError(type(node).__name__, node.lineno)

    def _of_class(self, node: ast.ClassDef) -> None:
        bases = all(isinstance(base, ast.Name) and base.id in BASES for base in node.bases)
        if not bases or node.keywords or node.decorator_list:
            raise ForeignError(f"class {node.name}", node.lineno)
        self._class = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
        for one in node.body:
            match one:
                case ast.FunctionDef(args=ast.arguments(args=[first, *_])):
                    self._of_function(one, first.arg)
                case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
                    self._type(annotation)
                    if value is not None:
                        self._type(value)
                case ast.Assign(targets=[ast.Name() | ast.Subscript() as target], value=value):
                    if isinstance(target, ast.Subscript):
                        named = isinstance(target.value, ast.Name) and target.value.id == "__annotations__"
                        if not named or not isinstance(target.slice, ast.Constant):
                            raise ForeignError("an assignment in a class", one.lineno)
                    self._type(value)
                case ast.Pass():
                    pass
                case _:
                    raise ForeignError(type(one).__name__, one.lineno)
        self._class = set()

    def _type(self, node: ast.expr) -> None:
        """Check an expression where a type or a plain value is expected: calls are not allowed."""
        for one in ast.walk(node):
            if isinstance(one, ast.Attribute):
                _chain(one)
            elif not isinstance(one, EXPRESSIONS):
                raise ForeignError(type(one).__name__, getattr(one, "lineno", 0))
        for one in _outer_chains(node):
            _path(one)

    def _of_function(self, node: ast.FunctionDef, first: str) -> None:
        given = node.args
        if node.decorator_list or given.vararg or given.kwarg or given.posonlyargs or given.kwonlyargs:
            raise ForeignError(f"the function {node.name}", node.lineno)
        for one in given.args:
            self._store(one.arg, node.lineno)
            if one.annotation is not None:
                self._type(one.annotation)
        if node.returns is not None:
            self._type(node.returns)
        for default in given.defaults:
            self._expression(default)
        self._self = first
        self._aliases = _aliases(node)
        for statement in node.body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target], value=value):
                self._target(target, node.lineno)
                self._expression(value)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                self._store(name, node.lineno)
                self._type(annotation)
                if value is not None:
                    self._expression(value)
            case ast.For(target=target, iter=iterated, body=body, orelse=[]):
                self._target(target, node.lineno)
                self._expression(iterated)
                self._all(body)
            case ast.While(test=test, body=body, orelse=[]):
                self._expression(test)
                self._all(body)
            case ast.If(test=test, body=body, orelse=otherwise):
                self._expression(test)
                self._all([*body, *otherwise])
            case ast.With(items=items, body=body):
                for item in items:
                    self._expression(item.context_expr)
                    if item.optional_vars is not None:
                        self._target(item.optional_vars, node.lineno)
                self._all(body)
            case ast.AugAssign(target=target, value=value):
                self._target(target, node.lineno)
                self._expression(value)
            case ast.Return(value=value):
                if value is not None:
                    self._expression(value)
            case ast.Expr(value=value):
                self._expression(value)
            case ast.Pass() | ast.Break() | ast.Continue():
                pass
            case _:
                raise ForeignError(type(node).__name__, node.lineno)

    def _all(self, body: list[ast.stmt]) -> None:
        for one in body:
            self._statement(one)

    def _target(self, node: ast.expr, line: int) -> None:
        match node:
            case ast.Name(id=name):
                self._store(name, line)
                if name == self._self:
                    raise ForeignError(f"another value for {name}", line)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._target(part, line)
            case ast.Attribute(value=value):
                self._expression(value)
            case ast.Subscript(value=value, slice=place):
                self._expression(value)
                self._expression(place)
            case _:
                raise ForeignError("an assignment", line)

    def _store(self, name: str, line: int) -> None:
        if name in RESERVED or name in BUILTINS:
            raise ForeignError(f"another value for {name}", line)

    def _expression(self, node: ast.AST) -> None:
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Call():
                self._call(node)
            case ast.Attribute():
                self._attribute(node)
            case ast.Name(id=name):
                if name in RESERVED or name == "getattr":
                    raise ForeignError(name, line)
            case _ if isinstance(node, EXPRESSIONS):
                for child in ast.iter_child_nodes(node):
                    self._expression(child)
            case _:
                raise ForeignError(type(node).__name__, line)

    def _attribute(self, node: ast.Attribute) -> None:
        root = _root(node)
        if root == "__torch__":
            _path(node)
        elif root == "CONSTANTS":
            if not isinstance(node.value, ast.Name) or not CONSTANT.fullmatch(node.attr):
                raise ForeignError("CONSTANTS", node.lineno)
        elif root in RESERVED:
            raise ForeignError(f"{root}, not called", node.lineno)
        elif node.attr.startswith("__") and node.attr not in METHODS and not operator(node.attr):
            raise ForeignError(f".{node.attr}", node.lineno)
        else:
            self._expression(node.value)

    def _call(self, node: ast.Call) -> None:
        for one in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(one, ast.Starred):
                raise ForeignError("*", node.lineno)
        match node.func:
            case ast.Name(id="getattr"):
                self._getattr(node)
                return
            case ast.Name(id=name):
                if name not in BUILTINS and name not in self._aliases:
                    raise ForeignError(name, node.lineno)
            case ast.Attribute(value=ast.Name(id="torch"), attr=name):
                if not operator(name):
                    raise ForeignError(f"aten::{name}", node.lineno)
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="ops"), attr=space), attr=name):
                if not allowed_operators.script_operator(space, name):
                    raise ForeignError(f"{space}::{name}", node.lineno)
            case ast.Attribute() as function if _root(function) == "__torch__":
                _path(function)
            case ast.Attribute(value=value, attr=name):
                self._expression(value)
                own = isinstance(value, ast.Name) and value.id == self._self and name in self._class
                known = operator(name) or own or name in METHODS or (name in self._defined and not exists(name))
                if not known:
                    raise ForeignError(f".{name}", node.lineno)
            case _:
                raise ForeignError("a call of a computed value", node.lineno)
        for one in (*node.args, *(keyword.value for keyword in node.keywords)):
            self._expression(one)

    def _getattr(self, node: ast.Call) -> None:
        match node.args:
            case [owner, ast.Constant(value=str(name))] if PLAIN.fullmatch(name) and not node.keywords:
                self._expression(owner)
            case _:
                raise ForeignError("getattr", node.lineno)


def _aliases(function: ast.FunctionDef) -> set[str]:
    """Return the names in a function that refer only to functions of the file, everywhere in that function."""
    good, bad = set(), {one.arg for one in function.args.args}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute() as value) if _root(value) == "__torch__":
                good.add(name)
            case ast.Assign(targets=targets):
                bad |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
            case ast.For(target=target) | ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                bad |= {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
            case ast.withitem(optional_vars=ast.expr() as target):
                bad |= {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
    return good - bad


def _root(node: ast.expr) -> str:
    """Return the name at the root of a chain of attributes, "" if the root is not a name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _chain(node: ast.Attribute) -> str:
    """Return a chain of attributes as text. Raises ForeignError if its root is not a name of the file."""
    parts = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name) or inner.id != "__torch__":
        raise ForeignError(ast.unparse(node)[:60], node.lineno)
    return ".".join(["__torch__", *reversed(parts)])


def _path(node: ast.Attribute) -> None:
    """Raise ForeignError for a class of torch's own, except those of quantised weights."""
    text = _chain(node)
    if text.startswith("__torch__.torch.classes") and not PARAMETERS.fullmatch(text):
        raise ForeignError(text, node.lineno)


def _outer_chains(node: ast.expr) -> list[ast.Attribute]:
    inner = {id(one.value) for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    return [one for one in ast.walk(node) if isinstance(one, ast.Attribute) and id(one) not in inner]
