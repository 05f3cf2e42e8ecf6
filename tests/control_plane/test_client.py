"""The client says "refused" only where nothing can have happened; against servers that play a script."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from system.client import Answer, Append, Client, CompareAndSet, Put, Read, Refused, Request, Unresolved
from system.pb import orchestrator_pb2 as pb
from system.pb import orchestrator_pb2_grpc
from system.rpc import NOT_LEADER_KEY
from tests.control_plane.nodes import free_ports

Context = grpc.aio.ServicerContext[Any, Any]
Reply = Callable[[Any, Context], Awaitable[Any]]
TIMEOUT_S = 0.4
REFUSALS = [
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
]
# Every other code that says a call went wrong, but for the redirect.
UNPROVEN = [
    code
    for code in grpc.StatusCode
    if code not in (grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION, *REFUSALS)
]


class Script(orchestrator_pb2_grpc.OrchestratorServiceServicer):
    """Plays one reply a call, the last one for ever; remembers what was asked."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.asked: list[Any] = []

    async def _play(self, request: Any, context: Context) -> Any:
        self.asked.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return await reply(request, context)

    Append = Put = CompareAndSet = Read = OpenSession = _play


def answer(response: Any) -> Reply:
    async def reply(_request: Any, _context: Context) -> Any:
        return response

    return reply


def fail(code: grpc.StatusCode, leader: str | None = None) -> Reply:
    async def reply(_request: Any, context: Context) -> Any:
        hint = pb.NotLeader(leader_id=leader or "", leader_address="192.0.2.1:1").SerializeToString()
        trailing = ((NOT_LEADER_KEY, hint),) if leader is not None else ()
        await context.abort(code, "as scripted", trailing_metadata=trailing)

    return reply


async def silence(_request: Any, _context: Context) -> Any:
    await asyncio.Event().wait()


NOT_LEADER = fail(grpc.StatusCode.FAILED_PRECONDITION, "")
DONE = answer(pb.AppendResponse(index=17))


@asynccontextmanager
async def serving(port: int = 0, **scripts: Script) -> AsyncIterator[dict[str, str]]:
    """Yields {node: address}. port: of the only node; 0: any."""
    async with AsyncExitStack() as stack:
        addresses = {}
        for node, script in scripts.items():
            server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
            orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server(script, server)  # type: ignore[no-untyped-call]
            addresses[node] = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
            await server.start()
            stack.push_async_callback(server.stop, None)
        yield addresses


async def submit(
    addresses: dict[str, str], request: Request, *, ask_twice: bool = False, **options: Any
) -> Answer:
    client = Client(addresses, cluster_id="c", client_id="k", **({"attempt_timeout_s": 5.0} | options))
    try:
        return await client.submit(request, ask_twice=ask_twice)
    finally:
        await client.close()


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(body, 20))


def test_requests_and_answers() -> None:
    async def body() -> None:
        script = Script(
            answer(pb.AppendResponse(index=5)),
            answer(pb.PutResponse(index=6)),
            answer(pb.CompareAndSetResponse(index=7, swapped=False)),
            answer(pb.CompareAndSetResponse(index=8, swapped=True)),
            answer(pb.ReadResponse(applied_index=9, items=["1", "2"])),
            answer(pb.ReadResponse(applied_index=9, value="")),
        )
        async with serving(a=script) as addresses:
            client = Client(addresses, cluster_id="c", client_id="k")
            assert await client.submit(Append("l", "1")) == Answer("a", 5)
            assert await client.submit(Put("r", "2")) == Answer("a", 6)
            assert await client.submit(CompareAndSet("r", None, "3")) == Answer("a", 7, swapped=False)
            assert await client.submit(CompareAndSet("r", "", "3")) == Answer("a", 8)
            assert await client.submit(Read("l")) == Answer("a", 9, items=("1", "2"))
            assert await client.submit(Read("r")) == Answer("a", 9, value="")
            await client.close()
        sequences = [asked.command.sequence for asked in script.asked[:4]]
        assert sequences == [1, 2, 3, 4]
        assert [asked.HasField("expected") for asked in script.asked[2:4]] == [False, True]
        assert {asked.cluster_id for asked in script.asked} == {"c"}

    run(body())


