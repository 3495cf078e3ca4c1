"""Regions of the VGG Image Annotator (VIA), as its JSON and its table write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.truth.gather import number
from models.truth.marked import Box, Mark, around, sized

NAMES = ("label", "class", "name", "category", "type", "object", "classname")


def mark(region: Any, what: str) -> Mark:
    """Return the object of a region."""
    if not isinstance(region, Mapping):
        return Mark("object", "is no region", what)
    about = region.get("region_attributes")
    return Mark(_name(about if isinstance(about, Mapping) else {}), _box(region.get("shape_attributes")), what)


def _name(about: Mapping[str, Any]) -> str:
    plain = {str(key).lower(): value for key, value in about.items()}
    value = next((plain[name] for name in NAMES if plain.get(name)), None) or next(iter(plain.values()), "")
    if isinstance(value, Mapping):  # a check box: {"dog": true}
        value = next((key for key, chosen in value.items() if chosen), "")
    return str(value).strip() or "object"


def _box(shape: Any) -> Box | str:
    if not isinstance(shape, Mapping):
        return "has no shape"
    try:
        match shape.get("name"):
            case "rect":
                return sized(*(number(shape[key]) for key in ("x", "y", "width", "height")))
            case "circle" | "ellipse":
                rx = number(shape.get("r", shape.get("rx")))
                ry = number(shape.get("r", shape.get("ry")))
                x, y = number(shape["cx"]), number(shape["cy"])
                return x - rx, y - ry, x + rx, y + ry
            case "polygon" | "polyline":
                return around([number(x) for x in shape["all_points_x"]], [number(y) for y in shape["all_points_y"]])
    except (KeyError, TypeError, ValueError, OverflowError):
        return "has a shape that cannot be read"
    return f"is a {str(shape.get('name'))[:20]}, which has no box"
