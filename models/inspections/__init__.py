"""Inspections: one file per kind of question, each with its parameters and a function that answers a request.

An inspection may import everything in `models/` except adapters (it uses a model through its capabilities) and other
inspections. `models.engine.registry` finds it by its `INSPECTION`; `models.inspection` shows a minimal one.
"""
