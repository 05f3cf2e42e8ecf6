"""The phases of one run, whatever the cluster: load and faults, heal, recovery, final reads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.clock import Clock, now_s
from harness.harm import Harm
from harness.load import Load
from harness.plan import Plan
from harness.recorder import Recorder
from harness.watch import Watch
from nemesis.nemesis import Step
from nemesis.schedule import draw
from workloads import WORKLOADS

LEADER_DEADLINE_S = 15.0
RECOVERY_DEADLINE_S = 20.0
WORKERS_DEADLINE_S = 20.0
FINAL_READS_DEADLINE_S = 20.0
SETTLE_DEADLINE_S = 10.0
CALM_COMMANDS = 3
# A follower is given 500 ms to apply a command: one that is younger when the run ends cannot be judged.
CALM_S = 0.6


@dataclass
class Progress:
    """A run as it is right now, for the live line. now_ns: the run's clock"""

    plan: Plan
    phase: str = "start"
    began_ns: int = 0
    recorder: Recorder | None = None
    watch: Watch | None = None
    harm: Harm | None = None
    now_ns: Callable[[], int] = time.monotonic_ns


class Trial:
    """Everything found on the way is kept, so that a crash loses nothing.

    schedule: the faults; None: drawn from the plan
    """

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        show: Callable[[Progress], None] = lambda progress: None,
        schedule: Sequence[Step] | None = None,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.recorder = Recorder(clock.now_ns)
        self.schedule = () if schedule is None else tuple(schedule)
        self.facts: dict[str, Any] = {"phases": {}, "nodes": [], "workers": [], "starts": {}, "exits": []}
        self.watch: Watch | None = None
        self.harm: Harm | None = None
        # Of a simulated cluster that nobody will look at again: there is no need to heal it.
        self.abandoned = False
        # How many lists or registers the clients use at a time; None: as many as usual.
        self.keys: int | None = None
        self._given = schedule is not None
        self._show = show
        self._progress = Progress(plan, began_ns=clock.now_ns(), now_ns=clock.now_ns, recorder=self.recorder)
        self._phase("start")

    def prepare(self, cluster: Any) -> None:
        """Draws the schedule, where none was given, and notes who is there."""
        self.facts |= {
            "nodes": list(cluster.nodes),
            "workers": list(cluster.workers),
            "capabilities": sorted(cluster.capabilities),
            "cluster": cluster.name,
            "nemeses": [name for name in self.plan.nemeses if name != "none"],
        }
        if not self._given:
            self.schedule = draw(
                self.plan.nemeses,
                self.plan.seed,
                cluster.nodes,
                cluster.workers,
                self.plan.length_s,
                capabilities=cluster.capabilities,
            )

    async def carry_out(self, cluster: Any, logs: Path | None) -> None:
        """From the cluster's start to its end. logs: where the nodes' logs go, None: nowhere."""
        try:
            await cluster.start()
            async with self._background(cluster):
                await self._phases(cluster)
        finally:
            await self._collect(cluster, logs)

    async def _phases(self, cluster: Any) -> None:
        watch, harm = self.watch, self.harm
        assert watch is not None and harm is not None
        workload = WORKLOADS[self.plan.workload](self.keys)
        load_ = Load(self.plan, workload, cluster, self.recorder)
        await self._until(lambda: watch.leader is not None, LEADER_DEADLINE_S)
        await self._until(self._workers_online, WORKERS_DEADLINE_S)
        self._phase("load")
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(load_.run(stop))
                faults = group.create_task(harm.run())
                await asyncio.sleep(self.plan.length_s)
                await faults
                stop.set()
        finally:
            self._phase("heal")
            if not self.abandoned:
                await harm.heal()
        self.facts["still_harmed"] = list(await cluster.still_harmed())
        self.facts["recovered"] = await load_.command(self._recovery_deadline_s)
        if self.facts["recovered"]:  # else there is nobody to ask, and the checkers say so
            await self._calm(load_)

    async def _calm(self, load_: Load) -> None:
        """Nothing is broken any more: some commands, with time to see every follower apply them; and
        everything that was ever written to is read once more."""
        assert self.watch is not None
        await self._until(self._workers_online, WORKERS_DEADLINE_S)
        self._phase("recovered")
        for _ in range(CALM_COMMANDS):
            # Twice, so that every run shows whether what is sent again takes effect again.
            await load_.command(RECOVERY_DEADLINE_S, ask_twice=True)
        calm_until = now_s() + CALM_S
        self._phase("final")
        wanted, answered = await load_.final_reads(FINAL_READS_DEADLINE_S)
        self.facts["final_reads"] = {"wanted": wanted, "answered": answered}
        self.facts["settled"] = await self._until(self._settled, SETTLE_DEADLINE_S)
        await asyncio.sleep(max(0.0, calm_until - now_s()))
        await self.watch.ask_for_workers()

    @property
    def _recovery_deadline_s(self) -> float:
        """A swarm's election timeouts may be so close together that votes split for a while; and where time
        is virtual, waiting costs nothing."""
        return 3 * RECOVERY_DEADLINE_S if self.clock.virtual else RECOVERY_DEADLINE_S

    @contextlib.asynccontextmanager
    async def _background(self, cluster: Any) -> AsyncIterator[None]:
        """Watching, and the live line, while the run goes on."""
        self.watch = self._progress.watch = Watch(cluster, self.clock)
        self.harm = self._progress.harm = Harm(self.schedule, cluster, self.recorder, self.plan.length_s)
        tasks = [asyncio.create_task(self.watch.run()), asyncio.create_task(self._show_often())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):  # nobody watched since, and nobody may think otherwise
                    raise ended

    async def _show_often(self) -> None:
        while True:
            self._show(self._progress)
            await asyncio.sleep(0.5)

    async def _collect(self, cluster: Any, logs: Path | None) -> None:
        self._phase("end")
        try:
            if logs is not None:
                await cluster.save_logs(logs)
        finally:
            await cluster.stop()
            self.facts |= {"starts": dict(cluster.starts), "exits": list(cluster.exits)}

    def leader_changes(self) -> int:
        """How often the leadership passed on, as seen from outside (elections of the start not counted)."""
        watch = self.watch
        terms = [o["term"] for o in watch.observations if o["role"] == "leader"] if watch is not None else []
        return max(0, len(dict.fromkeys(terms)) - 1)

    def _phase(self, name: str) -> None:
        self.facts["phases"][name] = self.clock.now_ns()
        self._progress.phase = name

    async def _until(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        """Waits for something that Watch sees; whether it came in time. The checkers judge what did not."""
        deadline = now_s() + deadline_s
        while not condition() and now_s() < deadline:
            await asyncio.sleep(0.05)
        return condition()

    def _workers_online(self) -> bool:
        """As said since this phase began: what was said before may be long past."""
        since_ns = max(self.facts["phases"].values())
        states = self.watch.worker_states if self.watch is not None else []
        if not states or states[-1]["time_ns"] < since_ns:
            return not self.facts["workers"]
        online = states[-1]["workers"]
        return all(online.get(worker) == "online" for worker in self.facts["workers"])

    def _settled(self) -> bool:
        """Every node answers, and has applied what any of them has committed."""
        status = self.watch.status if self.watch is not None else {}
        if len(status) < len(self.facts["nodes"]):
            return False
        applied = [int(answer["applied_index"]) for answer in status.values()]
        committed = [int(answer["commit_index"]) for answer in status.values()]
        return min(applied) >= max(committed)
