"""Evidence: what the clients did and saw, and what the nodes wrote down of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

OpType = Literal["invoke", "ok", "fail", "info"]
# A JSON value: None, bool, int, float, str, list or dict of such.
Value = Any
NEMESIS = "nemesis"


class HistoryError(Exception):
    """Evidence that cannot be judged because it contradicts itself or cannot be read; one line that says
    where."""


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
    heal_ns:     when the heal was asked for; healed_ns: when it was done; None: never, or it failed
    took_effect: whether there is proof that it took effect; the heal, which saw all of it, has the last word
    evidence:    that proof, as JSON values; summary: in one line
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
    summary: str = ""


@dataclass(frozen=True)
class History:
    """Everything a run left to be judged. Parts that were not collected are empty.

    ops:          sorted by (time_ns, invocations first, index)
    events:       each node's event log, one list a boot, in order of boots (docs/event-log.md)
    observations: what nodes answered to Status, in order of time: time_ns, node, boot, term, role, leader,
                  commit_index, applied_index, last_log_index
    worker_states: what the leader said of the workers, in order of time: time_ns, node, workers: {id: status}
    lag:          the host's lag as a separate process measured it: (time_ns, lag_ns), the end of a delay and
                  how long it was, where over 5 ms; delays of a processor and of a disk may overlap
    facts:        of the run itself: "nodes" (control-plane), "workers", "nemeses" (names of those planned),
                  "starts" ({node: boots the harness started}), "events" ({node: [how many events each boot
                  had left when they were collected]}), "phases" ({name: time_ns}: "start", "load",
                  "heal", "recovered", "final", "end"), "final_reads" ({"wanted", "answered"}), "exits"
                  (unexpected ends of processes: node, time_ns, code)
    """

    ops: Sequence[Op] = ()
    events: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    observations: Sequence[dict[str, Any]] = ()
    worker_states: Sequence[dict[str, Any]] = ()
    lag: Sequence[tuple[int, int]] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def calls(self) -> Iterator[Call]:
        """Client operations, invocation paired with completion, in order of invocation.

        Raises HistoryError where a process is not single-threaded, completes what it never invoked, or
        goes on after an info.
        """
        return iter(self._calls)

    def faults(self) -> Iterator[FaultWindow]:
        """The nemesis' operations paired by step, in order of injection. Raises HistoryError."""
        return iter(self._faults)

    @cached_property
    def _calls(self) -> list[Call]:
        return _pair([op for op in self.ops if op.process != NEMESIS])

    @cached_property
    def _faults(self) -> list[FaultWindow]:
        return _windows([op for op in self.ops if op.process == NEMESIS])


def order(op: Op) -> tuple[int, bool, int]:
    """The sort key of a history. Where a completion and an invocation share a nanosecond nobody can say which
    came first; invocations first makes them concurrent, which claims the least."""
    return (op.time_ns, op.type != "invoke", op.index)


def in_order(ops: Iterable[Op]) -> list[Op]:
    return sorted(ops, key=order)


def _pair(ops: list[Op]) -> list[Call]:
    """Pairs within each process by index: a process is single-threaded, so its own order is never in
    doubt."""
    pending: dict[Any, Op] = {}
    retired: dict[Any, Op] = {}
    calls: list[Call] = []
    for op in sorted(ops, key=lambda op: op.index):
        invoke = pending.get(op.process)
        if op.type == "invoke":
            if invoke is not None:
                raise HistoryError(
                    f"op {op.index}: process {op.process} invoked {op.f} while its {invoke.f}"
                    f" (op {invoke.index}) was still open; a process has one operation at a time"
                )
            if op.process in retired:
                raise HistoryError(
                    f"op {op.index}: process {op.process} went on after the info of op"
                    f" {retired[op.process].index}; a process whose operation may still happen is retired"
                )
            pending[op.process] = op
            continue
        if invoke is None:
            raise HistoryError(
                f"op {op.index}: process {op.process} completed {op.f} without having invoked it"
            )
        _complete(invoke, op)
        del pending[op.process]
        if op.type == "info":
            retired[op.process] = op
        calls.append(Call(invoke, op))
    calls += [Call(invoke, None) for invoke in pending.values()]
    return sorted(calls, key=lambda call: order(call.invoke))


def _complete(invoke: Op, op: Op) -> None:
    if op.type not in ("ok", "fail", "info"):
        raise HistoryError(f"op {op.index}: type {op.type!r}; expected invoke, ok, fail or info")
    if op.f != invoke.f:
        raise HistoryError(f"op {op.index}: completes {op.f}, but op {invoke.index} invoked {invoke.f}")
    if op.time_ns < invoke.time_ns:
        raise HistoryError(f"op {op.index}: ends before op {invoke.index} began; one clock must time both")


def _windows(ops: list[Op]) -> list[FaultWindow]:
    steps: dict[int, dict[tuple[str, bool], Op]] = {}
    for op in sorted(ops, key=lambda op: op.index):
        value = op.value
        if not isinstance(value, dict) or not isinstance(value.get("step"), int):
            raise HistoryError(f"op {op.index}: a nemesis operation needs a value with its step's number")
        action = value.get("action")
        if action not in ("inject", "heal"):
            raise HistoryError(f"op {op.index}: action {action!r}; a nemesis injects or heals")
        seen = steps.setdefault(value["step"], {})
        stage = (action, op.type != "invoke")
        if stage in seen:
            raise HistoryError(
                f"op {op.index}: step {value['step']} did its {action} twice, see op {seen[stage].index}"
            )
        if stage[1] and (action, False) not in seen:
            raise HistoryError(
                f"op {op.index}: step {value['step']} completed a {action} that it never asked for"
            )
        if action == "heal" and ("inject", False) not in seen:
            raise HistoryError(f"op {op.index}: step {value['step']} healed what it never injected")
        seen[stage] = op
    windows = [_window(step, seen) for step, seen in steps.items()]
    return sorted(windows, key=lambda window: (window.inject_ns, window.step))


def _window(step: int, seen: dict[tuple[str, bool], Op]) -> FaultWindow:
    inject, injected = seen["inject", False], seen.get(("inject", True))
    heal, healed = seen.get(("heal", False)), seen.get(("heal", True))
    # The heal has the final word: some faults can only be proven to have lasted once they end.
    words = [op for op in (injected, healed) if op is not None]
    hit, freed = (tuple(op.value.get("nodes") or ()) if op is not None else () for op in (injected, healed))
    # A heal that failed, or that names none of the nodes that were hit, healed nothing.
    gone = healed is not None and healed.error is None and (bool(freed) or not hit)
    return FaultWindow(
        step=step,
        nemesis=inject.f,
        target=str(inject.value.get("target", "")),
        nodes=hit or freed,
        inject_ns=inject.time_ns,
        injected_ns=injected.time_ns if injected is not None else inject.time_ns,
        heal_ns=heal.time_ns if heal is not None else None,
        healed_ns=healed.time_ns if healed is not None and gone else None,
        took_effect=injected is not None and words[-1].value.get("took_effect") is True,
        evidence=next((dict(op.value["evidence"]) for op in reversed(words) if op.value.get("evidence")), {}),
        summary=next((str(op.value["summary"]) for op in reversed(words) if op.value.get("summary")), ""),
    )
