"""What a Docker cluster has while it runs: its containers, the ways to them, and the measure of this host."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from system.clusters import compose, launch, slots
from system.clusters.addresses import Pair
from system.clusters.containers import Containers
from system.clusters.engine import Condition, Engine
from system.clusters.errors import ClusterError
from system.clusters.firewall import Firewall
from system.clusters.pipe import LINE_BYTES, Pipe
from system.clusters.remote import RemoteObserver
from system.clusters.shaping import Shaping
from system.clusters.slots import Slot
from system.clusters.supervision import Supervision, last_lines

START_TIMEOUT_S = 60.0
MOST_PASSED_OVER = 3


class Deployment:
    """What a Docker cluster has while it runs. nodes, workers: those it speaks gRPC with."""

    def __init__(
        self, engine: Engine, slot: Slot, data_dir: Path, nodes: Sequence[str], workers: Sequence[str]
    ) -> None:
        self.engine = engine
        self.slot = slot
        self.cluster_id = ""
        self._ports = dict.fromkeys(nodes, compose.GRPC_PORT) | dict.fromkeys(workers, compose.WORKER_PORT)
        self.containers = Containers(engine, self.container, self._started, self._ending)
        self.firewall = Firewall(engine, compose.homes(slot.number), self.container)
        self.shaping = Shaping()
        self.carriers: dict[str, Pipe] = {}
        self.observer: RemoteObserver | None = None
        self.cut_from: dict[Pair, tuple[int, int]] = {}
        self.taken_over = False
        self._data_dir = data_dir
        self._pipes: list[Pipe] = []
        self._supervision: Supervision | None = None

    def container(self, site: str) -> str:
        return compose.container(self.slot.number, site)

    async def watch_host(self, scratch: bool) -> None:
        """A supervisor ends the measure of the host's lag when this process is gone, however it went."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._supervision = await Supervision.start(
            self._data_dir / "supervisor.log",
            lambda exit_: None,
            scratch=self._data_dir if scratch else None,
        )
        await self._supervision.ask("open", nodes=[], dials=[], delays_s=[], seed=0)
        argv = launch.ticker_command(self._data_dir / "lag.jsonl")
        env = launch.inherited_environment()
        await self._supervision.ask(
            "spawn", name="ticker", argv=argv, env=dict(env), directory=str(self._data_dir)
        )

    async def _observe(self) -> None:
        """Opens the way to the clients of each cloud, and to who looks on."""
        command = ["python", "-m", "system.clusters.carrier"]
        uids = [*compose.CLIENT_UIDS.values(), compose.OBSERVER_UID]
        *carriers, looking = await asyncio.gather(
            *(self._pipe(compose.CLIENTS, command, user=str(uid)) for uid in uids)
        )
        self.carriers = dict(zip(compose.CLIENT_UIDS, carriers, strict=True))
        await looking.ask(
            "observe",
            timeout_s=START_TIMEOUT_S,
            cluster_id=self.cluster_id,
            grpc_addresses={name: f"{name}:{port}" for name, port in self._ports.items()},
            http_addresses={name: f"{name}:{compose.HTTP_PORT}" for name in self._ports}
            | {compose.STORE: f"{compose.STORE}:{compose.STORE_PORT}"},
        )
        self.observer = RemoteObserver(looking)

    async def serves(self, name: str) -> bool:
        """Whether a node, a worker or the store answers as one that can be used."""
        assert self.observer is not None
        if name != compose.STORE:
            return await self.observer.serving(name, timeout_s=0.5)
        answer = await self.observer.get(name, "/")
        return answer is not None and answer[0] < 500

    async def close(self) -> None:
        await asyncio.gather(*(pipe.close(ended_within_s=1.0) for pipe in self._pipes))
        if self._supervision is not None:
            await self._supervision.close()
        self.slot.release()
        self.engine.close()

    async def _started(self, site: str, condition: Condition) -> None:
        if site in self._ports:
            await self.firewall.prepare(site, condition)
        if site == compose.CLIENTS:
            await self._observe()
        if site == compose.GATEWAY:
            command = ["python", "-m", "compose.gateway.control"]
            await self.shaping.use(await self._pipe(compose.GATEWAY, command, user="root"))

    async def _ending(self, site: str) -> None:
        await self._keep_counts(site)
        self.firewall.gone(site)
        if site == compose.GATEWAY:
            self.shaping.gone()

    async def _keep_counts(self, site: str) -> None:
        """What was counted there since a cut began goes with the container, and counts nevertheless."""
        with contextlib.suppress(ClusterError):
            counts = await self.firewall.counts([link for link in self.cut_from if link[1] == site])
            for link, (held_bytes, passed_bytes) in counts.items():
                held_before, passed_before = self.cut_from[link]
                self.cut_from[link] = held_before - held_bytes, passed_before - passed_bytes

    async def _pipe(self, site: str, argv: Sequence[str], user: str) -> Pipe:
        """To a process of its own in the site's container."""
        log = self._data_dir / f"{site}-{user}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *compose.exec_command(self.container(site), argv, user=user),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                limit=LINE_BYTES,
            )
        pipe = Pipe(process, f"{argv[-1]} in {site}", last_words=lambda: last_lines(log))
        self._pipes.append(pipe)
        return pipe


def free_slot(engine: Engine) -> Slot:
    """A slot that is rid of what a harness that was killed left there. One that cannot be cleared is passed
    over: engines have been seen to keep a network for ever."""
    taken = engine.subnets_of_others(slots.PROJECT)
    passed_over: list[Slot] = []
    try:
        while True:
            slot = slots.lease(taken)
            try:
                engine.remove_project(slot.project)
            except ClusterError:
                passed_over.append(slot)
                if len(passed_over) == MOST_PASSED_OVER:
                    raise
            else:
                return slot
    finally:
        for slot in passed_over:
            slot.release()
