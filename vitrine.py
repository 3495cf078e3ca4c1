"""What adapter files import, as in `from vitrine import OneStage`. A door to Vitrine's own modules."""

from models.adapters.base.one_stage import OneStage
from models.cards.interpretation_file import Interpretation

__all__ = ["Interpretation", "OneStage"]
