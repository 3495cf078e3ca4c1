"""Write a result to files: overlay as PNG and SVG, numbers as JSON, CSV and COCO, with a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PySide6.QtGui import QImage

from models import output_files, recipe
from models.detection import report
from models.files import text_of
from models.live.record import Recording
from models.output_files import OutputFiles
from models.pictures.media import RECORDING_SUFFIX
from models.requests import Request
from models.types import Pixels, Refusal, Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.canvas.mosaic import Atlas, sheet
from viewer.canvas.painter import pixels_of, png, render, svg
from viewer.export import generated, painted
from viewer.export.picture_rows import ROBUSTNESS, ROWS, STYLE, joined
from viewer.presenters import (
    anchor_matches,
    detections,
    faithfulness,
    feature_maps,
    heatmap,
    instances,
    lineage,
    peaks,
    prototypes,
    segmentation,
)
from viewer.session.document import Look
from viewer.widgets.pictures.qimages import rgb

RAW = {feature_maps.FILTERS: "tiles", feature_maps.ACTIVATIONS: "maps"}  # the array with the values
CELL_PX = 48
GAP_PX = 2

MAP = "attribution"
PLAIN = (
    "classify",
    "layers",
    "verdicts",
    "interpretation",
    "landmarks",
    "translate",
    "concepts",
    "gradients",
    "activation_functions",
    "gates",
    "box_losses",
    "focal_loss",
    "parts",
    STYLE,
    *ROWS,
)
PICTURES = ("thumbnails", "before", "after", "difference")  # arrays that are not listed as numbers
LISTS = ("pictures", "flaws")  # of data sets
PROOF = faithfulness.PROOF
CLASSES = "classification_figures"
GRIDS = RAW
KINDS = ("png", "svg", "json", "csv", "coco.json")
# The files that a recipe of the same name may belong to.
OF_RECIPES = (*KINDS, "parquet", "pdf", "npy", "npz", "map.json", "gif", "mp4")
# File kinds that the command line writes for inspections without an overlay.
KINDS_OF = {**dict.fromkeys(PLAIN, ("json",)), PROOF: ("png", "json", "csv"), **dict.fromkeys(ROWS, ("png", "json"))}
KINDS_OF[ROBUSTNESS] = ("png", "npz", "json")
KINDS_OF[STYLE] = ("png", "gif", "json")
FILM_FPS = 4


def layers_of(request: Request, result: Result) -> list[Layer]:
    """Return the layers of a result for an export without a window: nothing selected, everything shown."""
    if result.meta.get("kind") == MAP or request.inspection == PROOF:
        values, extent = result.arrays["map"], result.meta["extent"]
        return [heatmap.heat_layer(values, extent, Look())]
    if request.inspection in PLAIN:
        return []
    if request.inspection in GRIDS or result.meta.get("kind") == generated.LATENT:
        return []
    if request.inspection in painted.LAYERS:
        return painted.LAYERS[request.inspection](result)
    if request.inspection == "receptive":
        return feature_maps.field_layers(result)
    if request.inspection == "anchors":
        return [detections.density_layer(result)]
    if request.inspection == "match":
        return anchor_matches.layers(result)
    if request.inspection in ("masks", "keypoints"):
        return instances.export_layers(result)
    if request.inspection in ("segment", "panoptic"):
        return [segmentation.label_layer(result)]
    if request.inspection == "peaks":
        return peaks.layers(result)
    if request.inspection == "prototypes":
        return prototypes.layers(result)
    if request.inspection == "lineage":
        return lineage.lineage_layers(result, alone=True)
    if request.inspection == "missed":
        return lineage.missed_layers(tuple(result.arrays["region"][0].tolist()), result)
    return detections.detection_layers(result)


def raw_kind(request: Request, result: Result) -> str:
    """Return the kind of file that holds the values behind the overlay, "" if they have no file of their own."""
    if request.inspection in ("segment", "panoptic"):
        return "npz"
    return "npy" if result.meta.get("kind") == MAP else ""


def write(
    folder: Path,
    request: Request,
    result: Result,
    pixels: Pixels | None,
    *,
    kinds: Iterable[str] = ("png", "svg", "json"),
    layers: list[Layer] | None = None,
    name: str = "",
) -> list[Path]:
    """Write the files of a result and its recipe into a folder, and return their paths.

    `pixels` is None for a result without a picture. Raises Refusal if the folder cannot be written to.
    """
    layers = layers_of(request, result) if layers is None else layers
    begin = name or request.stem
    with written_files(folder) as files:
        paths = []
        for kind in kinds:
            path = folder / f"{begin}.{kind}"
            paths.append(_add(files, path, (request, result), kind=kind, pixels=pixels, layers=layers))
        return [
            *paths,
            add_recipe(files, folder, begin, (request, result), [path.name[len(begin) + 1 :] for path in paths]),
        ]


def write_figures(folder: Path, request: Request, result: Result, *, kinds: Iterable[str], name: str) -> list[Path]:
    """Write the figures of a data set as JSON, curves as CSV, and the recipe, and return the paths.

    Raises Refusal if the folder cannot be written to.
    """
    from models.evaluation import class_report
    from models.evaluation import report as figures_report

    texts = {"json": lambda: figures_report.as_json(request, result), "csv": lambda: figures_report.as_csv(result)}
    if request.inspection == "coverage":
        texts = {"json": lambda: report.as_plain_json(request, result)}
    if request.inspection == CLASSES:
        texts = {
            "json": lambda: report.as_plain_json(request, result),
            "csv": lambda: class_report.as_csv(result),
        }
    with written_files(folder) as files:
        paths = [folder / f"{name}.{kind}" for kind in kinds]
        for path, kind in zip(paths, kinds, strict=True):
            files.add(path, texts[kind]())
        return [*paths, add_recipe(files, folder, name, (request, result), kinds)]


def write_data_set(folder: Path, request: Request, result: Result, *, name: str) -> list[Path]:
    """Write a data set's table and vectors, a summary as JSON, and the recipe, and return the paths.

    Raises Refusal if the folder cannot be written to.
    """
    from models.datasets import export
    from models.datasets.collected import collected
    from models.datasets.opening import data_set_at

    assert request.source is not None
    meta = result.meta
    found = collected(data_set_at(request.source.path), meta["folder"], meta["parts"])
    told = {key: value for key, value in meta.items() if key not in ("folder", "parts")}
    with written_files(folder) as files:
        kinds = export.add(files, folder / name, found, classes=meta["classes"], array="vector.0")
        files.add(folder / f"{name}.json", report.as_plain_json(request, Result({}, told)))
        kinds.append("json")
        return [
            *(folder / f"{name}.{kind}" for kind in kinds),
            add_recipe(files, folder, name, (request, result), kinds),
        ]


def write_lists(folder: Path, request: Request, result: Result, *, name: str) -> list[Path]:
    """Write what is listed of a data set as JSON, and the recipe, and return the paths.

    Raises Refusal if the folder cannot be written to.
    """
    with written_files(folder) as files:
        path = folder / f"{name}.json"
        files.add(path, report.as_plain_json(request, result))
        return [path, add_recipe(files, folder, name, (request, result), ["json"])]


@contextmanager
def written_files(folder: Path) -> Iterator[OutputFiles]:
    """Provide the files to write into a folder; all of them appear when the block ends without an error.

    Raises Refusal.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with OutputFiles() as files:
            yield files
    except (OSError, UnicodeError) as error:
        raise output_files.refusal(folder, error) from error


