"""Nothing beside the user's code is imported unless it was allowed, in whatever way it is imported; and no binary."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import py_compile
import sys
import zipfile
from pathlib import Path

import pytest

from models import files
from models.engine import registry
from models.types import Refusal
from models.user_code import consent, helpers

BUILD = "from torchvision.models import resnet18\n{more}\ndef build():\n    return resnet18(num_classes=count())\n"
FORMS = {
    "from import": ("from helper import count", ("helper.py",)),
    "import": ("import helper as h\ncount = lambda: h.count()", ("helper.py",)),
    "in a function": ("def count():\n    from helper import count as c\n    return c()", ("helper.py",)),
    "importlib": ("import importlib\ncount = importlib.import_module('helper').count", ("helper.py",)),
    "__import__": ("count = __import__('helper').count", ("helper.py",)),
    "package": ("from parts import count", ("parts/__init__.py",)),
    "module of a package": ("from parts.inner import count", ("parts/__init__.py", "parts/inner.py")),
    "from a package": ("from parts import inner\ncount = inner.count", ("parts/__init__.py", "parts/inner.py")),
    "relative in a package": ("from relative import count", ("relative/__init__.py", "relative/inner.py")),
    "up in a package": ("from upper.low.deep import count", ("upper/inner.py", "upper/low/deep.py")),
    "without __init__": ("from plain.inner import count", ("plain/inner.py",)),
    "helper of a helper": ("from outer import count", ("helper.py", "outer.py")),
    "name of an installed module": ("from antigravity import count", ("antigravity.py",)),
    "name of ours": ("from models.nets import count", ("models/__init__.py", "models/nets.py")),
}
UNFORESEEN = {
    "computed name": "import importlib\ncount = importlib.import_module('hel' + 'per').count",
    "by its file": (
        "import importlib.util as u, pathlib\ns = u.spec_from_file_location('x', pathlib.Path(FOLDER) / 'helper.py')\n"
        "m = u.module_from_spec(s)\ns.loader.exec_module(m)\ncount = m.count"
    ),
    "a folder put on the path": "import sys\nsys.path.insert(0, FOLDER + '/../lib')\nfrom elsewhere import count",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which every file leaves a trace when it runs."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    root = tmp_path / "project"
    trace = f"with open({str(tmp_path / 'ran')!r}, 'a') as trace:\n    trace.write(__file__ + '\\n')\n"
    plain = trace + "def count():\n    return 3\n"
    contents = {
        "helper.py": plain,
        "outer.py": trace + "from helper import count\n",
        "antigravity.py": plain,
        "parts/__init__.py": plain,
        "parts/inner.py": plain,
        "relative/__init__.py": trace + "from . import inner\nfrom .inner import count\n",
        "relative/inner.py": plain,
        "upper/low/deep.py": trace + "from ..inner import count\n",
        "upper/inner.py": plain,
        "plain/inner.py": plain,
        "models/__init__.py": trace,
        "models/nets.py": plain,
        "../lib/elsewhere.py": plain,
    }
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def written(folder: Path, more: str) -> Path:
    code = folder / "code.py"
    code.write_text(BUILD.format(more=more.replace("FOLDER", repr(str(folder)))))
    return code


def ran(folder: Path) -> list[str]:
    trace = folder.parent / "ran"
    return trace.read_text().splitlines() if trace.exists() else []


def allow_alone(path: Path) -> None:
    consent.allow(path, files.sha256(path))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_imported_needs_consent_and_one_covers_it_all(folder: Path, form: str) -> None:
    more, expected = FORMS[form]
    code = written(folder, more)
    allow_alone(code)
    with pytest.raises(consent.Consent, match=r", which code\.py imports, holds code") as asked:
        registry.open_model(f"{code}:build")
    assert asked.value.offer == ("allow", str(code), files.sha256(code))
    assert not ran(folder)
    given = helpers.allow(code)
    assert sorted(given) == sorted((code, *(folder / name for name in expected)))
    assert registry.open_model(f"{code}:build").net.fc.out_features == 3
    assert set(ran(folder)) == {str(folder / name) for name in expected}


@pytest.mark.parametrize("form", UNFORESEEN)
def test_what_cannot_be_foreseen_is_asked_for_when_it_is_imported(folder: Path, form: str) -> None:
    code = written(folder, UNFORESEEN[form])
    assert list(helpers.allow(code)) == [code]
    with pytest.raises(consent.Consent, match=r"^(helper|elsewhere)\.py holds code") as asked:
        registry.open_model(f"{code}:build")
    assert not ran(folder)
    _, path, digest = asked.value.offer
    consent.allow(Path(path), digest)
    assert registry.open_model(f"{code}:build").net.fc.out_features == 3
    assert ran(folder)


@pytest.mark.parametrize("name", ["helper.py", "outer.py"])
def test_a_helper_that_changed_is_asked_about_again(folder: Path, name: str) -> None:
    code = written(folder, "from outer import count")
    helpers.allow(code)
    registry.open_model(f"{code}:build")
    before = ran(folder)
    old = (folder / name).read_text()
    (folder / name).write_text(old + "# more\n")
    with pytest.raises(consent.Consent, match=rf"^{name}, which code\.py imports"):
        registry.open_model(f"{code}:build")
    assert ran(folder) == before
    assert consent.before(folder / name)[1] == old
    (folder / name).write_text(old)
    assert registry.open_model(f"{code}:build").net.fc.out_features == 3


def test_a_helper_that_changes_while_the_code_runs_is_not_run(folder: Path) -> None:
    more = "import pathlib\nfile = pathlib.Path(FOLDER) / 'helper.py'\nsize = file.write_text(file.read_text() + '#')"
    code = written(folder, f"{more}\nfrom helper import count")
    helpers.allow(code)
    with pytest.raises(consent.Consent, match=r"helper\.py holds code"):
        registry.open_model(f"{code}:build")
    assert not ran(folder)


@pytest.mark.parametrize("unchecked", [True, False])
def test_a_compiled_file_beside_a_helper_is_not_taken_for_it(folder: Path, *, unchecked: bool) -> None:
    helper = folder / "helper.py"
    plain = helper.read_text()
    mode = py_compile.PycInvalidationMode
    helper.write_text(plain.replace("3", "7"))
    stamp = helper.stat()
    cache = Path(importlib.util.cache_from_source(str(helper)))
    wanted = mode.UNCHECKED_HASH if unchecked else mode.TIMESTAMP
    py_compile.compile(str(helper), str(cache), invalidation_mode=wanted)
    helper.write_text(plain)
    os.utime(helper, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    code = written(folder, "from helper import count")
    helpers.allow(code)
    assert registry.open_model(f"{code}:build").net.fc.out_features == 3


def test_no_compiled_file_extension_or_archive_is_imported(folder: Path) -> None:
    helper = folder / "helper.py"
    py_compile.compile(str(helper), str(folder / "compiled.pyc"))
    (folder / f"binary{importlib.machinery.EXTENSION_SUFFIXES[0]}").write_bytes(b"\x7fELF")
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        archive.write(helper, "inside.py")
    for more, words in (
        ("from compiled import count", r"compiled\.pyc is not imported: it is not Python source"),
        ("from binary import count", "binary.* is not imported: it is not Python source"),
        ("import sys; sys.path.insert(0, FOLDER + '/packed.zip')\nfrom inside import count", r"archive packed\.zip"),
    ):
        code = written(folder, more)
        helpers.allow(code)
        with pytest.raises(Refusal, match=words):
            registry.open_model(f"{code}:build")
    assert not ran(folder)
    code = written(folder, "try:\n    from binary import count\nexcept ImportError:\n    from helper import count")
    helpers.allow(code)
    assert registry.open_model(f"{code}:build").net.fc.out_features == 3


def test_a_helper_imported_late_is_checked_too(folder: Path) -> None:
    """Once the network answers, its folder is not on the path, but a package of it knows where its modules are."""
    (folder / "late.py").write_text("")
    (folder / "parts/__init__.py").write_text(
        "import importlib\ndef count():\n    return 3\ndef late():\n    importlib.import_module('parts.in' + 'ner')\n"
    )
    code = written(
        folder,
        "from parts import count, late\nimport torch\nclass Net(torch.nn.Module):\n"
        "    def forward(self, x):\n        late()\n        return x\n",
    )
    helpers.allow(code)
    from models.user_code import run

    net = run.run(code).module.Net()
    with pytest.raises(consent.Consent, match=r"inner\.py holds code"):
        net(1)
    assert not ran(folder)


def test_code_without_helpers_keeps_its_consent(folder: Path) -> None:
    code = written(folder, "def count():\n    return 3")
    allow_alone(code)
    assert helpers.found(code, code.read_bytes()) == ()
    assert registry.open_model(f"{code}:build").net.fc.out_features == 3


def test_finding_helpers_is_bounded_and_stops_at_nothing_odd(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    (folder / "loop.py").symlink_to("loop.py")
    (folder / "broken.py").write_text("x = (")
    code = written(folder, "import pipe, loop, broken, helper, code")
    assert helpers.found(code, code.read_bytes()) == (folder / "broken.py", folder / "helper.py")
    for number in range(helpers.MOST_FILES + 1):
        (folder / f"m{number}.py").write_text("")
    code = written(folder, "\n".join(f"import m{number}" for number in range(helpers.MOST_FILES + 1)))
    with pytest.raises(Refusal, match="imports more than 500 files"):
        helpers.found(code, code.read_bytes())


def test_allow_on_the_command_line_names_every_file(folder: Path) -> None:
    from models import command_line

    code = written(folder, "from outer import count")
    said: list[str] = []
    command_line.named(f"{code}:build", {}, allow=True, say=said.append)
    paths = [code, folder / "helper.py", folder / "outer.py"]
    assert said == [f"Allowed: {path} (SHA-256 {files.sha256(path)})" for path in paths]
    assert set(consent.allowed()) == {files.sha256(path) for path in paths}
