"""The mathematics of latent spaces: paths, bounds, directions, inversion. They take plain callables, no adapter."""
