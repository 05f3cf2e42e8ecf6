"""Lists with log indices, judged from columns, against every order there is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.operations import IMPOSSIBLE, NEVER, Model, Operation
from checkers.linear.witness import Explained, explained_by_log
from checkers.linear.witness_kernels import Calls
from checkers.models.append import APPEND
from checkers.verdict import Validity
from tests.checkers.random_histories import corrupted, simulated

ROUNDS = 2000


def step(state: Any, operation: Operation) -> Any:
    """A list that takes its places in a log: an append has an index greater than all before, of appends and
    of reads; a read reports one no less than that of any append it shows."""
    elements, appended, told = state
    index = operation.witness
    if operation.f == "read":
        if operation.result != elements or (index is not None and index < appended):
            return IMPOSSIBLE
        return elements, appended, max(told, -1 if index is None else index)
    elements = (*elements, operation.argument)
    if operation.crashed or index is None:
        return elements, appended, told
    return (elements, index, told) if index > max(appended, told) else IMPOSSIBLE


LOGGED = Model("logged-list", "a list in a log", ((), -1, -1), step)


def columns(operations: Sequence[Operation], keys: Sequence[int]) -> tuple[Calls, int]:
    """The operations' columns, and how many elements they have."""
    numbers: dict[Any, int] = {}
    for operation, key in zip(operations, keys, strict=True):
        for element in (operation.argument,) if operation.f == "append" else operation.result or ():
            numbers.setdefault((key, element), len(numbers))
    contents, first, element_of = [], [0], []
    for operation, key in zip(operations, keys, strict=True):
        shown = operation.result or () if operation.f == "read" else ()
        contents += [numbers[key, element] for element in shown]
        first.append(len(contents))
        element_of.append(numbers[key, operation.argument] if operation.f == "append" else -1)

    def whole(numbers: Sequence[int]) -> Any:
        return np.array(numbers, np.int64)

    calls = Calls(
        0,
        np.array([operation.f == "append" for operation in operations], np.uint8),
        np.array(keys, np.int32),
        np.array(element_of, np.int32),
        whole([-1 if operation.witness is None else operation.witness for operation in operations]),
        whole([operation.invoked for operation in operations]),
        whole([operation.returned for operation in operations]),
        whole(first),
        np.array(contents, np.int32),
    )
    return calls, len(numbers)


def in_parts(calls: Calls, size: int) -> Iterator[Calls]:
    for begin in range(0, len(calls.append), size):
        end = min(begin + size, len(calls.append))
        first = calls.first[begin : end + 1]
        part = {name: getattr(calls, name)[begin:end] for name in Calls._fields[1:7]}
        yield Calls(begin, **part, first=first, contents=calls.contents[first[0] : first[-1]])


def judged(operations: Sequence[Operation], keys: Sequence[int] = (), size: int = 1 << 30) -> Explained:
    keys = keys or [0] * len(operations)
    calls, elements = columns(operations, keys)
    return explained_by_log(lambda: in_parts(calls, size), max(keys, default=0) + 1, elements)


def small(rng: random.Random) -> list[Operation]:
    operations = simulated(
        rng,
        APPEND,
        clients=rng.randint(1, 5),
        length=rng.randint(2, 7),
        crash=rng.choice((0.0, 0.2)),
        witnessed=True,
    )
    while operations and rng.random() < 0.5:
        operations = rng.choice((corrupted, other_index))(rng, operations)
    return operations


def other_index(rng: random.Random, operations: list[Operation]) -> list[Operation]:
    at = rng.randrange(len(operations))
    other = rng.choice((None, rng.randint(0, 5), rng.choice(operations).witness))
    operations[at] = replace(operations[at], witness=other)
    return operations


def test_as_every_order_has_it() -> None:
    rng = random.Random(1)
    seen = {Validity.YES: 0, Validity.NO: 0, None: 0}
    for _ in range(ROUNDS):
        operations = small(rng)
        found = judged(operations, size=rng.choice((1, 3, 1 << 30)))
        seen[found.validity] += 1
        if found.validity is not None:
            expected = Validity.YES if brute_force(LOGGED, operations) else Validity.NO
            assert found.validity is expected, operations
        if found.validity is Validity.YES:
            assert brute_force(APPEND, operations), operations
        if found.validity is Validity.NO:
            assert 1 <= len(found.pair) <= 2
            assert all(0 <= at < len(operations) for at in found.pair)
    assert min(seen[Validity.YES], seen[Validity.NO]) > ROUNDS // 5, seen
    assert seen[None] > 10, seen


