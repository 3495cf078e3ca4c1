"""The spatial transformer network (Jaderberg et al. 2015) of PyTorch's tutorial, which samples the picture first."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from models.families.named_layers import NamedClassifier, classifier
from models.families.proposal import ACTIVATION, Proposal, Shapes, choice

CORNERS = choice(
    "Corners",
    "Whether the corners of the sampled picture are the centres of its corner pixels.",
    ("pixels", "centres"),
    {"pixels": "the pixels' outer corners", "centres": "the pixels' centres, as before PyTorch 1.3"},
)


class SpatialTransformer(NamedClassifier):
    """`localization` and `fc_loc` give six numbers, by which the picture is sampled; then `conv1` to `fc2`."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, 28, 28)."""
        out = x
        for at in self.numbers("localization"):
            out = functional.max_pool2d(self.convolve(f"localization.{at}", out, padding=0), 2)
            out = self.activate(out)
        out = self.project("fc_loc.2", self.activate(self.project("fc_loc.0", out.flatten(1))))
        x = x if self._making else self._sampled(x, out.view(-1, 2, 3))
        for path in ("conv1", "conv2"):
            x = self.activate(functional.max_pool2d(self.convolve(path, x, padding=0), 2))
        return self.project("fc2", self.activate(self.project("fc1", x.flatten(1))))

    def _sampled(self, x: Tensor, turned: Tensor) -> Tensor:
        aligned = self.assumed.get("corners") == "centres"
        places = functional.affine_grid(turned, list(x.shape), align_corners=aligned)
        return functional.grid_sample(x, places, align_corners=aligned)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    if not {"localization.0.weight", "fc_loc.0.weight", "fc_loc.2.weight", "conv1.weight", "fc2.weight"} <= set(shapes):
        return None
    offered = {"activation": {**ACTIVATION, "choices": ("relu", "leaky_relu_01", "tanh")}, "corners": CORNERS}
    return classifier(shapes, SpatialTransformer, "Spatial transformer network", offered=offered, side=28)
