"""The command table, and the palette and the sheet of shortcuts that show it.

May import viewer.theme, viewer.widgets.controls and viewer.widgets.dialogs.
"""
