"""Which panels there are, in the order of their menu and shortcuts. What is in them is their own affair."""

from __future__ import annotations

from viewer.panels.anchors import AnchorPanel
from viewer.panels.base import Panel
from viewer.panels.detection import DetectionPanel
from viewer.panels.figures import FiguresPanel
from viewer.panels.film import FilmPanel
from viewer.panels.log import LogPanel
from viewer.panels.results import ResultsPanel
from viewer.panels.truth import TruthPanel
from viewer.panels.workbench import WorkbenchPanel

PANELS: tuple[type[Panel], ...] = (
    DetectionPanel,
    AnchorPanel,
    FilmPanel,
    ResultsPanel,
    LogPanel,
    TruthPanel,
    FiguresPanel,
    WorkbenchPanel,
)
