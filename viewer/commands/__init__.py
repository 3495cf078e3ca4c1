"""The command table, and the palette and the sheet of shortcuts that show it.

May import viewer.engine_texts, viewer.theme, viewer.translation, viewer.widgets.controls and viewer.widgets.dialogs.
"""
