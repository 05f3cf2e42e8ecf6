"""The real asyncio shell on virtual time: driver, services, registry and log around simulated replicas."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from checkers.inside import Watchdog
from harness import saved, simulation
from harness.plan import Plan
from harness.probe import Probe, probe
from harness.run import carry_out
from system.clusters.sim import SimCluster
from system.control_plane.driver import Driver
from system.control_plane.replica import Lost, NotLeader, Replica
from system.control_plane.service import Gate
from system.control_plane.wal import Wal, WalError
from system.mutants.mutant import Place, replaced
from system.pb.orchestrator_pb2 import AppendRequest, Command, ReadRequest, StatusRequest
from system.raft.log import EntryKind, LogEntry
from system.raft.records import Append, HardState
from system.rpc import NOT_LEADER_KEY
from system.simulation import knobs as knobs_
from system.simulation.knobs import SHELL_EVERY, Knobs
from system.simulation.loop import VirtualLoop
from system.simulation.shell import ShellNode
from system.simulation.stub import SimStub
from system.simulation.wal_disk import WalDisk

MS = 1_000_000
SEEDS = (2, 3, 9)
MUTANTS = {"ack-before-fsync": 3, "local-reads": 8, "empty-start": 8}


def run(seed: int, mutant: str | None = None) -> Probe:
    plan = Plan(
        ("append", "register")[seed % 2], ("swarm",), seed, "sim", rate=8.0, concurrency=5, mutant=mutant
    )
    tuned = simulation.tuning(plan)
    return probe(plan, tuning=replace(tuned, knobs=replace(tuned.knobs, shell=True), workers=True))


def test_a_correct_system_is_not_accused_and_goes_through_the_real_shell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: Counter[str] = Counter()
    for owner, method in ((Wal, "write_queued"), (Wal, "sync"), (Driver, "take_in"), (Driver, "submit")):
        _count(monkeypatch, calls, owner, method)
    _count(monkeypatch, calls, Gate, "redirect")
    monkeypatch.setattr(threading.Thread, "start", _no_thread)
    probes = [run(seed) for seed in SEEDS]
    assert [one.findings for one in probes] == [()] * len(SEEDS)
    assert sum(one.operations for one in probes) > 200
    assert len(calls) == 5 and min(calls.values()) > 20


def _count(monkeypatch: pytest.MonkeyPatch, calls: Counter[str], owner: type, method: str) -> None:
    original = getattr(owner, method)

    def counted(self: object, *args: Any, **named: Any) -> Any:
        calls[f"{owner.__name__}.{method}"] += 1
        return original(self, *args, **named)

    monkeypatch.setattr(owner, method, counted)


def _no_thread(self: threading.Thread) -> None:
    raise AssertionError("the simulator needs no thread")


def test_one_seed_is_one_run() -> None:
    assert run(3).trace_hash == run(3).trace_hash


@pytest.mark.parametrize("mutant", MUTANTS)
def test_planted_bugs_show(mutant: str) -> None:
    assert any(run(seed, mutant).findings for seed in range(1, MUTANTS[mutant] + 1))


# Bugs of the shell itself, which the synchronous nodes could never have.


async def _submit_and_deny(self: Driver, kind: EntryKind, command: bytes) -> Any:
    """Says of a command whose fate is open that it was not done."""
    outcome = await _submit(self, kind, command)
    return NotLeader(None) if isinstance(outcome, Lost) else outcome


_submit = Driver.submit


def _no_sync(self: Wal, length_bytes: int) -> None:
    """Nothing is synced, and everything said to be."""


def _durable_too_early(self: Driver, mark: int) -> None:
    """One sync acknowledges what the next will bring."""
    _on_durable(self, mark + 1)


_on_durable = Driver.on_durable_threadsafe


@pytest.mark.parametrize(
    ("place", "most"),
    [
        (Place("system.control_plane.wal:Wal", "sync", _no_sync), 8),
        (Place("system.control_plane.driver:Driver", "on_durable_threadsafe", _durable_too_early), 4),
        (Place("system.control_plane.driver:Driver", "submit", _submit_and_deny), 30),
    ],
    ids=["no-sync", "durable-too-early", "lost-is-nothing-done"],
)
def test_bugs_of_the_shell_show(place: Place, most: int) -> None:
    with replaced(place):
        assert any(run(seed).findings for seed in range(1, most + 1))


# Which clusters have it, and that a saved run says so.


def test_every_so_many_seeds_of_a_swarm_have_the_shell_and_workers() -> None:
    plans = [Plan("append", ("swarm",), seed, "sim") for seed in range(1, 2 * SHELL_EVERY + 1)]
    shells = [plan.seed for plan in plans if simulation.tuning(plan).knobs.shell]
    assert shells == [1, SHELL_EVERY + 1]
    assert len({seed % 2 for seed in shells}) == 2, "sweeps take turns at workloads"
    assert all(simulation.tuning(plan).workers for plan in plans if plan.seed in shells)


def test_a_recorded_run_is_carried_out_again_with_the_shell(tmp_path: Path) -> None:
    plan = Plan("register", ("swarm",), 1, "sim", time_limit_s=4.0, rate=10.0, concurrency=4)
    directory = carry_out(plan, tmp_path).directory
    first = saved.of_run(directory)
    assert first.tuning.knobs.shell
    assert (directory / "nodes" / "cp-aws-1" / "wal.jsonl").read_bytes().count(b"\n") > 3
    assert f"{probe(plan, tuning=first.tuning).trace_hash:016x}" == first.trace_hash


def test_a_knob_that_is_a_switch_is_true_or_false() -> None:
    assert knobs_.from_json({"shell": True}).shell
    with pytest.raises(knobs_.KnobError, match="knob shell is 1; expected a value such as False"):
        knobs_.from_json({"shell": 1})


# One cluster, step by step.


class Bench:
    """Three nodes with the shell and no clients, for the time of a `with`."""

    def __init__(self) -> None:
        self.cluster = SimCluster(5, knobs=Knobs(shell=True), watch=Watchdog, workers=False)

    async def leader(self) -> ShellNode:
        await self.cluster.start()
        await asyncio.sleep(3.0)
        name = await self.cluster.leader()
        assert name is not None
        return self.node(name)

    def node(self, name: str) -> ShellNode:
        node = self.cluster._nodes[name]
        assert isinstance(node, ShellNode)
        return node

    def follower(self, leader: ShellNode) -> ShellNode:
        return next(self.node(name) for name in self.cluster.nodes if name != leader.name)

    def stub(self, node: ShellNode) -> SimStub:
        return self.cluster._stub(self.cluster.client_sites[0], node.name)

    def steps(self, node: ShellNode) -> int:
        """Messages, requests, syncs and timers that it took in."""
        return sum(number == node.number for _, number, _, _ in self.cluster.steps or ())

    def kinds(self) -> list[str]:
        watching = self.cluster.watching
        assert isinstance(watching, Watchdog)
        return [violation.kind for violation in watching.violations]


def play(body: Callable[[Bench], Any]) -> Bench:
    bench = Bench()

    async def whole() -> None:
        try:
            await body(bench)
        finally:
            await bench.cluster.stop()

    bench.cluster.loop.run_until_complete(whole())
    return bench


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    assert isinstance(error, grpc.aio.AioRpcError)
    return error


def test_the_services_check_what_they_are_asked() -> None:
    async def body(bench: Bench) -> None:
        leader = await bench.leader()
        stub, here = bench.stub(leader), bench.cluster.cluster_id
        other = await failure(stub.Read(ReadRequest(cluster_id="another", key="k"), timeout=1.0))
        assert other.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "the request is for 'another'" in (other.details() or "")
        long = await failure(stub.Read(ReadRequest(cluster_id=here, key="k" * 2000), timeout=1.0))
        assert "key is 2000 bytes long" in (long.details() or "")
        nobody = AppendRequest(cluster_id=here, command=Command(client_id="x", sequence=1), key="k")
        assert (await failure(stub.Append(nobody, timeout=1.0))).code() is grpc.StatusCode.NOT_FOUND
        status = await stub.Status(StatusRequest(cluster_id=here), timeout=1.0)
        assert (status.node_id, status.role, status.boot) == (leader.name, "leader", 1)
        refused = await failure(
            bench.stub(bench.follower(leader)).Read(ReadRequest(cluster_id=here, key="k"), timeout=1.0)
        )
        assert refused.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert f"the leader is {leader.name}" in (refused.details() or "")
        assert leader.name.encode() in dict(refused.trailing_metadata())[NOT_LEADER_KEY]

    assert play(body).kinds() == []


def test_a_stopped_process_does_nothing_until_it_goes_on() -> None:
    async def body(bench: Bench) -> None:
        leader = await bench.leader()
        follower = bench.follower(leader)
        await bench.cluster.pause([follower.name])
        steps = bench.steps(follower)
        read = asyncio.ensure_future(
            bench.stub(follower).Read(ReadRequest(cluster_id=bench.cluster.cluster_id, key="k"), timeout=9.0)
        )
        await asyncio.sleep(5.0)
        assert bench.steps(follower) == steps and not read.done()
        await bench.cluster.resume([follower.name])
        assert (await failure(read)).code() is grpc.StatusCode.FAILED_PRECONDITION

    assert play(body).kinds() == []


def test_a_killed_process_answers_nobody_and_starts_from_its_log() -> None:
    async def body(bench: Bench) -> None:
        leader = await bench.leader()
        term = leader.status()
        read = asyncio.ensure_future(
            bench.stub(leader).Read(ReadRequest(cluster_id=bench.cluster.cluster_id, key="k"), timeout=9.0)
        )
        await asyncio.sleep(0.0135)  # it lingers
        await bench.cluster.kill([leader.name], lose_unsynced=True)
        assert (await failure(read)).code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.sleep(3.0)
        assert leader.status() is None and await bench.cluster.leader() is not None
        await bench.cluster.start_nodes([leader.name])
        after = leader.status()
        assert term is not None and after is not None and after["boot"] == 2
        assert after["term"] >= term["term"] and after["last_log_index"] >= 1

    assert play(body).kinds() == []


def test_an_exception_out_of_the_replica_ends_the_node() -> None:
    def broken(self: Replica, now_ns: int) -> None:
        raise RuntimeError("broken invariant")

    async def body(bench: Bench) -> None:
        leader = await bench.leader()
        assert leader.replica is not None
        leader.replica.flush = broken.__get__(leader.replica)  # type: ignore[method-assign]
        await asyncio.sleep(5.0)
        assert leader.status() is None and not leader.listens
        assert bench.cluster.exits[0]["why"] == "broken invariant"
        assert await bench.cluster.leader() not in (None, leader.name)

    assert play(body).kinds() == ["node-died"]


@pytest.mark.parametrize(("share", "after_ms"), [(-0.5, 2 * 800 + 200), (0.0, 1000), (1.0, 800 / 2 + 200)])
def test_timers_go_by_the_clock_of_their_node(share: float, after_ms: float) -> None:
    """One of 1 s, whose node's clock goes at another rate after 200 ms."""

    async def body(bench: Bench) -> None:
        node, loop = await bench.leader(), bench.cluster.loop
        assert node._process is not None
        began_ns, fired_ns = loop.now_ns, list[int]()
        node._process.call_later(1.0, lambda: fired_ns.append(loop.now_ns))
        await asyncio.sleep(0.2)
        await bench.cluster.skew(node.name, share)
        await asyncio.sleep(2.5)
        assert [(at_ns - began_ns) / MS for at_ns in fired_ns] == [pytest.approx(after_ms, abs=0.01)]

    assert play(body).kinds() == []


