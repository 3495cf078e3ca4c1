"""What is in a Hugging Face folder: its configuration and its weights' files, read without `transformers`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import files
from models.cards.model_folder import CONFIG, INDEX, KIND, MOST_BYTES, PICKLED, WEIGHTS
from models.types import Refusal

PROCESSORS = ("processor_config.json", "preprocessor_config.json")
TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "vocab.txt"),
    *("spiece.model", "added_tokens.json"),
)
MOST_INDEX_BYTES = 32 << 20
MOST_DEPTH = 12
MOST_SHARDS = 64
_SHARD, _PICKLED_SHARD = re.compile(r"[\w.-]+\.safetensors"), re.compile(r"[\w.-]+\.bin")


@dataclass(frozen=True)
class Folder:
    """A folder's path, its configuration, that of its picture processor ({} if it has none), and its weights' files."""

    path: Path
    config: Mapping[str, Any]
    processor: Mapping[str, Any]
    weights: tuple[Path, ...]

    @property
    def architecture(self) -> str:
        """The class of the network, as the configuration names it; "" if it does not."""
        named = self.config.get("architectures")
        return str(named[0]) if isinstance(named, list) and named else ""

    @property
    def kind(self) -> str:
        """The configuration's `model_type`, "" if it has none."""
        return str(self.config.get(KIND) or "")


def read(path: Path) -> Folder:
    """Read a folder. Raises Refusal with a sentence on what is missing, damaged, or would run code."""
    config = _json(path / CONFIG, MOST_BYTES)
    if not config.get(KIND):
        raise _other(path, config)
    _no_code(config, path / CONFIG)
    processor: Mapping[str, Any] = {}
    for name in PROCESSORS:
        if not (path / name).is_file():
            continue
        found = _json(path / name, MOST_BYTES)
        _no_code(found, path / name)
        inner = found.get("image_processor") if name == PROCESSORS[0] else found
        if isinstance(inner, dict):
            processor = inner
            break
    return Folder(path, config, processor, _weights(path))


def _weights(path: Path) -> tuple[Path, ...]:
    """Return the files of the weights: safetensors, else one file of PyTorch's."""
    if (path / WEIGHTS).is_file():
        return (path / WEIGHTS,)
    if (path / INDEX).is_file():
        return _parts(path, INDEX, _SHARD)
    if (path / PICKLED[0]).is_file():  # read as tensors alone, without unpickling
        return (path / PICKLED[0],)
    if (path / PICKLED[1]).is_file():  # likewise
        return _parts(path, PICKLED[1], _PICKLED_SHARD)
    named = sorted(one.name for one in path.glob("*.safetensors"))
    if len(named) == 1:
        return (path / named[0],)
    advice = f"It needs {WEIGHTS}." + (f" There are {', '.join(named[:4])}." if named else "")
    raise Refusal(f"{path.name} has a configuration but no weights.", advice=advice)


def _parts(path: Path, index: str, named: re.Pattern[str]) -> tuple[Path, ...]:
    """Return the files that an index lists. Raises Refusal if it lists none, others, or one that is not there."""
    listed = _json(path / index, MOST_INDEX_BYTES).get("weight_map")
    names = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) else []
    if not names or len(names) > MOST_SHARDS or not all(named.fullmatch(name) for name in names):
        raise Refusal(f"{index} of {path.name} does not list its files.", advice="Download the folder again.")
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        message = f"{missing[0]}, a part of the weights of {path.name}, is not there."
        raise Refusal(message, advice="Download the folder again.")
    return tuple(path / name for name in names)


def _other(path: Path, config: Mapping[str, Any]) -> Refusal:
    """Return why a folder whose configuration names no model of `transformers` does not open."""
    if config.get("architecture") and (path / WEIGHTS).is_file():
        name = str(config["architecture"])[:80]
        message = f"{path.name} is a folder of timm's ({name}): its weights open by themselves."
        offer = ("model", str(path / WEIGHTS), f"Open {WEIGHTS}")
        return Refusal(message, advice=f"Open {path / WEIGHTS}.", offer=offer)
    message = f"{CONFIG} in {path.name} does not say what model it is of: it has no model_type."
    return Refusal(message, advice="Choose a folder that save_pretrained wrote, or the weights inside.")


def _no_code(content: Mapping[str, Any], file: Path) -> None:
    """Raise Refusal for a configuration that names classes in code of its own."""
    if _has_value(content, "auto_map"):
        message = f"{file.parent.name} wants code of its own to be run ({file.name} has auto_map): it was not opened."
        advice = "Vitrine never runs such code. Open the network from a file of code that you read and allow yourself."
        raise Refusal(message, advice=advice)


def _has_value(content: Any, key: str) -> bool:
    if isinstance(content, dict):
        return bool(content.get(key)) or any(_has_value(value, key) for value in content.values())
    return isinstance(content, list) and any(_has_value(value, key) for value in content)


def _json(path: Path, most: int) -> dict[str, Any]:
    """Return the object in a file of JSON. Raises Refusal if it is too long, nested too deep, or no object."""
    try:
        found = json.loads(files.text_of(path, most=most))
        if isinstance(found, dict) and _depth(found) <= MOST_DEPTH:
            json.dumps(found, ensure_ascii=False).encode()  # lone surrogates can be neither shown nor written
            return found
        raise ValueError("no object, or nested too deep")
    except (ValueError, RecursionError) as error:
        said = ascii(str(error))[1:-1][:120]
        message = f"{path.name} in {path.parent.name} is not the description of a model ({said})."
        raise Refusal(message, advice="Download it again.") from error


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(one) for one in inner), default=0) if isinstance(value, dict | list) else 0
