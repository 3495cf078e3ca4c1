"""The Model menu: open weights, models of the zoo, bundled models, architectures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from models import model_name
from models.cards import card as cards
from models.files import CODE_SUFFIXES, MODEL_SUFFIXES
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "open-model", tr("Open weights…"), partial(ask_model, w), shortcut="Ctrl+M", menu="Model", icon="model"
        ),
        Command(
            "open-model-folder",
            tr("Open model folder…"),
            partial(ask_folder, w),
            menu="Model",
            icon="folder",
            help=tr("A folder of Hugging Face's: config.json with safetensors weights"),
        ),
        Command(
            "zoo",
            tr("Open from the zoo…"),
            w.zoo.open,
            shortcut="Ctrl+Shift+M",
            menu="Model",
            icon="zoo",
            help=tr("Published models of torchvision and timm, by name"),
        ),
        Command("bundled", tr("Bundled models"), menu="Model", children=lambda: _bundled(w)),
        Command(
            "architectures",
            tr("Architectures without weights"),
            menu="Model",
            children=lambda: _architectures(w),
            help=tr("For their anchors: their weights are random numbers"),
        ),
        Command("recent-models", tr("Recent weights"), menu="Model", children=lambda: _recent_models(w)),
        Command(
            "card",
            tr("About this model"),
            partial(show_card, w),
            shortcut="Ctrl+I",
            menu="Model",
            group="card",
            icon="info",
            enabled=lambda: w.session.description is not None,
        ),
    ]


def _bundled(w: Window) -> list[Command]:
    return [
        Command(
            f"model-{card.name}",
            card.name,
            partial(w.session.open_model, card.name),
            help=card.title,
            checked=lambda name=card.name: w.session.store.document.model == name,
        )
        for card in cards.bundled().values()
    ]


def _architectures(w: Window) -> list[Command]:
    return [
        Command(f"architecture-{name}", title, partial(w.session.open_model, name), help=cards.NO_WEIGHTS)
        for name, title in cards.ARCHITECTURES.items()
    ]


def _recent_models(w: Window) -> list[Command]:
    paths = [p for p in w.settings.recent_models if p not in cards.bundled()]
    return [Command(f"model-{p}", model_name.title(p), partial(w.zoo.open_model, p), help=p) for p in paths]


def ask_model(w: Window) -> None:
    """Ask for a file to open as the model: weights, an exported program, or code."""
    kinds = " ".join(f"*{suffix}" for suffix in sorted(MODEL_SUFFIXES))
    name, _ = QFileDialog.getOpenFileName(
        w,
        tr("Open a model"),
        w.settings.last_folder,
        ";;".join((tr("Models ({kinds})", kinds=kinds), tr("All files (*)"))),
    )
    if Path(name).suffix.lower() in CODE_SUFFIXES:
        w.prompts.open_code(name)
    elif name:
        w.session.open_model(name)


def ask_folder(w: Window) -> None:
    """Ask for a folder of Hugging Face's to open as the model."""
    name = QFileDialog.getExistingDirectory(w, tr("Open a model folder"), w.settings.last_folder)
    if name:
        w.settings.last_folder = name
        w.session.open_model(name)


def show_card(w: Window) -> None:
    """Show the model's card and the assumptions that can be changed."""
    w.docks.show("model")
