"""What the models let happen, step by step, beside objects that were written apart from them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.operations import IMPOSSIBLE, NEVER, UNKNOWN, Effect, Limits, Model, Operation
from checkers.linear.wing_gong import wing_gong
from checkers.models import LINEAR_MODELS
from checkers.models.kv import KV, LOST
from checkers.models.register import ANYTHING
from checkers.verdict import Validity
from tests.checkers.atomic_objects import CALLS, LOOKS, OBJECTS
from tests.checkers.random_histories import OBSERVERS, simulated, small
from tests.checkers.test_core import history

each_model = pytest.mark.parametrize("model", LINEAR_MODELS.values(), ids=LINEAR_MODELS)
LOCKS = ("mutex", "fenced-mutex")


def op(f: str, argument: Any = None, result: Any = None, process: int = 0, at: int = 0) -> Operation:
    return Operation(f, argument, result, 2 * at, 2 * at + 1, at, process)


def crashed(operation: Operation) -> Operation:
    return replace(operation, result=UNKNOWN, returned=NEVER)


def some_call(rng: random.Random, model: Model) -> tuple[str, Any]:
    looks = LOOKS.get(model.name, ("read",))
    f = rng.choice([*CALLS[model.name], *(("release",) if model.name in LOCKS else looks)])
    if f in ("read", "get", "dequeue", "pop", "acquire", "release"):
        return f, None
    if model.name == "kv":
        texts = [rng.choice(("", "a", "b")) if f == "append" else rng.choice((None, "a", "b")) for _ in "12"]
        return f, tuple(texts) if f == "cas" else texts[0]
    numbers = [rng.choice((1, 2, 3)), rng.choice((1, 2))]
    return f, tuple(numbers) if f == "cas" else numbers[0]


def wrong_results(right: Operation, seen: Iterable[Any]) -> list[Any]:
    """What the same call returned at other times, for which it is impossible now."""
    if right.f == "contains":
        return [(right.argument, not right.result[1])]
    if right.f == "fetch-add":
        return [(right.argument, before) for _, before in seen if before != right.result[1]]
    if right.f == "acquire":
        return [token for token in seen if token is not None and token < right.result]
    empty = (None, "", ())
    return [result for result in seen if result != right.result and {result, right.result} - set(empty)]


@each_model
def test_every_step_is_that_of_a_correct_object(model: Model) -> None:
    """A result that another state gave is impossible, and a crashed call does what an answered one does."""
    rng = random.Random(f"steps of {model.name}")
    seen: defaultdict[str, dict[Any, None]] = defaultdict(dict)
    taken = refused = 0
    for _ in range(60):
        truth, call = OBJECTS[model.name]
        state: Any = model.initial
        for _ in range(20):
            f, argument = some_call(rng, model)
            process = rng.randint(0, 1)
            effect = call(truth, f, argument, process)
            if f == "release" and truth[0] is None:
                effect = None
            if model.name == "fenced-mutex" and f == "release" and truth[0] != process:
                effect = None
            if effect is None:
                for tried in (op(f, argument, 99, process), crashed(op(f, argument, None, process))):
                    assert model.step(state, tried) is IMPOSSIBLE
                continue
            name, result, truth = effect
            right = op(name, argument, result, process)
            after = model.step(state, right)
            assert after is not IMPOSSIBLE, (state, right)
            taken += 1
            if name in OBSERVERS - {"cas", "miss"}:
                for wrong in wrong_results(right, list(seen[name])[-20:]):
                    assert model.step(state, replace(right, result=wrong)) is IMPOSSIBLE, (state, right)
                    refused += 1
                seen[name][result] = None
            if name in ("cas", "miss"):
                other = replace(right, f="miss" if name == "cas" else "cas")
                assert model.step(state, other) is IMPOSSIBLE
                assert model.step(state, crashed(replace(right, f="cas"))) == after
            elif model.name == "fenced-mutex" and name == "acquire":
                _, token = state
                held = model.step(state, crashed(right))
                assert model.step(held, op("release", process=process)) == (None, token)
            else:
                assert model.step(state, crashed(right)) == after, (state, right)
            state = after
    assert taken > 300
    assert refused > 100 or model.name == "mutex"


@pytest.mark.parametrize(("name", "f"), [("register", "read"), ("cas-register", "read"), ("kv", "get")])
def test_what_was_not_recorded_may_have_been_anything(name: str, f: str) -> None:
    model = LINEAR_MODELS[name]
    assert model.step("a", op(f, None, ANYTHING)) == "a"
    assert model.name == "kv" or model.observes is not None
    if model.observes is not None:
        assert model.observes(op(f, None, ANYTHING)) == ()


def test_nil_and_an_empty_text_are_one_to_a_get_and_two_to_a_cas() -> None:
    for state in (None, ""):
        assert KV.step(state, op("get", None, "")) == state
        assert KV.step(state, op("get", None, None)) == state
    assert KV.step("", op("cas", (None, "a"), (None, "a"))) is IMPOSSIBLE
    assert KV.step("", op("miss", (None, "a"))) == ""


def test_a_text_that_nobody_got_nor_the_beginning_of_one_is_as_good_as_any_other() -> None:
    assert KV.settle is not None
    settled = KV.settle([op("put", "a", "a"), op("get", None, "ab"), op("get", None, "b"), op("append", "c")])
    assert [settled(state) for state in (None, "", "a", "ab", "b")] == [None, "", "a", "ab", "b"]
    assert [settled(state) for state in ("c", "aa", "abc", "ba")] == [LOST] * 4
    assert KV.step(LOST, op("append", "b")) is LOST
    assert KV.step(LOST, op("get", None, "b")) is IMPOSSIBLE
    assert KV.step(LOST, crashed(op("get"))) is LOST
    assert KV.step(LOST, op("put", "b")) == "b"
    with_a_cas = KV.settle([op("get", None, "ab"), op("cas", ("c", "d"), ("c", "d"))])
    assert with_a_cas("c") == "c"


def emptied(value: Any) -> Any:
    """With an empty text in place of the first of those that were written."""
    if isinstance(value, tuple):
        return tuple(map(emptied, value))
    return value.replace("1,", "") if isinstance(value, str) else value


@pytest.mark.parametrize("empty", [False, True], ids=["texts", "and an empty one"])
def test_keys_are_judged_as_brute_force_judges_them(empty: bool) -> None:
    rng = random.Random(f"keys {empty}")
    decided: Counter[tuple[str, bool]] = Counter()
    for _ in range(600):
        operations = small(rng, KV)
        if empty:
            operations = [
                replace(one, argument=emptied(one.argument), result=emptied(one.result)) for one in operations
            ]
        expected = brute_force(KV, operations)
        search = wing_gong(KV, operations, Limits.of(60.0))
        for decision in (search, *(algorithm(operations) for algorithm in KV.algorithms)):
            if decision is not None:
                assert decision.validity is (Validity.YES if expected else Validity.NO), operations
                decided[decision.algorithm, expected] += 1
    assert len(decided) >= 5 and min(decided.values()) >= 3, decided


def test_keys_hold_what_was_put_together() -> None:
    """What a text hangs on, and what is left where one may leave."""
    assert KV.effects is not None and KV.needless is not None
    put, more, crash = op("put", "a", "a"), op("append", "bc", "bc", at=1), crashed(op("put", "a", at=2))
    got = op("get", None, "abc", at=3)
    _, _, _, (changed, hung_on) = KV.effects([put, more, crash, got])
    assert changed == () and hung_on is not None and {"a", "bc", None} <= set(hung_on)
    assert list(KV.needless([put, more, crash, got])) == []
    assert KV.needless([put, crash, op("get", None, "b", at=3)]) == [1]
    assert KV.keyed is True and "cas" not in KV.reads


def test_lists_and_numbers_say_what_hangs_on_what() -> None:
    lists = LINEAR_MODELS["append"]
    assert lists.produces is not None and lists.observes is not None
    assert lists.step((), op("read", None, None)) == ()
    assert (lists.produces(op("append", 3, 3)), lists.produces(op("read", None, (3,)))) == ((3,), ())
    assert lists.observes(op("read", None, (3, 4))) == (3, 4)
    assert lists.reads == {"read"}
    for name in ("counter", "fetch-add"):
        observes = LINEAR_MODELS[name].observes
        assert observes is not None and observes(op("read", None, 3)) is None
        assert observes(crashed(op("read"))) == ()
    assert KV.effects is not None and KV.effects([crashed(op("get"))]) == [((), ())]


def test_a_first_token_may_be_nothing() -> None:
    fenced = LINEAR_MODELS["fenced-mutex"]
    assert fenced.step(fenced.initial, op("acquire", None, 0, 7)) == (7, 0)
    assert fenced.by_process and not LINEAR_MODELS["mutex"].by_process


def test_an_acquire_leaves_with_the_release_after_it() -> None:
    turns = [op(("acquire", "release")[at % 2], at=at) for at in range(5)]
    effects = LINEAR_MODELS["mutex"].effects
    assert effects is not None
    pair, next_pair = ((0,), (0,)), ((2,), (2,))
    assert effects(turns) == [pair, pair, next_pair, next_pair, (None, ())]
    fenced = LINEAR_MODELS["fenced-mutex"].effects
    assert fenced is not None
    assert fenced([op("acquire", at=0), op("release", at=1), op("release", at=2)])[2] == (None, ())
    overlapping = [replace(op("acquire", at=0), returned=3), op("release", at=1)]
    assert fenced(overlapping) == [(None, ()), (None, ())]


def test_of_an_empty_answer_nothing_hangs_unless_nil_is_an_element() -> None:
    effects = LINEAR_MODELS["queue"].effects
    assert effects is not None
    assert effects([op("enqueue", 1, 1), op("dequeue", None, None)])[1] == ((), ())
    assert effects([op("enqueue", None, None), op("dequeue", None, None)])[1] == (None, (None,))


@pytest.mark.parametrize("name", ["mutex", "fenced-mutex", "queue", "stack", "set", "cas-register"])
def test_with_all_that_hangs_on_a_name_an_operation_may_leave(name: str) -> None:
    model, rng = LINEAR_MODELS[name], random.Random(f"leaving {name}")
    assert model.effects is not None
    left = 0
    for number in range(250):
        clients, crash = 2 + number % 3, (0.0, 0.15, 0.3)[number % 3]
        operations = simulated(rng, model, clients, 8, crash=crash, unique=number % 2 == 0)
        effects = model.effects(operations)
        for chosen in {produced[0] for produced, _ in effects if produced}:
            gone, waiting = set(), [chosen]
            while waiting:
                one = waiting.pop()
                for at, (produced, observed) in enumerate(effects):
                    if at not in gone and (one in (produced or ()) or one in (observed or ())):
                        gone.add(at)
                        waiting += produced or ()
            if any(effects[at][0] is None for at in gone):
                continue
            rest = [operations[at] for at in range(len(operations)) if at not in gone]
            assert brute_force(model, rest), (operations, sorted(gone))
            left += 1
    assert left > 100


W, R = "write", "read"
NOBODY_KNOWS = (None, ())


def effects_of(name: str, *rows: tuple[Any, ...]) -> Sequence[Effect]:
    model = LINEAR_MODELS[name]
    assert model.effects is not None
    return model.effects(history(*rows))


def needless_of(name: str, *rows: tuple[Any, ...]) -> list[int]:
    model = LINEAR_MODELS[name]
    assert model.needless is not None
    return sorted(model.needless(history(*rows)))


@pytest.mark.parametrize(
    ("rows", "sources"),
    [
        ([(W, 1, 1, 0, 1, 0), (W, 2, 2, 2, 3, 0), (W, 1, 1, 4, 5, 0), (R, None, 1, 6, 7, 1)], (2,)),
        ([(W, 1, 1, 0, None, 0), (R, None, 1, 2, 3, 1)], (("crashed", 1),)),
        ([(W, 1, 1, 0, 1, 0), (W, 3, 3, 2, None, 1), ("miss", (5, 6), UNKNOWN, 4, 5, 2)], (0, "crashed")),
        # By whoever was invoked last of those that had returned, and not by who returned last.
        ([(W, 1, 1, 1, 2, 0), (W, 2, 2, 4, 6, 1), (W, 3, 3, 0, 8, 2), (W, 1, 1, 5, 7, 3),
          (R, None, 1, 10, 11, 4)], (3,)),
        ([(W, 1, 1, 0, 1, 0), (W, 1, 1, 2, 3, 0), (W, 2, 2, 4, 5, 0), (R, None, 1, 6, 7, 1)], (1,)),
        ([(W, None, None, 0, 1, 0), (W, 2, 2, 2, 3, 0), (R, None, None, 4, 5, 1)], ()),
        ([(W, 1, 1, 0, 20, 0), (W, 1, 1, 1, 2, 1), (W, 2, 2, 3, 4, 2), (R, None, 1, 6, 7, 3)], (0,)),
    ],
)  # fmt: skip
def test_who_can_have_left_what_was_seen(rows: list[tuple[Any, ...]], sources: tuple[Any, ...]) -> None:
    *writes, (changed, hung_on) = effects_of("cas-register", *rows)
    assert (tuple(changed or ()), tuple(hung_on or ())) == ((), sources)
    for at, (row, (names, _)) in enumerate(zip(rows, writes, strict=False)):
        assert names == ((at,) if row[4] is not None else (("crashed", row[1]), "crashed"))


def test_crashed_writes_that_nobody_can_have_seen_are_needless() -> None:
    lost, read = (W, 1, 1, 0, None, 0), (R, None, 1, 8, 9, 1)
    assert needless_of("cas-register", lost) == [0]
    assert needless_of("cas-register", lost, read) == []
    assert needless_of("cas-register", lost, ("miss", (2, 1), UNKNOWN, 8, 9, 1)) == []
    assert needless_of("cas-register", lost, ("cas", (2, 1), UNKNOWN, 1, None, 2), read) == []
    assert needless_of("cas-register", lost, (W, 1, 1, 4, None, 2), read) == [1]


def test_crashed_takers_are_needless_where_there_is_nothing_to_take() -> None:
    for name, bring, take in (("queue", "enqueue", "dequeue"), ("stack", "push", "pop")):
        model = LINEAR_MODELS[name]
        assert model.produces is not None and model.produces(op(bring, 3, 3)) == (3,)
        lost = [(take, None, None, at, None, at) for at in (6, 8)]
        assert needless_of(name, (bring, 1, 1, 0, 1, 0), *lost) == [2]
        assert needless_of(name, (bring, 1, 1, 0, 1, 0), (take, None, 1, 2, 3, 0), *lost) == [2, 3]
        assert needless_of(name, (bring, None, None, 0, 1, 0), *lost) == []
        assert effects_of(name, (bring, 1, 1, 0, None, 0)) == [((1,), (1,))]
        assert effects_of(name, (bring, 1, 1, 0, 1, 0), (take, None, 1, 2, 3, 0)) == [((1,), (1,))] * 2


def test_what_crashed_saw_nothing_and_a_removal_hangs_on_its_element() -> None:
    register, sets = LINEAR_MODELS["cas-register"], LINEAR_MODELS["set"]
    assert register.observes is not None and sets.observes is not None
    assert register.observes(crashed(op("read"))) == sets.observes(crashed(op("contains", 1))) == ()
    assert effects_of("set", ("remove", 1, 1, 0, 1, 0)) == [((1,), (1,))]
    assert register.functions == {"read", "write", "cas", "miss"}


def taking_turns(*moments: tuple[int, int | None], first: str = "acquire") -> list[tuple[Any, ...]]:
    """Acquires and releases, one after the other."""
    other = "release" if first == "acquire" else "acquire"
    return [((first, other)[at % 2], None, None, *moment, at) for at, moment in enumerate(moments)]


def test_sections_that_every_order_of_a_lock_keeps_apart() -> None:
    zero, two = ((0,), (0,)), ((2,), (2,))
    crash = taking_turns((0, 1), (2, None), (3, 4), (5, 6), (7, 8))
    assert effects_of("mutex", *crash) == [zero, zero, two, two, NOBODY_KNOWS]
    assert effects_of("mutex", *taking_turns((0, 1), (2, 3), (4, None))) == [NOBODY_KNOWS] * 3
    # Two releases at a time, so that nobody knows which acquire came first.
    both = [("acquire", 0, 1), ("release", 2, 9), ("release", 3, 10), ("acquire", 4, 7), ("acquire", 5, 8),
            ("release", 11, 12), ("acquire", 13, 14)]  # fmt: skip
    rows = [(f, None, None, start, end, at) for at, (f, start, end) in enumerate(both)]
    assert effects_of("mutex", *rows) == [*[zero] * 6, NOBODY_KNOWS]
    held_twice = [
        ("acquire", 0, 1),
        ("acquire", 2, 3),
        ("release", 4, 5),
        ("release", 6, 7),
        ("acquire", 8, 9),
    ]
    rows = [(f, None, None, start, end, at) for at, (f, start, end) in enumerate(held_twice)]
    assert effects_of("mutex", *rows)[0] == effects_of("mutex", *rows)[2] == zero
