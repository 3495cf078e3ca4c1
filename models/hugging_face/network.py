"""Builds the network of a Hugging Face folder and puts its weights in, without the library reading any file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.hugging_face import configuration
from models.hugging_face.folder import Folder
from models.hugging_face.library import FEATURES, class_of, quiet
from models.loading import weights
from models.types import Refusal

NAMED = 4  # tensors, in a message
# Parts of backbones that nothing reads where they are missing: Vitrine shows the maps and tokens before them.
UNREAD = ("pooler.", "vision_model.head.", "mask_token", "embeddings.mask_token")


def state_of(folder: Folder) -> dict[str, Tensor]:
    """Return the tensors of all of a folder's files, floating-point ones in single precision. Raises Refusal."""
    state: dict[str, Tensor] = {}
    for file in folder.weights:
        for name, tensor in next(iter(weights.sets(file).values())).items():
            state[name] = tensor.float() if tensor.is_floating_point() else tensor
    return state


def build(folder: Folder, state: Mapping[str, Tensor]) -> tuple[nn.Module, str]:
    """Return the network in evaluation mode and its task.

    Attention is computed as written in the papers ("eager"), so that its weights can be shown. Raises Refusal for an
    architecture that does not open, a configuration that is none, and tensors that do not fit.
    """
    kind, task = class_of(folder.architecture, folder.kind)
    if folder.config.get("quantization_config"):
        message = f"The weights of {folder.path.name} are quantised in a way that needs other packages."
        raise Refusal(message, advice="Open the plain weights they were made from.")
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = configuration.configuration(kind, folder.config, folder.path.name)
        _needs_timm(config, folder)
        try:
            net, report = kind.from_pretrained(
                None,
                config=config,
                state_dict=dict(state),
                dtype=torch.float32,
                attn_implementation="eager",
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
        except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError) as error:
            raise _misfit(folder, kind, " ".join(str(error).split())[:200]) from error
    missing = sorted(name for name in report["missing_keys"] if not (task == FEATURES and _unread(name)))
    if report.get("mismatched_keys") or missing:
        names = ", ".join(missing[:NAMED]) or ", ".join(str(one[0]) for one in list(report["mismatched_keys"])[:NAMED])
        raise _misfit(folder, kind, f"{len(missing) or len(report['mismatched_keys'])} tensors, such as {names}")
    return net.eval(), task


def _unread(name: str) -> bool:
    return any(name.startswith(part) or f".{part}" in name for part in UNREAD)


def _needs_timm(config: Any, folder: Folder) -> None:
    """Raise Refusal if a part of the network is timm's, which is not installed."""
    parts = (config, getattr(config, "backbone_config", None))
    if not any(getattr(part, "model_type", "") in ("timm_backbone", "timm_wrapper") for part in parts):
        return
    try:
        import timm  # noqa: F401
    except ImportError as error:
        message = f"{folder.path.name} has a backbone of timm's, which is not installed."
        raise Refusal(message, advice="Install it where Vitrine is: pip install timm.") from error


def _misfit(folder: Folder, kind: Any, said: str) -> Refusal:
    message = f"The weights of {folder.path.name} are not all of {kind.__name__}, which config.json names ({said})."
    return Refusal(message, advice="Download the folder again: its files belong together.")
