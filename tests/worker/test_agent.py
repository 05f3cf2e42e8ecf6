"""How a worker finds the leader, and finds it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from random import Random

import pytest

from system.pb.orchestrator_pb2 import NotLeader
from system.worker.agent import Agent, retry_delays_s
from system.worker.config import from_environment
from system.worker.registry import Registry
from tests.worker.support import ControlPlaneNode, control_plane, environment, free_address, until

WORKER = "worker-aws-1"


@asynccontextmanager
async def agent(orchestrator: str, *, heartbeat_interval_s: float = 0.1) -> AsyncIterator[Agent]:
    config = from_environment(environment(orchestrator, HEARTBEAT_INTERVAL_S=str(heartbeat_interval_s)))
    registry = Registry(config.orchestrator)
    started = Agent(config, registry, Random(7))
    running = asyncio.create_task(started.run())
    try:
        yield started
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await registry.close()


async def hears(node: ControlPlaneNode, *, heartbeats: int = 2) -> None:
    await until(lambda: node.hears_from(WORKER, heartbeats), f"{heartbeats} heartbeats at the leader")


def test_a_redirect_is_followed_by_id_in_the_workers_own_address_book() -> None:
    """The address in the redirect is how the leader's peers dial it, which need not work from here."""

    async def scenario() -> None:
        async with control_plane(3) as [follower, other, leader]:
            for node in (follower, other):
                node.redirect = NotLeader(leader_id="cp-azure-1", leader_address=free_address())
            book = f"cp-aws-1={follower.address},cp-gcp-1={other.address},cp-azure-1={leader.address}"
            async with agent(book):
                await hears(leader)
                assert follower.calls == [("RegisterWorker", WORKER)]
                assert other.calls == []

    asyncio.run(scenario())


def test_with_ids_a_leader_that_is_not_in_the_book_is_not_dialled() -> None:
    """Its address may lead past the network this worker is supposed to be on."""

    async def scenario() -> None:
        async with control_plane(2) as [follower, stranger]:
            follower.redirect = NotLeader(leader_id="cp-gcp-9", leader_address=stranger.address)
            async with agent(f"cp-aws-1={follower.address}"):
                await until(lambda: follower.count("RegisterWorker") >= 3, "three tries")
                assert stranger.calls == []

    asyncio.run(scenario())


def test_a_redirect_is_followed_by_address_where_the_worker_knows_no_ids() -> None:
    async def scenario() -> None:
        async with control_plane(2) as [follower, leader]:
            follower.redirect = NotLeader(leader_id="cp-gcp-1", leader_address=leader.address)
            async with agent(follower.address):
                await hears(leader)

    asyncio.run(scenario())


def test_nodes_that_are_down_or_know_no_leader_are_passed_by() -> None:
    async def scenario() -> None:
        async with control_plane(2) as [follower, leader]:
            follower.redirect = NotLeader()
            async with agent(f"{free_address()},{follower.address},{leader.address}"):
                await hears(leader)

    asyncio.run(scenario())


def test_followers_that_send_it_in_a_circle_are_asked_again_later() -> None:
    async def scenario() -> None:
        async with control_plane(2) as [first, second]:
            first.redirect = NotLeader(leader_id="b", leader_address=second.address)
            second.redirect = NotLeader(leader_id="a", leader_address=first.address)
            async with agent(f"a={first.address},b={second.address}"):
                await until(lambda: first.count("RegisterWorker") >= 2, "a second round")
                assert second.count("RegisterWorker") <= first.count("RegisterWorker")
                second.redirect = None
                await hears(second)

    asyncio.run(scenario())


@pytest.mark.parametrize("old_leader_says", ["redirect", "nothing", "connection refused"])
def test_a_new_leader_hears_of_the_worker_within_the_heartbeat_that_failed(old_leader_says: str) -> None:
    async def scenario() -> None:
        async with control_plane(2) as [old, new]:
            new.redirect = NotLeader(leader_id="cp-aws-1", leader_address=old.address)
            async with agent(
                f"cp-aws-1={old.address},cp-gcp-1={new.address}", heartbeat_interval_s=0.4
            ) as started:
                await until(lambda: started.registered, "registration")
                new.redirect = None
                before = len(old.calls)
                if old_leader_says == "redirect":
                    old.redirect = NotLeader(leader_id="cp-gcp-1", leader_address=new.address)
                elif old_leader_says == "nothing":
                    old.hangs = True
                else:
                    await old.stop()
                await hears(new, heartbeats=1)
                assert new.calls[:2] == [("RegisterWorker", WORKER), ("Heartbeat", WORKER)]
                assert len(old.calls) - before <= 1, "the old leader was asked again"

    asyncio.run(scenario())


def test_registers_again_with_a_leader_that_forgot_it() -> None:
    async def scenario() -> None:
        async with control_plane(1) as [leader], agent(leader.address):
            await hears(leader)
            leader.registered.clear()
            await hears(leader)
            assert leader.count("RegisterWorker") >= 2

    asyncio.run(scenario())


def test_heartbeats_as_often_as_the_leader_asks() -> None:
    async def scenario() -> None:
        async with (
            control_plane(1, heartbeat_interval_s=0.1) as [leader],
            agent(leader.address, heartbeat_interval_s=60),
        ):
            await hears(leader, heartbeats=3)

    asyncio.run(scenario())


def test_a_reason_is_logged_once_and_not_at_every_try(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with control_plane(1) as [follower]:
            follower.redirect = NotLeader()
            async with agent(follower.address):
                await until(lambda: follower.count("RegisterWorker") >= 4, "four tries")
                follower.redirect = None
                await hears(follower)

    with caplog.at_level("INFO", logger="system"):
        asyncio.run(scenario())
    messages = [record.getMessage() for record in caplog.records]
    assert sum(message.startswith("No leader takes") for message in messages) == 1
    assert messages.count("Worker ready") == 1


def test_retries_back_off_to_a_second_and_come_from_the_seed() -> None:
    def delays(stream: str) -> list[float]:
        return list(islice(retry_delays_s(Random(stream)), 20))

    drawn = delays("7/worker-aws-1")
    assert all(0.05 <= delay <= 1.0 for delay in drawn)
    assert drawn[0] <= 0.1
    assert min(drawn[5:]) >= 0.5
    assert drawn == delays("7/worker-aws-1")
    assert drawn != delays("7/worker-aws-2")
