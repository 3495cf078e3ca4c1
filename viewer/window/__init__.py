"""The main window: panes, docks, status bar, and what is asked of the user.

May import every room of viewer but viewer.menus and viewer.app.
"""
