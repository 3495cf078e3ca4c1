"""The Python in a file of code: its text in any usual encoding, the code cells of a notebook, and its syntax tree.

Where no GPU of NVIDIA's can be used, code that is written for one is run on the CPU: `.cuda()` and "cuda:0" are
replaced in the tree, never in the file.
"""

from __future__ import annotations

import ast
import copy
import io
import json
import re
import tokenize
from typing import Any, TypeVar

from models.exported import torchscript_text
from models.types import Refusal

NOTEBOOK = ".ipynb"
Node = TypeVar("Node", bound=ast.AST)
GUESSES = ("cp949", "gb18030", "cp932")  # of files that say nothing and are not UTF-8: Korean, Chinese, Japanese
_cpu = [False]
_MAGIC = re.compile(r"^(\s*)(%|!|\?)")
_CUDA = re.compile(r"cuda(:\d+)?\Z")
_PRINT = re.compile(r"^\s*(print\s+[^(=\s]|exec\s+['\"]|raise\s+\w+,\s|except\s+\w+,\s)")


def text(content: bytes, name: str) -> str:
    """Return the Python in a file's content. Raises Refusal for an unknown encoding, or for no notebook."""
    if name.lower().endswith(NOTEBOOK):
        return _cells(content, name)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (SyntaxError, LookupError, UnicodeDecodeError):
        pass
    for encoding in GUESSES:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refusal(f"{name} is not text in UTF-8.", advice="Save it as UTF-8.")


def shown(content: bytes, name: str) -> str:
    """Return a file of code for the user to read: its source, that of a TorchScript file, a notebook's cells."""
    if script := torchscript_text.sources(content):
        return script
    try:
        return text(content, name)
    except Refusal:
        return content.decode("utf-8", "replace")


def tree(content: bytes, name: str) -> ast.Module:
    """Return the syntax tree of a file's content. Raises Refusal where the text cannot be told, and SyntaxError."""
    return ast.parse(text(content, name), name)


def advice(error: SyntaxError, written: str) -> str:
    """Return what to do about a syntax error: of Python 2, of tabs, of anything else."""
    if any(_PRINT.match(line) for line in written.splitlines()):
        return "It is written for Python 2: convert it, for instance with 2to3, then press F5."
    if isinstance(error, TabError):
        return "Replace its tabs by spaces, then press F5."
    return "Fix it, then press F5."


def _cells(content: bytes, name: str) -> str:
    """Return the code cells of a Jupyter notebook one after the other, without Jupyter's own commands."""
    try:
        found: Any = json.loads(content.decode("utf-8-sig"))
        cells = found.get("cells") or [cell for sheet in found.get("worksheets", ()) for cell in sheet["cells"]]
        code = [cell.get("source", cell.get("input", "")) for cell in cells if cell.get("cell_type") == "code"]
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise Refusal(f"{name} is not a Jupyter notebook that can be read.", advice="Save it as a .py file.") from error
    texts = ["".join(map(str, one)) if isinstance(one, list) else str(one) for one in code]
    return "\n\n".join(_plain(one) for one in texts if not one.lstrip().startswith("%%"))


def _plain(cell: str) -> str:
    """Return a cell with Jupyter's own commands as comments, so that lines keep their numbers."""
    return "\n".join(_MAGIC.sub(r"\1pass  # \2", line) for line in cell.splitlines()) + "\n"


def use_cpu(alone: bool) -> None:
    """Say whether the CPU alone can be used, so that code which asks for a GPU has to do without from now on."""
    _cpu[:] = [alone]


def runnable(node: Node) -> Node:
    """Return a tree as it is run: one that asks for no GPU where there is none. It is changed in place."""
    return ast.fix_missing_locations(_OnCpu().visit(node)) if _cpu[0] else node


def wants_gpu(module: ast.Module) -> bool:
    """Return whether a tree asks for a GPU, as it does without regard to whether there is one."""
    rewriter = _OnCpu()
    rewriter.visit(copy.deepcopy(module))
    return rewriter.found


class _OnCpu(ast.NodeTransformer):
    """Replaces `x.cuda()` by `x` and the devices "cuda", "cuda:0" by "cpu"."""

    def __init__(self) -> None:
        self.found = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(value=ast.Name(id="torch"), attr="cuda"):
                return node
            case ast.Attribute(value=value, attr="cuda"):
                self.found = True
                return value
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        plain = "cpu" if _CUDA.match(node.value) else node.value.replace("torch.cuda.", "torch.")
        if plain == node.value or (plain != "cpu" and not node.value.endswith("Tensor")):
            return node
        self.found = True
        return ast.copy_location(ast.Constant(plain), node)
