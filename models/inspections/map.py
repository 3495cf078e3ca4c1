"""Map: the pictures of a data set placed in the plane, so that those whose vectors are alike in a layer lie together.

The source is the data set. Principal components answer at once; the other methods start when every picture was looked
at, and until they begin the answer shows the principal components. The meta says `partial` while there is more to come:
an answer then has the layout as it is. Distances between groups mean nothing on the maps of t-SNE, UMAP and PaCMAP.

Arrays of the Result, one row per point: `rows` (N,) in the data set, `places` (N, 2), `label` (row of `set_classes`, -1
for none), `prediction` (row of `classes`, -1), `confidence` (0 where unknown), `right` (1, 0, -1 unknown), `kept`
(N,), the share of a point's true neighbours that are its neighbours on the map, -1 where it is not measured; more
columns of numbers as `column.NAME`, -1 where unknown. `shares` (K,) are those of the variance along each principal
component, `here` (2,) the place of the `picture`, or (0,).

Meta: `method`, that of the places shown (`pca` while another has not begun), `iteration`, `iterations`, `kl` (NaN until
measured), `perplexity`, `kept_share` of the whole map (NaN until measured), `kept_measured` points it is from,
`kept_by_chance`, `paths`, `classes`, `set_classes`, `own`, the point of the picture, -1 if it is not one, `text`,
`notes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.dataset_pass.asking import KIND, Asked, LayerParams, ask
from models.dataset_pass.comparison import vectors_of
from models.dataset_pass.forward import lacks
from models.dataset_pass.job import Job
from models.dataset_pass.picture_vector import own_row, vector_of
from models.datasets.nearest import EUCLIDEAN, METRICS, Vectors
from models.embedding_maps import outside_layouts, principal_components, tsne
from models.embedding_maps.kept_neighbours import KeptNeighbours, TrueNeighbours
from models.embedding_maps.layout_program import PACMAP, UMAP
from models.embedding_maps.outside_layouts import OutsideLayout
from models.embedding_maps.principal_components import Components
from models.embedding_maps.tsne import TSNE
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.runtime.context import go_on
from models.types import Float, Int, Refusal, Result, Source

MAP = "map of a data set"
PCA, T_SNE = "pca", "tsne"
METHODS = (PCA, T_SNE, UMAP, PACMAP)
TITLES = ("Principal components", "t-SNE", "UMAP", "PaCMAP")
OTHERS = ("method", T_SNE, UMAP, PACMAP)
COMPONENTS = 50  # that the other methods begin with
AXES_FROM = 10_000  # pictures at most
SHOWN_MEANWHILE = 5_000  # points while the pass goes on
MEASURED = 1_000  # points of a large map whose neighbours are compared


@dataclass(frozen=True)
class Params(LayerParams):
    """The layer, the method and its settings."""

    method: str = param(
        PCA,
        "Method",
        "Principal components keep directions and lengths; t-SNE, UMAP and PaCMAP keep who is whose neighbour.",
        choices=METHODS,
        titles=TITLES,
    )
    metric: str = param(
        EUCLIDEAN,
        "Distance",
        "Cosine compares directions only; Euclidean compares lengths too.",
        choices=METRICS,
        titles=("Cosine", "Euclidean"),
    )
    perplexity: float = param(
        30.0,
        "Perplexity",
        "About how many neighbours each picture keeps close; lowered where there are too few pictures.",
        low=2.0,
        high=200.0,
        step=1.0,
        only=("method", T_SNE),
    )
    iterations: int = param(
        250, "Iterations", "After as many of them again that only gather.", low=50, high=5000, step=50,
        only=("method", T_SNE),
    )  # fmt: skip
    near: int = param(
        15, "Neighbours", "How many neighbours each picture keeps close.", low=2, high=200, step=1,
        only=("method", UMAP, PACMAP),
    )  # fmt: skip
    least: float = param(
        0.1,
        "Least distance",
        "How near to each other two pictures may come; less makes denser knots.",
        low=0.0,
        high=1.0,
        step=0.05,
        only=("method", UMAP),
    )
    most: int = param(
        5000,
        "Points",
        "At most so many pictures, drawn at random, are placed; principal components place all.",
        low=10,
        high=100_000,
        step=100,
        only=OTHERS,
    )
    seed: int = param(0, "Seed", "Of the drawing of pictures and the first places.", low=0, high=1e6, step=1)
    stop: bool = param(False, "Stop here", "Leave the layout as it is now.")
    kept: bool = param(False, "Each point's neighbours", "Measure for every point how many true neighbours it keeps.")
    picture: str = param("", "Picture", "A picture, by its path, that is placed on the finished map.")


class _Nothing:
    """Work that is done already."""

    failure: Exception | None = None
    complete = True

    def step(self) -> None:
        """Do nothing."""


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return the map as far as it is. Raises Refusal, such as for vectors that are all the same."""
    if params.method == T_SNE:
        tsne.check()
    elif params.method != PCA:
        outside_layouts.check(params.method)
    asked = ask(model, source.path, stages, params)
    job = asked.standard(stages, params.at)
    go_on(stages, KIND, job)
    vectors = vectors_of(job, asked, stages)
    known = np.flatnonzero(vectors.known)
    if job.complete and not len(known):
        first = next(iter(job.collected.failures.values()), "")
        raise Refusal(f"None of the {len(asked.data_set):,} pictures could be used. The first: {first}")
    if len(known) < 2:
        alone = _Map(PCA, known, np.zeros((len(known), 2)), ended=job.complete)
        return (
            _result(asked, job, alone, params)
            if job.complete
            else _result(asked, job, _Map(PCA, np.zeros(0, np.int64), np.zeros((0, 2))), params)
        )
    components = _components(job, asked, vectors, params, stages)
    if params.method != PCA and job.complete:
        rows = _drawn(known, params.most, params.seed)
        found = _optimised(_key(job, asked), vectors, rows, components, params=params, stages=stages)
    else:
        some = known if job.complete else _drawn(known, SHOWN_MEANWHILE, params.seed)
        key = (*_key(job, asked), params.metric, params.seed)
        placed = stages.run("place the pictures", lambda: _placed(components, vectors, some, stages), *key)
        found = _Map(PCA, some, placed, ended=job.complete)
    found.components = components
    if found.ended:
        found.kept = _measured(found, _key(job, asked), vectors, params, stages)
        go_on(stages, MAP, found.kept)
    elif params.stop or found.work is None:
        go_on(stages, MAP, _Nothing())
    else:
        go_on(stages, MAP, found.work)
    if params.picture and (found.ended or found.method != PCA or params.method == PCA):
        _place_picture(found, asked, components, params, stages)
    return _result(asked, job, found, params)


