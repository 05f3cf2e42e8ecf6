"""Many seeds in the simulator: how many keep their promises, and which do not."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from harness.errors import ExecutorError
from harness.plan import Plan
from harness.probe import Probe, probe

WORKLOADS = ("append", "register")
NEMESES = ("swarm",)
RATE = 8.0
CONCURRENCY = 5
# Operations of a kind of which one must succeed.
MANY = 100
# Seeds that one process is given at a time.
CHUNK = 10
# A planted bug is in the whole process, and Dask may run several tasks in one.
_ALONE = threading.Lock()


@dataclass(frozen=True, slots=True)
class Campaign:
    """What to sweep.

    first, seeds: the seeds. workloads: each seed has the next of them. limit_s: of wall-clock time, or None
    count_all: go on after the first violation. inside: watched at every step, not only by the clients
    """

    first: int = 1
    seeds: int = 1000
    workloads: tuple[str, ...] = WORKLOADS
    nemeses: tuple[str, ...] = NEMESES
    mutant: str | None = None
    nodes: int = 3
    rate: float = RATE
    concurrency: int = CONCURRENCY
    limit_s: float | None = None
    count_all: bool = False
    inside: bool = True

    def plan(self, seed: int) -> Plan:
        """Raises PlanError."""
        return Plan(
            self.workloads[seed % len(self.workloads)],
            self.nemeses,
            seed,
            "sim",
            rate=self.rate,
            concurrency=self.concurrency,
            nodes=self.nodes,
            mutant=self.mutant,
        )


@dataclass
class Tally:
    """What came of a campaign so far. wall_s: since it began."""

    probes: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    operations: int = 0
    vacuous: Counter[str] = field(default_factory=Counter)
    invoked: Counter[str] = field(default_factory=Counter)
    ok: Counter[str] = field(default_factory=Counter)
    found: list[Probe] = field(default_factory=list)
    wall_s: float = 0.0

    def add(self, one: Probe) -> None:
        self.probes += 1
        self.simulated_s += one.simulated_s
        self.cpu_s += one.cpu_s
        self.operations += one.operations
        self.invoked.update(one.invoked)
        self.ok.update(one.ok)
        if one.findings:
            self.found.append(one)
        elif one.vacuous:
            self.vacuous[one.vacuous] += 1

    @property
    def by_checker(self) -> dict[str, int]:
        """{checker: runs to which it objected}"""
        counts = Counter(by for one in self.found for by in dict.fromkeys(f.by for f in one.findings))
        return dict(sorted(counts.items()))

    @property
    def never_ok(self) -> dict[str, int]:
        """{kind of operation that was invoked often enough, and never succeeded: how often}"""
        return {f: n for f, n in sorted(self.invoked.items()) if n >= MANY and not self.ok[f]}

    @property
    def first_failing_seed(self) -> int | None:
        return min((one.plan.seed for one in self.found), default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "seeds": self.probes,
            "violations": self.by_checker,
            "vacuous": self.vacuous.total(),
            "never_ok": self.never_ok,
            "simulated_s": round(self.simulated_s, 1),
            "cpu_s": round(self.cpu_s, 2),
            "wall_s": round(self.wall_s, 2),
            "operations": self.operations,
            "first_failing_seed": self.first_failing_seed,
        }


def sweep(
    campaign: Campaign,
    executor: Executor,
    at_a_time: int,
    show: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Probes seed after seed, until there is a violation (or count_all), the seeds or the time run out.
    Raises ExecutorError where a process ends before it is done."""
    tally, began_s = Tally(), time.monotonic()
    chunks = _chunks(campaign)
    running: dict[Future[list[Probe]], range] = {}
    over = False
    while True:
        while not over and len(running) < at_a_time and (chunk := next(chunks, None)) is not None:
            running[executor.submit(probe_all, campaign, chunk)] = chunk
        if not running:
            return tally
        for future in _done(running):
            try:
                probes = future.result()
            except BrokenExecutor:
                seeds = sorted(seed for chunk in running.values() for seed in chunk)
                raise ExecutorError(
                    f"a process ended in the midst of one of the seeds {seeds[0]} to {seeds[-1]}: killed from"
                    " outside (for its memory?), or because what it computed came to no end"
                ) from None
            del running[future]
            for one in probes:
                tally.add(one)
        tally.wall_s = time.monotonic() - began_s
        out_of_time = campaign.limit_s is not None and tally.wall_s >= campaign.limit_s
        over = out_of_time or (bool(tally.found) and not campaign.count_all)
        show(tally)


def probe_all(campaign: Campaign, seeds: Sequence[int]) -> list[Probe]:
    """In order; up to the first violation, unless all are counted. The collector of garbage would look at
    everything the process holds again and again, and so rests until the end."""
    probes: list[Probe] = []
    with _ALONE:
        gc.disable()
        try:
            for seed in seeds:
                probes.append(probe(campaign.plan(seed), inside=campaign.inside))
                if probes[-1].findings and not campaign.count_all:
                    break
        finally:
            gc.collect()
            gc.freeze()
            gc.enable()
    return probes


def _chunks(campaign: Campaign) -> Iterator[range]:
    """Small ones first: a bug that shows at once is known at once."""
    at, end, size = campaign.first, campaign.first + campaign.seeds, 1
    while at < end:
        yield range(at, min(at + size, end))
        at += size
        size = min(2 * size, CHUNK)


def _done(running: dict[Future[list[Probe]], range]) -> list[Future[list[Probe]]]:
    """Those that are finished, once there are any, in the order in which they were begun."""
    wait(running, return_when=FIRST_COMPLETED)
    return [future for future in running if future.done()]
