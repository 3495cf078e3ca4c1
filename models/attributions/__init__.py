"""What the attribution methods have in common: targets, gradients, masks, baselines, and the proof of a map.

May import models.runtime, models.tracing and the vocabulary.
"""
