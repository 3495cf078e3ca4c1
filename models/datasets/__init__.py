"""Data sets: many pictures with labels, opened from folders, ground truth, tables or patterns of paths.

`types` holds the value, `opening` recognises what a path is, one reader per kind lies beside it. Needs numpy at most,
so the window may import all of it.

May import models.pictures, models.texts, models.truth and the vocabulary.
"""