def test_lists_are_independent() -> None:
    rng = random.Random(2)
    for _ in range(ROUNDS // 4):
        one, other = small(rng), small(rng)
        merged = sorted([(op, 0) for op in one] + [(op, 1) for op in other], key=lambda of: of[0].invoked)
        together = judged([op for op, _ in merged], [key for _, key in merged]).validity
        parts = [judged(one).validity, judged(other).validity]
        if None not in parts and together is not None:
            assert together is (Validity.NO if Validity.NO in parts else Validity.YES)


def append(element: int, invoked: int, returned: int, witness: int | None = None) -> Operation:
    return Operation("append", element, element, invoked, returned, invoked, witness=witness)


def read(elements: tuple[int, ...], invoked: int, returned: int, witness: int | None = None) -> Operation:
    return Operation("read", None, elements, invoked, returned, invoked, witness=witness)


def wrong(kind: str, pair: tuple[int, ...]) -> Explained:
    return Explained(Validity.NO, pair, kind)


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([append(1, 0, 1, 5), read((1,), 2, 3, 5)], Explained(Validity.YES)),
        ([append(1, 0, NEVER), read((1,), 2, 3)], Explained(Validity.YES)),
        ([append(1, 0, NEVER), read((), 2, 3)], Explained(Validity.YES)),
        ([append(1, 0, 3), read((), 1, 2)], Explained(None, (0,))),
        ([append(1, 0, 1, 1), append(1, 2, 3, 2)], Explained(None, (0, 1))),
        ([append(1, 0, 1, 1), read((1, 1), 2, 3)], wrong("never-appended", (1,))),
        ([append(1, 0, 1, 1), read((2,), 2, 3)], wrong("never-appended", (1,))),
        (
            [append(1, 0, 1, 1), append(2, 2, 3, 2), read((1, 1), 4, 5)],
            wrong("duplicate-element", (0, 2)),
        ),
        ([append(1, 0, 1, 1), read((), 2, NEVER)], Explained(Validity.YES)),
        ([append(1, 0, 3, 1), append(2, 1, 2, 2), read((2, 1), 4, 5)], wrong("log-order", (1, 0))),
        ([append(1, 0, 3, 1), append(2, 1, 2, 2), read((2,), 4, 5)], wrong("lost-append", (0, 2))),
        (
            [append(1, 0, NEVER), append(2, 1, NEVER), read((1,), 2, 5), read((2,), 3, 4)],
            wrong("incompatible-reads", (2, 3)),
        ),
        ([append(1, 0, 1, 4), read((1,), 2, 3, 3)], wrong("read-past-its-index", (0, 1))),
        ([append(1, 0, 3, 4), read((), 1, 2, 4)], wrong("read-short-of-its-index", (0, 1))),
        (
            [append(1, 0, 9), append(2, 1, 8, 5), read((), 2, 7, 5), read((1, 2), 3, 6, 5)],
            wrong("read-short-of-its-index", (1, 2)),
        ),
        ([append(1, 0, 1, 4), read((), 2, 3, 3)], wrong("real-time-order", (0, 1))),
        ([append(1, 0, 1, 4), append(2, 2, 3, 3)], wrong("real-time-order", (0, 1))),
        ([read((1,), 0, 1), append(1, 2, 3, 4)], wrong("real-time-order", (0, 1))),
        ([], Explained(Validity.YES)),
    ],
)  # fmt: skip
def test_what_contradicts_what(operations: list[Operation], expected: Explained) -> None:
    assert judged(operations) == expected
    assert judged(operations, size=1) == expected


def test_what_was_appended_to_another_list_was_never_appended_to_this_one() -> None:
    operations = [append(1, 0, 1, 1), append(2, 2, 3, 2), read((2,), 4, 5)]
    calls, elements = columns(operations, [0, 1, 1])
    assert explained_by_log(lambda: [calls], 2, elements) == Explained(Validity.YES)
    of_the_other = calls._replace(contents=calls.element[:1])
    assert explained_by_log(lambda: [of_the_other], 2, elements) == wrong("never-appended", (2,))
