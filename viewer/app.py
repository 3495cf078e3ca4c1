"""The program with a window: start the engine, then Qt; pass messages between them; take screenshots."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from models import model_name, output_files
from models.cards import card
from models.cards.model_folder import is_model
from models.pictures import images
from models.runtime.module_paths import environment
from models.types import Failure, Refusal, Source
from models.zoo.fetch import missing
from viewer.saving.session_file import is_session
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.job_queue import Lane, Mailbox, ProcessLane
from viewer.session.preferences import SCALE_VARIABLE, scale_factor
from viewer.session.session import Session
from viewer.translation import tr

KEPT_OPTIONS = ("--unconfined", "--debug")  # of the command line, when the program starts again
TICK_MS = 200
IDLE_LIMIT_MS = 120_000
CHECKED_MOST = 32  # named pictures whose headers are read before the window opens
Say = Callable[[str], None]
# Requests that are submitted before there is a window, so that the first result need not wait for it.
FIRST = [("detect", request_plan.detect), ("classify", request_plan.classify), ("generated", request_plan.generated)]


def open_window(options: Any, *, say: Say, lane: Lane, mail: Mailbox) -> int:
    """Open the window and run until it is closed. Return the exit code; 1 if a screenshot's picture failed.

    `lane` was already started with `mail`, so that engine and window start at the same time.
    """
    faulthandler.enable()
    document, failures = _document(options)
    fetched = document.model if missing(model_name.split(document.model)[0]) else ""
    if fetched:
        document = document.with_model(card.DEFAULT_MODEL)
    session = Session(lane, document)
    # Shiboken iterates over sys.modules once, when the first Qt module is imported, and aborts if another thread
    # imports something meanwhile. So threads get work only later, with the modules most pictures need loaded.
    from PySide6.QtCore import QTimer, qInstallMessageHandler

    images.prepare()
    session.begin(mail.post, FIRST, started=True)

    from PySide6.QtWidgets import QApplication

    from viewer.window.autosave import Autosave
    from viewer.window.docks import WINDOW_PX

    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        application = existing
    else:
        with environment({SCALE_VARIABLE: scale_factor()}):
            application = QApplication(sys.argv[:1])
    window = build(application, session, mail, theme_name=options.theme, geometry=not options.screenshot)
    qInstallMessageHandler(lambda kind, context, text: session.jobs.later(lambda: window.messages.note(text)))
    for failure in failures:
        window.tell(failure.text, severity="error")
    if fetched:
        window.zoo.open_model(fetched)
    window.sessions.take(options.pictures)
    if options.restored:
        _restore(window, options.restored)
    if not options.screenshot:
        window.autosave = Autosave(window.context, window.sessions, window.notices)
    else:
        window.resize(*WINDOW_PX)  # the screen, which limits it elsewhere, is 800 px wide where there is none
        _screenshot_when_idle(application, window, options.screenshot)
    window.show()
    QTimer.singleShot(0, _collect_from_now_on)
    if document.beside:
        window.docks.show("beside")
    if not options.screenshot:
        QTimer.singleShot(0, window, window.help.begin_tour_once)
    application.exec()
    qInstallMessageHandler(None)
    session.stop()
    for message in window.toasts.messages:
        if message.severity == "error":
            say(message.text)
    if window.restart is not None:
        _start_again(window.restart)
    shot = options.screenshot
    return 1 if shot and (any(m.severity == "error" for m in window.toasts.messages) or not shot.exists()) else 0


def _collect_from_now_on() -> None:
    """Collect garbage again, without ever looking through what the start has imported and built."""
    gc.freeze()
    gc.enable()


def build(
    application: Any, session: Session, mail: Mailbox, *, theme_name: str | None = None, geometry: bool = True
) -> Any:
    """Return the window of a session that has begun; its mail is delivered on this thread from now on."""
    from PySide6.QtCore import QObject, Qt, QTimer, Signal

    from viewer import theme, translation
    from viewer.menus import menus
    from viewer.session.preferences import Settings
    from viewer.window.main_window import Window
    from viewer.window.panel_pictures import PanelPictures

    settings = Settings.load()
    if not geometry:
        settings.geometry, settings.layouts = "", {}
    application.setApplicationName("Vitrine")
    application.setDesktopFileName("vitrine")
    _translate_qt(application, translation.language())
    chosen: Any = theme_name or settings.theme
    theme.apply(application, chosen)
    window = Window(session, settings)
    window.put_menus(menus.table(window), menus.GESTURES)
    window.setWindowIcon(theme.icon("boxes"))
    pictures = PanelPictures(session)

    def provide(panel: Any) -> None:
        panel.pixels_wanted.connect(lambda source: pictures.provide(source, panel.show_pixels))

    window.panels.on_built.append(provide)
    for panel in window.panels.built:
        provide(panel)
    session.wants = window.panels.wants()
    for note in settings.notes:
        window.tell(note, severity="warning")

    class Postman(QObject):
        """Wakes the window's thread."""

        called = Signal()

    postman = Postman(window)

    def deliver() -> None:
        mail.empty(session.jobs.handle)

    def tick() -> None:
        session.tick()
        lane = session.jobs.lane
        if isinstance(lane, ProcessLane) and (said := lane.said()):
            window.messages.note(tr("The engine printed"), said)

    postman.called.connect(deliver, Qt.ConnectionType.QueuedConnection)
    mail.wake = postman.called.emit
    ticker = QTimer(window)
    ticker.setInterval(TICK_MS)
    ticker.timeout.connect(tick)
    ticker.start()
    _catch(window)
    postman.called.emit()
    session.replan()
    return window


