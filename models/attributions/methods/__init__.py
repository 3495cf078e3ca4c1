"""The attribution methods, one per file: its parameters, and one decorated function that returns a heat map.

May import models.attributions, models.runtime, models.tracing and the shared types; never another method.
"""
