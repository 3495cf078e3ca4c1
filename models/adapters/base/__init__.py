"""Code shared by the adapters of one kind of model, such as the stages of detectors.

May import models.detection, models.loading, models.cards, models.subject and the vocabulary; never an adapter.
"""
