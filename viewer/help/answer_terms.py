"""The glossary's words of what models answer, and of how that is measured."""

from __future__ import annotations

from viewer.help.glossary_term import Term
from viewer.translation import tr


def terms() -> tuple[Term, ...]:
    """Return the terms."""
    return (
        Term(
            "anchor",
            tr("Anchor"),
            tr(
                "A box of fixed size and shape at a cell of a feature map, from which a detector starts. For each "
                "anchor it predicts a score and how the box is to be moved and stretched."
            ),
            ("anchor box", "prior box", "default box"),
        ),
        Term(
            "ap",
            tr("AP (average precision)"),
            tr(
                "The area under the precision-recall curve of one class: 1 if every object is found before the first "
                "wrong box. COCO takes the mean over ten IoU thresholds from 0.5 to 0.95."
            ),
            ("AP", "average precision"),
        ),
        Term(
            "aspect-ratio",
            tr("Aspect ratio"),
            tr(
                "Height divided by width of a box, or the other way round. Anchors usually come in three to five of "
                "them."
            ),
            (),
        ),
        Term(
            "bounding-box",
            tr("Bounding box"),
            tr("The upright rectangle around an object, given by two corners or by centre and size, in pixels."),
            ("box coordinates",),
        ),
        Term(
            "box-regression",
            tr("Box regression"),
            tr(
                "Predicting how an anchor or proposal is to be moved and stretched to fit the object, usually as four "
                "offsets."
            ),
            ("box offsets", "box deltas", "regression"),
        ),
        Term(
            "calibration",
            tr("Calibration"),
            tr(
                "Whether probabilities can be trusted: of the answers with 0.8, eight in ten should be right. Modern "
                "networks are often too sure."
            ),
        ),
        Term(
            "confusion-matrix",
            tr("Confusion matrix"),
            tr(
                "A table of how often objects of one class (rows) were taken for each class (columns). Right answers "
                "are on the diagonal."
            ),
            ("confusion",),
        ),
        Term(
            "diou",
            tr("DIoU, GIoU and CIoU"),
            tr(
                "Relatives of the IoU that also tell boxes apart that do not touch: by the distance of their centres "
                "(DIoU), the smallest box around both (GIoU), or centres and aspect ratio (CIoU)."
            ),
            ("DIoU", "GIoU", "CIoU"),
        ),
        Term(
            "f1",
            tr("F1 score"),
            tr(
                "The harmonic mean of precision and recall: high only if both are. Its best value marks a sensible "
                "score threshold."
            ),
            ("F1",),
        ),
        Term(
            "false-positive",
            tr("False positive and false negative"),
            tr(
                "A false positive is a box where there is no object, or a second one on the same object. A false "
                "negative is an object without a box: a miss."
            ),
            ("false positive", "false negative", "true positive"),
        ),
        Term(
            "fpn",
            tr("FPN (feature pyramid network)"),
            tr(
                "Feature maps at several scales, each enriched with the coarser ones, so that small and large objects "
                "are found at the level that suits them."
            ),
            ("FPN", "feature pyramid", "pyramid level", "pyramid"),
        ),
        Term(
            "ground-truth",
            tr("Ground truth"),
            tr("The boxes and classes that people annotated: what the answers are measured by."),
            ("annotation", "annotations"),
        ),
        Term(
            "iou",
            tr("IoU (intersection over union)"),
            tr("The overlap of two boxes: the area they share divided by the area they cover together, from 0 to 1."),
            ("IoU", "intersection over union"),
        ),
        Term(
            "key-point",
            tr("Key point"),
            tr("A named place of an object, such as a person's left elbow. Also called landmark, mostly of faces."),
            ("keypoint", "landmark"),
        ),
        Term(
            "letterbox",
            tr("Letterbox"),
            tr(
                "Fitting a picture into a square input without distortion: it is scaled, and the rest is padded with "
                "grey. The boxes have to be mapped back."
            ),
            ("letterboxing",),
        ),
        Term(
            "map",
            tr("mAP (mean average precision)"),
            tr(
                "The mean of the average precision over all classes: the usual single figure of a detector. In COCO's "
                "form it is also the mean over IoU thresholds."
            ),
            ("mAP", "mean average precision"),
        ),
        Term(
            "mask",
            tr("Mask"),
            tr("Which pixels belong to an object. Mask R-CNN predicts it as 28 x 28 probabilities within the box."),
        ),
        Term(
            "nms",
            tr("NMS (non-maximum suppression)"),
            tr(
                "Keeps the best of several boxes on one object: from the highest score down, each box removes those "
                "that overlap it by more than the NMS IoU. Too low, and neighbours vanish; too high, and doubles "
                "stay."
            ),
            ("NMS", "non-maximum suppression", "suppression", "suppressed"),
        ),
        Term(
            "objectness",
            tr("Objectness"),
            tr("The score of an anchor for there being any object at all, before its class is asked."),
        ),
        Term(
            "out-of-distribution",
            tr("Out of distribution"),
            tr("A picture unlike those of the training. A network answers anyway, often with high scores."),
            ("out of domain",),
        ),
        Term(
            "precision",
            tr("Precision and recall"),
            tr(
                "Precision: of the boxes that are shown, how many are right. Recall: of the objects there are, how "
                "many are found. A higher score threshold usually raises precision and lowers recall."
            ),
            ("precision", "recall"),
        ),
        Term(
            "precision-recall-curve",
            tr("Precision-recall curve"),
            tr(
                "Precision against recall while the score threshold falls from 1 to 0. The area under it is the "
                "average precision."
            ),
            ("PR curve",),
        ),
        Term(
            "preprocessing",
            tr("Preprocessing"),
            tr("What is done to a picture before the network sees it: resize, crop, order of colours, normalisation."),
        ),
        Term(
            "proposal",
            tr("Proposal"),
            tr(
                "A box for which the first stage of a two-stage detector sees a chance of an object. The second stage "
                "gives it a class and a better place."
            ),
            ("region proposal",),
        ),
        Term(
            "psnr",
            tr("PSNR and SSIM"),
            tr(
                "How like a reference a picture is: PSNR by the squared differences, in decibels; SSIM by local "
                "brightness, contrast and structure, up to 1."
            ),
            ("PSNR", "SSIM"),
        ),
        Term(
            "roi",
            tr("RoI (region of interest)"),
            tr(
                "A box whose features are cut out of the feature maps and brought to one size (RoI Align), so that "
                "the box head can look at it."
            ),
            ("RoI", "RoI Align", "region of interest"),
        ),
        Term(
            "rpn",
            tr("RPN (region proposal network)"),
            tr(
                "The first stage of Faster R-CNN: at every anchor it says whether there is an object, and returns "
                "proposals."
            ),
            ("RPN", "region proposal network"),
        ),
        Term(
            "score",
            tr("Score"),
            tr(
                "How sure the model is of a box or a class, from 0 to 1. The score threshold hides everything below it."
            ),
            ("confidence", "score threshold"),
        ),
        Term(
            "segmentation",
            tr("Segmentation"),
            tr("A class for every pixel (semantic), a mask for every object (instance), or both (panoptic)."),
            ("semantic segmentation", "instance segmentation", "panoptic"),
        ),
        Term(
            "soft-nms",
            tr("Soft-NMS"),
            tr(
                "NMS that lowers the scores of overlapping boxes instead of removing them, which keeps neighbours in "
                "crowds."
            ),
            (),
        ),
        Term(
            "ssd",
            tr("SSD and YOLO"),
            tr("One-stage detectors: class and box come straight from the feature maps, without proposals."),
            ("SSD", "YOLO", "one-stage detector"),
        ),
        Term(
            "target",
            tr("Target"),
            tr("The class or box whose score an attribution map explains. A second class can be set against it."),
            ("target class",),
        ),
        Term(
            "tide",
            tr("TIDE"),
            tr(
                "A way to divide a detector's errors into kinds (class, place, both, double, background, missed), "
                "each with what it costs in AP."
            ),
            ("error type",),
        ),
        Term(
            "two-stage",
            tr("Two-stage detector"),
            tr("A detector such as Faster R-CNN: proposals first, then class and place of each."),
            ("Faster R-CNN", "R-CNN"),
        ),
    )
