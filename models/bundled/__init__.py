"""Our own architectures, for the bundled weights."""
