"""What is attached to a network while it runs, and always removed again: for now, the check for a cancel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def interruptible(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before every module call inside, so that it can raise; no module is touched."""

    def before(module: nn.Module, inputs: Any) -> None:
        check()

    hook = nn.modules.module.register_module_forward_pre_hook(before)
    try:
        yield
    finally:
        hook.remove()
