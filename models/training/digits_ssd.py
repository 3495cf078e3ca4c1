"""Train `digits-ssd` on scenes composed from MNIST.

Run: python -m models.training.digits_ssd --data DIR --out FILE
"""

from __future__ import annotations

from models.bundled.digits import digits_ssd
from models.training.digits import Scenes
from models.training.loop import arguments, train

if __name__ == "__main__":
    options = arguments(__doc__ or "", data="folder with mnist.npz")
    train(digits_ssd, Scenes(options.data, seed=options.seed), options)
