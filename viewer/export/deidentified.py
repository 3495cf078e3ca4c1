"""Write de-identified copies of the pictures of a folder on the command line, with the report and the recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from models.deidentification.output import Export
from models.deidentification.report import DONE, FAILED, NOTHING
from models.pictures import images
from models.requests import Request
from models.types import Result
from viewer.export import answers


def write(
    folder: Path,
    request: Request,
    result: Result,
    *,
    name: str,
    label: str,
    say: Callable[[str], object],
    tell: Callable[[Sequence[str]], object],
) -> bool:
    """Write copies, report and recipe into a folder; return whether no picture failed.

    `say` gets lines that begin with `label`: every tenth how far it is, and at the end what was done; `tell` what is to
    be known of it. Raises Refusal, such as for a folder of the originals.
    """
    export, told = Export(request, result, folder), 0
    for done, of in export.run(images.read):
        if 10 * done // of > told:
            told = 10 * done // of
            say(f"{label}: {done:,} of {of:,} pictures written")
    with answers.written_files(folder) as files:
        answers.add_recipe(files, folder, name, (request, result), ())
    counts = export.counts
    hidden = f"{counts['areas']:,} areas hidden in {counts[DONE]:,} pictures, nothing found in {counts[NOTHING]:,}"
    say(f"{label}: {hidden}, {counts[FAILED]:,} failed; {export.report_paths[0].name} lists them")
    failed = [f"{row.picture}: {row.reason}" for row in export.rows if row.state == FAILED]
    tell([*result.meta["notes"], *failed])
    return not failed
