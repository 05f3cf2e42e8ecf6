from __future__ import annotations

import pytest

from nemesis import NEMESES
from nemesis.nemesis import Step
from tests.nemesis.fake import WORKERS, FakeCluster, step, wait

NEMESIS = NEMESES["workers"]
SAID = {
    "stop": ("stopped", "started again"),
    "kill": ("killed", "started again"),
    "pause": ("paused", "resumed"),
}
VERBS = {"stop": ("stop", "start"), "kill": ("kill", "start"), "pause": ("pause", "resume")}


def harm(how: str, target: str = "two") -> Step:
    return step("workers", target, pick=0.25, how=how)


@pytest.mark.parametrize("how", VERBS)
@pytest.mark.parametrize(("target", "workers"), [("one", WORKERS[1:2]), ("two", WORKERS[1:3])])
def test_takes_workers_away_and_brings_them_back(how: str, target: str, workers: tuple[str, ...]) -> None:
    cluster = FakeCluster()
    begun = wait(NEMESIS.inject(cluster, harm(how, target)))
    assert begun.took_effect
    assert begun.nodes == workers
    ended = wait(NEMESIS.heal(cluster, harm(how, target)))
    assert ended.took_effect
    assert ended.summary == f"{SAID[how][0]}: {', '.join(workers)}; {SAID[how][1]}"
    assert [(verb, nodes) for verb, nodes, *_ in cluster.calls] == [(verb, workers) for verb in VERBS[how]]
    assert all(cluster.states[worker] == "S" for worker in workers)


def test_leaves_to_another_fault_what_that_holds_down() -> None:
    cluster, lost = FakeCluster(), step("cloud", "leader", 1, lose_unsynced=False)
    wait(NEMESES["cloud"].inject(cluster, lost))
    assert wait(NEMESIS.inject(cluster, harm("kill"))).nodes == WORKERS[2:]
    assert wait(NEMESES["cloud"].heal(cluster, lost)).took_effect
    assert wait(NEMESIS.heal(cluster, harm("kill"))).took_effect
    assert set(cluster.states.values()) == {"S"}


@pytest.mark.parametrize("how", VERBS)
def test_no_proof_where_they_go_on(how: str) -> None:
    cluster = FakeCluster()
    cluster.immortal = cluster.unstoppable = list(WORKERS)
    assert not wait(NEMESIS.inject(cluster, harm(how))).took_effect
    assert not wait(NEMESIS.heal(cluster, harm(how))).took_effect
