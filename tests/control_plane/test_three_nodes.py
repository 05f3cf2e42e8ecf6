"""Three real node processes: what clients, workers, Prometheus and strangers get from them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from system.client import Append, Client, CompareAndSet, Put, Read, Refused, Unresolved
from system.pb import (
    orchestrator_pb2,
    orchestrator_pb2_grpc,
    raft_pb2,
    raft_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)
from system.rpc import CHANNEL_OPTIONS, leader_hint
from tests.control_plane.nodes import CLUSTER, NAMES, Nodes, wait_for, wait_for_async
from tests.control_plane.test_events import check_against_document

_client_ids = count()
OFFLINE_AFTER_S = 1.5


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    # Twice the usual patience: here no leader may change because the machine is busy.
    env = {"WORKER_OFFLINE_AFTER_S": str(OFFLINE_AFTER_S), "RAFT_ELECTION_TIMEOUT_MS": "600-1200"}
    with Nodes(tmp_path_factory.mktemp("three"), 3, env=env) as nodes:
        nodes.leader()
        yield nodes


@asynccontextmanager
async def opened(nodes: Nodes, **options: Any) -> AsyncIterator[Client]:
    client = nodes.client(f"client-{next(_client_ids)}", **({"attempt_timeout_s": 5.0} | options))
    await client.open(15.0)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def stubs(nodes: Nodes, name: str) -> AsyncIterator[dict[str, Any]]:
    async with grpc.aio.insecure_channel(nodes.grpc[name], options=CHANNEL_OPTIONS) as channel:
        yield {
            "orchestrator": orchestrator_pb2_grpc.OrchestratorServiceStub(channel),  # type: ignore[no-untyped-call]
            "workers": worker_pb2_grpc.WorkerRegistryServiceStub(channel),  # type: ignore[no-untyped-call]
            "raft": raft_pb2_grpc.RaftServiceStub(channel),  # type: ignore[no-untyped-call]
            "health": health_pb2_grpc.HealthStub(channel),
        }


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


def follower(nodes: Nodes) -> str:
    return next(name for name in NAMES if name != nodes.leader())


def test_commands_and_reads(three: Nodes) -> None:
    async def body() -> None:
        async with opened(three) as client:
            first = await client.submit(Append("l1", "a"))
            second = await client.submit(Append("l1", "b"))
            assert first.node == second.node == three.leader()
            assert second.index > first.index
            read = await client.submit(Read("l1"))
            assert (read.items, read.value) == (("a", "b"), None)
            assert read.index >= second.index
            assert not (await client.submit(CompareAndSet("r1", "x", "y"))).swapped
            assert (await client.submit(CompareAndSet("r1", None, "1"))).swapped
            assert not (await client.submit(CompareAndSet("r1", None, "2"))).swapped
            await client.submit(Put("r1", ""))
            assert (await client.submit(CompareAndSet("r1", "", "3"))).swapped
            assert (await client.submit(Read("r1"))).value == "3"
            assert (await client.submit(Read("nothing"))).items == ()

    asyncio.run(body())


def test_a_repeated_command_applies_once_and_a_late_one_never(three: Nodes) -> None:
    async def body() -> None:
        async with opened(three) as client, stubs(three, three.leader()) as stub:
            once = await client.submit(Append("l2", "a"))
            twice = await client.submit(Append("l2", "b"), ask_twice=True)
            assert twice.index == once.index + 1
            late = orchestrator_pb2.AppendRequest(
                cluster_id=CLUSTER,
                key="l2",
                value="a",
                command=orchestrator_pb2.Command(client_id=client._client_id, sequence=1),
            )
            assert await code_of(stub["orchestrator"].Append(late, timeout=5)) is grpc.StatusCode.OUT_OF_RANGE
            assert (await client.submit(Read("l2"))).items == ("a", "b")

    asyncio.run(body())


def test_a_client_without_session_is_refused(three: Nodes) -> None:
    async def body() -> None:
        client = three.client("nobody", attempt_timeout_s=5.0)
        with pytest.raises(Refused, match="NOT_FOUND: no such session"):
            await client.submit(Append("l3", "a"))
        await client.close()

    asyncio.run(body())


def test_a_follower_names_the_leader_and_appends_nothing(three: Nodes) -> None:
    leader, other = three.leader(), follower(three)

    async def body() -> None:
        async with stubs(three, other) as stub:
            registration = worker_pb2.RegisterWorkerRequest(cluster_id=CLUSTER, worker_id="w")
            heartbeat = worker_pb2.HeartbeatRequest(cluster_id=CLUSTER, worker_id="w")
            for call in (
                stub["orchestrator"].Append(orchestrator_pb2.AppendRequest(cluster_id=CLUSTER), timeout=5),
                stub["orchestrator"].Read(orchestrator_pb2.ReadRequest(cluster_id=CLUSTER), timeout=5),
                stub["workers"].RegisterWorker(registration, timeout=5),
                stub["workers"].Heartbeat(heartbeat, timeout=5),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
                assert leader_hint(caught.value) == (leader, three.grpc[leader])
                assert f"the leader is {leader} at {three.grpc[leader]}" in (caught.value.details() or "")
        async with opened(three, pinned=other) as pinned:
            with pytest.raises(Refused) as refused:
                await pinned.submit(Append("l4", "a"))
            assert refused.value.node == other
        addresses = {name: three.grpc[name] for name in (other, leader)}
        client = Client(addresses, cluster_id=CLUSTER, client_id="redirected", attempt_timeout_s=5.0)
        await client.open(15.0)
        assert (await client.submit(Append("l4", "b"))).node == leader
        assert (await client.submit(Read("l4"))).items == ("b",)
        await client.close()

    asyncio.run(body())


def test_another_cluster_is_refused_everywhere(three: Nodes) -> None:
    requests = [
        ("orchestrator", "OpenSession", orchestrator_pb2.OpenSessionRequest(client_id="x")),
        ("orchestrator", "Append", orchestrator_pb2.AppendRequest(cluster_id="other")),
        ("orchestrator", "Put", orchestrator_pb2.PutRequest(cluster_id="other")),
        ("orchestrator", "CompareAndSet", orchestrator_pb2.CompareAndSetRequest(cluster_id="other")),
        ("orchestrator", "Read", orchestrator_pb2.ReadRequest(cluster_id="other")),
        ("orchestrator", "Status", orchestrator_pb2.StatusRequest(cluster_id="other")),
        ("workers", "RegisterWorker", worker_pb2.RegisterWorkerRequest(worker_id="x")),
        ("workers", "Heartbeat", worker_pb2.HeartbeatRequest(cluster_id="other")),
        ("raft", "RequestVote", raft_pb2.RequestVoteRequest(cluster_id="other", term=1)),
    ]

    async def body() -> None:
        async with stubs(three, three.leader()) as stub:
            for service, method, request in requests:
                call = getattr(stub[service], method)(request, timeout=5)
                assert await code_of(call) is grpc.StatusCode.INVALID_ARGUMENT, method
        client = Client(three.grpc, cluster_id="other", client_id="x", attempt_timeout_s=5.0)
        with pytest.raises(Refused, match="INVALID_ARGUMENT"):
            await client.open(15.0)
        await client.close()

    asyncio.run(body())


def test_sizes_are_bounded(three: Nodes) -> None:
    mib = 1024 * 1024

    async def body() -> None:
        async with opened(three, attempt_timeout_s=15.0) as client:
            for request in (Append("k" * 1025, ""), Append("l5", "é" * (mib // 2 + 1)), Read("k" * 1025)):
                with pytest.raises(Refused, match="INVALID_ARGUMENT"):
                    await client.submit(request)
            # The dearest value there is: JSON writes each of these bytes as six.
            await client.submit(Put("r5", "\x01" * mib))
            assert (await client.submit(Read("r5"))).value == "\x01" * mib

        async def all_have_it() -> bool:
            states = [await three.status(name) for name in NAMES]
            return len({state.applied_index for state in states if state}) == 1

        await wait_for_async(all_have_it, "the large value on every node")

    asyncio.run(body())


def test_hostile_raft_messages_change_nothing(three: Nodes) -> None:
    leader, other = three.leader(), follower(three)
    votes = [
        {"term": 2**64 - 1, "candidate_id": leader},
        {"term": 2**63, "candidate_id": leader},
        {"term": 99, "candidate_id": "mallory"},
        {"term": 99, "candidate_id": ""},
        {"term": 99, "candidate_id": other},
    ]
    appends = [
        {"term": 2**64 - 1, "leader_id": leader},
        {"term": 99, "leader_id": "mallory"},
        {"term": 99, "leader_id": leader, "prev_log_index": 2**64 - 1},
        {"term": 99, "leader_id": leader, "entries": [raft_pb2.LogEntry(index=5, kind=2)]},  # type: ignore[arg-type]
        {"term": 99, "leader_id": leader, "entries": [raft_pb2.LogEntry(index=1, kind=99)]},  # type: ignore[arg-type]
    ]

    async def body() -> None:
        before = await three.status(other)
        async with stubs(three, other) as stub:
            for fields in votes:
                vote = raft_pb2.RequestVoteRequest(cluster_id=CLUSTER, **fields)  # type: ignore[arg-type]
                assert (
                    await code_of(stub["raft"].RequestVote(vote, timeout=5))
                    is grpc.StatusCode.INVALID_ARGUMENT
                )
            for fields in appends:
                call = stub["raft"].AppendEntries(timeout=5)
                await call.write(raft_pb2.AppendEntriesRequest(cluster_id=CLUSTER, **fields))  # type: ignore[arg-type]
                assert await code_of(call.read()) is grpc.StatusCode.INVALID_ARGUMENT
        async with grpc.aio.insecure_channel(three.grpc[other]) as channel:
            for method in ("raft.v1.RaftService/RequestVote", "orchestrator.v1.OrchestratorService/Append"):
                send: Any = channel.unary_unary(f"/crosswind.{method}")
                garbage = send(b"\xff" * 100, timeout=5)
                assert await code_of(garbage) in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
        after = await three.status(other)
        assert before and after and (before.term, before.leader_id) == (after.term, after.leader_id)
        async with opened(three) as client:
            await client.submit(Append("l6", "still here"))

    asyncio.run(body())


def test_health(three: Nodes) -> None:
    leader = three.leader()
    for name in NAMES:
        status, text = three.get(name, "/health")
        health = json.loads(text)
        assert (status, health["status"], health["leader"]) == (200, "ok", leader)
        assert health["role"] == ("leader" if name == leader else "follower")

    async def body() -> None:
        for name in NAMES:
            async with stubs(three, name) as stub:
                for service in ("", "crosswind.orchestrator.v1.OrchestratorService"):
                    request = health_pb2.HealthCheckRequest(service=service)
                    answer = await stub["health"].Check(request, timeout=5)
                    assert answer.status == health_pb2.HealthCheckResponse.SERVING

    asyncio.run(body())


def metrics(nodes: Nodes, name: str) -> dict[str, float]:
    status, body = nodes.get(name, "/metrics")
    assert status == 200
    samples = re.findall(r"^([a-z][^#\s]*) (\S+)$", body, re.MULTILINE)
    return {sample: float(value) for sample, value in samples}


def test_metrics(three: Nodes) -> None:
    async def body() -> None:
        async with opened(three) as client:
            await client.submit(Append("l7", "a"))

    leader = three.leader()
    before = metrics(three, leader)
    asyncio.run(body())
    after = metrics(three, leader)
    for unit in ("ms", "seconds"):
        name = f"raft_replication_latency_{unit}_count"
        assert after[name] - before[name] == 2  # the session and the append
    total_s = after["raft_replication_latency_seconds_sum"]
    assert after["raft_replication_latency_ms_sum"] == pytest.approx(1000 * total_s)
    assert after["raft_commit_index"] >= before["raft_commit_index"] + 2
    assert after["raft_applied_index"] == after["raft_commit_index"]
    assert after["raft_term"] >= 1
    assert after["wal_sync_duration_seconds_count"] > before["wal_sync_duration_seconds_count"]
    assert after["raft_event_loop_lag_seconds_count"] > 0
    seen = {name: metrics(three, name) for name in NAMES}
    assert sum(node["raft_elections_total"] for node in seen.values()) >= 1
    won = seen[leader]["raft_election_duration_seconds_count"]
    assert 1 <= won <= seen[leader]["raft_elections_total"]
    assert seen[leader]["raft_leader_silence_seconds_count"] <= won
    for name, node in seen.items():
        roles = {role: node[f'raft_role{{role="{role}"}}'] for role in ("follower", "candidate", "leader")}
        assert sum(roles.values()) == 1
        assert roles["leader"] == (name == leader)


def workers_at(nodes: Nodes, name: str) -> dict[str, dict[str, Any]]:
    status, body = nodes.get(name, "/cluster-state")
    return {worker["id"]: worker for worker in json.loads(body)} if status == 200 else {}


def test_workers_come_and_go(three: Nodes) -> None:
    leader, other = three.leader(), follower(three)

    async def body() -> None:
        async with stubs(three, leader) as stub:
            heartbeat = worker_pb2.HeartbeatRequest(cluster_id=CLUSTER, worker_id="worker-aws-1")
            assert not (await stub["workers"].Heartbeat(heartbeat, timeout=5)).known
            assert "worker-aws-1" not in workers_at(three, leader)
            registered = await stub["workers"].RegisterWorker(
                worker_pb2.RegisterWorkerRequest(
                    cluster_id=CLUSTER, worker_id="worker-aws-1", address="127.0.0.9:1", cloud="aws"
                ),
                timeout=5,
            )
            assert registered.index > 0 and registered.heartbeat_interval_s == OFFLINE_AFTER_S / 3
            worker = workers_at(three, leader)["worker-aws-1"]
            assert list(worker) == ["id", "address", "cloud", "status", "last_seen"]
            assert (worker["address"], worker["cloud"], worker["status"]) == ("127.0.0.9:1", "aws", "online")

            def status() -> Any:
                return workers_at(three, leader)["worker-aws-1"]["status"]

            wait_for(lambda: status() == "offline", "offline without heartbeats")
            assert (await stub["workers"].Heartbeat(heartbeat, timeout=5)).known
            assert status() == "online"

    asyncio.run(body())
    code, answer = three.get(other, "/cluster-state")
    assert (code, json.loads(answer)) == (421, {"leader": leader, "address": three.grpc[leader]})


def test_kill_9_of_the_leader_loses_nothing_and_forgets_no_worker(three: Nodes) -> None:
    async def before() -> None:
        async with opened(three) as client:
            for element in range(20):
                await client.submit(Append("l9", str(element)))
        async with stubs(three, three.leader()) as stub:
            request = worker_pb2.RegisterWorkerRequest(cluster_id=CLUSTER, worker_id="worker-gcp-1")
            await stub["workers"].RegisterWorker(request, timeout=5)

    async def after(expected: list[str]) -> None:
        async with opened(three, retry=True) as client:
            assert list((await client.submit(Read("l9"))).items) == expected
            await client.submit(Append("l9", str(len(expected))))

    async def level() -> bool:
        states = [await three.status(name) for name in NAMES]
        return all(states) and len({state.applied_index for state in states if state}) == 1

    asyncio.run(before())
    old = three.leader()
    three.kill(old)
    new = three.leader()
    assert new != old
    # A worker that the new leader has not heard of counts as offline.
    assert (
        wait_for(lambda: workers_at(three, new), "the new leader's workers")["worker-gcp-1"]["status"]
        == "offline"
    )
    asyncio.run(after([str(i) for i in range(20)]))
    three.start(old)

    async def catch_up() -> None:
        await wait_for_async(level, f"{old} to catch up")
        again = await three.status(old)
        assert again and again.boot == 2

    asyncio.run(catch_up())
    asyncio.run(after([str(i) for i in range(21)]))


def test_event_logs_are_as_documented(three: Nodes) -> None:
    three.leader()
    for name in NAMES:
        files = sorted(three.data(name).glob("events-*.jsonl"))
        for boot, file in enumerate(files, start=1):
            lines = file.read_text().splitlines(keepends=True)
            events = [json.loads(line) for line in lines if line.endswith("\n")]
            check_against_document(events, name, boot)
            assert events[0]["cluster"] == CLUSTER and events[0]["pid"] > 0


def test_a_command_that_cannot_commit_is_never_called_done_or_refused(three: Nodes) -> None:
    leader = three.leader()
    others = [name for name in NAMES if name != leader]

    async def body() -> None:
        async with opened(three, pinned=leader) as client:
            for name in others:
                three.kill(name)
            with pytest.raises(Unresolved, match="ABORTED"):
                await client.submit(Append("l10", "a"))

    asyncio.run(body())
