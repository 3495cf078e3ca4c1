"""An adapter file for Vitrine: the Ultra-Light face detector RFB-320, one stage with anchors."""

from face_network import FaceNetwork

from vitrine import OneStage


class FaceDetector(OneStage):
    title = "Ultra-Light face detector, RFB-320"
    classes = ("background", "face")  # a softmax; without "background" first it would be a sigmoid for each class
    size = (240, 320)  # height and width that every picture is resized to
    mean, std = (127 / 255,) * 3, (128 / 255,) * 3  # of pixels from 0 to 1, RGB
    score_threshold, iou_threshold = 0.7, 0.3  # where the sliders stand at first

    # Anchors by level of the pyramid: the cells' distance, the anchors' sides and shapes (height over width).
    strides = (8, 16, 32, 64)
    sizes = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
    ratios = ((1,), (1,), (1,), (1,))
    clip = True  # anchors end where the picture does
    variances = (0.1, 0.2)  # of SSD: offsets of the centre, logarithms of the sides
    match_iou = 0.35  # from which an anchor learned a face

    @classmethod
    def build(cls):
        return FaceNetwork()


ADAPTER = FaceDetector
