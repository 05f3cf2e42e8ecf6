"""Every way to judge every model, against the oracle that tries every order and against each other."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.linear.brute_force import brute_force
from checkers.linear.certificate import verify
from checkers.linear.operations import Decision, Limits, Model, Operation
from checkers.linear.search import search
from checkers.linear.wing_gong import wing_gong
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.guessed_histories import guessed
from tests.checkers.random_histories import corrupted, planted, simulated, small

SMALL_HISTORIES = 2_000
SEARCHES = ("wing_gong", "search")
Judge = Callable[[Sequence[Operation]], Decision | None]
each_model = pytest.mark.parametrize("model", LINEAR_MODELS.values(), ids=LINEAR_MODELS)


def judges(model: Model, configurations: int = 10_000_000, search_s: float = 20) -> dict[str, Judge]:
    """All that can judge the model, by name. A search that gives up costs coverage, not a test's outcome."""
    return {
        "wing_gong": lambda operations: wing_gong(model, operations, Limits.of(600), configurations),
        "search": lambda operations: search(model, operations, Limits.of(search_s)),
        **{_name(algorithm): algorithm for algorithm in model.algorithms},
    }


def _name(algorithm: object) -> str:
    return getattr(algorithm, "__name__", None) or repr(algorithm)


def wrong(model: Model, operations: Sequence[Operation], decision: Decision, expected: bool) -> str | None:
    """What is wrong with a decision, and with what it gives as its reason; None: nothing."""
    if decision.validity is not (Validity.YES if expected else Validity.NO):
        return f"{decision}, but brute force says {expected}"
    if expected:
        return "no certificate" if decision.order is None else verify(model, operations, decision.order)
    if decision.culprits and brute_force(model, [operations[at] for at in sorted(decision.culprits)]):
        return f"its culprits {decision.culprits} do not contradict each other"
    return None


def smalls(model: Model) -> Iterator[list[Operation]]:
    rng = random.Random(model.name)
    return (small(rng, model) for _ in range(SMALL_HISTORIES))


@each_model
def test_every_judge_agrees_with_the_oracle(model: Model) -> None:
    said: Counter[tuple[str, bool]] = Counter()
    judging = judges(model)
    for operations in smalls(model):
        expected = brute_force(model, operations)
        said["the oracle", expected] += 1
        for name, judge in judging.items():
            decision = judge(operations)
            if decision is not None:
                said[name, expected] += 1
                assert wrong(model, operations, decision, expected) is None, (name, operations)
    # Or else nothing was tried. Not every algorithm can say no.
    for name in ("the oracle", *judging):
        tried = said[name, True], said[name, False]
        assert (sum(tried) if name not in SEARCHES else min(tried)) >= SMALL_HISTORIES / 50, (name, said)


@each_model
@settings(derandomize=True, deadline=None, database=None, max_examples=200)
@given(data=st.data())
def test_every_judge_agrees_with_the_oracle_on_the_least_histories(model: Model, data: st.DataObject) -> None:
    operations = data.draw(guessed(model))
    expected = brute_force(model, operations)
    for name, judge in judges(model).items():
        decision = judge(operations)
        assert decision is None or wrong(model, operations, decision, expected) is None, name


@each_model
def test_what_is_needless_makes_no_difference(model: Model) -> None:
    if model.needless is None:
        pytest.skip("it calls nothing needless")
    left_out = 0
    for operations in smalls(model):
        needless = set(model.needless(operations))
        left_out += bool(needless)
        assert all(operations[at].crashed for at in needless)
        rest = [op for at, op in enumerate(operations) if at not in needless]
        assert brute_force(model, rest) == brute_force(model, operations), (needless, operations)
    assert left_out >= SMALL_HISTORIES / 100


def decisions(model: Model, operations: Sequence[Operation], configurations: int) -> dict[str, Decision]:
    """Of all that judge it. Only a search may give up."""
    said = {name: judge(operations) for name, judge in judges(model, configurations, search_s=0.5).items()}
    return {
        name: decision
        for name, decision in said.items()
        if decision is not None and (decision.validity is not Validity.UNKNOWN or name not in SEARCHES)
    }


@each_model
@pytest.mark.parametrize("unique", [True, False], ids=["unique", "repeated"])
@pytest.mark.parametrize("damaged", [False, True], ids=["right", "damaged"])
def test_the_judges_agree_on_large_histories(model: Model, unique: bool, damaged: bool) -> None:
    """Whoever simulates a correct object knows that its history is valid. Of a damaged one nobody does, but
    all who decide must decide alike."""
    rng = random.Random(f"{model.name} {unique} {damaged}")
    decided = 0
    for number in range(12):
        clients, length, crash = 2 + number % 6, 30 + 40 * number, (0.0, 0.01, 0.05)[number % 3]
        witnessed = number % 2 == 0
        operations = simulated(rng, model, clients, length, crash=crash, unique=unique, witnessed=witnessed)
        if damaged:
            operations = corrupted(rng, operations)
        said = decisions(model, operations, configurations=4_000)
        validities = {decision.validity for decision in said.values()}
        assert len(validities) <= 1, (number, said)
        assert damaged or validities <= {Validity.YES}, (number, said)
        for name, decision in said.items():
            if decision.validity is Validity.YES:
                assert decision.order is not None
                assert verify(model, operations, decision.order) is None, (number, name)
        decided += len(said)
    assert decided >= 3


@each_model
def test_every_judge_finds_what_was_planted_in_large_histories(model: Model) -> None:
    rng = random.Random(model.name)
    found: Counter[str] = Counter()
    for number in range(8):
        valid = simulated(rng, model, clients=3, length=100 + 50 * number, crash=0.005)
        operations = planted(rng, model, valid)
        for name, decision in decisions(model, operations, configurations=20_000).items():
            assert decision.validity is Validity.NO, (number, name)
            found[name] += 1
    assert found["wing_gong"] >= 4
