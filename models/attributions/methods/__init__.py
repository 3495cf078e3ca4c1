"""One attribution method to a file: its parameters and one decorated function that returns a heat map.

May import models.attributions and the vocabulary; never another method.
"""
