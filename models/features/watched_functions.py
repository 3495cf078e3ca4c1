"""Follow the functions that a network calls: which module called each, and replace the result of some.

A `TorchFunctionMode` sees every function, operator and method called on this thread inside its block, whether a module
calls it or the network's own code. Nothing of the network changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from models.runtime.forward_passes import repetition

Function = Callable[..., Any]


class Watched(TorchFunctionMode):
    """Calls `seen(function, name, args, given, path)` in place of every function; it returns the result.

    `path` is the module whose call is being answered, "" outside of any; `name` is that of the function without
    underscores at its end, or of the operator.
    """

    def __init__(self, net: nn.Module, seen: Callable[..., Any]) -> None:
        super().__init__()
        self.inside: list[str] = []
        self._names = {id(module): name for name, module in net.named_modules()}
        self._seen = seen

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `seen` for a function with a tensor among its arguments."""
        given = kwargs or {}
        if not any(isinstance(each, Tensor) for each in (*args[:3], *given.values())):
            return func(*args, **given)
        # An exported program calls operators: "mul.Tensor" is mul, too.
        name = getattr(func, "__name__", str(func)).partition(".")[0].rstrip("_")
        return self._seen(func, name, args, given, self.inside[-1] if self.inside else "")

    @contextmanager
    def running(self) -> Iterator[Watched]:
        """Watch what is called inside."""

        def before(module: nn.Module, inputs: Any) -> None:
            self.inside.append(self._names.get(id(module), self.inside[-1] if self.inside else ""))

        def after(module: nn.Module, inputs: Any, output: Any) -> None:
            if self.inside:
                self.inside.pop()

        hooks = [
            nn.modules.module.register_module_forward_pre_hook(before),
            nn.modules.module.register_module_forward_hook(after, always_call=True),
        ]
        try:
            with self:
                yield self
        finally:
            for hook in hooks:
                hook.remove()


class Ids:
    """Unique names of calls by the module that makes them: the path, and "#2" for its second one, in each pass."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._pass = 0

    def next(self, path: str) -> str:
        """Return the name of this call."""
        if repetition() != self._pass:
            self._seen.clear()
            self._pass = repetition()
        self._seen[path] += 1
        base = path or "(network)"
        return base if self._seen[path] == 1 else f"{base}#{self._seen[path]}"
