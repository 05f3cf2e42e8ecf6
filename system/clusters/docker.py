"""The Docker cluster: nine containers on three networks, real gRPC, real fsync, every cloud behind a gateway.

It is a compose project of its own on subnets of its own (slots.py). Clients run in a tenth container; this
host dials nobody in it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from system.client import Service
from system.clusters import compose, launch, observer, sites, slots
from system.clusters.addresses import Pair
from system.clusters.clock import HostClock
from system.clusters.containers import DATA
from system.clusters.deployment import START_TIMEOUT_S, Deployment, free_slot
from system.clusters.engine import Engine
from system.clusters.errors import ClusterError
from system.clusters.links import CutKind
from system.clusters.remote import RemoteClient

Facts = dict[str, Any]

# A cut is seen when something was dropped on each link, or this long has passed.
SEEN_WITHIN_S = 2.0
POLL_S = 0.05


class DockerCluster:
    """Three control-plane nodes, four workers, the gateway and the object store, a container each.

    cross_cloud_ms: one way, between clouds. mutant: start the control plane with this bug planted.
    data_dir: where the measure of the host's lag and the pipes' errors go
    store: it has one, whether it is asked for or not
    attach: use the cluster of `make sim-up`, with its control plane's data wiped, and leave it running
    env: further variables of the compose file (compose/.env.example)

    starts, exits: as LocalCluster has them. Facts of the verbs are as nemesis/nemesis.py has them; verbs take
    the names of workers and services too.
    """

    name = "docker"
    node_counts = (3,)
    capabilities = frozenset(
        {"cut", "pause", "kill", "delay", "lose", "duplicate", "reorder", "corrupt", "rate"}
        | set(compose.SERVICES)
    )

    def __init__(
        self,
        seed: int,
        *,
        nodes: int = 3,
        cross_cloud_ms: float = 25.0,
        data_dir: Path,
        scratch: bool = False,
        mutant: str | None = None,
        store: bool = True,
        attach: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if nodes not in self.node_counts:
            raise ClusterError(f"the Docker cluster has 3 control-plane nodes, not {nodes}")
        self.nodes = sites.control_plane(nodes)
        self.workers = sites.WORKERS
        self.services = compose.SERVICES
        self.homes = dict(sites.HOMES)
        self.client_sites = sites.CLIENT_SITES
        self.cluster_id = f"docker-{seed}"
        self._data_dir = data_dir.absolute()
        self._scratch = scratch
        self._env = {
            "CLUSTER_ID": self.cluster_id,
            "RAFT_SEED": str(seed),
            "WORKER_SEED": str(seed),
            "GATEWAY_SEED": str(seed),
            "CROSS_CLOUD_LATENCY_MS": f"{2 * cross_cloud_ms:g}",
            "CP_COMMAND": " ".join(["python", *launch.node_command(mutant)[1:]]),
            **(env or {}),
        }
        self.starts: dict[str, int] = {}
        self.exits: list[Facts] = []
        self._attach = attach
        # A store that we are attached to still has other runs' objects.
        self._prefix = f"{time.time_ns():x}/" if attach else ""
        self._up: Deployment | None = None

    clock = HostClock

    @staticmethod
    def check() -> None:
        """Raises ClusterError where this machine cannot have one: no engine, no images of these sources."""
        Engine().close()
        compose.check_images()

    # Starting and stopping.

    async def start(self) -> None:
        """Returns when every control-plane node answers SERVING. Raises ClusterError, which names who did not
        and shows its last log lines; nothing is left behind then."""
        if self._up is not None:
            raise ClusterError("this cluster was started already")
        engine = await asyncio.to_thread(Engine)
        slot = slots.attach() if self._attach else await asyncio.to_thread(free_slot, engine)
        self._up = up = Deployment(engine, slot, self._data_dir, self.nodes, self.workers)
        self.starts, self.exits = up.containers.starts, up.containers.exits
        try:
            await up.watch_host(self._scratch)
            await (self._take_over(up) if self._attach else self._create(up))
            up.cluster_id = self.cluster_id
            await up.containers.start([*self.services, *self.nodes, compose.CLIENTS])
            await self._until_serving([*self.nodes, compose.STORE])
            await up.containers.start(self.workers)  # one of which makes the store's bucket
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Removes every container, network and volume; heals a cluster that we are attached to, and removes
        only what is ours. Idempotent."""
        up, self._up = self._up, None
        if up is None:
            return
        try:
            if not self._attach:
                await asyncio.to_thread(up.engine.remove_project, up.slot.project)
            elif up.taken_over:
                await self._let_go(up)
        finally:
            await up.close()

    async def save_logs(self, into: Path) -> None:
        """As LocalCluster.save_logs: everybody stands still meanwhile. A cluster that does not run has
        nothing left to save."""
        lag_file = self._data_dir / "lag.jsonl"
        into.mkdir(parents=True, exist_ok=True)
        if self._up is not None:
            await self._save_nodes(self._up, into)
        (into / "lag.jsonl").write_bytes(lag_file.read_bytes() if lag_file.exists() else b"")
        (into / "exits.jsonl").write_text("".join(json.dumps(facts) + "\n" for facts in self.exits))

    async def _save_nodes(self, up: Deployment, into: Path) -> None:
        names = [*self.nodes, *self.workers]
        metrics = await asyncio.gather(*(self.metrics(name) for name in names))
        await up.containers.note_exits()
        await up.containers.pause(names)
        try:
            await asyncio.gather(
                *(
                    up.containers.save(name, into / name, text)
                    for name, text in zip(names, metrics, strict=True)
                )
            )
        finally:
            await up.containers.resume(names)

    # Where everybody is, and how they are.

    def addresses(self, site: str) -> dict[str, str]:
        """{control-plane node: "host:port"}, the same from everywhere: names mean home addresses."""
        return {node: f"{node}:{compose.GRPC_PORT}" for node in self.nodes}

    def worker_addresses(self, site: str) -> dict[str, str]:
        """{worker: "host:port"} likewise."""
        return {worker: f"{worker}:{compose.WORKER_PORT}" for worker in self.workers}

    def client(
        self,
        site: str,
        *,
        client_id: str,
        pinned: str | None = None,
        retry: bool = False,
        service: Service = "control-plane",
    ) -> RemoteClient:
        """A logical client that stands at this site, in the container of the clients."""
        how: Facts = {"cluster_id": self.cluster_id, "pinned": pinned}
        if service == "workers":
            how |= {"addresses": self.worker_addresses(site), "prefix": self._prefix}
        else:
            how |= {"addresses": self.addresses(site), "retry": retry}
        return RemoteClient(self._running("client").carriers[sites.cloud(site)], service, client_id, how)

    async def status(self, node: str) -> dict[str, Any] | None:
        """What the node says of itself (Observer.status); None where it does not answer."""
        return await self._up.observer.status(node) if self._up and self._up.observer else None

    async def statuses(self) -> dict[str, dict[str, Any]]:
        """Of the nodes that answer."""
        return await observer.statuses(self.status, self.nodes)

    async def leader(self) -> str | None:
        """Who says that it leads, of the highest term."""
        return observer.leader(await self.statuses())

    async def worker_states(self) -> dict[str, Any] | None:
        """{"node": the leader, "workers": {id: status}} as the leader's /cluster-state has it."""
        looking = self._up.observer if self._up else None
        return await observer.worker_states(looking, await self.leader()) if looking else None

    async def metrics(self, name: str) -> bytes | None:
        """What a node says in Prometheus's format; None where it does not answer."""
        looking = self._up.observer if self._up else None
        answer = await looking.get(name, "/metrics") if looking else None
        return answer[1] if answer and answer[0] == 200 else None

    async def still_harmed(self) -> list[str]:
        up = self._running("still_harmed")
        return [
            *await up.firewall.still_cut(),
            *await up.shaping.still_harmed(),
            *await up.containers.still_frozen([*self.services, *self.nodes, *self.workers]),
        ]

    # Links.

    async def cut(self, links: Sequence[Pair], kind: CutKind) -> Facts:
        """Packets only: what a container says about its connection cannot be told from its messages."""
        if kind != "packets":
            raise ClusterError(f"the Docker cluster cuts packets, not {kind}")
        up = self._running("cut")
        await up.firewall.cut(links)
        up.cut_from |= await up.firewall.counts([*links, *_reversed(links)])
        deadline_s = time.monotonic() + SEEN_WITHIN_S
        while True:
            facts = await self.link_evidence(links)
            held = all(facts[f"{a}->{b}"]["held_bytes"] for a, b in links)
            if held or time.monotonic() > deadline_s:
                return facts
            await asyncio.sleep(POLL_S)

    async def mend(self, links: Sequence[Pair]) -> Facts:
        facts = await self.link_evidence(links)
        await self._running("mend").firewall.mend(links)
        return facts

    async def link_evidence(self, links: Sequence[Pair]) -> Facts:
        """The same facts as cut and mend give, up to now: of packets, whatever is in them."""
        up = self._running("link_evidence")
        counts = await up.firewall.counts([*links, *_reversed(links)])
        facts = {}
        for (a, b), (held_bytes, passed_bytes) in counts.items():
            held_before, passed_before = up.cut_from.get((a, b), (0, 0))
            facts[f"{a}->{b}"] = {
                "held_bytes": max(0, held_bytes - held_before),
                "passed_bytes": max(0, passed_bytes - passed_before),
            }
        return facts

    async def delay(self, links: Sequence[Pair], extra_ms: float, jitter_ms: float) -> Facts:
        return await self._running("delay").shaping.delay(links, extra_ms, jitter_ms)

    async def undelay(self, links: Sequence[Pair]) -> Facts:
        return await self._running("undelay").shaping.undelay(links)

    async def shape(self, links: Sequence[Pair], how: Mapping[str, float]) -> Facts:
        return await self._running("shape").shaping.shape(links, how)

    async def unshape(self, links: Sequence[Pair], which: Sequence[str]) -> Facts:
        return await self._running("unshape").shaping.unshape(links, which)

    # Processes.

    async def pause(self, nodes: Sequence[str]) -> Facts:
        return await self._running("pause").containers.pause(nodes)

    async def resume(self, nodes: Sequence[str]) -> Facts:
        return await self._running("resume").containers.resume(nodes)

    async def kill(self, nodes: Sequence[str], *, lose_unsynced: bool) -> Facts:
        containers = self._running("kill").containers
        facts = await containers.kill(nodes)
        for node in nodes:
            lost = await containers.lose_unsynced(node) if lose_unsynced else 0
            facts[node]["lost_bytes"] = lost
        return facts

    async def stop_nodes(self, nodes: Sequence[str]) -> Facts:
        return await self._running("stop_nodes").containers.stop(nodes)

    async def start_nodes(self, nodes: Sequence[str]) -> Facts:
        facts = await self._running("start_nodes").containers.start(nodes)
        await self._until_serving([node for node in nodes if node != compose.GATEWAY])
        return facts

    # Inside.

    @property
    def _everybody(self) -> list[str]:
        return [*self.services, *self.nodes, *self.workers]

    async def _create(self, up: Deployment) -> None:
        env = compose.environment(up.slot.number) | self._env
        realtime = await up.engine.has_realtime(compose.GATEWAY_IMAGE, compose.REALTIME_US)
        await compose.create(up.slot.project, env, realtime=realtime)

    async def _take_over(self, up: Deployment) -> None:
        """Heals what a harness that was killed left in force, too."""
        there = await up.engine.services(up.slot.project)
        if missing := [name for name in self._everybody if name not in there]:
            raise ClusterError(f"no cluster to attach to, without {missing[0]}: `make sim-up` starts one")
        old = [name for name in self._everybody if not await up.engine.is_current(there[name])]
        if old:
            raise ClusterError(f"{old[0]} runs an older image than there is now: make sim-down sim-up")
        up.taken_over = True
        self.cluster_id = await up.engine.variable(there[self.nodes[0]], "CLUSTER_ID")
        await compose.add_clients(up.slot.project)
        await up.containers.resume(self._everybody)
        await up.containers.kill(self.nodes)
        await asyncio.gather(*(up.engine.wipe(there[node], DATA) for node in self.nodes))

    async def _let_go(self, up: Deployment) -> None:
        await up.containers.resume(self._everybody)
        await up.containers.start(self._everybody)
        await up.shaping.clear()
        await up.firewall.open()
        clients = (await up.engine.services(up.slot.project)).get(compose.CLIENTS)
        if clients is not None:
            await up.engine.remove(clients)

    def _running(self, verb: str) -> Deployment:
        if self._up is None:
            raise ClusterError(f"the cluster is not running: `{verb}` needs one that was started")
        return self._up

    async def _until_serving(self, names: Sequence[str]) -> None:
        await asyncio.gather(*map(self._until_one_serves, names))

    async def _until_one_serves(self, name: str) -> None:
        """Raises ClusterError where its container ends before, or the time does."""
        up = self._running("start")
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not await up.serves(name):
            condition = await up.engine.condition(up.container(name))
            if not condition.runs or time.monotonic() > deadline_s:
                went = f"ended with code {condition.exit_code} while starting"
                late = f"did not answer within {START_TIMEOUT_S:g} s"
                said = b"".join(await up.engine.logs(up.container(name))).decode("utf-8", "replace")
                last = "".join(f"\n  {line[:300]}" for line in said.splitlines()[-5:])
                raise ClusterError(
                    f"{name} {late if condition.runs else went}; its last lines:{last or ' none'}"
                )
            await asyncio.sleep(POLL_S)


def _reversed(links: Sequence[Pair]) -> list[Pair]:
    return [(b, a) for a, b in links]
