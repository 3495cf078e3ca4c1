"""Vitrine's command line: open the window, or answer without one. Imports neither Qt nor torch until it must."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.engine.engine import Engine
    from models.inspection import Description
    from models.requests import Request
    from models.types import Answer, Failure, Pixels, Result

DONE, FAILED, WRONG_USE, STOPPED = 0, 1, 2, 130
MOST_LINES = 200
COMMANDS = ("models", "inspections", "interpret", "run", "replay")
USAGE = """\
  main.py [PICTURE...] [--model NAME_OR_FILE] [--truth PATH]     open the window
          [--weights FILE] [--device D] [--precision P]           of that model; code (FILE.py:build) needs --allow once
          [--beside MODEL]                                        a second model on the same picture, side by side
          [--language CODE]                                       en or ko, for this run
          a PICTURE may also be a folder, a video, camera:0, an address such as rtsp://host/path, a saved session
  main.py --screenshot FILE.png [PICTURE...] [--model M]         save what the window shows, off screen
  main.py models [--json]                                        the bundled models
  main.py models --zoo [TEXT]                                    published models that open by name, TEXT in theirs
  main.py inspections [--model M] [--json]                       what can be asked, with parameters
  main.py interpret FILE [PICTURE] [--json]                      what a network's outputs are taken for, and why
  main.py run INSPECTION PICTURE... --model M [--set name=value]... --out DIR
  main.py run INSPECTION --model M [--set name=value]... --out DIR   of generative models: sample, interpolate
  main.py run figures GROUND_TRUTH --model M --out DIR           mAP, curves, errors of a whole data set
                                                                 of a classifier accuracy, calibration, ROC
  main.py run coverage GROUND_TRUTH --model M --out DIR          how well the anchors fit a whole data set
  main.py run neighbours PICTURE --model M --set folder=DIR --out DIR   the most alike pictures of a data set
  main.py run patches DATA_SET --model M --set layer=L --set channel=5 --out DIR   where a unit is largest
  main.py run map DATA_SET --model M --set method=tsne --out DIR   every picture's place on a map
  main.py run embed DATA_SET --model M --out DIR                 every picture's vector and prediction as a table
  main.py replay RECIPE.json --out DIR                           the same numbers again
  main.py … --debug                                              with the details of what went wrong
