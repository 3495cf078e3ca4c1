"""The help on the panels about how a detector pools, learns and is trained: text, paper, address and part by panel."""

from __future__ import annotations

from viewer.help.help_entry import PanelHelp
from viewer.translation import tr


def table() -> dict[str, PanelHelp]:
    """Return the help on these panels by id."""
    return {
        "region_pooling": PanelHelp(
            tr(
                "How a proposal of any size becomes the patch of fixed size that the second stage reads: its level, "
                "bins and sampling points. Pool it by RoIAlign, RoIPool or a spatial pyramid instead, and see what "
                "that does to the scores."
            ),
            "He, Gkioxari, Dollár and Girshick 2017, Mask R-CNN",
            "https://arxiv.org/abs/1703.06870",
            "Region pooling.",
        ),
        "training_sample": PanelHelp(
            tr(
                "Which proposals or anchors of the picture the detector would learn from, and what each of them adds "
                "to the loss. Drag the two lines of the IoU histogram, take another rule, or draw again with another "
                "seed."
            ),
            "Girshick 2015, Fast R-CNN",
            "https://arxiv.org/abs/1504.08083",
            "Training sample.",
        ),
        "box_losses": PanelHelp(
            tr(
                "What a box that is slightly wrong costs under L1, smooth L1 and the losses of overlap, with arrows "
                "that show where each pulls. Below, focal loss weighs the picture's own anchors, and label smoothing "
                "softens a target."
            ),
            "Zheng, Wang, Liu, Li, Ye and Ren 2020, Distance-IoU Loss",
            "https://arxiv.org/abs/1911.08287",
            "Loss workbench.",
        ),
        "augmentation": PanelHelp(
            tr(
                "What training makes of the picture before the network sees it: mosaics, mixtures, flips, colours, "
                "crops, and the step that hides the objects from the detector itself. Each box is shown with the "
                "share of it that is left."
            ),
            "Bochkovskiy, Wang and Liao 2020, YOLOv4",
            "https://arxiv.org/abs/2004.10934",
            "Augmentation.",
        ),
        "selective_search": PanelHelp(
            tr(
                "Proposals without a network: superpixels merge step by step by colour, texture, size and fill, and "
                "every region on the way gives a box. A slider says how many regions are left, and a curve how many "
                "objects the boxes reach beside the RPN's."
            ),
            "Uijlings, van de Sande, Gevers and Smeulders 2013, Selective Search for Object Recognition",
            "https://doi.org/10.1007/s11263-013-0620-5",
            "Selective search.",
        ),
    }
