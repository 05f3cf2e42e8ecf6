"""How long a gRPC stream needs after a cut: through our link proxy, and where a real network drops packets.

    python benchmarks/link_recovery.py [REPEATS]        (Linux, root, iproute2; some minutes)

The real network is a veth pair into a network namespace; it is cut by addressing frames to a machine that is
not there, so that they vanish without a word to their sender, as with iptables' DROP. Both ends say something
every 150 ms, as Raft's heartbeats do. Printed: seconds from the mend to the first message that arrives, the
median of several cuts and their quartiles.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from system.clusters.supervision import Supervision  # noqa: E402
from system.rpc import CHANNEL_OPTIONS, SERVER_OPTIONS  # noqa: E402

CUTS_S = (0.1, 0.3, 0.6, 0.8, 1.0, 3.0)
REPEATS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 15
INTERVAL_S = 0.15
A, B = "cp-aws-1", "cp-gcp-1"
NAMESPACE, OURS, THEIRS = "crosswind-bench", "cwbench0", "cwbench1"
OUR_IP, THEIR_IP = "10.77.99.1", "10.77.99.2"
NOBODY = "02:00:00:00:00:99"

Cut = Callable[[bool], Awaitable[None]]


async def talk(call: Any) -> None:
    with suppress(grpc.RpcError, asyncio.InvalidStateError, grpc.aio.InternalError, grpc.aio.UsageError):
        while True:
            await call.write(b"x" * 40)
            await asyncio.sleep(INTERVAL_S)


async def serve(address: str) -> None:
    async def converse(_request: Any, context: Any) -> None:
        talking = asyncio.create_task(talk(context))
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            while await context.read() is not grpc.aio.EOF:
                pass
        talking.cancel()

    server = grpc.aio.server(options=SERVER_OPTIONS)
    handler: Any = grpc.stream_stream_rpc_method_handler(converse)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench", {"Talk": handler}),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


class Listener:
    """Keeps a stream open, a new one whenever it dies; knows when the last message arrived."""

    def __init__(self, address: str) -> None:
        self.arrived = asyncio.Event()
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            call: Any = self._channel.stream_stream("/bench/Talk")(wait_for_ready=True)
            talking = asyncio.create_task(talk(call))
            with suppress(grpc.RpcError):
                while await call.read() is not grpc.aio.EOF:
                    self.arrived.set()
            talking.cancel()
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        self._running.cancel()
        await self._channel.close()


async def measure(address: str, cut: Cut) -> None:
    listener = Listener(address)
    await asyncio.wait_for(listener.arrived.wait(), 10)
    for cut_s in CUTS_S:
        took_s = []
        for number in range(REPEATS):
            # Calm: the stream is up, its back-off forgotten; elsewhere in the keepalives' rhythm each time.
            await asyncio.sleep(1.2 + 0.5 * number / REPEATS)
            await cut(True)
            await asyncio.sleep(cut_s)
            await cut(False)
            mended_s = time.monotonic()
            listener.arrived.clear()
            await asyncio.wait_for(listener.arrived.wait(), 20)
            took_s.append(time.monotonic() - mended_s)
        low_s, median_s, high_s = statistics.quantiles(took_s, n=4)
        print(f"  cut {cut_s:3.1f} s: {median_s:5.2f} s  ({low_s:.2f} … {high_s:.2f})", flush=True)
    await listener.close()


def ip(*words: str, inside: bool = False) -> str:
    where = ["ip", "netns", "exec", NAMESPACE] if inside else []
    return subprocess.run([*where, "ip", *words], check=True, capture_output=True, text=True).stdout


@asynccontextmanager
async def real_network() -> AsyncIterator[Cut]:
    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", OURS, "type", "veth", "peer", "name", THEIRS, "netns", NAMESPACE)
        ip("addr", "add", f"{OUR_IP}/24", "dev", OURS)
        ip("link", "set", OURS, "up")
        ip("addr", "add", f"{THEIR_IP}/24", "dev", THEIRS, inside=True)
        ip("link", "set", THEIRS, "up", inside=True)
        macs = [ip("link", "show", OURS), ip("link", "show", THEIRS, inside=True)]
        ours, theirs = (text.split("link/ether ")[1].split()[0] for text in macs)

        async def cut(is_cut: bool) -> None:
            neighbour = ("nud", "permanent", "dev")
            ip("neigh", "replace", THEIR_IP, "lladdr", NOBODY if is_cut else theirs, *neighbour, OURS)
            ip(
                "neigh",
                "replace",
                OUR_IP,
                "lladdr",
                NOBODY if is_cut else ours,
                *neighbour,
                THEIRS,
                inside=True,
            )

        await cut(False)
        yield cut
    finally:
        ip("netns", "del", NAMESPACE)


@asynccontextmanager
async def server(address: str, *prefix: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*prefix, sys.executable, __file__, "--serve", address)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def main() -> None:
    print("real network that drops packets:")
    address = f"{THEIR_IP}:15051"
    async with real_network() as cut, server(address, "ip", "netns", "exec", NAMESPACE):
        await measure(address, cut)

    print("link proxy:")
    with tempfile.TemporaryDirectory() as directory:
        supervision = await Supervision.start(Path(directory) / "log", print)
        links = [(A, B), (B, A)]
        book = await supervision.ask("open", nodes=[A, B], dials=links, delays_s=[], seed=1)
        through = next(address for a, b, address in book["links"] if (a, b) == (A, B))

        async def cut_proxy(is_cut: bool) -> None:
            if is_cut:
                cutting = asyncio.create_task(supervision.ask("cut", links=links, kind="packets"))
                await asyncio.sleep(0)
                cutting.add_done_callback(lambda done: done.result())
            else:
                await supervision.ask("mend", links=links)

        async with server(book["grpc"][B]):
            await measure(through, cut_proxy)
        await supervision.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(sys.argv[2]))
    elif sys.platform != "linux" or os.geteuid() != 0:
        sys.exit("link_recovery: needs root on Linux, to make a network namespace")
    else:
        asyncio.run(main())
