"""Write trained weights and their card. Convolution and linear weights are stored in half precision."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import nn

from models.output_files import write_whole


def save_weights(model: nn.Module, path: Path) -> None:
    """Save `model.state_dict()` to a safetensors file; tensors of two or more dimensions become float16."""
    state = {
        name: (t.half() if t.ndim > 1 and t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in model.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(state))


def save_card(weights: Path, card: dict[str, Any]) -> None:
    """Write `card` as JSON beside the weights, with their SHA-256, size and parameter count filled in."""
    state = load_file(str(weights))
    full = {
        **card,
        "weights": weights.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "bytes": weights.stat().st_size,
        "parameters": sum(t.numel() for n, t in state.items() if "running_" not in n and "num_batches" not in n),
    }
    write_whole(weights.with_suffix(".json"), json.dumps(full, indent=2, ensure_ascii=False) + "\n")
