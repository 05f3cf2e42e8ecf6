"""The baseline: elections and replication at several distances between clouds, as nodes and clients see them.

    make baseline      python benchmarks/baseline.py --help      (some ten minutes; nothing else should run)

Writes docs/baseline.md, whole and at the end, which says what is measured and how.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import baseline_page  # noqa: E402
from benchmarks.baseline_page import Conditions, Kill, Measured, Method, Setting  # noqa: E402
from benchmarks.histogram import Histogram, quantile  # noqa: E402
from harness.load import Carrier  # noqa: E402
from system.client import Append, Refused, Unresolved  # noqa: E402
from system.clusters.docker import DockerCluster  # noqa: E402
from system.clusters.errors import ClusterError  # noqa: E402
from system.clusters.local import LocalCluster  # noqa: E402
from system.control_plane.driver import LINGER_S  # noqa: E402

REPLICATION = "raft_replication_latency_seconds"
ELECTION = "raft_election_duration_seconds"
SILENCE = "raft_leader_silence_seconds"
CLIENTS = 8
RATE = 20.0  # appends a second, of all clients together
# How often a client asks who was not the leader a moment ago.
ASK_AGAIN_S = 0.005
SETTLED_WITHIN_S = 30.0
ATTEMPTS = 3

Cluster = LocalCluster | DockerCluster


@dataclass(frozen=True, slots=True)
class Sizes:
    round_trips_ms: tuple[float, ...]
    kills: int
    load_s: float


class Bench:
    """A cluster that was started, with nothing else to do."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clients = 0

    async def replication(self, load_s: float) -> tuple[list[float], Histogram]:
        """(the clients' latencies, the leader's), seconds, of appends at a steady rate."""
        for _ in range(ATTEMPTS):
            leader = await self.settled()
            clients = await asyncio.gather(*(self._opened(leader, pinned=leader) for _ in range(CLIENTS)))
            before = await self._histogram(leader, REPLICATION)
            latencies_s = await self._load(clients, load_s)
            after = await self._histogram(leader, REPLICATION)
            await asyncio.gather(*(client.close() for client in clients))
            if latencies_s is not None:
                return latencies_s, after.since(before)
        raise ClusterError(f"the leader changed in calm, {ATTEMPTS} times: this machine is too busy")

    async def kill(self) -> Kill | None:
        """Kills the leader and starts it again; None where it was the leader no more."""
        leader = await self.settled()
        others = [node for node in self._cluster.nodes if node != leader]
        clients = await asyncio.gather(*(self._opened(node, pinned=node) for node in others))
        before = {node: await self._elections(node) for node in others}
        first: asyncio.Future[tuple[str, float]] = asyncio.get_running_loop().create_future()
        asked_s = time.monotonic()
        killing = asyncio.create_task(self._timed(self._cluster.kill([leader], lose_unsynced=False)))
        insisting = [
            asyncio.create_task(self._insist(client, node, first))
            for client, node in zip(clients, others, strict=True)
        ]
        try:
            winner, acknowledged_s = await asyncio.wait_for(first, SETTLED_WITHIN_S)
        except TimeoutError:
            problem = f"no command was acknowledged in {SETTLED_WITHIN_S:g} s after {leader} died"
            raise ClusterError(problem) from None
        finally:
            await asyncio.gather(*insisting)
        killed_s = await killing
        election, silence = (
            now.since(then) for now, then in zip(await self._elections(winner), before[winner], strict=True)
        )
        await self._cluster.start_nodes([leader])
        return (
            Kill(killed_s, acknowledged_s - asked_s, silence.total, election.total)
            if election.count
            else None
        )

    async def settled(self) -> str:
        """The leader, once every node knows it."""
        deadline_s = time.monotonic() + SETTLED_WITHIN_S
        while True:
            statuses = await asyncio.gather(*map(self._cluster.status, self._cluster.nodes))
            said = {
                node: status["leader"] if status else "no answer"
                for node, status in zip(self._cluster.nodes, statuses, strict=True)
            }
            if len(leaders := set(said.values())) == 1 and leaders <= said.keys():
                return str(leaders.pop())
            if time.monotonic() > deadline_s:
                raise ClusterError(
                    f"the nodes did not agree on a leader within {SETTLED_WITHIN_S:g} s: {said}"
                )
            await asyncio.sleep(0.05)

    async def _load(self, clients: list[Carrier], load_s: float) -> list[float] | None:
        """None where somebody was refused: the leader changed, and one node has not seen it all."""
        latencies_s: list[float] = []
        period_s = len(clients) / RATE
        began_s = time.monotonic()

        async def append(number: int, client: Carrier) -> bool:
            for turn in range(round(load_s / period_s)):
                due_s = began_s + number / RATE + turn * period_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                sent_s = time.monotonic()
                try:
                    await client.submit(Append(f"baseline-{number}", "x"))
                except (Refused, Unresolved):
                    return False
                latencies_s.append(time.monotonic() - sent_s)
            return True

        loads = (append(number, client) for number, client in enumerate(clients))
        return latencies_s if all(await asyncio.gather(*loads)) else None

    async def _insist(self, client: Carrier, node: str, first: asyncio.Future[tuple[str, float]]) -> None:
        """Asks a node until `first` has a result: by whom and when (monotonic) a command was acknowledged."""
        while not first.done():
            try:
                await client.submit(Append("baseline", "x"))
            except Refused:
                await asyncio.sleep(ASK_AGAIN_S)
            except Unresolved:
                await client.close()
                client = await self._opened(node, pinned=node)
            else:
                if not first.done():
                    first.set_result((node, time.monotonic()))
        await client.close()

    async def _opened(self, near: str, *, pinned: str) -> Carrier:
        """A client in the cloud of `near`, its session open."""
        cloud = near.split("-")[1]
        site = next(site for site in self._cluster.client_sites if site.endswith(f"-{cloud}"))
        while True:
            self._clients += 1
            client = self._cluster.client(site, client_id=f"b{self._clients}", pinned=pinned)
            try:
                await client.open(SETTLED_WITHIN_S)
            except (Refused, Unresolved):
                await client.close()
            else:
                return client

    async def _elections(self, node: str) -> tuple[Histogram, Histogram]:
        return await self._histogram(node, ELECTION), await self._histogram(node, SILENCE)

    async def _histogram(self, node: str, name: str) -> Histogram:
        metrics = await self._cluster.metrics(node)
        if metrics is None:
            raise ClusterError(f"{node} did not answer on /metrics")
        try:
            return Histogram.read(metrics.decode(), name)
        except KeyError:
            raise ClusterError(f"{node} has no {name}: its image is older than this command") from None

    @staticmethod
    async def _timed(work: Awaitable[object]) -> float:
        began_s = time.monotonic()
        await work
        return time.monotonic() - began_s


