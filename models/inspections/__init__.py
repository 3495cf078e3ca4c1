"""Inspections: one file per kind of question, each with its parameters and a function that answers a request.

An inspection uses a model through its capabilities, and never imports another inspection. `models.engine.registry`
finds it by its `INSPECTION`; `models.inspection` shows a minimal one.

May import every room of models but models.adapters.
"""
