"""The picture and the layers painted over it: layer values, painting, labels, the pane, the readout.

May import viewer.engine_texts, viewer.theme, viewer.translation and the vocabulary.
"""
