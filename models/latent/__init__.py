"""Latent spaces: codes, paths through them, and what a model makes of them. No Qt."""
