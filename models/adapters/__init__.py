"""Adapters: one file per family of models, which opens a network of that family stage by stage.

Adapters never import each other. `models.engine.registry` finds them by their `ADAPTER`; `models.capabilities` shows a
minimal one.

May import models.adapters.base, models.bundled, models.cards, models.detection, models.families, models.hugging_face,
models.interpretation, models.latent, models.likelihood, models.loading, models.runtime and the vocabulary.
"""
