"""What the history says of an operation: only what is known of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from checkers.history import History, Op
from harness.load import Load, Slot
from harness.plan import Plan
from harness.recorder import Recorder
from system.client import Answer, Refused, Request, Unresolved
from workloads import WORKLOADS


class Place:
    """A cluster, as far as the load looks at one. make: its clients."""

    client_sites = ("client-aws", "client-gcp", "client-azure")

    def addresses(self, site: str) -> dict[str, str]:
        return {"cp-aws-1": "a", "cp-gcp-1": "b", "cp-azure-1": "c"}

    def __init__(self, make: Callable[[str], Any] | None = None) -> None:
        self._make = make

    def client(self, site: str, *, client_id: str, pinned: str | None, retry: bool) -> Any:
        assert self._make is not None
        return self._make(client_id)


Fate = Callable[[Request], Answer]


def drive(fate: Fate, concurrency: int = 2) -> tuple[list[Op], list[str]]:
    """Some 60 operations of the register workload, each with the given fate; also every client's name."""
    recorder, names = Recorder(), []
    stop = asyncio.Event()

    class Stub:
        def __init__(self, client_id: str) -> None:
            names.append(client_id)

        async def open(self, deadline_s: float) -> None:
            await asyncio.sleep(0)

        async def submit(self, request: Request, *, ask_twice: bool = False) -> Answer:
            await asyncio.sleep(0)
            if len(recorder.ops) >= 120:
                stop.set()
            return fate(request)

        async def close(self) -> None: ...

    plan = Plan("register", ("none",), 1, rate=100_000, concurrency=concurrency)
    asyncio.run(Load(plan, WORKLOADS["register"](), Place(Stub), recorder).run(stop))
    return recorder.ops, names


def test_an_answer_is_ok_with_its_witness() -> None:
    ops, _ = drive(lambda request: Answer("cp-aws-1", 17, value="3"))
    done = [op for op in ops if op.type != "invoke"]
    assert {(op.type, op.witness, op.node, op.error) for op in done} == {("ok", 17, "cp-aws-1", None)}
    assert all(op.value[1] == 3 for op in done if op.f == "read")


def test_a_mismatch_is_a_fail_that_took_its_index() -> None:
    ops, _ = drive(lambda request: Answer("cp-aws-1", 9, swapped=False))
    cas = [op for op in ops if op.f == "cas" and op.type != "invoke"]
    assert cas
    assert {(op.type, op.error, op.witness) for op in cas} == {("fail", "mismatch", 9)}


def test_a_refusal_is_a_fail_and_the_process_goes_on() -> None:
    def refuse(request: Request) -> Answer:
        raise Refused("not the leader", "cp-gcp-1")

    ops, names = drive(refuse)
    assert {op.type for op in ops} == {"invoke", "fail"}
    assert names == ["p0", "p1"]


def test_doubt_is_info_and_retires_the_process() -> None:
    def doubt(request: Request) -> Answer:
        raise Unresolved("timed out", "cp-gcp-1")

    ops, names = drive(doubt)
    calls = list(History(ops=ops).calls())
    assert all(call.type == "info" for call in calls)
    assert len(names) == len(dict.fromkeys(names)) == len(calls)
    assert len({call.invoke.process for call in calls}) == len(calls)


def test_a_bug_of_ours_leaves_no_operation_without_an_end() -> None:
    def broken(request: Request) -> Answer:
        raise KeyError("a bug")

    with pytest.raises(ExceptionGroup):
        drive(broken)


def test_slots_mix_places_pins_and_retries() -> None:
    slots = [Slot.of(number, Place()) for number in range(12)]
    assert [slot.site for slot in slots[:3]] == ["client-aws", "client-gcp", "client-azure"]
    assert [slot.retry for slot in slots] == [True, False] * 6
    assert [slot.pinned is not None for slot in slots] == [False, False, True, True] * 3
    assert all(slot.pinned in (None, slot.site.replace("client", "cp") + "-1") for slot in slots)
    behaviours = {(slot.site, slot.pinned is not None, slot.retry) for slot in slots}
    assert len(behaviours) == 12  # three sites, pinned or not, retrying or not
    assert [slot.reads_only for slot in slots] == [False, False, False, True] * 3
