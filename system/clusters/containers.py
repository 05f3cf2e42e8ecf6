"""A cluster's processes as containers: frozen, killed, stopped, started, with the engine's word as proof."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from system.clusters import disk
from system.clusters.engine import Condition, Engine

Facts = dict[str, Any]
DATA = "/data"
STOPPED_WITHIN_S = 10


class Containers:
    """container(site): its name. started(site, condition): called for each that has just started, before
    anybody hears of it. ending(site): for each that is about to end, or has ended.

    starts: {site: how often started}. exits: {"node", "time_ns", "code"} of those that ended unasked.
    """

    def __init__(
        self,
        engine: Engine,
        container: Callable[[str], str],
        started: Callable[[str, Condition], Awaitable[None]],
        ending: Callable[[str], Awaitable[None]],
    ) -> None:
        self.starts: dict[str, int] = {}
        self.exits: list[Facts] = []
        self._engine = engine
        self._container = container
        self._started = started
        self._ending = ending
        self._up: dict[str, int] = {}  # pids of those that nobody has asked to end

    async def start(self, sites: Sequence[str]) -> Facts:
        """Starts what does not run. Facts: {site: {"pid", "was_pid"}}."""
        return await self._each(sites, self._start)

    async def pause(self, sites: Sequence[str]) -> Facts:
        """Freezes them. Facts: {site: {"pid", "state": "frozen"}}."""
        return await self._each(sites, self._pause)

    async def resume(self, sites: Sequence[str]) -> Facts:
        """The same facts; what is not frozen is left alone."""
        return await self._each(sites, self._resume)

    async def still_frozen(self, sites: Sequence[str]) -> list[str]:
        conditions = await asyncio.gather(*(self._engine.condition(self._container(site)) for site in sites))
        states = dict(zip(sites, conditions, strict=True))
        return [f"{site} is frozen" for site, condition in states.items() if condition.state == "frozen"]

    async def kill(self, sites: Sequence[str]) -> Facts:
        """SIGKILL. Facts: {site: {"pid", "gone"}}."""
        return await self._each(sites, self._kill)

    async def stop(self, sites: Sequence[str]) -> Facts:
        """SIGTERM. Facts: {site: {"pid", "gone", "exit_code"}}."""
        return await self._each(sites, self._stop)

    async def lose_unsynced(self, site: str) -> int:
        """Cuts a stopped node's log where its last sync left it; returns the bytes lost."""
        files = await self._engine.read(self._container(site), DATA)
        kept = disk.synced_part(files)
        if kept is None:
            return 0
        await self._engine.write(self._container(site), DATA, disk.WAL, kept)
        return len(files[disk.WAL]) - len(kept)

    async def save(self, site: str, into: Path, metrics: bytes | None) -> None:
        """Copies what a node wrote."""
        name = self._container(site)
        (stdout, stderr), files = await asyncio.gather(self._engine.logs(name), self._engine.read(name, DATA))
        found = files | {"stdout.log": stdout, "stderr.log": stderr}
        await asyncio.to_thread(disk.save_files, found, into, metrics)

    async def note_exits(self) -> None:
        """Looks for containers that ended although nobody had asked them to."""
        for site in list(self._up):
            condition = await self._engine.condition(self._container(site))
            if not condition.runs:
                time_ns = condition.ended_ns - time.time_ns() + time.monotonic_ns()
                self.exits.append({"node": site, "time_ns": time_ns, "code": condition.exit_code})
                await self._leave(site)

    async def _each(self, sites: Sequence[str], act: Callable[[str], Awaitable[Facts]]) -> Facts:
        """Raises the first error once all have ended: who goes on to remove them must not meet one that is
        being started, which this engine takes badly."""
        ended = await asyncio.gather(*map(act, sites), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error
        return {site: facts for site, facts in zip(sites, ended, strict=True) if isinstance(facts, dict)}

    async def _start(self, site: str) -> Facts:
        was = await self._engine.condition(self._container(site))
        if was.runs:
            await self._started(site, was)
            self._up[site] = was.pid
            return {"pid": was.pid, "was_pid": was.pid}
        now = await self._engine.start(self._container(site))
        await self._started(site, now)
        self._up[site] = now.pid
        self.starts[site] = self.starts.get(site, 0) + 1
        return {"pid": now.pid, "was_pid": 0}

    async def _pause(self, site: str) -> Facts:
        condition = await self._engine.condition(self._container(site))
        if condition.state == "running":
            condition = await self._engine.pause(self._container(site))
        return {"pid": condition.pid, "state": condition.state}

    async def _resume(self, site: str) -> Facts:
        condition = await self._engine.condition(self._container(site))
        if condition.state == "frozen":
            condition = await self._engine.resume(self._container(site))
        return {"pid": condition.pid, "state": condition.state}

    async def _kill(self, site: str) -> Facts:
        was = await self._leaving(site)
        now = await self._engine.kill(self._container(site)) if was.runs else was
        return {"pid": was.pid, "gone": not now.runs}

    async def _stop(self, site: str) -> Facts:
        was = await self._leaving(site)
        now = await self._engine.stop(self._container(site), STOPPED_WITHIN_S) if was.runs else was
        return {"pid": was.pid, "gone": not now.runs, "exit_code": now.exit_code}

    async def _leaving(self, site: str) -> Condition:
        condition = await self._engine.condition(self._container(site))
        await self._leave(site)
        return condition

    async def _leave(self, site: str) -> None:
        self._up.pop(site, None)
        await self._ending(site)
