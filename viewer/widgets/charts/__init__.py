"""Plots, drawn by pyqtgraph, and bars in lists.

May import models.evaluation, models.runtime, viewer.canvas, viewer.context_menu, viewer.engine_texts, viewer.theme,
viewer.translation, viewer.widgets.pictures and the vocabulary.
"""
