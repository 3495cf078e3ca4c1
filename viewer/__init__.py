"""The window: everything Qt, and never torch.

`app` starts it, `theme` is how it looks. May import every room of viewer, and of models but models.engine.
"""

import os

os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")
