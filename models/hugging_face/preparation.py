"""How a folder's processor prepares pictures: as a `Preprocess` where that is equal, otherwise by the processor itself.

Equal is found out by asking both about two pictures. `Prepared` has the methods of `Preprocess` that adapters use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.hugging_face.folder import Folder
from models.hugging_face.library import library, quiet
from models.loading.preprocess import HUGGING_FACE, Preprocess
from models.subject import Rect
from models.types import Pixels, Refusal

# Kinds of networks without a processor of their own in the library's table: those their makers publish them with.
USUAL = {
    **dict.fromkeys(("rt_detr_v2", "d_fine", "deimv2"), "RTDetrImageProcessor"),
    "dab-detr": "ConditionalDetrImageProcessor",
    "dinov2_with_registers": "BitImageProcessor",
    "clip_vision_model": "CLIPImageProcessor",
    "siglip_vision_model": "SiglipImageProcessor",
}
MODES = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # of Pillow
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, timm's usual ones
EQUAL = 1e-4  # of normalised values: what rounding in another order may differ by
TRIED = ((61, 97), (120, 83))  # height and width of the pictures that both are asked about
RAMP = 255.0
LEAST_SIDE, MOST_SIDE = 1, 1 << 13
_FIELDS = (
    *("do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor", "do_normalize"),
    *("image_mean", "image_std", "do_pad", "pad_size", "size_divisor", "crop_pct", "keep_aspect_ratio", "do_flip"),
    *("ensure_multiple_of", "rescale_offset", "include_top", "do_flip_channel_order", "do_convert_rgb", "format"),
    *("do_affine_transform", "normalize_factor", "do_grayscale", "size_divisibility", "pad_size_divisor"),
    *("do_color_quantize", "ignore_index", "do_reduce_labels", "num_labels", "max_size", "do_thumbnail"),
)


def processor_of(folder: Folder) -> Any:
    """Return the library's processor for a folder's pictures. Raises Refusal if it has none, or none that is known."""
    if folder.kind == "timm_wrapper":
        return _of_timm(folder)
    transformers = library()
    from transformers.models.auto import image_processing_auto

    listed: dict[str, Any] = dict(vars(image_processing_auto)["IMAGE_PROCESSOR_MAPPING_NAMES"])
    given = dict(folder.processor)
    named = str(given.get("image_processor_type") or given.get("feature_extractor_type") or "")
    name = named.removesuffix("Fast").removesuffix("Pil").replace("FeatureExtractor", "ImageProcessor")
    table = listed.get(folder.kind) or {}
    known = {one for own in listed.values() if own for one in own.values()} | set(USUAL.values())
    if name not in known:
        if named and not table and folder.kind not in USUAL:
            raise _unknown(folder, named)
        name = str(table.get("torchvision") or table.get("pil") or USUAL.get(folder.kind, ""))
    kind = getattr(transformers, name, None) if name else None
    if kind is None or getattr(kind, "is_dummy", False):
        raise _unknown(folder, name or folder.kind)
    try:
        with quiet():
            return kind(**_checked({key: given[key] for key in _FIELDS if given.get(key) is not None}))
    except Refusal:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        message = f"The preparation of pictures in {folder.path.name} cannot be read ({said})."
        raise Refusal(message, advice="Download preprocessor_config.json again.") from error


def _of_timm(folder: Folder) -> Preprocess:
    """Return timm's preparation of pictures for evaluation, from the configuration of its published weights."""
    given = folder.config.get("pretrained_cfg")
    own: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {}
    try:
        side = int((own.get("input_size") or (3, 224, 224))[-1])
        share = float(own.get("crop_pct") or 0.875)
        mode = str(own.get("interpolation") or "bicubic")
        mean, std = (tuple(map(float, own.get(key) or usual)) for key, usual in (("mean", MEAN), ("std", STD)))
        sound = LEAST_SIDE <= side <= MOST_SIDE and 0.1 <= share <= 1 and len(mean) == len(std) == 3 and all(std)
        if not sound or mode not in MODES.values() or own.get("crop_mode") not in (None, "center"):
            raise ValueError("outside what is known")
    except (TypeError, ValueError) as error:
        message = f"The preparation of pictures in {folder.path.name} cannot be read (pretrained_cfg)."
        raise Refusal(message, advice="Download config.json again.") from error
    return Preprocess(fit="crop", resize=math.floor(side / share), crop=side, interpolation=mode, mean=mean, std=std)