def add_recipe(
    files: OutputFiles, folder: Path, name: str, answer: tuple[Request, Result], kinds: Iterable[str]
) -> Path:
    """Add the recipe of files called `name` of some kinds, and return its future path.

    They share it. If another recipe of that name belongs to other files, which stay, it is left to them, and this one
    is named after its first kind.
    """
    path, kinds = folder / f"{name}.recipe.json", tuple(kinds)
    text = recipe.text(path, *answer)
    others = [folder / f"{name}.{kind}" for kind in OF_RECIPES if kind not in kinds]
    if kinds and any(other.exists() for other in others) and not _same(path, text):
        path = folder / f"{name}.{kinds[0]}.recipe.json"
    files.add(path, text)
    return path


def _same(path: Path, text: str) -> bool:
    """Return whether there is no recipe yet or one of the same text."""
    try:
        return text_of(path, most=recipe.MOST_BYTES) == text if path.exists() else True
    except (OSError, ValueError, Refusal):
        return False


def write_video(
    folder: Path, request: Request, frames: Iterable[tuple[Request, Result, Pixels]], *, fps: float, name: str
) -> int:
    """Write frames with their overlay as an MP4 file, a line of JSON for each, and the recipe.

    Return the number of frames. Raises Refusal if the folder cannot be written to.
    """
    count = 0
    with written_files(folder) as files:
        recording = Recording(str(folder / f"{name}{RECORDING_SUFFIX}"), fps=fps, files=files)
        try:
            with files.part(folder / f"{name}.jsonl").open("w", encoding="utf-8") as lines:
                for count, (asked, result, pixels) in enumerate(frames, 1):
                    recording.write(pixels_of(render(pixels, layers_of(asked, result))))
                    lines.write(report.as_line(asked, result, fps=fps))
                    if count == 1:
                        add_recipe(files, folder, name, (request, result), ("mp4", "jsonl"))
        finally:
            recording.close()
        if not count:
            files.discard()
    return count


