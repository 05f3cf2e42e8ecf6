"""Queues and stacks whose values are unique, decided without a search."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.certificate import verify
from checkers.linear.fifo import fifo
from checkers.linear.lifo import lifo
from checkers.linear.operations import Algorithm, Model, Operation
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.random_histories import simulated, small
from tests.checkers.spread_histories import Choose, agree, kind, ops, seen_all, spread

QUEUE, STACK = LINEAR_MODELS["queue"], LINEAR_MODELS["stack"]
BOTH = pytest.mark.parametrize(
    ("model", "algorithm", "put", "take"),
    [(QUEUE, fifo, "enqueue", "dequeue"), (STACK, lifo, "push", "pop")],
    ids=["fifo", "lifo"],
)


def choosing(put: str, take: str, puts: float) -> Choose:
    return lambda rng, at: (put, at) if rng.random() < puts else (take, None)


@BOTH
@pytest.mark.parametrize("crash", [0.0, 0.15, 0.4])
def test_agrees_with_every_order_there_is(
    model: Model, algorithm: Algorithm, put: str, take: str, crash: float
) -> None:
    rng = random.Random(f"{put} {crash}")
    tally = []
    for _ in range(1500):
        choose = choosing(put, take, rng.choice((0.5, 0.6)))
        width = rng.choice((0.3, 0.6, 1, 2, 4))
        damage = rng.choice((0, 1, 2, 4))
        operations = spread(rng, model, choose, rng.randint(4, 7), width=width, crash=crash, damage=damage)
        if rng.random() < 0.3:
            rng.shuffle(operations)
        tally.append(agree(algorithm, model, operations, brute_force))
    assert seen_all(tally)
    assert tally.count(None) < 10


@BOTH
def test_agrees_on_histories_of_clients(model: Model, algorithm: Algorithm, put: str, take: str) -> None:
    rng = random.Random(put)
    assert seen_all([agree(algorithm, model, small(rng, model), brute_force) for _ in range(1500)])


@BOTH
def test_does_not_apply_to_a_value_put_twice(model: Model, algorithm: Algorithm, put: str, take: str) -> None:
    assert algorithm(ops((put, 1, None, 0, 1), (put, 1, None, 2, None))) is None
    # What returned None might be this value, or find nothing.
    assert algorithm(ops((put, None, None, 0, 1))) is None
    assert algorithm(ops(("read", None, (), 0, 1))) is None


@BOTH
def test_names_what_is_wrong(model: Model, algorithm: Algorithm, put: str, take: str) -> None:
    assert kind(algorithm, ops((put, 1, None, 0, 1), (take, None, 2, 2, 3))) == "never-put"
    twice = ops((put, 1, None, 0, 1), (take, None, 1, 2, 4), (take, None, 1, 3, 5))
    assert kind(algorithm, twice) == "taken-twice"
    assert kind(algorithm, ops((take, None, 1, 0, 1), (put, 1, None, 2, 3))) == "taken-before-put"
    nothing = ops((put, 1, None, 0, 1), (take, None, None, 2, 3))
    assert kind(algorithm, nothing) == "empty-while-held"
    # It crashed and took the value, maybe.
    assert kind(algorithm, [*nothing, *ops((take, None, None, 2, None))]) == "yes"
    assert kind(algorithm, [*nothing, *ops((take, None, None, 4, None))]) == "left-too-long"


def test_a_queue_keeps_its_order() -> None:
    puts = (("enqueue", 1, None, 0, 1), ("enqueue", 2, None, 2, 3))
    assert kind(fifo, ops(*puts, ("dequeue", None, 1, 4, 5), ("dequeue", None, 2, 6, 7))) == "yes"
    assert kind(fifo, ops(*puts, ("dequeue", None, 2, 4, 5), ("dequeue", None, 1, 6, 7))) == "out-of-order"
    assert kind(fifo, ops(*puts, ("dequeue", None, 2, 4, 6), ("dequeue", None, 1, 5, 7))) == "yes"
    # What was never taken stands in the way of what came after it.
    assert kind(fifo, ops(*puts, ("dequeue", None, 2, 4, 5))) == "out-of-order"
    overlapping = (("enqueue", 1, None, 0, 2), ("enqueue", 2, None, 1, 3))
    assert kind(fifo, ops(*overlapping, ("dequeue", None, 2, 4, 5))) == "yes"


def test_what_was_put_in_first_is_gone_by_the_time_that_a_later_value_is() -> None:
    first, second = ("enqueue", 1, None, 0, 1), ("enqueue", 2, None, 2, 5)
    taken, crashed = ("dequeue", None, 2, 6, 8), ("dequeue", None, None, 9, None)
    assert kind(fifo, ops(first, second, taken, crashed)) == "left-too-long"
    assert kind(fifo, ops(first, second, taken, ("dequeue", None, None, 7, None))) == "yes"
    # Of two later values the one that is taken first counts.
    third = ("enqueue", 3, None, 3, 4), ("dequeue", None, 3, 6, 8), ("dequeue", None, 2, 9, 20)
    assert kind(fifo, ops(first, second, *third, ("dequeue", None, None, 10, None))) == "left-too-long"
    assert kind(fifo, ops(first, second, *third, ("dequeue", None, None, 7, None))) == "yes"


def test_a_stack_turns_the_order_around() -> None:
    puts = (("push", 1, None, 0, 1), ("push", 2, None, 2, 3))
    assert kind(lifo, ops(*puts, ("pop", None, 2, 4, 5), ("pop", None, 1, 6, 7))) == "yes"
    assert kind(lifo, ops(*puts, ("pop", None, 1, 4, 5), ("pop", None, 2, 6, 7))) == "out-of-order"
    assert kind(lifo, ops(*puts, ("pop", None, 1, 4, 6), ("pop", None, 2, 5, 7))) == "yes"
    assert kind(lifo, ops(*puts, ("pop", None, 1, 4, 5))) == "out-of-order"


def test_three_values_of_which_any_two_are_in_order() -> None:
    stays = [
        (("push", 0, None, 1, 2), ("pop", None, 0, 5, 6)),
        (("push", 1, None, 0, 4), ("pop", None, 1, 8, 9)),
        (("push", 2, None, 3, 7), ("pop", None, 2, 10, 11)),
    ]
    assert kind(lifo, ops(*stays[0], *stays[1], *stays[2])) == "out-of-order"
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert kind(lifo, ops(*stays[one], *stays[other])) == "yes"


@BOTH
@pytest.mark.parametrize("crash", [0.0, 0.03])
def test_large_histories(model: Model, algorithm: Algorithm, put: str, take: str, crash: float) -> None:
    rng = random.Random(1)
    operations = spread(rng, model, choosing(put, take, 0.5), 20_000, width=10, crash=crash)
    algorithm(operations[:10])  # what is compiled is compiled now
    started = time.process_time()
    decision = algorithm(operations)
    assert time.process_time() - started < 5
    assert decision is not None and decision.validity is Validity.YES and decision.order is not None
    assert verify(model, operations, decision.order) is None
    wrong = algorithm(_swapped(operations))
    assert wrong is not None and wrong.validity is Validity.NO


def _swapped(operations: list[Operation]) -> list[Operation]:
    """The first and the last value that were taken change places."""
    takes = [
        at for at, op in enumerate(operations) if not op.crashed and op.f in ("dequeue", "pop") and op.result
    ]
    first, last = takes[len(takes) // 3], takes[-1]
    swapped = list(operations)
    swapped[first] = replace(operations[first], result=operations[last].result)
    swapped[last] = replace(operations[last], result=operations[first].result)
    return swapped


@BOTH
def test_histories_of_many_clients(model: Model, algorithm: Algorithm, put: str, take: str) -> None:
    for clients in (3, 30):
        operations = simulated(random.Random(clients), model, clients, 5_000)
        decision = algorithm(operations)
        assert decision is not None and decision.validity is Validity.YES and decision.order is not None
        assert verify(model, operations, decision.order) is None


def test_a_deep_stack() -> None:
    depth = 10_000
    pushes = [("push", at, None, 2 * at, 2 * at + 1) for at in range(depth)]
    pops = [("pop", None, depth - 1 - at, 2 * (depth + at), 2 * (depth + at) + 1) for at in range(depth)]
    started = time.process_time()
    assert kind(lifo, ops(*pushes, *pops)) == "yes"
    pops[100], pops[-100] = (*pops[100][:3], *pops[-100][3:]), (*pops[-100][:3], *pops[100][3:])
    assert kind(lifo, ops(*pushes, *pops)) == "out-of-order"
    assert time.process_time() - started < 10
