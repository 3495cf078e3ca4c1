"""Records the inputs and outputs of a network's layers while it runs. May import models.runtime and the vocabulary."""
