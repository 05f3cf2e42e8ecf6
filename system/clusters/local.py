"""The local cluster: real processes on loopback addresses, real gRPC, real fsync, through links that can be
cut.

Needs no root and no containers. A supervisor process owns the links and the processes (supervisor.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from system.client import Client, Service
from system.clusters import disk, launch, object_store, observer, sites
from system.clusters.addresses import Pair
from system.clusters.clock import HostClock
from system.clusters.errors import ClusterError
from system.clusters.launch import Place
from system.clusters.links import CutKind
from system.clusters.observer import Observer
from system.clusters.round_trip import round_trip_ms
from system.clusters.supervision import Supervision, last_lines
from system.object_client import ObjectClient

Facts = dict[str, Any]

START_TIMEOUT_S = 40.0
# How long a round trip may take on top of the links' delay before it counts as unanswered.
ROUND_TRIP_TIMEOUT_S = 1.0


class LocalCluster:
    """A cluster of `nodes` (1, 3 or 5) control-plane nodes and, with `workers`, four workers, in three
    clouds.

    cross_cloud_ms: one way, between clouds; within one the links add nothing
    delays_ms: {(site, site): one way}: ordered pairs that differ from that
    data_dir: where nodes keep their data, one directory each; it stays when the cluster has stopped
    scratch: data_dir is a directory for this cluster alone, empty so far: where this process is gone without
        having stopped the cluster, it is removed
    mutant: start the control plane with this bug planted (system/mutants.py)
    store: start an object store too, the service minio, which workers reach through links (object_store.py)
    env: further environment of every process

    starts: {node: boots started}. exits: {"node", "time_ns", "code"} of processes that ended unasked.
    Facts of the verbs are as nemesis/nemesis.py has them; verbs take the names of workers and services too.
    """

    name = "local"
    node_counts = (1, 3, 5)
    # Of one with a store.
    capabilities = frozenset({"cut", "cut-messages", "pause", "kill", "delay", object_store.NAME})
    homes = sites.HOMES

    def __init__(
        self,
        seed: int,
        *,
        nodes: int = 3,
        workers: bool = True,
        cross_cloud_ms: float = 25.0,
        delays_ms: Mapping[Pair, float] | None = None,
        data_dir: Path,
        scratch: bool = False,
        mutant: str | None = None,
        store: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes = sites.control_plane(nodes)
        self.workers = sites.WORKERS if workers else ()
        self.services = tuple(sites.HOMES) if store else ()
        self.capabilities = type(self).capabilities - frozenset(sites.HOMES) | frozenset(self.services)
        self.client_sites = sites.CLIENT_SITES
        self.cluster_id = f"local-{seed}"
        self.starts: dict[str, int] = {}
        self.exits: list[Facts] = []
        self._seed = seed
        self._dials = sites.dials(self.nodes, self.workers, self.services)
        self._delays_ms = dict.fromkeys(sites.cross_cloud(self._dials), cross_cloud_ms) | dict(
            delays_ms or {}
        )
        self._data_dir = data_dir.absolute()
        self._scratch = scratch
        self._mutant = mutant
        self._env = dict(env or {})
        self._supervision: Supervision | None = None
        self._observer: Observer | None = None
        self._block = 0
        self._grpc: dict[str, str] = {}
        self._http: dict[str, str] = {}
        self._links: dict[Pair, str] = {}
        self._extra_ms: dict[Pair, float] = {}

    clock = HostClock

    @staticmethod
    def check() -> None:
        """Raises ClusterError where this machine cannot have one."""

    # Starting and stopping.

    async def start(self) -> None:
        """Returns when every control-plane node answers SERVING, and the store has its bucket. Raises
        ClusterError, which names who did not and shows its last log lines; nothing is left behind then."""
        try:
            await self._open()
            await self._spawn("ticker", launch.ticker_command(self._lag_file), {})
            names = [*self.nodes, *self.workers, *self.services]
            await self._start_all(names, until_serving=[*self.nodes, *self.services])
            for service in self.services:
                await asyncio.to_thread(object_store.make_bucket, self._grpc[service])
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends every process and every link. Idempotent."""
        observer, self._observer = self._observer, None
        supervision, self._supervision = self._supervision, None
        if observer is not None:
            await observer.close()
        if supervision is not None:
            await supervision.close()
        if self.services and supervision is not None:
            object_store.clean_up(self._block)

    async def save_logs(self, into: Path) -> None:
        """Copies what the nodes wrote to into/<node>/ (stdout.log, stderr.log, wal.jsonl, events-*.jsonl, and
        metrics.prom where the node still answers), to into/lag.jsonl and into/exits.jsonl.

        Everybody stands still meanwhile. A node that went on while others' logs were copied would, in the
        copies, commit what nobody else holds: after a crash in mid-run a correct system would look guilty.
        """
        names = [*self.nodes, *self.workers, *self.services]
        metrics = await asyncio.gather(*(self.metrics(name) for name in names))
        still = [name for name in names if name in self.starts] if self._supervision else []
        with contextlib.suppress(ClusterError):  # a supervisor that is gone has taken them with it
            await self._ask("pause", names=still)
        try:
            for name, text in zip(names, metrics, strict=True):
                await asyncio.to_thread(disk.save_node, self._directory(name), into / name, text)
        finally:
            with contextlib.suppress(ClusterError):
                await self._ask("resume", names=still)
        lag = self._lag_file.read_bytes() if self._lag_file.exists() else b""
        (into / "lag.jsonl").write_bytes(lag)
        (into / "exits.jsonl").write_text("".join(json.dumps(facts) + "\n" for facts in self.exits))

    # Where everybody is, and how they are.

    def addresses(self, site: str) -> dict[str, str]:
        """{control-plane node: "ip:port"} as dialled from a site, through its links."""
        return self._dialled(site, self.nodes)

    def client(
        self,
        site: str,
        *,
        client_id: str,
        pinned: str | None = None,
        retry: bool = False,
        service: Service = "control-plane",
    ) -> Client | ObjectClient:
        """A logical client that stands at this site. retry: means nothing to workers, which know no
        sessions."""
        if service == "workers":
            workers = self.worker_addresses(site)
            return ObjectClient(workers, cluster_id=self.cluster_id, client_id=client_id, pinned=pinned)
        return Client(
            self.addresses(site), cluster_id=self.cluster_id, client_id=client_id, pinned=pinned, retry=retry
        )

    def worker_addresses(self, site: str) -> dict[str, str]:
        """{worker: "ip:port"} likewise."""
        return self._dialled(site, self.workers)

    def grpc_address(self, node: str) -> str:
        """Where the node itself listens, past the links: for observation only."""
        return self._grpc[node]

    def http_address(self, node: str) -> str:
        return self._http[node]

    async def status(self, node: str) -> dict[str, Any] | None:
        """What the node says of itself (Observer.status); None where it does not answer."""
        return await self._observer.status(node) if self._observer else None

    async def statuses(self) -> dict[str, dict[str, Any]]:
        """Of the nodes that answer."""
        return await observer.statuses(self.status, self.nodes)

    async def leader(self) -> str | None:
        """Who says that it leads, of the highest term."""
        return observer.leader(await self.statuses())

    async def worker_states(self) -> dict[str, Any] | None:
        """{"node": the leader, "workers": {id: status}} as the leader's /cluster-state has it."""
        looking = self._observer
        return await observer.worker_states(looking, await self.leader()) if looking else None

    async def metrics(self, name: str) -> bytes | None:
        """What a node says in Prometheus's format; None where it does not answer."""
        if self._observer is None or name in self.services:
            return None
        answer = await self._observer.get(name, "/metrics")
        return answer[1] if answer and answer[0] == 200 else None

    async def still_harmed(self) -> list[str]:
        return list((await self._ask("still_harmed"))["said"])

    # Links.

    async def cut(self, links: Sequence[Pair], kind: CutKind) -> Facts:
        return await self._ask("cut", links=list(links), kind=kind)

    async def mend(self, links: Sequence[Pair]) -> Facts:
        return await self._ask("mend", links=list(links))

    async def link_evidence(self, links: Sequence[Pair]) -> Facts:
        """The same facts as cut and mend give, up to now."""
        return await self._ask("evidence", links=list(links))

    async def delay(self, links: Sequence[Pair], extra_ms: float, jitter_ms: float) -> Facts:
        return await self._change_delay(links, extra_ms, jitter_ms)

    async def undelay(self, links: Sequence[Pair]) -> Facts:
        return await self._change_delay(links, 0.0, 0.0)

    async def throttle(self, links: Sequence[Pair], rate_bytes_s: float | None) -> None:
        """None: as fast as it goes."""
        await self._ask("throttle", links=list(links), rate_bytes_s=rate_bytes_s)

    async def reset(self, links: Sequence[Pair]) -> Facts:
        """Resets the connections between two sites. Facts: {"a->b": {"reset_connections": int}}."""
        return await self._ask("reset", links=list(links))

    # Processes.

    async def pause(self, nodes: Sequence[str]) -> Facts:
        return await self._ask("pause", names=list(nodes))

    async def resume(self, nodes: Sequence[str]) -> Facts:
        return await self._ask("resume", names=list(nodes))

    async def kill(self, nodes: Sequence[str], *, lose_unsynced: bool) -> Facts:
        facts = await self._ask("kill", names=list(nodes))
        for node in nodes:
            lost = disk.lose_unsynced(self._directory(node)) if lose_unsynced else 0
            facts[node]["lost_bytes"] = lost
        return facts

    async def stop_nodes(self, nodes: Sequence[str]) -> Facts:
        return await self._ask("terminate", timeout_s=20.0, names=list(nodes))

    async def start_nodes(self, nodes: Sequence[str]) -> Facts:
        return await self._start_all(nodes, until_serving=nodes)

    # Inside.

    async def _open(self) -> None:
        if self._supervision is not None:
            raise ClusterError("this cluster was started already")
        self._data_dir.mkdir(parents=True, exist_ok=True)
        if self._scratch and any(self._data_dir.iterdir()):
            raise ClusterError(f"{self._data_dir} is not empty: give a scratch directory of its own")
        self._supervision = await Supervision.start(
            self._data_dir / "supervisor.log",
            self.exits.append,
            scratch=self._data_dir if self._scratch else None,
        )
        book = await self._ask(
            "open",
            nodes=[*self.nodes, *self.workers],
            stores=list(self.services),
            dials=self._dials,
            delays_s=[[a, b, delay_ms / 1e3] for (a, b), delay_ms in self._delays_ms.items()],
            seed=self._seed,
        )
        self._block, self._grpc, self._http = book["block"], book["grpc"], book["http"]
        self._links = {(a, b): address for a, b, address in book["links"]}
        self._observer = Observer(self.cluster_id, self._grpc, self._http)

    async def _ask(self, verb: str, *, timeout_s: float = 15.0, **arguments: Any) -> Facts:
        if self._supervision is None:
            raise ClusterError(f"the cluster is not running: `{verb}` needs one that was started")
        facts: Facts = await self._supervision.ask(verb, timeout_s=timeout_s, **arguments)
        return facts

    async def _start_process(self, name: str) -> Facts:
        if name in self.workers:
            env = launch.worker_environment(name, self.cluster_id, self._seed, self._place(name))
            for service in self.services:
                env |= object_store.worker_environment(self._links[name, service])
            facts = await self._spawn(name, self.worker_command(), env)
        elif name in self.services:
            facts = await self._spawn(
                name, self.store_command(), object_store.environment(self._directory(name))
            )
        else:
            env = launch.node_environment(name, self.cluster_id, self._seed, self._place(name))
            facts = await self._spawn(name, self.node_command(), env)
        if facts["pid"] != facts["was_pid"]:
            self.starts[name] = self.starts.get(name, 0) + 1
        return facts

    async def _spawn(self, name: str, argv: Sequence[str], own: Mapping[str, str]) -> Facts:
        env = {**launch.inherited_environment(), **own, **self._env}
        directory = str(self._directory(name))
        return await self._ask("spawn", name=name, argv=argv, env=env, directory=directory)

    def _place(self, name: str) -> Place:
        book = ",".join(f"{node}={address}" for node, address in self.addresses(name).items())
        return Place(self._grpc[name], self._http[name], book, self._directory(name))

    # Which process a node is; tests put their own here.

    def node_command(self) -> list[str]:
        return launch.node_command(self._mutant)

    def worker_command(self) -> list[str]:
        return launch.worker_command()

    def store_command(self) -> list[str]:
        return object_store.command(
            self._grpc[object_store.NAME], self._block, self._directory(object_store.NAME)
        )

    async def _start_all(self, names: Sequence[str], *, until_serving: Sequence[str]) -> Facts:
        """Returns once those answer. Raises ClusterError where one of `names` ends before."""
        ended, deadline_s = len(self.exits), time.monotonic() + START_TIMEOUT_S
        started = await asyncio.gather(*map(self._start_process, names))
        await asyncio.gather(
            *(self._until_one_serves(name, names, ended, deadline_s) for name in until_serving)
        )
        return dict(zip(names, started, strict=True))

    async def _until_one_serves(
        self, name: str, started: Sequence[str], ended: int, deadline_s: float
    ) -> None:
        """started: whose end is an error, among the exits from number `ended` on."""
        while not await self._serves(name):
            for facts in self.exits[ended:]:
                if facts["node"] in started:
                    code, node = facts["code"], facts["node"]
                    raise ClusterError(
                        f"{node} ended with code {code} while starting{self._last_words(node)}"
                    )
            if time.monotonic() > deadline_s:
                raise ClusterError(
                    f"{name} did not answer within {START_TIMEOUT_S:g} s{self._last_words(name)}"
                )

    async def _serves(self, name: str) -> bool:
        """Whether it answers; waits a while for it."""
        if name not in self.services:
            return bool(self._observer and await self._observer.serving(name, timeout_s=0.5))
        serving = await asyncio.to_thread(object_store.serves, self._grpc[name])
        if not serving:  # refused at once, it may be
            await asyncio.sleep(0.05)
        return serving

    def _last_words(self, name: str) -> str:
        directory = self._directory(name)
        return last_lines(directory / "stdout.log", directory / "stderr.log")

    def _dialled(self, site: str, whom: Sequence[str]) -> dict[str, str]:
        dialled = {node: self._links[site, node] for node in whom if (site, node) in self._links}
        if not dialled and whom not in ((), (site,)):
            raise ClusterError(f"no site is called {site}, or the cluster was not started")
        return dialled

    def _directory(self, name: str) -> Path:
        return self._data_dir / name

    @property
    def _lag_file(self) -> Path:
        return self._data_dir / "lag.jsonl"

    async def _change_delay(self, links: Sequence[Pair], extra_ms: float, jitter_ms: float) -> Facts:
        """Facts: {"a->b": {"rtt_before_ms", "rtt_ms"}}."""
        before = await self._round_trips_ms(links)
        await self._ask("delay", links=list(links), extra_s=extra_ms / 1e3, jitter_s=jitter_ms / 1e3)
        self._extra_ms |= dict.fromkeys(links, extra_ms + jitter_ms)
        after = await self._round_trips_ms(links)
        return {f"{a}->{b}": {"rtt_before_ms": before[a, b], "rtt_ms": after[a, b]} for a, b in links}

    async def _round_trips_ms(self, links: Sequence[Pair]) -> dict[Pair, float | None]:
        """{(a, b): from a to b and back}, dialled from whichever of the two dials the other."""

        async def measure(pair: Pair) -> float | None:
            there, back = pair, (pair[1], pair[0])
            connect_s = sum(self._delays_ms.get(way, 0.0) for way in (there, back)) / 1e3
            extra_s = sum(self._extra_ms.get(way, 0.0) for way in (there, back)) / 1e3
            timeout_s = ROUND_TRIP_TIMEOUT_S + 2 * connect_s + extra_s
            address = self._links.get(there) or self._links.get(back)
            http2 = not set(pair) & set(self.services)
            return await round_trip_ms(address, connect_s, timeout_s, http2=http2) if address else None

        # A pair and its reverse are the same round trip.
        pairs = dict.fromkeys(min((a, b), (b, a)) for a, b in links)
        trips = dict(zip(pairs, await asyncio.gather(*map(measure, pairs)), strict=True))
        return {(a, b): trips[min((a, b), (b, a))] for a, b in links}
