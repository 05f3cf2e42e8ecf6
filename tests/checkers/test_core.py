"""Small parts of invalid histories: that they prove what they claim, and that it is put into words truly."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.contradiction import explain
from checkers.linear.core import BRUTE_FORCE, SEARCH, Core, core
from checkers.linear.operations import IMPOSSIBLE, NEVER, UNKNOWN, Decision, Limits, Model, Operation
from checkers.linear.removals import Removals, cut
from checkers.linear.wing_gong import wing_gong
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.random_histories import planted, simulated, small

NAMES = tuple(LINEAR_MODELS)
REPEATS = 400
W, R = "write", "read"


def history(*rows: tuple[Any, ...]) -> list[Operation]:
    """Of rows (f, argument, result, invoked, returned, process): operations whose index is their position.
    None as the return is a crash."""
    return [
        Operation(
            f, argument, UNKNOWN if end is None else result, start, NEVER if end is None else end, at, process
        )
        for at, (f, argument, result, start, end, process) in enumerate(rows)
    ]


def by_brute_force(model: Model) -> Callable[[Sequence[Operation]], Decision]:
    def decide(operations: Sequence[Operation]) -> Decision:
        return Decision(Validity.YES if brute_force(model, operations) else Validity.NO, "brute force")

    return decide


def by_search(model: Model) -> Callable[[Sequence[Operation]], Decision]:
    return lambda operations: wing_gong(model, operations, Limits.of(10.0), 100_000)


def by_algorithm(model: Model) -> Callable[[Sequence[Operation]], Decision]:
    def decide(operations: Sequence[Operation]) -> Decision:
        decisions = (algorithm(operations) for algorithm in model.algorithms)
        return next((found for found in decisions if found is not None), None) or by_search(model)(operations)

    return decide


def smalls(name: str, purpose: str, count: int = REPEATS) -> list[tuple[random.Random, list[Operation]]]:
    rng = random.Random(f"{purpose}/{name}")
    return [(rng, small(rng, LINEAR_MODELS[name])) for _ in range(count)]


def some_moment(rng: random.Random, operations: Sequence[Operation]) -> int:
    return rng.choice([op.returned for op in operations if not op.crashed] or [0])


@pytest.mark.parametrize("name", NAMES)
def test_what_may_leave_a_valid_history_leaves_it_valid(name: str) -> None:
    model, smaller = LINEAR_MODELS[name], 0
    for rng, operations in smalls(name, "removals", 2 * REPEATS):
        if not brute_force(model, operations):
            continue
        known = operations
        if rng.random() < 0.5:
            _, known = cut(model, operations, some_moment(rng, operations))
            assert brute_force(model, known), operations
        removals = Removals(model, known)
        kept = set(range(len(known)))
        if rng.random() < 0.5:
            kept = removals.closure(rng.sample(sorted(kept), min(len(kept), rng.randint(0, 3))))
        for _ in range(4):
            kept = removals.without(kept, rng.sample(sorted(kept), min(len(kept), 2))) or kept
            part = [known[at] for at in removals.part(kept)]
            assert brute_force(model, part), (known, part)
            smaller += len(part) < len(known)
    assert smaller > REPEATS


@pytest.mark.parametrize("name", NAMES)
def test_a_core_is_invalid_and_so_is_the_history_it_is_of(name: str) -> None:
    """Of a valid one nothing is a core, whatever was hinted at."""
    model = LINEAR_MODELS[name]
    decide, invalid = by_brute_force(model), 0
    for rng, operations in smalls(name, "cores"):
        valid = brute_force(model, operations)
        hint = rng.sample(range(len(operations)), rng.randint(0, len(operations)))
        found = core(model, operations, decide, hint, Limits.of(30.0))
        assert found.checked_by == BRUTE_FORCE
        assert found.refuted == valid == brute_force(model, [operations[at] for at in found.positions])
        assert list(found.positions) == sorted(set(found.positions))
        assert found.widened == (not set(found.positions) <= set(hint))
        invalid += not valid
    assert invalid > REPEATS // 20


@pytest.mark.parametrize("name", NAMES)
def test_no_contradiction_is_told_of_a_valid_history(name: str) -> None:
    """Whatever part of it is pointed at."""
    model = LINEAR_MODELS[name]
    for rng, operations in smalls(name, "words", 2 * REPEATS):
        if operations and brute_force(model, operations):
            some = rng.sample(range(len(operations)), rng.randint(1, len(operations)))
            for positions in (range(len(operations)), some):
                kind, message = explain(model, operations, positions)
                # The last resort tells of a part by itself, and that it found no order in it.
                assert kind == "not-linearizable", (operations, message)


@pytest.mark.parametrize("name", ("register", "cas-register", "append", "queue", "stack", "set"))
def test_a_core_never_lacks_who_wrote_what_is_seen_in_it(name: str) -> None:
    model = LINEAR_MODELS[name]
    assert model.observes is not None and model.produces is not None
    for rng, operations in smalls(name, "producers"):
        if brute_force(model, operations):
            continue
        hint = rng.sample(range(len(operations)), min(len(operations), rng.randint(0, 2)))
        found = core(model, operations, by_brute_force(model), hint, Limits.of(30.0))
        inside = [operations[at] for at in found.positions]
        produced = {value for op in inside for value in model.produces(op)}
        somewhere = {value for op in operations for value in model.produces(op)}
        for op in inside:
            for value in model.observes(op) or ():
                assert value in produced or value not in somewhere or value == model.initial, (
                    operations,
                    found,
                )


def test_a_miss_keeps_the_crashed_write_that_it_may_have_met() -> None:
    operations = history((W, 1, 1, 0, 1, 0), (W, 2, None, 2, None, 1), ("miss", (1, 3), UNKNOWN, 4, 5, 2))
    model = LINEAR_MODELS["cas-register"]
    removals = Removals(model, operations)
    assert brute_force(model, operations)
    assert removals.part(removals.closure([2])) == [0, 1, 2]
    assert removals.without({0, 1, 2}, [1]) == {0}


def test_a_stale_read_keeps_the_write_it_read() -> None:
    operations = history(
        ("write", 1, 1, 0, 1, 0),
        ("read", None, 1, 2, 3, 1),
        ("write", 2, 2, 4, 5, 0),
        ("write", 3, 3, 6, 7, 2),
        ("read", None, 1, 8, 9, 3),
        ("read", None, 3, 10, 11, 3),
    )
    found = whole_core("register", operations, hint=(4,))
    assert 0 in found.positions and 4 in found.positions and len(found.positions) == 3
    assert found.widened and found.kind == "stale-read"
    assert "never" not in found.message


def test_a_read_of_what_was_written_later_keeps_the_write() -> None:
    operations = history(("write", 1, 1, 0, 1, 0), ("read", None, 5, 2, 3, 1), ("write", 5, 5, 4, 6, 0))
    found = whole_core("register", operations)
    assert found.positions == (1, 2) and found.kind == "read-before-write"


def whole_core(name: str, operations: Sequence[Operation], hint: Sequence[int] = ()) -> Core:
    model = LINEAR_MODELS[name]
    found = core(model, operations, by_brute_force(model), hint, Limits.of(30.0))
    assert not found.refuted
    assert not brute_force(model, [operations[at] for at in found.positions])
    return found


CONTRADICTIONS: list[tuple[str, str, str, list[tuple[Any, ...]]]] = [
    ("register", "never-written", "Read 1 (process 1) returned 9, but nobody ever wrote 9",
     [(W, 1, 1, 0, 1, 0), (R, None, 9, 2, 3, 1)]),
    ("register", "read-before-write",
     "but write 1 of 5 (process 0), the first of that value, began only after",
     [(R, None, 5, 0, 1, 1), (W, 5, 5, 2, 3, 0)]),
    ("register", "stale-read",
     ("Read 2 (process 3) returned 1, but write 1 of 2 (process 0) had been acknowledged before it began, and"
      " write 0 of 1 had been acknowledged before write 1 began, so 1 was gone"),
     [(W, 1, 1, 0, 1, 0), (W, 2, 2, 2, 3, 0), (R, None, 1, 4, 5, 3)]),
    ("register", "stale-read", "returned nil, but write 0 of 1 (process 0) had been acknowledged",
     [(W, 1, 1, 0, 1, 0), (R, None, None, 2, 3, 1)]),
    ("register", "reads-go-back", "and after it had ended read 3 (process 2) returned 1",
     [(W, 1, 1, 0, 1, 0), (W, 2, 2, 2, 20, 0), (R, None, 2, 3, 4, 1), (R, None, 1, 5, 6, 2)]),
    ("register", "reads-go-back", "back to 1, but 1 was written only once (write 0 of 1)",
     [(W, 1, 1, 0, 20, 0), (W, 2, 2, 1, 21, 3), (R, None, 1, 2, 3, 1), (R, None, 2, 4, 5, 1),
      (R, None, 1, 6, 7, 1)]),
    ("register", "two-values-at-once", "these times overlap",
     [(W, 1, 1, 0, 4, 0), (W, 2, 2, 1, 5, 1), (R, None, 1, 6, 8, 2), (R, None, 2, 7, 9, 3)]),
    ("register", "two-values-at-once", "which leaves no time for 2",
     [(W, 1, 1, 0, 20, 0), (R, None, 1, 1, 2, 2), (W, 2, 2, 3, 6, 1), (R, None, 1, 7, 8, 2)]),
    ("cas-register", "impossible-cas", "Cas 1 from 7 to 2 (process 1) succeeded, but nobody ever wrote 7",
     [(W, 1, 1, 0, 1, 0), ("cas", (7, 2), (7, 2), 2, 3, 1)]),
    ("cas-register", "impossible-cas",
     "all succeeded in replacing 1, but it was written only once (write 0 of 1)",
     [(W, 1, 1, 0, 1, 0), ("cas", (1, 2), (1, 2), 2, 6, 1), ("cas", (1, 3), (1, 3), 3, 7, 2)]),
    ("cas-register", "impossible-miss", "found something else than 1, but write 0 of 1 (process 0)",
     [(W, 1, 1, 0, 1, 0), ("miss", (1, 2), UNKNOWN, 2, 3, 1)]),
    ("kv", "stale-read", "so a was gone",
     [("put", "a", "a", 0, 1, 0), ("append", "b", "b", 2, 3, 0), ("get", None, "a", 4, 5, 1)]),
    ("kv", "lost-append", "which lacks b, but append 1 of b (process 0) had been acknowledged",
     [("append", "a", "a", 0, 1, 0), ("append", "b", "b", 2, 3, 0), ("get", None, "a", 4, 5, 1)]),
    ("kv", "never-written", "no texts that were ever written or appended add up to that",
     [("append", "ab", "ab", 0, 1, 0), ("get", None, "bab", 2, 3, 1)]),
    ("append", "lost-append",
     "without 2, but append 1 of 2 (process 0) had been acknowledged before it began",
     [("append", 1, 1, 0, 1, 0), ("append", 2, 2, 2, 3, 0), (R, None, (1,), 4, 5, 1)]),
    ("append", "never-appended", "nobody ever appended 9", [(R, None, (9,), 0, 1, 0)]),
    ("append", "duplicate-element",
     "which has 1 2 times, but it was appended only by append 0 of 1 (process 0)",
     [("append", 1, 1, 0, 1, 0), (R, None, (1, 1), 2, 3, 1)]),
    ("append", "append-order", "which has 2 before 1, but append 0 of 1 (process 0) had been acknowledged",
     [("append", 1, 1, 0, 1, 0), ("append", 2, 2, 2, 3, 0), (R, None, (2, 1), 4, 5, 1)]),
    ("append", "reads-diverge", "neither is the beginning of the other",
     [("append", 1, 1, 0, 20, 0), ("append", 2, 2, 1, 21, 3),
      (R, None, (1,), 2, 5, 1), (R, None, (2, 1), 3, 6, 2)]),
    ("append", "reads-go-back", "and nothing is ever taken away",
     [("append", 1, 1, 0, 20, 0), (R, None, (1,), 2, 3, 1), (R, None, (), 4, 5, 2)]),
    ("counter", "out-of-bounds", "but it was at most 3, which is the sum of all additions that had begun",
     [("add", 3, 3, 0, 1, 0), (R, None, 4, 2, 3, 1)]),
    ("counter", "out-of-bounds",
     "but it was at least 3, which is the sum of all additions that had been ackn",
     [("add", 3, 3, 0, 1, 0), (R, None, 0, 2, 3, 1)]),
    ("counter", "reads-go-back", "and nothing was ever subtracted",
     [("add", 3, 3, 0, 20, 0), (R, None, 3, 1, 2, 1), (R, None, 0, 3, 4, 2)]),
    ("fetch-add", "same-number-twice", "both found 0",
     [("fetch-add", 1, (1, 0), 0, 4, 0), ("fetch-add", 2, (2, 0), 1, 5, 1)]),
    ("fetch-add", "reads-go-back", "had left the number at 3",
     [("fetch-add", 1, (1, 2), 2, 3, 0), ("fetch-add", 2, (2, 0), 0, 20, 1), (R, None, 2, 4, 5, 2)]),
    ("set", "never-added", "nobody ever added 9", [(R, None, frozenset({9}), 0, 1, 0)]),
    ("set", "lost-element",
     "without 1, but add 0 of 1 (process 0) had been acknowledged before it began, and nobody",
     [("add", 1, 1, 0, 1, 0), (R, None, frozenset(), 2, 3, 1)]),
    ("set", "removed-yet-there",
     "Contains 2 of 1 (process 1) returned True, but remove 1 of 1 (process 0) had been",
     [("add", 1, 1, 0, 1, 0), ("remove", 1, 1, 2, 3, 0), ("contains", 1, (1, True), 4, 5, 1)]),
    ("set", "reads-diverge", "nobody had begun to remove either",
     [("add", 1, 1, 0, 20, 0), ("add", 2, 2, 1, 21, 1), (R, None, frozenset({1}), 2, 5, 2),
      (R, None, frozenset({2}), 3, 6, 3)]),
    ("queue", "never-enqueued", "Dequeue 0 (process 0) returned 5, which nobody ever enqueued",
     [("dequeue", None, 5, 0, 1, 0)]),
    ("queue", "dequeued-twice", "1 was dequeued 2 times, by dequeue 1 (process 1) and dequeue 2 (process 2)",
     [("enqueue", 1, 1, 0, 1, 0), ("dequeue", None, 1, 2, 3, 1), ("dequeue", None, 1, 4, 5, 2)]),
    ("queue", "queue-not-empty",
     "Dequeue 1 (process 1) found the queue empty, but enqueue 0 of 1 (process 0) had",
     [("enqueue", 1, 1, 0, 1, 0), ("dequeue", None, None, 2, 3, 1)]),
    ("queue", "fifo-order",
     "so 1 was ahead of it, and 1 was dequeued only by dequeue 3 (process 1), which began later",
     [("enqueue", 1, 1, 0, 1, 0), ("enqueue", 2, 2, 2, 3, 0), ("dequeue", None, 2, 4, 5, 1),
      ("dequeue", None, 1, 6, 7, 1)]),
    ("stack", "lifo-order", "so 2 was above it, and 2 was not popped by anyone",
     [("push", 1, 1, 0, 1, 0), ("push", 2, 2, 2, 3, 0), ("pop", None, 1, 4, 5, 1)]),
    ("stack", "stack-not-empty", "found the stack empty",
     [("push", 1, 1, 0, 1, 0), ("pop", None, None, 2, 3, 1)]),
    ("mutex", "two-holders", "both held the lock at once",
     [("acquire", None, None, 0, 1, 0), ("acquire", None, None, 2, 3, 1)]),
    ("mutex", "released-while-free", "2 releases had been, but only 1 acquires had begun",
     [("acquire", None, None, 0, 1, 0), ("release", None, None, 2, 3, 0), ("release", None, None, 4, 5, 1)]),
    ("fenced-mutex", "token-not-growing", "tokens grow",
     [("acquire", None, 5, 0, 1, 0), ("release", None, None, 2, 3, 0), ("acquire", None, 4, 4, 5, 1)]),
    ("fenced-mutex", "two-holders", "before either process had begun to release the lock",
     [("acquire", None, 1, 0, 1, 0), ("acquire", None, 2, 2, 3, 1)]),
    ("fenced-mutex", "released-unheld", "its process had never begun to acquire the lock",
     [("acquire", None, 1, 0, 1, 0), ("release", None, None, 2, 3, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "words", "rows"), CONTRADICTIONS)
def test_contradictions_are_named_and_told(
    name: str, kind: str, words: str, rows: list[tuple[Any, ...]]
) -> None:
    operations = history(*rows)
    found = whole_core(name, operations)
    assert (found.kind, words in found.message) == (kind, True), found


def test_of_what_no_pattern_fits_the_impasse_is_told() -> None:
    operations = history(("add", 3, 3, 0, 1, 0), ("add", 4, 4, 2, None, 1), (R, None, 5, 4, 5, 2))
    found = whole_core("counter", operations)
    assert found.kind == "not-linearizable"
    assert "read 2 (process 2) returned 5" in found.message
    assert "can only have been 3 or 7" in found.message


def test_a_model_that_says_nothing_of_what_hangs_on_what_keeps_all_that_may_matter() -> None:
    """Only reads leave, and what comes after the contradiction."""

    def step(state: Any, operation: Operation) -> Any:
        if operation.f == "flip":
            return not state
        return state if operation.result == state else IMPOSSIBLE

    switch = Model("switch", "a switch", False, step, reads=frozenset({"look"}))
    operations = history(
        ("flip", None, None, 0, 1, 0),
        ("look", None, True, 2, 3, 0),
        ("flip", None, None, 4, 5, 0),
        ("look", None, True, 6, 7, 0),
        ("flip", None, None, 8, 9, 0),
    )
    found = core(switch, operations, by_brute_force(switch), (), Limits.of(10.0))
    assert found.positions == (0, 2, 3)
    assert found.message.startswith(
        "No order explains that look 3 (process 0) returned True, given that flip 0"
    )
    assert "the switch can only have been False" in found.message


def test_without_time_the_whole_history_is_returned_and_nobody_is_said_to_have_judged_it() -> None:
    rng = random.Random("late")
    operations = simulated(rng, LINEAR_MODELS["counter"], 4, 60, crash=0.0)
    last = max(op.returned for op in operations)
    operations.append(Operation(R, None, 10**6, last + 1, last + 2, 1000))
    model = LINEAR_MODELS["counter"]
    found = core(model, operations, by_search(model), (), Limits.of(0.0))
    assert len(found.positions) > 9 and not found.refuted
    assert found.checked_by == ""
    assert found.kind == "out-of-bounds"


def test_a_large_core_is_judged_again_by_search() -> None:
    operations = history(*[("add", 1, 1, 2 * i, 2 * i + 1, 0) for i in range(20)], (R, None, 19, 100, 101, 1))
    model = LINEAR_MODELS["counter"]
    found = core(model, operations, by_search(model), (), Limits.of(10.0))
    assert len(found.positions) == 21
    assert (found.checked_by, found.refuted) == (SEARCH, False)


@pytest.mark.parametrize("name", ("register", "cas-register", "queue", "stack", "mutex", "fenced-mutex"))
@pytest.mark.parametrize("seed", (1, 2))
def test_one_violation_among_thousands_of_operations_is_brought_down_to_a_few(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seconds of a machine that may be busy.
    monkeypatch.setattr("checkers.linear.core._SHRINK_S", 80.0)
    model, rng = LINEAR_MODELS[name], random.Random(f"{seed}/{name}")
    operations: list[Operation] = []
    while not any(op.f in ("pop", "dequeue", "read", "acquire") for op in operations):
        operations = simulated(rng, model, 3, 2000, crash=0.005)
    operations = planted(rng, model, operations)
    decide = by_algorithm(model)
    # Also compiles what is to be compiled, which is not part of the time that there is.
    assert decide(operations).validity is Validity.NO
    found = core(model, operations, decide, (), Limits.of(200.0))
    assert len(operations) > 1900 and len(found.positions) <= 9
    assert (found.checked_by, found.refuted) == (BRUTE_FORCE, False)
    assert found.kind != "not-linearizable", found


def test_repeated_values_do_not_keep_every_write_of_a_value() -> None:
    """Those that were surely overwritten when a read began cannot have been what it saw."""
    rows: list[tuple[Any, ...]] = [(W, i % 3, i % 3, 2 * i, 2 * i + 1, 0) for i in range(300)]
    operations = history(*rows, (R, None, 1, 700, 701, 1))
    model = LINEAR_MODELS["register"]
    found = core(model, operations, by_search(model), (), Limits.of(20.0))
    assert len(found.positions) == 3 and 298 in found.positions and found.kind == "stale-read"
