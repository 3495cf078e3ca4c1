"""What a request runs with: its context, the device, the cache of stages, resource limits and failures.

May import models.user_code and the vocabulary.
"""
