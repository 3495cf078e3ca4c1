"""Train a bundled classifier of small photographs on CIFAR-10. Seeded; CPU or CUDA.

Run: python -m models.training.photos --architecture photos_resnet --data DIR --out FILE
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.bundled.photos import CLASSES, MEAN, SIZE_PX, STD, photos_resnet, photos_vit
from models.loading.weights import read
from models.training.options import PHOTOS, begun, training_parser
from models.training.precision import lower_precision
from models.training.store import save_card, save_weights

TITLES = {
    "photos_resnet": "Small photographs, ten classes (residual network)",
    "photos_vit": "Small photographs, ten classes (vision transformer)",
}
BUILDERS = {"photos_resnet": photos_resnet, "photos_vit": photos_vit}
PAD_PX = 4
Rng = np.random.Generator


def photos(data: Path, *, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read the `train` or `test` photographs (N, 32, 32, 3) of `cifar10-jpeg.zip` in a folder, and their labels (N,).

    Raises FileNotFoundError saying what to do if the archive is missing.
    """
    path = Path(data) / "cifar10-jpeg.zip"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing. Put CIFAR-10 there as a zip of train/<class>/*.jpg and test/....")
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if f"{split}/" in n and n.endswith(".jpg"))
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
    return np.stack(pictures), np.array([CLASSES.index(name.split("/")[-2]) for name in names], np.int64)


def normalised(pictures: NDArray[np.uint8]) -> Tensor:
    """Convert pictures (N, H, W, 3) to the networks' input, (N, 3, H, W)."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def varied(pictures: NDArray[np.uint8], rng: Rng, *, hole_px: int) -> NDArray[np.uint8]:
    """Return pictures mirrored, shifted by up to 4 px, each with one square of mid grey (DeVries, Taylor 2017)."""
    count = len(pictures)
    padded = np.pad(pictures, ((0, 0), (PAD_PX, PAD_PX), (PAD_PX, PAD_PX), (0, 0)), mode="reflect")
    left, top = rng.integers(0, 2 * PAD_PX + 1, (2, count))
    span = np.arange(SIZE_PX)
    columns = np.where(rng.random(count)[:, None] < 0.5, span, span[::-1]) + left[:, None]
    moved = padded[np.arange(count)[:, None, None], (top[:, None] + span)[:, :, None], columns[:, None, :]]
    across, down = (np.abs(span - rng.integers(0, SIZE_PX, count)[:, None] + 0.5) < hole_px / 2 for _ in range(2))
    moved[down[:, :, None] & across[:, None, :]] = 120
    return moved


def accuracy(net: nn.Module, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Return the share of pictures whose top class is correct."""
    net.eval()
    with torch.inference_mode():
        parts = [net(normalised(pictures[i : i + 500])).argmax(1) for i in range(0, len(pictures), 500)]
    return float((torch.cat(parts).numpy() == labels).mean())


def _whole(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def write_card(architecture: str, weights: Path, data: Path, training: str) -> float:
    """Write the card of trained weights with the accuracy measured on the stored weights, and return it."""
    net = BUILDERS[architecture]()
    net.load_state_dict(_whole(read(weights)))
    pictures, labels = photos(data, split="test")
    reached = accuracy(net, pictures, labels)
    body = {
        "name": architecture.replace("_", "-"),
        "title": TITLES[architecture],
        "task": "classification",
        "architecture": architecture,
        "classes": list(CLASSES),
        "preprocessing": {"resize": SIZE_PX, "crop": SIZE_PX, "mean": list(MEAN), "std": list(STD)},
        "training_data": "The 50,000 training photographs of CIFAR-10 (Krizhevsky 2009), varied; a research data set",
        "training": training,
        "figures": {"10,000 test photographs of CIFAR-10": {"accuracy": round(reached, 4)}},
        "licence": "MIT",
    }
    save_card(weights, body)
    return reached


def main() -> None:
    """Train with a one-cycle schedule and label smoothing, and save an exponential moving average of the weights."""
    parser = training_parser(__doc__, data=PHOTOS, architectures=BUILDERS, epochs=30, batch=128, rate=3e-3, threads=2)
    parser.add_argument("--hole", type=int, default=8, help="side in px of the square that is cut out, 0 for none")
    parser.add_argument("--start", type=Path, help="weights to go on from, with their card; random without")
    parser.add_argument("--compile", action="store_true", help="compile the network first (needs a C++ compiler)")
    options = begun(parser)
    net = BUILDERS[options.architecture]().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if options.start:
        net.load_state_dict(_whole(read(options.start)))
    fast = torch.compile(net) if options.compile else net
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=options.rate)
    pictures, labels = photos(options.data, split="train")
    steps = len(labels) // options.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps * options.epochs)
    rng = np.random.default_rng(options.seed)
    for epoch in range(options.epochs):
        net.train()
        order = rng.permutation(len(labels))
        recent = 0.0
        bar = tqdm(range(steps), desc=f"epoch {epoch + 1}/{options.epochs}", mininterval=10)
        for step in bar:
            rows = order[step * options.batch : (step + 1) * options.batch]
            x = normalised(varied(pictures[rows], rng, hole_px=options.hole)).contiguous(
                memory_format=torch.channels_last
            )
            with lower_precision():
                logits = fast(x)
            loss = functional.cross_entropy(logits.float(), torch.from_numpy(labels[rows]), label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(net)
            recent = 0.98 * recent + 0.02 * float(loss.detach()) if step else float(loss.detach())
            bar.set_postfix_str(f"loss {recent:.3f}")
        save_weights(average.module, options.out)
    description = (
        f"{options.epochs} epochs of {options.batch}, AdamW, peak rate {options.rate:g}, one cycle, seed {options.seed}"
    )
    if options.start:
        before = json.loads(options.start.with_suffix(".json").read_text(encoding="utf-8"))["training"]
        description = f"{before}; then {description}"
    reached = write_card(options.architecture, options.out, options.data, description)
    print(f"test accuracy {reached:.4f}", flush=True)


if __name__ == "__main__":
    main()
