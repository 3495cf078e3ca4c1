"""Every action of the program, as one table. Menus, shortcuts and the palette are made from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from models import model_name
from models.cards import card as cards
from models.media import title
from viewer.commands.command import Command, Commands
from viewer.menus import inspect, latent, maps, second_model, timeline, user_code

if TYPE_CHECKING:
    from viewer.window.main_window import Window

GESTURES = (
    ("Wheel", "Zoom to the cursor"),
    ("Drag", "Move the picture"),
    ("Click", "Select a box, or pin the place for anchors"),
    ("Ctrl + click", "Pick a second box beside the selected one"),
    ("Shift + drag", "Draw a rectangle: why was nothing found here?"),
    ("Up / Down", "Next of the overlapping boxes"),
    ("Shift + drop", "Open weights beside the model, to compare the two"),
    ("Double click", "A slider goes back to the model's own value"),
)


def table(window: Window) -> Commands:
    """Return the command table of a window."""
    return Commands(
        [
            *_file(window),
            *_edit(window),
            *_view(window),
            *_live(window),
            *_model(window),
            *user_code.commands(window),
            *second_model.commands(window),
            *inspect.commands(window),
            *maps.commands(window),
            *latent.commands(window),
            *timeline.commands(window),
            *_help(window),
        ]
    )


def _file(w: Window) -> list[Command]:
    def has(kind: str) -> bool:
        return w.verbs.answer_for(kind) is not None

    kinds = {
        "png": ("Overlay as PNG…", "At the picture's own resolution", "Ctrl+E"),
        "svg": ("Overlay as SVG…", "Boxes and text as vectors, for papers", ""),
        "json": ("Numbers as JSON…", "Detections, or the classes of the picture", ""),
        "npy": ("Heat map as NPY…", "The raw values of the map shown, float32, at its own resolution", ""),
        "map.json": ("Heat map as JSON…", "Target, verdict, scale and place of the map shown", ""),
        "csv": ("Detections as CSV…", "", ""),
        "coco.json": ("Detections as COCO…", "", ""),
    }
    return [
        Command("open", "Open pictures…", w.verbs.ask_pictures, shortcut="Ctrl+O", menu="File", icon="open"),
        Command("open-folder", "Open folder…", w.verbs.ask_folder, shortcut="Ctrl+Shift+O", menu="File", icon="folder"),
        Command("open-video", "Open video…", w.playback.ask_video, menu="File", icon="film"),
        Command("open-live", "Open camera or stream…", w.playback.ask_live, menu="File", icon="camera"),
        Command("recent", "Open recent", menu="File", children=lambda: _recent(w)),
        *w.sessions.commands(),
        Command("sample", "Open sample", menu="File", children=lambda: _samples(w)),
        Command(
            "open-truth",
            "Open ground truth…",
            w.verbs.ask_truth,
            shortcut="Ctrl+T",
            menu="File",
            group="truth",
            icon="truth",
            help="A COCO file, a YOLO data.yaml or a Pascal VOC split",
        ),
        Command(
            "open-truth-folder",
            "Open folder with ground truth…",
            w.verbs.ask_truth_folder,
            shortcut="Ctrl+Shift+T",
            menu="File",
            group="truth",
            help="A Pascal VOC or YOLO folder",
        ),
        Command(
            "close-truth",
            "Close ground truth",
            w.session.truths.close,
            menu="File",
            group="truth",
            enabled=lambda: w.session.store.document.truth is not None,
        ),
        *[
            Command(
                f"export-{kind}",
                f"Export {title[0].lower()}{title[1:]}",
                partial(w.verbs.ask_export, kind),
                shortcut=keys,
                menu="File",
                group="export",
                icon="export" if kind == "png" else "",
                help=help_text,
                enabled=partial(has, kind),
            )
            for kind, (title, help_text, keys) in kinds.items()
        ],
        Command(
            "export-figures",
            "Export figures of the data set…",
            w.verbs.ask_figures,
            menu="File",
            group="export",
            help="As JSON, or the precision-recall curves as CSV",
            enabled=lambda: w.verbs.figures is not None,
        ),
        Command("quit", "Quit", w.verbs.close_window, shortcut="Ctrl+Q", menu="File", group="quit"),
    ]


def _edit(w: Window) -> list[Command]:
    store = w.session.store
    return [
        Command(
            "undo",
            "Undo",
            w.session.undo,
            shortcut="Ctrl+Z",
            menu="Edit",
            icon="undo",
            enabled=lambda: bool(store.undo_title),
        ),
        Command(
            "redo",
            "Redo",
            w.session.redo,
            shortcut=("Ctrl+Shift+Z", "Ctrl+Y"),
            menu="Edit",
            icon="redo",
            enabled=lambda: bool(store.redo_title),
        ),
        Command(
            "copy-image",
            "Copy picture with overlay",
            w.verbs.copy_image,
            shortcut="Ctrl+Shift+C",
            menu="Edit",
            group="clipboard",
            icon="copy",
            help="At the picture's own resolution",
            enabled=lambda: w.has_picture,
        ),
        Command(
            "copy-view",
            "Copy view",
            w.verbs.copy_view,
            menu="Edit",
            group="clipboard",
            help="What the canvas shows, as it shows it",
            enabled=lambda: w.has_picture,
        ),
        Command(
            "copy-table",
            "Copy detections as text",
            w.verbs.copy_table,
            shortcut="Ctrl+Alt+C",
            menu="Edit",
            group="clipboard",
            enabled=lambda: w.has_result,
        ),
        Command(
            "paste",
            "Paste picture or path",
            w.verbs.paste,
            shortcut="Ctrl+V",
            menu="Edit",
            group="clipboard",
            icon="paste",
        ),
        Command(
            "deselect",
            "Select nothing",
            w.verbs.deselect,
            menu="Edit",
            group="select",
            enabled=lambda: store.document.selected >= 0,
        ),
        Command(
            "cancel",
            "Cancel",
            w.verbs.cancel,
            shortcut="Esc",
            help="Stop what the engine works on; else select nothing, clear the rectangle, go back to the picture",
        ),
    ]


def _view(w: Window) -> list[Command]:
    store, canvas = w.session.store, w.canvas

    def shown(name: str) -> bool:
        return bool(getattr(store.document.view, name))

    def flip(name: str) -> None:
        title = f"{'Hide' if shown(name) else 'Show'} {name}"
        store.update(store.document.with_view(**{name: not shown(name)}), title=title)

    go = {"menu": "View", "group": "go", "enabled": lambda: w.many}
    zoom = {"menu": "View", "group": "zoom", "enabled": lambda: w.has_picture}
    return [
        Command("fit", "Fit", canvas.fit, shortcut="F", icon="fit", **zoom),
        Command("actual-size", "100 %", canvas.actual_size, shortcut="1", icon="actual-size", **zoom),
        Command(
            "zoom-in", "Zoom in", partial(canvas.zoom, 1.25), shortcut=("Ctrl++", "Ctrl+="), icon="zoom-in", **zoom
        ),
        Command("zoom-out", "Zoom out", partial(canvas.zoom, 0.8), shortcut="Ctrl+-", icon="zoom-out", **zoom),
        Command(
            "zoom-selection",
            "Zoom to selection",
            w.verbs.zoom_to_selection,
            shortcut="Z",
            menu="View",
            group="zoom",
            enabled=lambda: w.selected_box is not None,
        ),
        Command("next-picture", "Next picture", partial(w.session.step, 1), shortcut="Right", **go),
        Command("last-picture", "Previous picture", partial(w.session.step, -1), shortcut="Left", **go),
        Command(
            "boxes",
            "Boxes",
            partial(flip, "boxes"),
            shortcut="B",
            menu="View",
            group="layers",
            checked=lambda: shown("boxes"),
        ),
        Command(
            "labels",
            "Labels",
            partial(flip, "labels"),
            shortcut="L",
            menu="View",
            group="layers",
            checked=lambda: shown("labels"),
        ),
        *[
            Command(
                f"panel-{panel.id}",
                panel.title,
                partial(w.verbs.toggle_panel, panel.id),
                shortcut=_panel_keys(number),
                menu="View/Panels",
                group="window",
                icon=panel.icon,
                checked=partial(w.verbs.panel_shown, panel.id),
            )
            for number, panel in enumerate(w.panels.kinds.values(), 1)
        ],
        Command("reset-layout", "Reset layout", w.verbs.reset_layout, menu="View/Panels", group="reset"),
        *[
            Command(
                f"theme-{scheme}",
                title,
                partial(w.verbs.set_theme, scheme),
                menu="View/Theme",
                group="window",
                checked=partial(w.verbs.theme_is, scheme),
            )
            for scheme, title in (("system", "Theme of the system"), ("dark", "Dark theme"), ("light", "Light theme"))
        ],
        Command("full-screen", "Full screen", w.verbs.toggle_full_screen, shortcut="F11", menu="View", group="window"),
    ]


def _panel_keys(number: int) -> str:
    """Return the keys of the panel with a number from 1: nine with Alt, then nine with another key more, and so on."""
    more, digit = divmod(number - 1, 9)
    return f"{('Alt', 'Alt+Shift', 'Ctrl+Alt', 'Ctrl+Alt+Shift')[more]}+{digit + 1}"


def _live(w: Window) -> list[Command]:
    play, step = w.playback, partial(timeline.step, w)
    live = {"menu": "View/Playback", "group": "live", "enabled": lambda: play.open}
    both = {**live, "enabled": lambda: timeline.plays(w) or play.open}
    return [
        Command("play", "Play or pause", partial(timeline.play, w), shortcut="Space", icon="play", **both),
        Command("next-frame", "Next frame", partial(step, 1), shortcut=".", icon="step-forward", **both),
        Command("last-frame", "Previous frame", partial(step, -1), shortcut=",", icon="step-back", **both),
        Command(
            "record",
            "Record video…",
            play.record,
            shortcut="Ctrl+Shift+R",
            icon="record",
            help="Write what is shown, with its overlay; again to finish the file",
            checked=lambda: play.recording,
            **live,
        ),
    ]


def _model(w: Window) -> list[Command]:
    return [
        Command("open-model", "Open weights…", w.verbs.ask_model, shortcut="Ctrl+M", menu="Model", icon="model"),
        Command(
            "zoo",
            "Open from the zoo…",
            w.verbs.zoo.open,
            shortcut="Ctrl+Shift+M",
            menu="Model",
            icon="zoo",
            help="Published models of torchvision and timm, by name",
        ),
        Command("bundled", "Bundled models", menu="Model", children=lambda: _bundled(w)),
        Command(
            "architectures",
            "Architectures without weights",
            menu="Model",
            children=lambda: _architectures(w),
            help="For their anchors: their weights are random numbers",
        ),
        Command("recent-models", "Recent weights", menu="Model", children=lambda: _recent_models(w)),
        Command(
            "card",
            "About this model",
            w.verbs.show_card,
            shortcut="Ctrl+I",
            menu="Model",
            group="card",
            icon="info",
            enabled=lambda: w.session.description is not None,
        ),
    ]


def _help(w: Window) -> list[Command]:
    return [
        Command("shortcuts", "Keyboard shortcuts", w.verbs.show_shortcuts, shortcut="?", menu="Help", icon="keyboard"),
        Command(
            "palette",
            "Command palette",
            w.verbs.show_palette,
            shortcut=("Ctrl+Shift+P", "Ctrl+K"),
            menu="Help",
            icon="palette",
        ),
        Command("about", "About Vitrine", w.verbs.show_about, menu="Help", group="about"),
    ]


def _recent(w: Window) -> list[Command]:
    paths = w.settings.recent_pictures
    return [Command(f"recent-{p}", title(p), partial(w.session.open_paths, [p]), help=p) for p in paths]


def _samples(w: Window) -> list[Command]:
    return [Command(f"sample-{p.stem}", p.stem, partial(w.session.open_paths, [p])) for p in w.samples()]


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
    return [Command(f"model-{p}", model_name.title(p), partial(w.verbs.zoo.open_model, p), help=p) for p in paths]
