"""Maps of a data set: its vectors placed in the plane by principal components, t-SNE, UMAP or PaCMAP.

`tsne` and `outside_layouts` optimise, the second in the process of `layout_program`; `principal_components` needs numpy
only, `kept_neighbours` tells how far a map can be trusted.

May import models.datasets, models.runtime and the vocabulary.
"""
