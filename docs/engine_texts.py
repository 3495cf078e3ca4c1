"""Find the texts of models/ that the window may show: sentences and names with places, and those in the bundled cards.

The engine speaks English, as the command line does. The window recognises its texts by these templates
(viewer/engine_texts.py), so that a sentence's fixed words have to stand in one string of the code.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import string
from collections.abc import Iterator
from pathlib import Path

from models import inspections
from models.attributions import methods
from models.capabilities import LACKS
from models.cards import class_names, form
from models.inspection import Inspection
from models.params import parameters

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
CARDS = ROOT / "assets" / "models", ROOT / "assets" / "packaged"
CARD_KEYS = ("title", "knows", "note")
# Folders and files whose strings are names, code or data, or are said to nobody.
SILENT = ("training/", "cards/class_names", "zoo/published", "cards/zoo_catalogue", "command_line.py")
# Calls whose strings are ids, patterns or errors of ours.
CODE_CALLS = {
    "ValueError", "TypeError", "KeyError", "RuntimeError", "AssertionError", "NotImplementedError", "AttributeError",
    "LookupError", "OSError", "cast", "TypeVar", "NewType", "startswith", "endswith", "removesuffix", "removeprefix",
    "partition", "rpartition", "split", "rsplit", "replace", "strip", "lstrip", "rstrip", "compile", "match", "search",
    "sub", "findall", "fullmatch", "getattr", "setattr", "hasattr", "encode", "import_module", "get", "pop", "print",
    "getLogger", "JSONDecodeError", "add_argument", "add_parser", "filterwarnings", "NamedTuple", "find", "index",
    "stage", "named", "isinstance", "_NAMES",
}  # fmt: skip
CODE_KEYS = {"cite", "id", "needs", "key", "name", "metavar", "dest", "match", "category", "module", "dtype", "only"}
# Words of an expression that say nothing about its value.
PASSED_OVER = {
    "and", "or", "not", "in", "is", "if", "else", "for", "lambda", "self", "str", "int", "float", "round", "len", "abs",
    "join", "sorted", "name", "names", "max", "min", "item", "text", "title", "format", "get", "none", "listed", "np",
}  # fmt: skip
# What takes titles, which may be single words.
STAGED = {"run", "progress", "stage"}
TITLED = {"param", "Inspection", "attribution", "Parameter", "choice", "Verdict", "Proposal", "Reading", "Sample"}
WORD = re.compile(r"[A-Za-z][a-z]{2,}")
# Words that stand alone, said by models/params.py and others.
ALONE = ("on", "off", "automatic", "empty", "classification", "detection", "generation", "likelihood")
ALONE += ("segmentation", "features")
ALONE += ("red", "green", "blue", "black", "thin", "thick", "direction {choice}")  # of bundled networks
ALONE += ("download, {size} MB", "install, {size} MB", "{model}, {count} classes")
ALONE += ("applies", "lost", "kept", "best", "none", "Shortcut", "Gate", "Category", "Style")
NO_WORDS = ("mAP@[.5:.95]", "PSNR")  # what is called the same in every language
PLACE = re.compile(r"\{[^{}]*\}")
LONGEST = 420
# Constants of names of columns, of words in others' messages, and of prompts for a model that reads English.
NAME_CONSTANTS = re.compile(r"[A-Z_]+_COLUMNS|_CUT_OFF|OUT_OF_MEMORY|USUAL")
COMMAND = re.compile(r"(pip install|python|paddle2onnx) |torch\.save\(|class \w+\(|\w+ = |\{\{")
NO_TEXT = re.compile(r"[a-z_\]]\(\0?\)|[a-z]_[a-z]+\(|%s|::|://|->|[=<>]{2}|^--|^\s+\w+ = |^<!|import |^\"\"\"")


def engine_texts() -> dict[str, bool]:
    """Return the templates in order, none of which has forms for one and many."""
    found: set[str] = set()
    for path in sorted(MODELS.rglob("*.py")):
        inside = path.relative_to(MODELS).as_posix()
        if not any(part in inside for part in SILENT):
            found |= {text for text, titled in _strings(ast.parse(path.read_text("utf-8"))) if is_text(text, titled)}
    for path in card_files():
        card = json.loads(path.read_text(encoding="utf-8"))
        found |= {card[key] for key in CARD_KEYS if isinstance(card.get(key), str) and card[key]}
        found |= set(figure_texts(card.get("figures", {})))
    found |= {*ALONE, *form_texts(), *class_names.TITLES.values()}
    found |= {f"{{name}} {phrase}." for phrase in LACKS.values()}
    return dict.fromkeys(sorted(found), False)


def card_files() -> list[Path]:
    """Return the cards that come with the program."""
    return [path for folder in CARDS for path in sorted(folder.glob("*.json"))]


def figure_texts(figures: object) -> Iterator[str]:
    """Yield what a card's figures were measured on, and the first figure of each: the window shows these."""
    for pictures, named in figures.items() if isinstance(figures, dict) else ():
        if isinstance(named, dict) and named:
            yield from (text for text in (pictures, next(iter(named))) if WORD.search(text) and text not in NO_WORDS)