@dataclass(eq=False)
class _Map:
    """The points of a map: `rows` (N,) of the data set at `places` (N, 2), and what is known of them."""

    method: str
    rows: Int
    places: np.ndarray
    ended: bool = False  # nothing of the layout is left to do
    work: TSNE | OutsideLayout | None = None
    asked: tuple[object, ...] = ()  # the settings of the layout
    components: Components | None = None
    kept: KeptNeighbours | None = None
    here: np.ndarray | None = None
    own: int = -1
    outside: float = 0.0


def _key(job: Job, asked: Asked) -> tuple[object, ...]:
    """Return what the vectors known so far depend on."""
    return job.key, asked.listed.digest, len(job.collected.parts), job.collected.done


def _components(job: Job, asked: Asked, vectors: Vectors, params: Params, stages: Any) -> Components:
    """Return the axes, found anew when twice as many pictures are known."""
    some = _drawn(np.flatnonzero(vectors.known), AXES_FROM, 0)
    state = _key(job, asked) if job.complete else (job.key, asked.listed.digest, len(job.collected.parts).bit_length())

    def made() -> Components:
        return principal_components.fit(vectors, some, count=COMPONENTS, metric=params.metric)

    found: Components = stages.run("principal components", made, *state, params.metric)
    return found


def _placed(components: Components, vectors: Vectors, rows: Int, stages: Any) -> np.ndarray:
    """Return the first two coordinates (N, 2) of rows, 0 for a second one where all vectors lie on a line."""
    placed = np.zeros((len(rows), 2))
    for at in range(0, len(rows), principal_components.BLOCK):
        stages.progress(at / len(rows), "place the pictures")
        block = rows[at : at + principal_components.BLOCK]
        made = components.first(2).place(vectors.rows(block))
        placed[at : at + len(block), : made.shape[1]] = made
    return placed


def _optimised(
    key: tuple[object, ...], vectors: Vectors, rows: Int, components: Components, *, params: Params, stages: Any
) -> _Map:
    """Return the map of a method that optimises, as far as it is; before it begins the principal components."""

    def made() -> TSNE | OutsideLayout:
        reduced, then = components.place(vectors.rows(rows)), params.iterations
        if params.method == T_SNE:
            return TSNE(reduced, perplexity=params.perplexity, exaggerated=then, then=then, seed=params.seed)
        return OutsideLayout(params.method, reduced, near=params.near, least=params.least, seed=params.seed)

    of_method = (params.perplexity, params.iterations) if params.method == T_SNE else (params.near, params.least)
    asked = (params.method, params.metric, *of_method, params.most, params.seed)
    work: TSNE | OutsideLayout = stages.run("layout of a map", made, *key, *asked)
    if work.failure is not None:
        failure, work.failure = work.failure, None
        raise failure
    begun = work.iteration > 0
    places = work.places if begun else components.first(2).place(vectors.rows(rows))
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 1)))
    ended = work.complete or (params.stop and begun)
    return _Map(params.method if begun else PCA, rows, places, ended=ended, work=work, asked=asked)


