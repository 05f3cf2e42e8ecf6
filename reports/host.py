"""What a run ran on: figures that decide how far its times can be trusted and its result repeated."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = (
    "crosswind",
    "grpcio",
    "protobuf",
    "aiohttp",
    "prometheus-client",
    "boto3",
    "pytest",
    "pytest-xdist",
)


def host_facts() -> dict[str, Any]:
    """What is not known is None.

    cpu {model, count, usable}, load (1, 5, 15 min), memory {total_bytes, available_bytes}, os, python,
    packages {name: version}, commit {id, dirty: whether the working tree differs from it}.
    """
    return {
        "cpu": {"model": _cpu_model(), "count": os.cpu_count(), "usable": _usable_cpus()},
        "load": list(os.getloadavg()),
        "memory": {"total_bytes": _memory("MemTotal"), "available_bytes": _memory("MemAvailable")},
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "commit": commit_facts(Path(__file__).parent),
    }


def commit_facts(where: Path) -> dict[str, Any]:
    """The git commit that the package in `where` belongs to, {"id": 40 hex digits, "dirty": bool}; None for
    each where there is no git, or where the package is installed rather than part of a working tree."""
    ours = _git(where, "ls-files", "--error-unmatch", "__init__.py")
    commit = _git(where, "rev-parse", "HEAD") if ours else None
    status = _git(where, "status", "--porcelain", "--untracked-files=no") if commit else None
    return {"id": commit, "dirty": None if status is None else bool(status)}


def _git(where: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(where), *arguments], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    return _proc_field("cpuinfo", "model name") or platform.processor() or None


def _usable_cpus() -> int | None:
    """How many this process may use: fewer than there are, in a container."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count()


def _memory(field: str) -> int | None:
    value = _proc_field("meminfo", field)
    return int(value.split()[0]) * 1024 if value else None


def _proc_field(file: str, field: str) -> str | None:
    try:
        lines = Path("/proc", file).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), None)
