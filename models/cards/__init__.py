"""What is known about a model beside its weights: its card, its class names, the catalogue of published models.

May import the vocabulary; no torch.
"""
