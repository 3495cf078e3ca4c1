"""The commands as a table, and the palette and the sheet of shortcuts that show them.

May import viewer.widgets and viewer.theme.
"""
