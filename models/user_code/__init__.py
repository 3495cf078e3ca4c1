"""Code of the user: the consent it needs, its outline, running it and keeping it.

May import models.loading, models.cards, models.runtime and the vocabulary.
"""
