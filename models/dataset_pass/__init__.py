"""One pass over a data set: for every picture what several products want, in part files that survive a stop.

`job` is the whole pass and `shard` the pure function from some pictures to one part file. `product` shows how to add
something that is collected in the same pass; `products` names all of them. `forward` says how a model takes pictures,
`layer_choice` which layer is compared, `pooling` how its values become one vector. `lane_choice` says who computes the
parts: this process, `worker_processes` or a `cluster`.

May import models.dataset_pass.products, models.datasets, models.loading, models.pictures, models.runtime,
models.tracing, models.user_code and the vocabulary.
"""
