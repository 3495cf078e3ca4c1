"""Writing what is shown: overlay as PNG and SVG, numbers as JSON, CSV and COCO, each with its recipe. No dialogs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models import recipe
from models.detection import report
from models.evaluation import report as figures_report
from models.live.record import SUFFIX, Recording
from models.requests import Request
from models.types import Pixels, Refusal, Result
from viewer import grids, heat, inside, instances, matches, overlay, reels, segments, trace
from viewer.canvas.layers import Layer
from viewer.canvas.painter import render, render_svg
from viewer.sources import pixels_of

MAP = "attribution"
PLAIN = ("classify", "layers")
GRIDS = grids.RAW
KINDS = ("png", "svg", "json", "csv", "coco.json")


def layers_of(request: Request, result: Result) -> list[Layer]:
    """Return what an inspection paints when nobody looks: no selection, everything it found."""
    if result.meta.get("kind") == MAP:
        values, extent = result.arrays["map"], result.meta["extent"]
        return [heat.heat_layer(values, extent, heat.Look(), signed=result.meta["signed"])]
    if "boxes" not in result.arrays and request.inspection in PLAIN:
        return []
    if request.inspection in GRIDS or result.meta.get("kind") == reels.LATENT:
        return []
    if request.inspection == "receptive":
        return inside.field_layers(result)
    if request.inspection == "anchors":
        return [overlay.density_layer(result)]
    if request.inspection == "match":
        return matches.layers(result)
    if request.inspection in ("masks", "keypoints"):
        return instances.export_layers(result)
    if request.inspection == "segment":
        return [segments.label_layer(result)]
    if request.inspection == "lineage":
        return trace.lineage_layers(result, alone=True)
    if request.inspection == "missed":
        return trace.missed_layers(tuple(result.arrays["region"][0].tolist()), result)
    return overlay.detection_layers(result)


def raw_kind(request: Request, result: Result) -> str:
    """Return the kind of file that holds the values behind what is painted, "" where none is written by itself."""
    if request.inspection == "segment":
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

    What is about no picture has no `pixels`.

    Raises Refusal when the folder cannot be written to.
    """
    layers = layers_of(request, result) if layers is None else layers
    begin = name or request.stem
    at = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for kind in kinds:
            at = folder / f"{begin}.{kind}"
            paths.append(_write(at, kind, (request, result), pixels, layers))
        at = folder / f"{begin}.recipe.json"
        recipe.write(at, request, result)
    except (OSError, UnicodeError) as error:
        raise _refusal(at, error) from error
    return [*paths, at]


def write_figures(folder: Path, request: Request, result: Result, *, kinds: Iterable[str], name: str) -> list[Path]:
    """Write what was measured of a data set as JSON, curves as CSV, and the recipe, and return the paths.

    Raises Refusal when the folder cannot be written to.
    """
    texts = {"json": lambda: figures_report.as_json(request, result), "csv": lambda: figures_report.as_csv(result)}
    if request.inspection == "coverage":
        texts = {"json": lambda: report.as_plain_json(request, result)}
    at = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for kind in kinds:
            at = folder / f"{name}.{kind}"
            at.write_text(texts[kind](), encoding="utf-8")
            paths.append(at)
        at = folder / f"{name}.recipe.json"
        recipe.write(at, request, result)
    except (OSError, UnicodeError) as error:
        raise _refusal(at, error) from error
    return [*paths, at]


def _refusal(at: Path, error: Exception) -> Refusal:
    reason = getattr(error, "strerror", None) or str(error)
    advice = "Choose another name or folder, or make room on the disk."
    return Refusal(f"{at} cannot be written ({reason}).", advice=advice)


def write_video(
    folder: Path, request: Request, frames: Iterable[tuple[Request, Result, Pixels]], *, fps: float, name: str
) -> int:
    """Write an MP4 file of frames with their overlay, a line of JSON for each, and the recipe.

    Return how many frames there were. Raises Refusal when the folder cannot be written to.
    """
    at, count = folder / f"{name}.jsonl", 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        recording = Recording(str(folder / f"{name}{SUFFIX}"), fps=fps)
        try:
            with at.open("w", encoding="utf-8") as lines:
                for count, (asked, result, pixels) in enumerate(frames, 1):
                    recording.write(pixels_of(render(pixels, layers_of(asked, result))))
                    lines.write(report.as_line(asked, result, fps=fps))
                    if count == 1:
                        recipe.write(folder / f"{name}.recipe.json", request, result)
        finally:
            recording.close()
        if not count:
            at.unlink()
    except OSError as error:
        raise _refusal(at, error) from error
    return count


def _write(path: Path, kind: str, answer: tuple[Request, Result], pixels: Pixels | None, layers: list[Layer]) -> Path:
    request, result = answer
    match kind:
        case _ if result.meta.get("kind") == reels.LATENT:
            reels.save(path, kind, request, result)
        case "png" if request.inspection in GRIDS:
            grids.save_png(request, result, path)
        case "npy" if request.inspection in GRIDS:
            np.save(path, result.arrays[GRIDS[request.inspection]].astype(np.float32), allow_pickle=False)
        case "json" if request.inspection in GRIDS:
            path.write_text(grids.as_json(request, result, name=path.with_suffix(".npy").name), encoding="utf-8")
        case "png" if pixels is not None:
            if not render(pixels, layers).save(str(path)):
                raise OSError("the picture could not be saved")
        case "svg" if pixels is not None:
            render_svg(pixels, layers, path)
        case "csv":
            path.write_text(report.as_csv([(request, result)]), encoding="utf-8")
        case "coco.json":
            path.write_text(report.as_coco([(request, result)]), encoding="utf-8")
        case "json" if request.inspection == "detect":
            path.write_text(report.as_json(request, result), encoding="utf-8")
        case "npy":
            np.save(path, result.arrays["map"].astype(np.float32), allow_pickle=False)
        case "json" | "map.json" if result.meta.get("kind") == MAP:
            values = path.name.removesuffix(f".{kind}") + ".npy"
            path.write_text(report.as_map(request, result, name=values), encoding="utf-8")
        case "json" if request.inspection in PLAIN:
            few = Result({k: v for k, v in result.arrays.items() if k != "thumbnails"}, result.meta)
            path.write_text(report.as_plain_json(request, few), encoding="utf-8")
        case "json" if request.inspection == "segment":
            few = Result({k: result.arrays[k] for k in ("classes", "share", "mean")}, result.meta)
            path.write_text(report.as_plain_json(request, few), encoding="utf-8")
        case "npz":
            np.savez_compressed(path, allow_pickle=False, **result.arrays)
        case "json" if "finding" in result.meta:
            path.write_text(report.as_finding(request, result), encoding="utf-8")
        case "json":
            path = path.with_suffix(".npz")
            np.savez_compressed(path, allow_pickle=False, **result.arrays)
    return path
