"""Pictures, videos and cameras by path: read with limits, as RGB, in a process of their own.

May import models.runtime, models.truth and the vocabulary.
"""
