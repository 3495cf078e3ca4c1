"""What a request runs in: its context, the device, the cache of stages, limits and failures.

May import the vocabulary.
"""
