"""Writes cams.npz: class activation maps of torch-cam and pytorch-grad-cam of a small network, which the tests compare.

Run it where both are installed: `python tests/models/record_cams.py`. Neither is needed to run the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from uneven import LAYER, Uneven


def main() -> None:
    from pytorch_grad_cam import GradCAMPlusPlus, HiResCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torchcam.methods import GradCAM, LayerCAM

    torch.manual_seed(0)
    net, x = Uneven().eval(), torch.randn(1, 3, 16, 16)
    found = {f"weight {name}": value.numpy() for name, value in net.state_dict().items()} | {"input": x.numpy()}
    for name, kind in {"grad_cam": GradCAM, "layer_cam": LayerCAM}.items():
        with kind(net, LAYER) as extractor:
            found[name] = np.stack(
                [extractor(label, net(x), normalized=False)[0][0].detach().numpy() for label in range(3)]
            )
    for name, kind in {"grad_cam_pp": GradCAMPlusPlus, "hires_cam": HiResCAM}.items():
        with kind(net, [net.get_submodule(LAYER)]) as cam:
            maps = []
            for label in range(3):
                targets = [ClassifierOutputTarget(label)]
                cam(x, targets)
                taken = cam.activations_and_grads
                values = [np.asarray(v[0].detach()) for v in (taken.activations, taken.gradients)]
                maps.append(cam.get_cam_image(x, net, targets, *values, False)[0])
            found[name] = np.stack(maps)
    np.savez_compressed(Path(__file__).with_name("cams.npz"), **found)


if __name__ == "__main__":
    main()
