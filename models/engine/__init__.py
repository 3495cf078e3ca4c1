"""Answering requests: the engine, the process it runs in, and the registry of adapters, inspections and openers.

May import every room of models.
"""
