"""Write what is on screen to files: pictures, tables, recipes.

May import models.detection, models.evaluation, models.live, models.pictures, viewer.canvas, viewer.presenters,
viewer.session, viewer.theme, viewer.widgets.pictures and the vocabulary.
"""
