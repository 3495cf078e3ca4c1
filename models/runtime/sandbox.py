"""The sandbox of the engine's process on Linux: no new privileges, no writing elsewhere, no reading of private files.

Landlock (Linux 5.13) restricts file access of a process and its descendants permanently. It takes only lists of what is
allowed, made when an engine starts. To exclude private files from a folder, everything else in it has to be listed, and
files created in it later are not readable: the window then starts a new engine (`Plan.reaches`). Names of private files
can still be listed, and files opened before stay open. The network and the environment are not restricted. Other
systems offer no such mechanism that a program can apply to itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from models.runtime import user_folders

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture
ASK_VERSION, PATH_BENEATH = 1, 1
SET_NO_NEW_PRIVS, GET_NO_NEW_PRIVS = 38, 39  # as in sys/prctl.h
WRITE_FILE, READ_FILE, REFER, TRUNCATE = 1 << 1, 1 << 2, 1 << 13, 1 << 14
CHANGE = WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # write, remove, create any kind of file
OF_FILES = WRITE_FILE | READ_FILE | TRUNCATE  # rights that apply to a file; the others apply to folders only
SIGNALS_AND_SOCKETS = 3  # scopes: abstract sockets of, and signals to, processes outside
DEVICES = ("null", "zero", "full", "random", "urandom", "shm", "dri", "kfd", "accel")
DEVICES_NAMED = ("nvidia", "video", "media", "dma_heap")
PRIVATE = (".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".git-credentials", ".pgpass", ".npmrc")
PRIVATE += (".password-store", ".pki", ".mozilla", ".thunderbird", ".pypirc", ".vault-token", ".electrum", ".bitcoin")
PRIVATE += (".bash_history", ".zsh_history", ".python_history", ".cargo/credentials", ".cargo/credentials.toml")
PRIVATE += (".config/gcloud", ".config/gh", ".config/rclone", ".config/op", ".config/google-chrome", ".config/chromium")
PRIVATE += (".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", ".config/opera", ".config/Signal")
PRIVATE += (".config/keepassxc", ".config/git/credentials", ".local/share/keyrings", ".local/share/kwalletd")
PRIVATE += (".local/share/TelegramDesktop", "snap/firefox", "snap/chromium", ".var/app")
OFF = "Not sandboxed: the engine may write wherever you may, as you chose."
WRITING = "writing outside its own folder and the caches"
HERE = "Not sandboxed: models run in this process."


@dataclass(frozen=True)
class Plan:
    """What stays accessible. `readable` are folders (with their contents) and files, by path and inode; `private` are
    excluded from them. `writable` are folders and devices; `scratch` is the engine's own writable folder.
    """

    scratch: str
    readable: frozenset[tuple[str, int]]
    private: tuple[str, ...]
    writable: tuple[str, ...]

    def reaches(self, path: str) -> bool:
        """Return whether an engine under this plan can read a file; True also for missing and private files, because a
        new engine would not help.
        """
        place = os.path.realpath(path)
        if not os.path.exists(place) or any(_within(place, one) for one in self.private):
            return True
        if place.startswith("/dev/"):
            return any(_within(place, one) for one in self.writable)
        while True:
            with contextlib.suppress(OSError):
                if (place, os.stat(place).st_ino) in self.readable:
                    return True
            if place == (place := os.path.dirname(place)):
                return False


@dataclass(frozen=True)
class Confinement:
    """What the sandbox was verified to block, and why the rest stays open."""

    closed: tuple[str, ...] = ()
    left: str = HERE

    @property
    def writing_closed(self) -> bool:
        """Whether it may write to its own folder and the caches only."""
        return WRITING in self.closed

    @property
    def text(self) -> str:
        """The summary shown to the user, one line."""
        note = f"Closed to this model's process: {', '.join(self.closed)}." if self.closed else ""
        return f"{note} {self.left}".strip()


_now = Confinement()


def current() -> Confinement:
    """Return what the sandbox blocks in this process."""
    return _now


def plan(kept: str = "") -> Plan:
    """Plan what an engine started now may read and write, and create its scratch folder. Raises OSError.

    `kept` is a folder that outlives the engine, "" for none.
    """
    home = os.path.realpath(user_folders.user_folder())
    private = tuple(sorted(p for name in PRIVATE if os.path.lexists(p := os.path.join(home, name))))
    private = tuple(dict.fromkeys(os.path.realpath(path) for path in private))
    return Plan(_scratch(), frozenset(_readable("/", private)), private, (*_writable(home), *filter(None, (kept,))))


def close(given: Plan | None) -> Confinement:
    """Sandbox this process permanently, and verify the result by trying. Never raises.

    Threads that are already running are not restricted, so there should be none.
    """
    global _now  # noqa: PLW0603 - there is one process
    if given is None:
        _now = Confinement(left=OFF)
    elif sys.platform != "linux":
        _now = Confinement(left="Not sandboxed: only Linux lets a program close files to itself.")
    else:
        os.environ["TMPDIR"] = tempfile.tempdir = given.scratch
        probes = list(_probes(given))
        threads = len(os.listdir("/proc/self/task"))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        why = _restrict(libc, given)
        _now = _verified(libc, given, probes, threads, why)
    return _now


def _restrict(libc: ctypes.CDLL, given: Plan) -> str:
    """Make the kernel enforce the plan; return why it could not, "" on success."""
    version = libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return "this kernel has no Landlock (Linux 5.13 has it), or it is turned off"
    changes = CHANGE | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled = changes | READ_FILE
    attributes = struct.pack("QQQ", handled, 0, SIGNALS_AND_SOCKETS if version >= 6 else 0)
    rules = libc.syscall(CREATE_RULESET, attributes, 24 if version >= 6 else 8, 0)
    if rules < 0:
        return f"Landlock refused ({os.strerror(ctypes.get_errno())})"
    try:
        for path, inode in given.readable:
            _allow(libc, rules, path, READ_FILE, inode)
        for path in (given.scratch, *given.writable, "/proc/self"):
            _allow(libc, rules, path, changes | READ_FILE)
        if libc.syscall(RESTRICT_SELF, rules, 0):
            return f"Landlock refused ({os.strerror(ctypes.get_errno())})"
    finally:
        os.close(rules)
    return ""


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int, inode: int = 0) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if inode in (0, status.st_ino):
                allowed = access if stat.S_ISDIR(status.st_mode) else access & OF_FILES
                libc.syscall(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", allowed, handle), 0)
        finally:
            os.close(handle)


def _readable(folder: str, private: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yield a folder, or its entries without private ones; skip links, because access depends on their target."""
    if not any(_within(one, folder) for one in private):
        yield folder, os.stat(folder).st_ino
        return
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.path in private or entry.is_symlink():
                continue
            if entry.is_dir() and any(_within(one, entry.path) for one in private):
                yield from _readable(entry.path, private)
            else:
                with contextlib.suppress(OSError):
                    yield entry.path, entry.stat().st_ino