"""
DEBUG = "--debug"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a picture or model failed, 2 wrong use, 130 stopped.

    What nobody expected is told in a sentence too, with `--debug` also where in the code it happened.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    _debug[:] = [DEBUG in given]
    given = [_file_or_option(each) for each in given if each != DEBUG]
    from models.runtime.module_paths import SAFE_PATH, leave_out_folder

    leave_out_folder()
    os.environ[SAFE_PATH] = "1"
    try:
        if given and given[0] in COMMANDS:
            return _headless(given)
        return _window(given)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED if stop.code else DONE
    except KeyboardInterrupt:
        _say("Stopped.")
        return STOPPED
    except BrokenPipeError:  # whoever read the output, such as `head`, has had enough
        sys.stdout = None  # type: ignore[assignment]
        return DONE
    except Exception as error:
        from models.types import Refusal  # imports numpy, before which the engine is started

        if not isinstance(error, Refusal):
            return _unexpected(error)
        _say(f"{error} {error.advice}".strip())
        _say_details(error.details)
        return WRONG_USE


def _unexpected(error: Exception) -> int:
    """Tell of an exception that nobody expected, and return the exit code."""
    import traceback

    said = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    advice = "" if _debug[0] else f" {DEBUG} shows where; please report it."
    _say(f"Something went wrong that should not ({kind}{': ' if said else ''}{said}).{advice}")
    _say_details("".join(traceback.format_exception(error)))
    return FAILED


def _say_failure(failure: Failure, label: str = "") -> None:
    """Say why there is no answer, with `--debug` also in detail."""
    from models.runtime.failures import LOG

    text = f"{failure.message} {'' if failure.advice == LOG else failure.advice}".strip()
    hint = f" {DEBUG} shows the details." if failure.advice == LOG and not _debug[0] else ""
    _say(f"{label}{': ' if label else ''}{text}{hint}")
    _say_details(failure.details)


def _say_details(details: str) -> None:
    if _debug[0] and details:
        _say(details.rstrip())


def _file_or_option(word: str) -> str:
    """Return a word of the command line, as a path where it begins like an option and is the name of a file here."""
    try:
        return f".{os.sep}{word}" if len(word) > 1 and word[0] == "-" and os.path.lexists(word) else word
    except ValueError:
        return word


def _window(given: list[str]) -> int:
    from models.runtime import user_folders

    user_folders.prepare()  # before the engine starts, which has to look in the same folder
    if {"-h", "--help"} & set(given):
        _window_options(given)
    from models.runtime.module_paths import environment
    from viewer.session import engine_start

    begun = engine_start.start()  # first of all, because torch is what takes longest to import
    gc.disable()  # until the window is shown: what is imported stays, and looking through it takes a tenth of the time
    lane = None
    try:
        with environment({engine_start.NUMPY_THREADS: "1"}):  # threads here would only take time from the engine
            options = _window_options(given)
        if options.screenshot:
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from viewer import translation
        from viewer.session.preferences import chosen_cluster, chosen_language, is_confined

        translation.use(options.language or chosen_language())  # before other modules of the window make their texts
        from viewer.session.job_queue import Mailbox, ProcessLane

        confined = not options.unconfined and is_confined()
        lane, mail = ProcessLane(confined=confined, cluster=chosen_cluster(), begun=begun), Mailbox()
        lane.start(mail.post)
        from viewer.app import open_window

        return open_window(options, say=_say, lane=lane, mail=mail)
    finally:
        gc.enable()
        if lane is not None:
            lane.stop()
        else:
            begun.process.kill()


def _window_options(given: list[str]) -> argparse.Namespace:
    from models import command_line

    parser = argparse.ArgumentParser(prog="main.py", usage="\n" + USAGE, description="Look inside vision models.")
    parser.add_argument(
        "pictures", nargs="*", metavar="PICTURE", help="pictures, folders, videos, camera:0, addresses of streams"
    )
    command_line.add_options(parser)
    parser.add_argument("--beside", metavar="MODEL", help="a second model, shown beside the first on the same picture")
    parser.add_argument("--truth", type=Path, metavar="PATH", help="ground truth: a file or folder of any usual format")
    parser.add_argument("--screenshot", type=Path, metavar="FILE.png", help="save what the window shows and exit")
    parser.add_argument("--sample", action="store_true", help="open a bundled sample picture")
    parser.add_argument("--theme", choices=("system", "dark", "light"), help="for this run")
    parser.add_argument(
        "--language", metavar="CODE", help="for this run: en or ko; else the system's, or that of View > Language"
    )
    parser.add_argument("--restored", type=Path, help=argparse.SUPPRESS)  # what a window had open that starts again
    parser.add_argument("--unconfined", action="store_true", help="let the models' process write and read anything")
    parser.add_argument("--show", action="append", default=[], choices=("suppressed", "anchors", "density", "lineage"))
    options = parser.parse_args(given)
    options.model = _named(options) or None
    return options


def _headless(given: list[str]) -> int:
    from models import command_line
    from models.runtime import user_folders

    parser = argparse.ArgumentParser(prog="main.py", usage="\n" + USAGE)
    commands = parser.add_subparsers(dest="command")
    listing = commands.add_parser("models")
    listing.add_argument("--json", action="store_true")
    listing.add_argument("--zoo", nargs="?", const="", metavar="TEXT", help="published models of torchvision and timm")
    asking = commands.add_parser("inspections")
    command_line.add_options(asking)
    asking.add_argument("--json", action="store_true")
    reading = commands.add_parser("interpret")
    reading.add_argument("file", metavar="FILE", help="a model's file or name, with its assumptions")
    reading.add_argument("picture", nargs="?", metavar="PICTURE", help="a photograph comes with Vitrine")
    command_line.add_further(reading)
    reading.add_argument("--preparations", action="store_true", help="also try other ways to prepare the picture")
    reading.add_argument("--json", action="store_true")
    running = commands.add_parser("run")
    running.add_argument("inspection")
    running.add_argument("pictures", nargs="*")
    command_line.add_options(running, required=True)
    running.add_argument("--set", action="append", default=[], metavar="name=value", dest="settings")
    running.add_argument("--out", type=Path, required=True)
    command_line.add_cluster(running)
    running.add_argument("--also", action="append", default=[], choices=("csv", "coco"), help="further files")
    again = commands.add_parser("replay")
    again.add_argument("recipe", type=Path)
    again.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(given)
    user_folders.prepare()
    if told := user_folders.note():
        _say(told)
    match options.command:
        case "models":
            return _models(as_json=options.json, zoo=options.zoo)
        case "inspections":
            return _inspections(_named(options), as_json=options.json)
        case "interpret":
            return _interpret(options)
        case "run":
            return _run(options)
        case _:
            return _replay(options.recipe, options.out)


def _named(options: Any) -> str:
    from models import command_line

    return command_line.named(
        options.model or "",
        {key: getattr(options, key) or "" for key in command_line.FURTHER},
        allow=options.allow,
        say=_say,
    )


def _models(*, as_json: bool, zoo: str | None) -> int:
    from models import command_line
    from models.cards import card as cards

    if as_json:
        print(json.dumps([dict(card.about) for card in cards.bundled().values()], indent=2, ensure_ascii=False))
    else:
        print("\n".join(command_line.bundled_lines() if zoo is None else command_line.zoo_lines(zoo)))
    return DONE


def _inspections(model: str, *, as_json: bool) -> int:
    from models.cards import card as cards

    chosen = model or cards.DEFAULT_MODEL
    offers = _describe(_engine(), chosen).offers.values()
    if as_json:
        from dataclasses import asdict

        print(json.dumps({"model": chosen, "inspections": [asdict(o) for o in offers]}, indent=2, ensure_ascii=False))
        return DONE
    for offer in offers:
        print(f"{offer.id}: {offer.title}. {offer.reason or offer.help}")
        for parameter in offer.parameters:
            reason = offer.greyed.get(parameter.name, "")
            text = reason or f"{parameter.range_text}; {chosen}'s own value is {parameter.default}"
            print(f"  {parameter.name:16} {parameter.title:22} {text}")
    return DONE


def _interpret(options: Any) -> int:
    """Say what the outputs of a network are taken for, why, and what each reading finds on a picture."""
    from models.cards.card import PHOTOS
    from models.detection import report
    from models.interpretation.lines import lines
    from models.requests import Request
    from models.runtime.context import Context
    from models.types import Failure, Source

    options.model = options.file
    engine, model = _engine(), _named(options)
    description = _describe(engine, model)
    if reason := description.offers["interpretation"].reason:
        told = {"model": model, "family": description.family, "task": description.about.get("task", ""), "note": reason}
        print(json.dumps(told, indent=2, ensure_ascii=False) if options.json else f"{description.family}: {reason}")
        return DONE
    source = Source.file(options.picture or PHOTOS / "astronaut.jpg")
    request = Request.make("interpretation", model, source, {"preparations": options.preparations})
    answer = engine.run(request, Context())
    if isinstance(answer, Failure):
        _say_failure(answer)
        return FAILED
    print(report.as_plain_json(request, answer) if options.json else "\n".join(lines(answer.meta, options.file)))
    return DONE


def _run(options: Any) -> int:
    from models import command_line
    from models.pictures import images
    from models.requests import Request
    from models.runtime import cluster_address
    from models.types import Refusal, Source

    settings = dict(_setting(text) for text in options.settings)
    for name in ("truth", "folder", "other", "reference", "style"):
        if settings.get(name) and Path(settings[name]).exists():
            settings[name] = str(Path(settings[name]).absolute())
    cluster_address.use(options.cluster, allow=options.allow_on_cluster)
    engine, model = _engine(), _named(options)
    options.inspection = _about_classes(engine, options.inspection, model)
    settings = _check(engine, options.inspection, model, settings)
    if options.also and options.inspection != "detect":
        raise Refusal("Only detections can be written as CSV or COCO.", advice="Leave --also out.")
    paths: list[Path | None] = []
    failed = 0
    if _reads(options.inspection) == "nothing":
        if options.pictures:
            raise Refusal(f"{options.inspection} is asked about the model alone.", advice="Leave the pictures out.")
        paths = [None]
    elif not options.pictures and _spared(options.inspection):
        paths = [None]
    elif not options.pictures:
        raise Refusal(f"{options.inspection} is asked about a picture.", advice="Name one, or a folder.")
    for given in options.pictures:
        try:
            paths += [Path(given)] if _reads(options.inspection) == "folder" else images.expand([given])
        except Refusal as refusal:
            failed += 1
            _say(f"{given}: {refusal} {refusal.advice}")
    kinds = ["png", "svg", "json", *("coco.json" if k == "coco" else k for k in options.also)]
    taken: set[str] = set()
    for number, path in enumerate(paths, 1):
        request = Request.make(options.inspection, model, Source.file(path) if path else None, settings)
        name = command_line.export_name(request, taken)
        label = f"{number}/{len(paths)} {path.name}" if path else options.inspection
        done = _answer(engine, request, options.out, name, kinds=kinds, label=label)
        failed += not done
    return FAILED if failed else DONE


def _about_classes(engine: Engine, inspection: str, model: str) -> str:
    """Return the inspection that figures mean for a model: of a classifier its own."""
    if inspection != "figures":
        return inspection
    kinds = _describe(engine, model).capabilities
    return "classification_figures" if "Classifies" in kinds and "Detects" not in kinds else inspection


def _replay(recipe_path: Path, out: Path) -> int:
    from models import command_line, recipe
    from models.types import Refusal
    from models.zoo import fetch

    engine = _engine()
    try:
        found = recipe.read(recipe_path)
        fetch.bring(found.request.model, _say)
        model = engine.model(found.request.model)
        if found.weights_sha256 and model.card.sha256 and model.card.sha256 != found.weights_sha256:
            raise Refusal(
                f"The weights of {found.request.model} are not those of the recipe.",
                advice=f"It was made with SHA-256 {found.weights_sha256[:12]}….",
            )
    except Refusal as refusal:
        _say(f"{refusal} {refusal.advice}")
        return FAILED
    name = command_line.export_name(found.request, set())
    done = _answer(engine, found.request, out, name, kinds=["png", "svg", "json"], label=recipe_path.name)
    return DONE if done else FAILED


def _answer(engine: Engine, request: Request, out: Path, name: str, *, kinds: list[str], label: str) -> bool:
    """Answer one request into files, saying on standard error how it went."""
    from models.runtime.context import Context
    from models.types import Failure, Refusal

    if request.inspection == "detect" and request.source is not None and request.source.moving:
        return _video(engine, request, out, name, label=label)
    answer = _whole(engine, request, label, out)
    if isinstance(answer, Failure):
        _say_failure(answer, label)
        return False
    from models.evaluation import report
    from viewer.export import answers, deidentified, embedding_map, generated

    try:
        if request.inspection == "deidentify":
            return deidentified.write(out, request, answer, name=name, label=label, say=_say, tell=_list)
        if request.inspection in answers.LISTS:
            answers.write_lists(out, request, answer, name=name)
            _say(f"{label}: {answer.meta['text']}")
            return True
        if request.inspection == "embed":
            answers.write_data_set(out, request, answer, name=name)
            _say(f"{label}: {answer.meta['collected']:,} pictures, compared in {answer.meta['layer_title']}")
            _list([*answer.meta["problems"], *answer.meta["set_notes"]])
            return True
        if request.inspection in ("map", "patches"):
            embedding_map.write(out, request, answer, name=name) if request.inspection == "map" else answers.write(
                out, request, answer, None, kinds=answers.KINDS_OF["patches"], name=name
            )
            _say(f"{label}: {answer.meta['text']}")
            _list(answer.meta["notes"])
            return True
        if _reads(request.inspection) == "folder" and answer.meta.get("kind") != generated.LATENT:
            if request.inspection == "classification_figures":
                answers.write_figures(out, request, answer, kinds=["json", "csv"], name=name)
                _say(f"{label}: {answer.meta['text']}")
                _list([*answer.meta["problems"], *answer.meta["notes"]])
                return True
            if request.inspection == "coverage":
                answers.write_figures(out, request, answer, kinds=["json"], name=name)
                _say(f"{label}: {answer.meta['covered']:,} of {answer.meta['objects']:,} objects covered")
                _list(answer.meta["truth_notes"])
                return True
            answers.write_figures(out, request, answer, kinds=["json", "csv"], name=name)
            found = f"mAP {answer.meta['map']:.4f}" if answer.meta["map"] >= 0 else "no objects, so no mAP,"
            _say(f"{label}: {found} over {answer.meta['pictures']:,} pictures")
            _list(report.left_out(answer))
            return True
        _painting()
        if answer.meta.get("kind") == generated.LATENT:
            kinds = generated.kinds(answer)
        elif raw := answers.raw_kind(request, answer):
            kinds = [*kinds, raw]
        elif request.inspection in answers.GRIDS:
            kinds = ["png", "npy", "json"]
        elif request.inspection in answers.KINDS_OF:
            kinds = list(answers.KINDS_OF[request.inspection])
        seen = _reads(request.inspection) == "picture" and request.source is not None
        answers.write(out, request, answer, engine.pixels(request, Context()) if seen else None, kinds=kinds, name=name)
    except Refusal as refusal:
        _say(f"{label}: {refusal} {refusal.advice}")
        return False
    count = f", {len(answer.arrays['boxes'])} boxes" if request.inspection == "detect" else ""
    _say(f"{label}: {answer.meta['total_ms']:.0f} ms{count}")
    return True


def _list(lines: Sequence[str]) -> None:
    """Say lines that stand in full in what was written, the first `MOST_LINES` of them."""
    for line in lines[:MOST_LINES]:
        _say(f"  {line}")
    if len(lines) > MOST_LINES:
        _say(f"  and {len(lines) - MOST_LINES:,} more, which the JSON file lists")


def _whole(engine: Engine, request: Request, label: str, out: Path) -> Answer:
    """Answer a request; where that takes more than one go, go on to the end, saying every tenth of it how far it is.

    An output folder that copies may not be written into ends it before the long part.
    """
    from models.deidentification.output import check_folder
    from models.runtime.context import Context
    from models.types import Failure, Refusal, Result

    answer, told = engine.run(request, Context()), 0
    said: list[str] = []
    if isinstance(answer, Result) and request.inspection == "deidentify":
        try:
            check_folder(out, answer.meta)
        except Refusal as refusal:
            return Failure(str(refusal), refusal.advice)
    while isinstance(answer, Result) and answer.meta.get("partial"):
        engine.work_idle(1.0)
        answer = engine.run(request, Context())
        if isinstance(answer, Result):
            for text in (answer.meta.get("where"), answer.meta.get("where_note")):
                if text and text not in said:
                    said.append(text)
                    _say(f"{label}: {text}")
            done, of = answer.meta["collected"] + answer.meta.get("failed", 0), answer.meta["of"]
            if 10 * done // of > told:
                told = 10 * done // of
                _say(f"{label}: {done:,} of {of:,} {answer.meta.get('unit', 'pictures')}")
    return answer


def _reads(inspection: str) -> str:
    """Tell what an inspection is asked about: a "picture", the "folder" of a data set, or "nothing" but the model."""
    from models.engine import registry

    return registry.all_inspections()[inspection].reads


def _spared(inspection: str) -> bool:
    """Tell whether an inspection also answers without a picture."""
    from models.engine import registry

    return registry.all_inspections()[inspection].spared


def _video(engine: Engine, request: Request, out: Path, name: str, *, label: str) -> bool:
    """Detect on every frame of a video into files, saying on standard error how it went."""
    from dataclasses import replace

    from models.live.capture import Capture
    from models.runtime.context import Context
    from models.types import Failure, Refusal

    _painting()
    from viewer.export import answers

    source = request.source
    assert source is not None

    def frames() -> Iterator[tuple[Request, Result, Pixels]]:
        while (pixels := capture.read()) is not None:
            frame = replace(source, frame=capture.next - 1)
            asked = replace(request, source=frame)
            engine.take_frame(frame, pixels)
            answer = engine.run_frame(asked, Context())
            if isinstance(answer, Failure):
                raise Refusal(answer.message, advice=answer.advice)
            yield asked, answer, pixels

    try:
        capture = Capture(source.path)
        count = answers.write_video(out, request, frames(), fps=capture.fps, name=name)
        if not count:
            raise Refusal(f"{source.name} holds no frame that can be read.", advice="Copy or convert it again.")
    except Refusal as refusal:
        _say(f"{label}: {refusal} {refusal.advice}")
        return False
    _say(f"{label}: {count} frames")
    return True


def _check(engine: Engine, inspection: str, model: str, settings: dict[str, str]) -> dict[str, str]:
    """Return the settings, with the numbers of codes in place of the files that hold them: a recipe keeps these.

    Raises Refusal for a model, inspection or setting that cannot be, before any picture is read.
    """
    from models.detection import classes
    from models.latent.path_keys import settled
    from models.latent.space import Space
    from models.types import Refusal

    description = _describe(engine, model)
    offers = description.offers
    if inspection not in offers:
        raise Refusal(f"There is no inspection {inspection!r}.", advice=f"Valid: {', '.join(offers)}.")
    classes.check(offers[inspection].check(settings), description.classes)
    if "Generates" not in description.capabilities:
        return settings
    space = Space.of(description.about["latent"])
    return {name: settled(value, space) for name, value in settings.items()}


def _describe(engine: Engine, model: str) -> Description:
    """Return what there is to ask of a model; end with exit code 1 when it cannot be opened."""
    from models.requests import Request
    from models.types import Failure, Refusal
    from models.zoo import fetch

    try:
        fetch.bring(model, _say)
    except Refusal as refusal:
        _say(f"{refusal} {refusal.advice}")
        raise SystemExit(FAILED) from refusal
    answer = engine.run(Request("describe", model))
    if isinstance(answer, Failure):
        _say_failure(answer)
        if answer.details and not answer.details.startswith("Traceback"):
            _say(answer.details)
        raise SystemExit(FAILED)
    return answer.meta["description"]


def _engine() -> Engine:
    from models.engine.engine import Engine

    return Engine()


def _painting() -> None:
    """Bring up Qt's painting without a screen; fonts need an application object."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication
    from PySide6.QtWidgets import QApplication

    if QGuiApplication.instance() is None:
        _kept.append(QApplication([]))


_kept: list[Any] = []
_debug = [False]


def _setting(text: str) -> tuple[str, str]:
    from models.types import Refusal

    name, equals, value = text.partition("=")
    if not equals:
        raise Refusal(f"--set {text} has no value.", advice="Write --set name=value.")
    return name.strip(), value.strip()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
