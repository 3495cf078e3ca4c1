"""Turns a file of weights into a network that can be asked.

May import models.bundled, models.cards, models.runtime, models.tracing and the vocabulary.
"""
