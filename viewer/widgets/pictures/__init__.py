"""Images side by side in grids and strips, heat maps over images, and their readouts.

May import viewer.theme, viewer.canvas, viewer.presenters, widgets.controls and widgets.charts.
"""
