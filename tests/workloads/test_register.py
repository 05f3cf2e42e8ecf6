from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from system.client import Answer, CompareAndSet, Put, Read, Request
from workloads.drawn_registers import LIVE_REGISTERS, OPERATIONS_A_REGISTER
from workloads.register import Registers
from workloads.workload import Value


class Store:
    """Registers that answer at once."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.index = 0

    def answer(self, request: Request) -> Answer:
        self.index += 1
        if isinstance(request, Read):
            return Answer("n", self.index, value=self.values.get(request.key))
        if isinstance(request, CompareAndSet) and self.values.get(request.key) != request.expected:
            return Answer("n", self.index, swapped=False)
        assert isinstance(request, (Put, CompareAndSet))
        self.values[request.key] = request.value
        return Answer("n", self.index)


def drive(workload: Registers, seed: int, count: int, concurrency: int) -> list[tuple[str, Value, str]]:
    """(f, value, completion's type), with so many operations on their way, which end in any order."""
    rng, store, ending = Random(seed), Store(), Random(f"{seed}/ending")
    on_the_way: list[tuple[str, Value]] = []
    done: list[tuple[str, Value, str]] = []
    for _ in range(count):
        on_the_way.append(workload.draw(rng))
        if len(on_the_way) == concurrency:
            f, value = on_the_way.pop(ending.randrange(concurrency))
            kind, _ = workload.outcome(f, value, store.answer(workload.request(f, value)))
            done.append((f, value, kind))
    return done


def test_one_seed_and_the_same_answers_one_load() -> None:
    assert drive(Registers(), 7, 500, 5) == drive(Registers(), 7, 500, 5)
    assert drive(Registers(), 7, 500, 5) != drive(Registers(), 8, 500, 5)


@pytest.mark.parametrize("concurrency", [1, 12, 25])
def test_a_decent_share_of_compare_and_sets_succeed_and_some_fail(concurrency: int) -> None:
    kinds = Counter(kind for f, _, kind in drive(Registers(), 7, 5000, concurrency) if f == "cas")
    assert 0.2 < kinds["ok"] / kinds.total() < 0.95


def test_unique_values_and_several_registers_that_retire() -> None:
    done = drive(Registers(), 7, 5000, 1)
    written = [value[1] if f == "write" else value[1][1] for f, value, _ in done if f != "read"]
    assert len(written) == len(set(written))
    assert all(type(value) is int for value in written)
    operations = Counter(value[0] for _, value, _ in done)
    assert max(operations.values()) == OPERATIONS_A_REGISTER
    assert len({value[0] for _, value, _ in done[:60]}) >= LIVE_REGISTERS
    shares = Counter(f for f, _, _ in done)
    assert all(shares[f] > 0.2 * len(done) for f in ("read", "write", "cas"))


def test_final_reads_cover_every_register_ever_written() -> None:
    workload, rng = Registers(), Random(7)
    written: dict[str, None] = {}
    for _ in range(1500):
        f, (key, _) = workload.draw(rng)
        if f != "read":
            written[key] = None
        assert workload.final_reads() == [("read", [key, None]) for key in written]
    assert len(written) > LIVE_REGISTERS


def test_requests_and_outcomes() -> None:
    workload = Registers()
    assert workload.request("write", ["r0", 3]) == Put("r0", "3")
    assert workload.request("read", ["r0", None]) == Read("r0")
    assert workload.request("cas", ["r0", [3, 4]]) == CompareAndSet("r0", "3", "4")
    assert workload.request("cas", ["r0", [None, 4]]) == CompareAndSet("r0", None, "4")
    assert workload.outcome("write", ["r0", 3], Answer("n", 5)) == ("ok", ["r0", 3])
    assert workload.outcome("read", ["r0", None], Answer("n", 5)) == ("ok", ["r0", None])
    assert workload.outcome("read", ["r0", None], Answer("n", 6, value="3")) == ("ok", ["r0", 3])
    assert workload.outcome("cas", ["r0", [3, 4]], Answer("n", 7)) == ("ok", ["r0", [3, 4]])
    assert workload.outcome("cas", ["r0", [3, 4]], Answer("n", 8, swapped=False)) == ("fail", ["r0", [3, 4]])


def test_an_old_answer_is_no_news() -> None:
    workload = Registers()
    workload.outcome("read", ["r0", None], Answer("n", 9, value="5"))
    workload.outcome("read", ["r0", None], Answer("n", 8, value="4"))
    rng = Random(7)
    expected = [v[1][0] for f, v in (workload.draw(rng) for _ in range(60)) if f == "cas" and v[0] == "r0"]
    assert 5 in expected
    assert 4 not in expected


def test_who_only_reads_draws_reads() -> None:
    workload, rng = Registers(), Random(3)
    assert {workload.draw(rng, reads_only=True)[0] for _ in range(200)} == {"read"}
    assert workload.final_reads() == []
