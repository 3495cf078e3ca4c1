"""One file per panel: which requests it makes for a document, and how it shows the results.

May import viewer.widgets, .presenters, .session, .canvas, .export and .theme, but no other panel except `base`.
"""
