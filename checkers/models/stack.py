"""A last-in, first-out stack."""

from __future__ import annotations

from typing import Any

from checkers.linear.lifo import lifo
from checkers.linear.operations import IMPOSSIBLE, Model, Operation
from checkers.models.queue import effects, needless


def step(state: Any, operation: Operation) -> Any:
    """push element; pop -> the newest element, or None where there is none."""
    if operation.f == "push":
        return (*state, operation.argument)
    if operation.crashed:
        return state[:-1]
    return state[:-1] if operation.result == (state[-1] if state else None) else IMPOSSIBLE


STACK = Model(
    "stack",
    "a last-in, first-out stack: push and pop",
    (),
    step,
    functions=frozenset({"push", "pop"}),
    produces=lambda operation: (operation.argument,) if operation.f == "push" else (),
    observes=lambda operation: (
        (operation.result,)
        if operation.f == "pop" and not operation.crashed and operation.result is not None
        else ()
    ),
    effects=lambda operations: effects(operations, "push"),
    needless=lambda operations: needless(operations, "push"),
    algorithms=(lifo,),
    compiled=True,
)
