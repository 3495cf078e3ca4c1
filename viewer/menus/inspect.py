"""The Inspect menu: what to request from the model, and how to draw the results."""

from __future__ import annotations

from functools import partial

from viewer.commands.command import Command
from viewer.panels.anchors import MODES
from viewer.presenters import attribution
from viewer.session import pinned_settings
from viewer.translation import tr
from viewer.window.main_window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def set_mode(mode: str) -> None:
        chosen = "off" if store.document.view.anchors == mode else mode
        document = store.document.with_view(anchors=chosen, anchor_at=None)
        store.update(document, title=tr("Anchors: {modes}", modes=MODES[chosen][0].lower()))

    keys = {"here": "A", "density": "D", "lineage": "G"}
    return [
        Command(
            "suppressed",
            tr("Show suppressed boxes"),
            partial(toggle_suppressed, w),
            shortcut="S",
            menu="Inspect",
            help=tr("Boxes that non-maximum suppression removed, dashed, each linked to the box that removed it"),
            enabled=lambda: w.has_result,
            checked=lambda: bool(store.document.values("detect").get("suppressed", False)),
        ),
        *[
            Command(
                f"anchors-{mode}",
                tr("Anchors: {title}", title=title.lower()),
                partial(set_mode, mode),
                shortcut=keys.get(mode, ""),
                menu="Inspect",
                group="anchors",
                help=help_text.removesuffix("."),
                enabled=lambda: w.has_anchors,
                checked=lambda mode=mode: store.document.view.anchors == mode,
            )
            for mode, (title, help_text) in MODES.items()
        ],
        Command(
            "outcomes",
            tr("Colour by right and wrong"),
            lambda: store.update(
                store.document.with_view(outcomes=not store.document.view.outcomes),
                title=tr("Colour by right and wrong"),
            ),
            shortcut="T",
            menu="Inspect",
            group="truth",
            help=tr("Compare with the ground truth: correct, wrong, missed"),
            enabled=lambda: w.session.truth is not None,
            checked=lambda: w.session.truth is not None and store.document.view.outcomes,
        ),
        Command(
            "missed",
            tr("Why missed?"),
            partial(ask_missed, w),
            shortcut="W",
            menu="Inspect",
            group="missed",
            icon="missed",
            help=tr("At which stage an object in a rectangle was lost, and what brings it back"),
            enabled=lambda: w.has_result,
        ),
        Command(
            "missed-middle",
            tr("Why is nothing found in the middle?"),
            partial(ask_middle, w),
            menu="Inspect",
            group="missed",
            help=tr("Asks about a rectangle in the middle of the picture; drag with Shift for one of your own"),
            enabled=lambda: w.has_result,
        ),
        *_explaining(w),
        Command(
            "compare-pin",
            tr("Pin these settings as B"),
            lambda: store.update(pinned_settings.pin(store.document), title=tr("Pin settings as B")),
            shortcut="Ctrl+B",
            menu="Inspect",
            group="compare",
            help=tr("To be compared with what is set from then on"),
            enabled=lambda: w.has_result,
        ),
        Command(
            "compare-flip",
            tr("Flip between A and B"),
            lambda: store.update(pinned_settings.flip(store.document)),
            shortcut="X",
            menu="Inspect",
            group="compare",
            help=tr("Show the boxes of the pinned settings in place of the current ones, and back"),
            enabled=lambda: store.document.pinned is not None,
        ),
        Command(
            "again",
            tr("Run again"),
            w.session.again,
            shortcut="F5",
            menu="Inspect",
            group="reset",
            help=tr("After a cancel, or when the file changed on disk"),
            enabled=lambda: bool(store.document.sources),
        ),
        Command(
            "reset-detection",
            tr("Reset to the model's own settings"),
            lambda: store.update(store.document.with_own("detect"), title=tr("Reset detection")),
            shortcut="Ctrl+R",
            menu="Inspect",
            group="reset",
            icon="reset",
            enabled=lambda: bool(store.document.values("detect")),
        ),
    ]


def _explaining(w: Window) -> list[Command]:
    """Return the commands of the attribution panel."""
    store = w.session.store

    def offered() -> bool:
        return w.has_picture and bool(attribution.methods(w.session.description))

    def begin(*, box: bool = False) -> None:
        w.docks.show("attribution")
        document = attribution.begun(store.document, w.session.description)
        if box:
            document = document.with_region(None).explaining(target="", against="")
        store.update(document, title=tr("Explain this box") if box else tr("Explain the target"))

    def step(by: int) -> None:
        method = attribution.stepped(store.document, w.session.description, by)
        if method:
            w.docks.show("attribution")
            store.update(store.document.explaining(method=method), title=tr("Another method"))

    def by(method: str) -> None:
        begin()
        store.update(store.document.explaining(method=method), title=tr("Another method"))

    own = {"menu": "Inspect", "group": "explain", "enabled": offered}
    box = {**own, "enabled": lambda: offered() and w.controller.selected_box is not None}
    return [
        Command(
            "explain",
            tr("Explain the target"),
            begin,
            shortcut="E",
            icon="explain",
            help=tr("Which parts of the picture the score rests on"),
            **own,
        ),
        Command(
            "explain-by",
            tr("Explain by"),
            help=tr("Which method shows what the score rests on"),
            children=lambda: [
                Command(f"explain-by-{offer.id}", offer.title, partial(by, offer.id), help=offer.help.removesuffix("."))
                for offer in attribution.methods(w.session.description)
            ],
            **own,
        ),
        Command(
            "show-attribution", tr("Show the attribution"), partial(w.docks.show, "attribution"), **{**own, "menu": ""}
        ),
        *[
            Command(f"show-{panel}", title, partial(w.docks.show, panel))
            for panel, title in (
                ("patches", tr("Show the top patches")),
                ("activations", tr("Show the activations")),
                ("filters", tr("Show the filters")),
            )
        ],
        Command("explain-box", tr("Explain this box"), partial(begin, box=True), shortcut="Shift+E", **box),
        Command("next-method", tr("Next method"), partial(step, 1), shortcut="M", **own),
        Command("last-method", tr("Previous method"), partial(step, -1), shortcut="Shift+M", **own),
        Command(
            "layers",
            tr("Choose the layer"),
            partial(w.docks.show, "layers"),
            help=tr("From the network's calls"),
            **own,
        ),
        Command(
            "activations",
            tr("Show the layer's activations"),
            partial(w.docks.show, "activations"),
            **{**own, "enabled": lambda: offered() and "activations" in w.panels},
        ),
    ]


def ask_missed(w: Window) -> None:
    """Show why the object in the rectangle was missed; explain how to draw one if there is none."""
    w.docks.show("missed")
    if w.session.store.document.region is None:
        text = tr("Hold Shift and drag a rectangle around an object that was not found.")
        w.tell(text, key="missed")


def ask_middle(w: Window) -> None:
    """Ask why nothing was found in the middle of the picture."""
    pixels = w.canvas.pixels
    if pixels is not None:
        height, width = pixels.shape[:2]
        region = (0.375 * width, 0.375 * height, 0.625 * width, 0.625 * height)
        w.session.store.update(w.session.store.document.with_region(region), title=tr("Draw a rectangle"))
    w.docks.show("missed")


def toggle_suppressed(w: Window) -> None:
    """Show or hide the boxes that suppression removed."""
    document = w.session.store.document
    now = bool(document.values("detect").get("suppressed", False))
    w.session.store.update(
        document.with_value("detect", suppressed=None if now else True),
        title=tr("Hide suppressed boxes") if now else tr("Show suppressed boxes"),
    )
