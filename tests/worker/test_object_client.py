"""The client of objects: through workers to a real S3 server, and what it makes of every way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import md5
from typing import Any
from uuid import uuid4

import grpc
import pytest

from system import object_client, rpc
from system.client import Refused, Unresolved
from system.object_client import (
    GetObject,
    ObjectAnswer,
    ObjectClient,
    PutObject,
    ReplaceObject,
    expected_etag,
)
from system.object_content import content
from system.pb import worker_pb2_grpc
from system.worker.service import TaskService
from system.worker.storage import (
    NoSuchObject,
    ObjectStore,
    PreconditionFailed,
    StoreError,
    StoreUnavailable,
)
from system.worker.storage.s3 import Object
from tests.worker.conftest import BUCKET
from tests.worker.support import CLUSTER_ID, free_address


@pytest.fixture(autouse=True)
def own_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_client, "BUCKET", BUCKET)


@asynccontextmanager
async def _workers(**stores: Any) -> AsyncIterator[dict[str, str]]:
    """The task service of each worker with its store; {worker: address}."""
    servers, addresses = [], {}
    for worker, store in stores.items():
        server = grpc.aio.server(options=rpc.SERVER_OPTIONS)
        service = TaskService(CLUSTER_ID, store)
        worker_pb2_grpc.add_TaskServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
        addresses[worker] = free_address()
        server.add_insecure_port(addresses[worker])
        await server.start()
        servers.append(server)
    try:
        yield addresses
    finally:
        for server in servers:
            await server.stop(grace=None)


@asynccontextmanager
async def _client(addresses: Mapping[str, str], **how: Any) -> AsyncIterator[ObjectClient]:
    client = ObjectClient(addresses, cluster_id=CLUSTER_ID, client_id="p0", **how)
    await client.open(1.0)
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.usefixtures("aws_credentials")
def test_objects_of_a_real_store(s3_server: str) -> None:
    async def scenario() -> None:
        prefix, store = f"{uuid4()}/", ObjectStore(s3_server)
        first, second, third = PutObject("k", 1, 10), ReplaceObject("k", "", 2, 262_144), PutObject("j", 3, 1)
        etags = [expected_etag(request) for request in (first, second, third)]
        assert etags[0] == md5(content(1, 10)).hexdigest()
        async with (
            _workers(a=store, b=store) as addresses,
            _client(addresses, pinned="b", prefix=prefix) as client,
        ):
            assert await client.submit(GetObject("k")) == ObjectAnswer("b")
            assert await client.submit(ReplaceObject("k", etags[0], 9, 9)) == ObjectAnswer("b")
            assert await client.submit(first) == ObjectAnswer("b", etags[0])
            assert await client.submit(GetObject("k")) == ObjectAnswer("b", etags[0], etags[0])
            assert await client.submit(ReplaceObject("k", None, 9, 9)) == ObjectAnswer("b")
            assert await client.submit(ReplaceObject("k", etags[2], 9, 9)) == ObjectAnswer("b")
            assert await client.submit(ReplaceObject("k", etags[0], 2, 262_144)) == ObjectAnswer(
                "b", etags[1]
            )
            assert await client.submit(ReplaceObject("j", None, 3, 1)) == ObjectAnswer("b", etags[2])
            assert await client.submit(GetObject("k")) == ObjectAnswer("b", etags[1], etags[1])
            assert (await store.get(BUCKET, f"{prefix}k")).data == content(2, 262_144)

    asyncio.run(scenario())


class Scripted:
    """A store that answers every get and every put with the same, or raises it."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked = 0

    async def get(self, bucket: str, key: str) -> Object:
        return await self._fate()

    async def put(self, bucket: str, key: str, data: bytes, **how: Any) -> str:
        return (await self._fate()).etag

    async def _fate(self) -> Object:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        assert isinstance(self.answer, Object)
        return self.answer


