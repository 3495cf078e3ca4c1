"""What the layers of PixelRNN (van den Oord et al. 2016a, figure 4) let a pixel depend on, by their construction."""

from __future__ import annotations

import numpy as np

from models.types import Bool

ROW_LSTM, DIAGONAL_BILSTM = "row_lstm", "diagonal_bilstm"
TITLES = {ROW_LSTM: "Row LSTM", DIAGONAL_BILSTM: "Diagonal BiLSTM"}
REACH = 1  # columns to each side of a convolution of 3 along the row


def cone(layer: str, size: tuple[int, int], at: tuple[int, int]) -> Bool:
    """Return the mask (H, W) of the pixels that one layer of a kind lets the pixel at (row, column) depend on.

    A Row LSTM's state is convolved along the row above with a kernel of 3, so what it sees is a triangle, and of its
    own row it sees the neighbour before it. The two directions of a Diagonal BiLSTM see every pixel before it.
    """
    row, column = at
    rows, columns = np.indices(size)
    if layer == DIAGONAL_BILSTM:
        return (rows < row) | ((rows == row) & (columns < column))
    above = (rows < row) & (np.abs(columns - column) <= REACH * (row - rows))
    return above | ((rows == row) & (columns < column) & (column - columns <= REACH))
