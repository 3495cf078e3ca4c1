"""The faithfulness check of a map: its request, curves, randomised network and numbers, as text."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Result
from viewer.presenters import attribution
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.translation import tr

SLOT = "proof.map"
PROOF = "proof"
GAIN = tr("Of this picture: area under insertion minus deletion. ± holds 95 % of random maps, judging by {}.")
CAPTUM = (
    ("infidelity", tr("Infidelity, captum's, normalised")),
    ("infidelity_explained", tr("Share of changes the map explains")),
    ("sensitivity", tr("Sensitivity, captum's maximum")),
)
NAMES = {"the map": tr("This map"), "random": tr("Random"), "centre": tr("Centre")}


def name_of(curve: str, draws: int = 1) -> str:
    """Return the displayed name of one of the three curves; that of `draws` random maps is their mean."""
    return tr("Mean of {draws} random", draws=draws) if curve == "random" and draws > 1 else NAMES.get(curve) or curve


def wanted(document: Document, description: Description | None) -> Request | None:
    """Return the request to check the map shown, with its method's own settings; None if there is no map yet."""
    if description is None or not document.method or document.method not in description.offers:
        return None
    settings: dict[str, Value] = request_plan.given(document, document.method, description)
    settings = {name: value for name, value in settings.items() if name not in attribution.ABOUT}
    if document.layer and attribution.layered(description.offers[document.method]):
        settings["layer"] = document.layer
    extra: dict[str, Value] = {"method": document.method}
    if settings:
        extra["settings"] = json.dumps(settings, sort_keys=True)
    return request_plan.explain(PROOF, document, description, extra=extra)


def sentences(result: Result, *, delta: float | None) -> list[str]:
    """Return the findings as sentences."""
    meta = result.meta
    said = [meta["verdict_text"]] if "verdict_text" in meta else []
    said += [GAIN.format(meta["draws"])] if "random_reach" in meta else []
    said += [meta[name] for name in ("twin_text", "infidelity_text", "sensitivity_text") if name in meta]
    if delta is not None:
        said.append(tr("Completeness: the map's sum is off by {delta:.2%} of what it should add up to.", delta=delta))
    return said


def progress(result: Result) -> str:
    """Return the progress of the computation, "" once it is complete."""
    meta = result.meta
    if not meta.get("partial"):
        return ""
    return tr("{collected:,} of {of:,} {unit}", collected=meta["collected"], of=meta["of"], unit=meta["unit"])


def bounds(result: Result) -> tuple[float, float]:
    """Return the lowest and highest value of both charts: 0 to 1 for probabilities."""
    values = np.concatenate([result.arrays["deletion"].ravel(), result.arrays["insertion"].ravel()])
    values = values[np.isfinite(values)]
    low, high = min(0.0, float(values.min(initial=0.0))), float(values.max(initial=0.0))
    return (0.0, 1.0) if result.meta["quantity"] == "probability" and high > 0.5 else (low, high or 1.0)


def facts(result: Result, *, delta: float | None) -> list[tuple[str, str]]:
    """Return every number with its name."""
    meta = result.meta
    rows = [(tr("Method"), str(meta["method"])), (tr("Explains"), str(meta["target"]))]
    for curve in ("deletion", "insertion"):
        for name, value in zip(meta["maps"], meta.get(f"{curve}_areas", ()), strict=False):
            draws = int(meta.get("draws", 1))
            spread = f" ± {meta[f'{curve}_spread']:.4f}" if name == "random" and f"{curve}_spread" in meta else ""
            rows.append(
                (
                    tr("Area under {curve}, {name_of}", curve=curve, name_of=name_of(name, draws).lower()),
                    f"{value:.4f}{spread}",
                )
            )
    for key, title in (
        ("correlation", tr("Spearman's ρ to the twin")),
        ("similarity", tr("SSIM to the twin")),
        *CAPTUM,
    ):
        rows += [(title, f"{meta[key]:.4f}")] if key in meta else []
    rows += [(tr("Completeness off by"), f"{delta:.4%}")] if delta is not None else []
    return rows


def as_text(result: Result, *, delta: float | None) -> str:
    """Return every number and finding as tab-separated text."""
    lines = ["\t".join(row) for row in facts(result, delta=delta)]
    return "\n".join([*lines, *sentences(result, delta=delta)]) + "\n"


def as_csv(result: Result) -> str:
    """Return the curves: one line per share of pixels, one column per map for deletion and for insertion."""
    text = io.StringIO()
    import csv

    writer = csv.writer(text, lineterminator="\n")
    names = result.meta["maps"]
    curves = ("deletion", "insertion")
    draws = [name for name in (f"{curve}_draws" for curve in curves) if name in result.arrays]
    heads = [f"{curve}, {name}" for curve in curves for name in names]
    count = int(result.meta.get("draws", 0))
    heads += [
        tr("{partition}, random {number}", partition=name.partition("_")[0], number=number + 1)
        for name in draws
        for number in range(count)
    ]
    writer.writerow(["share", *heads])
    columns = np.concatenate([result.arrays["levels"][None], *(result.arrays[name] for name in (*curves, *draws))])
    writer.writerows([f"{value:.6g}" for value in row] for row in columns.T.tolist())
    return text.getvalue()


def as_json(request: Request, result: Result, *, delta: float | None) -> str:
    """Return the curves, areas and findings, with the picture, the model and every parameter."""
    meta = {key: value for key, value in result.meta.items() if key not in ("timings", "total_ms", "size", "sha256")}
    known = ("levels", "deletion", "insertion", "deletion_draws", "insertion_draws")
    curves = {name: result.arrays[name].tolist() for name in known if name in result.arrays}
    body: dict[str, Any] = {
        "source": {"file": request.source.name if request.source else ""},
        "model": {"name": request.model, "sha256": result.meta.get("sha256", "")},
        **meta,
        "completeness_delta": delta,
        **curves,
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
