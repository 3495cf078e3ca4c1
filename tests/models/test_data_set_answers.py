"""Questions about data sets through the engine: neighbours, the pass, flaws, export; planted answers are found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import NearestNeighbors

import main
from models.engine.engine import Engine
from models.requests import Request
from models.types import Failure, Result, Source


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue noise by class, with a wrong label, a copy and a file that is no picture."""
    place = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for number in range(24):
        colour = number % 2
        pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        pixels[..., 2 * colour] += 180
        where = 1 - colour if number == 4 else colour
        path = place / ("red", "blue")[where] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    shutil.copy(place / "red" / "0.png", place / "red" / "copy.png")
    (place / "blue" / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    return place


def asked(engine: Engine, inspection: str, about: Path, **settings: Any) -> Any:
    request = Request.make(inspection, "photos-resnet", Source.file(about), settings)
    answer = engine.run(request)
    while isinstance(answer, Result) and answer.meta.get("partial"):
        engine.finish_idle()
        answer = engine.run(request)
    return answer


def test_neighbours_equal_scikit_learns_over_the_exported_vectors(engine: Engine, folder: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    query = folder / "red" / "2.png"
    found = asked(engine, "neighbours", query, folder=str(folder), count=6)
    assert main.main(["run", "embed", str(folder), "--model", "photos-resnet", "--out", str(tmp_path)]) == 0
    name = f"{folder.name}.embed"
    vectors, table = np.load(tmp_path / f"{name}.npy"), parquet.read_table(tmp_path / f"{name}.parquet")
    paths = table.column("image").to_pylist()
    good = np.flatnonzero(~np.isnan(vectors[:, 0]))
    assert len(paths) == len(vectors) == 26 and len(good) == 25
    oracle = NearestNeighbors(n_neighbors=7, algorithm="brute", metric="cosine").fit(vectors[good].astype(np.float64))
    own = paths.index(str(query))
    far, rows = oracle.kneighbors(vectors[[own]].astype(np.float64))
    listed = found.meta["neighbours"]
    assert [each["path"] for each in listed] == [paths[good[row]] for row in rows[0][1:]]
    assert np.allclose([each["distance"] for each in listed], far[0][1:], atol=1e-6)
    assert [each["rank"] for each in listed] == [1, 2, 3, 4, 5, 6]
    row = {key: values[own] for key, values in table.to_pydict().items()}
    assert row["label"] == "red" and row["state"] == "done" and row["width"] == 32
    assert np.allclose(row["embedding"], vectors[own]) and len(row["neighbors"]["ids"]) == 10
    assert own not in row["neighbors"]["ids"] and np.isfinite([row["x"], row["y"]]).all()
    failed = table.column("state").to_pylist().index("failed")
    assert "broken.jpg" in table.column("error").to_pylist()[failed]
    assert pyarrow.types.is_list(table.schema.field("embedding").type)


def test_the_picture_itself_is_left_out_and_its_copy_is_first(engine: Engine, folder: Path, tmp_path: Path) -> None:
    query = folder / "red" / "0.png"
    found = asked(engine, "neighbours", query, folder=str(folder), count=3).meta
    first = found["neighbours"][0]
    assert first["path"] == str(folder / "red" / "copy.png") and first["distance"] == 0 and first["ratio"] == 0
    assert found["own_label"] == "red" and found["agreement"] > 0.5
    link = tmp_path / "link.png"
    link.symlink_to(query)
    outside = tmp_path / "copied.png"
    shutil.copy(query, outside)
    same = asked(engine, "neighbours", outside, folder=str(folder), count=2).meta["neighbours"]
    assert {Path(each["path"]).name for each in same} == {"0.png", "copy.png"} and same[1]["distance"] == 0
    itself = asked(engine, "neighbours", query, folder=str(folder), count=1, itself=True).meta["neighbours"]
    assert itself[0]["distance"] == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"layer": "layer2"},
        {"layer": "output", "metric": "euclidean"},
        {"region": "2,2,20,20"},
        {"layer": "layer3", "pooling": "max"},
    ],
    ids=["layer", "output", "region", "max"],
)
def test_any_layer_and_a_region_put_the_same_colour_first(engine: Engine, folder: Path, settings: Any) -> None:
    found = asked(engine, "neighbours", folder / "blue" / "3.png", folder=str(folder), count=5, **settings)
    assert isinstance(found, Result), found
    assert len(found.meta["neighbours"]) == 5 and found.meta["votes"][0][0] == "blue"


def test_more_than_there_are_and_what_cannot_be_asked_is_said(engine: Engine, folder: Path, tmp_path: Path) -> None:
    query = folder / "red" / "0.png"
    found = asked(engine, "neighbours", query, folder=str(folder), count=100)
    assert len(found.meta["neighbours"]) == 24 and "fewer than the 100 asked" in " ".join(found.meta["notes"])
    (tmp_path / "none").mkdir()
    for settings, said in (
        ({"folder": ""}, "No data set is chosen"),
        ({"folder": str(tmp_path / "none")}, "no picture in the folder none"),
        ({"folder": str(folder), "layer": "layer9"}, "There is no layer 'layer9'"),
        ({"folder": str(folder), "region": "40,40,50,50"}, "no area inside the picture"),
        ({"folder": str(folder), "pooling": "position", "place": "2,2"}, "is no place"),
    ):
        refused = asked(engine, "neighbours", query, **settings)
        assert isinstance(refused, Failure) and said in refused.text, refused
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no picture")
    assert (
        "cannot be read" in asked(engine, "embed", tmp_path / "bad").text
        or "could be used" in asked(engine, "embed", tmp_path / "bad").text
    )


def test_flaws_are_the_planted_label_copy_and_nothing_else(engine: Engine, folder: Path, tmp_path: Path) -> None:
    found = asked(engine, "flaws", folder)
    assert isinstance(found, Result), found
    assert [Path(each["path"]).name for each in found.meta["disagreements"]] == ["4.png"]
    assert found.meta["disagreements"][0]["label"] == "blue" and found.meta["disagreements"][0]["instead"] == "red"
    first = found.meta["duplicates"][0]
    assert {Path(first["path"]).name, Path(first["other"]).name} == {"0.png", "copy.png"} and first["identical"]
    test = tmp_path / "test"
    test.mkdir()
    shutil.copy(folder / "blue" / "7.png", test / "leaked.png")
    Image.fromarray(np.full((32, 32, 3), 128, np.uint8)).save(test / "fresh.png")
    between = asked(engine, "flaws", test, other=str(folder))
    leaked = between.meta["duplicates"][0]
    assert Path(leaked["path"]).name == "leaked.png" and Path(leaked["other"]).name == "7.png" and leaked["identical"]


def test_the_command_line_writes_lists_and_repeats_neighbours(folder: Path, tmp_path: Path) -> None:
    query, out = str(folder / "red" / "2.png"), tmp_path / "out"
    given = ["--model", "photos-resnet", "--set", f"folder={folder}", "--set", "count=2", "--out", str(out)]
    assert main.main(["run", "neighbours", query, *given]) == 0
    body = json.loads((out / "2.neighbours.json").read_text())
    assert [set(each) >= {"path", "distance", "rank"} for each in body["neighbours"]] == [True, True]
    assert main.main(["replay", str(out / "2.neighbours.recipe.json"), "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "2.neighbours.json").read_text())
    assert again["neighbours"] == body["neighbours"]
    for inspection in ("pictures", "flaws"):
        assert main.main(["run", inspection, str(folder), "--model", "photos-resnet", "--out", str(out)]) == 0
        assert json.loads((out / f"{folder.name}.{inspection}.json").read_text())["text"]
