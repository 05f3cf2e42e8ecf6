"""How long faults take to apply, and to undo, on the Docker cluster; in calm, with nothing else to do.

    python benchmarks/docker_faults.py [REPEATS]        (as root; some minutes; nothing else should run)

The partition is of all three control-plane nodes, each from each: six links. `seen`: until the proof that the
fault took effect, which is how a run applies it. A cut is proven by packets dropped on every link; of its own
a follower that hears nothing sends nothing until its election timeout. Printed: median and worst.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from system.clusters import compose  # noqa: E402
from system.clusters.docker import DockerCluster  # noqa: E402
from system.clusters.errors import ClusterError  # noqa: E402
from system.clusters.firewall import Firewall  # noqa: E402

REPEATS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 20
PARTITION_MS = 50.0  # the median is to be below

Verb = Callable[[], Awaitable[object]]


class ThroughTheEngine(Firewall):
    """As where the host is not ours."""

    async def _run(self, site: str, argv: Sequence[str], text: str = "") -> str:
        return await self._in_container(site, argv, text)


async def measure(*verbs: tuple[str, Verb], repeats: int = REPEATS) -> float:
    """Carries the verbs out one after another, again and again; returns the median of the first, in ms."""
    took_ms: dict[str, list[float]] = {name: [] for name, _ in verbs}
    for _ in range(repeats):
        for name, verb in verbs:
            began_s = time.monotonic()
            await verb()
            took_ms[name].append(1e3 * (time.monotonic() - began_s))
    for name, samples_ms in took_ms.items():
        middle_ms, worst_ms = statistics.median(samples_ms), max(samples_ms)
        print(f"{name:<52} {middle_ms:>7.0f} ms, worst {worst_ms:>6.0f} ms  (n = {repeats})", flush=True)
    return statistics.median(next(iter(took_ms.values())))


async def faults(cluster: DockerCluster) -> float:
    """Returns the median of cutting all links between the nodes, in ms."""
    up = cluster._running("faults")
    leader = await cluster.leader()
    follower = next(node for node in cluster.nodes if node != leader)
    links = [(a, b) for a in cluster.nodes for b in cluster.nodes if a != b]
    ours, engines = up.firewall, ThroughTheEngine(up.engine, compose.homes(up.slot.number), up.container)
    engines._conditions = ours._conditions
    cut_ms = await measure(
        ("partition, rules only", lambda: ours.cut(links)), ("mend, rules only", lambda: ours.mend(links))
    )
    await measure(
        ("partition through the engine, rules only", lambda: engines.cut(links)),
        ("mend through the engine, rules only", lambda: engines.mend(links)),
    )
    await measure(
        ("partition, seen", lambda: cluster.cut(links, "packets")), ("mend", lambda: cluster.mend(links))
    )
    await measure(
        ("30 ms more on six links, seen", lambda: cluster.delay(links, 30.0, 0.0)),
        ("the delay taken back, seen", lambda: cluster.undelay(links)),
    )
    await measure(
        ("loss of 30 % on six links, seen", lambda: cluster.shape(links, {"loss": 0.3})),
        ("the loss taken back", lambda: cluster.unshape(links, ["loss"])),
    )
    for name, sites in {"a node": [follower], "the gateway": ["gateway"]}.items():
        await measure(
            (f"pause {name}", partial(cluster.pause, sites)),
            (f"resume {name}", partial(cluster.resume, sites)),
        )
    starting = ("start a node, until it serves", lambda: cluster.start_nodes([follower]))
    few = max(1, REPEATS // 2)
    await measure(
        ("kill a node", lambda: cluster.kill([follower], lose_unsynced=False)), starting, repeats=few
    )
    await measure(("stop a node", lambda: cluster.stop_nodes([follower])), starting, repeats=few)
    return cut_ms


async def main() -> int:
    DockerCluster.check()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crosswind-faults-") as folder:
        cluster = DockerCluster(1, data_dir=Path(folder))
        try:
            await cluster.start()
            print(f"{'start of the cluster':<52} {1e3 * (time.monotonic() - began_s):>7.0f} ms", flush=True)
            cut_ms = await faults(cluster)
        finally:
            await cluster.stop()
    print(f"all of it: {time.monotonic() - began_s:.0f} s")
    if cut_ms >= PARTITION_MS:
        print(f"a partition takes {cut_ms:.0f} ms: more than the {PARTITION_MS:g} ms it may", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except ClusterError as error:
        sys.exit(f"docker_faults: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
