"""`python -m tests.simulation.traces FIRST COUNT`: the traces of so many seeds, a line each."""

from __future__ import annotations

import gc
import sys

from harness.plan import Plan
from harness.probe import probe
from harness.simulation import Tuning
from system.clusters import sites
from system.simulation.knobs import drawn

NEMESES = (("partition",), ("kill",), ("pause",), ("reorder",))


def main() -> None:
    first, count = map(int, sys.argv[1:])
    gc.disable()  # it takes a third of the time, and there is memory enough
    for seed in range(first, first + count):
        workload = ("append", "register")[seed % 2]
        plan = Plan(
            workload, NEMESES[seed % len(NEMESES)], seed, "sim", time_limit_s=3.0, rate=8.0, concurrency=3
        )
        tuning = Tuning(drawn(seed, sites.control_plane(3)), workers=seed % 16 == 0)
        one = probe(plan, tuning=tuning)
        print(f"{seed} {one.trace_hash:016x} {one.operations} {sorted(one.kinds)}")


if __name__ == "__main__":
    main()
