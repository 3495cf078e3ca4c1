"""The window: everything Qt, and never torch."""

import os

os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")
