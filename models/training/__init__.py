"""One script per bundled model, with its data preparation; never imported by the program itself."""
