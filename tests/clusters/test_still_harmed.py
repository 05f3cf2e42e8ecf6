"""What faults leave behind is seen by looking: whatever was not healed is told, and keeps a run from blaming
the system."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from checkers.verdict import Validity
from harness.plan import Plan
from harness.probe import probe
from harness.run import carry_out
from system.clusters.clock import VirtualClock
from system.clusters.sim import SimCluster
from system.simulation.network import Network

A, B = "cp-aws-1", "cp-gcp-1"
LINK = [(A, B)]
Verb = Callable[[SimCluster], Awaitable[Any]]

VERBS: dict[str, tuple[Verb, Verb, str]] = {
    "cut": (lambda c: c.cut(LINK, "messages"), lambda c: c.mend(LINK), f"{A}->{B} is still harmed: cut"),
    "delay": (
        lambda c: c.delay(LINK, 100, 0),
        lambda c: c.undelay(LINK),
        f"{A}->{B} is still harmed: slow",
    ),
    "shape": (
        lambda c: c.shape(LINK, {"loss": 0.1, "reorder": 0.1}),
        lambda c: c.unshape(LINK, ["loss", "reorder"]),
        f"{A}->{B} is still harmed: loss, reorder",
    ),
    "hold": (
        lambda c: c.hold(LINK, ["append"]),
        lambda c: c.release(LINK, ["append"]),
        f"{A}->{B} is still harmed: held",
    ),
    "pause": (lambda c: c.pause([A]), lambda c: c.resume([A]), f"{A} is stopped"),
    "slow_disk": (lambda c: c.slow_disk(A, 20), lambda c: c.mend_disk(A), f"{A} has a slow disk"),
    "skew": (lambda c: c.skew(A, 0.05), lambda c: c.unskew(A), f"{A} has a wrong clock"),
    "arm": (
        lambda c: c.arm(1, "vote", most=1, down_ms=40, lose_unsynced=False),
        lambda c: c.disarm(1),
        "a trigger waits for vote",
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_simulated_cluster_suffers(verb: str) -> None:
    harm, heal, said = VERBS[verb]
    clock = VirtualClock()
    cluster = SimCluster(5, clock=clock, workers=False)

    async def test() -> None:
        await cluster.start()
        assert await cluster.still_harmed() == []
        await harm(cluster)
        assert await cluster.still_harmed() == [said]
        await heal(cluster)
        assert await cluster.still_harmed() == []
        await cluster.stop()

    clock.run(test())


def test_what_a_simulated_disk_suffers() -> None:
    clock = VirtualClock()
    cluster = SimCluster(5, clock=clock, workers=False)

    async def test() -> None:
        await cluster.start()
        while await cluster.leader() is None:
            await asyncio.sleep(0.1)
        leader = str(await cluster.leader())
        await cluster.kill([leader], lose_unsynced=False)
        assert await cluster.still_harmed() == [], "who does not run may have ended by itself"
        frame = (await cluster.flip_bit(leader, 0.0))[leader]["frame"]
        assert await cluster.still_harmed() == [f"{leader} has a flipped bit in its log"]
        await cluster.restore_disk(leader, frame)
        assert await cluster.still_harmed() == []
        await cluster.stop()

    clock.run(test())


def no_heal(self: Network, *_: Any) -> None:
    """As a bug of ours would have it."""


@pytest.mark.parametrize("nemesis", ["loss", "duplicate"])
def test_who_was_never_let_alone_is_blamed_for_nothing(
    nemesis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the loss followers are slow in what passes for calm; the duplicates harm nobody."""
    monkeypatch.setattr(Network, "unshape", no_heal)
    result = carry_out(Plan("append", (nemesis,), 1, "sim"), tmp_path)
    assert result.validity is Validity.UNKNOWN
    said = {verdict.checker: verdict.summary for verdict in result.verdicts}
    assert f"is still harmed: {nemesis}, though every fault was healed" in said["coverage"]


def test_a_contradiction_is_one_though_nothing_heals(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still harmed excuses who is slow, and no stale read."""
    monkeypatch.setattr(Network, "unshape", no_heal)
    plan = Plan("append", ("partition", "duplicate"), 1, "sim", mutant="local-reads")
    assert probe(plan, inside=False).kinds == {"stale-read"}


def test_a_seed_in_which_nothing_heals_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "mend", no_heal)
    found = probe(Plan("append", ("partition",), 1, "sim"))
    assert not found.findings and "is still harmed: cut" in found.vacuous
