"""Published models of torchvision and timm: search, download, opening, and recognition by tensors.

The window may import `cached`, `fetch` and `search`, which do without torch.

May import models.cards, models.loading, models.runtime.user_folders and the vocabulary.
"""
