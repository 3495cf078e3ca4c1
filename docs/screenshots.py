"""Make the README's screenshots from the real window, off screen.

Run: python -m docs.screenshots --out docs/images --data DIR, a folder with bccd.zip (MIT licence).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "assets" / "samples"
PHOTOS = ROOT / "assets" / "photos"
DIGITS = ROOT / "assets" / "digits"
PUPPETS = ROOT / "assets" / "puppets"
ANSWERS = {
    "detect",
    "classify",
    "generated",
    "pixel_likelihood",
    "translate",
    "landmarks",
}  # each model gives one of them
BUNDLED = ROOT / "assets" / "models"
LIMIT_S = 120.0
CELLS = "cells-faster-rcnn"


class Studio:
    """The program, brought up once, and what the pictures are taken with."""

    def __init__(self, out: Path) -> None:
        from PySide6.QtWidgets import QApplication

        from models.types import Source
        from viewer.app import build
        from viewer.session.document import Document
        from viewer.session.job_queue import Mailbox, ProcessLane
        from viewer.session.session import Session
        from viewer.window.docks import WINDOW_PX

        self.out = out
        pictures = tuple(Source.file(p) for p in sorted(SAMPLES.glob("*.png")))
        self.session, mail = Session(ProcessLane(), Document(sources=pictures)), Mailbox()
        self.session.begin(mail.post, [])
        self.application: Any = QApplication([])
        self.window: Any = build(self.application, self.session, mail, theme_name="dark")
        self.window.resize(*WINDOW_PX)  # off screen, a screen of 800 px would limit it
        self.window.show()
        self.store = self.session.store

    def wait(self, done: Callable[[], bool]) -> None:
        """Let the program run until `done`. Raises TimeoutError."""
        end = time.monotonic() + LIMIT_S
        quiet = 0
        while quiet < 5:
            self.application.processEvents()
            time.sleep(0.02)
            quiet = quiet + 1 if done() else 0
            if time.monotonic() > end:
                raise TimeoutError("the window did not settle")

    def settle(self) -> None:
        """Wait until everything that is wanted is answered, in full."""
        session = self.session

        def idle() -> bool:
            partial = any(answer.meta.get("partial") for _, answer in session.results.values())
            return not (session.jobs.busy or session.reading or session.stale or partial or session.truths.reading)

        self.wait(lambda: idle() and session.results.keys() & ANSWERS)

    def take(self, name: str) -> None:
        """Save what the window shows once it has settled."""
        self.settle()
        self.application.processEvents()
        self.window.toasts.clear()
        self.window.grab().save(str(self.out / f"{name}.png"))

    def largest(self) -> int:
        """The id of the largest detection."""
        found = self.session.results["detect"][1].arrays
        sides = found["boxes"][:, 2:] - found["boxes"][:, :2]
        return int(found["ids"][sides.prod(1).argmax()])


def digits(studio: Studio) -> None:
    """Take the pictures of the digit detectors on the bundled samples."""
    store, window = studio.store, studio.window
    studio.take("dark")
    window.commands.run("theme-light")
    studio.take("light")
    store.update(store.document.with_value("detect", suppressed=True, iou=0.3, score=0.1))
    studio.take("suppressed")
    window.commands.run("theme-dark")
    store.update(store.document.with_own("detect").with_view(anchors="here", anchor_at=(300.0, 240.0), boxes=False))
    studio.take("anchors")
    store.update(store.document.with_view(anchors="off", boxes=True, anchor_at=None).with_selected(studio.largest()))
    window.docks.show("lineage")
    studio.take("lineage")
    window.arrange()


def training(studio: Studio) -> None:
    """Take the pictures of what a detector pools and learns from, on the bundled samples."""
    store, window = studio.store, studio.window
    store.update(store.document.with_selected(-1).with_view(boxes=False))
    shown: tuple[tuple[str, dict[str, Any]], ...] = (
        ("region_pooling", {"proposal": 0}),
        ("training_sample", {"seed": 2}),
        ("box_losses", {}),
        ("augmentation", {"seed": 1}),
        ("selective_search", {"left": 20}),
    )
    for panel, settings in shown:
        store.update(store.document.with_value(panel, **settings))
        window.docks.show(panel)
        studio.take(panel.replace("_", "-"))
        window.arrange()
    store.update(store.document.with_view(boxes=True))


def opened(studio: Studio, name: str) -> None:
    """Open a model, and wait until its answers are there."""
    studio.session.open_model(name)
    studio.wait(lambda: studio.store.document.model == name)
    studio.settle()


def heat_maps(studio: Studio) -> None:
    """Take the pictures of detectors without anchors, and of key points from heat maps."""
    store, window = studio.store, studio.window
    store.update(store.document.with_selected(-1))
    for model, panel in (("digits-centernet", "peaks"), ("digits-yolo", "prototypes")):
        opened(studio, model)
        store.update(store.document.with_selected(studio.largest()))
        window.docks.show(panel)
        studio.take(panel)
        window.arrange()


def puppets(studio: Studio) -> None:
    """Take the pictures of key points, segments and charts of drawn puppets, with their ground truth."""
    store, session, window = studio.store, studio.session, studio.window
    pictures, first = store.document.sources, store.document.model
    for model, panel, truth, settings in (
        ("puppets-hourglass", "heat_map_audit", "key-points.json", {"flip": True}),
        ("puppets-parts", "fusion", "segments.json", {"x": 160.0, "y": 130.0}),
        ("puppets-parts", "charts", "key-points.json", {}),
    ):
        opened(studio, model)
        session.open_paths([PUPPETS / "meadow.png"])
        studio.wait(lambda: store.document.source is not None and store.document.source.name == "meadow.png")
        session.truths.open(PUPPETS / truth)
        studio.wait(lambda truth=truth: session.truth is not None and session.truth.name == Path(truth).stem)
        store.update(store.document.with_value(panel, **settings))
        window.docks.show(panel)
        studio.take(panel.replace("_", "-"))
        window.arrange()
    store.update(store.document.with_truth(None).with_sources(pictures))
    opened(studio, first)


def two_models(studio: Studio) -> None:
    """Take the pictures of two models beside each other: two detectors."""
    store, window = studio.store, studio.window
    store.update(store.document.with_selected(-1))
    window.panes.choose("digits-ssd")
    studio.take("two-models")
    window.panes.close_second()
    window.arrange()


def cells(studio: Studio, folder: Path) -> None:
    """Take the pictures of the cell detector on photographs with ground truth."""
    store, session, window = studio.store, studio.session, studio.window
    session.open_model(CELLS)
    studio.wait(lambda: store.document.model == CELLS)
    session.truths.open(folder / "BCCD" / "ImageSets" / "Main" / "test.txt", pictures=True)
    studio.wait(lambda: session.truth is not None)
    studio.settle()
    session.go(6)
    studio.settle()
    window.docks.show("truth")
    studio.take("truth")
    truth: Any = session.truth
    picture: Any = truth.of(store.document.source.path) if store.document.source else None
    store.update(store.document.with_value("detect", score=0.97))
    studio.settle()
    missed = window.panels["truth"].mistakes.missed
    row = missed[0] if missed else 0
    store.update(store.document.with_region(tuple(picture.boxes[row].tolist())))
    window.docks.show("missed")
    studio.take("missed")
    window.arrange()
    store.update(store.document.with_pinned({"score": 0.3}).with_own("detect").with_region(None))
    store.update(store.document.with_value("detect", method="soft-gaussian", score=0.6).with_view(outcomes=False))
    window.docks.show("compare")
    studio.take("compare")
    window.arrange()
    store.update(store.document.with_pinned(None).with_own("detect").with_view(outcomes=True))
    store.update(store.document.with_view(anchors="match", boxes=False))
    window.docks.show("workbench")
    studio.take("workbench")
    window.arrange()
    store.update(store.document.with_view(anchors="off", boxes=True, figures="collect"))
    window.docks.show("figures")
    studio.take("figures")


def photos(studio: Studio) -> None:
    """Take the pictures of what is inside a classifier, on the bundled photographs."""
    store, session, window = studio.store, studio.session, studio.window
    window.arrange()
    store.update(store.document.with_truth(None).with_view(figures="off"))
    session.open_model("photos-resnet")
    studio.wait(lambda: store.document.model == "photos-resnet")
    session.open_paths([PHOTOS / "cat.jpg"])
    studio.wait(lambda: store.document.source is not None and store.document.source.name == "cat.jpg")
    window.docks.show("attribution")
    store.update(store.document.explaining(method="grad_cam"))
    studio.take("explain")
    window.docks.show("maps")
    studio.take("maps")
    window.docks.show("activations")
    studio.take("activations")
    window.docks.show("proof")
    studio.take("proof")


def own(studio: Studio) -> None:
    """Take the pictures of a checkpoint of one's own, recognised by its tensors, and of the zoo."""
    import torch
    from safetensors.torch import load_file

    store, session, window = studio.store, studio.session, studio.window
    state = load_file(BUNDLED / "photos-resnet.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "epoch=33.ckpt"
        averaged = {f"ema_model.{name}": tensor for name, tensor in state.items()}
        torch.save({"state_dict": {**{f"model.{name}": tensor for name, tensor in state.items()}, **averaged}}, file)
        window.arrange()
        session.open_model(str(file))
        studio.wait(lambda: store.document.model == str(file))
        window.docks.show("model")
        studio.take("own")
        window.zoo.open()
        window.zoo.dialog.search.setText("resnet50")
        studio.settle()
        window.zoo.dialog.grab().save(str(studio.out / "zoo.png"))
        window.zoo.dialog.close()
        session.open_model("photos-resnet")
        studio.wait(lambda: store.document.model == "photos-resnet")


def latent(studio: Studio) -> None:
    """Take the pictures of what is inside VAEs and GANs, on the bundled digits."""
    store, session, window = studio.store, studio.session, studio.window

    def opened(name: str) -> None:
        window.arrange()
        session.open_model(name)
        studio.wait(lambda: store.document.model == name)
        studio.settle()

    def at(seed: int) -> None:
        store.update(store.document.with_latent(code=f"seed:{seed}", at=-1))
        studio.settle()

    store.update(store.document.with_sources(()))
    opened("digits-gan")
    for seed in (0, 5, 8, 12):
        at(seed)
        window.commands.actions(window)["key-add"].trigger()
    window.docks.show("timeline")
    window.docks.show("directions")
    studio.take("latent")
    opened("digits-vae-2d")
    window.docks.show("manifold")
    studio.take("manifold")
    opened("digits-vae")
    session.open_paths([DIGITS / f"{number}.png" for number in (5, 2, 0, 3, 4)])
    studio.wait(lambda: store.document.latent.encoded is not None)
    window.docks.show("anatomy")
    studio.take("anatomy")
    opened("digits-infogan")
    at(3)
    window.docks.show("activations")
    studio.take("units")


def likelihood(studio: Studio) -> None:
    """Take the picture of likelihoods pixel by pixel, on a bundled digit."""
    store, session, window = studio.store, studio.session, studio.window
    window.arrange()
    session.open_model("digits-pixelcnn")
    studio.wait(lambda: store.document.model == "digits-pixelcnn")
    session.open_paths([DIGITS / f"{number}.png" for number in (5, 2, 0, 3, 4)])
    studio.settle()
    window.docks.show("pixel_film")
    store.update(store.document.with_value("pixel_film", seed=8))
    studio.settle()
    window.panels["pixel_film"].step(-380)
    studio.take("likelihood")


def translation(studio: Studio) -> None:
    """Take the pictures of networks that turn pictures into pictures, of style, and of a generator that grows."""
    store, session, window = studio.store, studio.session, studio.window
    shown: tuple[tuple[str, Path, str, dict[str, Any]], ...] = (
        ("digits-cyclegan", DIGITS / "5.png", "cycle", {}),
        ("photos-colouring", PHOTOS / "astronaut.jpg", "translate", {}),
        ("photos-resnet", PHOTOS / "cat.jpg", "style", {"style": str(PHOTOS / "coffee.jpg"), "steps": 30, "size": 128}),
    )
    for model, picture, panel, settings in shown:
        window.arrange()
        store.update(store.document.with_sources(()))
        session.open_paths([picture])
        opened(studio, model)
        store.update(store.document.with_value(panel, **settings))
        window.docks.show(panel)
        studio.take(panel)
    window.arrange()
    store.update(store.document.with_sources(()))
    opened(studio, "digits-progan")
    store.update(store.document.with_latent(code="seed:3", at=-1).with_value("growth", position=2.5))
    window.docks.show("growth")
    studio.take("growth")


def korean(out: Path) -> None:
    """Take the picture of the window in Korean, in a process of its own, as texts are chosen at the start."""
    command = [sys.executable, str(ROOT / "main.py"), "--sample", "--language", "ko"]
    subprocess.run([*command, "--theme", "light", "--screenshot", str(out / "korean.png")], check=True)


PARTS = {"training": training, "heat-maps": heat_maps, "puppets": puppets, "translation": translation}


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=tuple(PARTS), help="only these pictures")
    parser.add_argument("--data", type=Path, help="folder with bccd.zip; without it the cells are left out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["VITRINE_HOME"] = tempfile.mkdtemp()
    studio = Studio(options.out)
    if options.only:
        PARTS[options.only](studio)
        studio.window.close()
        return
    digits(studio)
    training(studio)
    heat_maps(studio)
    puppets(studio)
    opened(studio, "digits-faster-rcnn")
    two_models(studio)
    if options.data:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(options.data / "bccd.zip") as archive:
            archive.extractall(folder)
            cells(studio, Path(folder))
    photos(studio)
    own(studio)
    latent(studio)
    likelihood(studio)
    translation(studio)
    studio.window.close()
    korean(options.out)


if __name__ == "__main__":
    main()
