"""The running state: the document, its history, jobs, and the engine's process.

May import the shared types of models; never Qt.
"""
