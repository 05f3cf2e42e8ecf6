from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import md5
from random import Random

import pytest

from system.object_client import GetObject, ObjectAnswer, ObjectRequest, PutObject, ReplaceObject
from system.object_content import content
from workloads.drawn_registers import LIVE_REGISTERS, OPERATIONS_A_REGISTER
from workloads.storage import Objects
from workloads.workload import Value


class Store:
    """Objects that answer at once."""

    def __init__(self) -> None:
        self.etags: dict[str, str] = {}

    def answer(self, request: ObjectRequest) -> ObjectAnswer:
        there = self.etags.get(request.key)
        if isinstance(request, GetObject):
            return ObjectAnswer("w", there, there)
        if isinstance(request, ReplaceObject) and there != request.expected:
            return ObjectAnswer("w")
        self.etags[request.key] = md5(content(request.number, request.size_bytes)).hexdigest()
        return ObjectAnswer("w", self.etags[request.key])


def drive(workload: Objects, seed: int, count: int, concurrency: int = 1) -> list[tuple[str, Value, str]]:
    """(f, value, completion's type), with so many operations on their way, which end in any order."""
    rng, store, ending = Random(seed), Store(), Random(f"{seed}/ending")
    on_the_way: list[tuple[str, Value]] = []
    done: list[tuple[str, Value, str]] = []
    for _ in range(count):
        on_the_way.append(workload.draw(rng))
        if len(on_the_way) == concurrency:
            f, value = on_the_way.pop(ending.randrange(concurrency))
            kind, seen = workload.outcome(f, value, store.answer(workload.request(f, value)))
            assert f == "read" or seen == value
            done.append((f, value, kind))
    return done


def test_one_seed_and_the_same_answers_one_load() -> None:
    assert drive(Objects(), 7, 300, 5) == drive(Objects(), 7, 300, 5)
    assert drive(Objects(), 7, 300, 5) != drive(Objects(), 8, 300, 5)


@pytest.mark.parametrize("concurrency", [1, 12])
def test_a_decent_share_of_conditional_puts_succeed_and_some_fail(concurrency: int) -> None:
    kinds = Counter(kind for f, _, kind in drive(Objects(), 7, 2000, concurrency) if f == "cas")
    assert 0.2 < kinds["ok"] / kinds.total() < 0.95


def test_unique_bodies_of_many_sizes_and_several_objects_that_retire() -> None:
    workload = Objects()
    done = drive(workload, 7, 2000)
    written = [value[1] if f == "write" else value[1][1] for f, value, _ in done if f != "read"]
    assert len(written) == len(set(written))
    operations = Counter(value[0] for _, value, _ in done)
    assert max(operations.values()) == OPERATIONS_A_REGISTER
    assert len({value[0] for _, value, _ in done[:60]}) >= LIVE_REGISTERS
    sizes = [
        request.size_bytes
        for f, value, _ in done
        if not isinstance(request := workload.request(f, value), GetObject)
    ]
    shares = [sum(low < size <= high for size in sizes) / len(sizes) for low, high in BOUNDS]
    assert shares[0] > 0.6 and shares[1] > 0.2 and 0.01 < shares[2] < 0.06
    assert sum(shares) == pytest.approx(1)


BOUNDS: Sequence[tuple[int, int]] = ((0, 4096), (4096, 65_536), (65_536, 262_144))


def test_a_request_puts_the_body_whose_etag_was_drawn() -> None:
    workload, rng, kinds = Objects(), Random(7), Counter[str]()
    for _ in range(200):
        f, (key, what) = workload.draw(rng)
        request = workload.request(f, [key, what])
        kinds[f] += 1
        assert request.key == key
        if isinstance(request, GetObject):
            assert (f, what) == ("read", None)
            continue
        new = what if isinstance(request, PutObject) else what[1]
        assert isinstance(request, PutObject if f == "write" else ReplaceObject)
        assert isinstance(request, PutObject) or request.expected == what[0]
        assert new == md5(content(request.number, request.size_bytes)).hexdigest()
    assert set(kinds) == {"read", "write", "cas"}


def test_outcomes() -> None:
    workload = Objects()
    read, write, cas = ["o0", None], ["o0", "e1"], ["o0", ["e1", "e2"]]
    assert workload.outcome("write", write, ObjectAnswer("w", "e1")) == ("ok", write)
    assert workload.outcome("cas", cas, ObjectAnswer("w", "e2")) == ("ok", cas)
    assert workload.outcome("cas", cas, ObjectAnswer("w")) == ("fail", cas)
    assert workload.outcome("read", read, ObjectAnswer("w")) == ("ok", read)
    assert workload.outcome("read", read, ObjectAnswer("w", "e1", "e1")) == ("ok", ["o0", "e1"])


def test_what_a_store_alters_is_a_value_that_nobody_wrote() -> None:
    workload = Objects()
    assert workload.outcome("write", ["o0", "e1"], ObjectAnswer("w", "e9")) == ("ok", ["o0", "e9"])
    altered = ["o0", ["e1", "e9"]]
    assert workload.outcome("cas", ["o0", ["e1", "e2"]], ObjectAnswer("w", "e9")) == ("ok", altered)
    torn = workload.outcome("read", ["o0", None], ObjectAnswer("w", "e1", "e9"))
    assert torn == ("ok", ["o0", "torn e1, with a body of e9"])


def test_who_replaces_expects_what_was_last_seen() -> None:
    workload, rng = Objects(), Random(7)
    workload.outcome("read", ["o0", None], ObjectAnswer("w", "e1", "e1"))
    workload.outcome("read", ["o0", None], ObjectAnswer("w", "e2", "e2"))
    expected = [v[1][0] for f, v in (workload.draw(rng) for _ in range(200)) if f == "cas" and v[0] == "o0"]
    assert Counter(expected).most_common(1)[0][0] == "e2"
    assert set(expected) <= {"e1", "e2", None}


def test_final_reads_cover_every_object_ever_written() -> None:
    workload, rng = Objects(), Random(7)
    written: dict[str, None] = {}
    for _ in range(600):
        f, (key, _) = workload.draw(rng)
        if f != "read":
            written[key] = None
        assert workload.final_reads() == [("read", [key, None]) for key in written]
    assert len(written) > LIVE_REGISTERS


def test_who_only_reads_draws_reads() -> None:
    workload, rng = Objects(), Random(3)
    assert {workload.draw(rng, reads_only=True)[0] for _ in range(200)} == {"read"}
    assert workload.final_reads() == []
