"""Writes what is on screen to files: pictures, tables, and recipes.

May import viewer.session, viewer.presenters and viewer.canvas.
"""