def fate(store: Scripted, request: object_client.ObjectRequest) -> Any:
    """What becomes of a request to one worker with this store: the answer, or the exception."""

    async def scenario() -> Any:
        async with (
            _workers(a=store) as addresses,
            _client(addresses, pinned="a", attempt_timeout_s=0.5) as client,
        ):
            try:
                return await client.submit(request)
            except (Refused, Unresolved) as told:
                return told

    return asyncio.run(scenario())


def test_a_body_is_told_apart_from_its_etag() -> None:
    torn = Scripted(Object(b"half", '"whole"'))
    assert fate(torn, GetObject("k")) == ObjectAnswer("a", "whole", md5(b"half").hexdigest())


PUT, REPLACE, CREATE = PutObject("k", 1, 1), ReplaceObject("k", "e", 1, 1), ReplaceObject("k", None, 1, 1)


@pytest.mark.parametrize("request_", [PUT, REPLACE, CREATE, GetObject("k")])
@pytest.mark.parametrize("trouble", [StoreUnavailable("broke off"), None, ZeroDivisionError()])
def test_what_may_have_happened_is_unresolved(trouble: Exception | None, request_: Any) -> None:
    """The store broke off, does not answer in time, or the worker stumbled."""
    store = Scripted(trouble)
    told = fate(store, request_)
    assert isinstance(told, Unresolved), told
    assert told.node == "a"
    assert store.asked == 1


@pytest.mark.parametrize("request_", [PUT, REPLACE, CREATE])
def test_what_the_store_refused_did_not_happen(request_: Any) -> None:
    told = fate(Scripted(StoreError("access denied")), request_)
    assert isinstance(told, Refused)
    assert "access denied" in str(told)


@pytest.mark.parametrize("request_", [REPLACE, CREATE])
def test_a_condition_that_was_not_met_is_an_answer(request_: Any) -> None:
    assert fate(Scripted(PreconditionFailed("no")), request_) == ObjectAnswer("a")


def test_what_is_missing_is_an_answer_only_where_it_says_something() -> None:
    """An object that is to be replaced or read, but not the bucket that one is to be put into."""
    gone = Scripted(NoSuchObject("no such object or bucket"))
    assert fate(gone, GetObject("k")) == fate(gone, REPLACE) == ObjectAnswer("a")
    assert isinstance(fate(gone, PUT), Refused)
    assert isinstance(fate(gone, CREATE), Refused)


def test_a_worker_that_takes_no_connection_is_passed_over() -> None:
    async def scenario() -> None:
        fine = Scripted(Object(b"", '"e"'))
        async with _workers(b=fine) as addresses:
            both = {"a": free_address(), **addresses}
            async with _client(both) as client:
                assert [(await client.submit(PUT)).node for _ in range(3)] == ["b"] * 3
            async with _client(both, pinned="a") as client:
                with pytest.raises(Refused, match="a takes no connection"):
                    await client.submit(PUT)
        assert fine.asked == 3

    asyncio.run(scenario())


def test_every_request_goes_to_another_worker() -> None:
    async def scenario() -> None:
        fine = Scripted(Object(b"", '"e"'))
        async with _workers(a=fine, b=fine, c=fine) as addresses, _client(addresses) as client:
            nodes = [(await client.submit(PUT)).node for _ in range(6)]
            assert nodes[:3] == nodes[3:]
            assert sorted(nodes[:3]) == ["a", "b", "c"]

    asyncio.run(scenario())


def test_where_nobody_takes_a_connection_the_request_is_refused_in_time() -> None:
    async def scenario() -> None:
        nobody = {"a": free_address(), "b": free_address()}
        async with _client(nobody, attempt_timeout_s=0.2) as client, asyncio.timeout(5):
            with pytest.raises(Refused, match="nothing was sent"):
                await client.submit(PUT)

    asyncio.run(scenario())


def test_a_worker_that_is_not_there_cannot_be_pinned() -> None:
    with pytest.raises(ValueError, match="pinned to 'c', with addresses of: a"):
        ObjectClient({"a": free_address()}, cluster_id=CLUSTER_ID, client_id="p", pinned="c")
