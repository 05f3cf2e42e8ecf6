"""What the history says of an operation: only what is known of it."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from checkers.history import History, Op
from harness.load import Load, Slot
from harness.plan import Plan
from harness.recorder import Recorder
from system.client import Answer, Append, Refused, Request, Service, Unresolved
from system.object_client import GetObject, ObjectAnswer
from workloads import WORKLOADS


class Place:
    """A cluster, as far as the load looks at one. make: its clients."""

    client_sites = ("client-aws", "client-gcp", "client-azure")

    def addresses(self, site: str) -> dict[str, str]:
        return {"cp-aws-1": "a", "cp-gcp-1": "b", "cp-azure-1": "c"}

    def worker_addresses(self, site: str) -> dict[str, str]:
        return {"worker-aws-1": "d", "worker-aws-2": "e", "worker-gcp-1": "f", "worker-azure-1": "g"}

    def __init__(self, make: Callable[[str], Any] | None = None) -> None:
        self._make = make

    def client(self, site: str, *, client_id: str, pinned: str | None, retry: bool, service: Service) -> Any:
        assert self._make is not None
        return self._make(client_id)


Fate = Callable[[Any], Any]


def drive(fate: Fate, concurrency: int = 2, workload: str = "register") -> tuple[list[Op], list[str]]:
    """Some 60 operations of a workload, each with the given fate; also every client's name."""
    recorder, names = Recorder(), []
    stop = asyncio.Event()

    class Stub:
        def __init__(self, client_id: str) -> None:
            names.append(client_id)

        async def open(self, deadline_s: float) -> None:
            await asyncio.sleep(0)

        async def submit(self, request: Any, *, ask_twice: bool = False) -> Any:
            await asyncio.sleep(0)
            if len(recorder.ops) >= 120:
                stop.set()
            return fate(request)

        async def close(self) -> None: ...

    plan = Plan(workload, ("none",), 1, rate=100_000, concurrency=concurrency)
    asyncio.run(Load(plan, WORKLOADS[workload](), Place(Stub), recorder).run(stop))
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
    slots = [Slot.of(number, Place(), "control-plane") for number in range(12)]
    assert [slot.site for slot in slots[:3]] == ["client-aws", "client-gcp", "client-azure"]
    assert [slot.retry for slot in slots] == [True, False] * 6
    assert [slot.pinned is not None for slot in slots] == [False, False, True, True] * 3
    assert all(slot.pinned in (None, slot.site.replace("client", "cp") + "-1") for slot in slots)
    behaviours = {(slot.site, slot.pinned is not None, slot.retry) for slot in slots}
    assert len(behaviours) == 12  # three sites, pinned or not, retrying or not
    assert [slot.reads_only for slot in slots] == [False, False, False, True] * 3


def test_slots_of_workers_are_pinned_to_workers() -> None:
    slots = [Slot.of(number, Place(), "workers") for number in range(12)]
    assert {slot.pinned for slot in slots} == {None, "worker-aws-1", "worker-gcp-1", "worker-azure-1"}
    assert all(slot.pinned in (None, slot.site.replace("client", "worker") + "-1") for slot in slots)
    assert {slot.service for slot in slots} == {"workers"}


def test_where_workers_carry_the_load_the_control_plane_still_has_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.load.COMMANDS_EVERY_S", 0.0)
    asked: list[Any] = []

    def answer(request: Any) -> Any:
        asked.append(request)
        return Answer("cp-aws-1", 5) if isinstance(request, Append) else ObjectAnswer("worker-aws-1")

    ops, _ = drive(answer, workload="storage")
    assert {type(request) for request in asked} > {Append, GetObject}
    done = [op for op in ops if op.type != "invoke"]
    assert {(op.type, op.witness) for op in done if op.f == "append"} == {("ok", 5)}
    assert {op.witness for op in done if op.f != "append"} == {None}
    assert {op.value[1] for op in done if op.f == "read"} == {None}


class Scripted(Place):
    """A cluster whose clients' answers are given, and noted with the service that was asked."""

    def __init__(self, answers: list[Any]) -> None:
        self.asked: list[tuple[Service, Any]] = []
        self._answers = iter(answers)

    def client(self, site: str, *, client_id: str, pinned: str | None, retry: bool, service: Service) -> Any:
        place = self

        class Stub:
            async def open(self, deadline_s: float) -> None: ...
            async def close(self) -> None: ...
            async def submit(self, request: Any, *, ask_twice: bool = False) -> Any:
                place.asked.append((service, request))
                answer = next(place._answers)
                if isinstance(answer, Exception):
                    raise answer
                return answer

        return Stub()


def test_whoever_insists_asks_again_after_a_refusal_and_after_doubt() -> None:
    found = Scripted([Refused("not now"), Unresolved("timed out"), Answer("cp-aws-1", 3)])
    plan, recorder = Plan("storage", ("none",), 1), Recorder()
    load = Load(plan, WORKLOADS["storage"](), found, recorder)
    assert asyncio.run(load.command(5.0))
    assert [(service, type(request)) for service, request in found.asked] == [("control-plane", Append)] * 3
    assert [op.type for op in recorder.ops if op.type != "invoke"] == ["fail", "info", "ok"]
    written = [op.value for op in recorder.ops if op.type == "invoke"]
    assert all(value not in written[:at] for at, value in enumerate(written)), "a value was written twice"


def test_final_reads_are_asked_of_those_who_carried_the_load() -> None:
    workload = WORKLOADS["storage"]()
    rng = Random(3)
    while not workload.final_reads():
        workload.draw(rng)
    found = Scripted([ObjectAnswer("worker-aws-1")])
    load = Load(Plan("storage", ("none",), 1), workload, found, Recorder())
    assert asyncio.run(load.final_reads(5.0)) == (1, 1)
    assert [(service, type(request)) for service, request in found.asked] == [("workers", GetObject)]
