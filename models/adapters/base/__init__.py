"""Code shared by the adapters of one kind of model, such as the stages of detectors.

May import models.cards, models.detection, models.hugging_face, models.interpretation, models.loading, models.runtime
and the vocabulary.
"""
