"""Loss, duplicate, reorder, corrupt and rate: alike but for what becomes of a packet."""

from __future__ import annotations

from typing import Any

import pytest

from nemesis import NEMESES
from nemesis.in_force import in_force
from nemesis.nemesis import Evidence, Link
from nemesis.targets import links_among, links_of
from tests.nemesis.fake import COUNTED, NODES, FakeCluster, step, wait

A, B, C = NODES
HARMS = {
    "loss": ("loss", 0.2),
    "duplicate": ("duplicate", 0.2),
    "reorder": ("reorder", 0.2),
    "corrupt": ("corrupt", 0.2),
    "rate": ("rate_bytes_s", 8000),
}
EVERY = pytest.mark.parametrize("name", HARMS)


def inject(cluster: FakeCluster, name: str, target: str = "leader", **more: Any) -> Evidence:
    how, amount = HARMS[name]
    return wait(NEMESES[name].inject(cluster, step(name, target, **{how: amount, **more})))


def heal(cluster: FakeCluster, name: str, target: str = "leader", **more: Any) -> Evidence:
    how, amount = HARMS[name]
    return wait(NEMESES[name].heal(cluster, step(name, target, **{how: amount, **more})))


@EVERY
@pytest.mark.parametrize(
    ("target", "pick", "links"),
    [
        ("leader", 0.0, links_of(A, NODES)),
        ("all", 0.0, links_among(NODES)),
        ("one-link", 0.0, ((A, B), (B, A))),
        ("one-link", 0.9, ((A, C), (C, A))),
    ],
)
def test_harms_these_links_both_ways_and_no_longer(
    name: str, target: str, pick: float, links: tuple[Link, ...]
) -> None:
    cluster, (how, amount) = FakeCluster(), HARMS[name]
    begun = inject(cluster, name, target, pick=pick)
    assert begun.took_effect, begun.summary
    ended = heal(cluster, name, target, pick=pick)
    assert ended.took_effect, ended.summary
    assert cluster.calls == [("shape", links, {how: amount}), ("unshape", links, (how,))]
    assert all(not shape for shape in cluster.shapes.values())
    assert in_force(cluster).injected == {}
    harmed = len(links) * (500 if name == "rate" else 100)
    assert f"{harmed} of {500 * len(links)} packets {COUNTED[how]} on {len(links)} links" in ended.summary
    assert ended.facts["links"][f"{links[0][0]}->{links[0][1]}"]["packets"] == 500


@EVERY
def test_no_proof_where_no_packet_was_harmed(name: str) -> None:
    cluster = FakeCluster()
    cluster.hits = 0.0
    assert not inject(cluster, name).took_effect
    ended = heal(cluster, name)
    assert not ended.took_effect
    assert f"of 2000 packets none was {COUNTED[HARMS[name][0]]}" in ended.summary


@EVERY
def test_the_heal_has_the_last_word(name: str) -> None:
    cluster = FakeCluster()
    cluster.packets = 0
    assert not inject(cluster, name).took_effect
    cluster.packets = 500
    assert heal(cluster, name).took_effect


@pytest.mark.parametrize(
    ("hits", "packets", "proven"),
    [(0.11, 500, True), (0.09, 500, False), (0.39, 500, True), (0.41, 500, False), (0.05, 20, True)],
    ids=["half", "too few", "twice", "too many", "hardly any packets"],
)
def test_of_many_packets_about_the_share_asked_for_was_harmed(
    hits: float, packets: int, proven: bool
) -> None:
    cluster = FakeCluster()
    cluster.hits, cluster.packets = hits, packets
    inject(cluster, "loss")
    ended = heal(cluster, "loss")
    assert ended.took_effect is proven, ended.summary
    assert proven or "not about 400" in ended.summary


def test_links_on_which_little_passes_do_not_speak_against_the_others() -> None:
    cluster = FakeCluster()
    cluster.mute = [(B, C), (C, B)]
    inject(cluster, "corrupt", "all")
    assert heal(cluster, "corrupt", "all").took_effect


def test_two_harms_on_the_same_links_end_each_by_itself() -> None:
    cluster = FakeCluster()
    inject(cluster, "loss")
    inject(cluster, "reorder", number=1)
    assert heal(cluster, "loss").took_effect
    assert cluster.shapes[A, B] == {"reorder": 0.2}
    assert heal(cluster, "reorder", number=1).took_effect


def test_a_heal_without_its_inject_does_nothing_and_one_after_a_failure_heals() -> None:
    class Breaks(FakeCluster):
        async def shape(self, *arguments: Any) -> dict[str, Any]:
            await super().shape(*arguments)
            raise OSError("the gateway is gone")

    cluster = Breaks()
    assert not heal(cluster, "loss").took_effect
    assert cluster.calls == []
    with pytest.raises(OSError, match="gateway"):
        inject(cluster, "loss")
    heal(cluster, "loss")
    assert cluster.shapes[A, B] == {}


def test_without_a_leader_the_evidence_says_whose_links_were_harmed_instead() -> None:
    cluster = FakeCluster()
    cluster.leads = None
    begun = inject(cluster, "loss", pick=0.5)
    assert begun.nodes == (B,)
    assert "no leader was known" in begun.summary
    in_force(cluster).silenced |= dict.fromkeys(NODES, "down")
    assert "selected nothing" in inject(cluster, "loss", "one-link", number=1).summary
