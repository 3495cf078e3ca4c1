"""One file per panel: which requests it makes for a document, and how it shows the results.

May import models.cards, models.detection, models.evaluation, models.latent, models.likelihood, models.live,
models.pictures, models.truth, viewer.canvas, viewer.context_menu, viewer.engine_texts, viewer.presenters,
viewer.session, viewer.theme, viewer.translation, viewer.widgets and the vocabulary.
"""
