from __future__ import annotations

import pytest

from nemesis import NEMESES
from nemesis.in_force import in_force
from tests.nemesis.fake import NODES, FakeCluster, step, wait

PAUSE = NEMESES["pause"]
A, B, C = NODES


@pytest.mark.parametrize(
    ("target", "nodes"),
    [("leader", (A,)), ("follower", (C,)), ("one", (B,)), ("majority", (B, C)), ("all", (A, B, C))],
)
def test_stops_and_resumes(target: str, nodes: tuple[str, ...]) -> None:
    cluster = FakeCluster()
    asked = step("pause", target, pick=0.5)
    begun = wait(PAUSE.inject(cluster, asked))
    assert begun.took_effect
    assert begun.nodes == nodes
    assert in_force(cluster).silenced == dict.fromkeys(nodes, "paused")
    ended = wait(PAUSE.heal(cluster, asked))
    assert ended.took_effect
    assert ended.summary == f"paused: {', '.join(nodes)}; resumed"
    assert ended.facts["paused"][nodes[0]]["state"] == "T"
    assert ended.facts["resumed"][nodes[0]]["state"] == "S"
    assert cluster.calls == [("pause", nodes), ("resume", nodes)]
    assert in_force(cluster).silenced == {}


def test_no_proof_where_the_kernel_does_not_say_stopped() -> None:
    cluster = FakeCluster()
    cluster.unstoppable = [B]
    begun = wait(PAUSE.inject(cluster, step("pause", "all")))
    ended = wait(PAUSE.heal(cluster, step("pause", "all")))
    for evidence in (begun, ended):
        assert not evidence.took_effect
        assert f"{B} is in state S, not T" in evidence.summary


def test_a_frozen_container_stands_still_too() -> None:
    cluster = FakeCluster()
    cluster.stopped = "frozen"
    assert wait(PAUSE.inject(cluster, step("pause", "leader"))).took_effect
    cluster.unstoppable = [A]
    ended = wait(PAUSE.heal(cluster, step("pause", "leader")))
    assert not ended.took_effect
    assert f"{A} is in state frozen after resume" in ended.summary


def test_no_proof_where_it_stays_stopped() -> None:
    cluster = FakeCluster()
    wait(PAUSE.inject(cluster, step("pause", "leader")))
    cluster.unstoppable = [A]  # nor does SIGCONT reach it
    ended = wait(PAUSE.heal(cluster, step("pause", "leader")))
    assert not ended.took_effect
    assert f"{A} is in state T after resume" in ended.summary


def test_a_heal_without_its_inject_does_nothing() -> None:
    cluster = FakeCluster()
    assert not wait(PAUSE.heal(cluster, step("pause", "leader"))).took_effect
    assert cluster.calls == []


def test_two_clusters_do_not_mix() -> None:
    one, other = FakeCluster(), FakeCluster()
    wait(PAUSE.inject(one, step("pause", "leader")))
    assert not wait(PAUSE.heal(other, step("pause", "leader"))).took_effect
    assert wait(PAUSE.heal(one, step("pause", "leader"))).took_effect
