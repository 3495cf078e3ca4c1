"""Tables, trees and lists of facts.

May import models.cards, models.evaluation, viewer.canvas, viewer.presenters, viewer.theme,
viewer.widgets.controls and the vocabulary.
"""