async def measure(name: str, round_trip_ms: float, seed: int, sizes: Sizes) -> Setting:
    with tempfile.TemporaryDirectory(prefix="crosswind-baseline-") as folder:
        cluster = make(name, round_trip_ms, seed, Path(folder))
        bench = Bench(cluster)
        try:
            await cluster.start()
            clients_s, nodes_s = await bench.replication(sizes.load_s)
            kills: list[Kill] = []
            while len(kills) < sizes.kills:
                if (kill := await bench.kill()) is not None:
                    kills.append(kill)
        finally:
            await cluster.stop()
    append_ms = 1e3 * quantile(clients_s, 0.5)
    election_s = quantile([kill.acknowledged_s for kill in kills], 0.5)
    print(
        f"{name}, {round_trip_ms:g} ms between clouds: an append {append_ms:.1f} ms, a command after a kill"
        f" {election_s:.2f} s (clients' medians of {len(clients_s)} and {len(kills)})",
        flush=True,
    )
    return Setting(round_trip_ms, kills, clients_s, nodes_s)


def make(name: str, round_trip_ms: float, seed: int, folder: Path) -> Cluster:
    if name == LocalCluster.name:
        return LocalCluster(seed, workers=False, cross_cloud_ms=round_trip_ms / 2, data_dir=folder)
    return DockerCluster(seed, cross_cloud_ms=round_trip_ms / 2, data_dir=folder)


async def run(names: list[str], sizes: Sizes, output: Path) -> bool:
    """Writes the page of the clusters that could be measured to the end; whether all were."""
    began_s = time.monotonic()
    conditions = Conditions.now()
    measured = []
    for name in names:
        try:
            settings = [
                await measure(name, round_trip_ms, seed, sizes)
                for seed, round_trip_ms in enumerate(sizes.round_trips_ms, start=1)
            ]
        except ClusterError as error:
            print(f"baseline: the {name} cluster is left out: {error}", file=sys.stderr)
        else:
            measured.append(Measured(name, settings))
    took_s = time.monotonic() - began_s
    if measured:
        method = Method(CLIENTS, RATE, sizes.kills, ASK_AGAIN_S, LINGER_S)
        baseline_page.write(output, baseline_page.page(conditions, method, measured, took_s))
        print(f"{output.name} written after {took_s / 60:.1f} minutes")
    return len(measured) == len(names)


def available(wanted: str | None) -> list[str]:
    """The clusters to measure. Raises ClusterError where the one asked for cannot be had here."""
    names = [wanted] if wanted else [LocalCluster.name, DockerCluster.name]
    if DockerCluster.name in names:
        try:
            DockerCluster.check()
        except ClusterError as error:
            if wanted:
                raise
            print(f"the Docker cluster is left out: {error}", flush=True)
            names.remove(DockerCluster.name)
    return names


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cluster", choices=("local", "docker"), help="only this one; default: both")
    parser.add_argument("--kills", type=int, default=10, help="of the leader, at each distance; default: 10")
    parser.add_argument("--load-s", type=float, default=16.0, help="seconds of load; default: 16")
    parser.add_argument(
        "--round-trips-ms", type=float, nargs="+", default=[0.0, 50.0, 100.0, 200.0], metavar="MS"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "baseline.md")
    parsed = parser.parse_args()
    if parsed.kills < 1 or parsed.load_s < 1 or min(parsed.round_trips_ms) < 0:
        parser.error("expected at least one kill, one second of load, and no negative round trip")
    return parsed


def main() -> int:
    asked = arguments()
    sizes = Sizes(tuple(asked.round_trips_ms), asked.kills, asked.load_s)
    try:
        complete = asyncio.run(run(available(asked.cluster), sizes, asked.output))
    except (ClusterError, OSError) as error:
        print(f"baseline: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("baseline: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
