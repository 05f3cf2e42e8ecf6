"""Raft's safety and liveness under random faults, for one, three and five voters."""

from __future__ import annotations

import pytest

from tests.raft.judge import Judge
from tests.raft.storm import Storm


@pytest.mark.parametrize(("voters", "seeds"), [(1, range(15)), (3, range(90)), (5, range(25))])
def test_safe_and_alive(voters: int, seeds: range) -> None:
    leaders = answers = duplicates = truncations = 0
    for seed in seeds:
        judge = run(seed, voters)
        leaders += len(judge.leaders)
        answers += sum(op.completed_ns is not None for op in judge.ops)
        events = [event for actor in judge.actors.values() for boot in actor.boots for event in boot.lines]
        duplicates += sum(fields.get("outcome") == "duplicate" for _, fields in events)
        truncations += sum(event == "truncate" for event, _ in events)
    # The storms were worth their name.
    assert leaders > 2 * len(seeds)
    assert answers > 30 * len(seeds)
    assert duplicates > 0
    assert truncations > 0 or voters == 1


def run(seed: int, voters: int) -> Judge:
    try:
        return Storm(seed, voters).run()
    except Exception as error:
        error.add_note(f"reproduce: Storm(seed={seed}, voters={voters}).run()")
        raise


def test_same_seed_same_storm() -> None:
    first, second = run(7, 3), run(7, 3)
    assert [vars(op) for op in first.ops] == [vars(op) for op in second.ops]
    assert first.committed == second.committed
