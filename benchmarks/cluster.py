"""What the local cluster does in calm and after a kill: start, operations, fail-over, cutting and mending.

    python benchmarks/cluster.py [KILLS]        (some minutes; nothing else should run meanwhile)

Three control-plane nodes without workers, 25 ms each way between clouds. Printed, with quartiles:
  start       from being asked to start to the first command acknowledged, once
  operations  appends a second and their latency with 1, 16 and 64 clients that follow the leader, and the
              leader's CPU time for each
  fail-over   from kill -9 of the leader to the first command that another leader acknowledges; of that, until
              another node says that it leads
  cut, mend   until all six links between the nodes are cut, traffic seen to be held back; and mended
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from system.client import Append, Client, Refused, Unresolved  # noqa: E402
from system.clusters.local import LocalCluster  # noqa: E402

KILLS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 20
LOAD_S = 8.0


def figures(samples: Sequence[float], unit: str) -> str:
    low, middle, high = statistics.quantiles([*samples, *samples], n=4)
    return (
        f"median {middle:.3g} {unit}  ({low:.3g} … {high:.3g}, worst {max(samples):.3g}, n = {len(samples)})"
    )


class Bench:
    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        self._clients = 0

    async def client(self) -> Client:
        """A client whose session is open."""
        while True:
            self._clients += 1
            site = self.cluster.client_sites[self._clients % 3]
            name = f"b{self._clients}"
            client = Client(self.cluster.addresses(site), cluster_id=self.cluster.cluster_id, client_id=name)
            try:
                await client.open(5.0)
            except (Refused, Unresolved):
                await client.close()
            else:
                return client

    async def acknowledged(self) -> None:
        """Returns once a command of a new client has been acknowledged."""
        while True:
            client = await self.client()
            try:
                await client.submit(Append("bench", "x"))
            except (Refused, Unresolved):
                continue
            else:
                return
            finally:
                await client.close()

    async def leader(self, other_than: str = "") -> str:
        while (leader := await self.cluster.leader()) in (None, other_than):
            await asyncio.sleep(0.01)
        assert leader is not None
        return leader

    async def operations(self, clients: int) -> None:
        leader = await self.leader()
        everyone = await asyncio.gather(*(self.client() for _ in range(clients)))
        latencies: list[float] = []

        async def load(number: int, client: Client, until: float) -> None:
            while time.monotonic() < until:
                began = time.monotonic()
                await client.submit(Append(f"load{clients}-{number}-{len(latencies) // 1000}", "x"))
                latencies.append((time.monotonic() - began) * 1e3)

        cpu_s, began = self._cpu_s(leader), time.monotonic()
        await asyncio.gather(*(load(i, client, began + LOAD_S) for i, client in enumerate(everyone)))
        took_s, cpu_s = time.monotonic() - began, self._cpu_s(leader) - cpu_s
        await asyncio.gather(*(client.close() for client in everyone))
        print(
            f"{clients:>3} clients: {len(latencies) / took_s:.0f} appends/s, {figures(latencies, 'ms')},"
            f" leader {cpu_s / len(latencies) * 1e3:.2f} ms CPU an append",
            flush=True,
        )

    def _cpu_s(self, node: str) -> float:
        pid = next(
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/environ")
            if _reads(path).find(f"DATA_DIR={self.cluster._data_dir}/{node}".encode()) >= 0
        )
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def fail_over(self) -> tuple[float, float]:
        """(until another leads, until a command is acknowledged), seconds."""
        leader = await self.leader()
        await self.acknowledged()
        began = time.monotonic()
        await self.cluster.kill([leader], lose_unsynced=True)
        acknowledged = asyncio.create_task(self.acknowledged())
        await self.leader(other_than=leader)
        elected_s = time.monotonic() - began
        await acknowledged
        took_s = time.monotonic() - began
        await self.cluster.start_nodes([leader])
        return elected_s, took_s

    async def cut(self) -> tuple[float, float]:
        nodes = self.cluster.nodes
        links = [(a, b) for a in nodes for b in nodes if a != b]
        began = time.monotonic()
        await self.cluster.cut(links, "packets")
        cut_ms = (time.monotonic() - began) * 1e3
        began = time.monotonic()
        await self.cluster.mend(links)
        mended_ms = (time.monotonic() - began) * 1e3
        await self.leader()
        await self.acknowledged()
        return cut_ms, mended_ms


def _reads(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as folder:
        cluster = LocalCluster(1, workers=False, data_dir=Path(folder))
        bench = Bench(cluster)
        try:
            began = time.monotonic()
            await cluster.start()
            await bench.acknowledged()
            print(f"start: {time.monotonic() - began:.1f} s", flush=True)
            for clients in (1, 16, 64):
                await bench.operations(clients)
            kills = [await bench.fail_over() for _ in range(KILLS)]
            print(f"kill -9 of the leader until another leads: {figures([k[0] for k in kills], 's')}")
            print(f"… until a command is acknowledged:         {figures([k[1] for k in kills], 's')}")
            cuts = [await bench.cut() for _ in range(10)]
            print(f"cut all six links, traffic seen held back: {figures([c[0] for c in cuts], 'ms')}")
            print(f"mend all six links:                        {figures([c[1] for c in cuts], 'ms')}")
        finally:
            await cluster.stop()


if __name__ == "__main__":
    asyncio.run(main())
