"""Linearizability of objects, from what the clients saw alone (Herlihy and Wing 1990).

Linearizability is local, so each object is judged by itself. Its operations are given to the exact algorithms
of the object's model, which need no search where values are unique or operations tell the log index they
took; what those cannot decide is searched: few operations at once, in plain Python, and what that cannot
decide either, compiled, within the limits. In a short history the plain search comes before an algorithm that
is compiled: to load numba takes longer. A
yes carries an order that has been verified; a no the smallest part found that contradicts itself, judged
again by other means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from checkers.history import Call, History
from checkers.linear.certificate import verify
from checkers.linear.core import Core, core
from checkers.linear.objects import ALONE, objects
from checkers.linear.operations import Decision, Limits, Model, Operation
from checkers.linear.values import Typed, frozen
from checkers.linear.wing_gong import wing_gong
from checkers.models.register import CAS_REGISTER, zones
from checkers.verdict import Anomaly, Validity, Verdict, conclude
from checkers.words import asker, name_call, shown

NAME = "linearizability"
FUNCTIONS = ("read", "write", "cas")
# A run's registers are judged for so long at most.
BUDGET_S = 60.0
# So few operations of an object are searched in plain Python, up to so many configurations.
_FEW = 200
_FEW_CONFIGURATIONS = 2_000
# A history with more operations than these is worth loading what is compiled.
_SHORT = 5_000
# Counterexamples are made small for so many objects; of the others it is said that there is one.
_CORES = 5


def linearizability(history: History) -> Verdict:
    """Of the registers of a run, whose values are [key, …]; reads of lists are left to list-append."""
    calls = [call for call in history.calls() if call.invoke.f in FUNCTIONS and not _is_list_read(call)]
    return linearizable(CAS_REGISTER, calls, Limits.of(BUDGET_S), keyed=True)


def linearizable(
    model: Model,
    calls: Sequence[Call],
    limits: Limits,
    *,
    keyed: bool | None = None,
    nil_is_unrecorded: bool = False,
) -> Verdict:
    """Whether each object's operations have an order that explains them; Verdict.certificate has the orders,
    as indices of invocations. Raises HistoryError for calls that are none of the model's."""
    found = objects(model, calls, keyed=keyed, nil_is_unrecorded=nil_is_unrecorded)
    by_index = {call.invoke.index: call for call in calls}
    altered = [_altered(by_index[op.index]) for ops in found.values() for op in ops if _is_altered(model, op)]
    short = sum(map(len, found.values())) <= _SHORT
    judged = {key: _judge(model, operations, limits, short=short) for key, operations in found.items()}
    refusals = [(key, reason) for key, (_, reason) in judged.items() if reason]
    wrong = [key for key, (decision, reason) in judged.items() if not reason and _is(decision, Validity.NO)]
    anomalies: list[Anomaly] = []
    judged_again: Counter[str] = Counter()
    for number, key in enumerate(wrong):
        small = number < _CORES and limits.left_s() > 0
        part = _core(model, found[key], judged[key][0], limits, small=small)
        if part.refuted:
            refusals.append((key, f"a second judge, {part.checked_by}, finds an order after all"))
            continue
        judged_again[part.checked_by or "nobody: there was no time"] += 1
        anomalies.append(_anomaly(_named(key, part.message), part, found[key], by_index))
    answered = sum(not operation.crashed for operations in found.values() for operation in operations)
    verdict = conclude(
        NAME,
        f"{answered} operations on {_count(found)} have an order that explains them",
        anomalies=[*altered, *anomalies],
        unknown=[_named(key, reason) for key, reason in refusals],
        vacuous=[] if answered else ["no operation was acknowledged"],
        evidence={
            "objects": len(found),
            "answered": answered,
            "configurations": sum(decision.configurations for decision, _ in judged.values()),
            "algorithms": dict(Counter(decision.algorithm for decision, _ in judged.values())),
            **({"judged_again_by": dict(judged_again)} if judged_again else {}),
        },
    )
    if verdict.valid is not Validity.YES:
        return verdict
    return replace(verdict, certificate=_certificates(found, judged))


def decide(model: Model, operations: Sequence[Operation], limits: Limits, *, short: bool = True) -> Decision:
    """Of one object's operations, in order of invocation, without crashed reads. short: whether there are
    few in the whole history, too."""
    ways = _exactly, _plainly
    for way in reversed(ways) if model.compiled and short else ways:
        found = way(model, operations, limits)
        if found is not None:
            return found
    from checkers.linear.search import search

    return search(model, operations, limits)


