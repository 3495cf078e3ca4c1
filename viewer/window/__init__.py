"""The main window: panes, docks, status bar, and dialogs.

May import every folder of viewer except viewer.menus; never viewer.app.
"""
