"""The rules of the house, read off the imports: who may know whom, how long a file may be, what may start or print."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TORCH = {"torch", "torchvision", "captum", "cv2"}
QT = {"PySide6", "pyqtgraph", "shiboken6"}
MOST_LINES = 600
FILES = sorted(p for folder in ("models", "viewer", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py"))
FILES += [ROOT / "main.py", ROOT / "vitrine.py"]


@cache
def imports(path: Path, *, top: bool = False) -> frozenset[str]:
    """Return the modules a file imports; with `top`, only those it imports when it is itself imported."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = _top(tree.body) if top else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def _top(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        found.append(node)
        for part in ("body", "orelse"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found += _top(getattr(node, part, []))
    return found


def packages(modules: Collection[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def under(*folders: str) -> list[Path]:
    return [p for p in FILES if p.relative_to(ROOT).parts[: len(folders)] == folders]


def test_models_never_know_the_window() -> None:
    for path in under("models"):
        assert not packages(imports(path)) & (QT | {"viewer"}), path


def test_the_window_never_knows_torch() -> None:
    for path in under("viewer"):
        assert not packages(imports(path)) & TORCH, path


@pytest.mark.parametrize("room", ["session", "saving", "presenters"])
def test_state_files_and_presenters_know_no_qt(room: str) -> None:
    assert under("viewer", room)
    for path in under("viewer", room):
        assert not packages(imports(path)) & QT, path
    assert not packages(imports(ROOT / "viewer" / "canvas" / "layers.py")) & QT


@pytest.mark.parametrize(
    "folder",
    [("viewer", "panels"), ("models", "adapters"), ("models", "inspections"), ("models", "attributions", "methods")],
    ids="/".join,
)
def test_siblings_never_import_each_other(folder: tuple[str, ...]) -> None:
    allowed = {".".join((*folder, name)) for name in ("base", "registry")}
    for path in under(*folder):
        if "base" in path.relative_to(ROOT.joinpath(*folder)).parts:
            continue
        own = {name for name in imports(path) if name.startswith(".".join(folder) + ".")}
        assert not {n for n in own if not any(n == a or n.startswith(a + ".") for a in allowed)}, path


def test_panels_never_know_the_window_its_menus_the_session_or_its_jobs() -> None:
    above = ("viewer.app", "viewer.window", "viewer.menus")
    running = {"session", "job_queue", "engine_process", "live_playback"}
    for path in under("viewer", "panels"):
        for name in imports(path):
            assert not name.startswith(above), (path, name)
            assert name not in {f"viewer.session.{module}" for module in running}, (path, name)


def test_only_the_engines_process_and_the_reader_of_videos_start_threads_or_processes() -> None:
    """And a pass over a data set its workers, in one place: the engine is daemonic, so it has no others."""
    starting = {
        ROOT / "models" / "dataset_pass" / "worker_processes.py",
        ROOT / "models" / "embedding_maps" / "outside_layouts.py",
        ROOT / "viewer" / "session" / "engine_process.py",
        ROOT / "viewer" / "session" / "engine_start.py",
        ROOT / "models" / "live" / "reader.py",
        ROOT / "viewer" / "session" / "reading_process.py",
    }
    found = set()
    starters = {"Thread", "Process", "ThreadPoolExecutor", "ProcessPoolExecutor", "Popen", "QThread", "fork"}
    for path in (*under("models"), *under("viewer")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name.split(".")[-1] in starters or name.startswith("subprocess"):
                    found.add(path)
    assert found == starting


def test_every_panel_is_explained() -> None:
    """Here too, because every landing runs this file: a panel without help leaves tests/contracts/test_help.py red."""
    entries = (ROOT / "viewer" / "panels" / "registry.py", ROOT / "viewer" / "session" / "generative_panels.py")
    registry = "".join(path.read_text(encoding="utf-8") for path in entries)
    told = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "viewer" / "help").glob("*_help.py"))
    for name in re.findall(r'PanelEntry\(\s*"(\w+)"', registry):
        assert f'"{name}": PanelHelp(' in told, f"give {name} two sentences and a paper in viewer/help/panel_help.py"
        drawn = ROOT / "assets" / "help" / f"{name}.svg"
        assert drawn.exists(), f"draw {drawn.name} for the help on {name}, 240 x 96, in the colours of its neighbours"


def test_only_main_prints_and_exits() -> None:
    for path in (*under("models"), *under("viewer")):
        if "training" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"print", "sys.exit", "exit", "os._exit"}, path


def test_every_room_says_what_it_may_import_and_keeps_to_it() -> None:
    """Its `__init__.py` says "May import viewer.theme and the vocabulary.", which are the files right in models/."""
    modules = {_module(path): path for path in (*under("models"), *under("viewer"))}
    rooms = {_module(path): path.parent for path in modules.values() if path.name == "__init__.py"}
    assert {folder for path in modules.values() for folder in [path.parent]} == set(rooms.values())
    for room, folder in rooms.items():
        if room in ("models.training", "viewer.widgets"):
            continue
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        said = re.search(r"May import (.+?)\.(?= |$)", " ".join(text.split()))
        assert said, f"{room} does not say what it may import"
        may, _, never = said[1].partition(" but ")
        barred = re.findall(r"\b(?:models|viewer)\.[a-z_.]+", never)
        named = set(re.findall(r"\b(?:models|viewer)\.[a-z_.]+", may))
        assert all(name in rooms or name in modules for name in named), (room, named)
        whole = re.findall(r"every room of (models|viewer)", may) + re.findall(r"and of (models|viewer)", may)
        for path in folder.glob("*.py"):
            for other in _imported(_module(path), path, modules):
                place = _module(modules[other].parent / "__init__.py") if other not in rooms else other
                allowed = place == room or other.split(".")[0] in whole or (place == "models" and "vocabulary" in may)
                allowed = allowed or any(other == name or f"{place}.".startswith(f"{name}.") for name in named)
                assert allowed and not any(f"{place}.".startswith(f"{name}.") for name in barred), (
                    path,
                    other,
                    said[0],
                )


def test_there_are_few_rooms_and_few_files_outside_them() -> None:
    rooms = {path.relative_to(ROOT / "viewer").parts[0] for path in under("viewer") if path.parent != ROOT / "viewer"}
    flat = [path for path in (ROOT / "models").glob("*.py") if path.name != "__init__.py"]
    assert len(rooms) <= 12 and len(flat) <= 12


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Every import counts: those of types only, those within functions, and those by a module's name in a string."""
    modules = {_module(path): path for path in (*under("models"), *under("viewer"))}
    known = {name: _imported(name, path, modules) for name, path in modules.items()}
    assert sum(map(len, known.values())) > len(modules)
    done: set[str] = set()
    for first, others in known.items():
        way: list[str] = []
        waiting = [(first, iter(sorted(others)))]
        while waiting:
            name, rest = waiting[-1]
            if name not in way:
                way.append(name)
            following = next((each for each in rest if each not in done), None)
            if following is None:
                done.add(name)
                way.remove(name)
                waiting.pop()
                continue
            assert following not in way, " -> ".join([*way[way.index(following) :], following])
            waiting.append((following, iter(sorted(known[following]))))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Return which of the modules a file imports: the most exact ones, so that a package is not all that is in it."""
    found = imports(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            given = node.args[0]
            found |= {given.value} if isinstance(given, ast.Constant) and isinstance(given.value, str) else set()
    exact = {each for each in found if each in modules}
    return {each for each in exact if not any(other.startswith(f"{each}.") for other in exact)} - {name}


def test_main_imports_neither_qt_nor_torch_at_the_top() -> None:
    assert not packages(imports(ROOT / "main.py", top=True)) & (QT | TORCH | {"models", "viewer"})


def test_captum_is_imported_at_its_first_use_and_onnxruntime_never() -> None:
    """One file has a class of captum's to inherit, and is itself imported within functions only."""
    early = "models.attributions.concept_classifier"
    for path in (*under("models"), *under("viewer"), ROOT / "main.py", ROOT / "vitrine.py"):
        top = imports(path, top=True)
        assert "captum" not in packages(top) or _module(path) == early, path
        assert early not in top, path
        assert "onnxruntime" not in packages(imports(path)), path


def test_files_are_short_and_say_what_they_are() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MOST_LINES, path
        assert ast.get_docstring(ast.parse(text)), path


def test_weights_are_read_in_one_place() -> None:
    for path in under("models"):
        if path.name in ("weights.py", "store.py"):
            continue
        calls = {ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)}
        assert not calls & {"torch.load", "load_file", "safetensors.torch.load_file", "pickle.load"}, path


