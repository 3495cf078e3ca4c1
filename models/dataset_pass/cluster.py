"""A Ray cluster that computes the parts of a pass over a data set: the same tasks as those of worker processes.

The user names it, by `--cluster`, RAY_ADDRESS or in the window; none is ever started from here. Each of its machines
must have this version of Python and of Vitrine (installed, or in the same folder), and must see the pictures and the
folder of the parts under the same paths: that is looked at first, on every machine. Own code runs there only if the
user allows it for the cluster, whatever was allowed on this machine; there it is checked against what is allowed on
that machine.
"""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models import files, model_name
from models.dataset_pass.part_task import ENTRY, PartTask, Unable
from models.runtime import sandbox
from models.runtime.cluster_address import EXAMPLE, allows
from models.runtime.module_paths import ROOT
from models.types import Refusal
from models.user_code import consent

STATISTICS = "RAY_USAGE_STATS_ENABLED"
CLIENT = "ray://"
TRIES = 2  # its server sometimes fails to start for a client, and does when asked again
REACH_S = 10  # for as long a machine may take to accept a connection
LOOK_S = 180  # a machine that has not computed yet imports torch first
MOST_ENDS = 3
KEPT = "The parts that are done are kept."


class Cluster:
    """A lane of tasks on a cluster, as many at once as it has processors."""

    def __init__(self, address: str, tasks: Sequence[PartTask]) -> None:
        """Connect, and look at every machine. Raises Refusal that says what to do."""
        _ask(address, tasks[0].model)
        self._ray, self._address = connected(address), address
        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        if not nodes:
            raise Refusal(f"The cluster {address} has no machine that computes.", advice="Start one with ray start.")
        Path(tasks[0].folder).mkdir(parents=True, exist_ok=True)
        self._look(nodes, [tasks[0].shard.paths[0], tasks[0].folder])
        self.finished: list[str] = []
        self._waiting = deque(tasks)
        self._going: dict[Any, PartTask] = {}
        self._ends: Counter[str] = Counter()
        self._most = max(1, int(sum(node["Resources"]["CPU"] for node in nodes)))
        self._run = self._ray.remote(num_cpus=1, max_retries=0)(_computing(str(ROOT), ENTRY))
        self.running = True

    @property
    def busy(self) -> str:
        """Who computes."""
        return f"the cluster {self._address}"

    @property
    def looked_at(self) -> int:
        """How many pictures were looked at of unfinished parts, which a cluster does not tell."""
        return 0

    def poll(self, wait_s: float) -> None:
        """Hand out tasks and take in what was done, waiting so long at most. Raises Refusal and Unable."""
        try:
            while self._waiting and len(self._going) < self._most:
                task = self._waiting.popleft()
                self._going[self._run.remote(task.text)] = task
            done, _ = self._ray.wait(list(self._going), num_returns=1, timeout=wait_s)
            for each in done:
                self._take(self._going.pop(each), each)
        except (Refusal, Unable):
            self.stop()
            raise
        except Exception as error:
            self.stop()
            with suppress(Exception):
                self._ray.shutdown()  # else the next question finds a connection that is none
            why = type(error).__name__
            raise Refusal(f"The cluster {self._address} was lost ({why}).", advice=f"{KEPT} Ask again.") from error

    def stop(self) -> None:
        """Call off what is going on. Parts that were written stay."""
        self.running = False
        for each in self._going:
            try:
                self._ray.cancel(each, force=True)
            except Exception:  # the cluster is gone
                break
        self._going.clear()

    def _take(self, task: PartTask, done: Any) -> None:
        try:
            said = self._ray.get(done)
        except self._ray.exceptions.RayError as error:
            self._ends[task.shard.key] += 1
            if self._ends[task.shard.key] >= MOST_ENDS:
                name = Path(task.shard.paths[0]).name
                text = f"The cluster {self._address} failed {MOST_ENDS} times ({type(error).__name__}) from {name} on."
                raise Refusal(text, advice=f"{KEPT} Look at the cluster's log.") from error
            self._waiting.appendleft(task)
            return
        match said:
            case ["written"]:
                self.finished.append(task.shard.key)
            case ["refused", message, advice]:
                raise Refusal(str(message), advice=str(advice))
            case _:
                raise Unable(f"The cluster {self._address} cannot do it: {said[-1]}")

    def _look(self, nodes: Sequence[Any], paths: Sequence[str]) -> None:
        """Have every machine say what it is and whether it sees the paths. Raises Refusal that names the machine."""
        look = _looking(str(ROOT), list(paths))
        chosen = self._ray.remote(num_cpus=1, max_retries=0)(look)
        plans = import_module("ray.util.scheduling_strategies")
        for node in nodes:
            name = node["NodeManagerHostname"]
            there = plans.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            try:
                found = self._ray.get(chosen.options(scheduling_strategy=there).remote(), timeout=LOOK_S)
            except Exception as error:
                text = f"The machine {name} of the cluster does not answer ({type(error).__name__})."
                raise Refusal(text, advice="Look whether it is busy, and whether it has the same Python.") from error
            check(name, found)


