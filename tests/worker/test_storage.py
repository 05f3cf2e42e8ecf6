"""storage/ against a real S3 server, and against one that misbehaves as ordered."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiohttp import web

from system.worker.storage import (
    NoSuchObject,
    ObjectStore,
    PreconditionFailed,
    StoreError,
    StoreUnavailable,
)
from tests.worker.conftest import BUCKET
from tests.worker.support import REPOSITORY, free_address, free_port

pytestmark = pytest.mark.usefixtures("aws_credentials")


@pytest.fixture
def key() -> str:
    return f"tests/{uuid4()}"


def test_what_was_put_is_got(s3_server: str, key: str) -> None:
    async def scenario() -> None:
        store = ObjectStore(s3_server)
        etag = await store.put(BUCKET, key, b"crosswind")
        got = await store.get(BUCKET, key)
        assert (got.data, got.etag) == (b"crosswind", etag)
        assert await store.put(BUCKET, key, b"headwind") != etag
        assert (await store.get(BUCKET, key)).data == b"headwind"

    asyncio.run(scenario())


def test_a_large_object_is_streamed(s3_server: str, key: str) -> None:
    async def scenario() -> None:
        store = ObjectStore(s3_server)
        data = bytes(range(256)) * 10_000
        await store.put(BUCKET, key, data)
        async with store.open(BUCKET, key) as stream:
            chunks = [chunk async for chunk in stream.chunks()]
        assert stream.size_bytes == len(data)
        assert len(chunks) >= 3
        assert b"".join(chunks) == data

    asyncio.run(scenario())


def test_a_put_if_absent_writes_once(s3_server: str, key: str) -> None:
    async def scenario() -> None:
        store = ObjectStore(s3_server)
        await store.put(BUCKET, key, b"first", if_absent=True)
        with pytest.raises(PreconditionFailed, match=key):
            await store.put(BUCKET, key, b"second", if_absent=True)
        assert (await store.get(BUCKET, key)).data == b"first"

    asyncio.run(scenario())


def test_a_put_if_match_replaces_only_what_it_names(s3_server: str, key: str) -> None:
    async def scenario() -> None:
        store = ObjectStore(s3_server)
        first = await store.put(BUCKET, key, b"first")
        second = await store.put(BUCKET, key, b"second", if_match=first)
        with pytest.raises(PreconditionFailed, match=key):
            await store.put(BUCKET, key, b"third", if_match=first)
        assert (await store.get(BUCKET, key)).etag == second

    asyncio.run(scenario())


def test_a_missing_object_or_bucket_is_named(s3_server: str, key: str) -> None:
    async def scenario() -> None:
        store = ObjectStore(s3_server)
        with pytest.raises(NoSuchObject, match=rf"cannot get s3://{BUCKET}/{key}: NoSuchKey"):
            await store.get(BUCKET, key)
        with pytest.raises(NoSuchObject, match="cannot get s3://no-such-bucket/"):
            await store.get("no-such-bucket", key)

    asyncio.run(scenario())


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _misbehaving(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[ObjectStore]:
    """A store that answers every request as told."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, host, port).start()
    try:
        yield ObjectStore(f"http://{host}:{port}")
    finally:
        await runner.cleanup()


def _failing(*statuses: int) -> Answer:
    """Answers with these, one request after the other."""
    left = list(statuses)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=left.pop(0))

    return answer


def test_a_store_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot get s3://b/k: Could not connect"):
        asyncio.run(ObjectStore(f"http://{free_address()}").get("b", "k"))


def test_a_broken_stream_is_unavailable() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"e"', "Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"half!")
        assert request.transport is not None
        request.transport.close()
        return response

    async def scenario() -> None:
        async with _misbehaving(half) as store:
            with pytest.raises(StoreUnavailable, match="cannot read s3://b/k"):
                await store.get("b", "k")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, StoreError),
        (404, StoreError),
        (409, StoreError),
        (412, PreconditionFailed),
        (500, StoreUnavailable),
        (503, StoreUnavailable),
    ],
)
def test_refusals_are_told_apart_and_never_asked_for_twice(status: int, expected: type[StoreError]) -> None:
    """A put that was given up may still arrive after its retry. 404: only a store says what is missing. 409:
    it is busy with another, which proves nothing of what was there."""

    async def scenario() -> None:
        async with _misbehaving(_failing(status)) as store:
            with pytest.raises(StoreError) as caught:
                await store.put("b", "k", b"", if_absent=True)
            assert caught.type is expected

    asyncio.run(scenario())


def test_a_body_that_is_not_what_was_put_reaches_whoever_judges_it() -> None:
    async def torn(_: web.Request) -> web.Response:
        return web.Response(body=b"half", headers={"ETag": '"e"', "x-amz-checksum-crc32": "AAAAAA=="})

    async def scenario() -> None:
        async with _misbehaving(torn) as store:
            got = await store.get("b", "k")
            assert (got.data, got.etag) == (b"half", '"e"')

    asyncio.run(scenario())


def test_warming_up_makes_the_client_and_tells_no_troubles(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        store = ObjectStore(f"http://{free_address()}")
        await store.warm_up()
        assert store._made is not None
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        await ObjectStore(f"http://{free_address()}").warm_up()
        with pytest.raises(StoreError, match="nobody"):
            await ObjectStore(f"http://{free_address()}").get("b", "k")

    asyncio.run(scenario())


def test_the_bucket_is_in_the_path_and_not_in_the_host_name() -> None:
    asked: list[tuple[str, str]] = []

    async def note(request: web.Request) -> web.Response:
        asked.append((request.host, request.path))
        return web.Response(status=404)

    async def scenario() -> None:
        async with _misbehaving(note, host="localhost") as store:
            with pytest.raises(StoreError):
                await store.get("bucket", "key")

    asyncio.run(scenario())
    [(host, path)] = asked
    assert host.startswith("localhost:")
    assert path == "/bucket/key"


def test_without_credentials_the_store_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StoreError, match="credentials"):
        asyncio.run(ObjectStore(f"http://{free_address()}").get("b", "k"))


def test_a_worker_starts_without_loading_boto3() -> None:
    code = "import sys, system.worker.main; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
