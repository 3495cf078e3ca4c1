"""Pictures side by side, in grids and strips, and what is pointed at in them.

May import viewer.widgets.controls, viewer.canvas and viewer.theme.
"""
