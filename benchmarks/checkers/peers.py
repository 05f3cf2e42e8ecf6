"""What a user would pick instead: Porcupine, and the search in plain Python that is in this repository."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.checkers.histories import History, Registers, write_for_peer
from checkers.linear.operations import Limits
from checkers.linear.wing_gong import wing_gong
from checkers.models.register import CAS_REGISTER
from checkers.verdict import Validity

PROGRAM = Path(__file__).resolve().parents[1] / "peers" / "porcupine"
MEMORY_BYTES = 6 << 30
_VERDICTS = {"Ok": "yes", "Illegal": "no"}


class Porcupine:
    """The Go program, kept running, so that it is as warm as we are. It is a context manager."""

    def __init__(self, folder: Path) -> None:
        """Builds it into a folder. Raises RuntimeError where that fails."""
        self._folder = folder
        self._program = folder / "porcupine"
        self._paths: dict[History, Path] = {}
        self._loaded: set[Path] = set()
        self._process: subprocess.Popen[str] | None = None
        build = subprocess.run(
            ["go", "build", "-o", str(self._program), "."],
            cwd=PROGRAM,
            capture_output=True,
            text=True,
            check=False,
        )
        if build.returncode:
            raise RuntimeError(f"{PROGRAM}: go build failed: {build.stderr.strip()}")

    @staticmethod
    def is_possible() -> bool:
        return shutil.which("go") is not None

    def judge(self, history: History, timeout_s: float) -> tuple[str, float]:
        """(yes, no or why there is none, the seconds that took)."""
        path = self._paths.get(history)
        if path is None:
            path = self._paths[history] = self._folder / f"{len(self._paths)}.json"
            write_for_peer(history, path)
        if path not in self._loaded:
            self._ask(load=str(path))
            self._loaded.add(path)
        said = self._ask(judge=str(path), timeout_ns=int(timeout_s * 1e9), memory_bytes=MEMORY_BYTES)
        if said["result"] == "Memory":
            self.close()
            return f"over {MEMORY_BYTES >> 30} GB after {said['ns'] / 1e9:.1f} s", said["ns"] / 1e9
        return _VERDICTS.get(said["result"], f"no answer in {timeout_s:g} s"), said["ns"] / 1e9

    def _ask(self, **what: Any) -> dict[str, Any]:
        if self._process is None:
            self._process = subprocess.Popen(
                [str(self._program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the Go program ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None
            self._loaded.clear()

    def __enter__(self) -> Porcupine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def plain_python(history: Registers, timeout_s: float) -> tuple[str, float]:
    """The search of Wing, Gong and Lowe, from its own operations; as Porcupine.judge."""
    operations = history.operations
    began = time.perf_counter()
    decision = wing_gong(CAS_REGISTER, operations, Limits.of(timeout_s))
    took_s = time.perf_counter() - began
    if decision.validity is Validity.UNKNOWN:
        return f"no answer in {timeout_s:g} s", took_s
    return decision.validity.value, took_s