def form_texts() -> set[str]:
    """Return what forms say of inspections and cards, also where it is put together in the code."""
    found: set[str] = set()
    for parameter in form.PARAMETERS:
        found |= {parameter.title, parameter.help, parameter.unit, *parameter.titles}
    for package in (inspections, methods):
        for module in pkgutil.iter_modules(package.__path__):
            for item in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
                if isinstance(item, Inspection):
                    found |= {item.title, item.help, item.group}
                    for parameter in parameters(item.params):
                        found |= {parameter.title, parameter.help, parameter.unit, *parameter.titles}
    return {text for text in found if WORD.search(text)}


def is_text(template: str, titled: bool) -> bool:
    """Tell whether a string is made of words for people: a sentence, or a single word if it stands as a title."""
    fixed = PLACE.sub("\0", template)
    words = WORD.findall(fixed)
    if (
        not words
        or COMMAND.match(template)
        or len(template) > LONGEST
        or template.count("\n") > 1
        or NO_TEXT.search(fixed)
    ):
        return False
    if " " not in fixed.strip():
        return titled and "\0" not in fixed and fixed[0].isupper()
    return len("".join(words)) >= 5 and ("\0" not in fixed or len(words) >= 2 or bool(re.match("[A-Z][a-z]+ ", fixed)))


def _strings(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            inside = isinstance(parents[node], ast.JoinedStr | ast.FormattedValue)
            if not inside and (said := _is_said(node, parents)) is not None:
                yield _literal(node.value), said
        elif (
            isinstance(node, ast.JoinedStr)
            and not isinstance(parents[node], ast.FormattedValue)
            and (said := _is_said(node, parents)) is not None
        ):
            yield _template(node), said


def _is_said(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool | None:
    """Return whether a string is a title, None where no texts stand: documentation, types, keys, patterns."""
    below, above = node, parents[node]
    while True:
        if isinstance(above, ast.Compare | ast.Assert | ast.arg | ast.match_case | ast.pattern | ast.Delete):
            return None
        if isinstance(above, ast.Expr) and isinstance(below, ast.Constant):
            return None
        if isinstance(above, ast.Subscript) and below is above.slice:
            return None
        if isinstance(above, ast.AnnAssign) and below is above.annotation:
            return None
        if isinstance(above, ast.Dict):
            if below in above.keys:
                return None
            key = above.keys[above.values.index(below)]  # type: ignore[arg-type]
            if isinstance(key, ast.Constant) and key.value == "title":
                return True
        if isinstance(above, ast.IfExp) and below is above.test:
            return None
        if isinstance(above, ast.keyword) and above.arg in CODE_KEYS:
            return None
        if isinstance(above, ast.Attribute) and above.attr == "split":
            return None  # a list of names
        if isinstance(above, ast.Call) and below is not above.func:
            called = above.func.attr if isinstance(above.func, ast.Attribute) else getattr(above.func, "id", "")
            return None if called in CODE_CALLS else called in TITLED
        if isinstance(above, ast.Assign) and NAME_CONSTANTS.fullmatch(getattr(above.targets[0], "id", "")):
            return None
        if isinstance(above, ast.stmt | ast.FormattedValue | ast.Lambda):
            return None if isinstance(above, ast.FunctionDef | ast.ClassDef) else False
        below, above = above, parents[above]


def _literal(text: str) -> str:
    """Return a text that is written out as a template: its braces are meant as such unless all name a place."""
    try:
        places = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError:
        places = [""]
    return text if all(map(str.isidentifier, places)) else text.replace("{", "{{").replace("}", "}}")


def _template(node: ast.JoinedStr) -> str:
    parts, used = [], {}
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value).replace("{", "{{").replace("}", "}}"))
        elif isinstance(part, ast.FormattedValue):
            parts.append("{" + _place(ast.unparse(part.value), used) + "}")
    return "".join(parts)


def _place(expression: str, used: dict[str, str]) -> str:
    """Return a name for a place: the last word of its expression, and a number if that is taken."""
    words = [word.strip("_").lower() for word in re.findall(r"[A-Za-z_]{2,}", expression)]
    word = next((word for word in words if word and word not in PASSED_OVER), "what")
    name, number = word, 2
    while used.get(name, expression) != expression:
        name, number = f"{word}_{number}", number + 1
    used[name] = expression
    return name
