"""The harness' end of the pipe to its supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from system.clusters.pipe import LINE_BYTES, Pipe

ENDED_WITHIN_S = 15.0


class Supervision:
    """A supervisor that was started, and that ends with this object or with this process.

    on_exit(facts): {"node", "time_ns", "code"} of a process that ended unasked
    """

    def __init__(
        self, process: asyncio.subprocess.Process, log: Path, on_exit: Callable[[dict[str, Any]], None]
    ) -> None:
        self.pid = process.pid
        self._pipe = Pipe(
            process,
            "the supervisor",
            news=lambda message: on_exit(message["exit"]),
            last_words=lambda: last_lines(log),
        )

    @classmethod
    async def start(
        cls, log: Path, on_exit: Callable[[dict[str, Any]], None], *, scratch: Path | None = None
    ) -> Supervision:
        """log: where its own complaints go. scratch: a directory that it removes when this process is gone
        without having called `close`."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "system.clusters.supervisor",
                *(["--scratch", str(scratch)] if scratch is not None else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                limit=LINE_BYTES,
                env=python_env(os.environ),
            )
        return cls(process, log, on_exit)

    async def ask(self, verb: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        """Raises ClusterError where the supervisor refuses, ended, or does not answer in time."""
        return await self._pipe.ask(verb, timeout_s=timeout_s, **arguments)

    async def close(self) -> None:
        """Ends the supervisor, and with it everything it owns: its children die with it."""
        await self._pipe.close(ENDED_WITHIN_S)


def python_env(env: Mapping[str, str]) -> dict[str, str]:
    """An environment in which `python -m system…` works from any directory."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    return {**env, "PYTHONPATH": os.pathsep.join(paths)}


def last_lines(*logs: Path, count: int = 5) -> str:
    """The end of some logs, to go after what an error says; "" where they hold nothing."""
    lines: list[str] = []
    for log in logs:
        with contextlib.suppress(OSError):
            lines += log.read_text(errors="replace").splitlines()[-count:]
    return "; its last lines:\n" + "\n".join(f"  {line[:300]}" for line in lines) if lines else ""