def test_a_window_that_is_shown_has_imported_only_what_is_in_view(tmp_path: Path) -> None:
    """Never torch; no plots, and no panels but those in view, until one is wanted."""
    code = (
        "import sys, os\n"
        "from argparse import Namespace\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from viewer.app import Mailbox, build\n"
        "from viewer.session.session import Session\n"
        "class Silent:\n"
        "    def start(self, post): pass\n"
        "    def submit(self, number, request): pass\n"
        "    def reaches(self, path): return True\n"
        "    def cancel(self, number): pass\n"
        "    def stop(self): pass\n"
        "app = QApplication([])\n"
        "session, mail = Session(Silent()), Mailbox()\n"
        "session.begin(mail.post, [])\n"
        "window = build(app, session, mail)\n"
        "window.show()\n"
        "app.processEvents()\n"
        "later = ('torch', 'torchvision', 'captum', 'cv2', 'pyqtgraph', 'http.client', 'ssl')\n"
        "bad = [m for m in later if m in sys.modules]\n"
        "seen = {'base', 'registry', 'detection', 'anchors'}\n"
        "bad += [m for m in sys.modules if m.startswith('viewer.panels.') and m.split('.')[-1] not in seen]\n"
        "bad += [m for m in ('viewer.widgets.dialogs.zoo_dialog', 'viewer.panels.second_model') if m in sys.modules]\n"
        "window.close()\n"
        "sys.exit(f'imported: {bad}' if bad else 0)\n"
    )
    environment = {"VITRINE_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


# What else writes: to a pipe of the kernel, to what another machine sends.
WRITERS = {"models/output_files.py", "models/runtime/memory_limits.py", "models/zoo/download.py"}
WRITERS |= {"viewer/saving/crash_recovery.py", "models/engine/process.py", "models/engine/part_worker.py"}
WRITERS |= {"models/embedding_maps/layout_program.py"}  # a pipe


def test_files_are_written_by_one_module() -> None:
    """Every file is written whole or not at all, so nothing is opened for writing or saved by name anywhere else."""
    found = {}
    for path in (*under("models"), *under("viewer"), ROOT / "main.py"):
        writes = [ast.unparse(n)[:90] for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if _writes(n)]
        if writes and path.relative_to(ROOT).as_posix() not in WRITERS:
            found[path.relative_to(ROOT).as_posix()] = writes
    assert not found


def _writes(node: ast.AST) -> bool:
    """Tell whether a node is a call that makes or changes a file by its name."""
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if last in ("setFileName", "imwrite", "savefig", "tofile", "save_file", "savetxt", "mkstemp", "NamedTemporaryFile"):
        return True
    if last in ("write_text", "write_bytes", "touch", "copyfile", "copy2", "QSaveFile", "FileHandler"):
        return True
    if name in ("np.save", "np.savez", "np.savez_compressed", "torch.save", "shutil.copy", "shutil.move"):
        return not (node.args and ast.unparse(node.args[0]) in IN_MEMORY)
    if last == "save" and node.args:
        return ast.unparse(node.args[0]) not in IN_MEMORY
    if last in ("open", "fdopen") and (name in ("open", "io.open", "os.fdopen") or "." in name) and name != "os.open":
        written = part_of(node)
        return bool(set(_mode(node)) & set("wax+")) and not written
    return last in ("VideoWriter", "write_frames") and "_part" not in ast.unparse(node)


IN_MEMORY = ("file", "content", "state")  # what a BytesIO, a QBuffer or a dictionary is called here


def part_of(node: ast.Call) -> bool:
    """Tell whether a file that is opened is one that takes its place in the end."""
    return isinstance(node.func, ast.Attribute) and ".part(" in ast.unparse(node.func.value)


def _mode(node: ast.Call) -> str:
    given = [k.value for k in node.keywords if k.arg == "mode"]
    place = 0 if isinstance(node.func, ast.Attribute) and ast.unparse(node.func) not in ("io.open", "os.fdopen") else 1
    given += node.args[place : place + 1]
    text = given[0].value if given and isinstance(given[0], ast.Constant) else ""
    return text if isinstance(text, str) and len(text) <= 3 else ""
