"""The entries of the menus, added to the window at start-up.

May import every room of viewer, and of models but models.engine.
"""
