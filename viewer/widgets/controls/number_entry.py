"""A spin box that lets out-of-range numbers be typed and clamps them when entered."""

from __future__ import annotations

from decimal import Decimal

from PySide6.QtCore import QLocale, QSize, Qt
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSizePolicy, QWidget

FINER_DIGITS = 2
NUMBER_CHARACTERS = frozenset("0123456789.+-e")


class Entry(QDoubleSpinBox):
    """A number from `low` to `high`; `lowest` is a word that is shown in place of `low`.

    Both "." and "," are decimal separators; fractions may be finer than `step`.
    """

    def __init__(
        self,
        *,
        low: float,
        high: float,
        step: float,
        unit: str = "",
        lowest: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._lowest = lowest
        self._digits = digits(step)
        whole = self._digits == 0 and float(low).is_integer()
        self.setLocale(QLocale.c())
        self.setDecimals(0 if whole else self._digits + FINER_DIGITS)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setSuffix(f" {unit}" if unit else "")
        self.setSpecialValueText(lowest)
        self.setKeyboardTracking(False)
        self.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def textFromValue(self, value: float) -> str:
        """Format with the digits of `step`, and with finer digits only if they were typed."""
        whole, _, part = f"{value:.{self.decimals()}f}".partition(".")
        part = part.rstrip("0").ljust(self._digits, "0")
        return f"{whole}.{part}" if part else whole

    def valueFromText(self, text: str) -> float:
        return self.minimum() if self._is_lowest(text) else self._number(text) or 0.0

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Accept any beginning of a number; `fixup` clamps numbers out of range."""
        if self._lowest and self._lowest.startswith(text.strip().lower()):
            whole = self._is_lowest(text)
            return (QValidator.State.Acceptable if whole else QValidator.State.Intermediate), text, position
        number = self._number(text)
        if number is not None and self.minimum() <= number <= self.maximum():
            return QValidator.State.Acceptable, text, position
        typed = set(self._bare(text)) <= NUMBER_CHARACTERS
        return (QValidator.State.Intermediate if typed else QValidator.State.Invalid), text, position

    def fixup(self, text: str) -> str:
        """Clamp a number to the range; restore the last value if the text is not a number."""
        number = self._number(text)
        value = self.value() if number is None else max(self.minimum(), min(self.maximum(), number))
        return self.textFromValue(value) + self.suffix()

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        finer = "8" * FINER_DIGITS if self.decimals() else ""
        return QSize(hint.width() + self.fontMetrics().horizontalAdvance(finer), hint.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def _is_lowest(self, text: str) -> bool:
        return bool(self._lowest) and text.strip().lower() == self._lowest

    def _bare(self, text: str) -> str:
        return text.removesuffix(self.suffix()).strip().replace(",", ".").lower()

    def _number(self, text: str) -> float | None:
        try:
            number = Decimal(self._bare(text))
        except ArithmeticError:
            return None
        return float(number) if number.is_finite() else None


def digits(step: float) -> int:
    """Return the number of decimals a step needs."""
    exponent = Decimal(str(step)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
