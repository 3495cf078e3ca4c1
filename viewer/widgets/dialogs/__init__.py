"""Dialogs, overlays, banners and messages shown over or above the window's content.

May import viewer.theme, widgets.controls, widgets.tables, and the zoo, cards and user_code of models.
"""
