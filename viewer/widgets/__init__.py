"""Widgets that the panels and the window are built from, one per file. Never imports viewer.panels, .window or .menus.

They take values and emit signals; changing the document and making requests is left to their callers.
"""
