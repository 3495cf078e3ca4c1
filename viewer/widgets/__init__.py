"""Small controls, one to a file. They know settings values and signals, never documents, requests or results."""
