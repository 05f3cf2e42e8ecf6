"""What is decided without a search, because the operations' places, or the most urgent of them, are known."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.certificate import verify
from checkers.linear.deadlines import counter, mutex
from checkers.linear.grow_only import grow_only
from checkers.linear.numbered import fenced_mutex, fetch_add
from checkers.linear.operations import Algorithm, Operation
from checkers.linear.places import append_by_content, append_by_witness, in_places, out_of_order
from checkers.linear.texts import texts
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.random_histories import simulated, small
from tests.checkers.spread_histories import Choose, agree, kind, ops, seen_all, spread

Damage = Callable[[random.Random, Operation], Operation]


def mixed(
    f: str, argument: Callable[[random.Random, int], object], share: float, look: str = "read"
) -> Choose:
    return lambda rng, at: (f, argument(rng, at)) if rng.random() < share else (look, None)


def _one_of(*calls: tuple[str, float, Callable[[random.Random, int], object]]) -> Choose:
    def choose(rng: random.Random, at: int) -> tuple[str, object]:
        [(f, _, argument)] = rng.choices(calls, [share for _, share, _ in calls])
        return f, argument(rng, at)

    return choose


def _nothing(rng: random.Random, at: int) -> None:
    return None


def _text(rng: random.Random, at: int) -> str:
    return f"<{at}>"


def _few(rng: random.Random, at: int) -> int:
    return rng.randint(0, 3)


def _another_list(rng: random.Random, read: Operation) -> Operation:
    seen = list(read.result)
    how = rng.randrange(4)
    if how == 0:
        rng.shuffle(seen)
    elif how == 1:
        seen.append(rng.choice([*seen, 99]))
    elif how == 2 and seen:
        del seen[rng.randrange(len(seen))]
    else:
        seen = rng.sample(range(8), 3)
    return replace(read, result=tuple(seen))


def _another_number(rng: random.Random, op: Operation) -> Operation:
    by = rng.choice((-1, 1, 2))
    return replace(op, result=op.result + by if op.f == "read" else (op.argument, op.result[1] + by))


def _another_set(rng: random.Random, op: Operation) -> Operation:
    if op.f == "contains":
        return replace(op, result=(op.argument, not op.result[1]))
    return replace(op, result=op.result ^ {rng.randint(0, 4)})


def _another_text(rng: random.Random, op: Operation) -> Operation:
    text = op.result or ""
    other = f"<{rng.randint(0, 8)}>"
    return replace(op, result=rng.choice((text + other, text[3:], text[:-3], text[:-1], other, "")))


CASES: dict[str, tuple[str, Algorithm, Choose, Damage | None]] = {
    "append": ("append", append_by_content, mixed("append", lambda rng, at: at, 0.6), _another_list),
    "fetch-add-1": ("fetch-add", fetch_add, mixed("fetch-add", lambda rng, at: 1, 0.7), _another_number),
    "fetch-add-2": ("fetch-add", fetch_add, mixed("fetch-add", lambda rng, at: 2, 0.7), _another_number),
    "counter-up": ("counter", counter, mixed("add", lambda rng, at: 1, 0.6), _another_number),
    "counter-down": ("counter", counter, mixed("add", lambda rng, at: -3, 0.6), _another_number),
    "set": ("set", grow_only, mixed("add", lambda rng, at: at, 0.6), _another_set),
    "set-repeated": (
        "set",
        grow_only,
        _one_of(("add", 0.5, _few), ("contains", 0.3, _few), ("read", 0.2, _nothing)),
        _another_set,
    ),
    "set-asked": ("set", grow_only, _one_of(("add", 0.5, _few), ("contains", 0.5, _few)), _another_set),
    "texts": ("kv", texts, mixed("append", _text, 0.6, "get"), _another_text),
    "texts-put": (
        "kv",
        texts,
        _one_of(("append", 0.35, _text), ("put", 0.2, _text), ("get", 0.45, _nothing)),
        _another_text,
    ),
}


@pytest.mark.parametrize("crash", [0.0, 0.15, 0.4])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_every_order_there_is(case: str, crash: float) -> None:
    name, algorithm, choose, another = CASES[case]
    model = LINEAR_MODELS[name]
    rng = random.Random(f"{case} {crash}")
    tally = []
    for _ in range(400):
        width = rng.choice((0.3, 0.6, 1, 2, 4))
        damage = rng.choice((0, 1, 2, 4))
        operations = spread(rng, model, choose, rng.randint(4, 7), width=width, crash=crash, damage=damage)
        seen = [
            at for at, op in enumerate(operations) if not op.crashed and op.f in ("read", "get", "contains")
        ]
        if another is not None and seen and rng.random() < 0.3:
            at = rng.choice(seen)
            operations[at] = another(rng, operations[at])
        tally.append(agree(algorithm, model, operations, brute_force))
    assert seen_all(tally)
    assert None not in tally


ALGORITHMS: list[tuple[str, Algorithm]] = [
    ("append", append_by_content),
    ("append", append_by_witness),
    ("kv", texts),
    ("counter", counter),
    ("fetch-add", fetch_add),
    ("set", grow_only),
    ("mutex", mutex),
    ("fenced-mutex", fenced_mutex),
]


@pytest.mark.parametrize(("name", "algorithm"), ALGORITHMS, ids=[one.__name__ for _, one in ALGORITHMS])
def test_agrees_on_histories_of_clients(name: str, algorithm: Algorithm) -> None:
    rng = random.Random(name)
    model = LINEAR_MODELS[name]
    assert algorithm in model.algorithms
    for _ in range(600):
        agree(algorithm, model, small(rng, model), brute_force)


@pytest.mark.parametrize(("name", "algorithm"), ALGORITHMS[-2:], ids=["mutex", "fenced-mutex"])
def test_locks_agree_with_every_order_there_is(name: str, algorithm: Algorithm) -> None:
    rng = random.Random(name)
    model = LINEAR_MODELS[name]
    tally = [agree(algorithm, model, small(rng, model), brute_force) for _ in range(1500)]
    assert seen_all(tally)


def test_fetch_adds_of_different_numbers() -> None:
    rng = random.Random(5)
    model = LINEAR_MODELS["fetch-add"]
    choose = mixed("fetch-add", lambda rng, at: rng.randint(1, 3), 0.7)
    tally = []
    for _ in range(800):
        operations = spread(rng, model, choose, 6, width=1, crash=0.15, damage=rng.choice((0, 1)))
        tally.append(agree(fetch_add, model, operations, brute_force))
    assert seen_all(tally)
    assert 0 < tally.count(None) < 200


def test_log_indices_order_equal_elements() -> None:
    rng = random.Random(6)
    model = LINEAR_MODELS["append"]
    tally = []
    for _ in range(1500):
        width = rng.choice((0.3, 1, 2, 4))
        crash, damage = rng.choice((0.0, 0.2)), rng.choice((0, 0, 1))
        choose = mixed("append", _few, 0.6)
        operations = spread(rng, model, choose, rng.randint(3, 7), width=width, crash=crash, damage=damage)
        tally.append(agree(append_by_witness, model, operations, brute_force))
    assert Validity.NO not in tally  # another order might explain it
    assert tally.count(Validity.YES) > 1000


def test_log_indices_that_explain_nothing_prove_nothing() -> None:
    operations = ops(("append", 1, None, 0, 1), ("append", 1, None, 2, 3), ("read", None, (1, 1), 4, 5))
    told = [replace(op, witness=index) for op, index in zip(operations, (2, 1, 2), strict=True)]
    assert kind(append_by_witness, told) is None
    told = [replace(op, witness=index) for op, index in zip(operations, (1, 2, 2), strict=True)]
    assert kind(append_by_witness, told) == "yes"
    assert kind(append_by_witness, operations) is None
    # A read that shows one of the two, by its log index, shows the one that crashed.
    operations = ops(("append", 1, None, 0, None), ("read", None, (1,), 1, 2), ("append", 1, None, 3, 4))
    told = [operations[0], replace(operations[1], witness=1), replace(operations[2], witness=2)]
    assert kind(append_by_witness, told) == "yes"
    # Of two equal ones that crashed it shows the one that was invoked by then.
    operations = ops(("append", 1, None, 0, None), ("read", None, (1,), 1, 2), ("append", 1, None, 3, None))
    assert kind(append_by_witness, operations) == "yes"


def test_names_what_is_wrong_with_a_list() -> None:
    one, two = ("append", 1, None, 0, 1), ("append", 2, None, 2, 3)
    assert kind(append_by_content, ops(one, two, ("read", None, (1, 2), 4, 5))) == "yes"
    assert kind(append_by_content, ops(one, two, ("read", None, (2, 1), 4, 5))) == "real-time-order"
    assert kind(append_by_content, ops(one, two, ("read", None, (1,), 4, 5))) == "lost-append"
    assert kind(append_by_content, ops(one, two, ("read", None, (1, 1, 2), 4, 5))) == "duplicate-element"
    assert kind(append_by_content, ops(one, ("read", None, (1, 2), 4, 5))) == "never-appended"
    both = (("read", None, (1, 2), 4, 5), ("read", None, None, 6, 7))
    assert kind(append_by_content, ops(one, two, *both)) == "stale-read"
    assert kind(append_by_content, ops(one, ("read", None, (1, 2), 2, 3), ("append", 2, None, 4, 5))) == (
        "read-before-append"
    )
    torn = (("read", None, (1, 2), 0, 9), ("read", None, (2,), 0, 9))
    assert kind(append_by_content, ops(one, two, *torn)) == "incompatible-reads"
    # Nobody knows whether it happened, and nobody saw it.
    assert (
        kind(append_by_content, ops(one, ("append", 2, None, 2, None), ("read", None, (1,), 4, 5))) == "yes"
    )
    assert kind(append_by_content, ops(one, ("append", 1, None, 2, 3))) is None


def test_names_what_is_wrong_with_numbers_and_tokens() -> None:
    first = ("fetch-add", 1, (1, 0), 0, 1)
    assert kind(fetch_add, ops(first, ("fetch-add", 1, (1, 0), 2, 3))) == "number-given-twice"
    assert kind(fetch_add, ops(first, ("fetch-add", 1, (1, 2), 2, 3))) == "number-from-nowhere"
    late = ("fetch-add", 1, (1, 1), 4, None)
    assert kind(fetch_add, ops(first, late, ("fetch-add", 1, (1, 2), 2, 3))) == "real-time-order"
    assert kind(fetch_add, ops(first, ("fetch-add", 0, (0, 1), 2, 3))) is None
    assert kind(fetch_add, ops(first, ("fetch-add", 1, None, 2, 3))) is None
    held, next_one = ("acquire", None, 1, 0, 1, 0), ("acquire", None, 2, 4, 5, 1)
    assert kind(fenced_mutex, ops(held, ("release", None, None, 2, 3, 0), next_one)) == "yes"
    assert kind(fenced_mutex, ops(held, next_one)) == "held-twice"
    assert kind(fenced_mutex, ops(held, ("release", None, None, 2, None, 0), next_one)) == "yes"
    assert kind(fenced_mutex, ops(held, ("release", None, None, 6, 7, 0), next_one)) == "real-time-order"
    assert kind(fenced_mutex, ops(held, ("acquire", None, 2, 2, 3, 0))) == "held-twice"
    assert kind(fenced_mutex, ops(held, ("release", None, None, 2, 3, 1))) == "released-unheld"
    again = ("acquire", None, 1, 4, 5, 1)
    assert kind(fenced_mutex, ops(held, ("release", None, None, 2, 3, 0), again)) == "token-reused"
    # A process with two operations at a time: nobody knows their order.
    assert kind(fenced_mutex, ops(held, ("release", None, None, 0, 3, 0))) is None
    overlapping = (("release", None, None, 2, 4, 1), ("acquire", None, 2, 3, 5, 1))
    assert kind(fenced_mutex, ops(*overlapping)) is None
    assert kind(mutex, ops(held, next_one)) == "held-twice"
    assert kind(counter, ops(("add", 1, None, 0, 1), ("add", 2, None, 2, 3))) is None
    assert kind(counter, ops(("add", 0, None, 0, 1))) is None


def test_names_what_is_wrong_with_texts_and_sets() -> None:
    one, two = ("append", "<1>", None, 0, 1), ("put", "<2>", None, 2, 3)
    assert kind(texts, ops(one, two, ("get", None, "<2>", 4, 5))) == "yes"
    assert kind(texts, ops(one, two, ("get", None, "<1>", 4, 5))) == "stale-read"
    assert kind(texts, ops(one, two, ("get", None, "<1><2>", 4, 5))) == "put-without-effect"
    assert kind(texts, ops(one, two, ("get", None, "<3>", 4, 5))) == "never-written"
    assert kind(texts, ops(one, two, ("get", None, "<2><2>", 4, 5))) == "seen-twice"
    assert kind(texts, ops(one, two, ("get", None, "<2><1>", 4, 5))) == "stale-read"
    appended = ("append", "<3>", None, 2, 3)
    assert kind(texts, ops(one, appended, ("get", None, "<1><3>", 4, 5), ("get", None, "<3>", 4, 5))) in (
        "incompatible-reads",
        "seen-twice",
    )
    # One text begins with another, or with nothing: what was read could be read in two ways.
    assert kind(texts, ops(one, ("append", "<1>x", None, 2, 3))) is None
    assert kind(texts, ops(one, ("append", "", None, 2, 3))) is None
    assert kind(texts, ops(("put", "", None, 0, 1), ("get", None, "", 2, 3))) is None
    assert kind(texts, ops(one, ("cas", ("<1>", "<2>"), None, 2, 3))) is None
    add = ("add", 1, None, 0, 1)
    assert kind(grow_only, ops(add, ("read", None, frozenset(), 2, 3))) == "stale-read"
    assert kind(grow_only, ops(add, ("read", None, frozenset({2}), 2, 3))) == "never-added"
    assert kind(grow_only, ops(("contains", 2, (2, True), 2, 3))) == "never-added"
    sets = (("read", None, frozenset({1}), 0, 9), ("read", None, frozenset({2}), 0, 9))
    assert kind(grow_only, ops(add, ("add", 2, None, 0, 1), *sets)) == "incompatible-reads"
    assert kind(grow_only, ops(add, ("remove", 1, None, 0, 1))) is None
    # x before it is asked for, y after: each was found out while the other was not.
    crossed = ops(
        ("add", "x", None, 0, 9),
        ("add", "y", None, 0, 9),
        ("contains", "x", ("x", True), 1, 2),
        ("contains", "y", ("y", False), 3, 4),
        ("contains", "y", ("y", True), 5, 6),
        ("contains", "x", ("x", False), 7, 8),
    )
    assert kind(grow_only, crossed) == "stale-read"
    assert kind(grow_only, crossed[:-1]) == "yes"


@pytest.mark.parametrize("name", ["append", "counter", "fetch-add", "mutex", "fenced-mutex", "set"])
def test_large_histories(name: str) -> None:
    """A list's every read is as long as the list, so there are fewer of them."""
    model = LINEAR_MODELS[name]
    rng = random.Random(7)
    look = {"append": 0.02, "set": 0.02}.get(name, 0.5)
    choices = {
        "append": mixed("append", lambda rng, at: at, 1 - look),
        "counter": mixed("add", lambda rng, at: 1, 1 - look),
        "fetch-add": mixed("fetch-add", lambda rng, at: 1, 1 - look),
        "set": mixed("add", lambda rng, at: at, 1 - look),
    }
    if name in choices:
        length = 4_000 if name in ("append", "set") else 10_000
        operations = spread(rng, model, choices[name], length, width=10, crash=0.03)
    else:
        operations = simulated(rng, model, 5, 10_000, crash=0.0)
    started = time.process_time()
    decision = model.algorithms[0](operations)
    assert time.process_time() - started < 5
    assert decision is not None and decision.validity is Validity.YES and decision.order is not None
    assert verify(model, operations, decision.order) is None
    wrong = model.algorithms[0](_broken(name, operations))
    assert wrong is not None and wrong.validity is Validity.NO


