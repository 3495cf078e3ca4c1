"""Answers requests: the engine, its process, and the registry of adapters, inspections and openers.

May import every room of models.
"""
