"""The attribution methods, one per file: its parameters, and one decorated function that returns a heat map.

May import models.attributions, models.tracing and the vocabulary.
"""
