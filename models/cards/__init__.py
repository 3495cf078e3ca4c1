"""Model cards, class names, and the catalogue of published models.

Never imports torch, so the window may import all of it.

May import models.runtime.user_folders, models.texts and the vocabulary.
"""
