"""Session files: every field of the Document comes back, files are found again, what is wrong is told and left."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from models import model_name
from models.types import Refusal, Source
from viewer.saving import session_file
from viewer.saving.session_file import SUFFIX, read, write
from viewer.saving.validation import checked
from viewer.session.dataclass_json import mapped, plain, taken
from viewer.session.document import Document
from viewer.session.document_paths import named

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "assets" / "samples").glob("*.png"))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), max_size=6)  # none of them a path


def every(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, as its annotation says: read here by other means than the code under test."""
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([every(part) for part in get_args(hint)])
    if get_origin(hint) is tuple:
        first, *rest = get_args(hint)
        if rest == [Ellipsis]:
            return st.lists(every(first), max_size=3).map(tuple)
        return st.tuples(every(first), *map(every, rest))
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(cast("Any", hint), **{f.name: every(hints[f.name]) for f in dataclasses.fields(hint)})
    return {
        int: st.integers(-(2**31), 2**31),
        float: st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda v: abs(v) < 2**62),
        bool: st.booleans(),
        str: TEXT,
        type(None): st.none(),
    }[hint]


@hypothesis_settings(max_examples=150)
@given(every(Document))
def test_every_field_of_every_document_comes_back(document: Document) -> None:
    differences: list[str] = []
    assert taken(Document, json.loads(json.dumps(plain(document))), differences.append) == document
    assert differences == []


