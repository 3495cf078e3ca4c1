"""Training loop for torchvision detectors on a stream of pictures, shared by the scripts. Seeded; CPU or CUDA."""

from __future__ import annotations

import argparse
import math
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from models.loading import weights
from models.training.options import training_parser
from models.training.precision import lower_precision
from models.training.store import save_weights

Target = dict[str, Tensor]
Losses = Callable[[nn.Module, list[Tensor], list[Target]], dict[str, Tensor]]
WARMUP_STEPS = 200
SAVE_EVERY_STEPS = 500


def _collate(batch: list[tuple[Tensor, Target]]) -> tuple[list[Tensor], list[Target]]:
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)


def arguments(description: str, *, data: str) -> argparse.Namespace:
    """Parse the options that every script has; `data` describes the contents of the data folder."""
    parser = training_parser(description, data=data, steps=9000, batch=8, rate=1e-3, threads=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--average", type=float, default=0.998, help="how slowly the average of the weights moves")
    parser.add_argument("--save-every", type=int, default=SAVE_EVERY_STEPS, help="steps between two saved states")
    parser.add_argument("--start", type=Path, help="weights to go on from, such as of an earlier part of the training")
    return parser.parse_args()


def train(
    build: Callable[[], nn.Module],
    pictures: IterableDataset[tuple[Tensor, Target]],
    options: argparse.Namespace,
    *,
    losses_of: Losses | None = None,
) -> None:
    """Train `build()` on an endless stream and save an exponential moving average of its weights.

    Uses AdamW, warm-up and a cosine schedule. The backbone runs in bfloat16 where the processor computes in it (2 to 3
    times faster), heads and losses in float32. `losses_of` returns the losses of networks that have none of their own,
    which run in float32 throughout.
    """
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    model = build()
    if options.start is not None:
        state = weights.read(options.start)
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    model = model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.average), use_buffers=True)
    if losses_of is None:
        _lower_precision(model.backbone, device)

    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}], lr=options.rate
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, options.steps))
    loader = DataLoader(pictures, batch_size=options.batch, num_workers=1, collate_fn=_collate)

    model.train()
    recent: dict[str, float] = {}
    bar = tqdm(zip(range(options.steps), loader, strict=False), total=options.steps, mininterval=10)
    for step, batch in bar:
        images = [i.to(device) for i in batch[0]]
        targets = [{k: v.to(device) for k, v in t.items()} for t in batch[1]]
        losses = model(images, targets) if losses_of is None else losses_of(model, images, targets)
        optimiser.zero_grad()
        sum(losses.values(), torch.zeros((), device=device)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
        for name, loss in losses.items():
            recent[name] = 0.98 * recent.get(name, float(loss)) + 0.02 * float(loss)
        if step % 20 == 0:
            bar.set_postfix_str(" ".join(f"{k.removeprefix('loss_')} {v:.3f}" for k, v in recent.items()))
        if (step + 1) % options.save_every == 0 or step + 1 == options.steps:
            save_weights(average.module, options.out)


def _lower_precision(backbone: nn.Module, device: torch.device) -> None:
    plain = backbone.forward

    def forward(x: Tensor) -> OrderedDict[str, Tensor]:
        with lower_precision(device.type):
            maps = plain(x.contiguous(memory_format=torch.channels_last))
        return OrderedDict((name, level.float()) for name, level in maps.items())

    backbone.forward = forward  # type: ignore[method-assign]


def _rate(step: int, steps: int) -> float:
    warm = min(WARMUP_STEPS, max(1, steps // 10))
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
