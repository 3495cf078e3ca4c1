"""The shapes and steps that detection needs on its own: suppression of overlapping boxes."""
