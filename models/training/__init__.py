"""One script per bundled model, with its data preparation. The program never imports it."""
