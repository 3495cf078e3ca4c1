"""Read and write session files (.vitrine).

May import viewer.session and viewer.presenters; never Qt.
"""