def test_following_goes_to_the_named_leader_by_its_own_address_book() -> None:
    async def body() -> None:
        a, b, c = Script(fail(grpc.StatusCode.FAILED_PRECONDITION, "c")), Script(DONE), Script(DONE)
        async with serving(a=a, b=b, c=c) as addresses:
            client = Client(addresses, cluster_id="c", client_id="k", attempt_timeout_s=5.0)
            assert await client.submit(Append("l", "1")) == Answer("c", 17)
            assert await client.submit(Append("l", "2")) == Answer("c", 17)  # and stays there
            await client.close()
        assert (len(a.asked), len(b.asked), len(c.asked)) == (1, 0, 2)

    run(body())


def test_following_tries_all_nodes_until_its_deadline() -> None:
    async def body() -> None:
        a, b = Script(NOT_LEADER), Script(NOT_LEADER)
        async with serving(a=a, b=b) as addresses:
            started = time.monotonic()
            with pytest.raises(Refused) as caught:
                await submit(addresses, Append("l", "1"), attempt_timeout_s=TIMEOUT_S)
        assert caught.value.node in ("a", "b")
        assert 3 * TIMEOUT_S <= time.monotonic() - started < 10 * TIMEOUT_S
        assert 1 < len(a.asked) < 100 and 1 < len(b.asked) < 100

    run(body())


def test_pinned_is_refused_at_once() -> None:
    async def body() -> None:
        a, b = Script(fail(grpc.StatusCode.FAILED_PRECONDITION, "b")), Script(DONE)
        async with serving(a=a, b=b) as addresses:
            with pytest.raises(Refused) as caught:
                await submit(addresses, Append("l", "1"), pinned="a")
        assert caught.value.node == "a"
        assert (len(a.asked), len(b.asked)) == (1, 0)

    run(body())


@pytest.mark.parametrize("code", REFUSALS)
def test_refusals(code: grpc.StatusCode) -> None:
    async def body() -> None:
        a, b = Script(fail(code)), Script(DONE)
        async with serving(a=a, b=b) as addresses:
            with pytest.raises(Refused, match=code.name):
                await submit(addresses, Append("l", "1"), retry=True)
        assert (len(a.asked), len(b.asked)) == (1, 0)

    run(body())


@pytest.mark.parametrize("code", UNPROVEN)
def test_what_proves_nothing_is_unresolved(code: grpc.StatusCode) -> None:
    async def body() -> None:
        a, b = Script(fail(code)), Script(DONE)
        async with serving(a=a, b=b) as addresses:
            for request in (Append("l", "1"), Read("l")):
                with pytest.raises(Unresolved) as caught:
                    await submit(addresses, request)
                assert caught.value.node == "a"
        assert (len(a.asked), len(b.asked)) == (2, 0)

    run(body())


def test_a_timeout_is_unresolved_and_in_time() -> None:
    async def body() -> None:
        async with serving(a=Script(silence)) as addresses:
            started = time.monotonic()
            with pytest.raises(Unresolved, match="timed out at a"):
                await submit(addresses, Append("l", "1"), attempt_timeout_s=TIMEOUT_S)
            assert time.monotonic() - started < 2 * TIMEOUT_S

    run(body())


def test_retry_sends_the_same_command_and_stays_unresolved() -> None:
    async def body() -> None:
        a, b = Script(silence), Script(DONE)
        async with serving(a=a, b=b) as addresses:
            with pytest.raises(Unresolved, match="timed out at a; answered on retry with index 17") as caught:
                await submit(addresses, Append("l", "1"), retry=True, attempt_timeout_s=1.0)
        assert caught.value.node == "b"
        assert a.asked == b.asked and len(a.asked) == 1

    run(body())


def test_retry_of_a_refused_command_stays_unresolved() -> None:
    async def body() -> None:
        a = Script(fail(grpc.StatusCode.ABORTED), fail(grpc.StatusCode.OUT_OF_RANGE))
        async with serving(a=a) as addresses:
            with pytest.raises(Unresolved, match=r"ABORTED.*refused on retry.*OUT_OF_RANGE"):
                await submit(addresses, Append("l", "1"), retry=True, pinned="a")
        assert len(a.asked) == 2

    run(body())


def test_retry_sends_three_times_at_most_and_never_a_read() -> None:
    async def body() -> None:
        a = Script(fail(grpc.StatusCode.UNAVAILABLE))
        async with serving(a=a) as addresses:
            with pytest.raises(Unresolved):
                await submit(addresses, Append("l", "1"), retry=True)
            assert len(a.asked) == 3
            with pytest.raises(Unresolved):
                await submit(addresses, Read("l"), retry=True)
            assert len(a.asked) == 4

    run(body())


