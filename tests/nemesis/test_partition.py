from __future__ import annotations

from typing import Any

import pytest

from nemesis import NEMESES
from nemesis.in_force import in_force
from nemesis.nemesis import Evidence, Link
from nemesis.schedule import draw
from nemesis.targets import links_among, links_of
from tests.nemesis.fake import NODES, WORKERS, FakeCluster, step, wait

PARTITION = NEMESES["partition"]
A, B, C = NODES


def inject(cluster: FakeCluster, target: str, number: int = 0, **options: Any) -> Evidence:
    asked = step("partition", target, number, **{"of": "leader", "cannot": "speak", **options})
    return wait(PARTITION.inject(cluster, asked))


def heal(cluster: FakeCluster, target: str, number: int = 0, **options: Any) -> Evidence:
    asked = step("partition", target, number, **{"of": "leader", "cannot": "speak", **options})
    return wait(PARTITION.heal(cluster, asked))


@pytest.mark.parametrize(
    ("target", "options", "links", "kind"),
    [
        ("isolate-leader", {}, links_of(A, NODES), "packets"),
        ("isolate-random", {"pick": 0.5}, links_of(B, NODES), "packets"),
        ("all-isolated", {}, links_among(NODES), "packets"),
        ("cut-one-link", {"pick": 0.9}, ((B, C), (C, B)), "packets"),
        ("one-way-packets", {"cannot": "speak"}, ((A, B), (A, C)), "packets"),
        ("one-way-packets", {"cannot": "hear"}, ((B, A), (C, A)), "packets"),
        ("one-way-messages", {"cannot": "speak"}, ((A, B), (A, C)), "messages"),
        ("one-way-messages", {"cannot": "hear"}, ((B, A), (C, A)), "messages"),
        ("one-way-messages", {"of": "one", "pick": 0.9, "cannot": "hear"}, ((A, C), (B, C)), "messages"),
    ],
)
def test_cuts_these_links_and_mends_exactly_them(
    target: str, options: dict[str, Any], links: tuple[Link, ...], kind: str
) -> None:
    cluster = FakeCluster()
    begun = inject(cluster, target, **options)
    assert begun.took_effect, begun.summary
    assert in_force(cluster).cut == list(links)
    cluster.leads = C  # whoever leads by now
    ended = heal(cluster, target, **options)
    assert ended.took_effect, ended.summary
    assert cluster.calls == [("cut", links, kind), ("mend", links)]
    assert in_force(cluster).cut == []
    assert in_force(cluster).injected == {}
    assert f"{500 * len(links)} bytes held back on {len(links)} links" in ended.summary
    assert ended.facts["kind"] == kind
    assert ended.facts["cut"] == [f"{src}->{dst}" for src, dst in links]


def test_clients_are_never_cut() -> None:
    cluster = FakeCluster()
    for number, target in enumerate(PARTITION.targets):
        inject(cluster, target, number)
        heal(cluster, target, number)
    ends = {end for call in cluster.calls for link in call[1] for end in link}
    assert ends == set(NODES)


@pytest.mark.parametrize("target", PARTITION.targets)
def test_no_proof_where_a_link_held_nothing_back(target: str) -> None:
    cluster = FakeCluster()
    cluster.mute = [(A, B)]
    begun, ended = inject(cluster, target), heal(cluster, target)
    assert not begun.took_effect
    assert not ended.took_effect
    assert "no byte was held back on" in ended.summary


def test_the_heal_has_the_last_word() -> None:
    """A quiet link may have held nothing back yet when the inject returned."""
    cluster = FakeCluster()
    cluster.mute = [(C, A)]
    assert not inject(cluster, "isolate-leader").took_effect
    cluster.mute = []
    assert heal(cluster, "isolate-leader").took_effect


@pytest.mark.parametrize("cut_ms", [800, 2400])
def test_one_way_messages_need_the_way_back_open(cut_ms: int) -> None:
    cluster = FakeCluster()
    cluster.cut_ms = cut_ms
    cluster.mute = [(B, A)]  # nothing arrives from there: this might as well be a two-way cut
    inject(cluster, "one-way-messages")
    cluster.leads = B
    ended = heal(cluster, "one-way-messages")
    assert not ended.took_effect
    assert f"no message passed on {B}->{A}" in ended.summary


@pytest.mark.parametrize("leads", [B, None])
@pytest.mark.parametrize("cannot", ["speak", "hear"])
def test_messages_the_other_way_must_go_on_arriving_to_the_end(cannot: str, leads: str | None) -> None:
    """A direction that dies soon after the cut is what one-way-packets does."""
    cluster = FakeCluster()
    cluster.dying = [way for way in links_of(A, NODES) if way[cannot == "speak"] == A]
    inject(cluster, "one-way-messages", cannot=cannot)
    cluster.leads = leads  # by now
    ended = heal(cluster, "one-way-messages", cannot=cannot)
    assert not ended.took_effect
    src, dst = (B, A) if cannot == "speak" else (A, B)
    assert f"no message passed on {src}->{dst} in the last 2400 ms" in ended.summary
    inject(cluster, "one-way-packets", cannot=cannot)
    assert heal(cluster, "one-way-packets", cannot=cannot).took_effect


