"""The picture and the layers painted over it: layer values, painting, labels, the pane, the readout.

May import viewer.theme and the vocabulary.
"""
