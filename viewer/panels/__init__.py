"""One file per panel: which requests it makes for a document, and how it shows the results.

May import models.cards, models.detection, models.evaluation, models.latent, models.live, models.pictures, models.truth,
viewer.canvas, viewer.presenters, viewer.session, viewer.theme, viewer.widgets and the vocabulary.
"""
