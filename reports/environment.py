"""What a run ran on and what it left, as the page's last two sections say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from checkers.words import count
from reports import words
from reports.record import Run

MOST_FILES = 400
NOT_SIMULATED = "gRPC, fsync and processes took no part"


def rows(run: Run) -> list[tuple[str, str]]:
    """(name, what is known of it); what was not recorded is left out."""
    return [(name, text) for name, text in _rows(run) if text]


def _rows(run: Run) -> Iterator[tuple[str, str]]:
    meta, facts = run.meta, run.history.facts
    host = _dict(meta.get("host"))
    yield "status", str(meta.get("status", ""))
    yield "plan", _plan(words.plan_of(meta))
    yield "processor", _processor(_dict(host.get("cpu")))
    yield "load (1, 5, 15 min)", ", ".join(f"{load:.2f}" for load in host.get("load") or [])
    yield "memory", _memory(_dict(host.get("memory")))
    yield "system", _text(host.get("os"))
    yield "python", _text(host.get("python"))
    packages = _dict(host.get("packages"))
    yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    if run.is_simulated:
        yield "clock", "virtual: simulated nodes, network and disks, in one process"
        yield "not exercised", f"{NOT_SIMULATED}: simulated ones stood in their place"
    else:
        yield "clock", f"{meta['clock']}, one host" if meta.get("clock") else ""
        yield "time zero", _time_zero(_dict(meta.get("time_zero")))
        yield "host lag", _host_lag(run)
    yield (
        "event loop lag",
        f"at most {words.duration(facts['loop_lag_ns'])}" if facts.get("loop_lag_ns") else "",
    )
    yield "the cluster can", ", ".join(map(str, facts.get("capabilities") or []))
    yield "errors of faults", "; ".join(map(str, facts.get("errors") or []))
    yield "unexpected exits", "; ".join(words.compact(exit_) for exit_ in facts.get("exits") or [])


def _plan(plan: dict[str, Any]) -> str:
    said = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in plan.items()
    }
    return "; ".join(" ".join(words.figure(name, value)) for name, value in said.items() if value is not None)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _processor(cpu: dict[str, Any]) -> str:
    if not cpu:
        return ""
    usable = f", {cpu['usable']} usable" if cpu.get("usable") not in (None, cpu.get("count")) else ""
    return f"{cpu.get('model') or 'unknown model'}, {cpu.get('count')} cores{usable}"


def _memory(memory: dict[str, Any]) -> str:
    sizes = [(memory.get("total_bytes"), "in all"), (memory.get("available_bytes"), "available")]
    return ", ".join(f"{size / 2**30:.1f} GiB {what}" for size, what in sizes if isinstance(size, int))


def _time_zero(zero: dict[str, Any]) -> str:
    if not isinstance(zero.get("monotonic_ns"), int) or not isinstance(zero.get("wall_ns"), int):
        return ""
    wall = datetime.fromtimestamp(zero["wall_ns"] / 1e9, UTC)
    return f"{zero['monotonic_ns']} ns = {wall:%Y-%m-%d %H:%M:%S.%f} UTC"


def _host_lag(run: Run) -> str:
    if not run.history.lag:
        return (
            "none over 5 ms was measured" if (run.path / "nodes" / "lag.jsonl").exists() else "not measured"
        )
    worst = max(lag_ns for _, lag_ns in run.history.lag)
    return f"at most {words.duration(worst)}; {count(len(run.history.lag), 'moment')} over 5 ms"


def began(meta: dict[str, Any]) -> str:
    """When the run began, by the wall clock: 2025-11-24 16:00 UTC."""
    wall_ns = _dict(meta.get("time_zero")).get("wall_ns")
    return (
        f"{datetime.fromtimestamp(wall_ns / 1e9, UTC):%Y-%m-%d %H:%M} UTC" if isinstance(wall_ns, int) else ""
    )


def commit(meta: dict[str, Any]) -> tuple[str, str]:
    """(short id, whether the working tree differed from it)."""
    found = _dict(_dict(meta.get("host")).get("commit"))
    if not found.get("id"):
        return "unknown", "not a working tree"
    return str(found["id"])[:10], "with uncommitted changes" if found.get("dirty") else "clean"


@dataclass(frozen=True, slots=True)
class File:
    """A file of the run: its path within it, that path as a link, and its size."""

    name: str
    link: str
    size: str


def files(path: Path) -> list[tuple[str, list[File]]]:
    """(directory within the run, its files), the run's own first; temporary ones are left out."""
    folders: dict[str, list[File]] = {}
    for found in sorted(path.rglob("*"))[:MOST_FILES]:
        name = found.relative_to(path)
        if found.is_file() and not name.name.startswith(".") and str(name) != "report.html":
            parent = "" if len(name.parts) == 1 else str(name.parent)
            file = File(name.name, quote(name.as_posix()), _size(found.stat().st_size))
            folders.setdefault(parent, []).append(file)
    return sorted(folders.items())


def _size(size_bytes: int) -> str:
    if size_bytes < 1000:
        return f"{size_bytes} B"
    unit, size = ("kB", 1000) if size_bytes < 1_000_000 else ("MB", 1_000_000)
    return f"{size_bytes / size:,.1f} {unit}"
