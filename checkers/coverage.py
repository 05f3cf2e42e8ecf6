"""Whether the run could have failed at all: operations enough, faults that took effect, and both at once.

Vacuous where fewer than OK_OPERATIONS operations succeeded, where one kind of operation never did, where a
planned nemesis never struck or no operation was under way while it did, and where any fault is without proof
that it took effect. Unknown where a fault was never healed, or something was still harmed though all were:
what came after was judged as if it had been well; and where final reads went without an answer: what was lost
would show in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from checkers.calm import still_harmed
from checkers.history import Call, FaultWindow, History
from checkers.verdict import Verdict, conclude
from checkers.words import count, listed

NAME = "coverage"
OK_OPERATIONS = 20
# A nemesis whose faults are those of others (nemesis/swarm.py).
SWARM = "swarm"


def coverage(history: History) -> Verdict:
    calls, faults = list(history.calls()), list(history.faults())
    invoked = Counter(call.invoke.f for call in calls)
    ok = Counter(call.invoke.f for call in calls if call.type == "ok")
    proven = sum(fault.took_effect for fault in faults)
    struck = Counter(fault.nemesis for fault in faults)
    return conclude(
        NAME,
        f"{ok.total()} of {invoked.total()} operations succeeded, under {count(len(faults), 'fault')}"
        + (" that all took effect" if proven == len(faults) else f", {proven} of which took effect"),
        unknown=[
            f"{_name(fault)} was never healed, so nothing after it can be judged as calm"
            for fault in faults
            if fault.healed_ns is None
        ]
        + still_harmed(history)
        + list(_unread(history)),
        vacuous=[
            *_too_few(invoked, ok),
            *_no_effect(history, faults),
            *_apart(calls, faults),
        ],
        evidence={
            "invoked": dict(sorted(invoked.items())),
            "ok": dict(sorted(ok.items())),
            "faults": dict(sorted(struck.items())),
        },
    )


def _unread(history: History) -> Iterator[str]:
    reads = history.facts.get("final_reads")
    if reads and reads["answered"] < reads["wanted"]:
        yield f"only {reads['answered']} of {reads['wanted']} final reads were answered"


def _too_few(invoked: Counter[str], ok: Counter[str]) -> Iterator[str]:
    if ok.total() < OK_OPERATIONS:
        yield f"only {count(ok.total(), 'operation')} succeeded; expected at least {OK_OPERATIONS}"
    for f in sorted(invoked):
        if not ok[f]:
            yield f"none of {invoked[f]} {f} operations succeeded"


def _no_effect(history: History, faults: list[FaultWindow]) -> Iterator[str]:
    planned = history.facts.get("nemeses") or ()
    for nemesis in planned:
        if nemesis not in ("none", SWARM) and all(fault.nemesis != nemesis for fault in faults):
            yield f"{nemesis} was planned, but never struck"
    if SWARM in planned:
        # Its faults come as they fall, upon one another, and not all have something to fall on.
        if not any(fault.took_effect for fault in faults):
            yield f"{SWARM} was planned, but none of its {len(faults)} faults shows proof that it took effect"
        return
    for fault in faults:
        if not fault.took_effect:
            yield f"{_name(fault)} shows no proof that it took effect" + (
                f": {fault.summary}" if fault.summary else ""
            )


def _apart(calls: list[Call], faults: list[FaultWindow]) -> Iterator[str]:
    """Nemeses during whose faults no client had an operation under way."""
    for nemesis in sorted({fault.nemesis for fault in faults}):
        windows = [fault for fault in faults if fault.nemesis == nemesis]
        if not any(_overlaps(call, fault) for fault in windows for call in calls):
            yield f"no operation was under way during any {nemesis}"


def _overlaps(call: Call, fault: FaultWindow) -> bool:
    """An info ends where the client stopped waiting: what may still happen is no operation under way."""
    until_ns = fault.heal_ns
    began_in_time = until_ns is None or call.invoke.time_ns <= until_ns
    return began_in_time and (call.completion is None or call.completion.time_ns >= fault.injected_ns)


def _name(fault: FaultWindow) -> str:
    on = f" of {listed(fault.nodes)}" if fault.nodes else ""
    return f"{fault.nemesis} {fault.target}{on} (step {fault.step})".replace("  ", " ")
