"""Everything about models: the vocabulary, the engine, adapters, inspections. Never imports Qt or `viewer`.

The modules directly in this folder are the vocabulary that both processes share and may not import torch, except
`subject`. May import models.cards, models.detection, models.latent, models.pictures, models.user_code and models.zoo.
"""
