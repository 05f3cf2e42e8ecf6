"""The compiled search and the zones against brute force, against the plain search and against each other."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.certificate import verify
from checkers.linear.operations import NEVER, UNKNOWN, Decision, Limits, Model, Operation
from checkers.linear.search import search
from checkers.linear.wing_gong import wing_gong
from checkers.linear.zones import zones
from checkers.models import LINEAR_MODELS
from checkers.models.register import CAS_REGISTER
from checkers.verdict import Validity
from tests.checkers.random_histories import corrupted, simulated

# (f, value, invoked, returned); a compare-and-set's value is (expected, new).
Span = tuple[str, object, int, int]


def in_turn(*spans: Span) -> list[Operation]:
    made = []
    for index, (f, value, invoked, returned) in enumerate(spans):
        argument = None if f == "read" else value
        result = UNKNOWN if returned == NEVER else value
        made.append(Operation(f, argument, result, invoked, returned, index))
    return sorted(made, key=lambda operation: operation.invoked)


def proven(model: Model, operations: Sequence[Operation], decision: Decision) -> Validity:
    if decision.validity is Validity.YES:
        assert verify(model, operations, decision.order or ()) is None, (operations, decision)
    return decision.validity


def chains(rng: Random) -> list[Operation]:
    """A few operations whose written values are all different, joined by compare-and-sets."""
    count = rng.randint(2, 7)
    moments = sorted(range(2 * count), key=lambda _: rng.random())
    spans: list[Span] = []
    for value in range(1, count + 1):
        invoked, returned = sorted(moments[2 * value - 2 : 2 * value])
        f = rng.choice(["read", "read", "write", "write", "cas", "cas", "miss"])
        old = rng.choice([None, *range(1, count + 1)])
        crashed = f in ("write", "cas") and rng.random() < 0.25
        what = old if f == "read" else value if f == "write" else (old, value)
        spans.append((f, what, invoked, NEVER if crashed else returned))
    return in_turn(*spans)


def test_zones_agree_with_brute_force_on_chains() -> None:
    rng, seen = Random("zones"), {True: 0, False: 0}
    for _ in range(6000):
        operations = chains(rng)
        decision = zones(operations)
        if decision is None:
            continue
        expected = brute_force(CAS_REGISTER, operations)
        assert (proven(CAS_REGISTER, operations, decision) is Validity.YES) is expected, operations
        if not expected:
            assert not brute_force(CAS_REGISTER, [operations[at] for at in decision.culprits]), operations
        seen[expected] += 1
    assert min(seen.values()) > 1000


def test_zones_and_search_agree_on_many_operations() -> None:
    seen = {Validity.YES: 0, Validity.NO: 0}
    for seed in range(24):
        operations = simulated(Random(seed), CAS_REGISTER, 8, 600, crash=0.02, unique=True)
        if seed % 3:
            operations = corrupted(Random(seed), operations)
        decision = zones(operations)
        if decision is not None:
            validity = proven(CAS_REGISTER, operations, decision)
            assert (
                proven(CAS_REGISTER, operations, search(CAS_REGISTER, operations, Limits.of(60))) is validity
            )
            seen[validity] += 1
    assert min(seen.values()) >= 3, seen


@pytest.mark.parametrize("name", ["cas-register", "kv", "queue", "counter"])
def test_search_agrees_with_the_plain_one(name: str) -> None:
    """On histories long enough for slots, marks and crashed operations to be used again and again."""
    model, rng, seen = LINEAR_MODELS[name], Random(name), {Validity.YES: 0, Validity.NO: 0}
    for _ in range(400):
        operations = simulated(
            rng, model, rng.randint(2, 6), rng.randint(8, 30), crash=rng.choice([0, 0.05]), unique=False
        )
        for _ in range(rng.randint(0, 2)):
            operations = corrupted(rng, operations)
        plain = wing_gong(model, operations, Limits.of(60), 20_000).validity
        if plain is not Validity.UNKNOWN:
            assert proven(model, operations, search(model, operations, Limits.of(60))) is plain, operations
            seen[plain] += 1
    assert min(seen.values()) > 40, seen


@pytest.mark.parametrize(
    "spans",
    [
        [("write", 1, 0, 5), ("write", 2, 1, 4), ("cas", (1, 3), 6, 7)],
        [("write", 2, 0, 1), ("write", 2, 2, 9), ("cas", (2, 1), 3, 4), ("read", 1, 10, 11)],
        [
            ("write", 2, 0, 1),
            ("write", 7, 2, 9),
            ("write", 2, 3, 8),
            ("cas", (2, 3), 4, 10),
            ("read", 3, 11, 12),
        ],
    ],
    ids=["before another", "where it changes nothing", "before the same once more"],
)
def test_a_write_may_go_unseen(spans: list[Span]) -> None:
    operations = in_turn(*spans)
    assert brute_force(CAS_REGISTER, operations)
    decision = search(CAS_REGISTER, operations, Limits.of(10))
    assert proven(CAS_REGISTER, operations, decision) is Validity.YES
