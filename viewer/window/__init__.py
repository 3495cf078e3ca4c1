"""The main window: panes, docks, status bar, and what is asked of the user.

May import every room of viewer, and of models but models.engine and viewer.menus.
"""
