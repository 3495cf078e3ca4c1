"""Read and write session files (.vitrine).

May import models.cards, models.pictures, viewer.engine_texts, viewer.presenters, viewer.session, viewer.translation
and the vocabulary.
"""
