"""One simulated run, judged and forgotten: what sweeps, mutants and shrinking are made of."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from checkers import CHECKERS
from checkers.calm import still_harmed
from checkers.history import NEMESIS, History
from checkers.inside import Watchdog
from checkers.invariants import NAME as INVARIANTS
from checkers.verdict import Validity
from harness import simulation
from harness.plan import Plan
from harness.trial import Trial
from nemesis.nemesis import Step
from system.clusters.clock import VirtualClock
from system.simulation.loop import HaltedError, RestlessError, StandstillError
from workloads import WORKLOADS

# What judges the clients' history alone.
OF_CLIENTS = ("linearizability", "list-append")
LEAST_OPERATIONS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What was wrong. by: the checker, or "recovery", or "progress" where the run came to no end; kind: the
    violation's, such as "lost-commit"."""

    by: str
    kind: str
    message: str
    time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What one run came to.

    vacuous: why it could have shown nothing; "" where it could
    invoked, ok: {kind of operation: how many the clients invoked, and how many of them succeeded}
    """

    plan: Plan
    findings: tuple[Finding, ...]
    vacuous: str
    trace_hash: int
    simulated_s: float
    cpu_s: float
    operations: int
    schedule: tuple[Step, ...]
    invoked: Mapping[str, int]
    ok: Mapping[str, int]

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(finding.kind for finding in self.findings)


def probe(
    plan: Plan,
    *,
    schedule: Sequence[Step] | None = None,
    tuning: simulation.Tuning | None = None,
    inside: bool = True,
    to_the_end: bool = False,
) -> Probe:
    """Runs a plan in the simulator.

    schedule, tuning: instead of those that the plan draws. inside: watched at every step, not only by its
    clients. to_the_end: goes on after the first violation
    """
    began_s = time.process_time()
    clock = VirtualClock()
    trial = Trial(plan, clock, schedule=schedule)
    tuned = tuning or simulation.tuning(plan)
    cluster = simulation.cluster_of(plan, clock, replace(tuned, inside=inside), keeps_events=False)
    watchdog = cluster.watching
    if isinstance(watchdog, Watchdog) and not to_the_end:
        watchdog.on_violation = partial(_abandon, trial, clock)
    findings: list[Finding] = []
    try:
        with contextlib.suppress(HaltedError):
            simulation.carry_out(trial, cluster, None)
    except Exception as error:
        if not (said := _without_end(error)):
            raise
        trial.abandoned = True
        findings.append(Finding("progress", "no-end", said))
    if isinstance(watchdog, Watchdog):
        findings += (Finding(INVARIANTS, v.kind, v.message, v.time_ns) for v in watchdog.violations)
    if not trial.abandoned:
        findings += _of_clients(trial)
    return Probe(
        plan,
        tuple(findings),
        "" if findings else _vacuous(trial),
        cluster.trace_hash,
        clock.now_ns() / 1e9,
        time.process_time() - began_s,
        trial.recorder.counts.total(),
        tuple(trial.schedule),
        Counter(op.f for op in trial.recorder.ops if op.type == "invoke" and op.process != NEMESIS),
        Counter(op.f for op in trial.recorder.ops if op.type == "ok"),
    )


def _without_end(error: Exception) -> str:
    """What came to no end; "" where it is another error. Where several tasks ran, theirs come in a group."""
    if isinstance(error, ExceptionGroup):
        return next(filter(None, map(_without_end, error.exceptions)), "")
    kinds = RestlessError, StandstillError, simulation.EndlessError
    return str(error) if isinstance(error, kinds) else ""


def _abandon(trial: Trial, clock: VirtualClock) -> None:
    trial.abandoned = True
    clock.loop.halt()


def _of_clients(trial: Trial) -> list[Finding]:
    """What the clients could tell, who know nothing of what goes on inside. What was never healed excuses who
    does not recover, and no contradiction."""
    history = History(ops=trial.recorder.ops, facts=trial.facts)
    found = [] if still_harmed(history) else _of_recovery(trial.facts)
    for name in OF_CLIENTS:
        if name in WORKLOADS[trial.plan.workload].checkers:
            verdict = CHECKERS[name](history)
            found += (
                Finding(name, anomaly.kind, anomaly.message, anomaly.time_ns) for anomaly in verdict.anomalies
            )
            if verdict.valid is Validity.UNKNOWN:
                found.append(Finding(name, "undecided", verdict.summary))
    return found


def _of_recovery(facts: Mapping[str, Any]) -> list[Finding]:
    found = []
    if not facts.get("recovered"):
        found.append(Finding("recovery", "no-recovery", "after the last heal no command was acknowledged"))
    reads = facts.get("final_reads", {"wanted": 0, "answered": 0})
    if reads["answered"] < reads["wanted"]:
        said = f"of {reads['wanted']} final reads {reads['answered']} were answered"
        found.append(Finding("recovery", "no-final-reads", said))
    if facts.get("recovered") and not facts.get("settled"):
        found.append(Finding("recovery", "not-settled", "not every node caught up after the last heal"))
    return found


def _vacuous(trial: Trial) -> str:
    """A fault that did not take effect, one that did not end, and a run in which nothing happened prove
    nothing."""
    if left := still_harmed(History(facts=trial.facts)):
        return left[0]
    if trial.recorder.counts["ok"] < LEAST_OPERATIONS:
        return f"{trial.recorder.counts['ok']} operations were acknowledged"
    if not trial.schedule:
        return "" if trial.plan.nemeses == ("none",) else "no fault was drawn"
    effects = (
        op.value.get("took_effect")
        for op in trial.recorder.ops
        if op.process == NEMESIS and op.type == "info" and op.value["action"] == "heal"
    )
    return "" if any(effects) else "no fault took effect"
