"""The judge: checkers of a run's history and of its nodes' event logs.

Each is a pure function from a History to a Verdict, so it judges a saved run as well as a fresh one.
"""

from __future__ import annotations

from collections.abc import Callable

from checkers.at_most_once import at_most_once
from checkers.availability import availability
from checkers.commitment import leader_completeness
from checkers.committed_log import committed_log
from checkers.coverage import coverage
from checkers.election import one_vote, single_leader
from checkers.exits import exits
from checkers.history import History
from checkers.invariants import invariants
from checkers.linearizability import linearizability
from checkers.list_append import list_append
from checkers.log import log_matching
from checkers.monotone import monotone
from checkers.recovery import recovery
from checkers.verdict import Verdict
from checkers.workers import workers

Checker = Callable[[History], Verdict]

# Adding a checker is one line here; its verdicts carry this name.
CHECKERS: dict[str, Checker] = {
    "coverage": coverage,
    "committed-log": committed_log,
    "at-most-once": at_most_once,
    "single-leader": single_leader,
    "one-vote": one_vote,
    "log-matching": log_matching,
    "leader-completeness": leader_completeness,
    "monotone": monotone,
    "recovery": recovery,
    "workers": workers,
    "exits": exits,
    "linearizability": linearizability,
    "list-append": list_append,
    "availability": availability,
    "invariants": invariants,
}
# What only some workloads' histories can be judged by: those name them.
_OF_A_WORKLOAD = ("committed-log", "at-most-once", "linearizability", "list-append")
# What only a simulated cluster can be asked.
OF_THE_SIMULATOR = ("invariants",)
# What only some faults call for: those nemeses name it.
_OF_A_NEMESIS = ("availability",)
RUN_CHECKERS: tuple[str, ...] = tuple(
    name for name in CHECKERS if name not in (*_OF_A_WORKLOAD, *_OF_A_NEMESIS, *OF_THE_SIMULATOR)
)
