"""From a history's calls to the operations of each object, and from those to a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checkers import CHECKERS
from checkers.history import Call, HistoryError
from checkers.linear.objects import ALONE, objects
from checkers.linear.operations import NEVER, UNKNOWN, Decision, Limits, Model, Operation
from checkers.linearizability import linearizable, starting_at
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity, Verdict
from tests.checkers.build import Did, append, history, ops, read, write

REGISTER, CAS, QUEUE = (LINEAR_MODELS[name] for name in ("register", "cas-register", "queue"))


def calls(*did: Did) -> list[Call]:
    return list(history(ops(*did)).calls())


def did(process: int, f: str, value: Any, start: float, end: float | None, **more: Any) -> Did:
    return Did(process, f, value, start, end, **more)


def alone(model: Model, *all_did: Did, **more: Any) -> list[Operation]:
    return objects(model, calls(*all_did), keyed=False, **more).get(ALONE, [])


def judged(model: Model, *all_did: Did, keyed: bool = False, limits: Limits | None = None) -> Verdict:
    return linearizable(model, calls(*all_did), limits or Limits.of(30), keyed=keyed)


def test_operations_are_ranked_by_time_and_not_by_their_indices() -> None:
    """Of one instant, a return comes after what was invoked then."""
    first, second = did(1, "write", 1, 20, 30), did(2, "write", 2, 0, 25)
    found = alone(REGISTER, first, second)
    assert sorted((op.argument, op.invoked, op.returned) for op in found) == [(1, 1, 3), (2, 0, 2)]


def test_what_was_refused_did_not_happen_and_what_crashed_never_returned() -> None:
    refused = did(1, "write", 1, 0, 10, type="fail", error="not the leader")
    crashed = did(2, "write", 2, 20, 30, type="info")
    open_still = did(3, "write", 3, 40, None)
    found = alone(REGISTER, refused, crashed, open_still)
    assert [(op.argument, op.result, op.returned, op.completed) for op in found] == [
        (2, UNKNOWN, NEVER, None),
        (3, UNKNOWN, NEVER, None),
    ]


def test_a_refusal_that_tells_what_was_seen_is_an_observation() -> None:
    missed = did(1, "cas", [1, 2], 0, 10, type="fail", error="mismatch")
    refused = did(2, "cas", [1, 2], 20, 30, type="fail", error="not the leader")
    assert [(op.f, op.argument) for op in alone(CAS, missed, refused)] == [("miss", (1, 2))]
    nothing = did(1, "dequeue", None, 0, 10, type="fail", error="empty")
    unlucky = did(2, "dequeue", None, 20, 30, type="fail", error="timeout")
    assert [(op.f, op.result) for op in alone(QUEUE, nothing, unlucky)] == [("dequeue", None)]
    enqueue = did(3, "enqueue", 1, -20, -10)
    assert judged(QUEUE, enqueue, nothing).valid is Validity.NO
    assert judged(QUEUE, enqueue, unlucky).valid is Validity.YES


def test_a_read_without_an_answer_says_nothing() -> None:
    unanswered = did(1, "read", None, 0, 10, type="info")
    assert alone(REGISTER, unanswered) == []
    nil = did(1, "read", None, 0, 10, result=None)
    assert [op.result for op in alone(REGISTER, nil)] == [None]
    assert alone(REGISTER, nil, nil_is_unrecorded=True) == []


def test_processes_are_told_apart() -> None:
    fenced = LINEAR_MODELS["fenced-mutex"]
    held, by_another = did(1, "acquire", None, 0, 10, result=1), did(2, "release", None, 20, 30)
    assert [op.process for op in alone(fenced, held, by_another)] == [1, 2]
    assert judged(fenced, held, by_another).valid is Validity.NO
    assert judged(fenced, held, did(1, "release", None, 20, 30)).valid is Validity.YES


def test_a_number_is_no_truth() -> None:
    counter = LINEAR_MODELS["counter"]
    assert [op.argument for op in alone(counter, did(1, "add", 2, 0, 10))] == [2]
    with pytest.raises(HistoryError, match=r"op 0: add with .*; expected a whole number"):
        alone(counter, did(1, "add", True, 0, 10))


def test_every_object_is_judged_by_itself() -> None:
    write, stale = did(1, "write", ["b", 1], 0, 10), did(2, "read", ["b", None], 20, 30)
    good = did(3, "write", ["a", 1], 40, 50)
    for some in ((write, stale, good), (good, write, stale)):
        verdict = judged(REGISTER, *some, keyed=True)
        assert verdict.valid is Validity.NO
        assert verdict.evidence["objects"] == 2
    good_too = did(4, "read", ["b", 1], 20, 30)
    assert set(judged(REGISTER, write, good_too, good, keyed=True).certificate or ()) == {"a", "b"}


def test_objects_that_begin_with_something() -> None:
    read = did(1, "read", 5, 0, 10, result=5)
    assert judged(starting_at(CAS, 5), read).valid is Validity.YES
    assert judged(starting_at(CAS, 6), read).valid is Validity.NO
    assert judged(CAS, read).valid is Validity.NO
    many = [did(1, "read", 5, at, at + 0.5, result=5) for at in range(250)]
    assert judged(starting_at(CAS, 5), *many).valid is Validity.YES
    assert judged(starting_at(CAS, 6), *many).valid is Validity.NO
    counter = LINEAR_MODELS["counter"]
    # Too many for the first search, so that an exact algorithm is asked, if one knows other states.
    sums = [did(1, "read", None, at, at + 0.5, result=5) for at in range(250)]
    assert judged(starting_at(counter, 5), *sums).valid is Validity.YES
    assert starting_at(REGISTER, None) is REGISTER


def lying(validity: Validity, order: list[int] | None = None) -> Model:
    """A register's model with an algorithm that is wrong; asked where a first search would take too long."""
    answer = Decision(validity, "a liar", order=order, culprits=(0,))
    return replace(REGISTER, algorithms=(lambda operations: answer,))


