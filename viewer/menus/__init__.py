"""The entries of the menus, added to the window at start-up.

May import every folder of viewer; only viewer.app imports it.
"""