def _measured(found: _Map, key: tuple[object, ...], vectors: Vectors, params: Params, stages: Any) -> KeptNeighbours:
    """Return the measure of the neighbours that the finished map keeps."""
    key = (*key, len(found.rows), params.metric, params.seed)
    true = stages.run("true neighbours", lambda: TrueNeighbours(vectors, found.rows, params.metric), *key)
    points = np.arange(len(found.rows))
    if not params.kept:
        points = _drawn(points, MEASURED, params.seed)
    work = found.work
    layout = (work.iteration, *found.asked) if work is not None else (0,)

    def made() -> KeptNeighbours:
        return KeptNeighbours(true, found.places.astype(np.float32), points)

    kept: KeptNeighbours = stages.run("neighbours that the map keeps", made, *key, params.kept, found.method, *layout)
    return kept


def _place_picture(found: _Map, asked: Asked, components: Components, params: Params, stages: Any) -> None:
    """Find the place of the picture: its own point if it is one, else where the method puts it."""
    row = own_row(asked, params.picture)
    at = np.flatnonzero(found.rows == row) if row >= 0 else np.zeros(0, np.int64)
    if len(at):
        found.own, found.here = int(at[0]), found.places[at[0]]
        return
    source = Source.file(params.picture)
    key = (source, params.layer, params.pooling, params.place)
    vector: Float = stages.run(
        "the picture's vector", lambda: vector_of(asked, images.read(source).pixels, None, params.at), *key
    )
    if len(vector) != len(components.mean):
        raise Refusal(
            f"{asked.layer.title} has {len(vector)} values for this picture and {len(components.mean)} for the set.",
            advice="Choose a layer whose size does not depend on the picture, or the mean over its places.",
        )
    reduced = components.place(vector[None])
    if isinstance(found.work, OutsideLayout) and found.method != PCA:
        found.here = found.work.place(reduced)[0]
    elif isinstance(found.work, TSNE) and found.method == T_SNE:
        if found.work.begun and (found.ended or not found.work.iteration % PLACE_EVERY):
            found.here = found.work.transform(reduced)[0]
    else:
        found.here = np.pad(reduced[0], (0, 2))[:2]


PLACE_EVERY = 25  # iterations


def _result(asked: Asked, job: Job, found: _Map, params: Params) -> Result:
    data_set, rows, kept, work = asked.data_set, found.rows, found.kept, found.work
    prediction = job.collected.column("prediction", -1, np.int64)[rows]
    confidence = job.collected.column("confidence", 0.0, np.float32)[rows]
    label = data_set.labels[rows]
    ids = data_set.label_ids(asked.model.card.classes)
    wanted = np.where(label >= 0, ids[label], -1) if len(ids) else np.full(len(rows), -1)
    judged = asked.forward.classifies & (wanted >= 0) & (prediction >= 0)
    arrays = {
        "rows": rows.astype(np.int64),
        "places": found.places.astype(np.float32),
        "label": label.astype(np.int64),
        "prediction": prediction,
        "confidence": confidence,
        "right": np.where(judged, prediction == wanted, -1).astype(np.int8),
        "kept": np.full(len(rows), -1, np.float32) if kept is None else np.nan_to_num(kept.shares, nan=-1.0),
        "shares": found.components.shares if found.components is not None else np.zeros(0),
        "here": np.zeros(0) if found.here is None else np.asarray(found.here, np.float64),
        **{f"column.{name}": values[rows] for name, values in _columns(job, asked).items()},
    }
    measured = int((arrays["kept"] >= 0).sum())
    complete = found.ended and (kept is None or kept.complete)
    waits = params.stop and job.complete and not found.ended
    meta = {
        **asked.about,
        **job.about,
        "method": found.method,
        "wanted": params.method,
        "iteration": work.iteration if work is not None else 0,
        "iterations": work.iterations if work is not None else 0,
        "kl": work.kl if isinstance(work, TSNE) else float("nan"),
        "perplexity": work.perplexity if isinstance(work, TSNE) else float("nan"),
        "kept_share": kept.mean if kept is not None else float("nan"),
        "kept_measured": measured,
        "kept_by_chance": kept.by_chance if kept is not None else float("nan"),
        "kept_of": kept.true.count if kept is not None else 0,
        "paths": tuple(data_set.paths[row] for row in rows.tolist()),
        "root": data_set.root,
        "classes": asked.model.card.classes,
        "own": found.own,
        "text": _text(asked, job, found, params),
        "notes": tuple(_notes(asked, job, found, params)),
        "partial": not complete and not waits,
        "complete": job.complete,
    }
    return Result(arrays, meta)


