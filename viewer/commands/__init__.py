"""The commands as a table, and the palette and the sheet of shortcuts that show them.

May import viewer.theme, viewer.widgets.controls and viewer.widgets.dialogs.
"""
