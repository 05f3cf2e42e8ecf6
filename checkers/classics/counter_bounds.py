"""A counter's reads between what it must hold and what it can hold.

After Jepsen's counter: a read must have counted every add that was acknowledged before it began, and can have
counted any that was asked for before it ended. An add below zero moves the other bound. The bounds of each
read stand by themselves; the linearizable model counter also compares reads with each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkers.classics.calls import is_recorded, named, whole_number
from checkers.history import Call, History, Op, order
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import asker

NAME = "counter-bounds"


def counter_bounds(history: History) -> Verdict:
    """Raises HistoryError for an add or a read of anything but a whole number."""
    calls = [call for call in history.calls() if call.invoke.f in ("add", "read")]
    reads = _bounded_reads(history, calls)
    adds = [call for call in calls if call.invoke.f == "add" and call.type != "fail"]
    anomalies = [read.anomaly() for read in reads if not read.low <= read.value <= read.high]
    return conclude(
        NAME,
        f"{len(reads)} reads, each between the sum that was certain and the sum that was possible",
        anomalies=anomalies,
        vacuous=[
            *([] if reads else ["the counter was never read"]),
            *([] if adds else ["nothing was ever added"]),
        ],
        evidence={
            "reads": len(reads),
            "adds": len(adds),
            "acknowledged": sum(call.type == "ok" for call in adds),
            "widest_bounds": max((read.high - read.low for read in reads), default=0),
        },
    )


@dataclass(slots=True)
class _Read:
    call: Call
    value: int
    low: int
    high: int

    def anomaly(self) -> Anomaly:
        if self.value < self.low:
            bound, kind = f"at least {self.low} must have been counted", "below-bounds"
        else:
            bound, kind = f"at most {self.high} can have been counted", "above-bounds"
        read = self.call.invoke
        message = f"{named(read)} ({asker(self.call)}) returned {self.value}, but {bound} by then"
        return Anomaly(kind, message, (read.index,), time_ns=read.time_ns)


def _bounded_reads(history: History, calls: list[Call]) -> list[_Read]:
    """One pass over invocations and completions in order of time, with the running sums of adds above and
    below zero that are certain, and that are possible."""
    steps: list[tuple[Op, Call]] = [(call.invoke, call) for call in calls]
    steps += [(call.completion, call) for call in calls if call.completion is not None]
    certain_up = certain_down = possible_up = possible_down = 0
    begun: dict[int, tuple[int, int]] = {}
    reads: list[_Read] = []
    for op, call in sorted(steps, key=lambda step: order(step[0])):
        if call.invoke.f == "read":
            if op is call.invoke:
                begun[op.index] = certain_up, certain_down
            elif op.type == "ok" and is_recorded(history, op):
                up, down = begun[call.invoke.index]
                reads.append(_Read(call, whole_number(op), up + possible_down, possible_up + down))
            continue
        if call.type == "fail":
            continue
        amount = whole_number(call.invoke)
        if op is call.invoke:
            possible_up += max(0, amount)
            possible_down += min(0, amount)
        elif op.type == "ok":
            certain_up += max(0, amount)
            certain_down += min(0, amount)
    return reads
