"""Likelihood pixel by pixel: orders of pixels, one pass over a picture, sampling, and which pixels a logit depends on.

`pixel_order` and `dependency_cones` use NumPy alone, so the window may import them; the other modules need torch.

May import models.bundled, models.cards, models.latent, models.runtime and the vocabulary.
"""
