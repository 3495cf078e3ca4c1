"""Paths of moving pictures: video files, cameras and streams, recognised by the path alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"}
)
RECORDING_SUFFIX = ".mp4"  # of the videos that are written
SCHEMES = ("http://", "https://", "rtmp://", "rtsp://", "rtsps://", "tcp://", "udp://")
CAMERA = re.compile(r"camera:(\d{1,4})")
Kind = Literal["", "video", "camera", "stream"]


def kind(path: str) -> Kind:
    """Return what a path names: a video file, "camera:0", or the address of a stream; "" for a still picture."""
    if CAMERA.fullmatch(path):
        return "camera"
    if path.lower().startswith(SCHEMES):
        return "stream"
    return "video" if Path(path).suffix.lower() in VIDEO_SUFFIXES else ""


def is_live(path: str) -> bool:
    """Return whether a path names moving pictures."""
    return bool(kind(path))


def is_endless(path: str) -> bool:
    """Return whether a path names a camera or a stream, which has no known end and cannot be rewound."""
    return kind(path) in ("camera", "stream")


def camera_number(path: str) -> int:
    """Return the number of a camera's path."""
    return int(path.partition(":")[2])


def device(path: str) -> str:
    """Return the file that is read for a path: a camera's device on Linux, the path itself for anything else."""
    return f"/dev/video{camera_number(path)}" if kind(path) == "camera" else path


def has_password(path: str) -> bool:
    """Return whether a path is an address that contains a password."""
    return kind(path) == "stream" and "@" in path.partition("://")[2].partition("/")[0]


def title(path: str) -> str:
    """Return the name of a path in messages: the file's name, "Camera 0", an address without its password."""
    match kind(path):
        case "camera":
            return f"Camera {camera_number(path)}"
        case "stream":
            try:
                parts = urlsplit(path)
                port = f":{parts.port}" if parts.port else ""
            except ValueError:
                return path.rpartition("@")[2]
            return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
        case _:
            return Path(path).name
