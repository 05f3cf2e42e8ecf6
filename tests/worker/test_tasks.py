"""Tasks by RPC."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import grpc
import pytest
from aiohttp import web

from system import rpc
from system.pb import worker_pb2, worker_pb2_grpc
from system.worker.service import TaskService
from system.worker.storage import ObjectStore
from system.worker.tasks import TASKS, Task
from tests.worker.conftest import BUCKET
from tests.worker.support import (
    CLUSTER_ID,
    control_plane,
    environment,
    free_address,
    free_port,
    until,
    worker,
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def run_task(
    address: str, task: str, *, cluster_id: str = CLUSTER_ID, **arguments: str
) -> dict[str, str]:
    async with grpc.aio.insecure_channel(address, options=rpc.CHANNEL_OPTIONS) as channel:
        stub = worker_pb2_grpc.TaskServiceStub(channel)  # type: ignore[no-untyped-call]
        request = worker_pb2.RunTaskRequest(cluster_id=cluster_id, task=task, arguments=arguments)
        response = await stub.RunTask(request, timeout=10, wait_for_ready=True)
        return dict(response.result)


@pytest.mark.usefixtures("aws_credentials")
def test_the_checksum_of_an_object(s3_server: str, aws_credentials: Mapping[str, str]) -> None:
    async def scenario() -> None:
        data = b"crosswind" * 300_000
        etag = await ObjectStore(s3_server).put(BUCKET, "sum/of/this", data)
        env = environment(free_address(), MINIO_ENDPOINT=s3_server, AWS_ENDPOINT_URL="http://wins-not:1")
        async with worker({**env, **aws_credentials}) as started:
            result = await run_task(started.address, "checksum", bucket=BUCKET, key="sum/of/this")
            assert result == {
                "sha256": hashlib.sha256(data).hexdigest(),
                "size_bytes": str(len(data)),
                "etag": etag,
            }
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await run_task(started.address, "checksum", bucket=BUCKET, key="no/such")
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert f"s3://{BUCKET}/no/such" in (caught.value.details() or "")

    asyncio.run(scenario())


def test_heartbeats_go_on_while_a_task_waits_for_its_object(aws_credentials: Mapping[str, str]) -> None:
    async def scenario() -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"ETag": '"e"', "Content-Length": "10"})
            await response.prepare(request)
            await response.write(b"half!")
            asked.set()
            await go_on.wait()
            await response.write(b"whole")
            return response

        async with (
            _store(slow) as endpoint,
            control_plane(1) as [leader],
            worker(environment(leader.address, AWS_ENDPOINT_URL=endpoint, **aws_credentials)) as started,
        ):
            running = asyncio.create_task(run_task(started.address, "checksum", bucket="b", key="k"))
            await asyncio.wait_for(asked.wait(), 10)
            before = leader.count("Heartbeat")
            await until(lambda: leader.count("Heartbeat") >= before + 5, "five heartbeats during the task")
            assert not running.done()
            go_on.set()
            assert (await running)["sha256"] == hashlib.sha256(b"half!whole").hexdigest()

    asyncio.run(scenario())


@asynccontextmanager
async def _store(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/b/k", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _served(tasks: Mapping[str, Task] = TASKS) -> AsyncIterator[str]:
    """The task service alone, with a store that is not there; its address."""
    server = grpc.aio.server(options=rpc.SERVER_OPTIONS)
    service = TaskService(CLUSTER_ID, ObjectStore(f"http://{free_address()}"), tasks)
    worker_pb2_grpc.add_TaskServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    address = free_address()
    server.add_insecure_port(address)
    await server.start()
    try:
        yield address
    finally:
        await server.stop(grace=None)


async def _refusal(
    address: str, task: str, cluster_id: str = CLUSTER_ID, **arguments: str
) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await run_task(address, task, cluster_id=cluster_id, **arguments)
    return caught.value.code().name, caught.value.details() or ""


def test_what_cannot_be_run_is_refused_and_says_what_can() -> None:
    async def scenario() -> None:
        async with _served() as address:
            assert await _refusal(address, "checksums", bucket="b", key="k") == (
                "INVALID_ARGUMENT",
                "no task 'checksums'; known: checksum, put-object, get-object",
            )
            assert await _refusal(address, "checksum", bucket="b", key="") == (
                "INVALID_ARGUMENT",
                "task checksum lacks key; it takes bucket, key",
            )
            assert await _refusal(address, "checksum", bucket="b", key="k", part="1") == (
                "INVALID_ARGUMENT",
                "task checksum knows no part; it takes bucket, key",
            )
            whole = {"bucket": "b", "key": "k", "number": "1", "size_bytes": "2"}
            assert await _refusal(address, "put-object", **whole, if_modified="x") == (
                "INVALID_ARGUMENT",
                f"task put-object knows no if_modified; it takes {', '.join(whole)}, if_match, if_none_match",
            )
            assert await _refusal(address, "checksum", cluster_id="other", bucket="b", key="k") == (
                "INVALID_ARGUMENT",
                f"this is cluster '{CLUSTER_ID}', the request is for 'other'",
            )

    asyncio.run(scenario())


@pytest.mark.usefixtures("aws_credentials")
def test_a_store_that_is_not_there_makes_the_task_unavailable() -> None:
    async def scenario() -> None:
        async with _served() as address:
            code, details = await _refusal(address, "checksum", bucket="b", key="k")
            assert code == "UNAVAILABLE"
            assert "cannot get s3://b/k" in details

    asyncio.run(scenario())


def test_a_task_that_crashes_takes_nothing_with_it(caplog: pytest.LogCaptureFixture) -> None:
    async def crash(store: ObjectStore, arguments: Mapping[str, str]) -> dict[str, str]:
        raise ZeroDivisionError("in the task")

    async def echo(store: ObjectStore, arguments: Mapping[str, str]) -> dict[str, str]:
        return dict(arguments)

    async def scenario() -> None:
        tasks = {"crash": Task("crash", (), crash), "echo": Task("echo", ("word",), echo)}
        async with _served(tasks) as address:
            assert (await _refusal(address, "crash"))[0] == "INTERNAL"
            assert await run_task(address, "echo", word="hello") == {"word": "hello"}

    asyncio.run(scenario())
    assert "ZeroDivisionError: in the task" in caplog.text
