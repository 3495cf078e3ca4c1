"""What a network's outputs mean: tables, grids, box codes, and their recognition.

May import models.cards, models.detection, models.likelihood, models.loading, models.pictures and the vocabulary.
"""
