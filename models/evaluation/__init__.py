"""Figures of a whole data set that follow the sliders: what is collected once, and what a tick works out. No torch."""
