"""Detection metrics over a data set that follow the sliders: measured once per picture, recomputed on every change.

Needs numpy at most, so the window may import it.

May import models.detection, models.truth and the vocabulary.
"""
