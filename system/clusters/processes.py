"""Child processes of the supervisor: started, stopped and killed as asked, and noticed when they end
unasked."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from system.clusters.errors import ClusterError

Facts = dict[str, Any]

# How long a process may take to end or stop after a signal that it cannot refuse.
SIGNAL_OBEYED_S = 5.0
TERMINATE_S = 10.0
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Child:
    """expected: somebody asked it to end. ended: set with its exit code (negative: the signal)."""

    name: str
    process: subprocess.Popen[bytes]
    ended: asyncio.Future[int]
    expected: bool = False


class Processes:
    """on_exit(facts): called with {"node", "time_ns", "code"} when a process ends although nobody asked it
    to.
    keep_fds: descriptors that children inherit (the lease: held until the last of them is gone)."""

    def __init__(self, on_exit: Callable[[Facts], None], keep_fds: Sequence[int]) -> None:
        self._on_exit = on_exit
        self._keep_fds = tuple(keep_fds)
        self._children: dict[str, Child] = {}
        self._loop = asyncio.get_running_loop()
        self._die_with_us = _die_with(os.getpid())
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str], directory: Path) -> Facts:
        """Starts it in its own process group, its output appended to stdout.log and stderr.log in
        `directory`; leaves one that is running alone. Facts: {"pid", "was_pid": that of its last start or
        None}."""
        last = self._children.get(name)
        was_pid = last.process.pid if last else None
        if last and not last.ended.done():
            return {"pid": was_pid, "was_pid": was_pid}
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "stdout.log").open("ab") as out, (directory / "stderr.log").open("ab") as err:
            process = subprocess.Popen(
                argv,
                env=env,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=self._keep_fds,
                process_group=0,
                # Safe here: the supervisor is single-threaded.
                preexec_fn=self._die_with_us,  # noqa: PLW1509
            )
        self._children[name] = Child(name, process, self._loop.create_future())
        return {"pid": process.pid, "was_pid": was_pid}

    async def pause(self, names: Sequence[str]) -> Facts:
        """SIGSTOP; returns when the kernel reports them stopped. Facts: {name: {"pid", "state"}}."""
        self._signal(names, signal.SIGSTOP)
        return {name: await self._until_state(name, stopped=True) for name in names}

    async def resume(self, names: Sequence[str]) -> Facts:
        """SIGCONT; the same facts."""
        self._signal(names, signal.SIGCONT)
        return {name: await self._until_state(name, stopped=False) for name in names}

    async def kill(self, names: Sequence[str]) -> Facts:
        """SIGKILL. Facts: {name: {"pid", "gone"}}."""
        for name in names:
            self._child(name).expected = True
        self._signal(names, signal.SIGKILL)
        return {name: await self._until_gone(name, SIGNAL_OBEYED_S) for name in names}

    async def terminate(self, names: Sequence[str]) -> Facts:
        """SIGTERM (to one that is stopped too); what has not ended in 10 s is killed.
        Facts: {name: {"pid", "gone", "exit_code"}}."""
        for name in names:
            self._child(name).expected = True
        self._signal(names, signal.SIGTERM)
        self._signal(names, signal.SIGCONT)
        await asyncio.gather(*(self._until_gone(name, TERMINATE_S) for name in names))
        await self.kill([name for name in names if not self._child(name).ended.done()])
        facts = {}
        for name in names:
            child = self._child(name)
            gone = child.ended.done()
            facts[name] = {
                "pid": child.process.pid,
                "gone": gone,
                "exit_code": child.ended.result() if gone else None,
            }
        return facts

    def end_all(self) -> None:
        """Kills whatever runs, stopped or not, and waits until it is gone."""
        self._loop.remove_signal_handler(signal.SIGCHLD)
        running = [child for child in self._children.values() if not child.ended.done()]
        for child in running:
            child.expected = True  # a signal that is handled already may still have us look who has ended
            child.process.kill()
        for child in running:
            child.process.wait(timeout=SIGNAL_OBEYED_S)

    def _signal(self, names: Sequence[str], number: signal.Signals) -> None:
        for name in names:
            self._child(name).process.send_signal(number)  # does nothing to one that was reaped

    def _child(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise ClusterError(f"no process is called {name}; there are: {', '.join(self._children)}")
        return child

    def still_stopped(self) -> list[str]:
        """As the kernel says."""
        running = [child for child in self._children.values() if not child.ended.done()]
        return [f"{child.name} is stopped" for child in running if process_state(child.process.pid) == "T"]

    async def _until_state(self, name: str, *, stopped: bool) -> Facts:
        child = self._child(name)
        deadline_s = self._loop.time() + SIGNAL_OBEYED_S
        state = process_state(child.process.pid)
        while (state == "T") != stopped and not child.ended.done() and self._loop.time() < deadline_s:
            await asyncio.sleep(0.002)
            state = process_state(child.process.pid)
        return {"pid": child.process.pid, "state": "gone" if child.ended.done() else state}

    async def _until_gone(self, name: str, timeout_s: float) -> Facts:
        child = self._child(name)
        await asyncio.wait([child.ended], timeout=timeout_s)
        return {"pid": child.process.pid, "gone": child.ended.done() and not process_state(child.process.pid)}

    def _reap(self) -> None:
        for child in self._children.values():
            if child.ended.done():
                continue
            code = child.process.poll()
            if code is None:
                continue
            child.ended.set_result(code)
            if not child.expected:
                self._on_exit({"node": child.name, "time_ns": time.monotonic_ns(), "code": code})


def process_state(pid: int) -> str:
    """The kernel's letter for what a process is doing (T: stopped), or "" where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
    answer = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()[:1]


def _die_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it runs, so that the kernel kills it when its parent dies, however it dies.

    Linux only. Elsewhere the children of a supervisor that was itself killed with SIGKILL stay behind; they
    end with it in every other case.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
