"""Convert results to layers and text, and document settings to requests.

May import models.cards, models.detection, models.latent, models.truth, viewer.canvas, viewer.engine_texts,
viewer.session, viewer.theme, viewer.translation and the vocabulary.
"""
