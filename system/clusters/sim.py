"""The simulated cluster: the same replicas, clients and workers in one process, under virtual time.

Everything that happens is an event of one loop (system/simulation/), everything random a function of the
seed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from system.client import Client, Service
from system.clusters import observer, sites
from system.clusters.clock import VirtualClock
from system.clusters.errors import ClusterError
from system.clusters.sites import cloud
from system.control_plane.wal_format import WalError
from system.simulation.draws import Draws
from system.simulation.harms import POLL_S, Harms
from system.simulation.knobs import MS, Knobs
from system.simulation.network import Network, Pair
from system.simulation.node import BOOT_NS, SimNode, Watching, ledger_term, terms
from system.simulation.shell import ShellNode
from system.simulation.stub import SimConversation, SimRegistry, SimStub
from system.worker.agent import Agent
from system.worker.config import AddressBook, Config

# What agents log of their search for a leader is worth nothing here.
logging.getLogger("system").addHandler(logging.NullHandler())

Facts = dict[str, Any]
SEEN_WITHIN_S = 2.0
# How long a majority that nothing harms may leave a command unanswered, where election timeouts are wide.
PROGRESS_NS = 6_000 * MS
WIDE_MS = 200
# Noise that a majority must put up with: a share of the packets.
NOISE = 0.06
FNV = 0x100000001B3
MASK = (1 << 64) - 1


class SimCluster(Harms):
    """A cluster of 1, 3 or 5 control-plane nodes and four workers, in three clouds, on a loop of its own.

    knobs: what it is tuned to (None: as the real clusters). keeps_events: whether nodes keep event logs,
    which a verdict from a run's files needs. watch: given this cluster's accessors, makes who is told of
    everything that happens inside (checkers.inside.Watchdog); None: nobody is

    trace_hash: of every step so far; the same seed and schedule give the same one, everywhere.
    """

    name = "sim"
    node_counts = (1, 3, 5)
    capabilities = frozenset(
        {"cut", "cut-messages", "pause", "kill", "delay", "lose", "duplicate", "reorder", "corrupt", "rate"}
        | {"hold", "trigger", "disk", "clock", "elections"}
    )
    services: tuple[str, ...] = ()
    homes: Mapping[str, str] = {}
    client_sites = sites.CLIENT_SITES

    def __init__(
        self,
        seed: int,
        *,
        nodes: int = 3,
        cross_cloud_ms: float = 25.0,
        knobs: Knobs | None = None,
        keeps_events: bool = True,
        watch: Callable[..., Watching] | None = None,
        clock: VirtualClock | None = None,
        workers: bool = True,
        **_: Any,
    ) -> None:
        super().__init__()
        knobs = knobs or Knobs()
        self.loop = (clock or VirtualClock()).loop
        self.seed = seed
        self.knobs = knobs
        self.nodes = sites.control_plane(nodes)
        self.workers = sites.WORKERS if workers else ()
        self.cluster_id = f"sim-{seed}"
        self.keeps_events = keeps_events
        self.starts: dict[str, int] = {}
        self.exits: list[Facts] = []
        self.trace_hash = 0xCBF29CE484222325
        self.steps: list[tuple[int, int, int, int]] | None = [] if keeps_events else None
        self.network = Network(self.loop, seed, knobs, cross_cloud_ms)
        self._nodes: dict[str, SimNode] = {}
        self.watching = watch(self.nodes, self._term_at, self._terms) if watch is not None else None
        host = ShellNode if knobs.shell else SimNode
        self._nodes |= {name: host(self, name, number, seed, knobs) for number, name in enumerate(self.nodes)}
        self._draws = Draws(seed, "cluster")
        self._stubs: dict[Pair, SimStub] = {}
        self._agents: dict[str, asyncio.Task[None]] = {}
        self._asked_to_end: set[str] = set()
        self._calm_ns = 0
        self._healthy = 0

    clock = VirtualClock

    @staticmethod
    def check() -> None:
        """It runs wherever Python does."""

    def now_ns(self) -> int:
        return self.loop.now_ns

    # Starting and stopping.

    async def start(self) -> None:
        for name in self.nodes:
            self._boot(name)
        for worker in self.workers:
            self._start_worker(worker)
        self._changed()

    async def stop(self) -> None:
        """Idempotent."""
        for agent in self._agents.values():
            agent.cancel()
        self._agents.clear()
        for node in self._nodes.values():
            node.close()

    async def save_logs(self, into: Path) -> None:
        """As the local cluster's: events-*.jsonl and wal.jsonl of each node, lag.jsonl, exits.jsonl, and
        besides trace.jsonl: every step."""
        for name, node in self._nodes.items():
            directory = into / name
            directory.mkdir(parents=True)
            for number, events in enumerate(node.events, start=1):
                lines = (json.dumps(event, separators=(",", ":")) + "\n" for event in events)
                (directory / f"events-{number:04d}.jsonl").write_text("".join(lines))
            if node.disk.exists:
                (directory / "wal.jsonl").write_bytes(node.disk.data())
        (into / "lag.jsonl").write_text("")
        (into / "exits.jsonl").write_text("".join(json.dumps(facts) + "\n" for facts in self.exits))
        with (into / "trace.jsonl").open("w") as file:
            file.writelines(f"[{t},{node},{what},{number}]\n" for t, node, what, number in self.steps or ())

    # What happens inside.

    def trace(self, node: int, what: int, number: int) -> None:
        """A step: node `number` took in a message (1 to 4), a request (5), a sync (6), its timer (7), or was
        killed (9)."""
        now_ns = self.loop.now_ns
        step = (now_ns << 8) + (node << 4) + what + (number << 20)
        self.trace_hash = ((self.trace_hash ^ step) * FNV) & MASK
        if self.steps is not None:
            self.steps.append((now_ns, node, what, number))

    def peer(self, name: str) -> SimNode:
        return self._nodes[name]

    def asks(self) -> None:
        """A client asked for something to be done."""
        if self.watching is not None:
            self.watching.asked(self.loop.now_ns)

    def ended(self, node: SimNode, why: str) -> None:
        """A node ended by itself."""
        self._changed()
        if node.name not in self._asked_to_end:
            self.exits.append({"node": node.name, "time_ns": self.loop.now_ns, "code": 4, "why": why})

    def finish(self) -> None:
        """Judges the last stretch of calm."""
        self._changed()

    def _term_at(self, node: str, index: int) -> int | None:
        return ledger_term(self._nodes[node], index)

    def _terms(self, node: str) -> list[int]:
        return terms(self._nodes[node])

    def _changed(self) -> None:
        """Something breaks or is mended now. Until now a majority that nothing harmed had to go on."""
        watching, now_ns = self.watching, self.loop.now_ns
        if watching is not None:
            bound_ns = self._progress_bound_ns()
            watching.calm(self._calm_ns, now_ns, self._healthy, bound_ns)
        self._calm_ns = now_ns
        self._healthy = self._largest_healthy()

    def _harmed(self) -> None:
        """Who can be asked to go on from now on."""
        self._healthy = self._largest_healthy()

    def _progress_bound_ns(self) -> int:
        low, high = self.knobs.election_ms
        return PROGRESS_NS if high - low >= WIDE_MS else 10 * PROGRESS_NS

    def _largest_healthy(self) -> int:
        """How many nodes there are, at most, that run and all hear each other well."""
        nodes = self._nodes.items()
        up = [name for name, n in nodes if n.listens and not n.paused and n.disk.slow <= 1]
        for size in range(len(up), 0, -1):
            for group in combinations(up, size):
                if all(self.network.is_good(a, b, NOISE) for a in group for b in group if a != b):
                    return size
        return 0

    def _boot(self, name: str) -> None:
        """Takes a moment. A node whose log must not be used stays down."""
        self.loop.at(self.loop.now_ns + self._draws.between(*BOOT_NS), self._come_up, name)

    def _come_up(self, name: str) -> None:
        node = self._nodes[name]
        if node.listens:
            return
        try:
            node.start()
        except WalError as error:
            if name in self._flipped:
                return  # as it must
            self.exits.append({"node": name, "time_ns": self.loop.now_ns, "code": 3, "why": str(error)})
            return
        self._starts_on_a_flipped_log(name)
        self.starts[name] = self.starts.get(name, 0) + 1
        self._changed()

    # Where everybody is, and how they are.

    def addresses(self, site: str) -> dict[str, str]:
        return {node: node for node in self.nodes}

    def worker_addresses(self, site: str) -> dict[str, str]:
        return {worker: worker for worker in self.workers}

    def client(
        self,
        site: str,
        *,
        client_id: str,
        pinned: str | None = None,
        retry: bool = False,
        service: Service = "control-plane",
    ) -> Client:
        if service == "workers":
            raise ClusterError(
                "the simulator's workers run no tasks; a workload of theirs needs a real cluster"
            )
        return Client(
            self.addresses(site),
            cluster_id=self.cluster_id,
            client_id=client_id,
            pinned=pinned,
            retry=retry,
            converse=lambda name, _: SimConversation(self._stub(site, name), self._nodes[name]),
        )

    def _stub(self, site: str, name: str) -> SimStub:
        if (site, name) not in self._stubs:
            self._stubs[site, name] = SimStub(self.network, site, self._nodes[name])
        return self._stubs[site, name]

    async def status(self, node: str) -> dict[str, Any] | None:
        return self._nodes[node].status()

    async def statuses(self) -> dict[str, dict[str, Any]]:
        answers = {name: node.status() for name, node in self._nodes.items()}
        return {name: answer for name, answer in answers.items() if answer is not None}

    async def leader(self) -> str | None:
        return observer.leader(await self.statuses())

    async def worker_states(self) -> dict[str, Any] | None:
        leader = await self.leader()
        if leader is None:
            return None
        views = self._nodes[leader].registry.views()
        return {"node": leader, "workers": {v.id: "online" if v.online else "offline" for v in views}}

    async def still_harmed(self) -> list[str]:
        flipped = [f"{node} has a flipped bit in its log" for node in sorted(self._flipped)]
        triggers = [f"a trigger waits for {trigger.kind}" for trigger in self._triggers.values()]
        of_nodes = [said for node in self._nodes.values() for said in node.still_harmed()]
        return [*self.network.still_harmed(), *of_nodes, *flipped, *triggers]

    # Links.

    async def cut(self, links: Sequence[Pair], kind: str) -> Facts:
        self._changed()
        self.network.cut(links, kind)
        self._harmed()
        await self._until_held(links)
        return self.network.bytes(links)

    async def mend(self, links: Sequence[Pair]) -> Facts:
        facts = self.network.bytes(links)
        self.network.mend(links)
        self._changed()
        return facts

    async def shape(self, links: Sequence[Pair], how: Mapping[str, float]) -> Facts:
        self._changed()
        self.network.shape(links, how)
        self._harmed()
        return self.network.packets(links, next(iter(how)))

    async def unshape(self, links: Sequence[Pair], which: Sequence[str]) -> Facts:
        facts = self.network.packets(links, which[0])
        self.network.unshape(links, which)
        self._changed()
        return facts

    async def delay(self, links: Sequence[Pair], extra_ms: float, jitter_ms: float) -> Facts:
        before = self._round_trips(links)
        self._changed()
        self.network.delay(links, extra_ms, jitter_ms)
        self._harmed()
        return _trips(before, self._round_trips(links))

    async def undelay(self, links: Sequence[Pair]) -> Facts:
        before = self._round_trips(links)
        self.network.undelay(links)
        self._changed()
        return _trips(before, self._round_trips(links))

    async def _until_held(self, links: Sequence[Pair]) -> None:
        """Returns when the cut was seen to take effect on each link, or after 2 s."""
        until_ns = self.loop.now_ns + int(SEEN_WITHIN_S * 1e9)
        while self.loop.now_ns < until_ns and not all(self.network.held_bytes(a, b) for a, b in links):
            await asyncio.sleep(POLL_S)

    def _round_trips(self, links: Sequence[Pair]) -> dict[Pair, float]:
        return {(a, b): self.network.round_trip_ms(a, b) for a, b in links}

    # Processes.

    async def pause(self, nodes: Sequence[str]) -> Facts:
        self._changed()
        for name in nodes:
            if name in self._nodes:
                self._nodes[name].pause()
            else:
                self._stop_worker(name)
        self._harmed()
        return {name: {"pid": self._pid(name), "state": self._state(name)} for name in nodes}

    async def resume(self, nodes: Sequence[str]) -> Facts:
        for name in nodes:
            if name in self._nodes:
                self._nodes[name].resume()
            elif name not in self._agents:
                self._start_worker(name)
        self._changed()
        return {name: {"pid": self._pid(name), "state": self._state(name)} for name in nodes}

    async def kill(self, nodes: Sequence[str], *, lose_unsynced: bool) -> Facts:
        self._changed()
        facts = {name: self._end(name, {}, lose_unsynced=lose_unsynced) for name in nodes}
        self._harmed()
        return facts

    async def stop_nodes(self, nodes: Sequence[str]) -> Facts:
        self._changed()
        facts = {name: self._end(name, {"exit_code": 0}, lose_unsynced=False) for name in nodes}
        self._harmed()
        return facts

    async def start_nodes(self, nodes: Sequence[str]) -> Facts:
        facts = {name: {"was_pid": self._pid(name)} for name in nodes}
        for name in nodes:
            self._asked_to_end.discard(name)
            if name in self._nodes:
                self._boot(name)
            elif name not in self._agents:
                self._start_worker(name)
        await asyncio.sleep((BOOT_NS[1] + MS) / 1e9)
        return {name: {"pid": self._pid(name), **facts[name]} for name in nodes}

    def _end(self, name: str, more: Facts, *, lose_unsynced: bool) -> Facts:
        pid, lost_bytes = self._pid(name), 0
        if name in self._nodes:
            self._asked_to_end.add(name)
            lost_bytes = self._nodes[name].crash(lose_unsynced=lose_unsynced)
        else:
            self._stop_worker(name)
        return {"pid": pid, "gone": True, "lost_bytes": lost_bytes, **more}

    def _pid(self, name: str) -> int:
        """Of the newest process; there are none, so boots are counted in their place."""
        if name in self._nodes:
            return 1000 * (self._nodes[name].number + 1) + self._nodes[name].boot
        return 100_000 + self.starts.get(name, 0)

    def _state(self, name: str) -> str:
        if name in self._nodes:
            return "T" if self._nodes[name].paused else "S"
        return "S" if name in self._agents else "T"

    # Workers: the real agent, on the virtual loop.

    def _start_worker(self, name: str) -> None:
        self.starts[name] = self.starts.get(name, 0) + 1
        config = Config(
            worker_id=name,
            cluster_id=self.cluster_id,
            cloud=cloud(name),
            listen_address=name,
            http_address=name,
            advertise_address=name,
            orchestrator=AddressBook(self.nodes),
            heartbeat_interval_s=5.0,
            seed=self.seed,
            store_endpoint=None,
            log_level="ERROR",
        )
        registry = SimRegistry({node: self._stub(name, node) for node in self.nodes})
        agent = Agent(config, registry, Random(f"{self.seed}/worker/{name}/{self.starts[name]}"))
        self._agents[name] = self.loop.create_task(agent.run())

    def _stop_worker(self, name: str) -> None:
        agent = self._agents.pop(name, None)
        if agent is not None:
            agent.cancel()


def _trips(before: Mapping[Pair, float], now: Mapping[Pair, float]) -> Facts:
    return {f"{a}->{b}": {"rtt_before_ms": ms, "rtt_ms": now[a, b]} for (a, b), ms in before.items()}
