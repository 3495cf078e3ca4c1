"""Train `digits-ssd` on scenes composed from MNIST.

Run: python -m models.training.digits_ssd --data DIR --out FILE
"""

from __future__ import annotations

from models.networks.digits import digits_ssd
from models.training.loop import arguments, train

if __name__ == "__main__":
    train(digits_ssd, arguments(__doc__ or ""))