def test_ask_twice_returns_the_second_answer() -> None:
    async def body() -> None:
        a = Script(answer(pb.AppendResponse(index=17)), answer(pb.AppendResponse(index=18)))
        async with serving(a=a) as addresses:
            assert await submit(addresses, Append("l", "1"), ask_twice=True) == Answer("a", 18)
        assert len(a.asked) == 2 and a.asked[0] == a.asked[1]

    run(body())


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OUT_OF_RANGE])
def test_ask_twice_is_unresolved_where_the_second_answer_fails(code: grpc.StatusCode) -> None:
    async def body() -> None:
        async with serving(a=Script(DONE, fail(code))) as addresses:
            with pytest.raises(Unresolved, match=code.name):
                await submit(addresses, Append("l", "1"), ask_twice=True)

    run(body())


def test_a_dead_node_was_sent_nothing() -> None:
    """So a pinned client is refused, in time, and a following one goes on."""

    async def body() -> None:
        dead = f"127.0.0.1:{free_ports(1)[0]}"
        async with serving(b=Script(DONE)) as addresses:
            with pytest.raises(Refused, match="nothing was sent"):
                await submit({"a": dead, **addresses}, Append("l", "1"), pinned="a")
            assert await submit({"a": dead, **addresses}, Append("l", "1")) == Answer("b", 17)

    run(body())


def test_a_dead_node_is_seen_to_be_dead_every_time_and_alive_as_soon_as_it_is() -> None:
    async def body() -> None:
        port = free_ports(1)[0]
        client = Client({"a": f"127.0.0.1:{port}"}, cluster_id="c", client_id="k", pinned="a")
        async with asyncio.timeout(15):
            for _ in range(3):
                with pytest.raises(Refused, match="a takes no connection"):
                    await client.submit(Append("l", "1"))
            async with serving(port, a=Script(DONE)):
                assert await client.submit(Append("l", "1")) == Answer("a", 17)
        await client.close()

    run(body())


def test_a_refusal_that_came_before_anybody_looked_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the process got no turn for a while between asking for a connection and waiting for it."""
    dial = grpc.aio.insecure_channel

    def dial_and_be_late(*how: Any, **options: Any) -> grpc.aio.Channel:
        channel = dial(*how, **options)
        get_state = channel.get_state

        def late(try_to_connect: bool = False) -> grpc.ChannelConnectivity:
            state = get_state(try_to_connect)
            time.sleep(0.1)
            return state

        channel.get_state = late  # type: ignore[method-assign]
        return channel

    async def body() -> None:
        dead = f"127.0.0.1:{free_ports(1)[0]}"
        async with asyncio.timeout(5):
            with pytest.raises(Refused, match="a takes no connection"):
                await submit({"a": dead}, Append("l", "1"), pinned="a", attempt_timeout_s=20.0)

    monkeypatch.setattr(grpc.aio, "insecure_channel", dial_and_be_late)
    run(body())


def test_a_silent_node_costs_one_attempt() -> None:
    async def body() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            started = time.monotonic()
            with pytest.raises(Refused, match="nothing was sent"):
                await submit({"a": address}, Append("l", "1"), pinned="a", attempt_timeout_s=TIMEOUT_S)
            assert time.monotonic() - started < 2 * TIMEOUT_S

    run(body())


def test_open_asks_until_a_leader_answers_even_if_pinned() -> None:
    async def body() -> None:
        a = Script(NOT_LEADER)
        b = Script(fail(grpc.StatusCode.UNAVAILABLE), NOT_LEADER, answer(pb.OpenSessionResponse(index=1)))
        async with serving(a=a, b=b) as addresses:
            client = Client(addresses, cluster_id="c", client_id="k", pinned="a")
            await client.open(deadline_s=10)
            with pytest.raises(Refused):
                await client.submit(Append("l", "1"))
            await client.close()
        assert {asked.client_id for asked in b.asked} == {"k"}

    run(body())


def test_open_gives_up_at_its_deadline() -> None:
    async def body() -> None:
        async with serving(a=Script(NOT_LEADER)) as addresses:
            client = Client(addresses, cluster_id="c", client_id="k")
            with pytest.raises(Unresolved, match=r"no session within 0.3 s; last: a: FAILED_PRECONDITION"):
                await client.open(deadline_s=0.3)
            await client.close()

    run(body())
