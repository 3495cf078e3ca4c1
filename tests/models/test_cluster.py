"""A pass over a data set on a Ray cluster: what keeps it from running is a sentence, and its table is the same."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from models.dataset_pass import cluster
from models.runtime import cluster_address, sandbox
from models.runtime.module_paths import ROOT
from models.types import Refusal

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 2}  # without it Ray makes a file at home


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (("3.0.1", "same", []), "has Python 3.0.1"),
        ((platform.python_version(), "0" * 64, []), "another version of Vitrine"),
        ((platform.python_version(), "", []), "has no Vitrine"),
        ((platform.python_version(), "same", ["/photos/a.png"]), "cannot see /photos/a.png"),
    ],
)
def test_a_machine_that_is_not_as_here_is_named(found: tuple[str, str, list[str]], said: str) -> None:
    python, code, missing = found
    with pytest.raises(Refusal, match=said) as told:
        cluster.check("gpu-7", (python, cluster.version(str(ROOT)) if code == "same" else code, missing))
    assert "gpu-7" in str(told.value) and told.value.advice


def test_own_code_is_asked_about_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.py"
    own.write_text("def build(): ...\n")
    monkeypatch.setenv(cluster_address.ALLOW, "another:1")
    with pytest.raises(Refusal, match=r"own\.py holds code.*on the cluster here:1") as told:
        cluster._ask("here:1", f"{own}:build")
    assert "--allow-on-cluster" in told.value.advice
    monkeypatch.setenv(cluster_address.ALLOW, "here:1")
    cluster._ask("here:1", f"{own}:build")
    cluster._ask("elsewhere:1", "photos-resnet")


def _run(folder: Path, out: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "main.py"), "run", "embed", "pictures", "--model", "photos-resnet"]
    environment = {**os.environ, **TOKEN, "VITRINE_HOME": str(folder / f"home-{out}")}
    environment.pop(cluster_address.ADDRESS, None)
    return subprocess.run(
        [*command, "--out", out, *more], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def head() -> Iterator[tuple[str, str]]:
    """A cluster of this machine: its address, and that of its server for clients."""
    pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("grpc", reason="Ray is installed without its client")
    ports = [_free_port(), _free_port()]
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp" if Path("/tmp").is_dir() else None)  # paths of sockets are short
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2"]
    command += ["--node-ip-address=127.0.0.1", f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}"]
    command += ["--include-dashboard=false", "--object-store-memory=100000000", f"--temp-dir={folder}"]
    environment = {**os.environ, **TOKEN, cluster.STATISTICS: "0"}
    environment.pop(cluster_address.ADDRESS, None)
    said = Path(folder, "said.txt")
    with said.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            until = time.monotonic() + 180
            while not all(map(_accepts, ports)):
                if process.poll() is not None or time.monotonic() > until:
                    pytest.skip(f"Ray does not start on this machine: {said.read_text()[-500:]}")
                time.sleep(0.2)
            yield f"127.0.0.1:{ports[0]}", f"ray://127.0.0.1:{ports[1]}"
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(600)
def test_a_cluster_gives_the_table_of_this_machine(head: tuple[str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(300):
        picture = Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8))
        picture.save(tmp_path / "pictures" / f"{number:03}.png")
    assert _run(tmp_path, "here").returncode == 0
    here = np.load(tmp_path / "here" / "pictures.embed.npy")
    for out, address in zip(("there", "client"), head, strict=True):
        done = _run(tmp_path, out, "--cluster", address)
        assert done.returncode == 0 and f"the cluster {address}" in done.stderr, done.stderr
        there = np.load(tmp_path / out / "pictures.embed.npy")
        assert there.shape == (300, 96) and np.allclose(there, here, atol=1e-6)


def test_a_cluster_that_is_not_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    port = _free_port()
    monkeypatch.setattr(cluster, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "ray", cast(Any, SimpleNamespace(is_initialized=lambda: False)))
    with pytest.raises(Refusal, match=f"ray://127.0.0.1:{port} cannot be reached"):
        cluster.connected(f"ray://127.0.0.1:{port}")
    monkeypatch.setattr(cluster, "find_spec", lambda name: None if name == "grpc" else name)
    with pytest.raises(Refusal, match="needs Ray's client") as told:
        cluster.connected(f"ray://127.0.0.1:{port}")
    assert "pip install 'ray[client]'" in told.value.advice
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(Refusal, match="needs Ray"):
        cluster.connected("127.0.0.1:6379")


def test_a_sandboxed_process_is_a_client_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "ray", cast(Any, SimpleNamespace(is_initialized=lambda: False)))
    monkeypatch.setattr(sandbox, "_now", sandbox.Confinement((sandbox.WRITING,)))
    with pytest.raises(Refusal, match="sandboxed process of the models cannot be part of a cluster") as told:
        cluster.connected(f"127.0.0.1:{_free_port()}")
    assert cluster_address.EXAMPLE in told.value.advice
