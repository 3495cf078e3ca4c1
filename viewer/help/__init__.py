"""Help on the panels, the glossary, the tour and what the program is made of.

May import viewer.engine_texts, viewer.theme, viewer.translation, viewer.widgets.controls and viewer.widgets.dialogs.
"""
