"""Images side by side in grids and strips, heat maps over images, and their readouts.

May import models.latent, viewer.canvas, viewer.context_menu, viewer.engine_texts, viewer.presenters, viewer.theme,
viewer.translation, viewer.widgets.charts, viewer.widgets.controls and the vocabulary.
"""
