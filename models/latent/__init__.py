"""Latent spaces: codes, paths and planes through them, and measurements of generative models.

`path`, `path_keys`, `plane`, `posterior`, `retime`, `neighbours`, `silenced_units`, `space` and `typicality` use numpy
at most, so the window may import them; the other modules need torch.

May import models.cards, models.pictures, models.tracing and the vocabulary.
"""
