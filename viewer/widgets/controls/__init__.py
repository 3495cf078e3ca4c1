"""What a value is set with: sliders, fields, forms, lists. May import viewer.theme."""
