"""Which Ray cluster goes over data sets, and whether the user's own code may run there: what the environment says.

The engine's process and its window read the same variables, so that a process started later knows them too.
"""

from __future__ import annotations

import os

ADDRESS, ALLOW = "RAY_ADDRESS", "VITRINE_ALLOW_ON_CLUSTER"
EXAMPLE = "ray://HOST:10001"


def address() -> str:
    """Return the address of the cluster that the user named, "" for none."""
    return os.environ.get(ADDRESS, "").strip()


def use(named: str | None, *, allow: bool) -> None:
    """Have passes over data sets run on a cluster, without one on that of RAY_ADDRESS; `allow` own code there."""
    if named:
        os.environ[ADDRESS] = named
    os.environ[ALLOW] = address() if allow else ""


def leave() -> None:
    """Have passes over data sets run on this machine."""
    os.environ.pop(ADDRESS, None)
    os.environ[ALLOW] = ""


def allows(address: str) -> bool:
    """Return whether the user allowed own code to run on a cluster."""
    return bool(address) and os.environ.get(ALLOW) == address
