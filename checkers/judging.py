"""Judging anybody's history: one function, and the names of what it can judge.

    from checkers.formats.reading import read_history
    from checkers.judging import judge

    verdict = judge(read_history("history.edn"), "cas-register", budget_s=10)
    verdict.valid        # Validity.YES, NO, UNKNOWN or VACUOUS
    verdict.summary      # one line
    verdict.anomalies    # of a no: what contradicts what, in words, and the indices of the operations
    verdict.certificate  # of a linearizable yes: {object: indices of its operations in an order that explains
    them}

An object of your own is a `Model`: an initial state, and a step from a state and an operation to the next.

    from checkers.linear.operations import IMPOSSIBLE, Model, Operation

    def step(state: int, operation: Operation) -> int:
        if operation.f == "double":
            return state * 2
        return state if operation.crashed or operation.result == state else IMPOSSIBLE

    judge(history, Model("doubler", "a number that is doubled", 1, step, reads=frozenset({"read"})))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from checkers.classics import CLASSICS
from checkers.history import History, HistoryError
from checkers.linear.operations import Limits, Model
from checkers.linearizability import linearizable, starting_at
from checkers.models import LINEAR_MODELS
from checkers.transactions import KINDS, transactions
from checkers.verdict import Validity, Verdict


@dataclass(frozen=True, slots=True)
class _Request:
    limits: Limits
    initial: Any
    keyed: bool | None
    consistency: str | None


@dataclass(frozen=True, slots=True)
class Judge:
    """What a history can be judged as: a name, and what is then looked at."""

    name: str
    summary: str
    judge: Callable[[History, _Request], Verdict]


def judge(
    history: History,
    model: str | Model,
    *,
    budget_s: float = 30.0,
    memory_bytes: int = 2_000_000_000,
    initial: Any = None,
    keyed: bool | None = None,
    consistency: str | None = None,
) -> Verdict:
    """Judges a history as `model`: a name in JUDGES, or a Model of one's own.

    budget_s, memory_bytes: what a search may take; then the verdict is unknown and says how far it got
    initial:     an object's first state, where it is not the model's
    keyed:       whether values are [key, …] of independent objects; None: as the history looks
    consistency: what transactions must satisfy (checkers.transactions.MODELS); None: strict-serializable
    Raises HistoryError where there is no such model, or where the history is none of its kind.
    """
    request = _Request(Limits.of(budget_s, memory_bytes), initial, keyed, consistency)
    if isinstance(model, Model):
        return _linear(model, history, request)
    if model not in JUDGES:
        raise HistoryError(f"no model {model!r}; expected one of {', '.join(JUDGES)}")
    try:
        return JUDGES[model].judge(history, request)
    except MemoryError:
        return Verdict(model, Validity.UNKNOWN, "the memory of this machine was used up")


def _linear(model: Model, history: History, request: _Request) -> Verdict:
    if request.initial is not None:
        model = starting_at(model, request.initial)
    nil_is_unrecorded = history.facts.get("nil_reads") == "unrecorded"
    return linearizable(
        model,
        list(history.calls()),
        request.limits,
        keyed=request.keyed,
        nil_is_unrecorded=nil_is_unrecorded,
    )


def _transactions(kind: Any, history: History, request: _Request) -> Verdict:
    consistency = request.consistency or "strict-serializable"
    return transactions(history, kind, consistency=consistency, limits=request.limits)


def _classic(name: str, history: History, request: _Request) -> Verdict:
    return CLASSICS[name].judge(history)


_TRANSACTIONS = {
    "list-append": "transactions of appends to lists and reads of them, in Elle's manner",
    "rw-register": "transactions of writes and reads of registers, in Elle's manner",
}
JUDGES: dict[str, Judge] = {
    one.name: one
    for one in (
        *(
            Judge(name, f"linearizable: {m.summary}", partial(_linear, m))
            for name, m in LINEAR_MODELS.items()
        ),
        *(Judge(kind, _TRANSACTIONS[kind], partial(_transactions, kind)) for kind in KINDS),
        *(Judge(name, classic.summary, partial(_classic, name)) for name, classic in CLASSICS.items()),
    )
}
