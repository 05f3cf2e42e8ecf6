"""Failover in the simulator beside failover of the local cluster: kill -9 of the leader until another leads.

    make bench-failover      python -m benchmarks.failover [--n N] [--json] [--write]      (some minutes)

Three control-plane nodes without workers or load, 25 ms each way between them. In the calm before each kill
of the local cluster three durations are measured that have nothing to do with elections, and the simulator
draws its own from them:

- sync: a record of about 300 bytes handed to a write-ahead log like the nodes', until its event loop hears
  that it is durable; of that, fdatasync alone
- timer: how late an asyncio timer fires
- link: half the round trip of a Status call between two clouds, less the distance: what a message takes in
  proxy, kernel and both processes; of that, half a round trip past the links

In about one failover of six the two nodes that are left stand for election within one message's way of each
other and split the vote, which costs another timeout. The p90 lies just beyond where those begin, so chance
moves it a lot: behind each ratio is the interval that 95 % of resamples of both fall into.

Nothing is fitted to the failovers. Exits with 1 where the median or p90 of the two differ by more than 25 %.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import baseline_page
from benchmarks.baseline_page import Conditions
from benchmarks.failover_probes import CALM_S, CROSS_CLOUD_MS, Inputs, Probes, rounded
from benchmarks.histogram import quantile
from system.clusters.clock import VirtualClock
from system.clusters.errors import ClusterError
from system.clusters.local import LocalCluster
from system.clusters.sim import SimCluster
from system.simulation.knobs import Knobs

PAGE = Path(__file__).resolve().parents[1] / "docs" / "failover-benchmark.md"
WITHIN = 0.25
HEARTBEAT_S = 0.15
SETTLED_WITHIN_S = 30.0
POLL_S = 0.02
# A simulated failover costs little: so many for each real one, lest the simulator's own quantiles be noisy.
SIMULATED_TIMES = 10
RESAMPLES = 400
HEAD = ("n", "median", "p90", "p99", "max")

Cluster = LocalCluster | SimCluster
Event = dict[str, Any]


async def failovers(
    cluster: Cluster,
    events: Callable[[str], Iterable[Event]],
    n: int,
    rng: Random,
    calm: Callable[[], Awaitable[None]],
) -> list[float]:
    """Of a cluster that was started: from asking for the leader's kill to another's leading, ms.

    events: the event log of a node's newest boot. calm: what happens before each kill
    """
    now_ns = cluster.now_ns if isinstance(cluster, SimCluster) else cluster.clock().now_ns
    took_ms = []
    for _ in range(n):
        await settled(cluster)
        await calm()
        await asyncio.sleep(rng.uniform(0.0, HEARTBEAT_S))
        leader = await settled(cluster)
        others = [node for node in cluster.nodes if node != leader]
        killed_ns = now_ns()
        await cluster.kill([leader], lose_unsynced=False)
        until_ns = killed_ns + int(SETTLED_WITHIN_S * 1e9)
        while (led_ns := first_led_ns(map(events, others), killed_ns)) is None:
            if now_ns() > until_ns:
                raise ClusterError(f"nobody led within {SETTLED_WITHIN_S:g} s after {leader} died")
            await asyncio.sleep(POLL_S)
        took_ms.append(rounded((led_ns - killed_ns) / 1e6))
        await cluster.start_nodes([leader])
    return took_ms


def first_led_ns(logs: Iterable[Iterable[Event]], after_ns: int) -> int | None:
    """When the first of these nodes became leader after that time."""
    led = (
        event["time_ns"]
        for log in logs
        for event in log
        if event["event"] == "role" and event["role"] == "leader" and event["time_ns"] > after_ns
    )
    return min(led, default=None)


async def settled(cluster: Cluster) -> str:
    """The leader, once all nodes follow it and have applied the same."""
    polls = round(SETTLED_WITHIN_S / POLL_S)
    for _ in range(polls):
        said = await cluster.statuses()
        views = {(one["leader"], one["term"], one["applied_index"]) for one in said.values()}
        if len(said) == len(cluster.nodes) and len(views) == 1 and (leader := views.pop()[0]) is not None:
            return str(leader)
        await asyncio.sleep(POLL_S)
    raise ClusterError(f"the nodes did not agree on a leader within {SETTLED_WITHIN_S:g} s")


async def on_local(n: int, seed: int) -> tuple[list[float], Inputs]:
    with tempfile.TemporaryDirectory(prefix="crosswind-failover-") as folder:
        cluster = LocalCluster(
            seed, workers=False, cross_cloud_ms=CROSS_CLOUD_MS, data_dir=Path(folder) / "nodes"
        )
        rng = Random(f"{seed}/failover")
        try:
            await cluster.start()
            probes = Probes(cluster, Path(folder) / "probe", rng)
            try:
                events = partial(_read_events, Path(folder) / "nodes")
                return await failovers(cluster, events, n, rng, probes.measure), probes.inputs
            finally:
                await probes.close()
        finally:
            await cluster.stop()


def _read_events(directory: Path, node: str) -> list[Event]:
    """Changes of role; the last line may still be in writing."""
    with max((directory / node).glob("events-*.jsonl")).open() as lines:
        return [json.loads(line) for line in lines if line.endswith("\n") and '"event":"role"' in line]


def on_simulator(n: int, seed: int, knobs: Knobs) -> list[float]:
    clock = VirtualClock()
    cluster = SimCluster(
        seed, workers=False, cross_cloud_ms=CROSS_CLOUD_MS, knobs=knobs, keeps_events=True, clock=clock
    )
    took_ms: list[float] = []

    def events(node: str) -> Iterable[Event]:
        return cluster.peer(node).events[-1]

    async def run() -> None:
        await cluster.start()
        rng = Random(f"{seed}/failover")
        took_ms.extend(await failovers(cluster, events, n, rng, partial(asyncio.sleep, CALM_S)))
        await cluster.stop()

    clock.run(run())
    return took_ms


@dataclass(frozen=True, slots=True)
class Comparison:
    """local_ms, simulated_ms: failovers."""

    local_ms: Sequence[float]
    simulated_ms: Sequence[float]

    def ratio(self, q: float) -> float:
        """The simulator's quantile, as a multiple of the local cluster's."""
        return quantile(self.simulated_ms, q) / quantile(self.local_ms, q)

    def interval(self, q: float) -> tuple[float, float]:
        """Within which that ratio lies in 95 % of resamples of both (the bootstrap): how far to trust it."""
        rng = Random(0)
        quantiles = (
            [quantile(rng.choices(samples_ms, k=len(samples_ms)), q) for _ in range(RESAMPLES)]
            for samples_ms in (self.simulated_ms, self.local_ms)
        )
        ratios = [simulated_ms / local_ms for simulated_ms, local_ms in zip(*quantiles, strict=True)]
        return quantile(ratios, 0.025), quantile(ratios, 0.975)

    @property
    def agree(self) -> bool:
        return all(abs(self.ratio(q) - 1.0) <= WITHIN for q in (0.5, 0.9))


def report(inputs: Inputs, compared: Comparison, conditions: Conditions, load: float) -> str:
    """load: the machine's average after it all."""
    beside = {
        "sync, until the loop hears": inputs.sync_ms,
        "  of that, fdatasync": inputs.fdatasync_ms,
        "timer, late by": inputs.timer_ms,
        "link, more than the 25 ms": inputs.link_ms,
        "  of that, past the links": inputs.process_ms,
    }
    failover = {"local cluster": compared.local_ms, "simulator": compared.simulated_ms}
    rows = [
        _line("measured beside the failovers, ms", *HEAD),
        *(_line(name, *_figures(samples_ms)) for name, samples_ms in beside.items()),
        _line("kill of the leader until another leads, ms", *HEAD),
        *(_line(name, *_figures(samples_ms)) for name, samples_ms in failover.items()),
    ]
    table = "\n".join(rows)
    return (
        f"{conditions.date}, {conditions.cpus} CPUs, {conditions.kernel}, Python {conditions.python};"
        f" load average {conditions.load} before, {load:.1f} after\n{table}\n"
        f"simulator / local: median {_ratio(compared, 0.5)}, p90 {_ratio(compared, 0.9)};"
        f" {'within' if compared.agree else 'NOT within'} {WITHIN:.0%}"
    )


