"""What a network's outputs mean: tables, grids, box codes, and their recognition. Imports detection, cards, loading."""
