"""Input controls: sliders, fields, forms, lists.

May import viewer.theme, viewer.presenters, the value types of viewer.session, and models' parameters and cards.
"""
