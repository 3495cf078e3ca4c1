"""Steps of detection that adapters and inspections share: anchors, matching, suppression, lineage, missed objects.

Code here may import the vocabulary (`models.types`, `params`, `requests`), `models.cards`, torch and torchvision, but
no adapter, no inspection and no Qt. Most modules work on numpy arrays alone.
"""
