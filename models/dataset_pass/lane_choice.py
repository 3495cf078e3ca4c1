"""Where a pass over a data set is computed: in the engine's process, in worker processes, or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence

from models.dataset_pass import cluster
from models.dataset_pass.part_task import Lane, PartTask, can_be_named
from models.dataset_pass.worker_processes import WorkerProcesses
from models.runtime import cluster_address, memory_limits

LEAST_FREE_CORES = 4
LEAST_PARTS = 4  # below that, starting processes takes longer than it saves
MOST_WORKERS = 8
WORKER_BYTES = 3 << 30


def lane(tasks: Sequence[PartTask], *, workers: int = 0, on_cpu: bool = True) -> Lane | None:
    """Return who computes the tasks, None for the engine's process itself.

    `workers` is how many processes the user wants, 0 for a number that suits the machine. Raises Unable, and Refusal
    for a cluster that cannot be used.
    """
    if not tasks or not can_be_named(tasks[0].products):
        return None
    if address := cluster_address.address():
        return cluster.Cluster(address, tasks)
    count = workers or suitable(len(tasks), on_cpu=on_cpu)
    return WorkerProcesses(tasks, count) if count > 1 else None


def helps(parts: int, *, workers: int = 0, on_cpu: bool = True) -> bool:
    """Return whether others than the engine's process would compute so many parts."""
    return bool(parts) and bool(cluster_address.address() or (workers or suitable(parts, on_cpu=on_cpu)) > 1)


def suitable(parts: int, *, on_cpu: bool) -> int:
    """Return how many processes suit the machine now, 1 for the engine's own.

    A model on a graphics processor has that for itself.
    """
    free = free_cores()
    if not on_cpu or parts < LEAST_PARTS or free < LEAST_FREE_CORES:
        return 1
    room = memory_limits.allowed_bytes() // WORKER_BYTES or MOST_WORKERS
    return max(1, min(free, parts, room, MOST_WORKERS))


def free_cores() -> int:
    """Return how many of the cores that this process may use had nothing to do in the last minute."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(0, usable - round(busy))