def _broken(name: str, operations: list[Operation]) -> list[Operation]:
    """One operation in the middle is gone that others have seen, or a number is too great."""
    if name in ("counter", "fetch-add"):
        reads = [at for at, op in enumerate(operations) if op.f == "read"]
        broken = list(operations)
        broken[reads[-1]] = replace(operations[reads[-1]], result=10**6)
        return broken
    changes = ("append", "add", "release")
    returned = [at for at, op in enumerate(operations) if not op.crashed and op.f in changes]
    gone = returned[len(returned) // 2]
    return operations[:gone] + operations[gone + 1 :]


def test_the_compiled_real_time_order_agrees_with_the_plain() -> None:
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(600):
        count = int(rng.integers(0, 8))
        places = rng.integers(-3, 5, count) * int(rng.choice((1, 10**15)))
        ranks = rng.permutation(2 * count).reshape(count, 2)
        invoked, returned = ranks.min(axis=1, initial=99), ranks.max(axis=1, initial=-1)
        operations = ops(*(("f", None, None, int(a), int(b)) for a, b in zip(invoked, returned, strict=True)))
        plain = in_places(operations, [int(place) for place in places])
        earlier, later = out_of_order(places, invoked, returned)
        assert (earlier < 0) == isinstance(plain, list)
        if earlier >= 0:
            found += 1
            assert places[earlier] > places[later] and returned[earlier] < invoked[later]
    assert found > 60


def test_a_million_places_take_no_time() -> None:
    count = 1_000_000
    places = np.arange(count)
    invoked, returned = 2 * places, 2 * places + 41
    out_of_order(places[:10], invoked[:10], returned[:10])  # compiled now
    started = time.process_time()
    assert out_of_order(places, invoked, returned) == (-1, -1)
    assert time.process_time() - started < 0.5
    places[700_000], places[700_030] = places[700_030], places[700_000]
    assert out_of_order(places, invoked, returned) != (-1, -1)
