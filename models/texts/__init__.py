"""Text of files that others wrote: encodings, and YAML with limits.

May import the vocabulary.
"""
