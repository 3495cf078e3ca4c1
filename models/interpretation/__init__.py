"""What a network's outputs mean: tables of rows, grids of cells, box codes, and how to recognise them on photographs."""
