"""What the layers of a network contain and respond to: filters, activations, receptive fields, attention.

Needs torch, so the window never imports it.

May import models.attributions, models.detection, models.latent, models.pictures, models.runtime, models.tracing,
models.truth and the vocabulary.
"""
