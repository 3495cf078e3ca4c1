"""Every panel of the window, in the order of their shortcuts. To add a panel, add its class here.

Dock, menu entry, shortcut and requests follow from the class. The interface is in `viewer.panels.base`.
"""

from __future__ import annotations

from viewer.panels.activations import ActivationPanel
from viewer.panels.anatomy import AnatomyPanel
from viewer.panels.anchor_workbench import WorkbenchPanel
from viewer.panels.anchors import AnchorPanel
from viewer.panels.arithmetic import ArithmeticPanel
from viewer.panels.attention import AttentionPanel
from viewer.panels.attribution import AttributionPanel
from viewer.panels.base import Panel
from viewer.panels.classification import ClassificationPanel
from viewer.panels.detection import DetectionPanel
from viewer.panels.directions import DirectionsPanel
from viewer.panels.discriminator import CriticPanel
from viewer.panels.figures import FiguresPanel
from viewer.panels.film_strip import FilmPanel
from viewer.panels.filters import FilterPanel
from viewer.panels.inversion import InversionPanel
from viewer.panels.keypoints import KeyPointPanel
from viewer.panels.latent_code import ExplorePanel
from viewer.panels.layers import LayersPanel
from viewer.panels.lineage import LineagePanel
from viewer.panels.live import LivePanel
from viewer.panels.log import LogPanel
from viewer.panels.manifold import ManifoldPanel
from viewer.panels.map_comparison import MapsPanel
from viewer.panels.masks import MaskPanel
from viewer.panels.model import ModelPanel
from viewer.panels.neighbours import NeighboursPanel
from viewer.panels.proof import ProofPanel
from viewer.panels.results import ResultsPanel
from viewer.panels.samples import SamplesPanel
from viewer.panels.second_model import BesidePanel
from viewer.panels.segmentation import SegmentationPanel
from viewer.panels.settings_comparison import ComparePanel
from viewer.panels.timeline import TimelinePanel
from viewer.panels.truth import TruthPanel
from viewer.panels.why_missed import MissedPanel

PANELS: tuple[type[Panel], ...] = (
    DetectionPanel,
    AnchorPanel,
    FilmPanel,
    ResultsPanel,
    LivePanel,
    LogPanel,
    LineagePanel,
    MissedPanel,
    TruthPanel,
    ComparePanel,
    FiguresPanel,
    WorkbenchPanel,
    MaskPanel,
    KeyPointPanel,
    FilterPanel,
    ActivationPanel,
    AttentionPanel,
    ClassificationPanel,
    AttributionPanel,
    LayersPanel,
    MapsPanel,
    ProofPanel,
    ExplorePanel,
    SamplesPanel,
    TimelinePanel,
    ManifoldPanel,
    DirectionsPanel,
    ArithmeticPanel,
    AnatomyPanel,
    InversionPanel,
    CriticPanel,
    NeighboursPanel,
    ModelPanel,
    BesidePanel,
    SegmentationPanel,
)
