"""How fast the simulator is: simulated seconds a CPU second and core, with everything watched from inside and
the clients' histories judged, at a sweep's load.

    python -m benchmarks.simulator [--rounds N] [--seeds N] [--compiled] [--json]

Every round runs the same seeds of each pair of workload and faults, as `crosswind sweep` does; printed are
the median and the spread of the rounds. With --compiled each round is run compiled, too, as `crosswind sweep
--compiled` does, in turns. Beside them the time of a plain loop, measured around every round: a machine that
is busy with something else, or another one, shows in both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from harness import compiled
from harness.errors import ExecutorError
from harness.executors import compiled_processes, processes
from harness.sweep import Campaign, probe_all

FAULTS = (("none",), ("partition",), ("kill",), ("partition", "kill"), ("swarm",))
WORKLOADS = ("append", "register")
LOOPS = 2_000_000


@dataclass(frozen=True, slots=True)
class Round:
    """Once through all seeds. loop_s: CPU time of the plain loop, before and after on average. objected_to:
    the seeds whose runs anything was wrong with."""

    simulated_s: float
    cpu_s: float
    loop_s: float
    objected_to: tuple[int, ...]

    @property
    def speed(self) -> float:
        """Simulated seconds a CPU second."""
        return self.simulated_s / self.cpu_s


def plain_loop_s() -> float:
    """CPU time of two million additions."""
    began_s, total = time.process_time(), 0
    for number in range(LOOPS):
        total += number
    return time.process_time() - began_s


def once(campaign: Campaign, seeds: Sequence[int]) -> Round:
    before_s, began_s = plain_loop_s(), time.process_time()
    probes = probe_all(campaign, seeds)
    cpu_s = time.process_time() - began_s
    return Round(
        sum(probe.simulated_s for probe in probes),
        cpu_s,
        (before_s + plain_loop_s()) / 2,
        tuple(probe.plan.seed for probe in probes if probe.findings),
    )


def line(campaign: Campaign, how: str, rounds: Sequence[Round], seeds: int) -> str:
    speeds = [one.speed for one in rounds]
    loop_s = statistics.median(one.loop_s for one in rounds)
    cpu_ms = statistics.median(one.cpu_s for one in rounds) / seeds * 1e3
    objected_to = f", NOT CLEAN: seeds {rounds[0].objected_to}" if rounds[0].objected_to else ""
    return (
        f"{campaign.workloads[0]:<9} {','.join(campaign.nemeses):<15} {how:<9}"
        f" {statistics.median(speeds):5.0f} simulated s/CPU s ({min(speeds):.0f} to {max(speeds):.0f}),"
        f" {cpu_ms:6.1f} CPU ms a run, loop {loop_s * 1e3:.0f} ms{objected_to}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--compiled", action="store_true", help="compiled, too (needs a C compiler)")
    parser.add_argument("--json", action="store_true", help="one object a line, every round's numbers in it")
    options = parser.parse_args()
    with ExitStack() as stack:
        executors = {"": stack.enter_context(processes(1))[0]}
        if options.compiled:
            try:
                executors["compiled"] = stack.enter_context(compiled_processes(1, compiled.tree()))[0]
            except ExecutorError as error:
                sys.exit(f"bench-sim: {error}")
        _measure(options, executors)


def _measure(options: argparse.Namespace, executors: Mapping[str, Executor]) -> None:
    seeds = range(1, options.seeds + 1)
    if not options.json:
        print(f"{options.rounds} rounds of {options.seeds} seeds; the plain loop: {LOOPS:,} additions")
    for workload in WORKLOADS:
        for nemeses in FAULTS:
            campaign = Campaign(workloads=(workload,), nemeses=nemeses, count_all=True)
            rounds: dict[str, list[Round]] = {how: [] for how in executors}
            for number in range(options.rounds + 1):
                for how, executor in executors.items():
                    # The first round finds out what the others know.
                    one = executor.submit(once, campaign, seeds if number else seeds[:1]).result()
                    rounds[how] += [one] if number else []
            for how in executors:
                if options.json:
                    said = {"workload": workload, "nemeses": nemeses, "seeds": options.seeds, "how": how}
                    print(json.dumps({**said, "rounds": [asdict(one) for one in rounds[how]]}), flush=True)
                else:
                    print(line(campaign, how, rounds[how], options.seeds), flush=True)


if __name__ == "__main__":
    main()
