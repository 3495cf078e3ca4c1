"""Folders in Hugging Face's form: what is in one, and its network and picture preparation by `transformers`.

`transformers` is an optional extra: it is imported on first use only, and never by `folder`, which the window may
import.

May import models.cards, models.detection, models.loading, models.pictures, models.runtime and the vocabulary.
"""
