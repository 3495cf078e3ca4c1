"""Tables, trees and lists of facts.

May import models.cards, models.evaluation, viewer.canvas, viewer.context_menu, viewer.engine_texts, viewer.presenters,
viewer.theme, viewer.translation, viewer.widgets.controls and the vocabulary.
"""