def _exactly(model: Model, operations: Sequence[Operation], _limits: Limits) -> Decision | None:
    found = (algorithm(operations) for algorithm in model.algorithms)
    return next((decision for decision in found if decision is not None), None)


def _plainly(model: Model, operations: Sequence[Operation], limits: Limits) -> Decision | None:
    if len(operations) > _FEW:
        return None
    decision = wing_gong(model, operations, limits, _FEW_CONFIGURATIONS)
    return None if decision.validity is Validity.UNKNOWN else decision


def starting_at(model: Model, initial: Any) -> Model:
    """The model with another first state. Of the exact algorithms only a register's know others."""
    state = frozen(initial)
    if model.name == "set":
        state = frozenset(cast("tuple[Hashable, ...]", state))
    if state == model.initial and not isinstance(state, Typed):
        return model
    algorithms = tuple(partial(zones, initial=state) for algorithm in model.algorithms if algorithm is zones)
    return replace(model, initial=state, algorithms=algorithms)


def _is(decision: Decision, validity: Validity) -> bool:
    return decision.validity is validity


def _judge(
    model: Model, operations: Sequence[Operation], limits: Limits, *, short: bool
) -> tuple[Decision, str]:
    """A decision, and the reason why it is not to be relied on, if any."""
    if limits.left_s() <= 0:
        reason = f"the time allowed was up before its {len(operations)} operations were looked at"
        return Decision(Validity.UNKNOWN, "none", reason=reason), reason
    try:
        decision = decide(model, operations, limits, short=short)
    except MemoryError:
        decision = Decision(Validity.UNKNOWN, "none", reason="the memory of this machine was used up")
    if decision.validity is Validity.UNKNOWN:
        return decision, f"no order found and none excluded: {decision.reason}"
    if decision.validity is Validity.YES:
        flaw = verify(model, operations, decision.order or ())
        if flaw is not None:
            return decision, f"the order that {decision.algorithm} found does not hold: {flaw}"
    return decision, ""


def _core(
    model: Model, operations: Sequence[Operation], decision: Decision, limits: Limits, *, small: bool
) -> Core:
    if small:
        return core(model, operations, lambda part: decide(model, part, limits), decision.culprits, limits)
    return Core(tuple(decision.culprits), False, "", "no order explains its operations", decision.kind)


def _anomaly(message: str, part: Core, operations: Sequence[Operation], calls: dict[int, Call]) -> Anomaly:
    """With the moment to look at: when the last of the operations was invoked."""
    indices = tuple(operations[at].index for at in part.positions)
    time_ns = max((calls[index].invoke.time_ns for index in indices), default=None)
    return Anomaly(part.kind, message, indices, time_ns=time_ns)


def _certificates(
    found: dict[Hashable, list[Operation]], judged: dict[Hashable, tuple[Decision, str]]
) -> dict[str, tuple[int, ...]]:
    return {
        shown(key): tuple(operations[at].index for at in judged[key][0].order or ())
        for key, operations in found.items()
    }


def _named(key: Hashable, message: str) -> str:
    return message if key is ALONE else f"{shown(key)}: {message}"


def _count(found: dict[Hashable, list[Operation]]) -> str:
    return "1 object" if len(found) == 1 else f"{len(found)} objects"


def _is_list_read(call: Call) -> bool:
    completion = call.completion
    return call.invoke.f == "read" and completion is not None and isinstance(completion.value[1], list)


def _is_altered(model: Model, operation: Operation) -> bool:
    """Whether another value was acknowledged than was to be written."""
    if operation.f not in ("write", "put", "cas") or operation.crashed or operation.result is None:
        return False
    return bool(operation.argument != operation.result)


def _altered(call: Call) -> Anomaly:
    assert call.completion is not None  # it is ok
    value = call.completion.value
    value = value[1] if isinstance(call.invoke.value, list) and isinstance(value, list) else value
    what = value[1] if call.invoke.f == "cas" and isinstance(value, list) else value
    message = f"{name_call(call)} ({asker(call)}) was acknowledged as {shown(what)}"
    return Anomaly(
        "altered-write", message[0].upper() + message[1:], (call.invoke.index,), (), call.invoke.time_ns
    )
