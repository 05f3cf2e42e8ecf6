"""One seed, one run: the same steps in every process, whatever hashes objects have there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import saved
from harness.plan import Plan
from harness.probe import probe
from harness.replay import PartedError, replay
from harness.run import carry_out
from nemesis.schedule import draw
from system.clusters import sites
from system.clusters.sim import SimCluster
from system.simulation.draws import Draws, bits, key

ROOT = Path(__file__).parents[2]
SEEDS = 1000
HASH_SEEDS = ("0", "1", "4711")


def test_a_thousand_seeds_have_the_same_traces_in_three_processes() -> None:
    """Sets and dictionaries of objects are in another order in each of them."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.traces", "1", str(SEEDS)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in HASH_SEEDS
    ]
    traces = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(traces[0]) == SEEDS
    assert len(dict.fromkeys(line.split()[1] for line in traces[0])) == SEEDS, "every seed goes its own way"
    assert traces[0] == traces[1] == traces[2]
    assert all(line.endswith("[]") for line in traces[0]), "a correct system breaks no promise"


PLAN = Plan("register", ("partition", "kill"), 11, "sim", time_limit_s=4.0, rate=10.0, concurrency=4)


def test_a_recorded_run_takes_the_steps_of_one_that_is_not(tmp_path: Path) -> None:
    result = carry_out(PLAN, tmp_path)
    recorded = saved.of_run(result.directory)
    assert f"{probe(PLAN, tuning=recorded.tuning).trace_hash:016x}" == recorded.trace_hash


def test_a_replay_takes_the_same_steps(tmp_path: Path) -> None:
    first = carry_out(PLAN, tmp_path).directory
    second = replay(first, tmp_path).directory
    assert second != first
    for name in (
        "history.jsonl",
        "nodes/trace.jsonl",
        "nodes/cp-gcp-1/wal.jsonl",
        "nodes/cp-gcp-1/events-0001.jsonl",
    ):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_replay_that_parts_says_where(tmp_path: Path) -> None:
    first = carry_out(PLAN, tmp_path).directory
    trace = (first / "nodes" / "trace.jsonl").read_text().splitlines()
    trace[99] = "[1234567890,1,7,3]"
    (first / "nodes" / "trace.jsonl").write_text("\n".join(trace) + "\n")
    run = (first / "run.json").read_text()
    (first / "run.json").write_text(run.replace('"trace_hash": "', '"trace_hash": "f'))
    with pytest.raises(
        PartedError, match=r"step 100 of the trace: it was node 1 that had its timer fire.*then"
    ):
        replay(first, tmp_path)


def test_a_fault_left_out_leaves_the_other_draws_alone() -> None:
    """Until the fault that is missing, nothing is different."""
    schedule = draw(
        PLAN.nemeses, PLAN.seed, sites.control_plane(3), (), 4.0, capabilities=SimCluster.capabilities
    )
    last = max(step.number for step in schedule)
    fewer = [step for step in schedule if step.number != last]
    whole, less = probe(PLAN, schedule=schedule), probe(PLAN, schedule=fewer)
    assert whole.trace_hash != less.trace_hash
    again = probe(PLAN, schedule=fewer)
    assert again.trace_hash == less.trace_hash


def test_draws_depend_on_who_draws_and_how_often() -> None:
    assert Draws(7, "disk", "a").bits() == Draws(7, "disk", "a").bits() != Draws(7, "disk", "b").bits()
    drawn = Draws(7, "x")
    assert [drawn.bits() for _ in range(3)] == [bits(key(7, "x"), count) for count in (1, 2, 3)]
    assert all(3 <= Draws(seed, "y").between(3, 5) <= 5 for seed in range(100))
