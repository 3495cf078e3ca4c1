"""Load weights into networks: recognise architectures, build networks, probe what they take and return.

May import models.bundled, models.cards, models.runtime, models.tracing and the shared types.
"""