@hypothesis_settings(max_examples=40)
@given(document=every(Document))
def test_a_document_comes_back_from_a_file(document: Document, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("session") / ("a" + SUFFIX)
    document = checked(document, lambda text: None)
    assert write(path, document) == []
    back = read(path)
    assert back.document == stamped(document)
    assert back.differences == ""


def stamped(document: Document) -> Document:
    """The document with the stamp that each source's file has now."""

    def change(value: Any) -> Any:
        return dataclasses.replace(Source.file(value.path), frame=value.frame) if isinstance(value, Source) else value

    return mapped(document, change)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two pictures, ground truth, and weights with their card."""
    root = tmp_path / "one"
    (root / "pictures").mkdir(parents=True)
    for name, sample in zip("ab", SAMPLES, strict=False):
        shutil.copy(sample, root / "pictures" / f"{name}.png")
    (root / "truth.json").write_text("{}")
    (root / "w.safetensors").write_bytes(b"weights")
    (root / "w.json").write_text('{"name": "w", "architecture": "x", "weights": "w.safetensors", "classes": ["cat"]}')
    return root


def whole(root: Path, **changed: Any) -> Document:
    """A document that names everything in a folder, with paths wherever there can be some."""
    pictures = tuple(Source.file(root / "pictures" / f"{name}.png") for name in "ab")
    model = f"{root / 'w.safetensors'}?activation=relu"
    document = Document(pictures, 1, model=model, truth=Source.file(root / "truth.json"), region=(1.0, 2.0, 3.0, 4.5))
    document = document.with_value("detect", score=0.25, agnostic=True).with_pinned({"iou": 0.5})
    document = document.with_value("match", truth=str(root / "truth.json"))
    document = document.with_latent(
        reals=str(root / "pictures"), folders=(str(root / "pictures"), ""), sought=pictures[0], encoded=pictures[1]
    )
    return dataclasses.replace(document, **changed)


def test_a_folder_with_its_session_may_move(folder: Path, tmp_path: Path) -> None:
    path = folder / ("a" + SUFFIX)
    write(path, whole(folder))
    assert str(folder) not in path.read_text(), "nothing of where it lay is in it"
    assert read(path).document == whole(folder) and not read(path).differences
    folder.rename(tmp_path / "two")
    back = read(tmp_path / "two" / path.name)
    assert back.document == whole(tmp_path / "two") and not back.differences


def test_a_session_alone_may_move(folder: Path, tmp_path: Path) -> None:
    write(folder / ("a" + SUFFIX), whole(folder))
    elsewhere = tmp_path / "far" / "away" / ("a" + SUFFIX)
    elsewhere.parent.mkdir(parents=True)
    write(elsewhere, whole(folder))
    moved = elsewhere.rename(tmp_path / elsewhere.name)
    assert read(moved).document == whole(folder) and not read(moved).differences


def test_what_lies_beside_the_session_is_found_by_its_name(folder: Path, tmp_path: Path) -> None:
    path = folder / ("a" + SUFFIX)
    write(path, whole(folder))
    other = tmp_path / "other"
    other.mkdir()
    for name in ("pictures/a.png", "pictures/b.png", "w.safetensors", "w.json", "truth.json", path.name):
        shutil.copy(folder / name, other)
    back = read(other / path.name)
    assert [Path(s.path) for s in back.document.sources] == [other / "a.png", other / "b.png"]
    assert back.document.model == f"{other / 'w.safetensors'}?activation=relu"
    assert back.missing == ("pictures",) and back.document.latent.reals == ""
    assert back.document.values("detect") == {"agnostic": True, "score": 0.25}, (
        "its settings are those of the model that moved"
    )


def test_what_is_missing_is_named_and_the_rest_opens(folder: Path) -> None:
    path, document = folder / ("a" + SUFFIX), whole(folder)
    write(path, document)
    (folder / "pictures" / "a.png").unlink()
    (folder / "w.safetensors").unlink()
    (folder / "truth.json").unlink()
    back = read(path)
    assert set(back.missing) == {"a.png", "w.safetensors", "truth.json"} and back.changed == ()
    assert all(name in back.differences and f"missing: {name}" in back.details for name in back.missing)
    assert [source.name for source in back.document.sources] == ["b.png"] and back.document.current == 0
    assert back.document.model == Document().model and back.document.truth is None
    assert back.document.region == document.region and back.document.latent.sought is None
    assert back.document.with_model(document.model).values("detect") == document.values("detect")


def test_the_picture_shown_is_gone(folder: Path) -> None:
    path = folder / ("a" + SUFFIX)
    write(path, whole(folder))
    (folder / "pictures" / "b.png").unlink()
    back = read(path).document
    assert [source.name for source in back.sources] == ["a.png"]
    assert back.current == 0 and back.region is None, "what belonged to that picture goes with it"


def test_what_has_changed_is_named_and_opens(folder: Path) -> None:
    path = folder / ("a" + SUFFIX)
    write(path, whole(folder))
    weights = folder / "w.safetensors"
    weights.write_bytes(b"Weights")  # of the same size
    (folder / "w.json").write_text('{"name": "other", "weights": "w.safetensors"}')
    back = read(path)
    assert set(back.changed) == {"w.safetensors", "w.json"} and back.missing == ()
    assert back.document == whole(folder)


def test_the_card_travels_with_the_session(folder: Path) -> None:
    path, card = folder / ("a" + SUFFIX), folder / "w.json"
    body = json.loads(card.read_text())
    write(path, whole(folder))
    card.unlink()
    assert read(path).cards == {folder / "w.safetensors": body}


def test_a_changed_copy_gives_way_to_the_right_one(folder: Path) -> None:
    path = folder / ("a" + SUFFIX)
    write(path, whole(folder))
    shutil.move(folder / "w.safetensors", folder / "kept")
    (folder / "elsewhere").mkdir()
    entry = json.loads(path.read_text())
    entry["files"]["./w.safetensors"]["at"] = str(folder / "kept")
    path.write_text(json.dumps(entry))
    (folder / "w.safetensors").write_bytes(b"others")
    assert read(path).document.model == f"{folder / 'kept'}?activation=relu" and not read(path).changed


def test_a_password_is_never_written(folder: Path) -> None:
    path = folder / ("a" + SUFFIX)
    secret = Source("rtsp://me:secret@host/door")
    left = write(path, whole(folder, sources=(secret, Source("rtsp://host/hall"))))
    assert "secret" not in path.read_text() and len(left) == 1 and "host/door" in left[0] and "secret" not in left[0]
    assert [source.path for source in read(path).document.sources] == ["rtsp://host/hall"]


@pytest.mark.parametrize(
    ("content", "differences"),
    [
        (b"", "empty"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"vitrine_session": 1, "document": ' + b'{"a":' * 90_000 + b"1" + b"}" * 90_000 + b"}", "nested too deeply"),
        (b"\x89PNG", "cannot be read as JSON"),
        (b"[1]", "is not a session"),
        (b'{"vitrine_recipe": 1}', "is not a session"),
        (b'{"vitrine_session": 99}', "format 99"),
        (b'{"vitrine_session": 1, "n": ' + b"9" * 10_000 + b"}", "cannot be read as JSON"),
    ],
)
def test_what_is_no_session_is_refused(content: bytes, differences: str, tmp_path: Path) -> None:
    path = tmp_path / ("a" + SUFFIX)
    path.write_bytes(content)
    with pytest.raises(Refusal, match=differences) as refused:
        read(path)
    assert refused.value.advice


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / ("a" + SUFFIX)
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Refusal, match="larger than 20 MB"):
        read(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PARTS: dict[str, Any] = plain(Document(sources=(Source("/a/b.png"),)))


@given(st.dictionaries(st.sampled_from([*PARTS, "sources", "view", "latent", "maps", "new"]), JSON, max_size=4))
def test_wrong_values_are_told_and_replaced(given: dict[str, Any]) -> None:
    differences: list[str] = []
    document = checked(taken(Document, {**PARTS, **given}, differences.append), differences.append)
    assert taken(Document, plain(document), pytest.fail) == document
    for name in set(given) - {"new"}:
        kept = json.dumps(plain(getattr(document, name))) == json.dumps(given[name])
        assert kept or differences or isinstance(given[name], dict) or name in ("current", "look"), (name, given[name])


def test_unknown_keys_and_wrong_values_are_named(tmp_path: Path) -> None:
    path = tmp_path / ("a" + SUFFIX)
    view = {"labels": "yes", "anchors": "sideways", "shiny": 1, "truth_iou": 0.25}
    sources = [{"path": "\0"}, 3, {"frame": 1}]
    path.write_text(json.dumps({session_file.MARK: 1, "document": {"view": view, "sources": sources, "current": 9}}))
    back = read(path)
    assert back.document.view == dataclasses.replace(Document().view, truth_iou=0.25)
    assert len(back.document.sources) == 1 and back.document.current == 0
    said = "\n".join(back.notes)
    assert len(back.notes) == 5 and all(w in said for w in ("labels", "sideways", "shiny", "sources[1]", "sources[2]"))


PLAIN = [
    "workspace",
    "opened",
    "translated",
    "region_label",
    "method",
    "target",
    "against",
    "part",
    "layer",
    "anchors",
    "compare",
    "figures",
    "inside",
    "truth_shown",
    "unfit",
    "methods",
    "classes",
    "found",
    "scale",
    "code",
    "path",
    "easing",
    "around",
    "aside",
    "kept",
    "sign",
    "colours",
    "inspection",
    "pinned",
]


def test_every_text_that_may_be_a_path_is_known() -> None:
    """A new text among the fields must be put either here or where paths are moved."""
    texts: list[str] = []
    moved_to: set[str] = set()

    def build(kind: Any, name: str) -> Any:
        if kind is str:
            texts.append(f"/{name}/{len(texts)}.pt")
            return texts[-1]
        if get_origin(kind) in (Union, UnionType):
            first = next((p for p in get_args(kind) if dataclasses.is_dataclass(p)), None)
            return build(first or (str if str in get_args(kind) else type(None)), name)
        if get_origin(kind) is tuple:
            return tuple(build(part, name) for part in get_args(kind) if part is not Ellipsis)
        if dataclasses.is_dataclass(kind):
            hints = get_type_hints(kind)
            return cast("Any", kind)(**{f.name: build(hints[f.name], f.name) for f in dataclasses.fields(kind)})
        return {int: 0, float: 0.0, bool: False, type(None): None}[kind]

    document = build(Document, "")
    moved_to |= named(document)
    left = [text for text in texts if text not in moved_to and text.split("/")[1] not in PLAIN]
    assert {text.split("/")[1] for text in left} == {"settings", "params"}, left
    assert {text.split("/")[1] for text in moved_to} == {"path", "model", "beside", "reals", "folders", "settings"}


def test_the_model_beside_travels_and_may_be_gone(folder: Path) -> None:
    path, document = folder / ("a" + SUFFIX), Document(beside=str(folder / "w.safetensors"))
    write(path, document)
    assert str(folder) not in path.read_text() and read(path).document == document
    (folder / "w.safetensors").unlink()
    assert read(path).document == Document() and read(path).missing == ("w.safetensors",)


def test_code_and_its_weights_move_together(tmp_path: Path) -> None:
    root = tmp_path / "a b"
    root.mkdir()
    (root / "net.py").write_text("def build(): ...")
    (root / "w.pth").write_bytes(b"w")
    name = model_name.join(f"{root / 'net.py'}:build", {"weights": str(root / "w.pth"), "device": "cpu"})
    document = Document(model=name).with_value("detect", score=0.5)
    write(root / ("a" + SUFFIX), document)
    assert str(root) not in (root / ("a" + SUFFIX)).read_text()
    root.rename(tmp_path / "c")
    wanted = model_name.join(
        f"{tmp_path / 'c' / 'net.py'}:build", {"weights": str(tmp_path / "c" / "w.pth"), "device": "cpu"}
    )
    back = read(tmp_path / "c" / ("a" + SUFFIX))
    assert back.document == Document(model=wanted).with_value("detect", score=0.5)
    (tmp_path / "c" / "w.pth").unlink()
    back = read(tmp_path / "c" / ("a" + SUFFIX))
    assert back.missing == ("w.pth",) and back.document.model == Document().model
