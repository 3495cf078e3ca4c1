"""Stands in for Lightning (and torchmetrics) where it is not installed: its module is a plain network.

Only what builds and runs a network is needed here, so a Lightning module is PyTorch's module with the hyperparameters
that its `__init__` saves; everything else of the package is an object that takes any call and does nothing.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from torch import nn

ROOTS = ("pytorch_lightning", "lightning", "lightning_fabric", "torchmetrics")


class LightningModule(nn.Module):
    """A network with the few of Lightning's methods that code of networks calls outside of training."""

    hparams: Any

    def save_hyperparameters(self, *names: Any, ignore: Any = (), **_: Any) -> None:
        """Keep the arguments of the `__init__` that calls this, or those of these names, as `hparams`."""
        frame = inspect.currentframe()
        values = dict(frame.f_back.f_locals) if frame is not None and frame.f_back is not None else {}
        given = {**values.pop("kwargs", {}), **values}
        left = {"self", "__class__", *((ignore,) if isinstance(ignore, str) else ignore)}
        kept = [name for name in names if isinstance(name, str)] or [n for n in given if n not in left]
        self.__dict__["hparams"] = _Parameters({name: given[name] for name in kept if name in given})

    def log(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    log_dict = log

    @property
    def device(self) -> Any:
        """The device of the network."""
        return next((p.device for p in self.parameters()), None)


class _Parameters(dict[str, Any]):
    """Hyperparameters, by key or as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Nothing(nn.Module):
    """Takes any call and any attribute, and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


class _Finder:
    """Finds the packages that stand in, last of all, so that installed ones come first."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in ROOTS:
            return None
        loader: Any = _Loader()
        return importlib.util.spec_from_loader(name, loader, is_package=True)


class _Loader:
    @staticmethod
    def create_module(spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        known = {"LightningModule": LightningModule, "LightningDataModule": SimpleNamespace}

        def found(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return known.get(name) or (Nothing if name[:1].isupper() else lambda *_, **__: Nothing())

        module.__dict__["__getattr__"] = found


@contextmanager
def there() -> Iterator[None]:
    """Let code inside the block import the packages although they are not installed."""
    finder: Any = _Finder()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n, m in sys.modules.items() if isinstance(getattr(m, "__loader__", None), _Loader)]:
            del sys.modules[name]
