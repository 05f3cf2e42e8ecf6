"""The smallest schedule that still shows the same kind of violation, by delta debugging.

Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002: halves, then quarters, and
so on are left out for as long as the violation stays. Randomness by counter keeps all other draws where they
were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.probe import Probe, probe
from harness.saved import Saved
from nemesis import NEMESES
from nemesis.bursts import pairs
from nemesis.nemesis import Step
from nemesis.packets import PacketNemesis
from nemesis.schedule import Schedule, in_order
from system.simulation.knobs import Knobs

# Durations are cut to these shares of what they were.
SHARES = (0.25, 0.5, 0.75)
SHORTEST_S = 0.05
# Probes at most.
TRIES = 400

Fault = tuple[Step, Step]


@dataclass
class Shrunk:
    """saved: what is left. tries, cpu_s: what it took. before, after: faults in the schedule"""

    saved: Saved
    tries: int
    cpu_s: float
    before: int
    after: int


class CannotShrinkError(Exception):
    """Nothing to make smaller: the run shows no violation."""


def shrink(was: Saved, limit_s: float = 60.0) -> Shrunk:
    """Makes a failing run's schedule, then its tuning and its length, as small as they get.

    limit_s: CPU seconds. Raises CannotShrinkError where the run, carried out again, breaks no promise.
    """
    return _Shrinking(was, limit_s).run()


class _Shrinking:
    def __init__(self, was: Saved, limit_s: float) -> None:
        self._limit_s = limit_s
        self._began_s = time.process_time()
        self._tries = 0
        self._was = was
        first = self._probe(was)
        if not first.findings:
            raise CannotShrinkError("carried out again, this run breaks no promise; there is nothing to do")
        # What a run shows first is what it is about; later violations may be its consequences.
        self._kind = first.findings[0].kind
        self._best = replace(was, kinds=(self._kind,))
        self._best_probe = first

    def run(self) -> Shrunk:
        before = len(pairs(self._was.schedule))
        self._fewer(lambda fault: not _is_noise(fault))
        self._fewer(_is_noise)
        self._plainer()
        self._shorter()
        self._end_sooner()
        # What the longer run needed, under its own tuning, this one may do without.
        schedule = self._best.schedule
        self._fewer(lambda fault: True)
        if self._best.schedule != schedule:
            self._end_sooner()
        best = replace(self._best, trace_hash=f"{self._best_probe.trace_hash:016x}")
        after = len(pairs(best.schedule))
        return Shrunk(best, self._tries, time.process_time() - self._began_s, before, after)

    def _fewer(self, about: Callable[[Fault], bool]) -> None:
        """Leaves out as many of these faults as it can."""
        faults = [fault for fault in pairs(self._best.schedule) if about(fault)]
        rest = [fault for fault in pairs(self._best.schedule) if not about(fault)]
        if faults and self._try(_schedule(rest)):
            return
        pieces = 2
        while len(faults) >= 2:
            for kept in _without_a_piece(faults, pieces):
                if self._try(_schedule([*rest, *kept])):
                    faults, pieces = kept, max(pieces - 1, 2)
                    break
            else:
                if pieces >= len(faults):
                    return
                pieces = min(2 * pieces, len(faults))

    def _plainer(self) -> None:
        """Tunes the cluster as real ones are."""
        self._attempt(replace(self._best, tuning=replace(self._best.tuning, knobs=Knobs(), workers=False)))
        self._attempt(replace(self._best, tuning=replace(self._best.tuning, workers=False)))

    def _shorter(self) -> None:
        """Ends each fault sooner, as far as that goes."""
        for number in [inject.number for inject, _ in pairs(self._best.schedule)]:
            for share in SHARES:
                faults = pairs(self._best.schedule)
                shorter = [_cut(fault, share) if fault[0].number == number else fault for fault in faults]
                if self._try(_schedule(shorter)):
                    break

    def _end_sooner(self) -> None:
        """Ends the load once the last fault is over."""
        faults = pairs(self._best.schedule)
        names = tuple(dict.fromkeys(inject.nemesis for inject, _ in faults)) or ("none",)
        plan = replace(self._best.plan, nemeses=names)
        over_s = max((heal.at_s for _, heal in faults), default=0.0)
        for calm_s in (1.0, 3.0):
            limit_s = max(3.0, round(over_s + calm_s, 1))
            shorter = replace(plan, time_limit_s=min(limit_s, plan.time_limit_s))
            is_smaller = shorter.length_s < self._best.plan.length_s or names != self._best.plan.nemeses
            if is_smaller and self._attempt(replace(self._best, plan=shorter)):
                return

    def _try(self, schedule: Schedule) -> bool:
        return schedule != self._best.schedule and self._attempt(replace(self._best, schedule=schedule))

    def _attempt(self, smaller: Saved) -> bool:
        """Whether it still shows the violation; then it is the best so far."""
        if smaller == self._best or self._tries >= TRIES:
            return False
        if time.process_time() - self._began_s > self._limit_s:
            return False
        now = self._probe(smaller)
        if self._kind not in now.kinds:
            return False
        self._best, self._best_probe = smaller, now
        return True

    def _probe(self, one: Saved) -> Probe:
        self._tries += 1
        return probe(one.plan, schedule=one.schedule, tuning=one.tuning)


def _schedule(faults: Sequence[Fault]) -> Schedule:
    return in_order([step for fault in faults for step in fault])


def _is_noise(fault: Fault) -> bool:
    return isinstance(NEMESES[fault[0].nemesis], PacketNemesis)


def _without_a_piece(faults: Sequence[Fault], pieces: int) -> Iterator[list[Fault]]:
    size = -(-len(faults) // pieces)
    for start in range(0, len(faults), size):
        yield [*faults[:start], *faults[start + size :]]


def _cut(fault: Fault, share: float) -> Fault:
    inject, heal = fault
    length_s = max(SHORTEST_S, (heal.at_s - inject.at_s) * share)
    return inject, replace(heal, at_s=round(inject.at_s + length_s, 3))
