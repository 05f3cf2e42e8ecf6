"""Round trips measured through a link: an HTTP/2 PING that the server at the other end answers, or, where it
speaks no HTTP/2, a request of HTTP/1.1."""

from __future__ import annotations

import asyncio
import time

from system.clusters.http2 import (
    ACK,
    CLIENT_PREFACE,
    GOAWAY,
    HEADER_BYTES,
    PING,
    SETTINGS,
    build,
    parse,
)

_HEAD = b"HEAD / HTTP/1.1\r\nHost: store\r\n\r\n"
# Below this a second and a third trip cost little, and their median is less noisy.
_QUICK_MS = 100.0


async def round_trip_ms(
    address: str, connect_s: float, timeout_s: float, *, http2: bool = True
) -> float | None:
    """The time from asking to the answer, on a connection of its own; None where none came in time.

    connect_s: what connecting takes over this link. The proxy accepts at once, and lets nothing arrive
    sooner.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _measure_ms(address, connect_s, http2)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return None


async def _measure_ms(address: str, connect_s: float, http2: bool) -> float:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        await asyncio.sleep(connect_s)
        if http2:
            writer.write(CLIENT_PREFACE + build(SETTINGS))
        ask = _ping_ms if http2 else _head_ms
        trips_ms = [await ask(reader, writer, 0)]
        if trips_ms[0] < _QUICK_MS:
            trips_ms += [await ask(reader, writer, number) for number in (1, 2)]
        return round(sorted(trips_ms)[len(trips_ms) // 2], 3)
    finally:
        writer.close()


async def _ping_ms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> float:
    payload = number.to_bytes(8, "big")
    began_ns = time.monotonic_ns()
    writer.write(build(PING, payload))
    while True:
        frame = parse(await reader.readexactly(HEADER_BYTES))
        received = await reader.readexactly(frame.size_bytes - HEADER_BYTES)
        if frame.kind == SETTINGS and not frame.flags & ACK:
            writer.write(build(SETTINGS, flags=ACK))
        elif frame.kind == PING and not frame.flags & ACK:
            writer.write(build(PING, received, flags=ACK))
        elif frame.kind == PING and received == payload:
            return (time.monotonic_ns() - began_ns) / 1e6
        elif frame.kind == GOAWAY:
            raise ConnectionError("the server closed the connection")


async def _head_ms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> float:
    """The answer may be a refusal: it has come all the way. number: makes no difference."""
    began_ns = time.monotonic_ns()
    writer.write(_HEAD)
    await reader.readuntil(b"\r\n\r\n")
    return (time.monotonic_ns() - began_ns) / 1e6
