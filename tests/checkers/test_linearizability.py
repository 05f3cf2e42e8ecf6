"""The search for registers, and the check of lists: against every order there is, and against histories with
known verdicts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from checkers import CHECKERS
from checkers.history import Call, History, Op, order
from checkers.linear.objects import objects
from checkers.linear.operations import Limits
from checkers.linear.search import search
from checkers.linearizability import linearizable, starting_at
from checkers.models.register import CAS_REGISTER
from checkers.verdict import Validity, Verdict
from tests.checkers.build import Did, append, cas, history, ops, read, write

SHARED = Path(__file__).parents[2].parent / "shared" / "histories"


def judged(*did: Did, name: str = "linearizability") -> Verdict:
    return CHECKERS[name](history(ops(*did)))


def test_a_read_sees_the_last_write_or_one_that_overlaps() -> None:
    before, during = write(1, "r", 1, 0, 10), write(2, "r", 2, 20, 40)
    for value in (1, 2):
        assert judged(before, during, read(3, "r", value, 30, 35)).valid is Validity.YES
    verdict = judged(before, during, read(3, "r", None, 30, 35))
    assert [anomaly.kind for anomaly in verdict.anomalies] == ["stale-read"]
    assert verdict.anomalies[0].ops == (0, 3)
    assert "r: Read 3 (process 3) returned nil, but write 0 of 1" in verdict.summary
    assert "had been acknowledged before it began" in verdict.summary


def test_what_is_acknowledged_is_what_was_to_be_written() -> None:
    """Even where nobody looked before it was gone."""
    replaced = write(2, "r", 2, 20, 30)
    verdict = judged(write(1, "r", 1, 0, 10, result=["r", 7], node="w1"), replaced)
    assert [(anomaly.kind, anomaly.ops) for anomaly in verdict.anomalies] == [("altered-write", (0,))]
    assert "Write 0 of 1 to r (process 1, at w1) was acknowledged as 7" in verdict.summary
    verdict = judged(cas(1, "r", (None, 1), 0, 10, result=["r", [None, 7]]), replaced)
    assert [anomaly.kind for anomaly in verdict.anomalies] == ["altered-write"]
    assert "was acknowledged as 7" in verdict.summary


def test_reads_do_not_go_back() -> None:
    writes = [write(1, "r", 1, 0, 10), write(2, "r", 2, 20, 60)]
    assert judged(*writes, read(3, "r", 1, 22, 25), read(3, "r", 2, 30, 35)).valid is Validity.YES
    assert judged(*writes, read(3, "r", 2, 22, 25), read(3, "r", 1, 30, 35)).valid is Validity.NO


def test_an_unanswered_write_may_take_effect_at_any_later_time_or_never() -> None:
    crashed = write(1, "r", 1, 0, 10, type="info")
    assert judged(crashed, read(2, "r", None, 20, 30), read(2, "r", 1, 40, 50)).valid is Validity.YES
    assert judged(crashed, read(2, "r", None, 20, 30)).valid is Validity.YES
    assert judged(crashed, read(2, "r", 1, 20, 30), read(2, "r", None, 40, 50)).valid is Validity.NO
    assert (
        judged(read(2, "r", 1, 0, 5), write(1, "r", 1, 10, None), write(3, "r", 2, 20, 30)).valid
        is Validity.NO
    )


def test_a_compare_and_set_needs_what_it_expects() -> None:
    first = write(1, "r", 1, 0, 10)
    assert judged(first, cas(2, "r", (1, 2), 20, 30), read(3, "r", 2, 40, 50)).valid is Validity.YES
    assert judged(first, cas(2, "r", (3, 2), 20, 30)).valid is Validity.NO
    assert (
        "r: Cas 2 from 3 to 2 (process 2) succeeded, but nobody ever wrote 3"
        in judged(first, cas(2, "r", (3, 2), 20, 30)).summary
    )
    missed = cas(2, "r", (1, 2), 20, 30, type="fail", error="mismatch")
    assert "found something else" in judged(first, missed).summary
    assert judged(first, missed).valid is Validity.NO
    assert judged(first, write(3, "r", 9, 5, None), missed).valid is Validity.YES
    assert (
        judged(first, cas(2, "r", (1, 2), 20, 30, type="fail", error="not the leader")).valid is Validity.YES
    )


def test_what_was_refused_did_not_happen() -> None:
    refused = write(1, "r", 1, 0, 10, type="fail", error="not the leader")
    assert judged(refused, read(2, "r", 1, 20, 30)).valid is Validity.NO


def test_keys_are_registers_of_their_own() -> None:
    assert judged(write(1, "r", 1, 0, 10), read(2, "s", None, 20, 30)).valid is Validity.YES


def test_values_of_different_types_are_different() -> None:
    assert judged(write(1, "r", 1, 0, 10), read(2, "r", True, 20, 30)).valid is Validity.NO


def test_many_unanswered_operations_do_not_explode() -> None:
    did = [write(i, "r", i, i, None) for i in range(300)]
    did += [cas(1000 + i, "r", (5, 7), 300 + i, None) for i in range(50)]
    did += [read(2000, "r", value, 1000 + value, 1000.5 + value) for value in range(300)]
    verdict = judged(*did)
    assert verdict.valid is Validity.YES
    assert verdict.evidence["configurations"] < 20_000


def test_a_search_that_takes_too_long_says_so() -> None:
    did = [write(100 + i, "r", i % 7, i % 13, 200 + i) for i in range(400)]
    did += [cas(1000 + i, "r", (i % 5, i % 7), i % 11, 200 + i) for i in range(400)]
    operations = objects(CAS_REGISTER, list(history(ops(*did)).calls()))["r"]
    found = search(CAS_REGISTER, operations, Limits.of(0.05))
    assert found.validity is Validity.UNKNOWN
    assert re.search(r"the time allowed was up at return \d+ of 800, after \d+ configurations", found.reason)


def is_linearizable(calls: Sequence[Call], initial: Any = None) -> bool:
    model = CAS_REGISTER if initial is None else starting_at(CAS_REGISTER, initial)
    verdict = linearizable(model, calls, Limits.of(60), keyed=True)
    assert verdict.valid in (Validity.YES, Validity.NO, Validity.VACUOUS), verdict
    return verdict.valid is not Validity.NO


# Against brute force


def some_registers(rng: Random) -> list[Did]:
    did = []
    for process in range(rng.randint(2, 6)):
        start = rng.randint(0, 12)
        end = start + rng.randint(1, 8)
        kind = rng.choice(["ok", "ok", "ok", "info", "fail"])
        a, b = rng.choice([None, 1, 2]), rng.choice([1, 2, 3])
        more: dict[str, Any] = {"type": kind}
        f = rng.choice(["read", "read", "write", "cas"])
        if f == "read":
            did.append(read(process, "r", rng.choice([None, 1, 2, 3]), start, end, **more))
        elif f == "write":
            did.append(write(process, "r", b, start, end, **more))
        else:
            error = rng.choice(["mismatch", "refused"]) if kind == "fail" else None
            did.append(cas(process, "r", (a, b), start, end, error=error, **more))
    return did


def apply_register(state: Any, call: Call) -> tuple[bool, Any]:
    """Whether the call could happen in this state, and the state after it."""
    f, argument, completion = call.invoke.f, call.invoke.value[1], call.completion
    if f == "read":
        return completion is not None and completion.value[1] == state, state
    if f == "write":
        return True, argument
    old, new = argument
    if call.type == "fail":
        return state != old, state
    return state == old, new


def some_lists(rng: Random) -> list[Did]:
    did: list[Did] = []
    elements = list(range(1, rng.randint(2, 4)))
    for process, element in enumerate(elements):
        start = rng.randint(0, 12)
        kind = rng.choice(["ok", "ok", "info", "fail"])
        did.append(append(process, "k", element, start, start + rng.randint(1, 8), type=kind))
    spelled = rng.sample(elements, len(elements))
    for process in range(10, 10 + rng.randint(1, 3)):
        start = rng.randint(0, 14)
        seen = spelled[: rng.randint(0, len(spelled))]
        if rng.random() < 0.15:
            rng.shuffle(seen)
        if rng.random() < 0.1:
            seen.append(rng.choice([*elements, 99]))
        did.append(read(process, "k", seen, start, start + rng.randint(1, 8)))
    return did


def apply_list(state: Any, call: Call) -> tuple[bool, Any]:
    if call.invoke.f == "append":
        return True, (*state, call.invoke.value[1])
    assert call.completion is not None
    return tuple(call.completion.value[1]) == state, state


def matters(call: Call) -> bool:
    """What did not happen, and reads without an answer, constrain nothing; a mismatch is an observation."""
    if call.type == "fail":
        return call.invoke.f == "cas" and call.completion is not None and call.completion.error == "mismatch"
    return call.type == "ok" or call.invoke.f != "read"


def explained(calls: Sequence[Call], initial: Any, apply: Callable[[Any, Call], tuple[bool, Any]]) -> bool:
    """By trying every order of every choice of the unanswered ones."""
    calls = [call for call in calls if matters(call)]
    must = [call for call in calls if call.type != "info"]
    may = [call for call in calls if call.type == "info"]
    for chosen in range(1 << len(may)):
        some = must + [call for bit, call in enumerate(may) if chosen >> bit & 1]
        if any(runs(order_, initial, apply) for order_ in permutations(some) if in_real_time(order_)):
            return True
    return False


def in_real_time(calls: Sequence[Call]) -> bool:
    for at, later in enumerate(calls):
        for earlier in calls[:at]:
            ended = later.completion if later.type != "info" else None
            if ended is not None and order(ended) < order(earlier.invoke):
                return False
    return True


def runs(calls: Sequence[Call], state: Any, apply: Callable[[Any, Call], tuple[bool, Any]]) -> bool:
    for call in calls:
        possible, state = apply(state, call)
        if not possible:
            return False
    return True


def test_registers_agree_with_brute_force() -> None:
    rng = Random("registers")
    seen = {True: 0, False: 0}
    for _ in range(2500):
        calls = list(history(ops(*some_registers(rng))).calls())
        expected = explained(calls, None, apply_register)
        assert is_linearizable(calls) is expected, calls
        seen[expected] += 1
    assert min(seen.values()) > 300


def test_lists_agree_with_brute_force() -> None:
    rng = Random("lists")
    seen = {True: 0, False: 0}
    for _ in range(2500):
        found = history(ops(*some_lists(rng)))
        expected = explained(list(found.calls()), (), apply_list)
        assert (CHECKERS["list-append"](found).valid is not Validity.NO) is expected, found.ops
        seen[expected] += 1
    assert min(seen.values()) > 300


# Lists


def of_list(*did: Did) -> list[str]:
    return [anomaly.kind for anomaly in judged(*did, name="list-append").anomalies]


A, B = append(1, "k", 1, 0, 10), append(2, "k", 2, 20, 30)


def test_lists_tell_their_own_history() -> None:
    assert judged(A, B, read(3, "k", [1, 2], 40, 50), name="list-append").valid is Validity.YES
    assert judged(A, read(3, "k", [1], 20, 30), name="list-append").valid is Validity.YES
    assert of_list(A, B, read(3, "k", [1], 40, 50)) == ["lost-append"]
    assert of_list(A, B, read(3, "k", [1, 2], 40, 50), read(4, "k", [1], 60, 70)) == ["stale-read"]
    assert of_list(A, B, read(3, "k", [2, 1], 40, 50)) == ["real-time-order"]
    assert of_list(A, B, read(3, "k", [1, 2], 22, 25), read(4, "k", [2, 1], 22, 25)) == ["incompatible-reads"]
    assert of_list(A, read(3, "k", [1, 1], 40, 50)) == ["duplicate-element"]
    assert of_list(A, read(3, "k", [1, 7], 40, 50)) == ["unasked"]
    refused = append(2, "k", 2, 20, 30, type="fail")
    assert of_list(A, refused, read(3, "k", [1, 2], 40, 50)) == ["refused-yet-applied"]


def test_a_read_of_what_was_not_appended_yet_is_found() -> None:
    assert of_list(A, read(3, "k", [1, 2], 12, 15), B) == ["real-time-order"]


def test_equal_elements_cannot_be_told_apart() -> None:
    verdict = judged(A, append(2, "k", 1, 20, 30), read(3, "k", [1, 1], 40, 50), name="list-append")
    assert verdict.valid is Validity.UNKNOWN
    assert "append the same element" in verdict.summary


def test_lists_never_read_are_vacuous() -> None:
    assert judged(A, name="list-append").valid is Validity.VACUOUS


# Histories with known verdicts, written by other projects, where they are at hand

shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no histories in {SHARED}")


def numbered(recorded: list[tuple[Any, str, str, Any]]) -> list[Op]:
    """(process, type, f, value) in order of time; each process is a new one after an info."""
    renamed: dict[Any, int] = {}
    fresh = iter(range(1_000_000))
    found = []
    for index, (process, kind, f, value) in enumerate(recorded):
        name = renamed.setdefault(process, next(fresh))
        found.append(Op(index, index, name, kind, f, ["r", value]))  # type: ignore[arg-type]
        if kind == "info":
            del renamed[process]
    return found


def is_good(recorded: list[Op]) -> bool:
    return is_linearizable(list(History(recorded).calls()))


@shared
def test_etcd_histories() -> None:
    folder = SHARED / "etcd"
    verdicts = json.loads((folder / "verdicts.json").read_text())
    judged_files = 0
    for path in sorted(folder.glob("*.log")):
        recorded = []
        for line in path.read_text().splitlines():
            if match := re.fullmatch(r".*?(\d+)\s+:(\w+)\s+:(\w+)\s+(.*)", line):
                process, kind, f, text = match.groups()
                recorded.append((process, kind, f, etcd_value(text)))
        expected = verdict_of(verdicts, path.name)
        assert is_good(numbered(recorded)) is expected, path.name
        judged_files += 1
    assert judged_files >= 50


def verdict_of(verdicts: Any, name: str) -> Any:
    return verdicts.get(name, verdicts.get(name.removesuffix(".log")))


def etcd_value(text: str) -> Any:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if text.startswith("["):
        return numbers
    return numbers[0] if numbers else None


@shared
@pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])
def test_cas_register_histories(good: bool) -> None:
    for path in sorted((SHARED / "cas-register" / ("good" if good else "bad")).glob("*.edn")):
        recorded = [op for op in edn_ops(path.read_text()) if not is_wildcard(op)]
        assert is_good(numbered(without_orphans(recorded))) is good, path.name


def edn_ops(text: str) -> list[tuple[Any, str, str, Any]]:
    text = re.sub(r";.*", "", text)
    found = []
    for body in re.findall(r"\{([^{}]*)\}", text):
        pairs = dict(re.findall(r":([\w-]+)\s+(\[[^\]]*\]|:?[\w.-]+)", body))
        if not pairs.get("process", "").lstrip("-").isdigit():
            continue  # the nemesis
        value = pairs.get("value", "nil")
        numbers = [None if word == "nil" else int(word) for word in re.findall(r"-?\d+|nil", value)]
        found.append(
            (pairs["process"], pairs["type"][1:], pairs["f"][1:], numbers if value[0] == "[" else numbers[0])
        )
    return found


def is_wildcard(op: tuple[Any, str, str, Any]) -> bool:
    """An answered read of nil, whose value the client did not record."""
    return op[1:] == ("ok", "read", None)


def without_orphans(recorded: list[tuple[Any, str, str, Any]]) -> list[tuple[Any, str, str, Any]]:
    """Invocations whose completion was taken out go with it: the process invokes again without having
    ended."""
    kept: list[tuple[Any, str, str, Any]] = []
    open_at: dict[Any, int] = {}
    gone = set()
    for op in recorded:
        if op[1] == "invoke":
            if op[0] in open_at:
                gone.add(open_at[op[0]])
            open_at[op[0]] = len(kept)
        else:
            open_at.pop(op[0], None)
        kept.append(op)
    return [op for at, op in enumerate(kept) if at not in gone]


@shared
def test_micro_histories() -> None:
    cases = json.loads((SHARED / "micro" / "register_interval_cases.json").read_text())
    for case in cases:
        did = []
        for process, one in enumerate(case["ops"]):
            start, end, value = one["start"], one["end"], one["value"]
            did.append(
                write(process, "r", value, start, end)
                if one["f"] == "write"
                else read(process, "r", value, start, end)
            )
        calls = list(history(ops(*did)).calls())
        assert is_linearizable(calls, case["initial"]) is case["linearizable"], case["name"]
    assert len(cases) == 13
