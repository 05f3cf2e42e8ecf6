"""One object's operations as the compiled searches take them: numbered by class of equal ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from checkers.linear.operations import IMPOSSIBLE, NEVER, Model, Operation

_KINDS = {"read": 0, "get": 0, "write": 1, "put": 1, "cas": 2, "miss": 3}
_LOOK, _STEP = 4, 5


def is_register(model: Model, operations: Sequence[Operation]) -> bool:
    from checkers.models import kv, register

    if any(operation.f not in _KINDS for operation in operations):
        return False
    # Of a key an empty text and nil are the same to a get, but not to a compare-and-set.
    has_empty = any("" in (operation.argument, operation.result) for operation in operations)
    return model.step is register.step or (model.step is kv.step and not has_empty)


class Registers:
    """Registers step by rules that the search knows."""

    def __init__(self, model: Model, operations: Sequence[Operation]) -> None:
        from checkers.linear.prepare_kernels import register_classes

        self.operations = operations
        self.returns = sum(not operation.crashed for operation in operations)
        numbers: dict[Hashable, int] = {model.initial: 0}
        kind, a, b = (np.zeros(len(operations), np.int64) for _ in range(3))
        for i, operation in enumerate(operations):
            kind[i] = _KINDS[operation.f]
            seen = operation.argument
            if operation.f in ("read", "get"):
                seen = operation.result
            elif operation.f in ("cas", "miss"):
                seen = operation.argument[0]
                b[i] = numbers.setdefault(operation.argument[1], len(numbers))
            a[i] = numbers.setdefault(seen, len(numbers))
        self.invoked, self.returned = _ranks(operations)
        self.classes = register_classes(kind, a, b, self.returned, len(numbers))
        self.values = len(numbers)
        self.initial = 0
        self.known = 0

    def after(self, state: int, cls: int) -> int:
        raise AssertionError("the search knows a register's steps")


class Steps:
    """Any other model is asked for each step once."""

    def __init__(self, model: Model, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.returns = sum(not operation.crashed for operation in operations)
        self._model = model
        self._settled = model.settle(operations) if model.settle is not None else _as_it_is
        self.states: list[Any] = [model.initial]
        self._numbers: dict[Hashable, int] = {model.initial: 0}
        classes: dict[Hashable, int] = {}
        self._examples: list[Operation] = []
        class_of = np.empty(len(operations), np.int64)
        for i, operation in enumerate(operations):
            key = (
                operation.f,
                operation.argument,
                operation.result,
                operation.process if model.by_process else 0,
            )
            if key not in classes:
                classes[key] = len(classes)
                self._examples.append(operation)
            class_of[i] = classes[key]
        kinds = np.array([_LOOK if one.f in model.reads else _STEP for one in self._examples], np.int64)
        nothing = np.zeros(len(classes), np.int64)
        self.classes = (class_of, kinds, nothing, nothing)
        self.invoked, self.returned = _ranks(operations)
        self.values = 0
        self.initial = 0
        self.known = 0  # steps in the table

    def after(self, state: int, cls: int) -> int:
        """The number of the state after a step, -1 where it is impossible."""
        left = self._model.step(self.states[state], self._examples[cls])
        if left is IMPOSSIBLE:
            return -1
        left = self._settled(left)
        if left not in self._numbers:
            self._numbers[left] = len(self.states)
            self.states.append(left)
        return self._numbers[left]


def _as_it_is(state: Any) -> Any:
    return state


def _ranks(operations: Sequence[Operation]) -> tuple[Any, Any]:
    invoked = np.array([operation.invoked for operation in operations], np.int64)
    returned = np.array([min(operation.returned, NEVER) for operation in operations], np.int64)
    return invoked, returned
