"""Write what is on screen to files: pictures, tables, recipes.

May import models.datasets, models.deidentification, models.detection, models.evaluation, models.live, models.pictures,
viewer.canvas, viewer.engine_texts, viewer.presenters, viewer.session, viewer.theme, viewer.translation,
viewer.widgets.pictures and the vocabulary.
"""
