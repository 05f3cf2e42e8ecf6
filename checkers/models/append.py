"""A log or list that elements are appended to, and that is read whole."""

from __future__ import annotations

from typing import Any

from checkers.linear.operations import IMPOSSIBLE, Model, Operation
from checkers.linear.places import append_by_content, append_by_witness


def step(state: Any, operation: Operation) -> Any:
    """append element; read -> the elements, as a tuple."""
    if operation.f == "append":
        return (*state, operation.argument)
    return state if operation.crashed or (operation.result or ()) == state else IMPOSSIBLE


APPEND = Model(
    "append",
    "appends to a list, and reads of all of it",
    (),
    step,
    functions=frozenset({"append", "read"}),
    reads=frozenset({"read"}),
    produces=lambda operation: (operation.argument,) if operation.f == "append" else (),
    observes=lambda operation: () if operation.f == "append" or operation.crashed else operation.result or (),
    algorithms=(append_by_content, append_by_witness),
)
