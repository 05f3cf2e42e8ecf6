from __future__ import annotations

import pytest

from nemesis import NEMESES
from nemesis.in_force import in_force
from nemesis.nemesis import Link, Step
from nemesis.targets import links_among, links_of
from tests.nemesis.fake import NODES, FakeCluster, step, wait

LATENCY = NEMESES["latency"]
A, B, C = NODES


def slow(target: str, pick: float = 0.0) -> Step:
    return step("latency", target, pick=pick, extra_ms=100, jitter_ms=10)


@pytest.mark.parametrize(
    ("target", "links"),
    [("leader", links_of(A, NODES)), ("all", links_among(NODES)), ("one-link", ((A, C), (C, A)))],
)
def test_slows_these_links_and_no_longer(target: str, links: tuple[Link, ...]) -> None:
    cluster = FakeCluster()
    begun = wait(LATENCY.inject(cluster, slow(target, 0.5)))
    assert begun.took_effect, begun.summary
    ended = wait(LATENCY.heal(cluster, slow(target, 0.5)))
    assert ended.took_effect, ended.summary
    assert cluster.calls == [("delay", links, 100, 10), ("undelay", links)]
    assert ended.facts["delayed"][f"{links[0][0]}->{links[0][1]}"]["rtt_ms"] == 250
    assert f"100 ± 10 ms more on {len(links)} links" in ended.summary


def test_no_proof_where_the_round_trip_did_not_grow_enough() -> None:
    cluster = FakeCluster()
    cluster.slack_ms = 50
    begun = wait(LATENCY.inject(cluster, slow("leader")))
    assert not begun.took_effect
    assert "grew by 100 ms only" in begun.summary
    assert not wait(LATENCY.heal(cluster, slow("leader"))).took_effect


def test_one_direction_alone_is_not_enough() -> None:
    class Half(FakeCluster):
        def _rtt_ms(self, link: Link) -> float | None:
            self.delays = {way: ms for way, ms in self.delays.items() if way[0] == A}
            return super()._rtt_ms(link)

    assert not wait(LATENCY.inject(Half(), slow("leader"))).took_effect


def test_no_proof_where_it_stays_slow() -> None:
    cluster = FakeCluster()
    wait(LATENCY.inject(cluster, slow("leader")))
    cluster.slack_ms = -1  # nothing is taken away any more
    ended = wait(LATENCY.heal(cluster, slow("leader")))
    assert not ended.took_effect
    assert "is still 200 ms longer" in ended.summary


def test_what_another_fault_silences_cannot_be_measured_but_the_rest_must() -> None:
    cluster = FakeCluster()
    cluster.states[B] = "T"
    assert not wait(LATENCY.inject(cluster, slow("leader"))).took_effect
    wait(LATENCY.heal(cluster, slow("leader")))
    in_force(cluster).silenced[B] = "paused"
    assert wait(LATENCY.inject(cluster, slow("leader"))).took_effect
    assert wait(LATENCY.heal(cluster, slow("leader"))).took_effect


def test_with_nothing_measured_there_is_no_proof() -> None:
    cluster = FakeCluster()
    cluster.cuts = {link: ["packets"] for link in links_among(NODES)}
    in_force(cluster).cut = list(cluster.cuts)
    begun = wait(LATENCY.inject(cluster, slow("all")))
    assert not begun.took_effect
    assert "no round trip could be measured" in begun.summary