def test_no_algorithm_is_believed_without_a_proof() -> None:
    many = [did(1, "write", at, at, at + 0.5) for at in range(250)]
    verdict = judged(lying(Validity.YES, []), *many)
    assert verdict.valid is Validity.UNKNOWN
    assert "the order that a liar found does not hold" in verdict.summary
    verdict = judged(lying(Validity.NO), *many)
    assert verdict.valid is Validity.UNKNOWN
    assert "finds an order after all" in verdict.summary


def test_an_object_that_takes_all_memory_is_unknown() -> None:
    def greedy(operations: Any) -> Any:
        raise MemoryError

    many = [did(1, "write", at, at, at + 0.5) for at in range(250)]
    verdict = judged(replace(REGISTER, algorithms=(greedy,)), *many)
    assert verdict.valid is Validity.UNKNOWN
    assert "the memory of this machine was used up" in verdict.summary


def test_what_a_first_search_cannot_decide_is_decided_otherwise() -> None:
    at_once = [did(process, "write", process, process, 100) for process in range(40)]
    assert judged(REGISTER, *at_once, did(40, "read", None, 200, 210, result=99)).valid is Validity.NO
    # Values repeat, so it is for the other search.
    again = [did(100 + process, "write", process, process, 100) for process in range(40)]
    assert judged(REGISTER, *at_once, *again, did(40, "read", None, 200, 210, result=99)).valid is Validity.NO


def test_reads_of_lists_are_for_another_judge() -> None:
    found = history(ops(append(1, "k", 1, 0, 10), read(2, "k", [1], 20, 30), write(3, "r", 1, 40, 50)))
    assert CHECKERS["linearizability"](found).valid is Validity.YES


def test_when_the_time_is_up_nothing_is_looked_at() -> None:
    write, stale = did(1, "write", 1, 0, 10), did(2, "read", None, 20, 30)
    verdict = judged(REGISTER, write, stale, limits=Limits.of(0))
    assert verdict.valid is Validity.UNKNOWN
    assert "before its 2 operations were looked at" in verdict.summary


def test_nothing_acknowledged_is_vacuous() -> None:
    assert judged(REGISTER, did(1, "write", 1, 0, None)).valid is Validity.VACUOUS


@pytest.mark.parametrize(
    ("model", "f", "objects", "each", "algorithm"),
    [
        ("append", "append", 1, 1, "places-by-content"),
        ("append", "append", 1, 250, "places-by-content"),
        ("register", "write", 1, 200, "wing-gong"),
        ("register", "write", 1, 201, "zones"),
        ("register", "write", 25, 200, "wing-gong"),
        ("register", "write", 26, 200, "zones"),
    ],
)
def test_what_is_compiled_is_loaded_where_that_is_worth_it(
    model: str, f: str, objects: int, each: int, algorithm: str
) -> None:
    many = [did(1, f, [at % objects, at], at, at + 0.5) for at in range(objects * each)]
    verdict = judged(LINEAR_MODELS[model], *many, keyed=True)
    assert verdict.valid is Validity.YES
    assert verdict.evidence["algorithms"] == {algorithm: objects}


def test_few_operations_that_no_algorithm_decides_are_searched_plainly() -> None:
    twice = [did(process, "append", 1, process, 100) for process in (1, 2)]
    verdict = judged(LINEAR_MODELS["append"], *twice, did(3, "read", None, 200, 210, result=[1, 1]))
    assert verdict.evidence["algorithms"] == {"wing-gong": 1}
