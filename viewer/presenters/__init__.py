"""Turns answers into layers and words. May import viewer.session and the values of viewer.canvas; no Qt."""
