"""Clients and an observer in a process of their own behave as they would here, whatever comes of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system import client, object_client
from system.client import Answer, Append, CompareAndSet, Put, Read, Refused, Unresolved
from system.clusters import observer
from system.clusters.carrier import pack, unpack
from system.clusters.errors import ClusterError
from system.clusters.local import LocalCluster
from system.clusters.pipe import LINE_BYTES, Pipe
from system.clusters.remote import RemoteClient, RemoteObserver
from system.clusters.supervision import last_lines
from system.object_client import GetObject, ObjectAnswer, PutObject, ReplaceObject

NODE = "cp-aws-1"
SITE = "client-aws"


class Running:
    """A cluster of one node, and a carrier."""

    def __init__(self, directory: Path) -> None:
        self.runner = asyncio.Runner()
        self.cluster = LocalCluster(
            7, nodes=1, workers=False, cross_cloud_ms=0.0, data_dir=directory / "cluster"
        )
        self.runner.run(self._start(directory / "carrier.log"))
        self._clients = 0

    async def _start(self, log: Path) -> None:
        await self.cluster.start()
        self.log = log
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "system.clusters.carrier"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES,
            )
        self.pipe = Pipe(process, "the carrier", last_words=lambda: last_lines(log))

    async def stop(self) -> None:
        await self.pipe.close(ended_within_s=10)
        await self.cluster.stop()

    def run(self, coroutine: Any) -> Any:
        async def within() -> Any:
            async with asyncio.timeout(30):
                return await coroutine

        return self.runner.run(within())

    def client(self, service: client.Service = "control-plane", **how: Any) -> RemoteClient:
        self._clients += 1
        how = {"cluster_id": self.cluster.cluster_id, "addresses": self.cluster.addresses(SITE), **how}
        return RemoteClient(self.pipe, service, f"c{self._clients}", how)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("carrier"))
    try:
        yield running
    finally:
        running.run(running.stop())
        running.runner.close()
    assert running.log.read_text() == "", "nothing went wrong unheard"


TRAVELLERS = (
    *(Append("k", "v"), Put("k", "v"), CompareAndSet("k", None, "v"), CompareAndSet("k", "u", "v")),
    *(Read("k"), Answer(NODE, 7, swapped=False, items=("a", "ü"), value=None), Answer(NODE, 7)),
    *(PutObject("k", 1, 2), ReplaceObject("k", None, 1, 2), ReplaceObject("k", "etag", 1, 2), GetObject("k")),
    *(ObjectAnswer("worker-aws-1", "etag", None), ObjectAnswer("worker-aws-1", None, "md5")),
)


@pytest.mark.parametrize("thing", TRAVELLERS, ids=repr)
def test_requests_and_answers_arrive_as_they_left(thing: Any) -> None:
    assert unpack(json.loads(json.dumps(pack(thing)))) == thing


def test_every_kind_of_request_and_answer_is_among_them() -> None:
    kinds = [*client.Request.__args__, Answer, *object_client.ObjectRequest.__args__, ObjectAnswer]
    assert {type(thing) for thing in TRAVELLERS} == set(kinds)


def test_a_session_is_opened_used_and_closed(running: Running) -> None:
    async def test() -> None:
        here = running.client(retry=True)
        await here.open(10.0)
        first = await here.submit(Append("list", "a"))
        second = await here.submit(Append("list", "b"), ask_twice=True)
        assert (first.node, second.index) == (NODE, first.index + 1)
        read = await here.submit(Read("list"))
        assert read.index >= second.index and read == Answer(NODE, read.index, items=("a", "b"), value=None)
        assert not (await here.submit(CompareAndSet("register", "no", "x"))).swapped
        await here.close()
        with pytest.raises(ClusterError, match=r"^no client c\d+ was opened here$"):
            await here.submit(Read("list"))

    running.run(test())


def test_clients_do_not_wait_for_each_other(running: Running) -> None:
    async def test() -> None:
        clients = [running.client() for _ in range(8)]
        await asyncio.gather(*(one.open(10.0) for one in clients))
        answers = await asyncio.gather(*(one.submit(Append("many", str(n))) for n, one in enumerate(clients)))
        assert len({answer.index for answer in answers}) == 8
        await asyncio.gather(*(one.close() for one in clients))

    running.run(test())


def test_a_refusal_arrives_as_one(running: Running) -> None:
    async def test() -> None:
        stranger = running.client(cluster_id="another")
        with pytest.raises(Refused) as refusal:
            await stranger.open(10.0)
        assert refusal.value.node == NODE and "cluster" in str(refusal.value)
        await stranger.close()
        nobody = running.client("workers", addresses={"worker-aws-1": "127.0.0.1:1"}, pinned="worker-aws-1")
        await nobody.open(1.0)
        with pytest.raises(Refused) as refusal:
            await nobody.submit(GetObject("k"))
        assert refusal.value.node == "worker-aws-1"
        await nobody.close()

    running.run(test())


def test_a_request_of_unknown_fate_arrives_as_one(running: Running) -> None:
    async def test() -> None:
        here = running.client()
        await here.open(10.0)
        await running.cluster.pause([NODE])
        try:
            with pytest.raises(Unresolved) as doubt:
                await here.submit(Append("list", "c"))
            assert doubt.value.node == NODE and str(doubt.value)
            late = running.client()
            with pytest.raises(Unresolved, match=r"^no session within 0\.5 s"):
                await late.open(0.5)
        finally:
            await running.cluster.resume([NODE])
        await here.close()
        await late.close()

    running.run(test())


def test_who_looks_on_sees_what_an_observer_here_would(running: Running) -> None:
    cluster = running.cluster

    async def test() -> None:
        looking = RemoteObserver(running.pipe)
        for ask in (looking.status(NODE), looking.get(NODE, "/health"), looking.serving(NODE, 1.0)):
            with pytest.raises(ClusterError, match="`observe` comes first"):
                await ask
        await running.pipe.ask(
            "observe",
            cluster_id=cluster.cluster_id,
            grpc_addresses={NODE: cluster.grpc_address(NODE), "absent": "127.0.0.1:1"},
            http_addresses={NODE: cluster.http_address(NODE), "absent": "127.0.0.1:1"},
        )
        assert await looking.serving(NODE, 5.0) and not await looking.serving("absent", 0.1)
        here, there = await cluster.status(NODE), await looking.status(NODE)
        assert there is not None and there == here and there["role"] == "leader"
        assert await looking.status("absent") is None
        answer = await looking.get(NODE, "/metrics")
        assert answer is not None and answer[0] == 200 and b"# HELP" in answer[1]
        missing = await looking.get(NODE, "/nothing")
        assert missing is not None and missing[0] == 404
        assert await looking.get("absent", "/metrics") is None
        assert observer.leader(await observer.statuses(looking.status, [NODE, "absent"])) == NODE

    running.run(test())
