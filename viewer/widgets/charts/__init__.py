"""Charts and plots. May import models.evaluation, viewer.theme, viewer.widgets.pictures and the vocabulary."""
