"""Code shared by the attribution methods: the method interface, targets, gradients, baselines, perturbations,
faithfulness checks.

May import models.cards, models.loading, models.pictures, models.runtime, models.tracing and the vocabulary.
"""
