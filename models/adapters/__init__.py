"""One file per family of models: each teaches Vitrine to open it stage by stage. Adapters never import each other."""
