"""What the adapters of one kind of detector have in common, their stages among it.

May import models.detection, models.runtime and the vocabulary; never an adapter.
"""