def _ratio(compared: Comparison, q: float) -> str:
    low, high = compared.interval(q)
    return f"{compared.ratio(q):.2f} ({low:.2f} to {high:.2f})"


def _figures(samples_ms: Sequence[float]) -> list[str]:
    figures = (*(quantile(samples_ms, q) for q in (0.5, 0.9, 0.99)), max(samples_ms))
    return [str(len(samples_ms)), *(f"{one:.1f}" for one in figures)]


def _line(name: str, n: str, *figures: str) -> str:
    return f"{name:<42}{n:>6}" + "".join(f"{one:>9}" for one in figures)


def page(text: str) -> str:
    about = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2].strip()
    return (
        "# Failover: the simulator beside the local cluster\n\n"
        "Written by `make bench-failover BENCH=--write`; a later run replaces it whole.\n\n"
        f"{about}\n\n```\n{text}\n```\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=200, help="kills on the local cluster; default: 200")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one object, every sample in it")
    parser.add_argument("--write", action="store_true", help=f"docs/{PAGE.name}, too")
    options = parser.parse_args()
    if options.n < 2:
        parser.error("expected at least two kills")
    conditions = Conditions.now()
    try:
        local_ms, inputs = asyncio.run(on_local(options.n, options.seed))
    except (ClusterError, OSError) as error:
        print(f"failover: {error}", file=sys.stderr)
        return 2
    load = os.getloadavg()[0]
    seeds = range(options.seed, options.seed + SIMULATED_TIMES)
    compared = Comparison(
        local_ms, [ms for seed in seeds for ms in on_simulator(options.n, seed, inputs.knobs())]
    )
    text = report(inputs, compared, conditions, load)
    said = {
        "conditions": asdict(conditions),
        "load_after": load,
        "inputs": asdict(inputs),
        "failovers": asdict(compared),
    }
    print(json.dumps(said) if options.json else text, flush=True)
    if options.write:
        baseline_page.write(PAGE, page(text))
    return 0 if compared.agree else 1


if __name__ == "__main__":
    sys.exit(main())
