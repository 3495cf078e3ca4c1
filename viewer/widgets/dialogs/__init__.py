"""Dialogs, overlays, banners and messages shown over or above the window's content.

May import models.cards, models.exported, models.pictures, models.runtime, models.user_code, models.zoo,
viewer.context_menu, viewer.engine_texts, viewer.theme, viewer.translation, viewer.widgets.controls,
viewer.widgets.tables and the vocabulary.
"""
