"""A search for an order that explains what one object did, for any model.

Wing and Gong's search (1993), just in time as Lowe has it ("Testing for linearizability", 2017): an operation
takes effect only when one must have, at a return. A register is searched in depth; any other object in
breadth, and a register with too many operations at once, too. Both drop what can do no more than another:

- What only looks takes effect as soon as it would see what it saw.
- Of equal open operations the one that returns first takes effect first, then the crashed ones: whoever did
it otherwise can exchange the two.
- A write may be followed at once by another and so be seen by nobody. It need not be tried as such: while it
is open and another write takes effect, it is marked as possibly overwritten, and may then return at no cost.
  It is marked as well where it would leave what is there already. Hence a write is tried only where somebody
  waits to see it, where it must return unmarked, or where it changes nothing but marks others.
- A crashed operation takes effect only where somebody waits to see it. Of configurations that are equal but
for the crashed operations they used and the writes they have marked, those with no more used and no fewer
marked stay.
- A value that nobody will look for is like any other such value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from checkers.linear.breadth_first import ATTEMPTS, BreadthFirst
from checkers.linear.depth_first import DepthFirst
from checkers.linear.operations import Decision, Limits, Model, Operation
from checkers.linear.problems import Registers, Steps, is_register
from checkers.linear.stoppable import MemoryIsUp, TimeIsUp
from checkers.verdict import Validity


def search(model: Model, operations: Sequence[Operation], limits: Limits) -> Decision:
    """Decides, or gives up when the limits of time or memory are reached. Operations are in order of
    invocation."""
    problem = Registers(model, operations) if is_register(model, operations) else Steps(model, operations)
    visited, reason = 0, "no attempt kept all configurations"
    for attempt in _attempts(problem, limits):
        up, decision = "", None
        try:
            decision = attempt.decide()
        except TimeIsUp:
            up = "the time allowed was up"
        except (MemoryIsUp, MemoryError):
            up = "the memory allowed was used up"
        if decision is not None:
            return decision
        visited += attempt.visited
        if up:
            reason = f"{up} at return {attempt.returns_passed} of {problem.returns}"
            break
    return Decision(
        Validity.UNKNOWN,
        "search",
        reason=f"{reason}, after {visited} configurations",
        configurations=visited,
    )


def _attempts(problem: Registers | Steps, limits: Limits) -> Iterator[DepthFirst | BreadthFirst]:
    if isinstance(problem, Registers):
        yield DepthFirst(problem, limits)
    for cap, slack, limit in ATTEMPTS:
        yield BreadthFirst(problem, limits, cap, slack, limit)
