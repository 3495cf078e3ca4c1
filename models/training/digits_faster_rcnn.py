"""Train `digits-faster-rcnn` on scenes composed from MNIST.

Run: python -m models.training.digits_faster_rcnn --data DIR --out FILE
"""

from __future__ import annotations

from models.bundled.digits import digits_faster_rcnn
from models.training.digits import Scenes
from models.training.loop import arguments, train

if __name__ == "__main__":
    options = arguments(__doc__ or "", data="folder with mnist.npz")
    train(digits_faster_rcnn, Scenes(options.data, seed=options.seed), options)
