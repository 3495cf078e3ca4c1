"""The picture and what is painted over it: values (layers), drawing (painter, label), the pane (view, readout).

May import viewer.theme and the vocabulary.
"""
