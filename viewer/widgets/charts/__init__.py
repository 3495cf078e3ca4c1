"""Plots, drawn by pyqtgraph, and bars in lists.

May import models.evaluation, models.runtime, viewer.canvas, viewer.theme, viewer.widgets.pictures and the vocabulary.
"""
