"""Tables, trees and lists of facts.

May import viewer.theme, viewer.presenters, viewer.canvas, widgets.controls, and data types from models.
"""