# The log.


def logged(number: int) -> Append:
    return Append(LogEntry(number, 1, EntryKind.COMMAND, b'{"op":"none"}'))


class Disk:
    def __init__(self, seed: int) -> None:
        self.loop = VirtualLoop()
        self.disk = WalDisk(self.loop, seed, "c", "n", Knobs(sync_ms=10.0))
        self.marks: list[int] = []

    def __enter__(self) -> Disk:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.disk.close()

    def start(self) -> int:
        """The last index of the log."""
        recovered, self.torn = self.disk.recover()
        self.disk.start(self.marks.append, lambda records: None, lambda: None)
        return recovered.log.last_index

    def wait(self, ms: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(ms / 1e3))


def test_a_group_commit_takes_its_time_and_what_comes_meanwhile_shares_the_next() -> None:
    with Disk(1) as of:
        of.disk.write([HardState(1, None), logged(1)], 2)
        of.disk.write([logged(2)], 3)
        of.disk.write([logged(3)], 4)
        assert of.marks == []
        of.wait(400)
        assert of.marks == [2, 4]
        assert of.disk.data().count(b"\n") == 1 + 2
        assert of.disk.promised_bytes() == len(of.disk.data())


def test_a_crash_leaves_of_what_was_not_synced_all_or_nothing_or_a_part() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(30):
        with Disk(seed) as of:
            of.disk.write([logged(1)], 1)
            of.wait(400)
            synced = of.disk.promised_bytes()
            of.disk.write([logged(2)], 2)
            whole = len(of.disk.data())
            lost_bytes = of.disk.crash(lose_unsynced=True)
            left = len(of.disk.data())
            assert synced <= left == whole - lost_bytes
            assert of.start() == (2 if left == whole else 1)
            assert bool(of.torn) == (synced < left < whole)
            outcomes["whole" if left == whole else "torn" if of.torn else "gone"] += 1
            assert of.marks == [1]
    assert outcomes["whole"] > 5 and outcomes["torn"] > 5


def test_a_killed_process_leaves_what_it_had_written() -> None:
    with Disk(1) as of:
        of.disk.write([logged(1)], 1)
        of.disk.write([logged(2)], 2)  # not yet handed to the file
        assert of.disk.crash(lose_unsynced=False) == 0
        assert of.start() == 1


def test_a_flipped_bit_is_noticed_and_can_be_mended() -> None:
    with Disk(1) as of:
        assert of.disk.flip(0.0) is None
        for number in (1, 2, 3):
            of.disk.write([logged(number)], number)
            of.wait(400)
        of.disk.crash(lose_unsynced=False)
        whole = of.disk.data()
        assert of.disk.flip(0.5) == 2
        with pytest.raises(WalError, match=r"^n/wal.jsonl, line 3") as caught:
            of.start()
        assert "crosswind-" not in str(caught.value)
        of.disk.mend(2)
        assert of.disk.data() == whole and of.start() == 3
