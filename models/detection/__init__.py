"""Steps of detection that adapters and inspections share: anchors, matching, suppression, lineage, missed objects.

Most modules work on numpy arrays alone.

May import models.cards and the vocabulary.
"""
