"""Stop and cloud: outages of a minority, long enough to ask for progress while they last."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.availability import BOUND_NS
from nemesis import NEMESES
from nemesis.in_force import in_force
from nemesis.nemesis import Evidence
from nemesis.schedule import draw
from tests.nemesis.fake import NODES, WORKERS, FakeCluster, step, wait

A, B, C = NODES
IN_AWS = (A, "worker-aws-1", "worker-aws-2", "minio")
IN_GCP = (B, "worker-gcp-1")


def inject(cluster: FakeCluster, name: str, target: str, **options: Any) -> Evidence:
    return wait(NEMESES[name].inject(cluster, step(name, target, lose_unsynced=True, **options)))


def heal(cluster: FakeCluster, name: str, target: str, **options: Any) -> Evidence:
    return wait(NEMESES[name].heal(cluster, step(name, target, lose_unsynced=True, **options)))


@pytest.mark.parametrize("name", ["stop", "cloud"])
@pytest.mark.parametrize("time_limit_s", [8, 12, 40])
def test_lasts_longer_than_the_bound_for_a_cluster_that_keeps_its_leader(
    name: str, time_limit_s: float
) -> None:
    for seed in range(50):
        schedule = draw([name], seed, NODES, WORKERS, time_limit_s)
        assert schedule, seed
        for first in schedule[::2]:
            last = next(s for s in schedule if s.number == first.number and s.action == "heal")
            assert BOUND_NS / 1e9 < last.at_s - first.at_s <= 8
            assert last.at_s < time_limit_s


@pytest.mark.parametrize(("target", "nodes"), [("leader", (A,)), ("one", (B,))])
def test_stops_and_starts_again(target: str, nodes: tuple[str, ...]) -> None:
    cluster = FakeCluster()
    assert inject(cluster, "stop", target, pick=0.5).took_effect
    assert in_force(cluster).silenced == dict.fromkeys(nodes, "down")
    ended = heal(cluster, "stop", target, pick=0.5)
    assert ended.took_effect, ended.summary
    assert cluster.calls == [("stop", nodes), ("start", nodes)]
    assert ended.facts["stopped"][nodes[0]]["gone"] is True
    assert in_force(cluster).silenced == {}


def test_what_had_to_be_killed_did_not_stop_in_order() -> None:
    cluster = FakeCluster()
    cluster.obeys = -9
    inject(cluster, "stop", "leader")
    ended = heal(cluster, "stop", "leader")
    assert not ended.took_effect
    assert f"{A} ended with code -9, not 0" in ended.summary


@pytest.mark.parametrize(("target", "names"), [("leader", IN_AWS), ("one", IN_GCP)])
def test_all_that_stands_in_a_cloud_is_killed_and_started(target: str, names: tuple[str, ...]) -> None:
    cluster = FakeCluster()
    begun = inject(cluster, "cloud", target, pick=0.5)
    assert begun.took_effect, begun.summary
    assert begun.nodes == names
    assert {name for name, state in cluster.states.items() if state == "X"} == set(names)
    ended = heal(cluster, "cloud", target, pick=0.5)
    assert ended.took_effect, ended.summary
    assert set(cluster.states.values()) == {"S"}
    # What others never synced is not known, so it is not lost either.
    assert cluster.calls == [("kill", names[:1], True), ("kill", names[1:], False), ("start", names)]
    assert "40 unsynced bytes lost" in ended.summary


def test_a_cloud_of_five_nodes_is_two_of_them() -> None:
    cluster = FakeCluster((*NODES, "cp-aws-2", "cp-gcp-2"))
    cluster.services = ()
    assert inject(cluster, "cloud", "leader").nodes == (A, "cp-aws-2", "worker-aws-1", "worker-aws-2")


def test_a_cloud_leaves_to_another_fault_what_that_holds_down() -> None:
    cluster = FakeCluster()
    inject(cluster, "minio", "kill", number=1)
    wait(NEMESES["pause"].inject(cluster, step("pause", "leader", 2)))
    cluster.leads = None
    begun = inject(cluster, "cloud", "one")
    assert begun.nodes == IN_AWS[:3], "what is paused is killed too"
    assert heal(cluster, "minio", "kill", number=1).took_effect
    assert heal(cluster, "cloud", "one").took_effect
    assert wait(NEMESES["pause"].heal(cluster, step("pause", "leader", 2))).took_effect
    assert set(cluster.states.values()) == {"S"}
    assert in_force(cluster).silenced == {}


def test_no_proof_where_a_part_of_the_cloud_lives_on() -> None:
    cluster = FakeCluster()
    cluster.immortal = ["worker-aws-2"]
    inject(cluster, "cloud", "leader")
    ended = heal(cluster, "cloud", "leader")
    assert not ended.took_effect
    assert "worker-aws-2 is still there" in ended.summary


@pytest.mark.parametrize("name", ["stop", "cloud"])
def test_a_heal_without_its_inject_does_nothing(name: str) -> None:
    cluster = FakeCluster()
    assert not heal(cluster, name, "leader").took_effect
    assert cluster.calls == []
