"""The Document: the immutable value of everything the user has set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from models import model_name
from models.cards.card import DEFAULT_MODEL
from models.params import Value
from models.requests import Request
from models.types import Source

SIGNED, ABSOLUTE, POSITIVE = "signed", "absolute", "positive"

Rect = tuple[float, float, float, float]
Settings = tuple[tuple[tuple[str, str], tuple[tuple[str, Value], ...]], ...]


@dataclass(frozen=True)
class Look:
    """How maps are drawn.

    `opacity`; how the sign is handled; the percentile at which the scale ends and values are clipped; whether to
    interpolate between cells; whether to draw the grid of cells; colour map ("" for the one that suits the sign);
    whether weak values are transparent; `scale` fixes the end of the scale, 0 lets each map have its own; `floor` is
    the size of a value at which the scale of a map of one sign starts.
    """

    opacity: float = 0.7
    sign: str = SIGNED
    clip: float = 99.5
    smooth: bool = True
    grid: bool = False
    colours: str = ""
    fade: bool = True
    scale: float = 0.0
    floor: float = 0.0


@dataclass(frozen=True)
class View:
    """How results are drawn, and which panels are visible.

    `labels` are drawn beside boxes, `legend` says that the meaning of colours is shown. `anchors` is the content of the
    anchor layer: off, here, density, all, lineage or match; `anchor_level` -1 is every level; `anchor_at` is a place in
    the picture, pinned by a click.

    With ground truth, `outcomes` colours detections by right and wrong at the IoU `truth_iou`; `truth_shown` says what
    is drawn. `lineage`, `missed`, `maps` and `proof` say that those panels are visible, and therefore that their
    results are wanted.

    `mask_values` shows the probabilities of the selected mask. Key points with a score of at most `point_score` are
    drawn faint, or not at all if `faint_points` is off; `heat_point` is the key point whose heat map is shown for the
    selected box, -1 for none.

    `compare` says what is shown of settings A (the current ones) and B (the pinned ones): their difference, a or b.

    `inside` names the visible panels among filters, activations and attention; `unit` is the channel, row and column of
    a layer under the pointer, `patch` the patch of a transformer, -1 for none.

    With two models, `alone` colours the boxes that only one of them found, and `subtracted` shows the difference of
    their maps in place of the second map.

    `posterior` says that the encoder's statistics over a folder are wanted.

    `translated` says what is shown of a picture that a network made of the picture: split (before on the left of
    `split`, a share of the width, after on its right), output, difference or input.

    `figures` of the whole data set are off, collect (wanted, and pictures are being measured) or hold.

    `workspace` is the one that is shown, and `opened` the panels that are open in each, as a session keeps them; while
    the program runs, the window's docks have them.

    `explaining` and `layers` say that those panels are visible. `judged` is the last answered request for which methods
    are valid for the model, picture and layer; `unfit` are the ids of invalid methods, whose maps are not requested.
    """

    labels: bool = True
    legend: bool = True
    boxes: bool = True
    anchors: str = "off"
    anchor_level: int = -1
    anchor_at: tuple[float, float] | None = None
    outcomes: bool = True
    truth_iou: float = 0.5
    truth_shown: tuple[str, ...] = ("correct", "wrong", "missed")
    lineage: bool = False
    missed: bool = False
    masks: bool = True
    mask_opacity: float = 0.5
    counted: bool = False
    mask_outlines: bool = True
    mask_values: bool = False
    points: bool = True
    point_score: float = 0.0
    faint_points: bool = True
    heat_point: int = -1
    compare: str = "difference"
    inside: tuple[str, ...] = ()
    unit: tuple[int, int, int] | None = None
    patch: int = -1
    figures: str = "off"
    explaining: bool = False
    layers: bool = False
    judged: Request | None = None
    unfit: tuple[str, ...] = ()
    maps: bool = False
    proof: bool = False
    posterior: bool = False
    translated: str = "split"
    split: float = 0.5
    alone: bool = True
    subtracted: bool = False
    workspace: str = ""
    opened: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Maps:
    """The maps to compare.

    `methods` by id, () for the usual ones; `classes` by name, () for the picture's best ones, which are in `found`; the
    number of `pictures` from the current one on; one `scale` for all, for each method or for each cell.
    """

    methods: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    pictures: int = 1
    scale: str = "method"


@dataclass(frozen=True)
class Key:
    """A code on the timeline: its text, the path to the next key ("auto" depends on the prior), and the easing."""

    code: str
    path: str = "auto"
    easing: str = "linear"


@dataclass(frozen=True)
class Latent:
    """The position in the latent space: `code` as text (see `models.latent.space`), and the timeline's `keys`.

    `at` is the chosen key, -1 for none. `reals` is the folder of real pictures that generated ones are compared with,
    "" for that of the current picture. `sought` is the picture whose code is or was being sought; `encoded` the last
    opened picture whose code was shown; `unasked` the picture that was open before the model, which is encoded only on
    request.

    `aside` are stored codes, each with the name of its place: A, B and C hold one code each, sets as many as were
    added. `points` says that pictures are shown over the map of a plane. `around` is the code whose local directions
    are shown, `kept` are directions by name, as codes of length 1, `folders` those of pictures with and without the
    attribute of an attribute vector.
    """

    code: str = "seed:0"
    keys: tuple[Key, ...] = ()
    at: int = -1
    reals: str = ""
    sought: Source | None = None
    encoded: Source | None = None
    unasked: Source | None = None
    aside: tuple[tuple[str, str], ...] = ()
    points: bool = True
    around: str = "seed:0"
    kept: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, str] = ("", "")

    def codes(self, place: str) -> tuple[str, ...]:
        """Return the codes stored at a place, in order."""
        return tuple(code for name, code in self.aside if name == place)

    def put(self, place: str, *codes: str) -> tuple[tuple[str, str], ...]:
        """Return all stored codes, with those at a place replaced."""
        return (*(each for each in self.aside if each[0] != place), *((place, code) for code in codes))


@dataclass(frozen=True)
class Document:
    """Pictures, the current one, the model, parameters the user changed per model and inspection, the view.

    `selected` is a detection's id, which denotes the same box at any threshold, -1 for none; `second` is another one
    selected for comparison, or an object of the ground truth (`truth_ids` of `viewer.canvas.layers`). `region` is a
    rectangle drawn on the picture, x0 y0 x1 y1 in its pixels, `region_label` the class that should have been found
    there, "" for any. `truth` is the source of the ground truth, `data_set` that of the pictures which panels go over.
    `pinned` are detection settings stored for comparison with the current ones.

    `method` is the attribution shown, "" for none; `target`, `against` (class names), `part` (of a box) and `layer` (a
    call's id, "" for the automatic one) define what it explains; `look` how maps are drawn; `maps` which ones are
    compared.

    `beside` is the model shown beside `model`, "" for none, and `other` the id of its selected detection. `latent` is
    the state of a generative model. `frame` is the frame at which a video, camera or stream is paused; -1 while it
    plays, and for still pictures.
    """

    sources: tuple[Source, ...] = ()
    current: int = 0
    frame: int = -1
    model: str = DEFAULT_MODEL
    beside: str = ""
    settings: Settings = ()
    view: View = View()
    selected: int = -1
    second: int = -1
    other: int = -1
    region: Rect | None = None
    region_label: str = ""
    truth: Source | None = None
    data_set: Source | None = None
    pinned: tuple[tuple[str, Value], ...] | None = None
    method: str = ""
    target: str = ""
    against: str = ""
    part: str = "score"
    layer: str = ""
    look: Look = field(default_factory=Look)
    maps: Maps = Maps()
    latent: Latent = Latent()

    @property
    def file(self) -> Source | None:
        """The current picture, or the whole video, camera or stream."""
        return self.sources[self.current] if self.sources else None

    @property
    def source(self) -> Source | None:
        """The current picture; of a video, camera or stream, the frame at which it is paused."""
        return dataclasses.replace(self.file, frame=self.frame) if self.file and self.frame >= 0 else self.file

    def values(self, inspection: str) -> dict[str, Value]:
        """Return the user's changes to an inspection's parameters on the current model."""
        return dict(dict(self.settings).get((self._base, inspection), ()))

    @property
    def _base(self) -> str:
        """The model's name without assumptions, device and precision, so that settings stay when these change."""
        return model_name.split(self.model)[0]

    def with_value(self, inspection: str, **changed: Value | None) -> Document:
        """Return the document with parameters set; None resets one to the model's own value."""
        values: dict[str, Value] = {**self.values(inspection)}
        for name, value in changed.items():
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        return self._with_settings(inspection, values)

    def with_own(self, inspection: str) -> Document:
        """Return the document with all of an inspection's parameters reset to the model's own values."""
        return self._with_settings(inspection, {})

    def with_sources(self, sources: tuple[Source, ...], *, current: int = 0) -> Document:
        """Return the document with other pictures."""
        return dataclasses.replace(self._unpicked(), sources=sources, current=current)

    def with_current(self, index: int) -> Document:
        """Return the document at another picture; `index` is clipped to the range."""
        index = max(0, min(index, len(self.sources) - 1))
        if index == self.current:
            return self
        return dataclasses.replace(self._unpicked(), current=index)

    def with_frame(self, frame: int) -> Document:
        """Return the document paused at a frame, or playing at -1. Selections are kept when playing stops."""
        if frame == self.frame:
            return self
        return dataclasses.replace(self if self.frame < 0 else self._unpicked(), frame=frame)

    def with_model(self, model: str) -> Document:
        """Return the document with another model; pyramid level and codes are reset, as they depend on the model.

        Codes are kept if only the assumptions about the same file change.
        """
        same = model_name.split(model)[0] == model_name.split(self.model)[0]
        latent = self.latent if same else Latent(unasked=self.source)
        view = dataclasses.replace(self.view, anchor_level=-1)
        own = {"target": "", "against": "", "part": "score", "layer": ""}
        own["beside"] = "" if model == self.beside else self.beside
        maps = dataclasses.replace(self.maps, classes=(), found=())
        return dataclasses.replace(
            self, model=model, selected=-1, second=-1, other=-1, pinned=None, view=view, maps=maps, latent=latent, **own
        )

    def with_beside(self, model: str) -> Document:
        """Return the document with another second model, or with none."""
        return dataclasses.replace(self, beside="" if model == self.model else model, other=-1)

    def explaining(self, **changed: str) -> Document:
        """Return the document with another method, target, against, part or layer."""
        return dataclasses.replace(self, **changed)  # type: ignore[arg-type]

    def with_look(self, **changed: object) -> Document:
        """Return the document with maps drawn differently."""
        return dataclasses.replace(self, look=dataclasses.replace(self.look, **changed))  # type: ignore[arg-type]

    def with_inside(self, panel: str, in_view: bool) -> Document:
        """Return the document with a panel visible or hidden, and nothing of it under the pointer."""
        inside = {*self.view.inside, panel} if in_view else {*self.view.inside} - {panel}
        return self.with_view(inside=tuple(sorted(inside)), unit=None, patch=-1)

    def with_maps(self, **changed: object) -> Document:
        """Return the document with other maps compared."""
        return dataclasses.replace(self, maps=dataclasses.replace(self.maps, **changed))  # type: ignore[arg-type]

    def with_latent(self, **changed: object) -> Document:
        """Return the document with another position in the latent space, or other keys."""
        return dataclasses.replace(self, latent=dataclasses.replace(self.latent, **changed))  # type: ignore[arg-type]

    def with_view(self, **changed: object) -> Document:
        """Return the document with the view changed."""
        return dataclasses.replace(self, view=dataclasses.replace(self.view, **changed))  # type: ignore[arg-type]

    def with_selected(self, row: int) -> Document:
        """Return the document with a box selected, or none at -1."""
        return dataclasses.replace(self, selected=row, second=-1, other=-1)

    def with_second(self, row: int) -> Document:
        """Return the document with a second box selected."""
        return dataclasses.replace(self, second=row)

    def with_other(self, row: int) -> Document:
        """Return the document with a box of the second model selected, or none at -1."""
        return dataclasses.replace(self, other=row)

    def with_region(self, region: Rect | None, label: str = "") -> Document:
        """Return the document with a rectangle drawn on the picture, or none, and the class expected there."""
        return dataclasses.replace(self, region=region, region_label=label if region else "")

    def with_truth(self, truth: Source | None) -> Document:
        """Return the document with other ground truth, or none."""
        return dataclasses.replace(self, truth=truth)

    def with_data_set(self, data_set: Source | None) -> Document:
        """Return the document with another data set, or none."""
        return dataclasses.replace(self, data_set=data_set)

    def with_pinned(self, pinned: Mapping[str, Value] | None) -> Document:
        """Return the document with stored detection settings, or none."""
        return dataclasses.replace(self, pinned=None if pinned is None else tuple(sorted(pinned.items())))

    def _unpicked(self) -> Document:
        """Return the document without everything that belongs to a single picture."""
        view, maps = dataclasses.replace(self.view, anchor_at=None), dataclasses.replace(self.maps, found=())
        plain = dataclasses.replace(self, view=view, maps=maps)
        return dataclasses.replace(plain, frame=-1, selected=-1, second=-1, other=-1, region=None, region_label="")

    def _with_settings(self, inspection: str, values: Mapping[str, Value]) -> Document:
        settings = {key: given for key, given in self.settings if key != (self._base, inspection)}
        if values:
            settings[(self._base, inspection)] = tuple(sorted(values.items()))
        return dataclasses.replace(self, settings=tuple(sorted(settings.items())))
