"""A worker process: its start, its end, and every kind of restart."""

from __future__ import annotations

import asyncio
import signal
import socket

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from system import settings
from system.pb.orchestrator_pb2 import NotLeader
from tests.worker.support import control_plane, environment, free_address, until, worker


def test_registers_heartbeats_answers_health_and_ends_on_sigterm() -> None:
    async def scenario() -> None:
        async with control_plane(2) as [follower, leader]:
            follower.redirect = NotLeader(leader_id="cp-gcp-1", leader_address=free_address())
            book = f"cp-aws-1={follower.address},cp-gcp-1={leader.address}"
            async with worker(environment(book, ADVERTISE_ADDR="worker-aws-1:15051")) as started:
                await until(lambda: leader.hears_from("worker-aws-1", heartbeats=3), "three heartbeats")
                registered = leader.registered["worker-aws-1"]
                assert (registered.address, registered.cloud) == ("worker-aws-1:15051", "aws")
                assert leader.count("RegisterWorker") < leader.count("Heartbeat")
                assert follower.calls == [("RegisterWorker", "worker-aws-1")]
                ready = await started.logged("Worker ready")
                assert {"ts", "mono_ns", "level", "node"} <= ready.keys()
                async with aiohttp.ClientSession() as http:
                    answer = await http.get(f"http://{started.http_address}/health")
                    assert answer.status == 200
                    assert (await answer.json())["registered"] is True
                async with grpc.aio.insecure_channel(started.address) as channel:
                    health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
                    assert health.status == health_pb2.HealthCheckResponse.SERVING
                assert await started.stop(signal.SIGTERM) == 0
                assert started.errors == ""

    asyncio.run(scenario())


def test_healthy_and_quick_to_stop_without_a_control_plane() -> None:
    async def scenario() -> None:
        async with worker(environment(f"{free_address()},{free_address()}")) as started:
            await started.logged("No leader takes this worker's registration")
            async with aiohttp.ClientSession() as http:
                answer = await http.get(f"http://{started.http_address}/health")
                assert answer.status == 200
                assert (await answer.json())["registered"] is False
            assert await started.stop(signal.SIGTERM) == 0
            assert not any(line["msg"] == "Worker ready" for line in started.logs)

    asyncio.run(scenario())


def test_registers_again_after_the_leaders_restart() -> None:
    async def scenario() -> None:
        async with control_plane(1) as [leader], worker(environment(leader.address)) as started:
            await until(lambda: leader.hears_from("worker-aws-1", heartbeats=1), "a heartbeat")
            await leader.stop()
            await started.logged("No leader takes this worker's registration")
            before = leader.count("Heartbeat")
            await leader.start()
            await until(
                lambda: leader.hears_from("worker-aws-1", heartbeats=before + 2),
                "heartbeats after the restart",
            )
            assert leader.count("RegisterWorker") >= 2
            await started.stop(signal.SIGTERM)
            assert sum(line["msg"] == "Worker ready" for line in started.logs) == 1

    asyncio.run(scenario())


def test_registers_again_after_its_own_crash() -> None:
    async def scenario() -> None:
        async with control_plane(1) as [leader]:
            env = environment(leader.address)
            async with worker(env) as first:
                await until(lambda: leader.hears_from("worker-aws-1", heartbeats=1), "a heartbeat")
                assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
            before = leader.count("Heartbeat")
            async with worker(env):
                await until(
                    lambda: leader.hears_from("worker-aws-1", heartbeats=before + 2),
                    "heartbeats after the restart",
                )
                assert leader.count("RegisterWorker") >= 2

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["LISTEN_ADDR", "HTTP_ADDR"])
def test_a_taken_address_is_one_clear_line(name: str) -> None:
    async def scenario() -> None:
        taken = free_address()
        host, port = settings.split_address(taken)
        # As gRPC servers hold a port by default: a second one could join silently.
        with socket.create_server((host, port), reuse_port=True):
            async with worker(environment(free_address(), **{name: taken})) as started:
                assert await started.exit() == 2
                assert started.errors.count("\n") == 1
                assert f"{name}='{taken}': cannot listen there" in started.errors

    asyncio.run(scenario())


def test_a_bad_setting_is_one_clear_line() -> None:
    async def scenario() -> None:
        async with worker(environment("cp-aws-1")) as started:
            assert await started.exit() == 2
            assert started.logs == []
            assert started.errors.startswith(
                "system.worker: ORCHESTRATOR_ADDR='cp-aws-1': expected id=host:port"
            )
            assert started.errors.count("\n") == 1

    asyncio.run(scenario())
