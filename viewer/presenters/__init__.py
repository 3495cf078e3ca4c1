"""Turns answers into layers and words.

May import models.cards, models.detection, models.latent, models.truth, viewer.canvas, viewer.session and the
vocabulary.
"""
