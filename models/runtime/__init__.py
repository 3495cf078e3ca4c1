"""What a request runs with: its context, the device, the cache of stages, resource limits and failures.

May import the vocabulary (`models.types`, `params`, `requests`, `subject`, ...) and, for failures, `models.user_code`.
"""
