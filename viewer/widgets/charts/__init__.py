"""Charts and plots. May import viewer.theme."""
