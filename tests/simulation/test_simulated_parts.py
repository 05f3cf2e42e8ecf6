"""The simulator's virtual time, and what its clusters are tuned to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from system.clusters import sites
from system.simulation.knobs import (
    DRIFT,
    FASTEST_ELECTION_MS,
    KEYS,
    MS,
    SYNC_MS,
    KnobError,
    Knobs,
    drawn,
    from_json,
)
from system.simulation.loop import START_NS, HaltedError, RestlessError, StandstillError, VirtualLoop

NODES = sites.control_plane(3)
SEEDS = range(40)


def run_for(loop: VirtualLoop, length_ms: float) -> None:
    loop.run_until_complete(asyncio.sleep(length_ms / 1e3))


# Virtual time.


def test_time_jumps_from_event_to_event() -> None:
    loop = VirtualLoop()
    seen = list[tuple[str, int]]()

    def see(what: str) -> None:
        seen.append((what, loop.now_ns - START_NS))

    loop.at(START_NS + 3_600_000_000_000, see, "in an hour")
    loop.at(START_NS + 5, see, "first")
    loop.at(0, see, "what is past, now")
    loop.run_until_complete(asyncio.sleep(3600))
    assert seen == [("what is past, now", 0), ("first", 5), ("in an hour", 3_600_000_000_000)]


def test_of_events_at_one_time_the_first_asked_for_goes_first() -> None:
    loop = VirtualLoop()
    order = list[int]()
    for number in (3, 1, 2, 0):
        loop.at(START_NS + 7, order.append, number)
    loop.call_later(7e-9, order.append, 9)
    run_for(loop, 1)
    assert order == [3, 1, 2, 0, 9]


def test_sleepers_wake_in_the_order_of_their_times() -> None:
    loop = VirtualLoop()
    woken = list[tuple[str, float]]()

    async def sleeper(name: str, length_s: float) -> None:
        await asyncio.sleep(length_s)
        woken.append((name, round(loop.time() - START_NS / 1e9, 6)))

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for name, length_s in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
                group.create_task(sleeper(name, length_s))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await loop.create_future()

    loop.run_until_complete(all_of_them())
    assert woken == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert loop.now_ns == START_NS + 8_000_000_000


def test_a_cancelled_timer_does_nothing() -> None:
    loop, seen = VirtualLoop(), list[int]()
    handle = loop.call_later(0.001, seen.append, 1)
    loop.call_at(loop.time() + 0.001, seen.append, 2)
    handle.cancel()
    run_for(loop, 5)
    assert seen == [2] and handle.cancelled()


def test_nothing_left_to_happen_is_a_standstill() -> None:
    loop = VirtualLoop()

    async def forever() -> None:
        await loop.create_future()

    with pytest.raises(StandstillError, match="nothing is left to happen"):
        loop.run_until_complete(forever())


def test_tasks_that_wake_each_other_without_end_come_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("system.simulation.loop.MOST_EVENTS", 1_000)
    loop, turns = VirtualLoop(), list[int]()

    async def restless() -> None:
        while len(turns) < 100_000:
            turns.append(1)
            await asyncio.sleep(0)

    with pytest.raises(RestlessError, match="tasks wake each other"):
        loop.run_until_complete(restless())
    assert len(turns) <= 1_000 and loop.now_ns == START_NS


def test_halt_cancels_what_runs_at_that_very_moment() -> None:
    loop, seen = VirtualLoop(), list[str]()

    async def long() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            seen.append(f"cancelled at {(loop.now_ns - START_NS) // MS} ms")

    loop.at(START_NS + 20 * MS, loop.halt)
    loop.at(START_NS + 20 * MS, seen.append, "what was due after it")
    with pytest.raises(HaltedError):
        loop.run_until_complete(long())
    assert seen == ["cancelled at 20 ms"]


def test_an_exception_nobody_waits_for_ends_the_run() -> None:
    loop = VirtualLoop()

    async def fails() -> None:
        raise ValueError("nobody asked")

    async def main() -> None:
        task = loop.create_task(fails())
        await asyncio.sleep(0)
        del task
        await asyncio.sleep(1)
        raise AssertionError("it went on")

    with pytest.raises(ValueError, match="nobody asked"):
        loop.run_until_complete(main())
    assert loop.now_ns < START_NS + 1_000 * MS


def test_an_exception_in_an_event_ends_the_run() -> None:
    loop = VirtualLoop()
    loop.at(START_NS + 1, [].pop)
    with pytest.raises(IndexError):
        run_for(loop, 1)


def test_nobody_gets_a_thread_or_a_socket() -> None:
    loop = VirtualLoop()

    async def escapes() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(AttributeError, match="run_in_executor"):
        loop.run_until_complete(escapes())


# What a cluster is tuned to.


def test_knobs_survive_json() -> None:
    for seed in SEEDS:
        knobs = drawn(seed, NODES)
        said = knobs.to_json()
        said["drift"], said["election_ms"] = list(said["drift"]), list(said["election_ms"])
        assert from_json(said) == knobs
    assert from_json({}) == Knobs()


def test_drawn_knobs_differ_and_stay_within_bounds() -> None:
    some = [drawn(seed, NODES) for seed in SEEDS]
    assert some == [drawn(seed, NODES) for seed in SEEDS]
    assert len(dict.fromkeys(some)) == len(some)
    for knobs in some:
        assert knobs.election_ms[0] == FASTEST_ELECTION_MS < knobs.election_ms[1]
        assert SYNC_MS[0] <= knobs.sync_ms <= SYNC_MS[1]
        assert knobs.keys in KEYS
        assert len(knobs.drift) in (0, 3) and all(abs(share) <= DRIFT for share in knobs.drift)


@pytest.mark.parametrize(
    "said",
    [
        None,
        3,
        [],
        "fast",
        {"speed": 3},
        {"max_batch": "3"},
        {"max_batch": None},
        {"max_batch": True},
        {"max_batch": [3]},
        {"election_ms": 300},
        {"election_ms": [300, "600"]},
        {"drift": [0.1, True]},
        {"drift": {"0": 0.1}},
        {"sync_ms": [1.0]},
    ],
)
def test_knobs_that_are_none(said: Any) -> None:
    with pytest.raises(KnobError, match=r"^knob") as error:
        from_json(said)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "said",
    [
        {"max_batch": 0},
        {"max_batch": 2.5},
        {"keys": -1},
        {"keys": 1.5},
        {"election_ms": []},
        {"election_ms": [300]},
        {"election_ms": [600, 300]},
        {"election_ms": [0, 0]},
        {"election_ms": [300, 600, 900]},
        {"sync_ms": -1.0},
        {"sync_ms": float("nan")},
        {"jitter_ms": float("inf")},
        {"drift": [-1.0]},
        {"sync_samples_ms": [-5.0]},
    ],
)
def test_knobs_that_no_cluster_can_have(said: dict[str, Any]) -> None:
    with pytest.raises(KnobError, match=r"^knob") as error:
        from_json(said)
    assert "\n" not in str(error.value)
