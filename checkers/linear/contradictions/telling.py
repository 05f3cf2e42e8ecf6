"""How operations are told of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from checkers.linear.operations import Model, Operation
from checkers.words import listed, shown


class Told(NamedTuple):
    """A contradiction: its kind, a short stable name, and what happened in plain English."""

    kind: str
    message: str


# Longer values are told by their beginning.
_ELEMENTS_TOLD = 8
_CHARACTERS_TOLD = 80
_OPERATIONS_TOLD = 12
# Of a larger core only the end, which is where it fails, is looked through for the operations to tell of.
FEW = 500


@dataclass(frozen=True)
class Scene:
    """model: of the object; operations: all of them; core: those that contradict each other, by
    invocation."""

    model: Model
    operations: Sequence[Operation]
    core: Sequence[Operation]

    @classmethod
    def of(cls, model: Model, operations: Sequence[Operation], positions: Sequence[int]) -> Scene:
        core = sorted((operations[at] for at in positions), key=lambda op: op.invoked)
        return cls(model, operations, core[-FEW:])

    def returned(self, *functions: str) -> list[Operation]:
        """The core's operations of these names that returned."""
        return [op for op in self.core if op.f in functions and not op.crashed]


def before(one: Operation, other: Operation) -> bool:
    return one.returned < other.invoked


def said(value: Any) -> str:
    """A value as a reader would write it, cut where it is long."""
    if isinstance(value, tuple):
        return f"[{_elements(value)}]"
    if isinstance(value, frozenset):
        return f"{{{_elements(sorted(value, key=repr))}}}"
    text = '""' if value == "" else shown(value)
    return text if len(text) <= _CHARACTERS_TOLD else f"{text[:_CHARACTERS_TOLD]}…"


def _elements(values: Collection[Any]) -> str:
    told = [said(value) for value in list(values)[:_ELEMENTS_TOLD]]
    more = [f"… {len(values)} in all"] if len(values) > _ELEMENTS_TOLD else []
    return ", ".join(told + more)


def named(op: Operation) -> str:
    """Such as "write 8 of 2": 8 is the index of its invocation in the history."""
    if op.f in ("cas", "miss") and isinstance(op.argument, tuple) and len(op.argument) == 2:
        return f"cas {op.index} from {said(op.argument[0])} to {said(op.argument[1])}"
    return f"{op.f} {op.index}" + (f" of {said(op.argument)}" if op.argument is not None else "")


def by(op: Operation) -> str:
    """Such as "write 8 of 2 (process 3)"."""
    return f"{named(op)} (process {op.process})"


def did(op: Operation) -> str:
    """Such as "read 12 (process 3) returned 1"."""
    if op.crashed:
        return f"{by(op)} was never answered"
    if op.f == "miss":
        return f"{by(op)} found something else"
    if op.f == "cas":
        return f"{by(op)} succeeded"
    if op.f in ("fetch-add", "contains") and isinstance(op.result, tuple):
        return f"{by(op)} returned {said(op.result[1])}"
    silent = op.f in ("acquire", "release") or op.argument is not None
    if silent and op.result in (None, op.argument):
        return f"{by(op)} was acknowledged"
    return f"{by(op)} returned {said(op.result)}"


def all_named(operations: Sequence[Operation], how: Any = named) -> str:
    more = len(operations) - _OPERATIONS_TOLD
    names = [how(op) for op in operations[:_OPERATIONS_TOLD]]
    return listed([*names, *([f"{more} more"] if more > 0 else [])])


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
