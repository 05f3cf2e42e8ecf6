"""The nemeses that only a simulated cluster can do: whom they fall on, what they leave, what they show."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from nemesis import NEMESES
from nemesis.in_force import in_force
from nemesis.nemesis import Evidence, Setting, Step
from nemesis.schedule import draw, from_json, to_json
from nemesis.swarm import NOISE
from system.clusters.clock import VirtualClock
from system.clusters.sim import SimCluster
from tests.nemesis.fake import NODES, WORKERS, FakeCluster, step

A, B, C = NODES
TRIGGER: dict[str, Any] = {"most": 1, "down_ms": 40, "lose_unsynced": True, "stir": "nobody", "stir_ms": 1}
DEPOSED: dict[str, Any] = {"while_ms": 10, "lose_unsynced": True}
DISK: dict[str, Any] = {"of": "leader", "times": 20}
SLOW_ACK: dict[str, Any] = {"before_ms": 20, "late_ms": 30}
CHURN: dict[str, Any] = {"after_ms": 50, "for_ms": 400}


def play(cluster: Any, asked: Step, for_s: float = 1.0, clock: VirtualClock | None = None) -> list[Evidence]:
    """[of the inject, of the heal]."""
    said: list[Evidence] = []

    async def both() -> None:
        said.append(await NEMESES[asked.nemesis].inject(cluster, asked))
        await asyncio.sleep(for_s)
        said.append(await NEMESES[asked.nemesis].heal(cluster, asked))

    (clock or VirtualClock()).run(both())
    return said


def is_whole(cluster: FakeCluster) -> bool:
    force = in_force(cluster)
    return not (
        *cluster.cuts,
        *cluster.holds,
        *cluster.armed,
        *cluster.flipped,
        *cluster.skewed,
        *force.cut,
        *force.silenced,
        *force.injected,
        *(node for node, state in cluster.states.items() if state != "S"),
    )


EACH = [
    step("churn", "leaders", **CHURN),
    *(step("trigger", kind, **TRIGGER) for kind in NEMESES["trigger"].targets),
    step("trigger", "vote", **TRIGGER | {"stir": "all", "stir_ms": 2000}),
    *(step("slow-ack", target, **SLOW_ACK) for target in ("isolated", "answers")),
    *(step("deposed", target, **DEPOSED) for target in ("old", "new")),
    *(step("disk", target, **DISK) for target in ("slow", "fail", "flip")),
    *(step("clock", target, share=-0.04) for target in ("leader", "follower", "one")),
]


@pytest.mark.parametrize("asked", EACH, ids=lambda asked: f"{asked.nemesis} {asked.target}")
def test_it_shows_proof_and_leaves_everything_whole(asked: Step) -> None:
    cluster = FakeCluster()
    _, healed = play(cluster, asked)
    assert healed.took_effect, healed.summary
    assert healed.nodes
    assert is_whole(cluster)


@pytest.mark.parametrize("asked", EACH, ids=lambda asked: f"{asked.nemesis} {asked.target}")
def test_a_heal_without_an_inject_changes_nothing(asked: Step) -> None:
    cluster = FakeCluster()
    VirtualClock().run(_heal(cluster, asked))
    assert cluster.calls == []


async def _heal(cluster: FakeCluster, asked: Step) -> None:
    assert not (await NEMESES[asked.nemesis].heal(cluster, asked)).took_effect


def links(*nodes: str) -> list[tuple[str, str]]:
    return [(a, b) for a in nodes for b in nodes if a != b]


@pytest.mark.parametrize(
    ("asked", "spoil", "said"),
    [
        (EACH[0], {"mute": links(*NODES)}, "no byte of any new leader was held back"),
        (EACH[0], {"elects": False, "term": 0}, "no byte of any new leader was held back"),
        (EACH[1], {"fires": []}, "nobody sent a vote-reply"),
        (
            EACH[1],
            {"fires": [{"node": A, "at_ns": 5, "was_pid": 100, "pid": 100}]},
            "cp-aws-1 is not back",
        ),
        (step("slow-ack", "isolated", **SLOW_ACK), {"mute": links(*NODES)}, "nothing was held back on"),
        (step("deposed", "old", **DEPOSED), {"elects": False}, "nobody led in the place of cp-aws-1"),
        (step("deposed", "old", **DEPOSED), {"mute": links(*NODES)}, "no byte was held back"),
        (step("deposed", "old", **DEPOSED), {"immortal": [A]}, "cp-aws-1 is still there"),
        (step("disk", "slow", **DISK), {"slow_syncs": 0}, "synced nothing meanwhile"),
        (step("disk", "fail", **DISK), {"immortal": [A]}, "cp-aws-1 is still there"),
        (step("disk", "flip", **DISK), {"frame": None}, "had nothing synced that could change"),
        (step("clock", "leader", share=0.05), {"gains": 0.5}, "it gained 50 ms, not 100"),
    ],
)
def test_without_proof_it_took_no_effect(asked: Step, spoil: dict[str, Any], said: str) -> None:
    cluster = FakeCluster()
    for name, value in spoil.items():
        setattr(cluster, name, value)
    _, healed = play(cluster, asked)
    assert not healed.took_effect
    assert said in healed.summary
    cluster.immortal = []
    assert not in_force(cluster).injected


def test_a_node_that_starts_from_a_flipped_log_is_no_proof() -> None:
    cluster = FakeCluster()
    refusing = cluster.start_nodes

    async def careless(nodes: Sequence[str]) -> Any:
        cluster.flipped, flipped = {}, cluster.flipped
        try:
            return await refusing(nodes)
        finally:
            cluster.flipped = flipped

    cluster.start_nodes = careless  # type: ignore[method-assign]
    _, healed = play(cluster, step("disk", "flip", **DISK))
    assert not healed.took_effect
    assert "started from a log that is not as written" in healed.summary


def test_churn_follows_one_leader_after_another() -> None:
    cluster = FakeCluster()
    _, healed = play(cluster, EACH[0], for_s=3.0)
    cut_off = healed.facts["cut_off"]
    assert [cut["term"] for cut in cut_off] == list(range(1, len(cut_off) + 1))
    assert len({cut["node"] for cut in cut_off}) > 1


def test_the_isolated_leader_s_answers_are_held_before_and_released_before_the_rest() -> None:
    cluster = FakeCluster()
    play(cluster, step("slow-ack", "isolated", **SLOW_ACK))
    done = [(call[0], call[2]) for call in cluster.calls if call[0] in ("hold", "release")]
    answers, others = ("append-reply",), ("append", "vote", "vote-reply")
    assert done == [("hold", answers), ("hold", others), ("release", answers), ("release", others)]


# On a simulated cluster itself.


def on_a_cluster(asked: Step, for_s: float = 1.5) -> tuple[SimCluster, list[Evidence]]:
    clock = VirtualClock()
    cluster = SimCluster(5, clock=clock, workers=False)
    clock.run(_until_led(cluster))
    return cluster, play(cluster, asked, for_s, clock)


async def _until_led(cluster: SimCluster) -> None:
    await cluster.start()
    assert await cluster.elected(0, 5.0)


# Without clients nothing is there to be synced, so that a disk can neither be slow nor fail.
ALONE = [asked for asked in EACH[5:] if asked.target not in ("slow", "fail")]


@pytest.mark.parametrize("asked", ALONE, ids=lambda asked: f"{asked.nemesis} {asked.target}")
def test_it_takes_effect_on_a_simulated_cluster(asked: Step) -> None:
    cluster, (_, healed) = on_a_cluster(asked)
    assert healed.took_effect, healed.summary
    assert cluster.exits == []


def test_a_disk_that_is_mended_is_as_good_as_new() -> None:
    """A sync that was to fail, too, where none came meanwhile."""
    cluster, _ = on_a_cluster(step("disk", "slow", **DISK))

    async def fail_and_mend() -> None:
        assert (await cluster.fail_sync(A))[A]["gone"] is False, "nobody has anything to write"
        await cluster.mend_disk(A)

    cluster.loop.run_until_complete(fail_and_mend())
    for node in cluster.nodes:
        disk = cluster.peer(node).disk
        assert (disk.slow, disk.fails) == (1.0, False), node


@pytest.mark.parametrize("target", NEMESES["clock"].targets)
def test_a_clock_that_is_mended_goes_at_its_usual_rate(target: str) -> None:
    cluster, _ = on_a_cluster(step("clock", target, share=0.05))
    before_ns = {node: cluster.peer(node).local_ns() for node in cluster.nodes}
    cluster.loop.run_until_complete(asyncio.sleep(1.0))
    for node, was_ns in before_ns.items():
        assert cluster.peer(node).local_ns() - was_ns == pytest.approx(1e9, abs=2), node


def test_a_trigger_strikes_the_sender_when_the_message_has_left_and_never_a_majority() -> None:
    asked = step("trigger", "append", **TRIGGER | {"most": 3, "down_ms": 250})
    cluster, (_, healed) = on_a_cluster(asked, 3.0)
    fired = healed.facts["fired"]
    assert len(fired) == 3
    times = [fact["at_ns"] for fact in fired]
    assert all(later - sooner >= 250e6 for sooner, later in pairwise(times))
    steps = cluster.steps or []
    for fact in fired:
        died = next(one for one in steps if one[2] == 9 and one[0] == fact["at_ns"])
        arrived = [one for one in steps if one[2] == 3 and died[0] < one[0] < died[0] + 40_000_000]
        assert arrived, "what it sent with its last breath was delivered"


def test_whom_a_trigger_struck_stays_down_while_another_fault_keeps_it_down() -> None:
    async def strike_and_kill() -> None:
        await _until_led(cluster)
        leader = await cluster.leader()
        assert leader is not None
        await cluster.arm(1, "append", most=1, down_ms=100, lose_unsynced=False)
        while cluster.peer(leader).listens:
            await asyncio.sleep(0.01)
        await cluster.kill([leader], lose_unsynced=False)
        await asyncio.sleep(1.0)
        assert not cluster.peer(leader).listens
        await cluster.start_nodes([leader])
        assert cluster.peer(leader).listens

    clock = VirtualClock()
    cluster = SimCluster(5, clock=clock, workers=False)
    clock.run(strike_and_kill())


def test_whose_clock_is_skewed_keeps_its_timer() -> None:
    """With nobody there whose messages would set it anew."""

    async def skew_the_last_one() -> None:
        await _until_led(cluster)
        await cluster.kill([A, B], lose_unsynced=False)
        await asyncio.sleep(3.0)  # all that was under way is over
        await cluster.skew(C, 0.05)
        since_ns = clock.now_ns()
        await asyncio.sleep(3.0)
        timer_of_c = (cluster.peer(C).number, 7)
        went_off_ns = [time_ns for time_ns, *what, _ in cluster.steps or () if tuple(what) == timer_of_c]
        assert went_off_ns[-1] > since_ns

    clock = VirtualClock()
    cluster = SimCluster(5, clock=clock, workers=False)
    clock.run(skew_the_last_one())


def test_a_clock_never_jumps_and_never_goes_back() -> None:
    clock = VirtualClock()
    cluster = SimCluster(5, clock=clock, workers=False)
    node = cluster.peer(A)
    seen = []

    async def watch() -> None:
        for share in (0.05, -0.05, 0.0, -0.5, 0.5):
            node.skew(share)
            for _ in range(20):
                seen.append((clock.now_ns(), node.local_ns(), share))
                await asyncio.sleep(0.01)

    clock.run(watch())
    for (then, was, share), (now, is_, _) in pairwise(seen):
        assert is_ - was == pytest.approx((now - then) * (1 + share), abs=2)


# Swarm.


def test_a_swarm_is_a_schedule_of_real_nemeses_and_reads_back() -> None:
    kinds, counts, noisy = set(), [], 0
    for seed in range(200):
        schedule = draw(["swarm"], seed, NODES, WORKERS, 12)
        assert from_json(to_json(schedule)) == schedule
        assert max(one.at_s for one in schedule) <= 11.5
        noise = [one for one in schedule if one.at_s == 0.1]
        noisy += bool(noise)
        assert {one.nemesis for one in noise} <= {one.name for one in NOISE}
        counts.append(len(schedule) // 2 - len(noise))
        kinds |= {one.nemesis for one in schedule}
        injects = [one.nemesis for one in schedule if one.action == "inject"]
        assert all(injects.count(one.nemesis) == 1 for one in noise), "a timeline of its own"
    assert 0.35 < noisy / 200 < 0.65
    assert min(counts) >= 1
    assert max(counts) <= 10
    assert 4 <= sum(counts) / 200 <= 8
    assert {"churn", "trigger", "slow-ack", "deposed", "disk", "clock", "kill", "stop"} <= kinds


def test_a_swarm_counts_from_where_it_is_told() -> None:
    steps = NEMESES["swarm"].plan(Random(3), Setting(NODES, 12), 40)
    numbers = sorted({one.number for one in steps})
    assert numbers == list(range(40, 40 + len(numbers)))