@pytest.mark.parametrize(
    ("leads", "proven"), [(B, True), (C, False), (A, True), (None, True)], ids=["B", "C", "A", "nobody"]
)
@pytest.mark.parametrize("how", ["dying", "mute"])
def test_followers_may_fall_silent_for_each_other(how: str, leads: str | None, proven: bool) -> None:
    """Once B leads in the place of A, C has nothing to say to A. Before that somebody asks for votes."""
    cluster = FakeCluster()
    setattr(cluster, how, [(C, A)])
    inject(cluster, "one-way-messages")
    cluster.leads = leads
    ended = heal(cluster, "one-way-messages")
    assert ended.took_effect == proven, ended.summary


def test_a_paused_node_may_fall_silent_and_take_nothing_in() -> None:
    for paused in (A, B):
        cluster = FakeCluster()
        cluster.dying = [(B, A), *([(C, A)] if paused == A else [])]
        inject(cluster, "one-way-messages")
        in_force(cluster).silence([paused], "paused")
        in_force(cluster).hear([paused], "paused")
        cluster.leads = B
        ended = heal(cluster, "one-way-messages")
        assert ended.took_effect, ended.summary


def test_one_way_packets_do_not_need_the_way_back() -> None:
    """For want of acknowledgements the way back falls silent too."""
    cluster = FakeCluster()
    cluster.mute = [(B, A)]
    inject(cluster, "one-way-packets")
    assert heal(cluster, "one-way-packets").took_effect


def test_followers_may_have_no_messages_for_each_other() -> None:
    cluster = FakeCluster()
    cluster.mute = [(B, C), (C, B)]
    options: dict[str, Any] = {"of": "one", "pick": 0.5, "cannot": "speak"}
    inject(cluster, "one-way-messages", **options)
    assert heal(cluster, "one-way-messages", **options).took_effect
    # But with the leader they do, and packets pass between any two nodes.
    cluster.mute.append((B, A))
    inject(cluster, "one-way-messages", **options)
    assert not heal(cluster, "one-way-messages", **options).took_effect
    cluster.mute.remove((B, A))
    inject(cluster, "one-way-packets", **options)
    assert not heal(cluster, "one-way-packets", **options).took_effect


def test_of_links_that_may_be_quiet_alone_there_is_no_proof() -> None:
    cluster = FakeCluster()
    cluster.mute = links = list(links_among(NODES))
    in_force(cluster).silenced |= dict.fromkeys(NODES[:2], "paused")
    inject(cluster, "cut-one-link")
    ended = heal(cluster, "cut-one-link")
    assert links
    assert not ended.took_effect
    assert "no byte was held back on any link" in ended.summary


def test_selecting_nothing_is_no_fault() -> None:
    cluster = FakeCluster()
    in_force(cluster).silenced |= dict.fromkeys(NODES, "down")
    begun = inject(cluster, "isolate-random")
    assert not begun.took_effect
    assert "selected nothing" in begun.summary
    assert not heal(cluster, "isolate-random").took_effect
    assert cluster.calls == []


def test_heals_what_a_failed_inject_may_have_cut() -> None:
    class Breaks(FakeCluster):
        async def cut(self, links: object, kind: object) -> dict[str, object]:
            await super().cut(links, kind)  # type: ignore[arg-type]
            raise OSError("out of descriptors")

    cluster = Breaks()
    with pytest.raises(OSError, match="descriptors"):
        inject(cluster, "isolate-leader")
    heal(cluster, "isolate-leader")
    assert cluster.cuts == {}


def test_without_a_leader_the_evidence_says_who_was_cut_off_instead() -> None:
    cluster = FakeCluster()
    cluster.leads = None
    begun = inject(cluster, "isolate-leader", pick=0.5)
    assert begun.nodes == (B,)
    assert "no leader was known" in begun.summary


def test_from_three_on_one_isolates_the_leader_and_all_last_until_keepalives_show() -> None:
    for seed in range(100):
        schedule = draw(["partition"], seed, NODES, WORKERS, 12)
        injects = [s for s in schedule if s.action == "inject"]
        assert len(injects) < 3 or "isolate-leader" in [s.target for s in injects]
        for begin in injects:
            end = next(s for s in schedule if s.number == begin.number and s.action == "heal")
            assert end.at_s - begin.at_s >= 0.799
