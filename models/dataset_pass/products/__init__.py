"""Products of a pass over a data set, one file each; `models.dataset_pass.product` shows a minimal one.

May import models.dataset_pass, models.datasets, models.detection, models.evaluation, models.loading, models.runtime,
models.tracing, models.truth and the vocabulary.
"""
