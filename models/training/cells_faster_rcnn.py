"""Train `cells-faster-rcnn` on the train and val photographs of BCCD.

Run: python -m models.training.cells_faster_rcnn --data DIR --out FILE
"""

from __future__ import annotations

from models.bundled.cells import cells_faster_rcnn
from models.training.cells import Varied
from models.training.loop import arguments, train

if __name__ == "__main__":
    options = arguments(__doc__ or "", data="folder with bccd.zip")
    train(cells_faster_rcnn, Varied(options.data, seed=options.seed), options)
