"""Convert results to layers and text, and document settings to requests.

May import viewer.session and the layer values of viewer.canvas; never Qt.
"""
