"""The gateway and the object store, paused or killed."""

from __future__ import annotations

import pytest

from nemesis import NEMESES
from nemesis.in_force import in_force
from nemesis.nemesis import Evidence, Step
from nemesis.targets import links_among
from tests.nemesis.fake import NODES, FakeCluster, step, wait

BOTH = pytest.mark.parametrize("name", ["gateway", "minio"])


def asked(name: str, target: str) -> Step:
    return step(name, target)


def inject(cluster: FakeCluster, name: str, target: str) -> Evidence:
    return wait(NEMESES[name].inject(cluster, asked(name, target)))


def heal(cluster: FakeCluster, name: str, target: str) -> Evidence:
    return wait(NEMESES[name].heal(cluster, asked(name, target)))


@BOTH
@pytest.mark.parametrize("stopped", ["T", "frozen"])
def test_pauses_and_resumes(name: str, stopped: str) -> None:
    cluster = FakeCluster()
    cluster.stopped = stopped
    begun, ended = inject(cluster, name, "pause"), heal(cluster, name, "pause")
    assert begun.took_effect and ended.took_effect, ended.summary
    assert begun.nodes == (name,)
    assert cluster.calls == [("pause", (name,)), ("resume", (name,))]
    assert begun.facts["paused"][name]["state"] == stopped


@BOTH
def test_kills_and_starts_again(name: str) -> None:
    cluster = FakeCluster()
    begun, ended = inject(cluster, name, "kill"), heal(cluster, name, "kill")
    assert begun.took_effect and ended.took_effect, ended.summary
    assert cluster.calls == [("kill", (name,), False), ("start", (name,))]


@pytest.mark.parametrize("target", ["pause", "kill"])
def test_without_the_gateway_no_cloud_hears_from_another(target: str) -> None:
    cluster = FakeCluster((*NODES, "cp-aws-2"))
    inject(cluster, "gateway", target)
    within = [("cp-aws-1", "cp-aws-2"), ("cp-aws-2", "cp-aws-1")]
    assert in_force(cluster).cut == [link for link in links_among(cluster.nodes) if link not in within]
    heal(cluster, "gateway", target)
    assert in_force(cluster).cut == []
    inject(cluster, "minio", target)
    assert in_force(cluster).cut == []


def test_a_link_that_the_gateway_and_a_partition_cut_stays_cut_until_both_have_ended() -> None:
    cluster, cut = FakeCluster(), step("partition", "all-isolated", 1, of="leader", cannot="speak")
    inject(cluster, "gateway", "pause")
    wait(NEMESES["partition"].inject(cluster, cut))
    wait(NEMESES["partition"].heal(cluster, cut))
    assert sorted(in_force(cluster).cut) == sorted(links_among(NODES))
    heal(cluster, "gateway", "pause")
    assert in_force(cluster).cut == []


@BOTH
@pytest.mark.parametrize("target", ["pause", "kill"])
def test_where_it_is_missing_or_down_already_nothing_was_harmed(name: str, target: str) -> None:
    cluster = FakeCluster()
    cluster.services = ()
    assert not inject(cluster, name, target).took_effect
    cluster = FakeCluster()
    in_force(cluster).silence([name], "down")
    assert not inject(cluster, name, target).took_effect
    assert not heal(cluster, name, target).took_effect
    assert cluster.calls == []
    assert in_force(cluster).cut == []


@BOTH
def test_no_proof_where_it_goes_on(name: str) -> None:
    cluster = FakeCluster()
    cluster.unstoppable = cluster.immortal = [name]
    for target in ("pause", "kill"):
        assert not inject(cluster, name, target).took_effect
        assert not heal(cluster, name, target).took_effect


def test_a_paused_store_that_is_killed_with_its_cloud_is_started_with_it() -> None:
    cluster, lost = FakeCluster(), step("cloud", "leader", 1, lose_unsynced=False)
    inject(cluster, "minio", "pause")
    assert "minio" in wait(NEMESES["cloud"].inject(cluster, lost)).nodes
    assert heal(cluster, "minio", "pause").took_effect
    assert cluster.states["minio"] == "X"
    assert wait(NEMESES["cloud"].heal(cluster, lost)).took_effect
    assert set(cluster.states.values()) == {"S"}
