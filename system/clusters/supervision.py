"""The harness' end of the pipe to its supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from system.clusters.errors import ClusterError
from system.clusters.supervisor import GOODBYE, LINE_BYTES

ENDED_WITHIN_S = 15.0


class Supervision:
    """A supervisor that was started, and that ends with this object or with this process.

    on_exit(facts): {"node", "time_ns", "code"} of a process that ended unasked
    """

    def __init__(
        self, process: asyncio.subprocess.Process, log: Path, on_exit: Callable[[dict[str, Any]], None]
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log
        self._on_exit = on_exit
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listening = asyncio.create_task(self._listen())

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
        if self._listening.done():
            raise self._gone()
        assert self._process.stdin is not None
        self._asked += 1
        number = self._asked
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        request = {"id": number, "verb": verb, "arguments": arguments}
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            raise ClusterError(f"the supervisor did not answer `{verb}` within {timeout_s:g} s") from None
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        """Ends the supervisor, and with it everything it owns."""
        assert self._process.stdin is not None
        self._process.stdin.write(GOODBYE)
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), ENDED_WITHIN_S)
        except TimeoutError:  # its children die with it
            self._process.kill()
            await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            if "exit" in message:
                self._on_exit(message["exit"])
                continue
            waiting = self._waiting.get(message["id"])
            if waiting is None or waiting.done():
                continue
            if "error" in message:
                waiting.set_exception(ClusterError(message["error"]))
            else:
                waiting.set_result(message["result"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._gone())

    def _gone(self) -> ClusterError:
        return ClusterError(f"the supervisor (pid {self.pid}) has ended{last_lines(self._log)}")


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
