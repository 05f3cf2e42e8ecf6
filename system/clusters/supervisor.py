"""Owns a local cluster's links and processes: `python -m system.clusters.supervisor [--scratch DIRECTORY]`.

A process in a session of its own, so that a terminal's Ctrl-C does not reach the nodes. The harness speaks to
it over its stdin and stdout (pipe.py); the news {"exit": {"node", "time_ns", "code"}} tells of a process that
ended unasked.
When the harness says goodbye, or its stdin ends because the harness is gone, it kills its children, stopped
ones too, closes every link and ends. Of a harness that is gone it also removes the scratch directory, which
nobody else would do any more.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from system.clusters import pipe
from system.clusters.addresses import Pair, lease
from system.clusters.errors import ClusterError
from system.clusters.links import CutKind
from system.clusters.network import Network
from system.clusters.pipe import Tell
from system.clusters.processes import Processes
from system.clusters.scratch import Scratch


class Supervisor:
    """The verbs are its public coroutines; arguments and results are JSON values, a link is [from, to]."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._network: Network | None = None
        self._processes: Processes | None = None
        self._lock_fd: int | None = None

    async def open(
        self,
        nodes: list[str],
        dials: list[list[str]],
        delays_s: list[tuple[str, str, float]],
        seed: int,
        stores: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Leases addresses for these nodes and stores, and opens the links of `dials`.

        Result: {"block", "grpc" and "http": {node: "ip:port"}, "links": [[source, destination, "ip:port"]]}.
        """
        taken = lease(nodes, _pairs(dials), stores)
        self._lock_fd = taken.lock_fd
        self._processes = Processes(lambda facts: self._tell({"exit": facts}), [taken.lock_fd])
        delays = {(a, b): delay_s for a, b, delay_s in delays_s}
        self._network = Network(taken, taken.book.grpc, delays, seed)
        return {
            "block": taken.number,
            "grpc": {node: _text(address) for node, address in taken.book.grpc.items()},
            "http": {node: _text(address) for node, address in taken.book.http.items()},
            "links": [[a, b, _text(address)] for (a, b), address in taken.book.links.items()],
        }

    async def cut(self, links: list[list[str]], kind: CutKind) -> dict[str, Any]:
        return await self.network.cut(_pairs(links), kind)

    async def mend(self, links: list[list[str]]) -> dict[str, Any]:
        return await self.network.mend(_pairs(links))

    async def evidence(self, links: list[list[str]]) -> dict[str, Any]:
        return self.network.facts(_pairs(links))

    async def delay(self, links: list[list[str]], extra_s: float, jitter_s: float) -> dict[str, Any]:
        return await self.network.delay(_pairs(links), extra_s, jitter_s)

    async def throttle(self, links: list[list[str]], rate_bytes_s: float | None) -> dict[str, Any]:
        return await self.network.throttle(_pairs(links), rate_bytes_s)

    async def reset(self, links: list[list[str]]) -> dict[str, Any]:
        return await self.network.reset(_pairs(links))

    async def spawn(self, name: str, argv: list[str], env: dict[str, str], directory: str) -> dict[str, Any]:
        return self.processes.spawn(name, argv, env, Path(directory))

    async def pause(self, names: list[str]) -> dict[str, Any]:
        return await self.processes.pause(names)

    async def resume(self, names: list[str]) -> dict[str, Any]:
        return await self.processes.resume(names)

    async def kill(self, names: list[str]) -> dict[str, Any]:
        return await self.processes.kill(names)

    async def terminate(self, names: list[str]) -> dict[str, Any]:
        return await self.processes.terminate(names)

    async def still_harmed(self) -> dict[str, Any]:
        return {"said": [*self.network.still_harmed(), *self.processes.still_stopped()]}

    @property
    def network(self) -> Network:
        if self._network is None:
            raise ClusterError("the supervisor was asked for links before `open`")
        return self._network

    @property
    def processes(self) -> Processes:
        if self._processes is None:
            raise ClusterError("the supervisor was asked for processes before `open`")
        return self._processes

    def close(self) -> None:
        if self._processes:
            self._processes.end_all()
        if self._network:
            self._network.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)


async def serve(requests: asyncio.StreamReader, tell: Tell) -> bool:
    """Answers requests until there are no more. Returns whether the harness said goodbye."""
    supervisor = Supervisor(tell)
    try:
        return await pipe.serve(requests, supervisor, tell)
    finally:
        supervisor.close()


def _pairs(links: list[list[str]]) -> list[Pair]:
    return [(a, b) for a, b in links]


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


async def main(scratch: Scratch | None) -> None:
    serving = asyncio.create_task(serve(*await pipe.standard_streams()))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, serving.cancel)
    await asyncio.wait([serving])
    if not serving.cancelled() and not serving.result() and scratch:
        scratch.remove()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--scratch", type=Scratch)
    asyncio.run(main(arguments.parse_args().scratch))
