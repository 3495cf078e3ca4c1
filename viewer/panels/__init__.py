"""One file per panel: what it wants for a document, how it shows the answer. Panels never import each other."""
