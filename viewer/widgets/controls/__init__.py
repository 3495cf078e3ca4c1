"""Input controls: sliders, fields, forms, lists.

May import models.cards, models.detection, viewer.engine_texts, viewer.presenters, viewer.session, viewer.theme,
viewer.translation, viewer.widgets.pictures and the vocabulary.
"""
