"""Dialogs, overlays, banners and messages shown over or above the window's content.

May import models.cards, models.exported, models.pictures, models.user_code, models.zoo, viewer.theme,
viewer.widgets.controls, viewer.widgets.tables and the vocabulary.
"""
