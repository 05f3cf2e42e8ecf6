"""One run in the simulator: the same trial, on virtual time, watched from inside."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkers.inside import Watchdog
from harness import compiled
from harness.plan import Plan
from harness.trial import Trial
from nemesis import NEMESES
from system.clusters import sites
from system.clusters.clock import VirtualClock
from system.clusters.sim import SimCluster
from system.mutants import planted
from system.simulation.knobs import Knobs, drawn

# CPU seconds after which an event that has not come to its end will not.
ENDLESS_S = 10.0
# No handler runs while compiled code computes; so many CPU seconds later that is the end of the process.
LAST_S = 20.0
# Of the sweeps' seeds, one in so many has workers; and those that run the real shell, which serves them.
WORKERS_EVERY = 8


class EndlessError(Exception):
    """Somebody computes, and comes to no end."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a simulated run is besides its plan. inside: watched at every step, not only by its clients."""

    knobs: Knobs
    workers: bool = True
    inside: bool = True


def tuning(plan: Plan, *, inside: bool = True) -> Tuning:
    """As the plan has it: a swarm's cluster is tuned by the seed, any other like the real ones."""
    if "swarm" not in plan.nemeses:
        return Tuning(Knobs(), inside=inside)
    knobs = drawn(plan.seed, sites.control_plane(plan.nodes))
    struck = any(NEMESES[name].on == "workers" for name in plan.nemeses)
    workers = struck or knobs.shell or plan.seed % WORKERS_EVERY == 0
    return Tuning(knobs, workers=workers, inside=inside)


def cluster_of(plan: Plan, clock: VirtualClock, tuned: Tuning, *, keeps_events: bool) -> SimCluster:
    """keeps_events: whether its nodes keep event logs, which a run directory needs."""
    return SimCluster(
        plan.seed,
        nodes=plan.nodes,
        knobs=tuned.knobs,
        keeps_events=keeps_events,
        watch=Watchdog if tuned.inside else None,
        workers=tuned.workers,
        clock=clock,
    )


def carry_out(trial: Trial, cluster: SimCluster, logs: Path | None) -> None:
    """Carries the trial out, on the cluster's clock, with the plan's bug planted. logs: where the nodes' logs
    go; None: nowhere. Raises HaltedError where whoever watches had the loop halted."""
    trial.keys = cluster.knobs.keys or None
    trial.prepare(cluster)
    with planted(trial.plan.mutant), _ended_where_endless(cluster):
        cluster.loop.run_until_complete(trial.carry_out(cluster, logs))
        cluster.finish()


@contextlib.contextmanager
def _ended_where_endless(cluster: SimCluster) -> Iterator[None]:
    """Raises EndlessError in the midst of what takes so long: a node that is caught in a loop ends by it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only there are signals to be had
        return
    seen_ns, is_compiled = -1, compiled.is_active()

    def look(*_: object) -> None:
        nonlocal seen_ns
        if cluster.loop.now_ns == seen_ns:
            raise EndlessError(
                f"at {seen_ns / 1e9:.3f} s it computes for {ENDLESS_S:g} s, and comes to no end"
            )
        seen_ns = cluster.loop.now_ns
        if is_compiled:
            signal.setitimer(signal.ITIMER_PROF, LAST_S)

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS_S / 2, ENDLESS_S / 2)
    if is_compiled:
        signal.setitimer(signal.ITIMER_PROF, LAST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if is_compiled:
            signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGVTALRM, before)


def facts(cluster: SimCluster, tuned: Tuning) -> dict[str, Any]:
    """What a simulated run adds to its facts."""
    seen: dict[str, Any] = {
        "trace_hash": f"{cluster.trace_hash:016x}",
        "tuning": {"knobs": tuned.knobs.to_json(), "workers": tuned.workers},
        "simulated_s": round(cluster.now_ns() / 1e9, 3),
    }
    watching = cluster.watching
    if isinstance(watching, Watchdog):
        seen["invariants"] = {
            "violations": [violation.to_json() for violation in watching.violations],
            "steps": watching.steps,
            "commits": watching.commits,
        }
    return seen
