"""Class names in the files that people keep them in: each form gives the same names, or says that there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.cards import class_list
from models.types import Refusal

NAMES = ("cat", "dog", "bird")
SYNSETS = ("n02123045", "n02084071", "n01503061")
FORMS = {
    "plain.txt": "cat\ndog\nbird\n",
    "windows.names": "cat\r\ndog\r\nbird\r\n",
    "list.json": json.dumps(NAMES),
    "imagenet_class_index.json": json.dumps({str(n): [SYNSETS[n], name] for n, name in enumerate(NAMES)}),
    "by_number.json": json.dumps({str(n): name for n, name in enumerate(NAMES)}),
    "by_name.json": json.dumps({name: n for n, name in enumerate(NAMES)}),
    "config.json": json.dumps({"hidden": 5, "id2label": {"1": "dog", "0": "cat", "2": "bird"}, "label2id": {"cat": 0}}),
    "coco.json": json.dumps(
        {"images": [], "categories": [{"id": 9, "name": "bird"}, {"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]}
    ),
    "supervisely.json": json.dumps({"classes": [{"title": name, "shape": "any"} for name in NAMES], "tags": []}),
    "data.yaml": "train: x\nnc: 3\nnames: ['cat','dog','bird']\n",
    "numbered.yaml": "names:\n  0: cat\n  1: dog\n  2: bird\n",
    "list.yaml": "- cat\n- dog\n- bird\n",
    "map.pbtxt": "".join(f"item {{\n  id: {n}\n  name: '{name}'\n}}\n" for n, name in enumerate(NAMES, 1)),
    "open_images.pbtxt": "".join(
        f'item {{\n  name: "/m/0{n}"\n  id: {n}\n  display_name: "{name}"\n}}\n' for n, name in enumerate(NAMES, 1)
    ),
    "synset_words.txt": "".join(f"{code} {name}\n" for code, name in zip(SYNSETS, NAMES, strict=True)),
    "words.txt": "".join(f"{code}\t{name}\n" for code, name in zip(SYNSETS, NAMES, strict=True)),
    "number_first.txt": "0 cat\n1 dog\n2 bird\n",
    "from_one.txt": "1: cat\n2: dog\n3: bird\n",
    "number_last.txt": "dog 1\ncat 0\nbird 2\n",
    "classes.csv": "id,name\n0,cat\n1,dog\n2,bird\n",
    "retinanet.csv": "cat,0\ndog,1\nbird,2\n",
    "other_order.csv": "name,id\nbird,2\ncat,0\ndog,1\n",
    "one_line.txt": "cat, dog, bird\n",
    "quoted.txt": "'cat',\n'dog',\n'bird',\n",
    "python.txt": "{0: 'cat',\n 1: 'dog',\n 2: 'bird'}\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\ncat:0,0,0::\ndog:128,0,0::\nbird:0,128,0::\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_names_in_label_order(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FORMS[name], encoding="utf-8")
    assert class_list.read(tmp_path / name) == NAMES


@pytest.mark.parametrize("text", ["tench, Tinca tinca\ncock\n", "3\n5\n7\n", "2 wheeler\n3 wheeler\n", "a: b\nc\n"])
def test_names_with_commas_and_numbers_stay_as_they_are(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.txt").write_text(text, encoding="utf-8")
    assert class_list.read(tmp_path / "names.txt") == tuple(text.splitlines())


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-16", NAMES),
        ("utf-8-sig", NAMES),
        ("cp949", ("고양이", "강아지", "사람", "자동차")),
        ("gb18030", ("汽车", "行人", "公共汽车", "狗")),
        ("cp1252", ("caf\u00e9", "\u00fcbung")),
    ],
)
def test_other_encodings(tmp_path: Path, encoding: str, names: tuple[str, ...]) -> None:
    (tmp_path / "names.txt").write_bytes("\n".join(names).encode(encoding))
    assert class_list.read(tmp_path / "names.txt") == names


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.xml", b"<a/>"),
        ("weights.bin", b"\0\1\2\3"),
        ("settings.json", b'{"lr": 0.1, "act": "relu"}'),
        ("deep.json", b"[" * 100_000),
        ("twice.json", b'{"cat": 0, "dog": 0}'),
        ("alias.yaml", b"names: &a [cat]\nmore: *a\n"),
        ("empty.json", b"[]"),
    ],
)
def test_a_file_without_names_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal, match="class names") as refused:
        class_list.read(tmp_path / name)
    assert "one name a line" in refused.value.advice
