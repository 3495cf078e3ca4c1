"""Adapters: one file per family of models, which opens a network of that family stage by stage.

An adapter may import `models.adapters.base`, detection, latent, loading, bundled, cards and the vocabulary; adapters
never import each other. `models.engine.registry` finds them by their `ADAPTER`; `models.capabilities` shows a minimal
one.
"""
