"""Several nemeses at once, on the same nodes."""

from __future__ import annotations

from nemesis import NEMESES
from nemesis.in_force import in_force
from nemesis.nemesis import Evidence, Step
from nemesis.schedule import draw
from system.clusters.clock import VirtualClock
from tests.nemesis.fake import NODES, WORKERS, FakeCluster, step, wait

A, B, C = NODES
CUT = step("partition", "isolate-leader", 1, of="leader", cannot="speak")
PAUSE = step("pause", "leader", 2)
KILL = step("kill", "leader", 3, lose_unsynced=True)


def inject(cluster: FakeCluster, asked: Step) -> Evidence:
    return wait(NEMESES[asked.nemesis].inject(cluster, asked))


def heal(cluster: FakeCluster, asked: Step) -> Evidence:
    return wait(NEMESES[asked.nemesis].heal(cluster, asked))


def test_a_paused_node_that_is_killed_and_healed_in_either_order() -> None:
    for order in ((KILL, PAUSE), (PAUSE, KILL)):
        cluster = FakeCluster()
        paused = inject(cluster, step("pause", "one", 2))
        killed = inject(cluster, step("kill", "one", 3, lose_unsynced=True))
        assert paused.nodes == killed.nodes == (A,)
        ended = [heal(cluster, asked) for asked in order]
        assert all(evidence.took_effect for evidence in ended), [evidence.summary for evidence in ended]
        assert cluster.states[A] == "S"
        assert in_force(cluster).silenced == {}


def test_a_node_that_two_faults_killed_and_a_third_paused_runs_in_the_end() -> None:
    """The second start finds it running, and paused: that is not for a start to end."""
    cluster = FakeCluster()
    first, second = (step("kill", "one", number, lose_unsynced=True) for number in (3, 4))
    paused = step("pause", "one", 5)
    killed = inject(cluster, first)
    in_force(cluster).injected[second.number] = killed  # by another fault that had chosen it before
    heal(cluster, first)
    assert inject(cluster, paused).nodes == killed.nodes == (A,)
    heal(cluster, second)
    heal(cluster, paused)
    assert cluster.states[A] == "S"
    assert in_force(cluster).silenced == {}


def test_a_pause_spares_what_is_down() -> None:
    cluster = FakeCluster()
    inject(cluster, KILL)
    paused = inject(cluster, PAUSE)
    assert paused.took_effect
    assert paused.nodes == (B,)
    assert heal(cluster, KILL).took_effect
    assert heal(cluster, PAUSE).took_effect
    assert set(cluster.states.values()) == {"S"}


def test_a_paused_node_says_nothing_that_a_cut_could_hold_back() -> None:
    cluster = FakeCluster()
    inject(cluster, step("pause", "one", 2, pick=0.5))
    assert inject(cluster, CUT).took_effect
    assert heal(cluster, CUT).took_effect
    heal(cluster, step("pause", "one", 2))


def test_nor_does_one_that_is_paused_after_the_cut() -> None:
    cluster = FakeCluster()
    cluster.mute = [(B, A)]  # nothing yet
    assert not inject(cluster, CUT).took_effect
    inject(cluster, step("pause", "one", 2, pick=0.5))
    assert heal(cluster, CUT).took_effect


def test_nor_does_one_that_was_paused_for_a_part_of_the_cut() -> None:
    cluster = FakeCluster()
    cluster.mute = [(B, A)]
    inject(cluster, CUT)
    inject(cluster, step("pause", "one", 2, pick=0.5))
    heal(cluster, step("pause", "one", 2))
    assert heal(cluster, CUT).took_effect
    inject(cluster, CUT)
    assert not heal(cluster, CUT).took_effect, "the next cut has no such excuse"


def test_the_isolated_leader_is_not_paused_as_the_leader_where_it_leads_no_more() -> None:
    cluster = FakeCluster()
    inject(cluster, PAUSE)
    cluster.leads = C
    begun = inject(cluster, CUT)
    assert begun.nodes == (C,)
    assert begun.took_effect
    heal(cluster, PAUSE)
    assert heal(cluster, CUT).took_effect


def test_whatever_is_drawn_everything_is_whole_again_at_the_end() -> None:
    names = [name for name in NEMESES if name not in ("none", "swarm")]  # whose faults are the others'

    async def play(cluster: FakeCluster, schedule: tuple[Step, ...]) -> None:
        for one in schedule:
            nemesis = NEMESES[one.nemesis]
            await (nemesis.inject if one.action == "inject" else nemesis.heal)(cluster, one)
            if cluster.leads is None or cluster.states[cluster.leads] != "S":
                cluster.leads = next((node for node in NODES if cluster.states[node] == "S"), None)

    for seed in range(20):
        cluster = FakeCluster()
        VirtualClock().run(play(cluster, draw(names, seed, NODES, WORKERS, 30)))
        assert set(cluster.states.values()) == {"S"}
        assert not cluster.cuts
        assert not cluster.delays
        assert not cluster.holds
        assert not cluster.armed
        assert not cluster.flipped
        assert not cluster.skewed
        assert not any(cluster.shapes.values())
        assert in_force(cluster).silenced == {}
        assert in_force(cluster).injected == {}
        assert in_force(cluster).cut == []
