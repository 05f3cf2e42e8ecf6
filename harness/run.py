"""One run: load and faults, heal, recovery, final reads, collect, judge, save, report."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from checkers.verdict import Validity, Verdict, worst
from harness.harm import Harm
from harness.judge import judge
from harness.load import Load
from harness.plan import Plan
from harness.recorder import Recorder
from harness.watch import Watch
from nemesis import NEMESES
from nemesis.nemesis import Step
from nemesis.schedule import draw, to_json
from reports.html import write_report
from reports.record import RecordError, RunDirectory, host_facts, load
from system.clusters.registry import CLUSTERS
from workloads import WORKLOADS

# Where runs land, below the project or the folder one works in.
RUNS = Path("reports/runs")
LEADER_DEADLINE_S = 15.0
RECOVERY_DEADLINE_S = 20.0
WORKERS_DEADLINE_S = 20.0
FINAL_READS_DEADLINE_S = 20.0
SETTLE_DEADLINE_S = 10.0
CALM_COMMANDS = 3
# A follower is given 500 ms to apply a command: one that is younger when the run ends cannot be judged.
CALM_S = 0.6
LOOP_LAG_FLAG_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """What is left of a run: its directory, what it concluded, and figures for the summary."""

    plan: Plan
    directory: Path
    validity: Validity
    verdicts: tuple[Verdict, ...]
    counts: dict[str, int]
    leader_changes: int
    duration_s: float
    crash: str | None = None


@dataclass
class Progress:
    """A run as it is right now, for the live line."""

    plan: Plan
    phase: str = "start"
    began_ns: int = 0
    recorder: Recorder | None = None
    watch: Watch | None = None
    harm: Harm | None = None


def carry_out(plan: Plan, runs: Path, show: Callable[[Progress], None] = lambda progress: None) -> Result:
    """Runs a plan to its report. A run that could not decide about time bounds alone, because the host was
    too slow, is repeated once; both are kept. Raises KeyboardInterrupt after saving."""
    result = _once(plan, runs, show)
    if _only_time_undecided(result):
        result = _once(plan, runs, show)
    return result


def _only_time_undecided(result: Result) -> bool:
    doubtful = [v for v in result.verdicts if v.valid is not Validity.YES]
    return bool(doubtful) and all(
        v.valid is Validity.UNKNOWN and v.evidence.get("host_too_slow") for v in doubtful
    )


def _once(plan: Plan, runs: Path, show: Callable[[Progress], None]) -> Result:
    directory = RunDirectory.create(runs, plan.id)
    run = _Run(plan, directory, show)
    crash: BaseException | None = None
    try:
        asyncio.run(run.carry_out())
    except (Exception, KeyboardInterrupt) as error:
        crash = error
    run.save(crash)
    verdicts = _judge(directory, _describe(crash))
    directory.mark_latest()
    if isinstance(crash, KeyboardInterrupt):
        raise crash
    began, ended = run.facts["phases"]["start"], time.monotonic_ns()
    return Result(
        plan,
        directory.path,
        worst(verdicts),
        tuple(verdicts),
        {kind: run.recorder.counts[kind] for kind in ("ok", "fail", "info")},
        run.leader_changes(),
        (ended - began) / 1e9,
        _describe(crash),
    )


def _judge(directory: RunDirectory, crash: str | None) -> list[Verdict]:
    """Judges what was saved, and reports it. Evidence that cannot be read is never green."""
    try:
        verdicts = judge(load(directory.path), crash)
        directory.write_results(verdicts)
        write_report(directory.path)
    except RecordError as error:
        verdicts = [Verdict("run", Validity.UNKNOWN, f"the evidence cannot be read: {error}")]
        directory.write_results(verdicts)
    return verdicts


def _describe(crash: BaseException | None) -> str | None:
    while isinstance(crash, BaseExceptionGroup):
        crash = crash.exceptions[0]
    return None if crash is None else f"{type(crash).__name__}: {crash}".removesuffix(": ")


class _Run:
    """The phases of one run. Everything found on the way is kept, so that a crash loses nothing."""

    def __init__(self, plan: Plan, directory: RunDirectory, show: Callable[[Progress], None]) -> None:
        self.plan = plan
        self.directory = directory
        self.recorder = Recorder()
        self.schedule: tuple[Step, ...] = ()
        self.facts: dict[str, Any] = {"phases": {}, "nodes": [], "workers": [], "starts": {}, "exits": []}
        self.time_zero = {"monotonic_ns": time.monotonic_ns(), "wall_ns": time.time_ns()}
        self._show = show
        self._progress = Progress(plan, began_ns=time.monotonic_ns(), recorder=self.recorder)
        self._host = host_facts()
        self._watch: Watch | None = None
        self._harm: Harm | None = None
        self._phase("start")
        self.directory.write_run(self._meta("running"))

    async def carry_out(self) -> None:
        time_limit_s = max(
            [
                self.plan.time_limit_s,
                *(getattr(NEMESES[name], "min_time_s", 0.0) for name in self.plan.nemeses),
            ]
        )
        attach: dict[str, Any] = {"attach": True} if self.plan.attach else {}
        with TemporaryDirectory(prefix="crosswind-") as scratch:
            cluster = CLUSTERS[self.plan.cluster](
                self.plan.seed,
                nodes=self.plan.nodes,
                data_dir=Path(scratch),
                scratch=True,
                mutant=self.plan.mutant,
                store=self.plan.needs_store,
                **attach,
            )
            self.facts |= {
                "nodes": list(cluster.nodes),
                "workers": list(cluster.workers),
                "capabilities": sorted(cluster.capabilities),
                "cluster": cluster.name,
                "nemeses": [name for name in self.plan.nemeses if name != "none"],
            }
            self.schedule = draw(
                self.plan.nemeses,
                self.plan.seed,
                cluster.nodes,
                cluster.workers,
                time_limit_s,
                capabilities=cluster.capabilities,
            )
            self.directory.write_run(self._meta("running"))
            try:
                await cluster.start()
                async with self._background(cluster, time_limit_s):
                    await self._phases(cluster, time_limit_s)
            finally:
                await self._collect(cluster)

    async def _phases(self, cluster: Any, time_limit_s: float) -> None:
        watch, harm = self._watch, self._harm
        assert watch is not None and harm is not None
        workload = WORKLOADS[self.plan.workload]()
        load_ = Load(self.plan, workload, cluster, self.recorder)
        await self._until(lambda: watch.leader is not None, LEADER_DEADLINE_S)
        await self._until(self._workers_online, WORKERS_DEADLINE_S)
        self._phase("load")
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(load_.run(stop))
                faults = group.create_task(harm.run())
                await asyncio.sleep(time_limit_s)
                await faults
                stop.set()
        finally:
            self._phase("heal")
            await harm.heal()
        self.facts["recovered"] = await load_.command(RECOVERY_DEADLINE_S)
        if self.facts["recovered"]:  # else there is nobody to ask, and the checkers say so
            await self._calm(load_)

    async def _calm(self, load_: Load) -> None:
        """Nothing is broken any more: some commands, with time to see every follower apply them; and
        everything that was ever written to is read once more."""
        assert self._watch is not None
        await self._until(self._workers_online, WORKERS_DEADLINE_S)
        self._phase("recovered")
        for _ in range(CALM_COMMANDS):
            await load_.command(RECOVERY_DEADLINE_S)
        calm_until = time.monotonic() + CALM_S
        self._phase("final")
        wanted, answered = await load_.final_reads(FINAL_READS_DEADLINE_S)
        self.facts["final_reads"] = {"wanted": wanted, "answered": answered}
        await self._until(self._settled, SETTLE_DEADLINE_S)
        await asyncio.sleep(max(0.0, calm_until - time.monotonic()))
        await self._watch.ask_for_workers()

    @contextlib.asynccontextmanager
    async def _background(self, cluster: Any, time_limit_s: float) -> AsyncIterator[None]:
        """Watching, and the live line, while the run goes on."""
        self._watch = self._progress.watch = Watch(cluster)
        self._harm = self._progress.harm = Harm(self.schedule, cluster, self.recorder, time_limit_s)
        tasks = [asyncio.create_task(self._watch.run()), asyncio.create_task(self._show_often())]
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

    async def _collect(self, cluster: Any) -> None:
        self._phase("end")
        try:
            await cluster.save_logs(self.directory.path / "nodes")
        finally:
            await cluster.stop()
            self.facts |= {
                "starts": dict(cluster.starts),
                "exits": list(cluster.exits),
                "events": {node: self._event_counts(node) for node in cluster.nodes},
            }

    def _event_counts(self, node: str) -> list[int]:
        """How many events each boot of the node had written when they were collected."""
        files = sorted((self.directory.path / "nodes" / node).glob("events-*.jsonl"))
        return [file.read_bytes().count(b"\n") for file in files]

    def save(self, crash: BaseException | None) -> None:
        """Writes everything but the verdicts."""
        self.facts["errors"] = list(self._harm.errors) if self._harm is not None else []
        self.facts["left_out"] = list(self._harm.left_out) if self._harm is not None else []
        self.facts["loop_lag_ns"] = self._watch.loop_lag_ns if self._watch is not None else 0
        self.facts["loop_lagged"] = self.facts["loop_lag_ns"] > LOOP_LAG_FLAG_NS
        self.directory.write_history(self.recorder.ops)
        self.directory.write_observations(self._watch.observations if self._watch is not None else [])
        self.directory.write_worker_states(self._watch.worker_states if self._watch is not None else [])
        self.directory.write_run(self._meta("done" if crash is None else f"crashed: {_describe(crash)}"))

    def leader_changes(self) -> int:
        """How often the leadership passed on, as seen from outside (elections of the start not counted)."""
        watch = self._watch
        terms = [o["term"] for o in watch.observations if o["role"] == "leader"] if watch is not None else []
        return max(0, len(dict.fromkeys(terms)) - 1)

    def _phase(self, name: str) -> None:
        self.facts["phases"][name] = time.monotonic_ns()
        self._progress.phase = name

    async def _until(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        """Waits for something that Watch sees; whether it came in time. The checkers judge what did not."""
        deadline = time.monotonic() + deadline_s
        while not condition() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return condition()

    def _workers_online(self) -> bool:
        """As said since this phase began: what was said before may be long past."""
        since_ns = max(self.facts["phases"].values())
        states = self._watch.worker_states if self._watch is not None else []
        if not states or states[-1]["time_ns"] < since_ns:
            return not self.facts["workers"]
        online = states[-1]["workers"]
        return all(online.get(worker) == "online" for worker in self.facts["workers"])

    def _settled(self) -> bool:
        """Every node answers, and has applied what any of them has committed."""
        status = self._watch.status if self._watch is not None else {}
        if len(status) < len(self.facts["nodes"]):
            return False
        applied = [int(answer["applied_index"]) for answer in status.values()]
        committed = [int(answer["commit_index"]) for answer in status.values()]
        return min(applied) >= max(committed)

    def _meta(self, status: str) -> dict[str, Any]:
        return {
            "status": status,
            "plan": self.plan.to_json(),
            "id": self.plan.id,
            "seed": self.plan.seed,
            "command": self.plan.command,
            "schedule": to_json(self.schedule),
            "clock": "CLOCK_MONOTONIC",
            "time_zero": self.time_zero,
            "host": self._host,
            "pid": os.getpid(),
            "facts": self.facts,
        }
