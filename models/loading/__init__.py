"""Load weights into networks: recognise architectures, build networks, probe what they take and return.

May import models.bundled, models.cards, models.detection, models.families, models.interpretation, models.pictures,
models.runtime and the vocabulary.
"""
