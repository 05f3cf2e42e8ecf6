"""Links carry bytes as cables do: late, in order, at their rate, and not at all while they are cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import time

import pytest

from system.clusters.errors import ClusterError
from system.clusters.http2 import CLIENT_PREFACE, DATA, END_HEADERS, HEADERS, SETTINGS, build
from system.clusters.proxy import KEEPALIVE_LIMIT_S, RETRANSMIT_S, SOCKET_BUFFER_BYTES, next_attempt_s
from tests.clusters.lab import ONE_WAY_S, A, B, C, exchange, finish, lab, quickest, until


def test_round_trips_take_the_links_delay_and_nothing_more() -> None:
    async def run() -> None:
        async with lab((A, B, C), ONE_WAY_S) as here, here.echo(B), here.echo(C):
            far, near = await here.connect(A, B), await here.connect(A, C)
            await exchange(far, b"opened")
            far_ms = [1e3 * await exchange(far, b"x" * 100) for _ in range(15)]
            near_ms = [1e3 * await exchange(near, b"x" * 100) for _ in range(30)]
            assert min(far_ms) >= 50
            assert statistics.median(far_ms) < 58
            assert statistics.median(near_ms) < 2

    finish(run())


def test_connecting_takes_a_round_trip_before_anything_arrives() -> None:
    async def run() -> None:
        async with lab(one_way_s=ONE_WAY_S) as here, here.echo(B):
            assert await exchange(await here.connect(A, B), b"first") >= 4 * ONE_WAY_S - 0.002

    finish(run())


def test_delay_and_jitter_keep_the_order_and_go_away() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            connection = await here.connect(A, B)
            await here.network.delay([(A, B)], 0.05, 0.02)
            slow_s = [await exchange(connection, b"slow") for _ in range(4)]
            assert 0.05 <= min(slow_s) < 0.08
            assert max(slow_s) - min(slow_s) > 0.001
            reader, writer = connection
            sent = b""
            for number in range(200):
                if number == 100:
                    await here.network.delay([(A, B)], 0.0, 0.0)  # what is sent now must not overtake
                writer.write(piece := f"{number} ".encode())
                sent += piece
                await asyncio.sleep(0)
            assert await reader.readexactly(len(sent)) == sent
            assert await quickest(connection) < 0.02

    finish(run())


def test_each_direction_has_its_own_delay() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B), here.echo(A):
            await here.network.delay([(A, B)], 0.05, 0.0)
            opened_by_a, opened_by_b = await here.connect(A, B), await here.connect(B, A)
            for connection in (opened_by_a, opened_by_b):
                assert 0.05 <= await quickest(connection) < 0.08

    finish(run())


def test_a_throttled_link_carries_its_rate_and_its_sender_feels_it() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            await here.network.throttle([(A, B)], 100_000)
            _, writer = connection = await here.connect(A, B)
            assert 0.35 <= await exchange(connection, b"x" * 40_000) < 2
            writer.transport.set_write_buffer_limits(0)
            writer.write(b"x" * 8_000_000)
            await until(lambda: here.network.facts([(A, B)])[f"{A}->{B}"]["passed_bytes"] > 50_000)
            assert writer.transport.get_write_buffer_size() > 1_000_000, "not taken on its behalf"
            writer.transport.abort()

    finish(run())


def test_megabytes_pass_unchanged() -> None:
    async def run() -> None:
        async with lab(one_way_s=0.005) as here, here.echo(B):
            data = bytes(range(256)) * 40_000
            async with asyncio.timeout(10):
                await exchange(await here.connect(A, B), data)

    finish(run())


def test_where_nobody_listens_the_connection_is_reset_at_once() -> None:
    async def run() -> None:
        async with lab(one_way_s=ONE_WAY_S) as here:
            began_s = time.monotonic()
            reader, writer = await here.connect(A, B)
            with pytest.raises(ConnectionResetError):
                writer.write(b"anybody?")
                await reader.read()
            assert time.monotonic() - began_s < 1
            writer.close()

    finish(run())


def test_ends_of_connections_travel_behind_what_was_sent() -> None:
    async def run() -> None:
        async with lab(one_way_s=ONE_WAY_S) as here, here.echo(B):
            reader, writer = await here.connect(A, B)
            writer.write(b"last words")
            writer.write_eof()
            assert await reader.read() == b"last words"
            writer.close()

    finish(run())


def test_reset_ends_connections_whichever_side_opened_them() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(A), here.echo(B):
            connections = [await here.connect(A, B), await here.connect(B, A)]
            for connection in connections:
                await exchange(connection, b"up")
            assert await here.network.reset([(A, B)]) == {f"{A}->{B}": {"reset_connections": 2}}
            for reader, writer in connections:
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()

    finish(run())


def test_a_short_cut_heals_when_the_lost_packet_would_have_been_sent_again() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            reader, writer = connection = await here.connect(A, B)
            await exchange(connection, b"up")
            cutting = asyncio.create_task(here.network.cut([(A, B)], "packets"))
            await asyncio.sleep(0)
            lost_s = time.monotonic()
            writer.write(b"lost at first")
            facts = (await cutting)[f"{A}->{B}"]
            assert facts["held_bytes"] == len(b"lost at first")
            assert facts["passed_bytes"] == 0
            await asyncio.sleep(max(0.0, lost_s + 0.25 - time.monotonic()))  # how long the cable is out
            mended_s = time.monotonic()
            await here.network.mend([(A, B)])
            assert await reader.readexactly(13) == b"lost at first"
            # Sent again after 0.2 and 0.6 s: not when the cable was mended, but at the next of those.
            again_s = next_attempt_s(lost_s, RETRANSMIT_S, mended_s)
            assert again_s - 0.01 <= time.monotonic() < again_s + 0.5
            assert await quickest(connection) < 0.02

    finish(run())


def test_something_new_after_a_short_cut_brings_back_what_was_lost_before_it() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            reader, writer = connection = await here.connect(A, B)
            await exchange(connection, b"up")
            cutting = asyncio.create_task(here.network.cut([(A, B), (B, A)], "packets"))
            await asyncio.sleep(0)
            writer.write(b"lost, ")
            await asyncio.sleep(0.22)  # how long the cable is out; sent again after 0.2 and 0.6 s
            cutting.cancel()
            mended_s = time.monotonic()
            await here.network.mend([(A, B), (B, A)])
            writer.write(b"new")
            assert await reader.readexactly(9) == b"lost, new"
            assert time.monotonic() - mended_s < 0.3
            writer.close()

    finish(run())


def test_a_long_cut_resets_what_stalled_and_spares_what_was_idle() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            idle, busy = await here.connect(A, B), await here.connect(A, B)
            for connection in (idle, busy):
                await exchange(connection, b"up")
            busy[1].write(b"lost")
            await here.network.cut([(A, B), (B, A)], "packets")
            busy[1].write(b"lost too")
            with pytest.raises(ConnectionResetError):  # by its own kernel, while the cable is out
                while await busy[0].read(100):
                    pass
            await asyncio.sleep(KEEPALIVE_LIMIT_S)  # how much longer the cable is out
            await here.network.mend([(A, B), (B, A)])
            assert await quickest(idle) < 0.02
            for connection in (idle, busy):
                connection[1].close()

    finish(run())


def test_with_packets_cut_one_way_the_other_falls_silent_too() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            _, writer = connection = await here.connect(A, B)
            await exchange(connection, b"up")

            def facts(link: str) -> dict[str, int]:
                return dict(here.network.facts([(A, B)])[link])

            cutting = asyncio.create_task(here.network.cut([(B, A)], "packets"))
            await asyncio.sleep(0)
            writer.write(b"at first")
            await until(lambda: facts(f"{A}->{B}")["passed_bytes"] == len(b"at first"))
            await asyncio.sleep(0.15)  # acknowledgements are missed after 0.1 s
            writer.write(b"no more")
            await until(lambda: facts(f"{A}->{B}")["held_bytes"] == len(b"no more"))
            _, late = await here.connect(A, B)
            late.write(b"hello?")
            await until(lambda: facts(f"{B}->{A}")["held_connections"] == 1)  # a handshake needs both ways
            assert facts(f"{A}->{B}")["passed_bytes"] == len(b"at first")
            assert facts(f"{B}->{A}")["passed_bytes"] == 0
            cutting.cancel()
            late.close()
            writer.close()

    finish(run())


def test_a_cut_takes_nothing_from_the_sender_but_what_the_kernel_does() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            _, writer = connection = await here.connect(A, B)
            await exchange(connection, b"up")
            cutting = asyncio.create_task(here.network.cut([(A, B)], "packets"))
            await asyncio.sleep(0)
            writer.write(b"x" * 8_000_000)
            await cutting
            await asyncio.sleep(0.2)  # for all that would be taken
            held_bytes = here.network.facts([(A, B)])[f"{A}->{B}"]["held_bytes"]
            assert 0 < held_bytes <= 2 * SOCKET_BUFFER_BYTES  # Linux allows itself twice what was asked for
            assert writer.transport.get_write_buffer_size() > 1_000_000
            writer.transport.abort()

    finish(run())


def test_ends_are_kept_back_by_a_cut() -> None:
    async def run() -> None:
        gone = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(2))
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            gone.set()
            writer.close()

        async with lab() as here, await asyncio.start_server(serve, *here.grpc[B]):
            _, writer = connection = await here.connect(A, B)
            await exchange(connection, b"up")
            cutting = asyncio.create_task(here.network.cut([(A, B), (B, A)], "packets"))
            await asyncio.sleep(0.01)
            writer.transport.abort()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(gone.wait(), 0.3)
            cutting.cancel()
            await here.network.mend([(A, B), (B, A)])
            async with asyncio.timeout(1):
                await gone.wait()

    finish(run())


def test_connections_opened_during_a_cut_are_silent_and_cost_nothing_when_given_up() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            await here.network.cut([(A, B), (B, A)], "packets")
            given_up = [await here.connect(A, B) for _ in range(5)]
            patient = await here.connect(A, B)
            for reader, writer in (*given_up, patient):
                writer.write(b"hello")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.01)
            for _, writer in given_up:
                writer.close()
            network = here.network
            await until(lambda: len(network._between([(A, B)])) == 1)
            facts = network.facts([(A, B)])[f"{A}->{B}"]
            assert facts.pop("quiet_ms") >= 50, "since the cut"
            assert facts == {
                "held_bytes": 30,
                "passed_bytes": 0,
                "passed_messages": 0,
                "held_connections": 6,
            }
            await network.mend([(A, B), (B, A)])
            async with asyncio.timeout(3):  # the SYN is sent again after 1 s
                assert await patient[0].readexactly(5) == b"hello"
            patient[1].close()

    finish(run())


def test_a_node_that_dies_behind_a_cut_is_not_heard_dying() -> None:
    async def run() -> None:
        async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(3)
            writer.transport.abort()

        async with lab() as here, await asyncio.start_server(die, *here.grpc[B]):
            reader, writer = await here.connect(A, B)
            await until(lambda: len(here.network._between([(A, B)])) == 1)
            cutting = asyncio.create_task(here.network.cut([(B, A)], "packets"))
            await asyncio.sleep(0.01)
            writer.write(b"die")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.25)
            cutting.cancel()
            await here.network.mend([(B, A)])
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read(1) == b""
            writer.close()

    finish(run())


def test_messages_on_a_connection_that_opens_during_a_cut_are_kept_back_from_the_first() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            cutting = asyncio.create_task(here.network.cut([(A, B)], "messages"))
            await asyncio.sleep(0)
            own_talk = CLIENT_PREFACE + build(SETTINGS)
            request = build(HEADERS, b"method", flags=END_HEADERS, stream=1) + build(
                DATA, b"x" * 50, stream=1
            )
            with socket.create_connection(here.links[A, B]) as client:
                client.sendall(own_talk + request)  # all of it is there before it is accepted
                await cutting
                await until(
                    lambda: here.network.facts([(A, B)])[f"{A}->{B}"]["passed_bytes"] >= len(own_talk)
                )
                facts = here.network.facts([(A, B)])[f"{A}->{B}"]
            assert (facts["held_bytes"], facts["passed_bytes"]) == (len(request), len(own_talk))
            assert facts["passed_messages"] == 0

    finish(run())


def test_bytes_for_a_server_that_is_still_being_dialled_are_not_held_by_a_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            loop = asyncio.get_running_loop()
            dialled, may_connect = asyncio.Event(), asyncio.Event()
            connect = loop.sock_connect

            async def connect_late(server: socket.socket, address: tuple[str, int]) -> None:
                dialled.set()
                await may_connect.wait()
                await connect(server, address)

            cutting = asyncio.create_task(here.network.cut([(A, B)], "messages"))
            await asyncio.sleep(0)
            with socket.create_connection(here.links[A, B]) as client:
                client.sendall(CLIENT_PREFACE + build(SETTINGS))  # which such a cut lets through
                monkeypatch.setattr(loop, "sock_connect", connect_late)
                await dialled.wait()
                (connection,) = here.network._between([(A, B)])
                await until(lambda: connection._forward._queued_bytes > 0)
                assert here.network.facts([(A, B)])[f"{A}->{B}"]["held_bytes"] == 0
                connection.reset()  # as where nobody listens
                assert here.network.facts([(A, B)])[f"{A}->{B}"]["held_bytes"] == 0
            cutting.cancel()

    finish(run())


def test_a_cut_with_no_traffic_returns_after_two_seconds_and_says_so() -> None:
    async def run() -> None:
        async with lab() as here:
            began_s = time.monotonic()
            facts = await here.network.cut([(A, B)], "packets")
            assert 1.9 < time.monotonic() - began_s < 2.5
            assert all(link["held_bytes"] == 0 == link["held_connections"] for link in facts.values())

    finish(run())


def test_an_unknown_link_is_one_clear_line() -> None:
    async def run() -> None:
        async with lab() as here:
            with pytest.raises(
                ClusterError, match="no link cp-aws-1->nowhere; known sites: cp-aws-1, cp-gcp-1"
            ):
                await here.network.cut([(A, "nowhere")], "packets")

    finish(run())


@pytest.mark.parametrize(
    ("now_s", "next_s"), [(0, 0), (0.1, 0.2), (0.2, 0.2), (0.3, 0.6), (0.61, 1.4), (1.5, 3.0)]
)
def test_retransmissions_back_off_exponentially(now_s: float, next_s: float) -> None:
    assert next_attempt_s(0.0, 0.2, now_s) == pytest.approx(next_s)


def test_messages_that_were_kept_back_arrive_in_full() -> None:
    async def run() -> None:
        async with lab() as here, here.echo(B):
            reader, writer = connection = await here.connect(A, B)
            await exchange(connection, b"before")
            cutting = asyncio.create_task(here.network.cut([(A, B)], "messages"))
            await asyncio.sleep(0)  # it has begun
            said = bytes(range(256)) * 40
            writer.write(said)
            facts = await cutting
            assert facts[f"{A}->{B}"]["held_bytes"] > 0
            await here.network.mend([(A, B)])
            async with asyncio.timeout(5):
                assert await reader.readexactly(len(said)) == said
            writer.close()

    finish(run())


def test_what_was_on_its_way_when_the_cut_began_arrives_after_it() -> None:
    async def run() -> None:
        async with lab(one_way_s=0.1) as here, here.echo(B):
            reader, writer = connection = await here.connect(A, B)
            await exchange(connection, b"before")
            said = bytes(range(256)) * 40
            writer.write(said)
            await asyncio.sleep(0.03)  # read by the proxy, and not due yet
            links = [(A, B), (B, A)]
            await here.network.cut(links, "packets")
            await here.network.mend(links)
            async with asyncio.timeout(5):
                assert await reader.readexactly(len(said)) == said
            writer.close()

    finish(run())
