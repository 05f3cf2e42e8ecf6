"""One run: carried out, saved, judged and reported."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from checkers.verdict import Validity, Verdict, worst
from harness import simulation
from harness.judge import judge
from harness.plan import Plan
from harness.trial import Progress, Trial
from nemesis.nemesis import Step
from nemesis.schedule import to_json
from reports.html import write_report
from reports.record import VIRTUAL, RecordError, RunDirectory, host_facts, load
from system.clusters.clock import VirtualClock
from system.clusters.registry import CLUSTERS

# Where runs land, below the project or the folder one works in.
RUNS = Path("reports/runs")
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


def again(plan: Plan, runs: Path, schedule: Sequence[Step], tuning: simulation.Tuning) -> Result:
    """Runs a plan in the simulator, under this schedule, tuned like this."""
    return _once(plan, runs, lambda progress: None, schedule, tuning)


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


def _once(
    plan: Plan,
    runs: Path,
    show: Callable[[Progress], None],
    schedule: Sequence[Step] | None = None,
    tuning: simulation.Tuning | None = None,
) -> Result:
    directory = RunDirectory.create(runs, plan.id)
    run = _Run(plan, directory, show, schedule, tuning)
    crash: BaseException | None = None
    began_ns = time.monotonic_ns()
    try:
        run.carry_out()
    except (Exception, KeyboardInterrupt) as error:
        crash = error
    run.save(crash)
    verdicts = _judge(directory, _describe(crash))
    directory.mark_latest()
    if isinstance(crash, KeyboardInterrupt):
        raise crash
    return Result(
        plan,
        directory.path,
        worst(verdicts),
        tuple(verdicts),
        {kind: run.trial.recorder.counts[kind] for kind in ("ok", "fail", "info")},
        run.trial.leader_changes(),
        (time.monotonic_ns() - began_ns) / 1e9,
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
    """A trial, and what is written of it."""

    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        show: Callable[[Progress], None],
        schedule: Sequence[Step] | None,
        tuning: simulation.Tuning | None,
    ) -> None:
        self.directory = directory
        self._clock = CLUSTERS[plan.cluster].clock()
        self.trial = Trial(plan, self._clock, show, schedule)
        self._tuning = tuning
        self._time_zero = {"monotonic_ns": self._clock.now_ns(), "wall_ns": time.time_ns()}
        self._host = host_facts()
        self.directory.write_run(self._meta("running"))

    def carry_out(self) -> None:
        """Raises what ended the trial before its time."""
        if isinstance(self._clock, VirtualClock):
            self._simulated(self._clock)
            return
        with TemporaryDirectory(prefix="crosswind-") as scratch:
            self._clock.run(self._on_this_host(Path(scratch)))

    def _simulated(self, clock: VirtualClock) -> None:
        tuning = self._tuning or simulation.tuning(self.trial.plan)
        cluster = simulation.cluster_of(self.trial.plan, clock, tuning, keeps_events=True)
        try:
            simulation.carry_out(self.trial, cluster, self.directory.path / "nodes")
        finally:
            self.trial.facts |= simulation.facts(cluster, tuning)

    async def _on_this_host(self, scratch: Path) -> None:
        plan = self.trial.plan
        attach: dict[str, Any] = {"attach": True} if plan.attach else {}
        cluster = CLUSTERS[plan.cluster](
            plan.seed,
            nodes=plan.nodes,
            data_dir=scratch,
            scratch=True,
            mutant=plan.mutant,
            store=plan.needs_store,
            **attach,
        )
        self.trial.prepare(cluster)
        self.directory.write_run(self._meta("running"))
        await self.trial.carry_out(cluster, self.directory.path / "nodes")

    def save(self, crash: BaseException | None) -> None:
        """Writes everything but the verdicts."""
        trial, facts = self.trial, self.trial.facts
        harm, watch = trial.harm, trial.watch
        facts["events"] = {node: self._event_counts(node) for node in facts["nodes"]}
        facts["errors"] = list(harm.errors) if harm is not None else []
        facts["left_out"] = list(harm.left_out) if harm is not None else []
        facts["loop_lag_ns"] = watch.loop_lag_ns if watch is not None else 0
        facts["loop_lagged"] = facts["loop_lag_ns"] > LOOP_LAG_FLAG_NS
        self.directory.write_history(trial.recorder.ops)
        self.directory.write_observations(watch.observations if watch is not None else [])
        self.directory.write_worker_states(watch.worker_states if watch is not None else [])
        self.directory.write_run(self._meta("done" if crash is None else f"crashed: {_describe(crash)}"))

    def _event_counts(self, node: str) -> list[int]:
        """How many events each boot of the node had written when they were collected."""
        files = sorted((self.directory.path / "nodes" / node).glob("events-*.jsonl"))
        return [file.read_bytes().count(b"\n") for file in files]

    def _meta(self, status: str) -> dict[str, Any]:
        trial = self.trial
        return {
            "status": status,
            "plan": trial.plan.to_json(),
            "id": trial.plan.id,
            "seed": trial.plan.seed,
            "command": trial.plan.command,
            "schedule": to_json(trial.schedule),
            "clock": VIRTUAL if self._clock.virtual else "CLOCK_MONOTONIC",
            "time_zero": self._time_zero,
            "host": self._host,
            "pid": os.getpid(),
            "facts": trial.facts,
        }
