"""What the right mouse button was pressed on; what can be done with it is in viewer/window/context_menus.py.

May import viewer.translation.
"""
