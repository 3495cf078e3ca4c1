"""Train `digits-faster-rcnn` on scenes composed from MNIST.

Run: python -m models.training.digits_faster_rcnn --data DIR --out FILE
"""

from __future__ import annotations

from models.networks.digits import digits_faster_rcnn
from models.training.loop import arguments, train

if __name__ == "__main__":
    train(digits_faster_rcnn, arguments(__doc__ or ""))
