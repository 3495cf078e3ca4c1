"""The running state: the document, its history, jobs, and the engine's process.

May import models.cards, models.detection, models.engine, models.latent, models.live, models.pictures, models.runtime,
models.truth, models.zoo, viewer.engine_texts, viewer.translation and the vocabulary.
"""
