"""User code: consent, outline of a file, execution, networks and adapters made from it.

May import models.cards, models.exported, models.loading, models.runtime and the vocabulary.
"""