def _restore(window: Any, path: Path) -> None:
    """Show what was open before the program started again, and delete the file that kept it."""
    from viewer.saving import session_file

    try:
        window.sessions.restore(session_file.read(path))
    except Refusal as refusal:
        window.tell(f"{refusal} {refusal.advice}", severity="error")
    with contextlib.suppress(OSError):
        path.unlink()


def _start_again(path: Path) -> None:
    """Start the program anew with what was open."""
    from PySide6.QtCore import QProcess

    kept = [option for option in sys.argv[1:] if option in KEPT_OPTIONS]
    program = str(Path(__file__).resolve().parents[1] / "main.py")
    QProcess.startDetached(sys.executable, [program, "--restored", str(path), *kept])


def _translate_qt(application: Any, code: str) -> None:
    """Let Qt's own texts, such as the buttons of its dialogs, and its numbers and dates be in a language."""
    from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator

    if code in ("en", "pseudo"):
        return
    QLocale.setDefault(QLocale(code))
    texts = QTranslator(application)
    if texts.load(f"qtbase_{code}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        application.installTranslator(texts)


def _document(options: Any) -> tuple[Document, list[Failure]]:
    """Return the document that the command line asks for, and failures for the parts that cannot be opened."""
    failures: list[Failure] = []
    sources: list[Source] = []
    given = [path for path in options.pictures if not is_session(path)]
    model = options.model or card.DEFAULT_MODEL
    if options.sample and not given:
        given = [card.samples(card.canonical(model))]
    for path in given:
        try:
            if is_model(path):
                model = str(path)
                continue
            found = images.sources([path])
            if found == [Source.file(path)] and not found[0].moving and len(given) <= CHECKED_MOST:
                images.size(path)
            sources += found
        except Refusal as refusal:
            failures.append(Failure(str(refusal), refusal.advice))
    truth = Source.file(options.truth) if options.truth else None
    document = Document(sources=tuple(sources), model=card.canonical(model), truth=truth)
    document = document.with_beside(card.canonical(options.beside) if options.beside else "")
    for shown in options.show:
        if shown == "suppressed":
            document = document.with_value("detect", suppressed=True)
        else:
            document = document.with_view(anchors="here" if shown == "anchors" else shown)
    return document, failures


def _catch(window: Any) -> None:
    """Report uncaught exceptions in the window, and on standard error."""

    def caught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        sys.__excepthook__(kind, error, trace)
        details = "".join(traceback.format_exception(kind, error, trace))
        text = tr(
            "Something went wrong in the window: {name}: {error}. Your settings are kept.",
            name=kind.__name__,
            error=error,
        )
        window.tell(text, details=details, severity="error")

    def caught_elsewhere(given: threading.ExceptHookArgs) -> None:
        value = given.exc_value or given.exc_type()
        window.session.jobs.later(lambda: caught(given.exc_type, value, given.exc_traceback))

    sys.excepthook = caught
    threading.excepthook = caught_elsewhere


def _screenshot_when_idle(application: Any, window: Any, path: Path) -> None:
    """Save what the window shows once nothing is running, then quit."""
    from PySide6.QtCore import QTimer

    from models.output_files import write_whole
    from viewer.canvas.painter import png

    watch = QTimer(window)
    watch.setInterval(100)
    waited = [0, 0]

    def look() -> None:
        session = window.session
        waited[1] += 100
        busy = window.busy or session.reading or window.sessions.working
        if busy and waited[1] < IDLE_LIMIT_MS:
            waited[0] = 0
            return
        waited[0] += 1
        if waited[0] < 4:
            return
        watch.stop()
        if waited[1] >= IDLE_LIMIT_MS:
            window.tell(tr("The answer took too long for a screenshot."), severity="error")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, png(window.grab().toImage()))
        except OSError as error:
            refusal = output_files.refusal(path, error)
            window.tell(f"{refusal} {refusal.advice}", severity="error")
        window.close()
        application.quit()

    watch.timeout.connect(look)
    watch.start()
