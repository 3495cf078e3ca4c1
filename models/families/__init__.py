"""Families of networks that are rebuilt from the names and shapes of their tensors, one file each.

A family is a function `propose(shapes)` that returns a Proposal for the tensors of its networks and None for all
others; `models.families.find` asks them in turn. What tensors cannot tell (an activation, where pixels are pooled) is
an assumption of the proposal, whose first choice is the usual one.

May import the vocabulary.
"""
