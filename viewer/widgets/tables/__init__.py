"""Tables, trees and lists of facts. May import viewer.widgets.controls and viewer.theme."""
