"""Charts and plots. May import viewer.theme, the other widgets, and results' data from models."""
