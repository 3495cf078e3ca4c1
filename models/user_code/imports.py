"""What the user's code may import from beside itself: Python source that was allowed, compiled from the checked bytes.

Python's own loaders are given a check before they load, for they are what every way of importing ends in: `import`,
`importlib` by name and by file. It holds for all that is not installed: beside a file that has run, in folders that
code adds to the path. Of that nothing is taken from `.pyc` files, and extension modules and archives are refused;
extension modules that libraries compile into their caches are not.
"""

from __future__ import annotations

import importlib.machinery
import os
import site
import sys
import sysconfig
import zipimport
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models import files
from models.runtime.module_paths import ROOT
from models.types import Refusal
from models.user_code import consent, source

INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
OURS = ("models", "viewer", "main.py", "vitrine.py")

_folders: set[str] = set()
_installed: set[str] = set()
_packages: set[str] = set()  # of these the folders of Python's own library and of what pip installs
_loaded: dict[Path, None] = {}


class NotSource(Refusal, ImportError):  # noqa: N818 - an expected answer
    """What would be imported is no Python source: code that can do without it may catch this as an ImportError."""


def guard(folder: Path) -> None:
    """Have everything that is imported from a folder checked from now on, and all else that is not installed."""
    if not _installed:
        _install()
    _folders.update(place for place in _both(str(folder)) if not _depth(place, _packages))


def trust(place: str) -> None:
    """Take a folder or file for installed: a package that offers itself is."""
    if not _installed:
        _install()
    _installed.update(_both(place))


def forget() -> None:
    """Begin a new list of what was imported."""
    _loaded.clear()


def loaded() -> tuple[Path, ...]:
    """Return the files that were imported under the check since the list was begun."""
    return tuple(_loaded)


def is_checked(path: str) -> bool:
    """Tell whether a file is beside code of the user's, or otherwise not installed."""
    place = os.path.abspath(path)  # noqa: PTH100 - links are followed by nobody: the place counts where it is found
    installed = _depth(place, _installed)
    return not installed or _depth(place, _folders) >= installed


def _is_beside(path: str) -> bool:
    """Tell whether a file lies beside code of the user's, or in a folder that code has added to the path."""
    added = {place for entry in sys.path for place in _both(entry or ".")} - _installed
    return is_checked(path) and bool(_depth(os.path.abspath(path), _folders | added))  # noqa: PTH100


def _depth(place: str, folders: set[str]) -> int:
    """Return the length of the innermost of some folders that a place is in, 0 for none."""
    around = (each for each in folders if place == each or place.startswith(each.rstrip(os.sep) + os.sep))
    return max(map(len, around), default=0)


def _both(place: str) -> set[str]:
    return {os.path.abspath(place), os.path.realpath(place)}  # noqa: PTH100


def _install() -> None:
    """Remember what is installed, as it is before any code of the user's has run, and check from now on."""
    paths = sysconfig.get_paths()
    for place in (*(paths[name] for name in INSTALLED), site.getusersitepackages()):
        _packages.update(_both(place))
    _installed.update(_packages)
    places = [*sys.path, *(str(ROOT / name) for name in OURS)]
    for finder in sys.meta_path:  # of packages that are installed where they are edited
        mapping = getattr(sys.modules.get(getattr(finder, "__module__", "")), "MAPPING", None)
        places += map(str, mapping.values()) if isinstance(mapping, dict) else ()
    for place in places:
        _installed.update(_both(place) if place else ())
    for kind, method, concerns, check in (
        (importlib.machinery.SourceFileLoader, "get_code", is_checked, _source),
        (importlib.machinery.SourcelessFileLoader, "get_code", is_checked, _refused),
        (importlib.machinery.ExtensionFileLoader, "create_module", _is_beside, _refused),
        (zipimport.zipimporter, "get_code", is_checked, _archived),
        (zipimport.zipimporter, "load_module", is_checked, _archived),
    ):
        setattr(kind, method, _checked(getattr(kind, method), concerns, check))


def _checked(original: Callable[..., Any], concerns: Callable[[str], bool], check: Callable[[str], Any]) -> Any:
    def load(loader: Any, *given: Any, **named: Any) -> Any:
        path = str(getattr(loader, "path", None) or getattr(loader, "archive", ""))
        return check(path) if concerns(path) else original(loader, *given, **named)

    return load


def _source(path: str) -> Any:
    """Return the code of a file that was allowed. Raises Consent."""
    file = Path(path)
    content = files.check(file, empty=True).read_bytes()
    consent.check(file, content, why="It is imported by code that may run.")
    _loaded[file] = None
    return compile(source.runnable(source.tree(content, file.name)), path, "exec", dont_inherit=True)


def _refused(path: str) -> Any:
    name = Path(path).name
    text = f"{name} is not imported: it is not Python source, so what it does cannot be read before it is allowed."
    raise NotSource(text, advice="Put its source beside the code, or install it as a package.")


def _archived(path: str) -> Any:
    text = f"Nothing is imported from the archive {Path(path).name}: what lies in it cannot be allowed file by file."
    raise NotSource(text, advice="Unpack it beside the code.")
