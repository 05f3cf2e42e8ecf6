from __future__ import annotations

import asyncio

import pytest

from nemesis import targets
from nemesis.in_force import in_force
from nemesis.targets import Chosen, choose_nodes, drawn, drawn_pair, links_among, links_of
from tests.nemesis.fake import NODES, FakeCluster, wait


def test_the_same_draw_picks_the_same_nodes() -> None:
    cluster = FakeCluster()
    assert wait(choose_nodes(cluster, "leader", 0.9)) == Chosen(("cp-aws-1",))
    assert [wait(choose_nodes(cluster, "one", pick)).nodes for pick in (0.0, 0.34, 0.999)] == [
        (n,) for n in NODES
    ]
    assert wait(choose_nodes(cluster, "majority", 0.0)).nodes == ("cp-aws-1", "cp-gcp-1")
    assert wait(choose_nodes(cluster, "majority", 0.7)).nodes == ("cp-aws-1", "cp-azure-1")
    assert wait(choose_nodes(cluster, "all", 0.7)).nodes == NODES


def test_every_node_and_pair_can_be_drawn() -> None:
    picks = [n / 1000 for n in range(1000)]
    assert {drawn(NODES, pick, 1) for pick in picks} == {(n,) for n in NODES}
    assert len({drawn_pair(NODES, pick) for pick in picks}) == 3
    assert drawn((), 0.5, 1) == ()


def test_without_a_leader_the_draw_chooses_and_says_so() -> None:
    cluster = FakeCluster()
    cluster.leads = None
    chosen = wait(choose_nodes(cluster, "leader", 0.34))
    assert chosen.nodes == ("cp-gcp-1",)
    assert "no leader was known within" in chosen.note


def test_waits_for_a_leader_to_be_elected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "LEADER_DEADLINE_S", 5.0)
    cluster = FakeCluster()
    cluster.leads = None

    async def elected_meanwhile() -> Chosen:
        choice = asyncio.create_task(choose_nodes(cluster, "leader", 0.0))
        await asyncio.sleep(0)
        assert not choice.done()
        cluster.leads = "cp-azure-1"
        return await choice

    assert wait(elected_meanwhile()) == Chosen(("cp-azure-1",))


def test_waits_for_nodes_to_be_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "FREE_DEADLINE_S", 5.0)
    cluster = FakeCluster()
    force = in_force(cluster)
    force.silence(NODES, "down")

    async def back_meanwhile() -> Chosen:
        choice = asyncio.create_task(choose_nodes(cluster, "one", 0.0))
        await asyncio.sleep(0)
        assert not choice.done()
        force.hear(["cp-gcp-1"], "down")
        return await choice

    assert wait(back_meanwhile()).nodes == ("cp-gcp-1",)


def test_spares_nodes_that_another_fault_has_silenced() -> None:
    cluster = FakeCluster()
    in_force(cluster).silenced |= {"cp-aws-1": "down", "cp-gcp-1": "paused"}
    assert wait(choose_nodes(cluster, "one", 0.0)).nodes == ("cp-azure-1",)
    assert wait(choose_nodes(cluster, "all", 0.0, avoid=("down",))).nodes == ("cp-gcp-1", "cp-azure-1")
    assert wait(choose_nodes(cluster, "leader", 0.0)).nodes == ("cp-azure-1",), (
        "a leader that is down leads nobody"
    )
    in_force(cluster).silenced["cp-azure-1"] = "down"
    assert wait(choose_nodes(cluster, "one", 0.0)).nodes == ()


def test_links() -> None:
    assert links_of("b", "abc") == (("b", "a"), ("a", "b"), ("b", "c"), ("c", "b"))
    assert len(links_among("abc")) == len(dict.fromkeys(links_among("abc"))) == 6
    assert all(src != dst for src, dst in links_among("abc"))