def _unknown(folder: Folder, name: str) -> Refusal:
    message = f"How pictures are prepared for {folder.path.name} is not known ({name[:60] or 'no processor'})."
    return Refusal(message, advice="Add the preprocessor_config.json that belongs to it.")


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return fields whose sides are within bounds. Raises Refusal."""
    for key in ("size", "crop_size", "pad_size"):
        sides = given.get(key)
        values = sides.values() if isinstance(sides, dict) else [sides] if sides is not None else []
        if not all(side is None or (type(side) is int and LEAST_SIDE <= side <= MOST_SIDE) for side in values):
            raise Refusal(f"The processor's {key} is {sides!r}, which is not a size.", advice="Correct its JSON file.")
    return given


def preparation(processor: Any) -> Preprocess | Prepared:
    """Return the preparation of pictures as a `Preprocess` if one is equal to the processor, else the processor's."""
    if isinstance(processor, Preprocess):
        return processor
    own = Prepared(processor)
    made = _proposed(processor)
    return made if made is not None and _equal(made, own) else own


def _equal(made: Preprocess, own: Prepared) -> bool:
    rng = np.random.default_rng(0)
    cpu = torch.device("cpu")
    for height, width in TRIED:
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        one, other = made.input(pixels, cpu), own.input(pixels, cpu)
        if one.shape != other.shape or not torch.allclose(one, other, atol=EQUAL, rtol=EQUAL):
            return False
    return True


def _proposed(processor: Any) -> Preprocess | None:
    """Return the `Preprocess` that a processor's settings amount to, None if it has no form for them."""
    size, crop = _sides(processor, "size"), _sides(processor, "crop_size")
    mode = MODES.get(int(getattr(processor, "resample", 2) or 0))
    if mode is None or not _on(processor, "do_resize") or not size:
        return None
    made = Preprocess(interpolation=mode, mean=(0.0,) * 3, std=(1.0,) * 3, rounding=HUGGING_FACE)
    if _on(processor, "do_normalize"):
        mean, std = (getattr(processor, key) for key in ("image_mean", "image_std"))
        if not all(isinstance(each, list | tuple) and len(each) == 3 and all(std) for each in (mean, std)):
            return None
        made = replace(made, mean=tuple(map(float, mean)), std=tuple(map(float, std)))
    if not _on(processor, "do_rescale"):
        made = replace(made, range=255.0)
    cut = crop.get("height"), crop.get("width")
    if _on(processor, "do_center_crop") and all(cut):
        if "shortest_edge" in size and "longest_edge" not in size:
            return replace(made, fit="crop", resize=size["shortest_edge"], crop=cut)
        if size.get("height") == size.get("width") and "height" in size:
            return replace(made, fit="squash", resize=size["height"], crop=cut)
        return None
    if {"height", "width"} <= size.keys():
        return replace(made, fit="stretch", crop=(size["height"], size["width"]), resize=min(size.values()))
    short = size.get("shortest_edge", 0)
    if not short or "longest_edge" in size:
        return None
    share = getattr(processor, "crop_pct", None)
    if share is not None:
        fit = {"fit": "crop", "resize": int(short / share)} if short < 384 else {"fit": "stretch", "resize": short}
        return replace(made, crop=short, **fit)
    return replace(made, fit="whole", resize=short)


def _on(processor: Any, name: str) -> bool:
    return bool(getattr(processor, name, False))


