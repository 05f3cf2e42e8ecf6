"""Ten million operations on lists, judged from a folder of arrays that is never in memory as a whole."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checkers import histories as of
from benchmarks.checkers import simulation
from benchmarks.checkers.table import ms
from checkers.linear.witness import explained_by_log
from checkers.linear.witness_kernels import Calls
from workloads.append import APPENDS, APPENDS_A_LIST, LIVE_LISTS

OPERATIONS = 10_000_000
PART = 500_000
CLIENTS = 10
HEAD = ("work", "ms", "files", "memory at its highest, all told", "verdict")
_COLUMNS = ("append", "key", "element", "witness", "invoked", "returned")
ROOT = Path(__file__).resolve().parents[2]


def measure(folder: Path, say: Callable[[str], None], operations: int = OPERATIONS) -> tuple[str, ...]:
    say(f"{operations:,} operations on lists, in parts …")
    keys, elements = write(folder, operations)
    command = [sys.executable, "-m", "benchmarks.checkers.huge", str(folder), str(keys), str(elements)]
    said = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    size_bytes = sum(path.stat().st_size for path in folder.glob("huge-*.bin"))
    work = f"append with witness and content: {CLIENTS} clients, {operations:,} operations, read from files"
    return work, ms(said["s"]), f"{size_bytes / 1e6:,.0f} MB", f"{said['kb'] / 1e3:,.0f} MB", said["verdict"]


def write(folder: Path, operations: int) -> tuple[int, int]:
    """How many lists and elements there are."""
    append, key, element, witness, length, invoked, returned, first, log = simulation.lists(
        CLIENTS, operations, of.CRASHED, LIVE_LISTS, APPENDS_A_LIST, APPENDS, 1
    )
    for name, column in zip(_COLUMNS, (append, key, element, witness, invoked, returned), strict=True):
        column.tofile(folder / f"huge-{name}.bin")
    np.concatenate([[0], np.cumsum(length, dtype=np.int64)]).tofile(folder / "huge-first.bin")
    with (folder / "huge-contents.bin").open("wb") as file:
        for begin in range(0, len(append), PART):
            part = slice(begin, begin + PART)
            simulation.contents(key[part], length[part], first, log)[1].tofile(file)
    return len(first), int(element.max()) + 1


def parts(folder: Path) -> Iterator[Calls]:
    types = {"append": np.uint8, "key": np.int32, "element": np.int32}

    def read(name: str, begin: int, count: int, kind: Any) -> Any:
        return np.fromfile(folder / f"huge-{name}.bin", kind, count, offset=begin * np.dtype(kind).itemsize)

    operations = (folder / "huge-append.bin").stat().st_size
    for begin in range(0, operations, PART):
        count = min(PART, operations - begin)
        columns = {name: read(name, begin, count, types.get(name, np.int64)) for name in _COLUMNS}
        first = read("first", begin, count + 1, np.int64)
        contents = read("contents", int(first[0]), int(first[-1] - first[0]), np.int32)
        yield Calls(begin, first=first, contents=contents, **columns)


def main(folder: Path, keys: int, elements: int) -> None:
    explained_by_log(lambda: (of.lists(2, 100).calls,), 100, 100)  # compiles
    began = time.perf_counter()
    found = explained_by_log(lambda: parts(folder), keys, elements)
    took_s = time.perf_counter() - began
    most_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdict = found.validity.value if found.validity else "no answer"
    print(json.dumps({"s": took_s, "kb": most_kb, "verdict": verdict}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
