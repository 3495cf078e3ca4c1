"""De-identification: what a detector finds in the pictures of a folder is filled, pixelated or blurred in copies.

`search` asks the model picture by picture and keeps what it found in part files, `obscuring` works on pixels, `output`
writes the copies and `report` what was done. All but `search` need numpy and Pillow at most, so the window may import
them.

May import models.dataset_pass, models.datasets, models.detection, models.pictures, models.runtime and the vocabulary.
"""