def _sides(processor: Any, name: str) -> dict[str, int]:
    given = getattr(processor, name, None)
    items = dict(given) if isinstance(given, Mapping) else dict(vars(given)) if given is not None else {}
    return {str(key): int(value) for key, value in items.items() if isinstance(value, int) and value}


class Prepared:
    """The processor itself, with the methods of `Preprocess`; its pictures may have any size."""

    order = "rgb"

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.place = lru_cache(64)(self._place)

    def input(self, pixels: Pixels, device: torch.device) -> Tensor:
        """Return the network's input (1, 3, h, w) for pixels (H, W, 3) uint8 RGB."""
        return self._run(pixels)["pixel_values"].float().to(device)

    def mask(self, pixels: Pixels) -> Tensor | None:
        """Return which positions (1, h, w) of the input are the picture, None if all are or that is unknown."""
        mask = self._run(pixels).get("pixel_mask")
        return None if mask is None or bool(mask.all()) else mask

    def extent(self, width: int, height: int) -> Rect:
        """Return the input's position, x0 y0 x1 y1 in pixels of a picture of this size."""
        return self.place(width, height)[0]

    def inside(self, width: int, height: int) -> tuple[int, int]:
        """Return the height and width in the input of what is not padding."""
        return self.place(width, height)[1]

    def black(self, device: torch.device) -> Tensor:
        """Return a black pixel (1, 3, 1, 1), normalised as network input."""
        processor = self.processor
        if not _on(processor, "do_normalize"):
            return torch.zeros(1, 3, 1, 1, device=device)
        mean, std = (torch.tensor(getattr(processor, key), device=device) for key in ("image_mean", "image_std"))
        return (-mean.float() / std.float()).view(1, -1, 1, 1).expand(1, 3, 1, 1).clone()

    def _run(self, pixels: Pixels, **flags: Any) -> Any:
        with torch.inference_mode(False), torch.no_grad():
            image = np.array(pixels)
            return self.processor(images=image, return_tensors="pt", input_data_format="channels_last", **flags)

    def _place(self, width: int, height: int) -> tuple[Rect, tuple[int, int]]:
        """Measure where a picture lies in the input, by preparing one whose colours say where each pixel is from."""
        across = np.broadcast_to(np.round(np.linspace(0, RAMP, width)), (height, width))
        down = np.broadcast_to(np.round(np.linspace(0, RAMP, height))[:, None], (height, width))
        x, y, white = (self._grey(ramp) for ramp in (across, down, np.full((height, width), RAMP)))
        there = white > white.max() / 2
        rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
        inside, scale = (len(rows), len(columns)), white.max() / RAMP
        x0, x1 = _line(x[rows].mean(0)[columns] / scale, columns, x.shape[1], width)
        y0, y1 = _line(y[:, columns].mean(1)[rows] / scale, rows, y.shape[0], height)
        return (x0, y0, x1, y1), inside

    def _grey(self, plane: np.ndarray) -> np.ndarray:
        """Return what becomes of a grey picture (H, W), not normalised."""
        pixels = np.repeat(plane.astype(np.uint8)[..., None], 3, 2)
        return self._run(pixels, do_normalize=False)["pixel_values"][0].float().mean(0).numpy()


def _line(values: np.ndarray, at: np.ndarray, cells: int, side: int) -> tuple[float, float]:
    """Return where an input of `cells` begins and ends in pixels of a picture's `side`.

    `values` are the ramp's at the cells `at`. A picture that is seen whole begins and ends with them exactly.
    """
    pixels = values / RAMP * max(side - 1, 1)
    step = side / len(at)
    if pixels[0] <= max(step, 1.0) and pixels[-1] >= side - 1 - max(step, 1.0):
        return -float(at[0]) * step, (cells - float(at[0])) * step
    slope, first = np.polyfit(at.astype(float), pixels, 1)
    return float(first + 0.5 - slope * 0.5), float(first + 0.5 + slope * (cells - 0.5))
