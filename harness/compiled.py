"""The Raft core and the simulator as machine code, by mypyc: the same steps in less of the time.

What is compiled is a copy of all the code, in a folder that is named by what was copied. So nothing runs what
was compiled of other sources than it believes, and who does not ask for it has nothing compiled near.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

from harness.errors import ExecutorError

ROOMS = ("checkers", "harness", "nemesis", "reports", "system", "workloads")
# What simulated runs spend their time in.
MODULES = (
    "checkers/inside.py",
    "system/control_plane/replica.py",
    "system/control_plane/state_machine.py",
    "system/raft/election.py",
    "system/raft/follower.py",
    "system/raft/leader.py",
    "system/raft/ledger.py",
    "system/raft/log.py",
    "system/raft/messages.py",
    "system/raft/node.py",
    "system/raft/outputs.py",
    "system/raft/reads.py",
    "system/raft/records.py",
    "system/raft/roles.py",
    "system/simulation/disk.py",
    "system/simulation/draws.py",
    "system/simulation/loop.py",
    "system/simulation/network.py",
    "system/simulation/node.py",
    "system/simulation/probes.py",
)
NEEDS = "--compiled needs mypy, setuptools, a C compiler and Python's headers"
# Copies that stay for whoever goes back to an older source: the last ones used.
KEPT = 3
_HERE = Path(__file__).resolve().parent.parent


@cache
def is_active() -> bool:
    """Whether this process runs what is compiled, all of it."""
    files = (import_module(path.removesuffix(".py").replace("/", ".")).__file__ for path in MODULES)
    return not any(str(file).endswith(".py") for file in files)


def tree(root: Path = _HERE) -> Path:
    """The folder to import the compiled code from; makes it where it is not there, and says so on stderr,
    since that takes long. Raises ExecutorError."""
    sources = _sources(root)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crosswind"
    made = home / f"compiled-{_name(sources, _compiler())}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home):
            if not made.exists():
                print("compiling the simulator, once; it takes a minute or two", file=sys.stderr, flush=True)
                _make(sources, made)
            os.utime(made)
            for old in sorted(home.glob("compiled-*"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
                shutil.rmtree(old)
    except OSError as error:
        raise ExecutorError(f"--compiled: cannot keep what is compiled in {home}: {error}") from None
    return made


def _sources(root: Path) -> dict[str, bytes]:
    """{path from the root: content} of everything that a simulated run could ask for."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for room in ROOMS
        for path in sorted((root / room).rglob("*"))
        if path.is_file() and not {"__pycache__", "runs"} & set(path.relative_to(root).parts)
    }


def _compiler() -> tuple[str, ...]:
    """What compiles, and for what. Raises ExecutorError where anything is missing."""
    try:
        versions = tuple(f"{name} {metadata.version(name)}" for name in ("mypy", "setuptools"))
    except metadata.PackageNotFoundError as missing:
        raise ExecutorError(
            f"{NEEDS}: there is no {missing.name}; pip install 'crosswind[compiled]'"
        ) from None
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(command) is None:
        raise ExecutorError(f"{NEEDS}: there is no {command}; on Debian: apt-get install gcc, or set CC")
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").exists():
        raise ExecutorError(
            f"{NEEDS}: there is no Python.h in {headers}; on Debian: apt-get install python3-dev"
        )
    return (*versions, command, sys.version, platform.machine())


def _name(sources: Mapping[str, bytes], compiler: tuple[str, ...]) -> str:
    digest = hashlib.blake2b(repr(compiler).encode(), digest_size=12)
    for path, content in sources.items():
        digest.update(f"\0{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time; the others find what it has made."""
    with (home / "compiling.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(sources: Mapping[str, bytes], made: Path) -> None:
    with tempfile.TemporaryDirectory(dir=made.parent, prefix="making-") as folder:
        root = Path(folder) / "tree"
        for path, content in sources.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        command = [
            sys.executable,
            "-m",
            "mypyc",
            "--follow-imports=silent",
            "--ignore-missing-imports",
            *MODULES,
        ]
        done = subprocess.run(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            log = made.with_name("compiling.log")
            log.write_text(done.stdout, encoding="utf-8")
            last = next((line for line in reversed(done.stdout.splitlines()) if line.strip()), "nothing said")
            raise ExecutorError(f"--compiled: mypyc failed: {last.strip()} (all of it: {log})")
        shutil.rmtree(root / "build")
        root.rename(made)
