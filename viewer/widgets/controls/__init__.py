"""Input controls: sliders, fields, forms, lists.

May import models.cards, models.detection, viewer.presenters, viewer.session, viewer.theme, viewer.widgets.pictures and
the vocabulary.
"""
