"""Evidence: what the clients did and saw, and what the nodes wrote down of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

OpType = Literal["invoke", "ok", "fail", "info"]
# A JSON value: None, bool, int, float, str, list or dict of such.
Value = Any
NEMESIS = "nemesis"


@dataclass(frozen=True, slots=True)
class Op:
    """An operation's invocation or its completion, after Jepsen's op maps.

    index:   position in the history, from 0
    time_ns: the run's clock (CLOCK_MONOTONIC of the one host that recorded the history)
    process: a logical client, single-threaded; retired after an `info`. Or "nemesis"
    type:    invoke; then ok (happened), fail (did not happen) or info (may or may not have happened)
    f:       the operation's name, such as "append"; for the nemesis, the nemesis' name
    value:   the operation's arguments, and in an ok its result too
    node:    the node that answered, or was asked, where known
    witness: the log index the operation took (a command's entry, a read's applied index)
    """

    index: int
    time_ns: int
    process: int | Literal["nemesis"]
    type: OpType
    f: str
    value: Value
    node: str | None = None
    error: str | None = None
    witness: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """An invocation with its completion. Without a completion, or with an info, it may have happened
    at any time after its invocation, or never."""

    invoke: Op
    completion: Op | None

    @property
    def type(self) -> OpType:
        return self.completion.type if self.completion is not None else "info"


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault as the nemesis recorded it. Times are the run's clock.

    step:        the schedule step's number
    nemesis:     its name, such as "partition"
    target:      what was asked, such as "isolate-leader"
    nodes:       the nodes it fell on
    inject_ns:   when the inject was asked for; injected_ns: when it had taken effect
    heal_ns:     when the heal was asked for; healed_ns: when it was done; None: never healed
    took_effect: whether there is proof that it took effect
    evidence:    that proof, as JSON values
    """

    step: int
    nemesis: str
    target: str
    nodes: tuple[str, ...]
    inject_ns: int
    injected_ns: int
    heal_ns: int | None
    healed_ns: int | None
    took_effect: bool
    evidence: dict[str, Any]


@dataclass(frozen=True)
class History:
    """Everything a run left to be judged. Parts that were not collected are empty.

    ops:          sorted by (time_ns, invocations first, index)
    events:       each node's event log, one list a boot, in order of boots (docs/event-log.md)
    observations: what nodes answered to Status, in order of time: time_ns, node, boot, term, role, leader,
                  commit_index, applied_index, last_log_index
    worker_states: what the leader said of the workers, in order of time: time_ns, node, workers ({id: status})
    lag:          the host's lag as a separate process measured it: (time_ns, lag_ns), lateness over 5 ms only
    facts:        of the run itself: "nodes" (control-plane), "workers", "starts" ({node: boots the harness
                  started}), "phases" ({name: time_ns}: "start", "load", "heal", "recovered", "final", "end"),
                  "exits" (unexpected ends of processes: node, time_ns, code)
    """

    ops: Sequence[Op] = ()
    events: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    observations: Sequence[dict[str, Any]] = ()
    worker_states: Sequence[dict[str, Any]] = ()
    lag: Sequence[tuple[int, int]] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def calls(self) -> Iterator[Call]:
        """Client operations, invocation paired with completion, in order of invocation."""
        raise NotImplementedError

    def faults(self) -> Iterator[FaultWindow]:
        """The nemesis' operations paired by step."""
        raise NotImplementedError