def _columns(job: Job, asked: Asked) -> dict[str, np.ndarray]:
    """Return further columns of numbers (of the whole data set): those of the pass, and of the set."""
    found: dict[str, np.ndarray] = {}
    for name in job.collected.names:
        if name in ("prediction", "confidence", "sha256", "error"):
            continue
        values = job.collected.column(name, None, object)
        if all(value is None or isinstance(value, int | float) for value in values):
            found[name] = np.array([-1 if value is None else value for value in values], np.float32)
    if len(asked.data_set.objects):
        found["objects"] = asked.data_set.objects.astype(np.float32)
    return found


def _text(asked: Asked, job: Job, found: _Map, params: Params) -> str:
    """Return in words how far the map is, and how far it can be trusted."""
    looked, of = job.looked_at, len(asked.data_set)
    if not job.complete:
        return f"Looked at {looked:,} of {of:,} pictures."
    if found.components is None:
        return "One picture alone has no place on a map: it needs others to be compared with."
    told = [f"{len(found.rows):,} pictures in {asked.layer.title}."]
    if found.method == PCA:
        shares = found.components.shares
        second = float(shares[1]) if len(shares) > 1 else 0.0
        told.append(f"The axes hold {shares[0]:.1%} and {second:.1%} of the variance.")
    work = found.work
    if work is not None and not work.complete:
        if found.ended:
            told.append(f"Stopped after {work.iteration:,} of {work.iterations:,} iterations.")
        elif work.iteration:
            told.append(f"Iteration {work.iteration:,} of {work.iterations:,}.")
        elif isinstance(work, TSNE):
            told.append(f"Looking for neighbours: {work.share * 20:.0%}.")
        elif work.searching < 1:
            told.append(f"Looking for neighbours: {work.searching:.0%}.")
        else:
            told.append(f"{TITLES[METHODS.index(params.method)]} is being compiled, which can take a minute.")
    elif isinstance(work, TSNE):
        told.append(f"KL divergence {work.kl:.3f} at perplexity {work.perplexity:.3g}.")
    kept = found.kept
    if kept is not None and np.isfinite(kept.mean):
        told.append(
            f"The map keeps {kept.mean:.0%} of the {kept.true.count} true neighbours; by chance {kept.by_chance:.1%}."
        )
    return " ".join(told)


def _notes(asked: Asked, job: Job, found: _Map, params: Params) -> list[str]:
    """Return what somebody who reads the map has to know."""
    notes, count = [], len(found.rows)
    if params.method != PCA:
        notes.append("Distances between groups mean nothing here, nor do their sizes.")
    if not job.complete:
        return notes
    if params.method != PCA and job.collected.done > count:
        notes.append(f"Placed are {count:,} of {job.collected.done:,} pictures, drawn at random.")
    if found.components is not None and found.components.pictures < job.collected.done:
        notes.append(f"The components are those of {found.components.pictures:,} pictures, drawn at random.")
    if isinstance(found.work, OutsideLayout):
        if found.here is not None and found.own < 0:
            notes.append("The picture stands in the middle of its nearest neighbours on the map.")
        if params.stop and not found.work.complete:
            notes.append("A map that was stopped begins anew.")
    if isinstance(found.work, TSNE) and found.work.perplexity < params.perplexity:
        notes.append(
            f"The perplexity is {found.work.perplexity:.3g}: {params.perplexity:g} needs more than "
            f"{3 * params.perplexity:,.0f} pictures."
        )
    if failed := len(job.collected.failures):
        notes.append(f"Pictures that could not be placed: {failed:,}.")
    digests = [digest for digest in job.collected.column("sha256", "")[found.rows].tolist() if digest]
    if copies := len(digests) - len(set(digests)):
        notes.append(f"Exact copies of other pictures: {copies:,}. They form dense knots.")
    classes = np.unique(asked.data_set.labels[found.rows])
    if len(asked.data_set.classes) and len(classes) == 1 and classes[0] >= 0:
        notes.append("All pictures have the same class.")
    return notes


def _drawn(rows: Int, most: int, seed: int) -> Int:
    """Return at most so many rows, drawn at random, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


INSPECTION = Inspection(
    id="map",
    title="Map",
    help="The pictures of a data set in the plane: what a layer takes for alike lies together.",
    needs=(),
    params=Params,
    answer=answer,
    reads="folder",
    lacks=lacks,
)
