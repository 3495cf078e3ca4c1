"""Read and write session files (.vitrine).

May import models.cards, models.pictures, viewer.presenters, viewer.session and the vocabulary.
"""
