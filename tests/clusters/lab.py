"""Two or three sites and the links between them, in this process; and what listens behind them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager

from system.clusters.addresses import Pair, lease
from system.clusters.network import Network

A, B, C = "cp-aws-1", "cp-gcp-1", "cp-aws-2"
ONE_WAY_S = 0.025

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Lab:
    """grpc: where each site's own server belongs. dial: where a site dials another."""

    def __init__(
        self, network: Network, grpc: Mapping[str, tuple[str, int]], links: Mapping[Pair, tuple[str, int]]
    ):
        self.network = network
        self.grpc = grpc
        self.links = links

    async def connect(self, source: str, destination: str) -> Connection:
        return await asyncio.open_connection(*self.links[source, destination])

    def dial(self, source: str, destination: str) -> str:
        host, port = self.links[source, destination]
        return f"{host}:{port}"

    @asynccontextmanager
    async def echo(self, site: str) -> AsyncIterator[None]:
        """A server on that site that answers with what it gets."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            except ConnectionError:
                pass
            writer.close()

        async with await asyncio.start_server(answer, *self.grpc[site]):
            yield


@asynccontextmanager
async def lab(sites: Sequence[str] = (A, B), one_way_s: float = 0.0) -> AsyncIterator[Lab]:
    """Everybody dials everybody; one_way_s between clouds."""
    pairs = [(a, b) for a in sites for b in sites if a != b]
    taken = lease(sites, pairs)
    delays = {(a, b): one_way_s for a, b in pairs if a.split("-")[1] != b.split("-")[1]}
    network = Network(taken, taken.book.grpc, delays, seed=1)
    try:
        yield Lab(network, taken.book.grpc, taken.book.links)
    finally:
        network.close()
        os.close(taken.lock_fd)


def finish(test: Coroutine[None, None, None]) -> None:
    """Runs a test that must not hang."""

    async def within() -> None:
        async with asyncio.timeout(30):
            await test

    asyncio.run(within())


async def exchange(connection: Connection, data: bytes) -> float:
    """Sends and waits for the echo; seconds taken."""
    reader, writer = connection
    began_s = time.monotonic()
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    return time.monotonic() - began_s


async def quickest(connection: Connection) -> float:
    """The shortest of several exchanges: what the link takes, and not what a busy host does."""
    return min([await exchange(connection, b"x" * 100) for _ in range(4)])


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Waits for a condition; TimeoutError where it never comes."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
