"""The picture and what is painted over it: values (layers), drawing (painter, label), the pane (view, readout)."""
