"""The main window: panes, docks, status bar, and dialogs.

May import every room of viewer, and of models but models.engine and viewer.menus.
"""
