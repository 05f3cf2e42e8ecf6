"""Faults as the harness carries them out: recorded as they are, healed whatever happens."""

import asyncio
from typing import Any

import pytest

from checkers.history import History
from harness.harm import Harm
from harness.recorder import Recorder
from nemesis import NEMESES
from nemesis.nemesis import Evidence, Step

TIME_LIMIT_S = 0.4


class Noted:
    """A nemesis that notes what it is asked, and fails where told to."""

    def __init__(self, failing: tuple[str, ...] = (), slow_s: float = 0.0) -> None:
        self.asked: list[tuple[str, int]] = []
        self._failing = failing
        self._slow_s = slow_s

    async def inject(self, cluster: Any, step: Step) -> Evidence:
        await asyncio.sleep(self._slow_s)  # as an inject does that waits for its proof
        return self._act("inject", step)

    async def heal(self, cluster: Any, step: Step) -> Evidence:
        return self._act("heal", step)

    def _act(self, action: str, step: Step) -> Evidence:
        self.asked.append((action, step.number))
        if action in self._failing:
            raise ConnectionError("the supervisor is gone")
        return Evidence(True, ("n1",), f"{action} seen", {"by": "test"})


def steps(*pairs: tuple[int, str]) -> list[Step]:
    return [Step(number, 0.0, "noted", action, "leader") for number, action in pairs]  # type: ignore[arg-type]


def harm(monkeypatch: pytest.MonkeyPatch, nemesis: Noted, schedule: list[Step]) -> tuple[Harm, Recorder]:
    monkeypatch.setitem(NEMESES, "noted", nemesis)
    recorder = Recorder()
    return Harm(schedule, object(), recorder, TIME_LIMIT_S), recorder


def test_a_schedule_is_played_in_order_and_recorded_with_its_evidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nemesis = Noted()
    work, recorder = harm(monkeypatch, nemesis, steps((0, "inject"), (0, "heal"), (1, "inject"), (1, "heal")))
    asyncio.run(work.run())
    assert nemesis.asked == [("inject", 0), ("heal", 0), ("inject", 1), ("heal", 1)]
    windows = list(History(ops=recorder.ops).faults())
    assert [(w.step, w.target, w.nodes, w.took_effect) for w in windows] == [
        (0, "leader", ("n1",), True),
        (1, "leader", ("n1",), True),
    ]
    assert windows[0].evidence == {"by": "test"}
    assert (
        windows[0].inject_ns
        <= windows[0].injected_ns
        <= (windows[0].heal_ns or 0)
        <= (windows[0].healed_ns or 0)
    )


def test_what_the_schedule_left_broken_is_healed(monkeypatch: pytest.MonkeyPatch) -> None:
    nemesis = Noted()
    work, recorder = harm(monkeypatch, nemesis, steps((0, "inject"), (1, "inject")))
    asyncio.run(work.run())
    assert work.now == ["noted leader", "noted leader"]
    asyncio.run(work.heal())
    assert nemesis.asked[2:] == [("heal", 0), ("heal", 1)]
    assert work.now == []
    assert all(w.healed_ns is not None for w in History(ops=recorder.ops).faults())


def test_an_inject_that_fails_took_no_effect_and_is_healed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nemesis = Noted(failing=("inject",))
    work, recorder = harm(monkeypatch, nemesis, steps((0, "inject")))
    asyncio.run(work.run())
    (window,) = History(ops=recorder.ops).faults()
    assert not window.took_effect
    assert work.errors == ["noted leader: inject failed: the supervisor is gone"]
    asyncio.run(work.heal())
    assert nemesis.asked == [("inject", 0), ("heal", 0)]


def test_a_heal_that_fails_keeps_no_other_from_being_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    nemesis = Noted(failing=("heal",))
    work, recorder = harm(monkeypatch, nemesis, steps((0, "inject"), (1, "inject")))
    asyncio.run(work.run())
    asyncio.run(work.heal())
    assert nemesis.asked[2:] == [("heal", 0), ("heal", 1)]
    assert all(w.healed_ns is None for w in History(ops=recorder.ops).faults())


def test_a_fault_that_begins_late_lasts_as_long_as_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    nemesis = Noted(slow_s=0.2)
    schedule = [
        Step(0, 0.0, "noted", "inject", "leader"),
        Step(0, 0.05, "noted", "heal", "leader"),
        Step(1, 0.1, "noted", "inject", "leader"),
        Step(1, 0.2, "noted", "heal", "leader"),
    ]
    work, recorder = harm(monkeypatch, nemesis, schedule)
    asyncio.run(work.run())
    first, second = History(ops=recorder.ops).faults()
    for window, planned_s in ((first, 0.05), (second, 0.1)):
        assert window.heal_ns is not None
        assert window.heal_ns - window.injected_ns >= planned_s * 1e9


def test_a_fault_that_could_only_begin_after_the_time_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    nemesis = Noted(slow_s=TIME_LIMIT_S)
    work, _ = harm(monkeypatch, nemesis, steps((0, "inject"), (0, "heal"), (1, "inject"), (1, "heal")))
    asyncio.run(work.run())
    assert nemesis.asked == [("inject", 0), ("heal", 0)]
    assert work.left_out == [1]
