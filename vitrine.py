"""What adapter files import: `from vitrine import OneStage`. A door to Vitrine's own modules, nothing by itself."""

from models.adapters.base.one_stage import OneStage

__all__ = ["OneStage"]
