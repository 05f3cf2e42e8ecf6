from __future__ import annotations

import pytest

from nemesis import NEMESES
from nemesis.evidence import not_gone, not_replaced, not_stopped, still_stopped
from nemesis.in_force import in_force
from nemesis.nemesis import Step
from nemesis.schedule import draw
from tests.nemesis.fake import NODES, WORKERS, FakeCluster, step, wait

KILL = NEMESES["kill"]
A, B, C = NODES


def kill(target: str, lose_unsynced: bool = True) -> Step:
    return step("kill", target, pick=0.5, lose_unsynced=lose_unsynced)


@pytest.mark.parametrize("lose", [True, False])
@pytest.mark.parametrize(
    ("target", "nodes"), [("leader", (A,)), ("one", (B,)), ("majority", (B, C)), ("all", (A, B, C))]
)
def test_kills_and_starts_again(target: str, nodes: tuple[str, ...], lose: bool) -> None:
    cluster = FakeCluster()
    begun = wait(KILL.inject(cluster, kill(target, lose)))
    assert begun.took_effect
    assert in_force(cluster).silenced == dict.fromkeys(nodes, "down")
    ended = wait(KILL.heal(cluster, kill(target, lose)))
    assert ended.took_effect, ended.summary
    assert ended.nodes == nodes
    assert cluster.calls == [("kill", nodes, lose), ("start", nodes)]
    assert ("unsynced bytes lost" in ended.summary) is lose
    assert ended.facts["started"][nodes[0]]["pid"] != ended.facts["killed"][nodes[0]]["pid"]
    assert in_force(cluster).silenced == {}


def test_no_proof_where_it_lives_on() -> None:
    cluster = FakeCluster()
    cluster.immortal = [A]
    begun = wait(KILL.inject(cluster, kill("leader")))
    ended = wait(KILL.heal(cluster, kill("leader")))
    assert not begun.took_effect
    assert f"{A} is still there" in begun.summary
    assert not ended.took_effect
    assert f"{A} is not back as a new process" in ended.summary


def test_no_proof_where_the_process_is_the_old_one() -> None:
    cluster = FakeCluster()
    wait(KILL.inject(cluster, kill("leader")))
    cluster.states[A] = "S"  # somebody else restarted nothing: the same process answers
    ended = wait(KILL.heal(cluster, kill("leader")))
    assert not ended.took_effect
    assert "not back as a new process (pid 100)" in ended.summary


def test_most_lose_what_was_unsynced_and_each_run_loses_all_once() -> None:
    lose = []
    for seed in range(100):
        injects = [s for s in draw(["kill"], seed, NODES, WORKERS, 12) if s.action == "inject"]
        assert {"leader", "all"} <= {s.target for s in injects}
        lose += [s.options["lose_unsynced"] for s in injects]
    assert 0.75 < sum(lose) / len(lose) < 0.95


def test_where_nothing_was_reported_nothing_is_proven() -> None:
    assert not_gone({}, ["a"]) == ["a is still there"]
    assert not_gone({"a": {"pid": 7}}, ["a"]) == ["a is still there"]
    assert not_stopped({}, ["a"]) == ["a is in state None, not T"]
    assert still_stopped({}, ["a"]) == ["a is in state None after resume"]
    assert not_replaced({}, {}, ["a"]) == ["a is not back as a new process (pid None)"]
