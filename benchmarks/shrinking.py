"""How small failing schedules get: for every planted bug, several failing runs of the simulator, each shrunk.

    python -m benchmarks.shrinking [--repeats N]

Printed for each bug: faults before and after, runs and CPU seconds it took; and over all of them the median
and the 95th percentile. What a bug shows first differs from seed to seed: searches begin at different ones.
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import Executor

from harness.executors import processes
from harness.kill_score import APART
from harness.saved import Saved
from harness.shrink import Shrunk, shrink
from harness.simulation import tuning
from harness.sweep import Campaign, sweep
from system.mutants import MUTANTS

SEEDS = 200


def failing(mutant: str, first: int, executor: Executor) -> Saved | None:
    """The first failing run from that seed on."""
    tally = sweep(Campaign(first, SEEDS, mutant=mutant), executor, 1)
    if not tally.found:
        return None
    one = tally.found[0]
    return Saved(one.plan, one.schedule, tuning(one.plan), f"{one.trace_hash:016x}", tuple(sorted(one.kinds)))


def line(mutant: str, all_shrunk: list[Shrunk]) -> str:
    faults = ", ".join(f"{shrunk.before}→{shrunk.after}" for shrunk in all_shrunk) or "not found"
    tries = ", ".join(str(shrunk.tries) for shrunk in all_shrunk)
    cpu_s = ", ".join(f"{shrunk.cpu_s:.1f}" for shrunk in all_shrunk)
    return f"{mutant:<22} faults {faults:<20} runs {tries:<14} CPU s {cpu_s}"


def percentile_95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[18] if len(values) > 1 else values[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3, help="failing runs a bug (default 3)")
    options = parser.parse_args()
    every: list[Shrunk] = []
    with processes(1) as (executor, _):
        for mutant in MUTANTS:
            starts = (1 + repeat * APART for repeat in range(options.repeats))
            found = [was for first in starts if (was := failing(mutant, first, executor)) is not None]
            shrunk = [shrink(was) for was in found]
            every += shrunk
            print(line(mutant, shrunk), flush=True)
    for what, values in (
        ("faults left", [float(shrunk.after) for shrunk in every]),
        ("runs", [float(shrunk.tries) for shrunk in every]),
        ("CPU s", [shrunk.cpu_s for shrunk in every]),
    ):
        median, high = statistics.median(values), percentile_95(values)
        most = f"most {max(values):.3g} (n = {len(values)})"
        print(f"{what:<12} median {median:.3g}, 95th percentile {high:.3g}, {most}")


if __name__ == "__main__":
    main()