def _add(
    files: OutputFiles,
    path: Path,
    answer: tuple[Request, Result],
    *,
    kind: str,
    pixels: Pixels | None,
    layers: list[Layer],
) -> Path:
    """Add one kind of file for a result, and return its future path."""
    request, result = answer
    match kind:
        case _ if result.meta.get("kind") == generated.LATENT:
            generated.add(files, path, kind, request, result)
        case "png" if request.inspection in GRIDS:
            files.add(path, as_png(request, result))
        case _ if request.inspection == STYLE:
            _add_style(files, path, kind, answer)
        case "png" if request.inspection in ROWS:
            files.add(path, png(rgb(joined(request.inspection, result))))
        case "npy" if request.inspection in GRIDS:
            files.add(path, generated.npy(result.arrays[GRIDS[request.inspection]]))
        case "json" if request.inspection in GRIDS:
            files.add(path, as_json(request, result, name=path.with_suffix(".npy").name))
        case "png" if pixels is not None:
            files.add(path, png(render(pixels, layers)))
        case "svg" if pixels is not None:
            files.add(path, svg(pixels, layers, title=path.stem))
        case "csv" if request.inspection == PROOF:
            files.add(path, faithfulness.as_csv(result))
        case "json" if request.inspection == PROOF:
            files.add(path, faithfulness.as_json(request, result, delta=None))
        case "csv":
            files.add(path, report.as_csv([(request, result)]))
        case "coco.json":
            files.add(path, report.as_coco([(request, result)]))
        case "json" if request.inspection == "detect":
            files.add(path, report.as_json(request, result))
        case "npy":
            files.add(path, generated.npy(result.arrays["map"]))
        case "json" | "map.json" if result.meta.get("kind") == MAP:
            files.add(path, report.as_map(request, result, name=path.name.removesuffix(f".{kind}") + ".npy"))
        case "json" if request.inspection in PLAIN:
            few = Result({k: v for k, v in result.arrays.items() if k not in PICTURES}, result.meta)
            files.add(path, report.as_plain_json(request, few))
        case "json" if request.inspection in painted.LAYERS:
            files.add(path, report.as_plain_json(request, painted.numbers(request, result)))
        case "json" if request.inspection == "segment":
            few = Result({k: result.arrays[k] for k in ("classes", "share", "mean")}, result.meta)
            files.add(path, report.as_plain_json(request, few))
        case "npz":
            files.add(path, generated.npz(result.arrays))
        case "json" if "finding" in result.meta:
            files.add(path, report.as_finding(request, result))
        case "json":
            path = path.with_suffix(".npz")
            files.add(path, generated.npz(result.arrays))
    return path


def _add_style(files: OutputFiles, path: Path, kind: str, answer: tuple[Request, Result]) -> None:
    """Add the picture with a style, the film of its steps, or its losses."""
    request, result = answer
    if kind == "png":
        files.add(path, png(rgb(result.arrays["picture"])))
    elif kind == "gif":
        files.add(path, generated.gif(result.arrays["film"], fps=FILM_FPS, loop=False))
    else:
        few = {name: values for name, values in result.arrays.items() if name in ("losses", "film_steps")}
        files.add(path, report.as_plain_json(request, Result(few, result.meta)))


def as_png(request: Request, result: Result) -> bytes:
    """Return the grid of a result, in the requested order, as a PNG file. Raises OSError."""
    kind = request.inspection
    atlas = (feature_maps.filter_atlas if kind == feature_maps.FILTERS else feature_maps.activation_atlas)(
        result, theme.heat_lut
    )
    order = result.arrays["order"]
    order = order if len(order) == len(atlas) else np.arange(len(atlas))  # all input planes of one filter
    pixels = np.ascontiguousarray(_picture(atlas, order))
    height, width = pixels.shape
    return png(QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied))


def as_json(request: Request, result: Result, *, name: str) -> str:
    """Return the numbers of each channel as JSON; the values are in the file `name`."""
    raw = RAW[request.inspection]
    few = {key: array for key, array in result.arrays.items() if key not in ("tiles", "maps")}
    facts = {"file": name, "shape": list(result.arrays[raw].shape), "grid_order": "order"}
    return report.as_plain_json(request, Result(few, {**result.meta, "values": facts}))


def _picture(atlas: Atlas, order: np.ndarray) -> np.ndarray:
    height, width = atlas.tiles.shape[1:3]
    times = max(1, CELL_PX // max(height, width))
    columns = math.ceil(math.sqrt(len(order) * atlas.aspect))
    return sheet(atlas, order, columns=columns, cell=(height * times, width * times), gap=GAP_PX)