def _writable(home: str) -> Iterator[str]:
    """Yield the cache folders, created if missing, and the devices needed for computing."""
    cache = os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    caches = [os.environ.get("TORCH_HOME") or f"{cache}/torch", os.environ.get("HF_HOME") or f"{cache}/huggingface"]
    caches += [os.environ.get("MPLCONFIGDIR") or f"{cache}/matplotlib"]
    caches += [os.environ[name] for name in ("HF_HUB_CACHE", "TORCHINDUCTOR_CACHE_DIR") if os.environ.get(name)]
    there = [f"{home}/.config/matplotlib", f"{home}/.triton", f"{home}/.nv", f"{cache}/fontconfig"]
    caches += [str(user_folders.data_sets())]
    for path in caches:
        with contextlib.suppress(OSError):
            Path(path).mkdir(parents=True, exist_ok=True)
    yield from (path for path in (*caches, *there) if Path(path).is_dir())
    with contextlib.suppress(OSError):
        for entry in os.scandir("/dev"):
            if entry.name in DEVICES or entry.name.startswith(DEVICES_NAMED):
                yield entry.path


def _scratch() -> str:
    """Create a folder for an engine of this process, and remove those left behind by killed programs."""
    folder = platformdirs.user_cache_path("vitrine", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("engine-*-*"):
            if not Path(f"/proc/{left.name.split('-')[1]}").exists() and sys.platform == "linux":
                remove(str(left))
        return tempfile.mkdtemp(prefix=f"engine-{os.getpid()}-", dir=folder)
    except OSError:
        return tempfile.mkdtemp(prefix=f"vitrine-engine-{os.getpid()}-")


def remove(scratch: str) -> None:
    """Remove the folder of an engine that has ended."""
    import shutil

    shutil.rmtree(scratch, ignore_errors=True)


def _probes(given: Plan) -> Iterator[tuple[str, str]]:
    """Yield actions that are possible now and must not be afterwards: ("write", folder), ("read", file)."""
    folders = (os.path.realpath(path) for path in (user_folders.user_folder(), "/tmp", "/var/tmp", os.getcwd()))
    for folder in dict.fromkeys(folders):
        if os.access(folder, os.W_OK | os.X_OK) and not any(_within(folder, w) for w in given.writable):
            yield "write", folder
    for one in given.private:
        inside = (os.path.join(at, name) for at, _, names in os.walk(one) for name in names)
        found = inside if os.path.isdir(one) else iter([one])
        if file := next((path for path in found if os.path.isfile(path) and os.access(path, os.R_OK)), ""):
            yield "read", file


def _verified(libc: ctypes.CDLL, given: Plan, probes: list[tuple[str, str]], threads: int, why: str) -> Confinement:
    """Return what the sandbox blocks, after trying each action."""
    closed, failed = [], []
    if libc.prctl(GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1:
        closed.append("new privileges")
    if why:
        return Confinement(tuple(closed), f"Writing and private files stay open: {why}.")
    failed = [path for kind, path in probes if _possible(kind, path)]
    if not failed and any(kind == "write" for kind, _ in probes):
        closed.append(WRITING)
    if given.private and not failed:
        names = [os.path.basename(path) for path in given.private]
        closed.append(f"reading {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}")
    left = f"Still open, though it should not be: {', '.join(failed)}." if failed else ""
    if threads > 1:
        left += f" {threads - 1} threads began before and are not sandboxed."
    return Confinement(tuple(closed), left.strip())


def _possible(kind: str, path: str) -> bool:
    """Try an action that must not be possible; clean up if it was. Return whether it was."""
    try:
        if kind == "read":
            os.close(os.open(path, os.O_RDONLY))
            return True
        probe = os.path.join(path, f".vitrine-probe-{os.urandom(4).hex()}")
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(probe)
    except OSError as error:
        return error.errno != errno.EACCES
    return True


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
