"""User code: consent, outline of a file, execution, networks and adapters made from it.

May import models.loading, models.cards, models.runtime and the shared types.
"""