def check(name: str, found: Any) -> None:
    """Raise Refusal if what a machine says of itself, (Python, Vitrine's digest, missing paths), is not as here."""
    python, code, missing = found
    if python != platform.python_version():
        text = f"The machine {name} of the cluster has Python {python}, here it is {platform.python_version()}."
        raise Refusal(text, advice="Start the cluster with the Python that runs Vitrine here.")
    if code != version(str(ROOT)):
        text = f"The machine {name} of the cluster has another version of Vitrine."
        if not code:
            text = f"The machine {name} of the cluster has no Vitrine."
        raise Refusal(text, advice=f"Put this one there, in {ROOT} or on PYTHONPATH.")
    if missing:
        text = f"The machine {name} of the cluster cannot see {missing[0]}."
        raise Refusal(text, advice="Put the pictures and VITRINE_HOME on a disk that all machines share.")


def connected(address: str) -> Any:
    """Return Ray, connected to a cluster. Raises Refusal."""
    os.environ.setdefault(STATISTICS, "0")
    advice = "Install it: pip install 'ray[client]'. Or leave the cluster out."
    if find_spec("ray") is None:
        raise Refusal("A cluster needs Ray.", advice=advice)
    if address.startswith(CLIENT) and find_spec("grpc") is None:
        raise Refusal(f"{address} needs Ray's client, which this Ray lacks.", advice=advice)
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise Refusal(f"Ray cannot be imported ({error}).", advice=advice) from error
    if ray.is_initialized():
        return ray
    if not address.startswith(CLIENT) and sandbox.current().writing_closed:
        text = f"The sandboxed process of the models cannot be part of a cluster, as {address} wants."
        advice = f"Give the address of its server for clients, such as {EXAMPLE}, or turn the sandbox off (Model menu)."
        raise Refusal(text, advice=advice)
    _reach(address)
    failure: Exception | None = None
    for _ in range(TRIES if address.startswith(CLIENT) else 1):
        try:
            ray.init(address, log_to_driver=False, logging_level="ERROR", configure_logging=False)
        except Exception as error:  # Ray raises what it likes
            failure = error
        else:
            return ray
    assert failure is not None
    raise _unreachable(address, failure) from failure


def _reach(address: str) -> None:
    """Raise Refusal at once where nobody listens at an address, for which Ray would wait long."""
    host, _, port = address.removeprefix(CLIENT).partition("/")[0].rpartition(":")
    if not host or not port.isdigit():
        return  # such as "auto"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> Refusal:
    advice = f"{KEPT} Start it, give Ray its token (RAY_AUTH_MODE, RAY_AUTH_TOKEN), or leave it out."
    return Refusal(f"The cluster {address} cannot be reached ({' '.join(str(error).split())[:200]}).", advice=advice)


@cache
def version(root: str) -> str:
    """Return the SHA-256 of all of Vitrine's code in a folder, "" where there is none."""
    digest = hashlib.sha256()
    paths = sorted(Path(root, "models").rglob("*.py"))
    for path in paths:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest() if paths else ""


def _ask(address: str, model: str) -> None:
    """Raise Refusal for own code that the user has not allowed on the cluster."""
    base, _ = model_name.split(model)
    code = files.code_of(base)
    file = code[0] if code is not None else Path(base)
    own = code is not None or (file.is_file() and (files.is_script(file) or files.sha256(file) in consent.allowed()))
    if own and not allows(address):
        text = f"{file.name} holds code, which has not been allowed to run on the cluster {address}."
        raise Refusal(text, advice="Look at it, then allow it there: --allow-on-cluster, or Cluster in the Model menu.")


def _computing(root: str, entry: str) -> Callable[[str], Any]:
    """Return the function that a machine runs; made here, it travels whole, without this module."""

    def compute(text: str) -> Any:
        import importlib
        import os
        import sys

        if os.path.isdir(os.path.join(root, "models")) and root not in sys.path:  # noqa: PTH112, PTH118
            sys.path.insert(0, root)
        return importlib.import_module(entry).compute_part(text)

    return compute


def _looking(root: str, paths: list[str]) -> Callable[[], Any]:
    """Return the function with which a machine says what it is; it travels whole too."""

    def look() -> Any:
        import os
        import platform
        import sys

        if os.path.isdir(os.path.join(root, "models")) and root not in sys.path:  # noqa: PTH112, PTH118
            sys.path.insert(0, root)
        missing = [path for path in paths if not os.path.exists(path)]  # noqa: PTH110
        try:
            from models.dataset_pass.cluster import version
            from models.runtime.module_paths import ROOT as THERE
        except ImportError:
            return platform.python_version(), "", missing
        return platform.python_version(), version(str(THERE)), missing

    return look
