"""Measured ratios against peers, in one run on one machine: to read, never to pass or fail by a clock."""
