"""Records what the layers of a network take and return while it runs. May import models.runtime and the vocabulary."""
