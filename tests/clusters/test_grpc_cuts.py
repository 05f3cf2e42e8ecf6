"""Both kinds of cut under real gRPC streams, which keep their connections alive, or give them up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest

from system.rpc import CHANNEL_OPTIONS, SERVER_OPTIONS
from tests.clusters.lab import ONE_WAY_S, A, B, Lab, finish, lab, until

INTERVAL_S = 0.05
PING_TIMEOUT_S = dict(CHANNEL_OPTIONS)["grpc.http2.ping_timeout_ms"] / 1000


class Side:
    """One end of a stream: sends a message every 50 ms and notes when others' arrived."""

    def __init__(self) -> None:
        self.arrived_s: list[float] = []
        self.ended_s: float | None = None

    async def talk(self, call: Any) -> None:
        sending = asyncio.create_task(self._send(call))
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                assert message == b"x" * 40
                self.arrived_s.append(time.monotonic())
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, grpc.aio.InternalError):
            pass
        finally:
            self.ended_s = time.monotonic()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, call: Any) -> None:
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            while True:
                await call.write(b"x" * 40)
                await asyncio.sleep(INTERVAL_S)

    def since(self, moment_s: float) -> int:
        return sum(arrived_s > moment_s for arrived_s in self.arrived_s)


@asynccontextmanager
async def server(here: Lab, site: str, sides: list[Side]) -> AsyncIterator[None]:
    """A gRPC server on that site; every stream's server end is put in `sides`."""

    async def converse(_request: Any, context: Any) -> None:
        sides.append(side := Side())
        await side.talk(context)

    running = grpc.aio.server(options=SERVER_OPTIONS)
    handler: Any = grpc.stream_stream_rpc_method_handler(converse)
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", {"Talk": handler}),))
    host, port = here.grpc[site]
    running.add_insecure_port(f"{host}:{port}")
    await running.start()
    try:
        yield
    finally:
        await running.stop(None)


@asynccontextmanager
async def stream(here: Lab, source: str, destination: str) -> AsyncIterator[Side]:
    """A stream from one site to the other; yields its client end once messages arrive."""
    side = Side()
    async with grpc.aio.insecure_channel(here.dial(source, destination), options=CHANNEL_OPTIONS) as channel:
        call: Any = channel.stream_stream("/test/Talk")(wait_for_ready=True)
        talking = asyncio.create_task(side.talk(call))
        try:
            yield side
        finally:
            call.cancel()
            await asyncio.gather(talking, return_exceptions=True)


@pytest.mark.parametrize("links", [[(A, B), (B, A)], [(A, B)], [(B, A)]])
def test_without_packets_a_stream_soon_dies_and_comes_back_after_the_cut(
    links: list[tuple[str, str]],
) -> None:
    async def run() -> None:
        served: list[Side] = []
        async with lab(one_way_s=ONE_WAY_S) as here, server(here, B, served), stream(here, A, B) as client:
            await until(lambda: len(client.arrived_s) > 2)
            began_s = time.monotonic()
            facts = await here.network.cut(links, "packets")
            assert facts[f"{links[0][0]}->{links[0][1]}"]["held_bytes"] > 0
            await until(lambda: client.ended_s is not None and served[0].ended_s is not None, 4)
            for side in (client, served[0]):
                assert side.ended_s is not None
                # Of a ping, too, that was under way when the cut came.
                assert PING_TIMEOUT_S - 2 * ONE_WAY_S < side.ended_s - began_s < 2.2
                assert side.since(began_s + PING_TIMEOUT_S) == 0, "the other way falls silent too"
            await here.network.mend(links)
            mended_s = time.monotonic()
            async with stream(here, A, B) as again:
                await until(lambda: len(again.arrived_s) > 0)
                assert again.arrived_s[0] - mended_s < 2

    finish(run())


def test_without_messages_one_way_those_of_the_other_way_arrive_throughout() -> None:
    async def run() -> None:
        by_a: list[Side] = []
        by_b: list[Side] = []
        async with (
            lab(one_way_s=ONE_WAY_S) as here,
            server(here, A, by_a),
            server(here, B, by_b),
            stream(here, A, B) as opened_by_a,
            stream(here, B, A) as opened_by_b,
        ):
            await until(lambda: len(opened_by_a.arrived_s) > 2 and len(opened_by_b.arrived_s) > 2)
            facts = await here.network.cut([(A, B)], "messages")
            assert facts[f"{A}->{B}"]["held_bytes"] > 0
            await asyncio.sleep(0.1)
            cut_s = time.monotonic()
            async with stream(here, B, A) as opened_meanwhile:
                await asyncio.sleep(5)  # ten keepalives
                assert opened_meanwhile.since(cut_s) == 0
                assert by_a[1].since(cut_s) > 50, "a stream that B opens meanwhile reaches A as well"
                for hears, hears_nothing in ((opened_by_a, by_b[0]), (by_a[0], opened_by_b)):
                    assert hears.since(cut_s) > 50
                    assert hears.since(cut_s + 4.5) > 2
                    assert hears_nothing.since(cut_s) == 0
                    assert hears.ended_s is None and hears_nothing.ended_s is None
                facts = await here.network.mend([(A, B)])
            assert facts[f"{B}->{A}"]["passed_messages"] > 150
            assert facts[f"{A}->{B}"]["passed_messages"] <= 1  # one that had begun
            assert facts[f"{B}->{A}"]["quiet_ms"] < 1000
            assert facts[f"{A}->{B}"]["quiet_ms"] > 4900
            assert facts[f"{A}->{B}"]["passed_bytes"] > 0, "keepalives"
            assert facts[f"{A}->{B}"]["held_bytes"] > 2 * 50 * 40
            mended_s = time.monotonic()
            async with stream(here, B, A) as again:
                await until(lambda: len(again.arrived_s) > 0)
                assert again.arrived_s[0] - mended_s < 2

    finish(run())


def test_messages_kept_back_for_a_moment_arrive_afterwards_all_of_them() -> None:
    async def run() -> None:
        served: list[Side] = []
        async with lab(one_way_s=ONE_WAY_S) as here, server(here, B, served), stream(here, A, B) as client:
            await until(lambda: len(client.arrived_s) > 2)
            await here.network.cut([(A, B)], "messages")
            await asyncio.sleep(0.2)  # shorter than what gRPC puts up with
            before = len(served[0].arrived_s)
            await here.network.mend([(A, B)])
            await until(lambda: len(served[0].arrived_s) > before + 8)
            assert client.ended_s is None and served[0].ended_s is None

    finish(run())
