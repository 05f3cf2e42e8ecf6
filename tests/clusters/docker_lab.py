"""A Docker cluster in an event loop of its own, and what its containers say when they are asked past it."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from system.client import Append, Refused, Unresolved
from system.clusters.docker import DockerCluster

T = TypeVar("T")
Link = tuple[str, str]

SEED = 7
# An election takes a second or two; the rest is for a busy host.
DEADLINE_S = 20.0
HARMS = ("dropped", "duplicated", "reordered", "corrupted", "queued")
_numbers = itertools.count()


class Running:
    """project: of compose, as `docker` lists it."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.cluster = DockerCluster(SEED, data_dir=directory, **options)
        try:
            self.run(self.cluster.start())
        except BaseException:
            self.runner.close()
            raise
        up = self.cluster._running("test")
        self.project, self._container = up.slot.project, up.container

    def stop(self) -> None:
        try:
            self.run(self.cluster.stop())
        finally:
            self.runner.close()

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    def until(
        self, ask: Callable[[], Awaitable[T]], good: Callable[[T], Any], timeout_s: float = DEADLINE_S
    ) -> T:
        async def wait() -> T:
            async with asyncio.timeout(timeout_s):
                while not good(answer := await ask()):
                    await asyncio.sleep(0.05)
            return answer

        return self.runner.run(wait())

    def leader(self) -> str:
        return str(self.until(self.cluster.leader, bool))

    def others(self, node: str) -> list[str]:
        return [other for other in self.cluster.nodes if other != node]

    def links_of(self, node: str) -> list[Link]:
        return [link for other in self.others(node) for link in ((node, other), (other, node))]

    def commit(self, site: str = "client-gcp", timeout_s: float = DEADLINE_S) -> int:
        """Has a command acknowledged to a client of that site; its log index."""
        return int(self.run(commit(self.cluster, site, timeout_s)))

    def put(self, request: Any, site: str = "client-gcp") -> Any:
        """Has a worker carry a request to the object store out; raises Refused or Unresolved."""

        async def work() -> Any:
            client = self.cluster.client(site, client_id=f"w{next(_numbers)}", service="workers")
            await client.open(1.0)
            try:
                return await client.submit(request)
            finally:
                await client.close()

        return self.run(work())

    def online(self, workers: Iterable[str]) -> None:
        """Waits until the leader says so of them."""
        self.until(
            self.cluster.worker_states,
            lambda said: said is not None and all(said["workers"].get(w) == "online" for w in workers),
            timeout_s=30,
        )

    def rules(self, site: str) -> list[str]:
        """The firewall of a control-plane node as its container sees it."""
        return docker("exec", "--user=root", self._container(site), "iptables", "-S").split("\n")

    def drops(self, site: str) -> list[str]:
        return [rule for rule in self.rules(site) if rule.startswith("-A CROSSWIND ") and "DROP" in rule]

    def inspect(self, site: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", self._container(site)))[0]
        return found

    def shell(self, site: str, command: str) -> str:
        return docker("exec", "--user=root", self._container(site), "sh", "-c", command)

    def gateway_counts(self) -> dict[str, Any]:
        """Of every ordered pair of control-plane nodes, as the gateway has them."""
        links = [(a, b) for a in self.cluster.nodes for b in self.cluster.nodes if a != b]
        request = json.dumps({"id": 1, "verb": "counts", "links": links})
        said = docker(
            *("exec", "-i", "--user=root", self._container("gateway")),
            *("python", "-m", "compose.gateway.control"),
            stdin=request + "\n",
        )
        counts: dict[str, Any] = json.loads(said)["ok"]
        return counts

    @contextmanager
    def forced_fallback(self) -> Iterator[None]:
        """As where the engine's processes are not this host's."""
        from system.clusters import firewall

        at_hand = firewall._at_hand
        firewall._at_hand = lambda condition: False
        try:
            yield
        finally:
            firewall._at_hand = at_hand

    def heal(self) -> None:
        """Whatever is in force."""
        cluster = self.cluster
        everybody = [*cluster.services, *cluster.nodes, *cluster.workers]
        self.run(cluster.resume(everybody))
        self.run(cluster.start_nodes(everybody))
        self.run(cluster.mend([(a, b) for a in cluster.nodes for b in cluster.nodes if a != b]))
        self.run(cluster._running("test").shaping.clear())

    def assert_healed(self) -> None:
        """It commits; no rule, no frozen container and no harm of the gateway's is left."""
        nodes = self.cluster.nodes
        everybody = [*self.cluster.services, *nodes, *self.cluster.workers]
        states = {site: self.inspect(site)["State"]["Status"] for site in everybody}
        assert states == dict.fromkeys(everybody, "running")
        assert {node: self.drops(node) for node in nodes} == {node: [] for node in nodes}
        before = self.gateway_counts()
        self.commit()
        after = self.until(self._counts_with_dwell, bool)
        for link, counts in (after or {}).items():
            assert [counts[harm] - before[link][harm] for harm in HARMS] == [0] * len(HARMS), link
            assert counts["dwell_ms"] < 25 + 40, (link, counts)  # nothing is added; but the host may be busy

    async def _counts_with_dwell(self) -> dict[str, Any] | None:
        """Once there were packets on every link lately. Followers have keepalives for each other alone."""
        counts = await asyncio.to_thread(self.gateway_counts)
        return counts if all(count["dwell_ms"] is not None for count in counts.values()) else None


async def commit(cluster: DockerCluster, site: str, timeout_s: float) -> int:
    async with asyncio.timeout(timeout_s):
        while True:
            client = cluster.client(site, client_id=f"t{next(_numbers)}")
            try:
                await client.open(timeout_s)
                return int((await client.submit(Append("list", str(next(_numbers))))).index)
            except (Refused, Unresolved):
                continue  # an election is on, or the link was cut with the answer on it
            finally:
                await client.close()


def docker(*words: str, stdin: str | None = None) -> str:
    """What the command printed; raises where it failed."""
    done = subprocess.run(
        ["docker", *words], input=stdin, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}"
    return done.stdout.strip()


def left_of(project: str) -> list[str]:
    """Containers, networks and volumes of a compose project."""
    label = f"--filter=label=com.docker.compose.project={project}"
    listings: Sequence[tuple[str, ...]] = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    return [name for words in listings for name in docker(*words, "--quiet", label).split()]
