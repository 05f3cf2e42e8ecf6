"""What is said of operations that contradict each other: true of the whole history, and of the right ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.contradiction import explain
from checkers.linear.contradictions.contents import lists, sets, texts
from checkers.linear.contradictions.elements import queue, stack
from checkers.linear.contradictions.impasse import Impasse, find, told
from checkers.linear.contradictions.locks import fenced_mutex, mutex
from checkers.linear.contradictions.numbers import numbers
from checkers.linear.contradictions.registers import registers
from checkers.linear.contradictions.telling import Scene, Told, all_named, did, said, sentence
from checkers.linear.operations import NEVER, UNKNOWN, Operation
from checkers.models import LINEAR_MODELS
from checkers.models.register import ANYTHING
from tests.checkers.random_histories import simulated
from tests.checkers.test_core import history

PATTERNS: dict[str, tuple[Callable[[Scene], Iterator[Told]], ...]] = {
    "register": (registers,),
    "cas-register": (registers,),
    "kv": (registers, texts),
    "append": (lists,),
    "counter": (numbers,),
    "fetch-add": (numbers,),
    "set": (sets,),
    "queue": (queue,),
    "stack": (stack,),
    "mutex": (mutex,),
    "fenced-mutex": (fenced_mutex,),
}
VALID = 400
W, R, ADD, GET = "write", "read", "add", "get"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nil"),
        ("", '""'),
        ("a" * 80, "a" * 80),
        ("a" * 81, "a" * 80 + "…"),
        (tuple(range(8)), "[0, 1, 2, 3, 4, 5, 6, 7]"),
        (tuple(range(9)), "[0, 1, 2, 3, 4, 5, 6, 7, … 9 in all]"),
        (frozenset({9, 17, 25, 1}), "{1, 17, 25, 9}"),
        ((("", None),), '[["", nil]]'),
    ],
)
def test_values_are_told_as_a_reader_would_write_them(value: Any, words: str) -> None:
    assert said(value) == words


@pytest.mark.parametrize(
    ("f", "argument", "result", "words"),
    [
        ("read", None, 1, "read 7 (process 3) returned 1"),
        ("read", None, None, "read 7 (process 3) returned nil"),
        ("write", 2, 2, "write 7 of 2 (process 3) was acknowledged"),
        ("cas", (1, 2), (1, 2), "cas 7 from 1 to 2 (process 3) succeeded"),
        ("miss", (1, 2), UNKNOWN, "cas 7 from 1 to 2 (process 3) found something else"),
        ("fetch-add", 2, (2, 5), "fetch-add 7 of 2 (process 3) returned 5"),
        ("contains", 4, (4, False), "contains 7 of 4 (process 3) returned False"),
        ("acquire", None, None, "acquire 7 (process 3) was acknowledged"),
        ("acquire", None, 5, "acquire 7 (process 3) returned 5"),
        ("dequeue", None, None, "dequeue 7 (process 3) returned nil"),
    ],
)
def test_what_an_operation_did_is_told(f: str, argument: Any, result: Any, words: str) -> None:
    assert did(Operation(f, argument, result, 0, 1, index=7, process=3)) == words
    crashed = did(Operation(f, argument, UNKNOWN, 0, NEVER, index=7, process=3))
    assert crashed.startswith(words[: words.index(")") + 1]) and crashed.endswith("was never answered")


def test_of_many_operations_the_first_are_named() -> None:
    reads = [Operation("read", None, 1, 2 * at, 2 * at + 1, index=at) for at in range(14)]
    named = ", ".join(f"read {at}" for at in range(11))
    assert all_named(reads[:12]) == f"{named} and read 11"
    assert all_named(reads[:13]) == f"{named}, read 11 and 1 more"
    assert all_named(reads) == f"{named}, read 11 and 2 more"


@pytest.mark.parametrize("name", PATTERNS)
def test_nothing_is_told_of_what_a_correct_object_did(name: str) -> None:
    """By any pattern, whatever part of the history is pointed at, with few values and many that crashed."""
    model, rng = LINEAR_MODELS[name], random.Random(f"told of {name}")
    for number in range(VALID):
        clients, length, crash = 1 + number % 4, 4 + number % 9, (0.0, 0.1, 0.3)[number % 3]
        operations = simulated(rng, model, clients, length, crash=crash, unique=number % 2 == 0)
        positions = sorted(rng.sample(range(len(operations)), (len(operations) + 1) // 2))
        for part in (range(len(operations)), positions):
            scene = Scene.of(model, operations, part)
            told = [one for pattern in PATTERNS[name] for one in pattern(scene)]
            assert not told, operations


Rows = list[tuple[Any, ...]]
# Nothing contradicts itself, though it nearly does.
QUIET: list[tuple[str, Rows]] = [
    # A removal under way, before and after the later look had ended.
    ("set", [(ADD, 1, 1, 0, 1, 0), (R, None, frozenset({1}), 2, 3, 1), ("remove", 1, 1, 4, 9, 0),
             (R, None, frozenset(), 5, 6, 1)]),
    ("set", [(ADD, 1, 1, 0, 1, 0), (ADD, 2, 2, 2, 30, 0), (R, None, frozenset({1}), 3, 20, 1),
             (R, None, frozenset({2}), 4, 25, 2), ("remove", 1, 1, 22, 24, 3)]),
    # The addition that counts is the one that ended last.
    ("set", [(ADD, 1, 1, 0, 1, 0), (ADD, 1, 1, 2, 9, 1), ("remove", 1, 1, 3, 4, 2),
             (R, None, frozenset({1}), 5, 6, 3)]),
    ("kv", [("append", "a", "a", 0, 1, 0), (GET, None, "a", 2, 3, 1), (GET, None, "a", 4, 5, 1)]),
    ("kv", [("put", "a", "a", 0, 1, 0), ("append", "", "", 2, 3, 0), (GET, None, "a", 4, 5, 1)]),
    ("kv", [("put", "a", "a", 0, 1, 0), ("append", "b", "b", 2, 3, 0), ("miss", ("b", "c"), UNKNOWN, 4, 5,
     1)]),
    ("register", [(W, None, None, 0, 20, 0), (W, 1, 1, 1, 21, 1), (R, None, None, 2, 3, 2), (R, None, 1, 4,
     5, 2), (R, None, None, 6, 7, 2)]),
    ("register", [(R, None, None, 0, 1, 2), (W, 1, 1, 2, 3, 0), (W, None, None, 4, 20, 1), (R, None, 1, 5,
     6, 2)]),
    # To a cas nil and an empty text are two.
    ("kv", [("put", "", "", 0, 1, 0), ("miss", (None, "a"), UNKNOWN, 2, 3, 1)]),
    ("kv", [("append", "", "", 0, 1, 0), ("miss", (None, "a"), UNKNOWN, 2, 3, 1)]),
    ("kv", [("append", "", "", 0, 1, 0), (GET, None, None, 2, 3, 1)]),
    ("cas-register", [(W, 1, 1, 0, 1, 0), ("cas", (1, 1), (1, 1), 2, 3, 0), (R, None, 1, 4, 5, 1)]),
    ("cas-register", [("miss", (None, 1), UNKNOWN, 0, None, 0), (R, None, None, 1, 2, 1)]),
    ("fetch-add", [("fetch-add", 0, (0, 0), 0, 1, 0), ("fetch-add", 1, (1, 0), 2, 3, 1)]),
    ("fetch-add", [("fetch-add", 1, (1, 0), 0, 1, 0), ("fetch-add", -1, (-1, 1), 2, 3, 1),
                   ("fetch-add", 1, (1, 0), 4, 5, 1)]),
    # Concurrent acquires get their tokens in any order.
    ("fenced-mutex", [("acquire", None, 2, 0, 9, 0), ("acquire", None, 1, 1, 2, 1), ("release", None, None,
     3, 4, 1)]),
    # A process that does two things at a time may release what it is still about to acquire.
    ("fenced-mutex", [("acquire", None, 1, 0, 5, 0), ("release", None, None, 1, 6, 0), ("acquire", None, 2,
     7, 8, 1)]),
    # One release is under way while the other's acquire is, too.
    ("fenced-mutex", [("acquire", None, 1, 0, 1, 0), ("release", None, None, 2, 9, 0), ("acquire", None, 2,
     3, 4, 0)]),
    ("queue", [("dequeue", None, None, 0, 1, 1), ("enqueue", 1, 1, 2, 3, 0), ("enqueue", None, None, 4, 5,
     0)]),
    ("queue", [("enqueue", None, None, 0, 1, 0), ("dequeue", None, None, 2, 3, 1)]),
    ("queue", [("enqueue", None, None, 0, 1, 0), ("enqueue", 1, 1, 2, 3, 0), ("dequeue", None, None, 4, 5,
     1)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows"), QUIET)
def test_what_has_an_order_is_not_told_of(name: str, rows: Rows) -> None:
    model, operations = LINEAR_MODELS[name], history(*rows)
    assert brute_force(model, operations)
    scene = Scene.of(model, operations, range(len(operations)))
    assert [one for pattern in PATTERNS[name] for one in pattern(scene)] == []


TOLD: list[tuple[str, str, str, Rows]] = [
    ("append", "append-order",
     "which has 3 before 1, but append 0 of 1 (process 0) had been acknowledged before append 2 of 3",
     [("append", 1, 1, 0, 1, 0), ("append", 2, 2, 2, 9, 1), ("append", 3, 3, 3, 8, 2),
      (R, None, (3, 2, 1), 10, 11, 3)]),
    ("append", "append-order", "which has 4 before 2, but append 0 of 2",
     [("append", 2, 2, 0, 1, 0), ("append", 4, 4, 2, 20, 1), ("append", 3, 3, 0.5, 21, 2),
      (R, None, (4, 3, 2), 22, 23, 3)]),
    ("append", "reads-go-back", "Read 3 (process 2) returned [], but read 1 (process 1) returned [1] before",
     [("append", 1, 1, 0, 20, 0), (R, None, (1,), 2, 3, 1), (R, None, (), 2.5, 4, 3), (R, None, (), 5, 6,
      2)]),
    ("set", "reads-go-back", "without 1, but read 1 (process 1) returned {1} before it began, and nobody had",
     [(ADD, 1, 1, 0, 20, 0), (R, None, frozenset({1}), 2, 3, 1), (R, None, frozenset(), 4, 5, 2)]),
    ("kv", "reads-diverge", "Get 3 (process 2) returned b, and get 2 (process 2) returned ab: neither",
     [("append", "a", "a", 0, 20, 0), ("append", "b", "b", 1, 21, 1), (GET, None, "ab", 2, 4, 2),
      (GET, None, "b", 3, 5, 2)]),
    ("kv", "reads-go-back", "Get 2 (process 2) returned nil, but get 1 (process 1) returned a before it",
     [("append", "a", "a", 0, 20, 0), (GET, None, "a", 2, 3, 1), (GET, None, None, 4, 5, 2)]),
    ("cas-register", "impossible-miss", "than nil, but nobody had begun to write anything else",
     [("miss", (None, 1), UNKNOWN, 0, 1, 0), (W, 2, 2, 2, 3, 1)]),
    ("cas-register", "impossible-miss",
     "Cas 1 from 1 to 3 (process 1) found something else than 1, but write 0",
     [(W, 1, 1, 0, 1, 0), ("miss", (1, 3), UNKNOWN, 2, 3, 1), (W, 2, 2, 4, 5, 1)]),
    ("cas-register", "stale-read",
     ("Read 3 (process 3) returned 1, but cas 1 from 1 to 2 (process 1) had succeeded before it began,"
      " and 1 was"),
     [(W, 1, 1, 0, 20, 0), ("cas", (1, 2), (1, 2), 1, 2, 1), (W, 2, 2, 0.5, 30, 2), (R, None, 1, 4, 5, 3)]),
    ("cas-register", "stale-read",
     "and write 0 of 1 had been acknowledged before write 2 began, so 1 was gone",
     [(W, 1, 1, 0, 1, 0), ("cas", (1, 1), (1, 1), 2, 3, 0), (W, 2, 2, 4, 5, 0), (R, None, 1, 6, 7, 1)]),
    ("cas-register", "impossible-cas", "all succeeded in replacing nil, but it was never written, apart from",
     [("cas", (None, 1), (None, 1), 0, 5, 0), ("cas", (None, 2), (None, 2), 1, 6, 1)]),
    ("cas-register", "impossible-cas",
     "Cas 2 from 1 to 2 (process 1) and cas 3 from 1 to 3 (process 2) all succeeded",
     [(W, 1, 1, 0, 1, 0), ("cas", (1, 1), (1, 1), 2, 9, 3), ("cas", (1, 2), (1, 2), 3, 6, 1),
      ("cas", (1, 3), (1, 3), 4, 7, 2)]),
    # Written again after it was there at first, the value came twice.
    ("register", "reads-go-back", "and after it had ended read 3 (process 1) returned nil, though nobody had",
     [(W, 1, 1, 0, 20, 0), (R, None, None, 1, 2, 1), (R, None, 1, 3, 4, 1), (R, None, None, 5, 6, 1)]),
    ("kv", "stale-read", "Get 2 (process 1) returned b, but append 1 of a (process 0) had been acknowledged",
     [("put", "b", "b", 0, 1, 0), ("append", "a", "a", 2, 3, 0), (GET, None, "b", 4, 5, 1)]),
    ("counter", "out-of-bounds",
     ("but it was at most 2, which is the sum of all additions that had begun before it ended, less all"
      " subtractions that had been acknowledged before it began"),
     [(ADD, 3, 3, 0, 1, 0), (ADD, -1, -1, 2, 3, 0), (R, None, 3, 4, 5, 1)]),
    ("counter", "out-of-bounds",
     ("but it was at least 2, which is the sum of all additions that had been acknowledged before it"
      " began, less"
      " all subtractions that had begun before it ended"),
     [(ADD, 3, 3, 0, 1, 0), (ADD, -1, -1, 2, 9, 2), (R, None, 1, 4, 5, 1)]),
    ("fetch-add", "out-of-bounds", "Fetch-add 0 of 2 (process 0) returned 2, but it was at most 0",
     [("fetch-add", 2, (2, 2), 0, 1, 0)]),
    ("fetch-add", "out-of-bounds", "returned -2, but it was at least 0", [("fetch-add", -2, (-2, -2), 0, 1,
     0)]),
    ("counter", "reads-go-back",
     "Read 3 (process 3) returned 1, but read 1 (process 1), which had ended before",
     [(ADD, 2, 2, 0, 20, 0), (R, None, 2, 1, 2, 1), (R, None, 0, 0.5, 3, 2), (R, None, 1, 4, 5, 3)]),
    ("counter", "reads-go-back", "had left the number at 2, and nothing was ever subtracted",
     [(ADD, 2, 2, 0, 20, 0), (ADD, 0, 0, 0.5, 21, 5), (R, None, 2, 1, 2, 1), (R, None, 0, 4, 5, 3)]),
    ("mutex", "two-holders",
     "Acquire 2 (process 1) and acquire 3 (process 2) were both acknowledged, and no release was open",
     [("acquire", None, None, 0, 1, 0), ("release", None, None, 2, 3, 0), ("acquire", None, None, 4, 5, 1),
      ("acquire", None, None, 6, 7, 2), ("release", None, None, 8, 9, 2)]),
    ("mutex", "two-holders",
     ("When acquire 4 (process 3) was acknowledged, 3 acquires had been, but only 1 releases had begun,"
      " so two"
      " held the lock at once"),
     [("acquire", None, None, 0, 1, 0), ("release", None, None, 2, 20, 0), ("acquire", None, None, 3, 4, 1),
      (R, None, None, 30, None, 9), ("acquire", None, None, 5, 6, 3)]),
    ("fenced-mutex", "token-not-growing",
     "Acquire 0 (process 0) and acquire 2 (process 1) were both given the token 1",
     [("acquire", None, 1, 0, 1, 0), ("release", None, None, 2, 3, 0), ("acquire", None, 1, 4, 5, 1)]),
    ("fenced-mutex", "token-not-growing",
     ("Acquire 2 (process 1) returned 1, but acquire 0 (process 0), which had ended before it began, had"
      " been given 2"),
     [("acquire", None, 2, 0, 1, 0), ("release", None, None, 2, 3, 0), ("acquire", None, 1, 4, 5, 1)]),
    ("fenced-mutex", "token-not-growing",
     ("Acquire 1 (process 1) returned 1, but acquire 0 (process 0), which returned 2, had been acknowledged"
      " before process 1 began to release the lock, so it came first"),
     [("acquire", None, 2, 0, 4, 0), ("acquire", None, 1, 1, 6, 1), ("release", None, None, 5, 9, 0),
      ("release", None, None, 7, 8, 1)]),
    ("fenced-mutex", "two-holders", "Acquire 2 (process 0) and acquire 3 (process 1) were both acknowledged",
     [("acquire", None, 1, 0, 1, 0), ("release", None, None, 2, 3, 0), ("acquire", None, 2, 4, 5, 0),
      ("acquire", None, 3, 6, 7, 1)]),
    ("fenced-mutex", "released-unheld",
     "Release 0 (process 0) was acknowledged, but its process had never begun",
     [("release", None, None, 0, 1, 0), ("acquire", None, 1, 2, 3, 0)]),
    ("fenced-mutex", "released-unheld",
     ("Release 2 (process 0) was acknowledged, but release 1 of the same process had given up the lock"
      " before,"
      " and it had not begun to acquire it again"),
     [("acquire", None, 1, 0, 1, 0), ("release", None, None, 2, 3, 0), ("release", None, None, 4, 5, 0)]),
    ("queue", "dequeued-too-often", "1 was dequeued 3 times, by dequeue 2 (process 1), dequeue 3",
     [("enqueue", 1, 1, 0, 1, 0), ("enqueue", 1, 1, 2, 3, 0), *[("dequeue", None, 1, at, at + 1, 1)
                                                               for at in (4, 6, 8)]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "words", "rows"), TOLD)
def test_what_has_no_order_is_told_of(name: str, kind: str, words: str, rows: Rows) -> None:
    model, operations = LINEAR_MODELS[name], history(*rows)
    assert not brute_force(model, operations)
    told = explain(model, operations, range(len(operations)))
    assert told.kind == kind and words in told.message, told


def told_of(name: str, rows: Rows, positions: Collection[int]) -> list[str]:
    scene = Scene.of(LINEAR_MODELS[name], history(*rows), sorted(positions))
    return [one.message for pattern in PATTERNS[name] for one in pattern(scene)]


def test_of_the_core_alone_is_told_but_by_what_is_true_of_the_whole() -> None:
    two: Rows = [(R, None, 9, 0, 1, 1), (R, None, 8, 2, 3, 1)]
    assert [text[:6] for text in told_of("register", two, [1])] == ["read 1"]
    for more in ([], [(W, 3, 3, 4, 20, 3)]):
        stale: Rows = [(W, 1, 1, 0, 1, 0), (W, 2, 2, 2, 3, 0), *more, (R, None, 1, 6, 7, 1)]
        last = len(stale) - 1
        assert any("but write 1 of 2" in text for text in told_of("register", stale, [0, last]))
    swaps: Rows = [(W, 1, 1, 0, 1, 0), ("cas", (1, 2), (1, 2), 2, 6, 1), ("cas", (1, 3), (1, 3), 3, 7, 2)]
    assert told_of("cas-register", swaps, [0]) == []
    assert told_of("cas-register", swaps, [0, 1])


def test_of_a_core_too_large_to_look_through_what_was_hinted_at_is_told() -> None:
    writes = [(W, at, at, 2 * at, 2 * at + 1, 0) for at in range(1, 602)]
    operations = history((R, None, 700, 0, 1, 1), *writes, (R, None, 800, 2000, 2001, 1))
    model, everything = LINEAR_MODELS["register"], range(len(operations))
    assert explain(model, operations, everything, [0]).message.startswith("Read 0 (process 1) returned 700")
    assert explain(model, operations, everything).message.startswith("Read 602 (process 1) returned 800")
    assert explain(model, operations, [0, 1, 602], [1]).message.startswith("Read 0 (process 1) returned 700")


def test_an_impasse_tells_what_states_were_possible() -> None:
    counter = LINEAR_MODELS["counter"]
    adds: Rows = [(ADD, 2**at, 2**at, at, None, at) for at in range(3)]
    operations = history(*adds, (R, None, 9, 10, 11, 9))
    impasse = find(counter, operations)
    assert isinstance(impasse, Impasse) and impasse.blocked is operations[3]
    assert sorted(impasse.states) == list(range(8))
    fixed = history((ADD, 3, 3, 0, 1, 0), *[(R, None, 3, 2 * at, 2 * at + 1, 1) for at in range(1, 200)])
    assert find(counter, [*fixed, *history((R, None, 4, 500, 501, 1))]) is None
    assert find(counter, [*fixed[:-1], *history((R, None, 4, 500, 501, 1))]) is not None


def test_unrecorded_reads_are_not_told_of() -> None:
    register = LINEAR_MODELS["register"]
    operations = history((W, 1, 1, 0, 1, 0), (R, None, ANYTHING, 2, 3, 1))
    assert list(registers(Scene.of(register, operations, (0, 1)))) == []


def test_the_holder_of_a_lock_is_the_last_who_acquired_it() -> None:
    mutex_model = LINEAR_MODELS["mutex"]
    taken: Rows = [("acquire", None, None, 0, 1, 0), ("release", None, None, 2, 20, 0),
                   ("acquire", None, None, 3, 4, 1), ("acquire", None, None, 5, 6, 3)]  # fmt: skip
    told = list(mutex(Scene.of(mutex_model, history(*taken), range(4))))[-1]
    assert told.message.endswith(": after acquire 2 (process 1) had been acknowledged, no release had begun")
    later: Rows = [("acquire", None, None, 0, 1, 0), ("acquire", None, None, 2, 3, 1),
                   ("release", None, None, 4, 30, 0), ("acquire", None, None, 5, 6, 3)]  # fmt: skip
    told = list(mutex(Scene.of(mutex_model, history(*later), range(4))))[-1]
    assert told.message.endswith("so two held the lock at once")


def test_a_scene_is_in_order_of_invocation_and_ends_where_the_core_does() -> None:
    operations = history(*[(W, at, at, 2 * (600 - at), 2 * (600 - at) + 1, 0) for at in range(600)])
    scene = Scene.of(LINEAR_MODELS["register"], operations, range(600))
    assert [op.argument for op in scene.core] == list(range(499, -1, -1))


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("mutex", [("release", None, None, 0, 1, 0)], "the mutex can only have been free when"),
        ("mutex", [("acquire", None, None, 0, 1, 0), ("acquire", None, None, 2, 3, 0)],
         "only have been held when"),
        ("fenced-mutex", [("acquire", None, 0, 0, 1, 0), ("acquire", None, 3, 2, 3, 0)],
         "held by process 0 with the token 0 given out last"),
        ("fenced-mutex", [("release", None, None, 0, 1, 0)], "free with no token given out last"),
        ("counter", [*[(ADD, 2**at, 2**at, at, None, at) for at in range(3)], (R, None, 9, 10, 11, 9)],
         " or 2 more when it took effect"),
        ("counter", [(R, None, 9, 0, 1, 0)],
         "No order explains that read 0 (process 0) returned 9: whatever order of these"),
        ("counter", [(ADD, 1, 1, 0, 1, 0), (ADD, 1, 1, 2, 3, 0), (R, None, 9, 4, 5, 1)],
         "returned 9, given that add 0 of 1 (process 0) was acknowledged and add 1 of 1 (process 0) was"),
    ],
)  # fmt: skip
def test_an_impasse_is_told_with_its_states(name: str, rows: Rows, words: str) -> None:
    model, operations = LINEAR_MODELS[name], history(*rows)
    scene = Scene.of(model, operations, range(len(operations)))
    assert words in sentence(told(scene, operations).message)


def test_an_impasse_is_not_looked_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkers.linear.contradictions.impasse._MOST_CONFIGURATIONS", 10)
    counter = LINEAR_MODELS["counter"]
    assert find(counter, history(*[(ADD, 2**at, 2**at, at, 20 + at, at) for at in range(8)])) is None
    operations = history(*[(ADD, 2**at, 2**at, at, 20 + at, at) for at in range(8)], (R, None, -1, 40, 41, 9))
    assert find(counter, operations) is None


def test_a_state_is_told_once_and_crashed_operations_need_not_return() -> None:
    counter = LINEAR_MODELS["counter"]
    operations = history((ADD, 1, 1, 0, None, 0), (ADD, 1, 1, 1, None, 1), (R, None, 9, 2, 3, 2))
    impasse = find(counter, operations)
    assert impasse is not None and impasse.blocked is operations[2]
    assert sorted(impasse.states) == [0, 1, 2]
    waiting = history(("acquire", None, None, 0, 1, 0), ("acquire", None, None, 2, None, 1))
    assert find(LINEAR_MODELS["mutex"], waiting) is None
    text = told(Scene.of(counter, history(*adds_of_three(), (R, None, 9, 10, 11, 9)), range(4)), history(
        *adds_of_three(), (R, None, 9, 10, 11, 9))).message  # fmt: skip
    assert text.count(" or ") == 6


def adds_of_three() -> Rows:
    return [(ADD, 2**at, 2**at, at, None, at) for at in range(3)]


def test_one_process_is_not_said_to_hold_a_lock_beside_itself() -> None:
    twice: Rows = [("acquire", None, 1, 0, 1, 0), ("acquire", None, 2, 2, 3, 0)]
    assert not brute_force(LINEAR_MODELS["fenced-mutex"], history(*twice))
    assert told_of("fenced-mutex", twice, range(2)) == []
